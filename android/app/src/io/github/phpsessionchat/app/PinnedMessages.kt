package io.github.phpsessionchat.app

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.foundation.lazy.items
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Close
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.PinnedMessage
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User

/** Shows the pinned messages of a room. A tap shows the message in the conversation. */
fun pinnedMessages(pins: List<PinnedMessage>?, room: RoomSummary, me: User, actions: RoomDetailsActions): LazyListScope.() -> Unit = {
    when {
        pins == null -> item { Loading() }
        pins.isEmpty() -> item { Empty(R.string.pin_none_title) }
        else -> items(pins, { it.message.seq }) { pin ->
            Row(verticalAlignment = Alignment.CenterVertically) {
                Pinned(pin, me, Modifier.weight(1f)) { actions.jumpTo(pin.message.seq) }
                if (room.may(RoomSummary.Right.PIN)) {
                    IconButton(onClick = { actions.unpin(pin.message.seq) }) { Icon(Icons.Filled.Close, stringResource(R.string.pin_remove)) }
                }
            }
        }
    }
}

/** Shown in the conversation where the message was pinned. A tap shows it. */
@Composable
fun PinLine(pin: PinnedMessage, me: User, onClick: () -> Unit) {
    Text(
        if (pin.by == me) stringResource(R.string.pin_lineYou) else stringResource(R.string.pin_line, isolate(nameOf(pin.by))),
        Modifier.fillMaxWidth().clickable(onClick = onClick).padding(vertical = 14.dp),
        color = MaterialTheme.colorScheme.onSurfaceVariant,
        textAlign = TextAlign.Center,
        style = MaterialTheme.typography.labelMedium,
    )
}

@Composable
private fun Pinned(pin: PinnedMessage, me: User, modifier: Modifier, onClick: () -> Unit) {
    val colors = MaterialTheme.colorScheme
    val message = pin.message
    Column(modifier.clickable(onClick = onClick).padding(16.dp, 8.dp), Arrangement.spacedBy(2.dp)) {
        Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
            Text(
                if (message.user == me) stringResource(R.string.msg_you) else nameOf(message.user),
                Modifier.weight(1f),
                color = inkOf(message.user.id),
                fontWeight = FontWeight.Bold,
            )
            Text(dayName(message.sentAt), color = colors.onSurfaceVariant, style = MaterialTheme.typography.labelMedium)
        }
        Text(
            textOf(message),
            maxLines = 3,
            overflow = TextOverflow.Ellipsis,
            style = MaterialTheme.typography.bodyMedium.copy(textDirection = TextDirection.Content),
        )
        Text(
            if (pin.by == me) stringResource(R.string.pin_byYou) else stringResource(R.string.pin_by, isolate(nameOf(pin.by))),
            color = colors.onSurfaceVariant,
            style = MaterialTheme.typography.labelMedium,
        )
    }
}
