package io.github.phpsessionchat.app

import android.net.Uri
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.LocalUriHandler
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.Answers.Page
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Presence
import io.github.phpsessionchat.Restriction
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.Search
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.AndroidChat

/** What is known about a user. `presence` and `isBlocked` are null until they are loaded. */
data class Person(
    val user: User,
    val isSelf: Boolean,
    val presence: Presence? = null,
    val isBlocked: Boolean? = null,
    val canWrite: Boolean = false,
    val canReport: Boolean = false,
    /** The address of the user's page on the site. */
    val profile: String? = null,
    /** The room from which the screen was opened, and what the reader may do with the user there. */
    val room: RoomSummary? = null,
    val offered: List<MemberAction> = emptyList(),
)

@Composable
fun PersonScreen(app: AppParts, room: String, user: User) {
    val me by app.chat.me.collectAsStateWithLifecycle()
    val rooms by app.chat.rooms.collectAsStateWithLifecycle()
    val identity = me ?: return
    val host = remember { SnackbarHostState() }
    val perform = rememberRequests(app, host)
    val browser = LocalUriHandler.current
    var presence by remember { mutableStateOf<Presence?>(null) }
    var isBlocked by remember { mutableStateOf<Boolean?>(null) }
    val conversation by app.chat.conversation.collectAsStateWithLifecycle()
    val isHere = conversation?.members?.present?.any { it.id == user.id }
    var version by remember { mutableIntStateOf(0) }
    LaunchedEffect(isHere, version) { perform { presence = request<Presence> { about(room, user.id, it) } } }
    LaunchedEffect(Unit) {
        perform { isBlocked = request<List<User>> { blocked(it) }.any { it.id == user.id } }
    }
    var reported by remember { mutableStateOf<Message?>(null) }
    val isSelf = user.id == identity.user.id
    val summary = rooms.find { it.id == room }
    val isDirect = summary?.kind == RoomSummary.Kind.DIRECT
    val context = LocalContext.current
    val notices = Notices(context, host)
    val moderation = object : MemberActions {
        override fun setRole(role: RoomSummary.Role) = perform {
            request<Void?> { setRole(room, user.id, role, it) }
            version++
        }

        override fun restrict(kind: Restriction.Kind, seconds: Long, reason: String?) = perform {
            request<Void?> {
                if (kind == Restriction.Kind.MUTED) mute(room, user.id, seconds, reason, it) else ban(room, user.id, seconds, reason, it)
            }
            version++
            notices.say(context.getString(if (kind == Restriction.Kind.MUTED) R.string.mute_done else R.string.ban_done, isolate(user.name)))
        }

        override fun remove() = perform {
            request<Void?> { removeMember(room, user.id, it) }
            version++
            notices.say(context.getString(R.string.people_removed, isolate(user.name)))
        }
    }
    val person = Person(
        user,
        isSelf,
        presence,
        isBlocked,
        canWrite = !isSelf && !isDirect && identity.canOpenDirect,
        canReport = !isSelf && identity.canReport,
        profile = identity.profileTemplate?.replace("{id}", Uri.encode(user.id)),
        room = summary,
        offered = if (summary == null || isDirect || presence == null) emptyList() else offeredActions(user, presence?.role, summary, identity),
    )
    PersonCard(
        person,
        host,
        onClose = app.navigation::back,
        onWrite = { perform { app.navigation.openRoom(request<RoomSummary> { openDirect(user.id, it) }.id) } },
        onProfile = browser::openUri,
        onReport = {
            perform {
                reported = newestMessage(room, user.id)
                if (reported == null) notices.say(context.getString(R.string.person_noMessages, isolate(user.name)))
            }
        },
        moderation,
    ) { blocked ->
        perform {
            request<Void?> { block(user.id, blocked, it) }
            isBlocked = blocked
        }
    }
    reported?.let { message ->
        ReportSheet(onClose = { reported = null }, shortTextOf(Entry.of(message))) { reason ->
            reported = null
            perform {
                request<Void?> { report(message, reason, null, it) }
                notices.say(context.getString(R.string.report_done))
            }
        }
    }
}

