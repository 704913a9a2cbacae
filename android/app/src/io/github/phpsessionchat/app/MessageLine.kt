package io.github.phpsessionchat.app

import androidx.compose.foundation.ExperimentalFoundationApi
import androidx.compose.foundation.background
import androidx.compose.foundation.border
import androidx.compose.foundation.clickable
import androidx.compose.foundation.combinedClickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.onClick
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.semantics.toggleableState
import androidx.compose.ui.state.ToggleableState
import androidx.compose.ui.text.font.FontStyle
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Reaction
import io.github.phpsessionchat.UnsentMessage
import io.github.phpsessionchat.User
import java.text.NumberFormat

@Composable
fun Day(time: Long) {
    val colors = MaterialTheme.colorScheme
    Box(Modifier.fillMaxWidth().padding(vertical = 12.dp), contentAlignment = Alignment.Center) {
        Text(
            dayName(time),
            Modifier.border(1.dp, colors.outlineVariant, CircleShape).padding(horizontal = 14.dp, vertical = 4.dp).semantics { heading() },
            color = colors.onSurfaceVariant,
            style = MaterialTheme.typography.labelMedium,
        )
    }
}

@Composable
fun NewMessages() {
    val color = MaterialTheme.colorScheme.primary
    Row(Modifier.fillMaxWidth().padding(vertical = 8.dp), verticalAlignment = Alignment.CenterVertically) {
        HorizontalDivider(Modifier.weight(1f), color = color)
        Text(stringResource(R.string.timeline_new), Modifier.padding(horizontal = 10.dp), color, style = MaterialTheme.typography.labelMedium)
        HorizontalDivider(Modifier.weight(1f), color = color)
    }
}

/** The numbers of replies and of unread replies in thread `number`. */
class ThreadCount(val number: Long, val count: Int, val unread: Int)

/**
 * A message.
 *
 * @param isFirst whether it is the first of its author in a row, which shows the name and time
 * @param isLastRead whether it is the last own message that the other user of a direct room has read
 * @param quoted the message that it replies to, if that is loaded
 * @param replies the thread that it starts
 */
@Composable
fun Line(
    entry: Entry,
    isFirst: Boolean,
    isOwn: Boolean,
    isLastRead: Boolean,
    quoted: Entry?,
    replies: ThreadCount?,
    connection: ConnectionState.Kind,
    actions: ConversationActions,
    onMenu: (Message) -> Unit,
) {
    var isRevealed by rememberSaveable(entry.key) { mutableStateOf(false) }
    if (entry.message?.hidden == true && !isRevealed) return HiddenLine { isRevealed = true }
    Column(
        Modifier.fillMaxWidth().padding(top = if (isFirst) 12.dp else 2.dp, bottom = 2.dp),
        horizontalAlignment = if (isOwn) Alignment.End else Alignment.Start,
    ) {
        if (isOwn) {
            if (isFirst) Time(entry)
            Content(entry, isOwn = true, unseenAuthor = stringResource(R.string.msg_you), quoted, connection, actions, onMenu)
            if (replies != null) ThreadLine(replies, actions)
            entry.unsent?.let { Unsent(it, connection, actions) }
            if (isLastRead) {
                Text(
                    stringResource(R.string.msg_read),
                    color = MaterialTheme.colorScheme.onSurfaceVariant,
                    style = MaterialTheme.typography.labelSmall,
                )
            }
        } else {
            Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
                if (isFirst) Avatar(entry.user.id, nameOf(entry.user), 30.dp) else Spacer(Modifier.size(30.dp))
                Column {
                    if (isFirst) Author(entry)
                    Content(entry, isOwn = false, unseenAuthor = if (isFirst) null else nameOf(entry.user), quoted, connection, actions, onMenu)
                    if (replies != null) ThreadLine(replies, actions)
                }
            }
        }
    }
}

/** Stands for a message of a blocked user. */
@Composable
private fun HiddenLine(onShow: () -> Unit) {
    WithControl(control = { TextButton(onClick = onShow) { Text(stringResource(R.string.common_show)) } }) {
        Text(
            pluralStringResource(R.plurals.block_hidden, 1, NumberFormat.getIntegerInstance().format(1)),
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            fontStyle = FontStyle.Italic,
        )
    }
}

