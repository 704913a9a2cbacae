package io.github.phpsessionchat.app

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.PinnedMessage
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.ChatRequestException

/** Shows the pinned messages of a room. A tap shows the message in the conversation. */
@Composable
fun pinnedMessages(me: User, actions: RoomDetailsActions): LazyListScope.() -> Unit {
    var pins by remember { mutableStateOf<List<PinnedMessage>?>(null) }
    var attempt by remember { mutableIntStateOf(1) }
    var hasFailed by remember { mutableStateOf(false) }
    LaunchedEffect(attempt) {
        hasFailed = false
        try {
            pins = actions.pinned()
        } catch (_: ChatRequestException) {
            hasFailed = true
        }
    }
    return {
        val loaded = pins
        when {
            hasFailed -> item { LoadFailed { attempt++ } }
            loaded == null -> item { Loading() }
            loaded.isEmpty() -> item { Empty(R.string.pin_none_title) }
            else -> items(loaded, { it.message.seq }) { Pinned(it, me) { actions.jumpTo(it.message.seq) } }
        }
    }
}

@Composable
private fun Pinned(pin: PinnedMessage, me: User, onClick: () -> Unit) {
    val colors = MaterialTheme.colorScheme
    val message = pin.message
    Column(Modifier.fillMaxWidth().clickable(onClick = onClick).padding(16.dp, 8.dp), Arrangement.spacedBy(2.dp)) {
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
