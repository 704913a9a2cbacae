package io.github.phpsessionchat.app

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.AlertDialog
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.ModalBottomSheet
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.rememberModalBottomSheetState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User

private val quickReactions = listOf("👍", "❤️", "😂", "🎉", "😮", "😢")

/**
 * What the user can do with a message.
 *
 * @param hasReplies whether the thread of the message has replies
 */
@Composable
fun MessageMenu(
    message: Message,
    isOwn: Boolean,
    room: RoomSummary?,
    composing: Composing,
    actions: ConversationActions,
    offersThread: Boolean = true,
    hasReplies: Boolean = false,
    onClose: () -> Unit,
) {
    var dialog by remember { mutableStateOf<MenuDialog?>(null) }
    when (dialog) {
        MenuDialog.DELETE -> DeleteDialog(message, onClose) {
            actions.delete(message)
            onClose()
        }
        MenuDialog.REPORT -> ReportSheet(onClose) { reason ->
            actions.report(message, reason)
            onClose()
        }
        MenuDialog.FORWARD -> ForwardSheet(actions.writableRooms, onClose) { to ->
            actions.forward(message, to)
            onClose()
        }
        MenuDialog.SEEN_BY -> SeenBySheet(message, actions, onClose)
        MenuDialog.REMIND -> RemindSheet(onClose, actions::openScheduled) { actions.remind(message, it) }
        null -> MenuSheet(message, isOwn, room, composing, actions, offersThread, hasReplies, onClose) { dialog = it }
    }
}

/** What opens instead of the menu. */
private enum class MenuDialog { DELETE, REPORT, FORWARD, SEEN_BY, REMIND }

/** The server lists the users who saw a message only in rooms of up to this size. */
private const val MAX_MEMBERS_FOR_SEEN_BY = 50

@OptIn(ExperimentalMaterial3Api::class)
@Composable
private fun MenuSheet(
    message: Message,
    isOwn: Boolean,
    room: RoomSummary?,
    composing: Composing,
    actions: ConversationActions,
    offersThread: Boolean,
    hasReplies: Boolean,
    onClose: () -> Unit,
    onDialog: (MenuDialog) -> Unit,
) {
    val context = LocalContext.current
    val mayModerate = room?.may(RoomSummary.Right.MODERATE) == true
    val mayWrite = room?.may(RoomSummary.Right.SEND) != false
    ModalBottomSheet(onDismissRequest = onClose, sheetState = rememberModalBottomSheetState(skipPartiallyExpanded = true)) {
        // The entries are higher than a phone in landscape.
        Column(Modifier.verticalScroll(rememberScrollState())) {
            if (mayWrite) ReactionRow(message, actions, onClose)
            @Composable
            fun Entry(label: String, action: () -> Unit) {
                MenuEntry(label) {
                    action()
                    onClose()
                }
            }

            @Composable
            fun Entry(label: Int, action: () -> Unit) {
                Entry(stringResource(label), action)
            }

            if (mayWrite) Entry(R.string.action_reply) {
                // A thread is answered in the thread, except in a direct room, which shows all replies.
                if (hasReplies && room?.kind != RoomSummary.Kind.DIRECT) actions.openThread(message.threadNumber, message.seq.takeIf { message.thread != 0L } ?: 0)
                else composing.reply(message)
            }
            if (offersThread) Entry(R.string.replies_open) { actions.openThread(message.threadNumber) }
            MenuEntry(stringResource(R.string.forward_title)) { onDialog(MenuDialog.FORWARD) }
            if (message.text.isNotEmpty()) Entry(R.string.action_copy) { copy(context, message.textWithNames()) }
            Entry(R.string.copyLink_action) { actions.copyLink(message) }
            if (message.files.isNotEmpty()) Entry(R.string.link_share) { actions.share(message.files) }
            if (isOwn && mayWrite && message.forwarded == null && message.poll == null) Entry(R.string.action_edit) { composing.edit(message) }
            if (!isOwn && message.user.id != User.ERASED) {
                Entry(stringResource(R.string.person_about, isolate(nameOf(message.user)))) { actions.openPerson(message.user) }
            }
            if (isOwn && room != null && showsSeenBy(room, actions)) {
                MenuEntry(stringResource(R.string.seen_title)) { onDialog(MenuDialog.SEEN_BY) }
            }
            if (room?.member == true) {
                Entry(R.string.msg_markUnread) { actions.markUnread(message) }
                MenuEntry(stringResource(R.string.remind_action)) { onDialog(MenuDialog.REMIND) }
            }
            val pinned = actions.isPinned(message)
            if (room?.may(RoomSummary.Right.PIN) == true && pinned != null) {
                Entry(if (pinned) R.string.pin_remove else R.string.pin_add) { actions.pin(message, !pinned) }
            }
            // The author marks the message in an edit.
            if (!isOwn && mayModerate && room?.member == true && room.write == RoomSummary.Write.MODERATORS) {
                Entry(if (message.important) R.string.important_unmark else R.string.important_mark) {
                    actions.markImportant(message, !message.important)
                }
            }
            if (message.poll?.hasEnded(System.currentTimeMillis()) == false && (isOwn || mayModerate)) {
                Entry(R.string.poll_endNow) { actions.endPoll(message) }
            }
            if (message.preview != null && (isOwn || mayModerate)) Entry(R.string.preview_remove) { actions.removePreview(message) }
            if (!isOwn && actions.canReport) MenuEntry(stringResource(R.string.report_action)) { onDialog(MenuDialog.REPORT) }
            if (isOwn || mayModerate) MenuEntry(stringResource(R.string.action_delete)) { onDialog(MenuDialog.DELETE) }
        }
    }
}

private fun showsSeenBy(room: RoomSummary, actions: ConversationActions) =
    actions.canAskWhoHasSeen && room.member && room.seen && room.kind != RoomSummary.Kind.DIRECT && room.members <= MAX_MEMBERS_FOR_SEEN_BY

@Composable
fun MenuEntry(label: String, onClick: () -> Unit) {
    Text(label, Modifier.fillMaxWidth().clickable(onClick = onClick).padding(24.dp, 14.dp))
}

@Composable
private fun ReactionRow(message: Message, actions: ConversationActions, onClose: () -> Unit) {
    // Not larger with large text, because all must fit into one line.
    val fontSize = with(LocalDensity.current) { 24.dp.toSp() }
    Row(Modifier.fillMaxWidth().padding(horizontal = 12.dp)) {
        for (emoji in quickReactions) {
            val isMine = message.reactions.any { it.emoji == emoji && it.mine }
            TextButton(
                onClick = {
                    actions.react(message, emoji, !isMine)
                    onClose()
                },
                Modifier.weight(1f),
                contentPadding = PaddingValues(0.dp),
            ) { Text(emoji, fontSize = fontSize, lineHeight = fontSize * 1.3f) }
        }
    }
}

@Composable
private fun DeleteDialog(message: Message, onKeep: () -> Unit, onDelete: () -> Unit) {
    AlertDialog(
        onDismissRequest = onKeep,
        title = { Text(stringResource(R.string.delete_title)) },
        text = { Text(stringResource(R.string.delete_text, isolate(message.textWithNames().take(100)))) },
        confirmButton = { TextButton(onClick = onDelete) { Text(stringResource(R.string.action_delete)) } },
        dismissButton = { TextButton(onClick = onKeep) { Text(stringResource(R.string.delete_keep)) } },
    )
}
