package io.github.phpsessionchat.app

import android.app.Application
import java.io.File

open class ChatApplication : Application() {
    protected open val server: String get() = getString(R.string.chat_url)

    /** Lives as long as the process, so that a screen rotation does not reconnect. */
    val chat: ChatHolder by lazy { ChatHolder(server, WebViewCookies(), File(filesDir, "outbox")) }
}
