package io.github.phpsessionchat.app

import android.content.Context
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.LocalUriHandler
import androidx.compose.ui.platform.UriHandler
import io.github.phpsessionchat.ChatLink

/** A link to the chat's page that the user opened, until it is shown or cancelled. A login keeps it. */
object OpenedLink {
    var waiting by mutableStateOf<ChatLink?>(null)
        private set

    private var seenBy: String? = null

    /** @return false if the address is not a link to a room, message or invitation of this chat */
    fun receive(address: String, context: Context): Boolean {
        if (address.substringBefore('#') != pageOf(context)) return false
        val link = ChatLink.parse(address) ?: return false
        close()
        waiting = link
        return true
    }

    /** Closes the link if another user has seen it. */
    fun showTo(user: String) {
        if (seenBy != null && seenBy != user) close()
        if (waiting != null) seenBy = user
    }

    fun close() {
        waiting = null
        seenBy = null
    }
}

/** The address of the chat's page, without `#`. */
fun pageOf(context: Context) = "https://${context.getString(R.string.page_host)}${context.getString(R.string.page_path)}"

fun linkTo(room: String, seq: Long, context: Context) = "${pageOf(context)}#m=$room/$seq"

/** Opens links to this chat in the app, and others in the browser. */
@Composable
fun rememberLinkHandler(): UriHandler {
    val browser = LocalUriHandler.current
    val context = LocalContext.current
    return remember(browser, context) {
        object : UriHandler {
            override fun openUri(uri: String) {
                if (!OpenedLink.receive(uri, context)) browser.openUri(uri)
            }
        }
    }
}
