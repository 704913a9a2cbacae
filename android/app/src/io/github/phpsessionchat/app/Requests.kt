package io.github.phpsessionchat.app

import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.ui.platform.LocalContext
import io.github.phpsessionchat.android.AndroidChat
import io.github.phpsessionchat.android.ChatRequestException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.launch

/** Runs requests of a screen, and shows their errors. */
class Requests(private val chat: AndroidChat, private val notices: Notices, private val scope: CoroutineScope) {
    /** @param errorText returns the text of an error code */
    operator fun invoke(errorText: (String) -> Int = ::errorText, action: suspend AndroidChat.() -> Unit) {
        scope.launch {
            try {
                chat.action()
            } catch (e: ChatRequestException) {
                notices.show(e.code, errorText)
            }
        }
    }
}

@Composable
fun rememberRequests(app: AppParts, host: SnackbarHostState): Requests {
    val scope = rememberCoroutineScope()
    val context = LocalContext.current
    return remember(app) { Requests(app.chat, Notices(context, host), scope) }
}
