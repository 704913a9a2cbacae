package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Device
import io.github.phpsessionchat.Notices as NoticeSettings
import io.github.phpsessionchat.NoticesChange
import io.github.phpsessionchat.Presence
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.AndroidChat
import io.github.phpsessionchat.android.ChatRequestException

/** The user's settings, as far as they are loaded. `notices` stays null if the site sends no notifications. */
data class UserSettings(
    val notices: NoticeSettings? = null,
    val devices: List<Device> = emptyList(),
    val isHidden: Boolean? = null,
    val blocked: List<User>? = null,
)

interface SettingsActions {
    fun close()
    fun set(change: NoticesChange)
    fun remove(device: Device)
    fun hide(hidden: Boolean)
    fun unblock(user: User)

    /** Opens the site's logout page. */
    fun logOut()
    fun forgetLogin()
}

@Composable
fun SettingsScreen(app: AppParts) {
    val connection by app.chat.connection.collectAsStateWithLifecycle()
    val host = remember { SnackbarHostState() }
    val perform = rememberRequests(app, host)
    var settings by remember { mutableStateOf(UserSettings()) }
    // Depends on the connection, so that a request that failed offline is repeated after a reconnect.
    LaunchedEffect(connection) {
        val chat = app.chat
        loaded { chat.request<NoticeSettings> { notices(it) } }?.let { settings = settings.copy(notices = it) }
        loaded { chat.request<List<Device>> { devices(it) } }?.let { settings = settings.copy(devices = it) }
        loaded { chat.isHidden() }?.let { settings = settings.copy(isHidden = it) }
        loaded { chat.request<List<User>> { blocked(it) } }?.let { settings = settings.copy(blocked = it) }
    }
    val actions = remember {
        object : SettingsActions {
            override fun close() = app.navigation.back()

            override fun set(change: NoticesChange) = perform {
                settings = settings.copy(notices = request<NoticeSettings> { setNotices(change, it) })
            }

            override fun remove(device: Device) = perform {
                request<Void?> { removeDevice(device.id, it) }
                settings = settings.copy(devices = settings.devices - device)
            }

            override fun hide(hidden: Boolean) = perform {
                request<Void?> { hide(hidden, it) }
                settings = settings.copy(isHidden = hidden)
            }

            override fun unblock(user: User) = perform {
                request<Void?> { block(user.id, false, it) }
                settings = settings.copy(blocked = settings.blocked.orEmpty() - user)
            }

            override fun logOut() = app.navigation.open(Screen.LogOut)

            override fun forgetLogin() = app.forgetLogin()
        }
    }
    // Without a connection, the user can still hide the chat from others who use this device.
    val canLogOut = app.logoutPage.isNotEmpty() && connection == ConnectionState.Kind.ONLINE
    Settings(settings, canLogOut, stringResource(R.string.privacy_url), actions, host)
}

/** Returns null if the site or the user does not have this setting. */
private suspend fun <T> loaded(load: suspend () -> T): T? = try {
    load()
} catch (_: ChatRequestException) {
    null
}

/** Asks about the user in the first room, because the server needs a room. Returns null for a user without rooms. */
private suspend fun AndroidChat.isHidden(): Boolean? {
    val room = rooms.value.firstOrNull() ?: return null
    val user = me.value?.user ?: return null
    return request<Presence> { about(room.id, user.id, it) }.hidden
}

@Composable
fun Settings(settings: UserSettings, canLogOut: Boolean, privacyPage: String, actions: SettingsActions, host: SnackbarHostState) {
    val notices: LazyListScope.() -> Unit = settings.notices?.let { noticeSettings(it, actions) } ?: {}
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(R.string.prefs_open), R.string.prefs_close, actions::close) },
        snackbarHost = { SnackbarHost(host) },
    ) { inner ->
        LazyColumn(Modifier.fillMaxSize().padding(inner).testTag("settings")) {
            notices()
            if (settings.notices != null) {
                items(settings.devices, { "device ${it.id}" }) { DeviceRow(it) { actions.remove(it) } }
            }
            settings.isHidden?.let { hidden ->
                item { SectionHeading(stringResource(R.string.people_title)) }
                item { SwitchRow(stringResource(R.string.person_hide), null, hidden, onChange = actions::hide) }
            }
            settings.blocked?.let { blockedPeople(it, actions::unblock) }
            item { PrivacyLink(privacyPage, Modifier.padding(horizontal = 4.dp)) }
            item {
                TextButton(onClick = if (canLogOut) actions::logOut else actions::forgetLogin, Modifier.padding(4.dp, 12.dp)) {
                    Text(stringResource(if (canLogOut) R.string.settings_logOut else R.string.guest_forget), color = MaterialTheme.colorScheme.error)
                }
            }
        }
    }
}

@Composable
private fun DeviceRow(device: Device, onRemove: () -> Unit) {
    val name = device.name ?: stringResource(R.string.prefs_push)
    SettingRow(name, stringResource(R.string.prefs_pushUsed, dayName(device.at))) {
        TextButton(onClick = onRemove) { Text(stringResource(R.string.link_remove)) }
    }
}

private fun LazyListScope.blockedPeople(users: List<User>, onUnblock: (User) -> Unit) {
    item { SectionHeading(stringResource(R.string.prefs_blocked)) }
    item {
        Text(
            stringResource(if (users.isEmpty()) R.string.prefs_blocked_none else R.string.prefs_blockedHint),
            Modifier.padding(16.dp, 4.dp),
            MaterialTheme.colorScheme.onSurfaceVariant,
        )
    }
    items(users, { "blocked ${it.id}" }) { user ->
        val label = stringResource(R.string.block_undo, isolate(nameOf(user)))
        PersonRow(user, null, onClick = null) {
            TextButton(onClick = { onUnblock(user) }, Modifier.semantics { contentDescription = label }) {
                Text(stringResource(R.string.block_end))
            }
        }
    }
}
