package io.github.phpsessionchat.app

import android.content.ClipData
import android.content.ClipboardManager
import android.content.Context
import android.content.Intent
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Share
import androidx.compose.material3.Button
import androidx.compose.material3.FilterChip
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
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
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.Invite
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User
import java.text.NumberFormat
import java.util.concurrent.TimeUnit

/** The offered durations in days, and numbers of users; 0: unlimited. */
private val days = listOf(1, 7, 30, 0)
private val uses = listOf(1, 10, 50, 100, 0)

/** What the user can do with the invite links of a room. */
interface InviteLinkActions {
    fun close()

    /** @param uses how many users can join; 0: unlimited */
    fun create(days: Int, uses: Int)
    fun copy(address: String)
    fun share(address: String)
    fun revoke(invite: Invite)
}

@Composable
fun InviteLinksScreen(app: AppParts, id: String) {
    val rooms by app.chat.rooms.collectAsStateWithLifecycle()
    val me by app.chat.me.collectAsStateWithLifecycle()
    val room = rooms.find { it.id == id } ?: return
    val host = remember { SnackbarHostState() }
    val perform = rememberRequests(app, host)
    val context = LocalContext.current
    var links by remember { mutableStateOf<List<Invite>>(emptyList()) }
    // The server returns the address only once.
    var address by rememberSaveable { mutableStateOf<String?>(null) }
    LaunchedEffect(Unit) { perform { links = request { invites(id, it) } } }
    val actions = object : InviteLinkActions {
        override fun close() = app.navigation.back()

        override fun create(days: Int, uses: Int) = perform {
            val invite = request<Invite> { createInvite(id, TimeUnit.DAYS.toSeconds(days.toLong()), uses, it) }
            address = invite.token?.let { inviteAddress(it, context) }
            links = listOf(invite) + links
        }

        override fun copy(address: String) {
            context.getSystemService(ClipboardManager::class.java).setPrimaryClip(ClipData.newPlainText(null, address))
        }

        override fun share(address: String) {
            val send = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, address)
            context.startActivity(Intent.createChooser(send, null))
        }

        override fun revoke(invite: Invite) = perform {
            request<Void?> { revokeInvite(id, invite.id, it) }
            links = links.filter { it.id != invite.id }
        }
    }
    InviteLinks(room, me?.user ?: return, links, address, actions, host)
}

private fun inviteAddress(token: String, context: Context) = "${pageOf(context)}#join=$token"

/** @param address the address of the new link */
@Composable
fun InviteLinks(
    room: RoomSummary,
    me: User,
    links: List<Invite>,
    address: String?,
    actions: InviteLinkActions,
    host: SnackbarHostState,
) {
    var revoked by remember { mutableStateOf<Invite?>(null) }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(R.string.link_title), R.string.common_close, actions::close) },
        snackbarHost = { SnackbarHost(host) },
    ) { inner ->
        LazyColumn(Modifier.fillMaxSize().padding(inner).testTag("links")) {
            item {
                Text(
                    stringResource(R.string.link_text, isolate(titleOf(room))),
                    Modifier.padding(16.dp, 8.dp),
                    MaterialTheme.colorScheme.onSurfaceVariant,
                )
            }
            if (address != null) item { NewLink(address, actions) }
            item { LinkForm(if (address == null) R.string.link_submit else R.string.link_again, actions) }
            items(links, { it.id }) { LinkRow(it, me) { revoked = it } }
        }
    }
    revoked?.let { invite ->
        AskDialog(
            stringResource(R.string.link_revokeTitle),
            pluralStringResource(R.plurals.link_revokeText, invite.used, numberText(invite.used)),
            confirm = stringResource(R.string.link_revoke),
            dismiss = stringResource(R.string.delete_keep),
            onClose = { revoked = null },
            onConfirm = { actions.revoke(invite) },
        )
    }
}

private fun numberText(number: Int): String = NumberFormat.getIntegerInstance().format(number)

@Composable
private fun NewLink(address: String, actions: InviteLinkActions) {
    Column(Modifier.padding(16.dp, 8.dp)) {
        SelectionContainer {
            Text(address, style = MaterialTheme.typography.bodyLarge.copy(textDirection = TextDirection.Ltr))
        }
        Row(verticalAlignment = Alignment.CenterVertically) {
            Button(onClick = { actions.copy(address) }) { Text(stringResource(R.string.link_copy)) }
            IconButton(onClick = { actions.share(address) }) { Icon(Icons.Filled.Share, stringResource(R.string.link_share)) }
        }
    }
}

@Composable
private fun LinkForm(submitLabel: Int, actions: InviteLinkActions) {
    var chosenDays by rememberSaveable { mutableIntStateOf(7) }
    var chosenUses by rememberSaveable { mutableIntStateOf(50) }
    Column(Modifier.padding(16.dp, 8.dp), Arrangement.spacedBy(4.dp)) {
        Text(stringResource(R.string.link_lasts), style = MaterialTheme.typography.labelLarge)
        Chips(days, chosenDays, { chosenDays = it }) {
            if (it == 0) stringResource(R.string.link_always) else pluralStringResource(R.plurals.link_days, it, numberText(it))
        }
        Text(stringResource(R.string.link_uses), style = MaterialTheme.typography.labelLarge)
        Chips(uses, chosenUses, { chosenUses = it }) {
            if (it == 0) stringResource(R.string.link_unlimited) else pluralStringResource(R.plurals.link_people, it, numberText(it))
        }
        Button(onClick = { actions.create(chosenDays, chosenUses) }) { Text(stringResource(submitLabel)) }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Chips(values: List<Int>, chosen: Int, onChoose: (Int) -> Unit, label: @Composable (Int) -> String) {
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        for (value in values) FilterChip(value == chosen, onClick = { onChoose(value) }, label = { Text(label(value)) })
    }
}

@Composable
private fun LinkRow(invite: Invite, me: User, onRevoke: () -> Unit) {
    val isExpired = invite.until != 0L && invite.until <= System.currentTimeMillis()
    Row(Modifier.padding(16.dp, 4.dp), verticalAlignment = Alignment.CenterVertically) {
        Column(Modifier.weight(1f)) {
            Text(
                if (invite.by == me) stringResource(R.string.link_byYou)
                else stringResource(R.string.link_by, isolate(nameOf(invite.by))),
            )
            val used = numberText(invite.used)
            val notes = listOfNotNull(
                if (invite.uses == 0) stringResource(R.string.link_usedAny, used)
                else stringResource(R.string.link_used, used, numberText(invite.uses)),
                when {
                    invite.until == 0L -> null
                    isExpired -> stringResource(R.string.link_ended, dateText(invite.until))
                    else -> stringResource(R.string.link_ends, dateText(invite.until))
                },
            )
            Text(
                notes.joinToString(" · "),
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                style = MaterialTheme.typography.bodySmall,
            )
        }
        TextButton(onClick = onRevoke) { Text(stringResource(R.string.link_revoke), color = MaterialTheme.colorScheme.error) }
    }
}
