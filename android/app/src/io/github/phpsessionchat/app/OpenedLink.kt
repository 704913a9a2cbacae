package io.github.phpsessionchat.app

import android.content.Context
import android.os.Bundle
import android.widget.Toast
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.LocalUriHandler
import androidx.compose.ui.platform.UriHandler
import io.github.phpsessionchat.ChatLink

/** A link to the chat's page that the user opened. */
object OpenedLink : Incoming<ChatLink>("link") {
    /** @return false if the address is not a link to a room, message or invitation of this chat */
    fun receive(address: String, context: Context): Boolean {
        if (address.substringBefore('#') != pageOf(context)) return false
        put(ChatLink.parse(address) ?: return false)
        return true
    }

    override fun write(content: ChatLink) = Bundle().apply {
        putString(ADDRESS, content.token?.let { "#join=$it" } ?: if (content.seq > 0) "#m=${content.room}/${content.seq}" else "#m=${content.room}")
    }

    override fun read(saved: Bundle): ChatLink? = saved.getString(ADDRESS)?.let(ChatLink::parse)

    private const val ADDRESS = "address"
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
                if (OpenedLink.receive(uri, context)) return
                try {
                    browser.openUri(uri)
                } catch (_: IllegalArgumentException) {
                    Toast.makeText(context, R.string.error_other, Toast.LENGTH_SHORT).show()
                }
            }
        }
    }
}
