package io.github.phpsessionchat.app

import androidx.compose.foundation.ExperimentalFoundationApi
import androidx.compose.foundation.border
import androidx.compose.foundation.combinedClickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.DateRange
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.draw.drawBehind
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.disabled
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.semantics.toggleableState
import androidx.compose.ui.state.ToggleableState
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.LayoutDirection
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Poll
import io.github.phpsessionchat.Reaction
import java.text.NumberFormat

/** The options of an event. */
private val answers = listOf(R.string.poll_coming, R.string.poll_notComing, R.string.poll_maybe)

/** The options of a poll or an event, and their votes. A tap votes, a long press lists the voters if they have names. */
@Composable
fun PollOptions(message: Message, poll: Poll, actions: ConversationActions, onMenu: (Message) -> Unit) {
    val options = 1..poll.optionCount()
    val votes = options.map { message.votes(it) }
    val total = votes.sumOf { it?.count ?: 0 }
    val isOver = poll.hasEnded(System.currentTimeMillis())
    var listed by remember { mutableStateOf<Pair<Reaction, String>?>(null) }
    listed?.let { (vote, label) -> ReactionSheet(message, vote.emoji, actions, title = label) { listed = null } }
    Column(Modifier.fillMaxWidth(), Arrangement.spacedBy(4.dp)) {
        poll.event?.let { EventTime(it) { actions.addToCalendar(message) } }
        for ((option, vote) in options.zip(votes)) {
            val label = poll.options.getOrNull(option - 1) ?: stringResource(answers[(option - 1) % answers.size])
            val onLongClick = if (vote == null || poll.anonymous) ({ onMenu(message) }) else ({ listed = vote to label })
            Option(label, vote, total, poll.multiple, isOver, onLongClick) {
                val others = options.filter { poll.multiple && it != option && message.votes(it)?.mine == true }
                actions.vote(message, if (vote?.mine == true) others else (others + option).sorted())
            }
        }
        Text(about(poll, total, isOver), color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.labelSmall)
    }
}

@Composable
private fun about(poll: Poll, total: Int, isOver: Boolean): String = listOfNotNull(
    pluralStringResource(R.plurals.poll_votes, total, NumberFormat.getIntegerInstance().format(total)),
    if (poll.multiple) stringResource(R.string.poll_multiple) else null,
    if (poll.anonymous) stringResource(R.string.poll_anonymous) else null,
    when {
        isOver -> stringResource(R.string.poll_ended)
        poll.until != 0L -> "${stringResource(R.string.poll_ends)}: ${dayAndTime(poll.until)}"
        else -> null
    },
).joinToString(" · ")

/** @param total the votes for all options */
@OptIn(ExperimentalFoundationApi::class)
@Composable
private fun Option(
    label: String,
    vote: Reaction?,
    total: Int,
    isMultiple: Boolean,
    isOver: Boolean,
    onLongClick: () -> Unit,
    onVote: () -> Unit,
) {
    val colors = MaterialTheme.colorScheme
    val shape = RoundedCornerShape(10.dp)
    val isMine = vote?.mine == true
    val count = vote?.count ?: 0
    val share = if (total == 0) 0f else count.toFloat() / total
    val fill = colors.primary.copy(alpha = 0.16f)
    Row(
        Modifier.fillMaxWidth()
            .clip(shape)
            .drawBehind {
                val width = size.width * share
                drawRect(fill, Offset(if (layoutDirection == LayoutDirection.Rtl) size.width - width else 0f, 0f), Size(width, size.height))
            }
            .border(1.dp, if (isMine) colors.primary else colors.outline.copy(alpha = 0.4f), shape)
            .combinedClickable(onLongClick = onLongClick) { if (!isOver) onVote() }
            .semantics {
                toggleableState = ToggleableState(isMine)
                if (isOver) disabled()
            }
            .heightIn(min = 48.dp)
            .padding(horizontal = 10.dp, vertical = 6.dp),
        horizontalArrangement = Arrangement.spacedBy(10.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        Mark(isMine, isMultiple)
        // The box keeps a label of the other direction next to its mark.
        Box(Modifier.weight(1f)) {
            Text(label, style = MaterialTheme.typography.bodyMedium.copy(textDirection = TextDirection.Content))
        }
        Text(
            NumberFormat.getIntegerInstance().format(count),
            color = colors.onSurfaceVariant,
            style = MaterialTheme.typography.labelMedium,
        )
    }
}

/** A ring, or a square if users can choose several options. */
@Composable
private fun Mark(isMine: Boolean, isMultiple: Boolean) {
    val colors = MaterialTheme.colorScheme
    val shape = if (isMultiple) RoundedCornerShape(4.dp) else CircleShape
    Row(Modifier.size(16.dp).border(if (isMine) 5.dp else 1.5.dp, if (isMine) colors.primary else colors.outline, shape)) {}
}

@Composable
private fun EventTime(event: Poll.Event, onAdd: () -> Unit) {
    val style = MaterialTheme.typography.bodyMedium
    Row(horizontalArrangement = Arrangement.spacedBy(10.dp)) {
        Icon(Icons.Filled.DateRange, null, Modifier.size(20.dp), tint = MaterialTheme.colorScheme.primary)
        Column {
            Text(timeRange(event.start, event.end), style = style)
            event.place?.let { Text(it, style = style.copy(textDirection = TextDirection.Content)) }
            TextButton(onAdd, contentPadding = PaddingValues(0.dp)) { Text(stringResource(R.string.event_calendar)) }
        }
    }
}
