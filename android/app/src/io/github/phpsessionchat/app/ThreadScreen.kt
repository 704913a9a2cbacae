package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.itemsIndexed
import androidx.compose.foundation.lazy.rememberLazyListState
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Notifications
import androidx.compose.material.icons.outlined.Notifications
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.Icon
import androidx.compose.material3.IconToggleButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.SideEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.NewMessage
import io.github.phpsessionchat.RepliesPage
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.Upload
import io.github.phpsessionchat.User
import java.text.NumberFormat

@Composable
fun ThreadScreen(app: AppParts, screen: Screen.Thread) {
    val (room, number, replyTo) = screen
    val chat = app.chat
    val rooms by chat.rooms.collectAsStateWithLifecycle()
    val me by chat.me.collectAsStateWithLifecycle()
    val connection by chat.connection.collectAsStateWithLifecycle()
    val conversation by chat.conversation.collectAsStateWithLifecycle()
    val uploads by chat.uploads.collectAsStateWithLifecycle()
    val host = remember { SnackbarHostState() }
    val perform = rememberRequests(app, host)
    val scope = rememberCoroutineScope()
    val loader = remember { ThreadLoader(scope) { before -> chat.request<RepliesPage> { replies(room, number, before, it) } } }
    val replies = conversation?.replies?.get(number)
    LaunchedEffect(number) { chat.seeReplies(number) }
    // Depends on the connection, so that a request that failed offline is repeated after a reconnect.
    LaunchedEffect(replies?.lastAt, replies?.count, connection) { loader.loadNewest() }
    val actions = rememberActions(app, room, host)
    val composing = rememberSaveable(saver = Composing.saver, key = "composing ${me?.user?.id}") {
        val answered = conversation?.entries?.find { replyTo != 0L && it.message?.seq == replyTo }?.message
        Composing(app.drafts.reply(room, number)).apply { answered?.let(::reply) }
    }
    val replied = loader.replied
    ThreadView(
        replied,
        entries = replied?.entries(conversation?.entries.orEmpty()).orEmpty(),
        isFollowing = conversation?.followed?.get(number) ?: replied?.isFollowing == true,
        room = rooms.find { it.id == room },
        me = me?.user ?: return,
        connection,
        composing,
        uploads.filter { it.room == room },
        remember(actions) { ThreadActions(actions, app, room, number) },
        host,
        hasFailed = loader.hasFailed,
        onLoadOlder = loader::loadOlder,
        onRetry = loader::loadNewest,
    ) { following -> perform { request<Void?> { follow(room, number, following, it) } } }
}

/** What the user can do in a thread. */
private class ThreadActions(
    inRoom: ConversationActions,
    private val app: AppParts,
    override val room: String,
    private val number: Long,
) : ConversationActions by inRoom {
    override fun close() = app.navigation.back()

    // The draft of the room stays.
    override fun send(message: NewMessage, files: List<Upload>) {
        app.send(room, message, files)
        draft("")
    }

    override fun draft(text: String) = app.drafts.putReply(room, number, text)

    override fun jumpTo(seq: Long) = app.navigation.openMessage(room, seq)
}

/** The first message of a thread and its replies. */
@Composable
fun ThreadView(
    replied: Replied?,
    entries: List<Entry>,
    isFollowing: Boolean,
    room: RoomSummary?,
    me: User,
    connection: ConnectionState.Kind,
    composing: Composing,
    uploads: List<Upload>,
    actions: ConversationActions,
    host: SnackbarHostState,
    hasFailed: Boolean,
    onLoadOlder: () -> Unit,
    onRetry: () -> Unit,
    onFollow: (Boolean) -> Unit,
) {
    var shownMenu by remember { mutableStateOf<Message?>(null) }
    // A first reply is also shown in the room, so that members notice the thread.
    val threadOnly = if (room?.kind == RoomSummary.Kind.DIRECT) null else !(composing.alsoInRoom ?: entries.isEmpty())
    SideEffect { if (replied != null) composing.defaultReplyTo = replied.root.seq }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = {
            ScreenBar(stringResource(R.string.replies_title), R.string.replies_close, actions::close) {
                if (room?.member == true && replied != null) FollowButton(isFollowing, onFollow)
            }
        },
        bottomBar = {
            Composer(
                stringResource(R.string.replies_placeholder),
                room?.may(RoomSummary.Right.SEND) != false,
                composing,
                unsentUploads(uploads, entries),
                actions,
                threadOnly = threadOnly,
            )
        },
        snackbarHost = { SnackbarHost(host) },
    ) { inner ->
        Column(Modifier.fillMaxSize().padding(inner)) {
            ConnectionBar(connection, actions::reconnect)
            when {
                replied != null -> Replies(replied, entries, me, connection, actions, onLoadOlder) { shownMenu = it }
                hasFailed -> LoadFailed(onRetry)
                else -> Loading()
            }
        }
    }
    shownMenu?.let { message ->
        MessageMenu(message, isOwn = message.user == me, room, composing, actions, offersThread = false) { shownMenu = null }
    }
}

@Composable
private fun FollowButton(isFollowing: Boolean, onFollow: (Boolean) -> Unit) {
    IconToggleButton(isFollowing, onFollow) {
        val icon = if (isFollowing) Icons.Filled.Notifications else Icons.Outlined.Notifications
        Icon(icon, stringResource(R.string.replies_follow))
    }
}

@Composable
private fun Replies(
    replied: Replied,
    entries: List<Entry>,
    me: User,
    connection: ConnectionState.Kind,
    actions: ConversationActions,
    onLoadOlder: () -> Unit,
    onMenu: (Message) -> Unit,
) {
    val list = rememberLazyListState()
    LaunchedEffect(entries.lastOrNull()?.key) {
        if (list.firstVisibleItemIndex <= 1 || entries.lastOrNull()?.user == me) list.scrollToItem(0)
    }
    LazyColumn(
        Modifier.fillMaxSize().padding(horizontal = 14.dp).testTag("replies"),
        list,
        // The first item is the newest reply, at the bottom. So the list opens there.
        reverseLayout = true,
        verticalArrangement = Arrangement.Bottom,
    ) {
        itemsIndexed(entries.asReversed(), key = { _, entry -> entry.key }) { index, entry ->
            val before = entries.getOrNull(entries.size - index - 2)
            // The first message is shown above.
            val quoted = if (entry.replyTo == replied.root.seq) null else entries.find { it.message != null && it.message?.seq == entry.replyTo }
            val isFirst = before?.user != entry.user
            Line(entry, isFirst, isOwn = entry.user == me, isLastRead = false, quoted, replies = null, connection, actions, onMenu)
        }
        if (!replied.isComplete) {
            item {
                LaunchedEffect(replied.messages.size) { onLoadOlder() }
                Loading()
            }
        }
        item { Root(replied.root, entries.size, me, connection, actions, onMenu) }
    }
}

@Composable
private fun Root(
    root: Message,
    count: Int,
    me: User,
    connection: ConnectionState.Kind,
    actions: ConversationActions,
    onMenu: (Message) -> Unit,
) {
    Column {
        Line(Entry.of(root), isFirst = true, root.user == me, isLastRead = false, null, replies = null, connection, actions, onMenu)
        if (count == 0) {
            Empty(R.string.replies_none_title, R.string.replies_none_text)
        } else {
            SectionHeading(pluralStringResource(R.plurals.replies_count, count, NumberFormat.getIntegerInstance().format(count)))
            HorizontalDivider(color = MaterialTheme.colorScheme.outlineVariant)
        }
    }
}
