package io.github.phpsessionchat.app

import androidx.activity.compose.BackHandler
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.BoxWithConstraints
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.width
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Text
import androidx.compose.material3.VerticalDivider
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.runtime.DisposableEffect
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.saveable.rememberSaveableStateHolder
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalUriHandler
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.Access
import io.github.phpsessionchat.android.AndroidChat
import io.github.phpsessionchat.android.Drafts
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.drop
import kotlinx.coroutines.flow.map

/** What all screens share. */
class AppParts(
    val chat: AndroidChat,
    val drafts: Drafts,
    val draftFiles: DraftFiles,
    val recorder: VoiceRecorder?,
    val navigation: Navigation,
    /** The site's logout page; empty: the app can only forget the login. */
    val logoutPage: String,
    val forgetLogin: () -> Unit,
)

/** Shows the screen for the state of the chat. */
@Composable
fun ChatApp(app: AppParts) {
    val chat = app.chat
    val access by chat.access.collectAsStateWithLifecycle()
    val connection by chat.connection.collectAsStateWithLifecycle()
    var loggingIn by rememberSaveable { mutableStateOf(false) }
    var hasNewPage by remember { mutableStateOf(false) }
    LaunchedEffect(access) {
        if (access == Access.Granted) loggingIn = false
        // The next login may be another user's.
        if (access is Access.Ended) app.navigation.closeAll()
    }
    // A page that loads during an attempt may have changed the cookie after the attempt read it.
    LaunchedEffect(hasNewPage, connection) {
        if (!hasNewPage || connection == ConnectionState.Kind.CONNECTING) return@LaunchedEffect
        hasNewPage = false
        chat.client.start()
    }
    when (val now = access) {
        Access.Granted, Access.Offline -> CompositionLocalProvider(
            LocalUriHandler provides rememberLinkHandler(),
            LocalRoomPictures provides chat.client::fileRequest,
        ) { Chat(app, connection) }
        Access.Checking -> CheckingScreen(connection, chat.client::wake)
        is Access.Refused -> RefusedScreen(now.refusal, now.ban)
        is Access.Ended -> if (loggingIn) {
            BackHandler { loggingIn = false }
            SitePage(R.string.ended_first, stringResource(R.string.login_url), onPage = { hasNewPage = true }, onClose = { loggingIn = false })
        } else {
            EndedScreen(now.reason, stringResource(R.string.privacy_url)) {
                if (now.reason.isLoggedIn) chat.client.start() else loggingIn = true
            }
        }
    }
}

/** Whether the site may still have a login, so that the chat can connect without a new one. */
val ConnectionState.Reason.isLoggedIn
    get() = this == ConnectionState.Reason.USER_CHANGED || this == ConnectionState.Reason.KICKED

@Composable
private fun Chat(app: AppParts, connection: ConnectionState.Kind) {
    val me by app.chat.me.collectAsStateWithLifecycle()
    val user = me?.user ?: return
    val conversation by app.chat.conversation.collectAsStateWithLifecycle()
    val navigation = app.navigation
    val states = rememberSaveableStateHolder()
    val room = conversation?.room
    // Outlives the screens on top of the conversation. The key keeps the text of one user from the next.
    val composing = rememberSaveable(user.id, room, saver = Composing.saver, key = "composing ${user.id} $room") {
        Composing(app.drafts.texts.value[room].orEmpty())
    }
    // An answer of a notification that was not sent becomes a draft. The first value is skipped, because Android may restore
    // a text that is not stored.
    LaunchedEffect(room, composing) {
        if (room == null) return@LaunchedEffect
        val changes = app.drafts.texts.map { it[room].orEmpty() }.distinctUntilChanged().drop(1)
        changes.collect { composing.adopt(app.drafts.texts.value[room].orEmpty()) }
    }
    LaunchedEffect(room) { navigation.keepScreensOf(room) }
    LaunchedEffect(user.id, OpenedLink.waiting) { OpenedLink.showTo(user.id) }
    LaunchedEffect(user.id, Shared.waiting) { Shared.showTo(user.id) }
    OpenedLink.waiting?.let { LinkDialog(app, it, onClose = OpenedLink::close) }
    Panes(
        isOpen = conversation != null || navigation.stack.isNotEmpty(),
        list = { Rooms(app, user, connection) },
    ) { isAlone ->
        val opened = navigation.stack.lastOrNull()
        when {
            opened != null -> {
                BackHandler(onBack = navigation::back)
                states.SaveableStateProvider(opened.id) {
                    ScreenContent(opened.screen, app)
                    DisposableEffect(Unit) { onDispose { if (opened !in navigation.stack) states.removeState(opened.id) } }
                }
            }
            room != null -> {
                BackHandler(isAlone, app.chat::close)
                states.SaveableStateProvider(room) {
                    OpenConversation(app, user, connection, composing, isAlone)
                    // A room that is opened again shows its newest messages.
                    DisposableEffect(Unit) { onDispose { if (app.chat.conversation.value?.room != room) states.removeState(room) } }
                }
            }
            else -> Box(Modifier.fillMaxSize(), contentAlignment = Alignment.Center) {
                Text(stringResource(R.string.empty_none_text), color = MaterialTheme.colorScheme.onSurfaceVariant)
            }
        }
    }
}

