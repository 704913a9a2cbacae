package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.navigationBarsPadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.LazyListState
import androidx.compose.foundation.lazy.itemsIndexed
import androidx.compose.foundation.lazy.rememberLazyListState
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.automirrored.filled.ArrowBack
import androidx.compose.material.icons.automirrored.filled.Send
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.FilledIconButton
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.material3.TopAppBar
import androidx.compose.material3.TopAppBarDefaults
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.derivedStateOf
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.compose.LocalLifecycleOwner
import androidx.lifecycle.compose.currentStateAsState
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.HistoryView
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User

/** What the user can do in a room. `retry` and `discard` get the ID of an unsent message. */
class ConversationActions(
    val close: () -> Unit,
    val send: (String) -> Unit,
    val retry: (String) -> Unit,
    val discard: (String) -> Unit,
    val loadOlder: () -> Unit,
    val loadNewer: () -> Unit,
    val markRead: () -> Unit,
    val reconnect: () -> Unit,
)

/** @param room null until the list of rooms is loaded */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun ConversationScreen(
    conversation: Conversation,
    room: RoomSummary?,
    me: User,
    connection: ConnectionState.Kind,
    actions: ConversationActions,
) {
    val name = room?.with?.let { nameOf(it) } ?: room?.name.orEmpty()
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = {
            TopAppBar(
                title = { Text(name, fontWeight = FontWeight.Bold, maxLines = 1, overflow = TextOverflow.Ellipsis) },
                colors = TopAppBarDefaults.topAppBarColors(MaterialTheme.colorScheme.background),
                navigationIcon = {
                    IconButton(onClick = actions.close) {
                        Icon(Icons.AutoMirrored.Filled.ArrowBack, stringResource(R.string.rooms_back))
                    }
                },
            )
        },
        bottomBar = { Composer(conversation.room, name, room?.may(RoomSummary.Right.SEND) != false, actions.send) },
    ) { inner ->
        Column(Modifier.fillMaxSize().padding(inner)) {
            ConnectionBar(connection, actions.reconnect)
            val view = conversation.view
            when {
                view == null -> Centered { CircularProgressIndicator() }
                conversation.entries.isEmpty() -> Centered {
                    Text(stringResource(R.string.empty_room_title), color = MaterialTheme.colorScheme.onSurfaceVariant)
                }
                else -> Messages(conversation.entries, view, me, connection, actions)
            }
        }
    }
}

@Composable
private fun Centered(content: @Composable () -> Unit) {
    Box(Modifier.fillMaxSize(), contentAlignment = Alignment.Center) { content() }
}

@Composable
private fun Messages(
    entries: List<Entry>,
    view: HistoryView,
    me: User,
    connection: ConnectionState.Kind,
    actions: ConversationActions,
) {
    val list = rememberLazyListState()
    LoadAndFollow(list, entries, view, me, connection, actions)
    LazyColumn(
        Modifier.fillMaxSize().padding(horizontal = 14.dp).testTag("messages"),
        list,
        // The first item is the newest message, at the bottom. So the list opens there.
        reverseLayout = true,
        verticalArrangement = Arrangement.Bottom,
    ) {
        itemsIndexed(entries.asReversed(), key = { _, entry -> entry.key }) { index, entry ->
            val before = entries.getOrNull(entries.size - index - 2)
            Column {
                val isNewDay = before == null || dayOf(before.sentAt) != dayOf(entry.sentAt)
                if (isNewDay) Day(entry.sentAt)
                Line(entry, isNewDay || before?.user != entry.user, entry.user == me, connection, actions)
            }
        }
    }
}

/** Loads messages when the user scrolls to an end of the list, follows new messages, and marks them as read. */
@Composable
private fun LoadAndFollow(
    list: LazyListState,
    entries: List<Entry>,
    view: HistoryView,
    me: User,
    connection: ConnectionState.Kind,
    actions: ConversationActions,
) {
    val isAtTop by remember {
        derivedStateOf {
            val oldest = list.layoutInfo.visibleItemsInfo.lastOrNull()
            oldest != null && oldest.index >= list.layoutInfo.totalItemsCount - 10
        }
    }
    val isAtBottom by remember { derivedStateOf { list.firstVisibleItemIndex <= 1 } }
    // Depends on the connection, so that a request that failed offline is repeated after a reconnect.
    LaunchedEffect(isAtTop, entries.first().key, view.atBeginning, connection) {
        if (isAtTop && !view.atBeginning) actions.loadOlder()
    }
    LaunchedEffect(isAtBottom, entries.last().key, view.atEnd, connection) {
        if (isAtBottom && !view.atEnd) actions.loadNewer()
    }

    val newest = entries.last()
    LaunchedEffect(newest.key) {
        // A new message below the visible ones does not move the list.
        if (isAtBottom || newest.user == me) list.scrollToItem(0)
    }
    val lifecycle by LocalLifecycleOwner.current.lifecycle.currentStateAsState()
    val isReading = lifecycle == Lifecycle.State.RESUMED && isAtBottom && view.atEnd
    LaunchedEffect(isReading, newest.key) { if (isReading) actions.markRead() }
}

@Composable
private fun Composer(room: String, name: String, canWrite: Boolean, onSend: (String) -> Unit) {
    var draft by rememberSaveable(room) { mutableStateOf("") }
    Row(
        Modifier.fillMaxWidth().navigationBarsPadding().imePadding().padding(12.dp, 8.dp),
        horizontalArrangement = Arrangement.spacedBy(8.dp),
        verticalAlignment = Alignment.Bottom,
    ) {
        if (!canWrite) {
            Text(stringResource(R.string.composer_mutedForGood), color = MaterialTheme.colorScheme.onSurfaceVariant)
            return@Row
        }
        OutlinedTextField(
            value = draft,
            onValueChange = { draft = it },
            placeholder = {
                Text(stringResource(R.string.composer_placeholder, isolate(name)), maxLines = 1, overflow = TextOverflow.Ellipsis)
            },
            shape = RoundedCornerShape(18.dp),
            maxLines = 5,
            modifier = Modifier.weight(1f).testTag("draft"),
        )
        FilledIconButton(
            onClick = {
                onSend(draft.trim())
                draft = ""
            },
            enabled = draft.isNotBlank(),
            shape = RoundedCornerShape(14.dp),
            modifier = Modifier.padding(bottom = 4.dp),
        ) {
            Icon(Icons.AutoMirrored.Filled.Send, stringResource(R.string.composer_send))
        }
    }
}
