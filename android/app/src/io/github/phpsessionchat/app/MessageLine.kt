package io.github.phpsessionchat.app

import androidx.compose.foundation.background
import androidx.compose.foundation.border
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.LocalTextStyle
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontStyle
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.PendingMessage

@Composable
fun Day(time: Long) {
    val colors = MaterialTheme.colorScheme
    Box(Modifier.fillMaxWidth().padding(vertical = 12.dp), contentAlignment = Alignment.Center) {
        Text(
            dayName(time),
            Modifier.border(1.dp, colors.outlineVariant, CircleShape).padding(horizontal = 14.dp, vertical = 4.dp),
            color = colors.onSurfaceVariant,
            style = MaterialTheme.typography.labelMedium,
        )
    }
}

/**
 * A message.
 *
 * @param isFirst whether it is the first of its author in a row, which shows the name and time
 */
@Composable
fun Line(entry: Entry, isFirst: Boolean, isOwn: Boolean, connection: ConnectionState.Kind, actions: ConversationActions) {
    Column(
        Modifier.fillMaxWidth().padding(top = if (isFirst) 12.dp else 2.dp, bottom = 2.dp),
        horizontalAlignment = if (isOwn) Alignment.End else Alignment.Start,
    ) {
        if (isOwn) {
            if (isFirst) Time(entry)
            Bubble(entry, isOwn = true)
            entry.pending?.let { Unsent(it, connection, actions) }
        } else {
            Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
                if (isFirst) Avatar(entry.user.id, nameOf(entry.user), 30.dp) else Spacer(Modifier.size(30.dp))
                Column {
                    if (isFirst) Author(entry)
                    Bubble(entry, isOwn = false)
                }
            }
        }
    }
}

@Composable
private fun Author(entry: Entry) {
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp), verticalAlignment = Alignment.CenterVertically) {
        Text(
            nameOf(entry.user),
            Modifier.weight(1f, fill = false),
            color = inkOf(entry.user.id),
            fontWeight = FontWeight.Bold,
            style = MaterialTheme.typography.bodyMedium,
        )
        Time(entry)
    }
}

@Composable
private fun Time(entry: Entry) {
    val color = MaterialTheme.colorScheme.onSurfaceVariant
    Text(clockTime(entry.sentAt), Modifier.padding(bottom = 2.dp), color, style = MaterialTheme.typography.labelMedium)
}

@Composable
private fun Bubble(entry: Entry, isOwn: Boolean) {
    val colors = MaterialTheme.colorScheme
    val shape = RoundedCornerShape(if (isOwn) 18.dp else 6.dp, if (isOwn) 6.dp else 18.dp, 18.dp, 18.dp)
    val isDeleted = entry.message?.isDeleted == true
    Column(
        Modifier.widthIn(max = 300.dp)
            .background(if (isOwn) colors.primaryContainer else colors.surfaceBright, shape)
            .border(1.dp, colors.outlineVariant, shape)
            .padding(horizontal = 14.dp, vertical = 8.dp),
    ) {
        Text(
            textOf(entry),
            style = LocalTextStyle.current.copy(textDirection = TextDirection.Content),
            color = if (isDeleted) colors.onSurfaceVariant else colors.onSurface,
            fontStyle = if (isDeleted) FontStyle.Italic else null,
        )
        if (entry.message?.isEdited == true && !isDeleted) {
            Text(stringResource(R.string.msg_edited), color = colors.onSurfaceVariant, style = MaterialTheme.typography.labelSmall)
        }
    }
}

/** The state of an unsent message. */
@Composable
private fun Unsent(message: PendingMessage, connection: ConnectionState.Kind, actions: ConversationActions) {
    val colors = MaterialTheme.colorScheme
    val style = MaterialTheme.typography.labelMedium
    when (message.failed) {
        null -> {
            val isOnline = connection == ConnectionState.Kind.ONLINE
            Text(stringResource(if (isOnline) R.string.msg_sending else R.string.msg_waiting), color = colors.onSurfaceVariant, style = style)
        }
        "held" -> Text(stringResource(R.string.held_waiting), color = colors.onSurfaceVariant, style = style)
        else -> Row(verticalAlignment = Alignment.CenterVertically) {
            val text = if (message.failed == "rejected") R.string.held_rejected else R.string.msg_failed
            Text(stringResource(text), color = colors.error, style = style)
            TextButton(onClick = { actions.retry(message.clientId) }) { Text(stringResource(R.string.msg_retry)) }
            TextButton(onClick = { actions.discard(message.clientId) }) { Text(stringResource(R.string.msg_discard)) }
        }
    }
}
