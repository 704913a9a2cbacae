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
import androidx.compose.runtime.produceState
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

/** What the user can do with a message. */
@Composable
fun MessageMenu(
    message: Message,
    isOwn: Boolean,
    room: RoomSummary?,
    composing: Composing,
    actions: ConversationActions,
    offersThread: Boolean = true,
    onClose: () -> Unit,
) {
    var isDeleting by remember { mutableStateOf(false) }
    if (isDeleting) {
        return DeleteDialog(message, onClose) {
            actions.delete(message)
            onClose()
        }
    }
    val context = LocalContext.current
    val mayWrite = room?.may(RoomSummary.Right.SEND) != false
    Sheet(onClose) {
        if (mayWrite) ReactionRow(message, actions, onClose)
        val entries = buildList {
            if (mayWrite) add(R.string.action_reply to { composing.reply(message) })
            if (offersThread) add(R.string.replies_open to { actions.openThread(message.threadNumber) })
            if (message.text.isNotEmpty()) add(R.string.action_copy to { copy(context, message.textWithNames()) })
            add(R.string.copyLink_action to { actions.copyLink(message) })
            if (isOwn && mayWrite) add(R.string.action_edit to { composing.edit(message) })
        }
        for ((label, action) in entries) {
            MenuEntry(label) {
                action()
                onClose()
            }
        }
        if (!isOwn && message.user.id != User.ERASED) {
            MenuEntry(stringResource(R.string.person_about, isolate(nameOf(message.user)))) {
                actions.openPerson(message.user)
                onClose()
            }
        }
        if (room?.may(RoomSummary.Right.PIN) == true) PinEntry(message, actions, onClose)
        if (isOwn || room?.may(RoomSummary.Right.MODERATE) == true) MenuEntry(R.string.action_delete) { isDeleting = true }
    }
}

/** Scrolls, because the entries are higher than a phone in landscape. */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
private fun Sheet(onClose: () -> Unit, content: @Composable () -> Unit) {
    ModalBottomSheet(onDismissRequest = onClose, sheetState = rememberModalBottomSheetState(skipPartiallyExpanded = true)) {
        Column(Modifier.verticalScroll(rememberScrollState())) { content() }
    }
}

@Composable
private fun MenuEntry(label: Int, onClick: () -> Unit) = MenuEntry(stringResource(label), onClick)

@Composable
private fun MenuEntry(label: String, onClick: () -> Unit) {
    Text(label, Modifier.fillMaxWidth().clickable(onClick = onClick).padding(24.dp, 14.dp))
}

/** Shown once it is known whether the message is pinned. */
@Composable
private fun PinEntry(message: Message, actions: ConversationActions, onClose: () -> Unit) {
    val isPinned by produceState<Boolean?>(null, message.seq) { value = actions.isPinned(message) }
    val pinned = isPinned ?: return
    MenuEntry(if (pinned) R.string.pin_remove else R.string.pin_add) {
        actions.pin(message, !pinned)
        onClose()
    }
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