/** The list and the open conversation: next to each other if there is space, otherwise one of them. */
@Composable
fun Panes(isOpen: Boolean, list: @Composable () -> Unit, detail: @Composable (isAlone: Boolean) -> Unit) {
    BoxWithConstraints(Modifier.fillMaxSize()) {
        if (maxWidth < 720.dp) {
            if (isOpen) detail(true) else list()
        } else {
            Row {
                Box(Modifier.width(320.dp)) { list() }
                VerticalDivider(color = MaterialTheme.colorScheme.outlineVariant)
                Box(Modifier.weight(1f)) { detail(false) }
            }
        }
    }
}

@Composable
private fun Rooms(app: AppParts, user: User, connection: ConnectionState.Kind) {
    val rooms by app.chat.rooms.collectAsStateWithLifecycle()
    val drafts by app.drafts.texts.collectAsStateWithLifecycle()
    val me by app.chat.me.collectAsStateWithLifecycle()
    val scheduled by app.chat.scheduled.collectAsStateWithLifecycle()
    val held by app.chat.held.collectAsStateWithLifecycle()
    val reminders by app.chat.reminders.collectAsStateWithLifecycle()
    val identity = me ?: return
    val notices = remember { SnackbarHostState() }
    val perform = rememberRequests(app, notices)
    RoomsScreen(
        rooms,
        drafts,
        user,
        connection,
        remember { ListActions(app, perform) },
        notices,
        site = siteOf(identity, app.chat.server),
        failed = scheduled.orEmpty().filter { it.failed != null },
        reminders = reminders.orEmpty(),
        waiting = held.size,
    )
}

private class ListActions(private val app: AppParts, perform: Requests) : RoomsActions, RoomMenuActions by ChatRoomMenu(app, perform) {
    override fun open(room: String) = app.navigation.openRoom(room)

    override fun addChat() = app.navigation.open(Screen.NewChat)

    override fun search() = app.navigation.open(Screen.Search)

    override fun openSettings() = app.navigation.open(Screen.Settings)

    override fun openModeration() = app.navigation.open(Screen.Moderation)

    override fun show(reminder: Reminder) = app.show(reminder)

    override fun reconnect() = app.chat.client.wake()
}

@Composable
private fun OpenConversation(
    app: AppParts,
    user: User,
    connection: ConnectionState.Kind,
    composing: Composing,
    isAlone: Boolean,
) {
    val conversation by app.chat.conversation.collectAsStateWithLifecycle()
    val rooms by app.chat.rooms.collectAsStateWithLifecycle()
    val uploads by app.chat.uploads.collectAsStateWithLifecycle()
    val access by app.chat.access.collectAsStateWithLifecycle()
    val scheduled by app.chat.scheduled.collectAsStateWithLifecycle()
    val held by app.chat.held.collectAsStateWithLifecycle()
    val reminders by app.chat.reminders.collectAsStateWithLifecycle()
    val open = conversation ?: return
    val notices = remember { SnackbarHostState() }
    val actions = rememberActions(app, open.room, notices)
    val room = rooms.find { it.id == open.room }
    NotificationPermission(takesPart = open.entries.any { it.user == user })
    LaunchedEffect(open.room, access) { if (access == Access.Granted) app.draftFiles.restore(open.room) }
    LaunchedEffect(open.room, Shared.waiting, access) {
        if (access != Access.Granted) return@LaunchedEffect
        val shared = Shared.take() ?: return@LaunchedEffect
        if (shared.text.isNotEmpty()) {
            composing.append(shared.text)
            actions.draft(composing.field.text)
        }
        actions.attach(shared.files)
    }
    ConversationScreen(
        conversation = open,
        room = room,
        me = user,
        connection = connection,
        composing = composing,
        uploads = uploads.filter { it.room == open.room },
        actions = actions,
        notices = notices,
        isAlone = isAlone,
        isStored = access == Access.Offline,
        scheduled = scheduled.orEmpty().filter { it.room == open.room },
        waiting = held.count { it.room == open.room },
        // Next to the conversation, the list of rooms shows them.
        reminders = if (isAlone) reminders.orEmpty() else emptyList(),
        question = rememberQuestion(app, room),
    )
}
