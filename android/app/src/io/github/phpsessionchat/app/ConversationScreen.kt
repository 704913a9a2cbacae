package io.github.phpsessionchat.app

import androidx.compose.foundation.background
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.LazyListState
import androidx.compose.foundation.lazy.itemsIndexed
import androidx.compose.foundation.lazy.rememberLazyListState
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.automirrored.filled.ArrowBack
import androidx.compose.material.icons.filled.KeyboardArrowDown
import androidx.compose.material.icons.outlined.Info
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SmallFloatingActionButton
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.derivedStateOf
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.compose.LocalLifecycleOwner
import androidx.lifecycle.compose.currentStateAsState
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.ScheduledMessage
import io.github.phpsessionchat.Upload
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.Conversation
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch

private const val HIGHLIGHT_MS = 2_000L

/**
 * @param isAlone whether the screen shows no list of rooms, and so needs a way back
 * @param room null until the list of rooms is loaded
 * @param uploads the uploads of the room
 * @param isStored whether the messages are a stored copy. What the user writes waits for a connection, so no files can be added
 * @param scheduled the user's scheduled messages in the room
 * @param waiting the number of messages that wait for a decision of the user
 * @param reminders the user's reminders in all rooms
 * @param question null in other rooms than questions, and for users who are not in the team
 */
@Composable
fun ConversationScreen(
    conversation: Conversation,
    room: RoomSummary?,
    me: User,
    connection: ConnectionState.Kind,
    composing: Composing,
    uploads: List<Upload>,
    actions: ConversationActions,
    notices: SnackbarHostState,
    isAlone: Boolean = true,
    isStored: Boolean = false,
    scheduled: List<ScheduledMessage> = emptyList(),
    waiting: Int = 0,
    reminders: List<Reminder> = emptyList(),
    question: TeamQuestion? = null,
) {
    val name = room?.let { titleOf(it) }.orEmpty()
    var shownMenu by remember(conversation.room) { mutableStateOf<Message?>(null) }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = {
            TopBar(
                navigationIcon = if (isAlone) {
                    { IconButton(onClick = actions::close) { Icon(Icons.AutoMirrored.Filled.ArrowBack, stringResource(R.string.rooms_back)) } }
                } else {
                    null
                },
                title = { Title(name, conversation.typing, room?.present == true, actions::openDetails) },
                actions = {
                    IconButton(onClick = actions::openDetails) { Icon(Icons.Outlined.Info, stringResource(R.string.details_title)) }
                },
            )
        },
        bottomBar = {
            Composer(
                stringResource(R.string.composer_placeholder, isolate(name)),
                room?.may(RoomSummary.Right.SEND) != false,
                composing,
                unsentUploads(uploads, conversation.entries),
                actions,
                scheduled,
                canAttach = !isStored,
            )
        },
        snackbarHost = { SnackbarHost(notices) },
    ) { inner ->
        Column(Modifier.fillMaxSize().padding(inner)) {
            ConnectionBar(connection, actions::reconnect)
            if (question != null) QuestionBar(question, me, actions)
            ReminderLine(reminders, actions::show, actions::openScheduled, Modifier.padding(horizontal = 12.dp))
            ModerationLine(waiting, room?.reports ?: 0, actions::openModeration, Modifier.padding(horizontal = 12.dp))
            when {
                conversation.entries.isNotEmpty() -> Messages(conversation, room, me, connection, actions) { shownMenu = it }
                conversation.view == null && !isStored -> Centered { CircularProgressIndicator() }
                else -> Centered {
                    val text = if (isStored) R.string.details_error else R.string.empty_room_title
                    Text(stringResource(text), color = MaterialTheme.colorScheme.onSurfaceVariant)
                }
            }
        }
    }
    shownMenu?.let { message ->
        val hasReplies = (conversation.replies[message.threadNumber]?.count ?: 0) > 0
        MessageMenu(message, isOwn = message.user == me, room, composing, actions, hasReplies = hasReplies) { shownMenu = null }
    }
}

/** Returns the uploads that no message contains yet. */
fun unsentUploads(uploads: List<Upload>, entries: List<Entry>): List<Upload> {
    val sent = entries.flatMap { it.unsent?.files.orEmpty() }.map { it.key }.toSet()
    return uploads.filter { it.key !in sent }
}

