package io.github.phpsessionchat.app

import androidx.activity.compose.BackHandler
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.res.stringResource
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.ConnectionState

/** Shows the screen for the state of the chat. */
@Composable
fun ChatApp(chat: ChatHolder) {
    val access by chat.access.collectAsStateWithLifecycle()
    val connection by chat.connection.collectAsStateWithLifecycle()
    var loggingIn by rememberSaveable { mutableStateOf(false) }
    LaunchedEffect(access) { if (access == Access.Granted) loggingIn = false }
    when (val now = access) {
        Access.Granted -> Chat(chat, connection)
        Access.Checking -> CheckingScreen(connection, chat::wake)
        is Access.Refused -> RefusedScreen(now.refusal)
        is Access.Ended -> if (loggingIn) {
            BackHandler { loggingIn = false }
            LoginScreen(stringResource(R.string.login_url), onPage = chat::start, onClose = { loggingIn = false })
        } else {
            EndedScreen(now.reason) {
                if (now.reason.isLoggedIn) chat.start() else loggingIn = true
            }
        }
    }
}

/** Whether the site may still have a login, so that the chat can connect without a new one. */
val ConnectionState.Reason.isLoggedIn
    get() = this == ConnectionState.Reason.USER_CHANGED || this == ConnectionState.Reason.KICKED

@Composable
private fun Chat(chat: ChatHolder, connection: ConnectionState.Kind) {
    val me by chat.me.collectAsStateWithLifecycle()
    val rooms by chat.rooms.collectAsStateWithLifecycle()
    val conversation by chat.conversation.collectAsStateWithLifecycle()
    val user = me?.user ?: return
    val open = conversation
    if (open == null) {
        RoomsScreen(rooms, user, connection, onOpen = chat::open, onReconnect = chat::wake)
    } else {
        BackHandler(onBack = chat::close)
        ConversationScreen(
            conversation = open,
            room = rooms.find { it.id == open.room },
            me = user,
            connection = connection,
            actions = ConversationActions(
                close = chat::close,
                send = chat::send,
                retry = chat::retry,
                discard = chat::discard,
                loadOlder = chat::loadOlder,
                loadNewer = chat::loadNewer,
                markRead = chat::markRead,
                reconnect = chat::wake,
            ),
        )
    }
}