/** A page of a search can be empty, because the server reads only a part of a large room. */
private const val MAX_PAGES = 5

/** Returns the newest message of a user in a room, if it is not very old. */
private suspend fun AndroidChat.newestMessage(room: String, user: String): Message? {
    var cursor: String? = null
    for (number in 1..MAX_PAGES) {
        val page = request<Page<Message>> { search(Search().room(room).from(user), cursor, it) }
        if (page.items.isNotEmpty()) return page.items.first()
        cursor = page.next ?: return null
    }
    return null
}

/** Who a user is, when the user was last here, and what can be done. */
@Composable
fun PersonCard(
    person: Person,
    host: SnackbarHostState,
    onClose: () -> Unit,
    onWrite: () -> Unit,
    onProfile: (address: String) -> Unit,
    onReport: () -> Unit,
    moderation: MemberActions,
    onBlock: (Boolean) -> Unit,
) {
    val user = person.user
    var isAsking by remember { mutableStateOf(false) }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(R.string.person_about, isolate(nameOf(user))), R.string.common_close, onClose) },
        snackbarHost = { SnackbarHost(host) },
    ) { inner ->
        Column(
            Modifier.fillMaxSize().padding(inner).verticalScroll(rememberScrollState()).padding(16.dp),
            Arrangement.spacedBy(8.dp),
            Alignment.CenterHorizontally,
        ) {
            Avatar(user.id, nameOf(user), 96.dp)
            Text(nameOf(user), style = MaterialTheme.typography.titleLarge, textAlign = TextAlign.Center)
            val notes = listOfNotNull(roleName(person.presence?.role), lastVisit(person))
            Text(notes.joinToString(" · "), color = MaterialTheme.colorScheme.onSurfaceVariant, textAlign = TextAlign.Center)
            if (person.canWrite && user.id != User.ERASED) {
                Button(onClick = onWrite, Modifier.fillMaxWidth()) { Text(stringResource(R.string.people_writeTo)) }
            }
            person.profile?.let { address ->
                OutlinedButton(onClick = { onProfile(address) }, Modifier.fillMaxWidth()) { Text(stringResource(R.string.people_profile)) }
            }
            if (person.room != null) MemberButtons(user, person.room, person.offered, moderation)
            if (!person.isSelf && user.id != User.ERASED) {
                if (person.canReport) {
                    TextButton(onClick = onReport) { Text(stringResource(R.string.person_report), color = MaterialTheme.colorScheme.error) }
                }
                BlockButton(person) { if (person.isBlocked == true) onBlock(false) else isAsking = true }
            }
        }
    }
    if (isAsking) {
        AskDialog(
            stringResource(R.string.block_title, isolate(nameOf(user))),
            stringResource(R.string.block_text),
            confirm = stringResource(R.string.block_action, isolate(nameOf(user))),
            dismiss = stringResource(R.string.common_cancel),
            onClose = { isAsking = false },
            onConfirm = { onBlock(true) },
        )
    }
}

@Composable
private fun lastVisit(person: Person): String? {
    val presence = person.presence
    return when {
        person.isSelf -> stringResource(R.string.people_you)
        presence == null -> null
        presence.present -> stringResource(R.string.person_here)
        presence.lastHere == 0L -> null
        else -> stringResource(R.string.person_lastHere, dayAndTime(presence.lastHere))
    }
}

@Composable
private fun BlockButton(person: Person, onClick: () -> Unit) {
    val isBlocked = person.isBlocked ?: return
    val name = isolate(nameOf(person.user))
    TextButton(onClick = onClick) {
        if (isBlocked) Text(stringResource(R.string.block_undo, name))
        else Text(stringResource(R.string.block_action, name), color = MaterialTheme.colorScheme.error)
    }
}