/** @param isHere whether the other user of a direct room is connected */
@Composable
fun Title(name: String, typing: List<User>, isHere: Boolean, onClick: () -> Unit) {
    Column(
        Modifier.fillMaxWidth()
            .clickable(onClickLabel = stringResource(R.string.details_title), onClick = onClick)
            .heightIn(min = 48.dp),
        verticalArrangement = Arrangement.Center,
    ) {
        Text(name, fontWeight = FontWeight.Bold, maxLines = 1, overflow = TextOverflow.Ellipsis)
        val note = when (typing.size) {
            0 -> if (isHere) stringResource(R.string.person_here) else return@Column
            1 -> stringResource(R.string.typing_one, isolate(nameOf(typing[0])))
            2 -> stringResource(R.string.typing_two, isolate(nameOf(typing[0])), isolate(nameOf(typing[1])))
            else -> stringResource(R.string.typing_many)
        }
        Text(
            note,
            Modifier.semantics { if (typing.isNotEmpty()) liveRegion = LiveRegionMode.Polite },
            MaterialTheme.colorScheme.onSurfaceVariant,
            maxLines = 1,
            overflow = TextOverflow.Ellipsis,
            style = MaterialTheme.typography.labelMedium,
        )
    }
}

@Composable
private fun Centered(content: @Composable () -> Unit) {
    Box(Modifier.fillMaxSize(), contentAlignment = Alignment.Center) { content() }
}

@Composable
private fun Messages(
    conversation: Conversation,
    room: RoomSummary?,
    me: User,
    connection: ConnectionState.Kind,
    actions: ConversationActions,
    onMenu: (Message) -> Unit,
) {
    val entries = remember(conversation.entries, conversation.replies) { conversation.entries.filter { isInRoom(it, conversation) } }
    val list = rememberLazyListState()
    LoadAndFollow(list, conversation, me, connection, actions)
    // A thread is shown at its first message that still exists.
    val threads = remember(conversation.replies, conversation.seenThreads) {
        conversation.replies.values.filter { it.count > 0 }.associate {
            it.root to ThreadCount(it.thread, it.count, if (it.thread in conversation.seenThreads) 0 else it.unread)
        }
    }
    val pinsAfter = remember(conversation.pins) { conversation.pins.orEmpty().asReversed().groupBy { it.after } }
    val highlighted = scrollToTarget(list, entries, conversation, actions)
    val lastRead = entries.findLast { it.user == me && (it.message?.seq ?: Long.MAX_VALUE) <= conversation.readByOther }?.key
    // Stays where it was when the room was opened, while the messages below it are being read.
    val firstUnread = remember(conversation.room) {
        room?.takeIf { it.member && it.unread > 0 }?.let { summary -> entries.find { (it.message?.seq ?: 0) > summary.readSeq }?.key }
    }
    Box {
        LazyColumn(
            Modifier.fillMaxSize().padding(horizontal = 14.dp).testTag("messages"),
            list,
            // The first item is the newest message, at the bottom. So the list opens there.
            reverseLayout = true,
            verticalArrangement = Arrangement.Bottom,
        ) {
            itemsIndexed(entries.asReversed(), key = { _, entry -> entry.key }) { index, entry ->
                val before = entries.getOrNull(entries.size - index - 2)
                val clock = LocalClock.current
                Column(if (entry.key == highlighted) Modifier.background(MaterialTheme.colorScheme.primaryContainer) else Modifier) {
                    val isNewDay = before == null || clock.dayOf(before.sentAt) != clock.dayOf(entry.sentAt)
                    val isFirstUnread = entry.key == firstUnread
                    if (isNewDay) Day(entry.sentAt)
                    if (isFirstUnread) NewMessages()
                    val quoted = if (entry.replyTo == 0L) null else entries.find { it.message?.seq == entry.replyTo }
                    Line(
                        entry,
                        isFirst = isNewDay || isFirstUnread || before?.user != entry.user,
                        isOwn = entry.user == me,
                        isLastRead = entry.key == lastRead,
                        quoted,
                        threads[entry.message?.seq],
                        connection,
                        actions,
                        onMenu,
                    )
                    for (pin in pinsAfter[entry.message?.seq].orEmpty()) PinLine(pin, me) { actions.jumpTo(pin.message.seq) }
                }
            }
        }
        ToNewest(list, conversation, actions, Modifier.align(Alignment.BottomEnd))
    }
}