/** @param unseenAuthor for users of TalkBack, who do not see whose message it is; null if the name is shown */
@Composable
private fun Content(
    entry: Entry,
    isOwn: Boolean,
    unseenAuthor: String?,
    quoted: Entry?,
    connection: ConnectionState.Kind,
    actions: ConversationActions,
    onMenu: (Message) -> Unit,
) {
    val message = entry.message?.takeUnless { it.isDeleted }
    Bubble(entry, isOwn, unseenAuthor, quoted, connection, actions, onMenu)
    val reactions = message?.reactions.orEmpty().filterNot(Reaction::isVote)
    if (message != null && reactions.isNotEmpty()) Reactions(message, reactions, actions)
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

/** Marks an important message. */
@Composable
fun ImportantMark() = Mark(stringResource(R.string.msg_important))

/** Marks a forwarded copy. @param author of the original message; null if readers of the copy may not see the author */
@Composable
private fun ForwardedMark(author: User?) =
    Mark(if (author == null) stringResource(R.string.forward_fromHidden) else stringResource(R.string.forward_from, isolate(nameOf(author))))

@Composable
private fun Mark(text: String) =
    Text(text, color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.labelMedium)

/** Opens a menu after a long click. For users of TalkBack, a click opens it too, because theirs would have no effect. */
@OptIn(ExperimentalFoundationApi::class)
@Composable
private fun Modifier.menu(onOpen: () -> Unit): Modifier {
    val label = stringResource(R.string.msg_actions)
    return semantics {
        onClick(label) {
            onOpen()
            true
        }
    }.combinedClickable(onLongClickLabel = label, onLongClick = onOpen, onClick = {})
}

@Composable
private fun Bubble(
    entry: Entry,
    isOwn: Boolean,
    unseenAuthor: String?,
    quoted: Entry?,
    connection: ConnectionState.Kind,
    actions: ConversationActions,
    onMenu: (Message) -> Unit,
) {
    val colors = MaterialTheme.colorScheme
    val shape = RoundedCornerShape(if (isOwn) 18.dp else 6.dp, if (isOwn) 6.dp else 18.dp, 18.dp, 18.dp)
    val message = entry.message?.takeUnless { it.isDeleted }
    val text = textOf(entry)
    Column(
        Modifier.widthIn(max = 300.dp)
            .clip(shape)
            .background(if (isOwn) colors.primaryContainer else colors.surfaceBright)
            .border(1.dp, colors.outlineVariant, shape)
            .then(if (unseenAuthor == null) Modifier else Modifier.semantics { contentDescription = unseenAuthor })
            .then(if (message == null) Modifier.semantics(mergeDescendants = true) {} else Modifier.menu { onMenu(message) })
            .padding(horizontal = 14.dp, vertical = 8.dp),
        verticalArrangement = Arrangement.spacedBy(6.dp),
    ) {
        if (quoted != null) Quote(quoted, actions)
        if (message?.important == true || entry.unsent?.important == true) {
            ImportantMark()
        }
        message?.forwarded?.let { ForwardedMark(it.user) }
        if (message != null) MessageFiles(message, actions) { onMenu(message) }
        // If the author added no text, the text is the reference of the card.
        if (text.isNotEmpty() && text != message?.card) {
            Text(
                formatted(entry),
                style = inOwnDirection,
                color = if (entry.message?.isDeleted == true) colors.onSurfaceVariant else colors.onSurface,
                fontStyle = if (entry.message?.isDeleted == true) FontStyle.Italic else null,
            )
        }
        message?.preview?.let { Preview(it, actions) { onMenu(message) } }
        if (message?.card != null) SiteCard(message, connection, actions.cards)
        message?.poll?.let { PollOptions(message, it, actions, onMenu) }
        if (message?.isEdited == true) {
            Text(stringResource(R.string.msg_edited), color = colors.onSurfaceVariant, style = MaterialTheme.typography.labelSmall)
        }
    }
}

/** The message that the bubble replies to. A tap shows it. */
@Composable
private fun Quote(quoted: Entry, actions: ConversationActions) {
    val seq = quoted.message?.seq
    Column(
        Modifier.clip(RoundedCornerShape(8.dp))
            .background(MaterialTheme.colorScheme.onSurface.copy(alpha = 0.06f))
            .clickable(enabled = seq != null) { seq?.let(actions::jumpTo) }
            .padding(horizontal = 10.dp, vertical = 6.dp),
    ) {
        Text(nameOf(quoted.user), color = inkOf(quoted.user.id), fontWeight = FontWeight.Bold, style = MaterialTheme.typography.labelMedium)
        Text(
            if (quoted.message?.hidden == true) "…" else shortTextOf(quoted),
            maxLines = 2,
            overflow = TextOverflow.Ellipsis,
            style = MaterialTheme.typography.bodySmall.copy(textDirection = TextDirection.Content),
        )
    }
}

/** The number of replies. A tap opens the thread. */
@Composable
private fun ThreadLine(replies: ThreadCount, actions: ConversationActions) {
    TextButton(onClick = { actions.openThread(replies.number) }) {
        val number = NumberFormat.getIntegerInstance()
        val count = pluralStringResource(R.plurals.replies_count, replies.count, number.format(replies.count))
        val unread = if (replies.unread == 0) null else stringResource(R.string.replies_new, number.format(replies.unread))
        Text(listOfNotNull(count, unread).joinToString(" · "))
    }
}

@OptIn(ExperimentalLayoutApi::class, ExperimentalFoundationApi::class)
@Composable
private fun Reactions(message: Message, reactions: List<Reaction>, actions: ConversationActions) {
    val colors = MaterialTheme.colorScheme
    val listLabel = stringResource(R.string.react_label)
    var listed by remember { mutableStateOf<String?>(null) }
    listed?.let { ReactionSheet(message, it, actions) { listed = null } }
    FlowRow(
        Modifier.widthIn(max = 300.dp).padding(top = 4.dp),
        horizontalArrangement = Arrangement.spacedBy(4.dp),
        verticalArrangement = Arrangement.spacedBy(4.dp),
    ) {
        for (reaction in reactions) {
            Text(
                "${reaction.emoji} ${NumberFormat.getIntegerInstance().format(reaction.count)}",
                Modifier.clip(CircleShape)
                    .background(if (reaction.mine) colors.primaryContainer else colors.surfaceBright)
                    .border(1.dp, if (reaction.mine) colors.primary else colors.outlineVariant, CircleShape)
                    .combinedClickable(onLongClickLabel = listLabel, onLongClick = { listed = reaction.emoji }) {
                        actions.react(message, reaction.emoji, !reaction.mine)
                    }
                    .semantics { toggleableState = ToggleableState(reaction.mine) }
                    .padding(horizontal = 10.dp, vertical = 4.dp),
                style = MaterialTheme.typography.labelLarge,
            )
        }
    }
}

/** The state of an unsent message. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Unsent(message: UnsentMessage, connection: ConnectionState.Kind, actions: ConversationActions) {
    val colors = MaterialTheme.colorScheme
    val style = MaterialTheme.typography.labelMedium
    when (message.failed) {
        null -> {
            val isOnline = connection == ConnectionState.Kind.ONLINE
            Text(stringResource(if (isOnline) R.string.msg_sending else R.string.msg_waiting), color = colors.onSurfaceVariant, style = style)
        }
        "held" -> Text(stringResource(R.string.held_waiting), color = colors.onSurfaceVariant, style = style)
        else -> FlowRow(horizontalArrangement = Arrangement.End) {
            val text = if (message.failed == "rejected") R.string.held_rejected else R.string.msg_failed
            Text(stringResource(text), Modifier.align(Alignment.CenterVertically), colors.error, style = style)
            TextButton(onClick = { actions.retry(message.clientId) }) { Text(stringResource(R.string.msg_retry)) }
            TextButton(onClick = { actions.discard(message.clientId) }) { Text(stringResource(R.string.msg_discard)) }
        }
    }
}
