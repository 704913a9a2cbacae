package io.github.phpsessionchat.app

import androidx.compose.foundation.ExperimentalFoundationApi
import androidx.compose.foundation.background
import androidx.compose.foundation.combinedClickable
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.automirrored.filled.Send
import androidx.compose.material.icons.filled.Check
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.minimumInteractiveComponentSize
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.MessageText
import io.github.phpsessionchat.Upload

/**
 * Sends the message, or saves the edit. A long press offers to send a text later.
 *
 * @param onSent called after both
 */
@OptIn(ExperimentalFoundationApi::class)
@Composable
fun SendButton(composing: Composing, uploads: List<Upload>, actions: ConversationActions, threadOnly: Boolean, onSent: () -> Unit) {
    val colors = MaterialTheme.colorScheme
    val editing = composing.editing
    // A message waits for its files, so it would never be sent with a failed one.
    val files = uploads.filter { it.failed == null }
    val hasText = !MessageText.isBlank(composing.field.text)
    val canSend = hasText || (editing == null && files.isNotEmpty())
    val canSchedule = hasText && editing == null && uploads.isEmpty()
    var showsTimes by remember { mutableStateOf(false) }
    Box(
        Modifier.padding(bottom = 4.dp)
            .minimumInteractiveComponentSize()
            .size(40.dp)
            .clip(RoundedCornerShape(14.dp))
            .background(if (canSend) colors.primary else colors.onSurface.copy(alpha = 0.12f))
            .combinedClickable(
                enabled = canSend,
                role = Role.Button,
                onLongClickLabel = if (canSchedule) stringResource(R.string.later_title) else null,
                onLongClick = if (canSchedule) ({ showsTimes = true }) else null,
            ) {
                if (editing != null) actions.edit(editing, composing.toEdit()) else actions.send(composing.toMessage(files, threadOnly), files)
                composing.clear()
                onSent()
            },
        contentAlignment = Alignment.Center,
    ) {
        val tint = if (canSend) colors.onPrimary else colors.onSurface.copy(alpha = 0.38f)
        if (editing != null) Icon(Icons.Filled.Check, stringResource(R.string.composer_save), tint = tint)
        else Icon(Icons.AutoMirrored.Filled.Send, stringResource(R.string.composer_send), tint = tint)
        if (showsTimes) {
            SendLaterMenu(onClose = { showsTimes = false }, actions::openScheduled) { at ->
                val text = composing.field.text
                actions.schedule(composing.toMessage(emptyList(), threadOnly), at) {
                    if (composing.field.text == text) {
                        actions.draft("")
                        composing.clear()
                    }
                }
            }
        }
    }
}