/** Whether a line is shown among the messages of the room, and not only in its thread. */
private fun isInRoom(line: Entry, conversation: Conversation): Boolean {
    val message = line.message ?: return line.unsent?.threadOnly != true || line.unsent?.failed != null
    // Replies would be unreachable if the first message of their thread expired.
    return !message.threadOnly || conversation.replies[message.thread]?.root == message.seq
}

/**
 * Scrolls to the target of the conversation when it is loaded.
 *
 * @return the key of the target, for a moment after that
 */
@Composable
private fun scrollToTarget(
    list: LazyListState,
    entries: List<Entry>,
    conversation: Conversation,
    actions: ConversationActions,
): String? {
    var highlighted by remember(conversation.room) { mutableStateOf<String?>(null) }
    LaunchedEffect(conversation.target, conversation.entries) {
        if (conversation.target == 0L) return@LaunchedEffect
        val index = entries.asReversed().indexOfFirst { it.message?.seq == conversation.target }
        if (index < 0) {
            val reply = conversation.entries.find { it.message?.seq == conversation.target }?.message ?: return@LaunchedEffect
            actions.openThread(reply.threadNumber)
            actions.reachTarget()
            return@LaunchedEffect
        }
        list.scrollToItem(index, scrollOffset = -list.layoutInfo.viewportSize.height / 2)
        highlighted = entries.asReversed()[index].key
        actions.reachTarget()
    }
    LaunchedEffect(highlighted) {
        delay(HIGHLIGHT_MS)
        highlighted = null
    }
    return highlighted
}

/** Shown while the newest message is not on the screen. */
@Composable
private fun ToNewest(list: LazyListState, conversation: Conversation, actions: ConversationActions, modifier: Modifier) {
    val isFar by remember { derivedStateOf { list.firstVisibleItemIndex > 5 } }
    val atEnd = conversation.view?.atEnd != false
    if (!isFar && atEnd) return
    val scope = rememberCoroutineScope()
    SmallFloatingActionButton(
        onClick = {
            if (!atEnd) actions.jumpToEnd()
            scope.launch { list.scrollToItem(0) }
        },
        modifier.padding(12.dp),
    ) {
        Icon(Icons.Filled.KeyboardArrowDown, stringResource(R.string.timeline_jump))
    }
}

/** Loads messages when the user scrolls to an end of the list, follows new messages, and marks them as read. */
@Composable
private fun LoadAndFollow(
    list: LazyListState,
    conversation: Conversation,
    me: User,
    connection: ConnectionState.Kind,
    actions: ConversationActions,
) {
    val entries = conversation.entries
    val isAtBottom by remember { derivedStateOf { list.firstVisibleItemIndex <= 1 } }
    val newest = entries.last()
    LaunchedEffect(newest.key) {
        // A new message below the visible ones does not move the list. A stored copy has no view, and its end is the newest message.
        if (conversation.view?.atEnd != false && (isAtBottom || newest.user == me)) list.scrollToItem(0)
    }
    val view = conversation.view ?: return
    val isAtTop by remember {
        derivedStateOf {
            val oldest = list.layoutInfo.visibleItemsInfo.lastOrNull()
            // A page may have only replies that are not shown in the room.
            if (oldest == null) list.layoutInfo.viewportSize.height > 0 else oldest.index >= list.layoutInfo.totalItemsCount - 10
        }
    }
    // Depends on the connection, so that a request that failed offline is repeated after a reconnect.
    LaunchedEffect(isAtTop, entries.first().key, view.atBeginning, connection) {
        if (isAtTop && !view.atBeginning) actions.loadOlder()
    }
    LaunchedEffect(isAtBottom, entries.last().key, view.atEnd, connection) {
        if (isAtBottom && !view.atEnd) actions.loadNewer()
    }

    val lifecycle by LocalLifecycleOwner.current.lifecycle.currentStateAsState()
    // The list is at the bottom until it has scrolled to its target.
    val isReading = lifecycle == Lifecycle.State.RESUMED && isAtBottom && view.atEnd && conversation.target == 0L
    LaunchedEffect(isReading, newest.key) { if (isReading) actions.markRead() }
}
