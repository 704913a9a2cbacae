package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.AlertDialog
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.ProvideTextStyle
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.ChatLink
import io.github.phpsessionchat.InvitedRoom
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.android.AndroidChat
import io.github.phpsessionchat.android.ChatRequestException
import java.text.NumberFormat
import kotlinx.coroutines.launch

/** Opens what a link leads to, or asks before the user joins a room. */
@Composable
fun LinkDialog(app: AppParts, link: ChatLink, onClose: () -> Unit) {
    var attempt by remember(link) { mutableIntStateOf(0) }
    var destination by remember(link) { mutableStateOf<Destination?>(null) }
    var isJoining by remember(link) { mutableStateOf(false) }
    val scope = rememberCoroutineScope()
    fun show(room: String) {
        onClose()
        if (link.seq > 0) app.navigation.openMessage(room, link.seq) else app.navigation.openRoom(room)
    }
    LaunchedEffect(link, attempt) {
        destination = null
        destination = findDestination(app.chat, link).also { if (it is Destination.OwnRoom) show(it.room) }
    }
    fun join() {
        val token = link.token ?: return show(link.room!!)
        isJoining = true
        scope.launch {
            try {
                show(app.chat.request<RoomSummary> { acceptInvite(token, it) }.id)
            } catch (e: ChatRequestException) {
                destination = failureOf(e)
            }
            isJoining = false
        }
    }
    val me by app.chat.me.collectAsStateWithLifecycle()
    val site = me?.let { siteOf(it, app.chat.server) }
    DestinationDialog(destination, isJoining, onJoin = ::join, onRetry = { attempt++ }, onClose, site)
}

/** What a link leads to. */
sealed interface Destination {
    data class OwnRoom(val room: String) : Destination

    /** @param room null if the room is not in the list */
    data class PublicRoom(val room: RoomSummary?) : Destination

    data class Invitation(val room: InvitedRoom) : Destination

    data object ExpiredInvitation : Destination

    /** A room or message that does not exist or that the user may not read. */
    data object Hidden : Destination

    data class Failed(val code: String) : Destination
}

private suspend fun findDestination(chat: AndroidChat, link: ChatLink): Destination {
    while (true) {
        chat.awaitOnline()
        try {
            return link.token?.let { lookAtInvitation(chat, it) } ?: lookAtRoom(chat, link)
        } catch (e: ChatRequestException) {
            if (e.code != "offline") return failureOf(e)
        }
    }
}

private fun failureOf(error: ChatRequestException) = when (error.code) {
    "unknown_invite" -> Destination.ExpiredInvitation
    "unknown_room" -> Destination.Hidden
    else -> Destination.Failed(error.code)
}

private suspend fun lookAtInvitation(chat: AndroidChat, token: String): Destination {
    val invited = chat.request<InvitedRoom> { lookAtInvite(token, it) }
    return invited.room?.let(Destination::OwnRoom) ?: Destination.Invitation(invited)
}

/** Reads the room without joining it. */
private suspend fun lookAtRoom(chat: AndroidChat, link: ChatLink): Destination {
    val room = link.room!!
    val summary = chat.rooms.value.find { it.id == room }
    if (summary?.member != true || link.seq > 0) {
        val end = if (link.seq > 0) "${link.seq + 1}" else null
        val message = chat.request { lookAtRoom(room, end, it) }.items.lastOrNull()
        if (link.seq > 0 && (message?.seq != link.seq || message.isDeleted)) return Destination.Hidden
    }
    return if (summary?.member == true) Destination.OwnRoom(room) else Destination.PublicRoom(summary)
}

/**
 * @param destination null while it is loaded
 * @param site shown with an invitation
 */
@Composable
fun DestinationDialog(
    destination: Destination?,
    isJoining: Boolean,
    onJoin: () -> Unit,
    onRetry: () -> Unit,
    onClose: () -> Unit,
    site: Site? = null,
) {
    val mayJoin = destination is Destination.PublicRoom || destination is Destination.Invitation
    val canLeave = destination == Destination.Hidden || destination == Destination.ExpiredInvitation
    AlertDialog(
        onDismissRequest = onClose,
        title = { Title(destination, site) },
        text = {
            Column(Modifier.verticalScroll(rememberScrollState()), verticalArrangement = Arrangement.spacedBy(8.dp)) { Details(destination) }
        },
        confirmButton = {
            if (mayJoin) {
                TextButton(onClick = onJoin, enabled = !isJoining) { Text(stringResource(if (isJoining) R.string.join_busy else R.string.rooms_join)) }
            } else if (destination is Destination.Failed) {
                TextButton(onClick = onRetry) { Text(stringResource(R.string.common_again)) }
            }
        },
        dismissButton = { TextButton(onClick = onClose) { Text(stringResource(if (canLeave) R.string.join_toChat else R.string.join_later)) } },
    )
}

@Composable
private fun Title(destination: Destination?, site: Site?) {
    when (destination) {
        is Destination.Invitation -> Column {
            val name = site?.name
            if (name != null) ProvideTextStyle(MaterialTheme.typography.titleMedium) { SiteTitle(site, name, Modifier.padding(bottom = 12.dp)) }
            Text(stringResource(R.string.join_by, isolate(nameOf(destination.room.by))), style = MaterialTheme.typography.bodyMedium)
            Text(destination.room.name)
        }
        is Destination.PublicRoom -> destination.room?.let { Text(it.name) }
        is Destination.Failed -> Text(stringResource(R.string.details_error))
        Destination.ExpiredInvitation -> Text(stringResource(R.string.join_over_title))
        Destination.Hidden -> Text(stringResource(R.string.copyLink_hidden_title))
        is Destination.OwnRoom, null -> Unit
    }
}

@Composable
private fun Details(destination: Destination?) {
    when (destination) {
        is Destination.Invitation -> {
            destination.room.topic?.let { Text(it, color = MaterialTheme.colorScheme.onSurfaceVariant) }
            val (members, present) = listOf(destination.room.members, destination.room.present).map { NumberFormat.getIntegerInstance().format(it) }
            Text(
                pluralStringResource(R.plurals.join_members, destination.room.members, members, present),
                color = MaterialTheme.colorScheme.onSurfaceVariant,
            )
            Row(horizontalArrangement = Arrangement.spacedBy(4.dp)) {
                for (user in destination.room.people.take(6)) Avatar(user.id, nameOf(user), 32.dp)
            }
        }
        is Destination.PublicRoom -> {
            destination.room?.topic?.let { Text(it, color = MaterialTheme.colorScheme.onSurfaceVariant) }
            Text(stringResource(R.string.rooms_joinText))
        }
        is Destination.Failed -> Text(stringResource(errorText(destination.code)))
        Destination.ExpiredInvitation -> Text(stringResource(R.string.join_over_text))
        Destination.Hidden -> Text(stringResource(R.string.copyLink_hidden_text))
        is Destination.OwnRoom, null -> CircularProgressIndicator()
    }
}
