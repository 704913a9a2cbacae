package io.github.phpsessionchat.app

import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue

/** What the app was opened with, until the user has used or cancelled it. A login keeps it. */
abstract class Incoming<T : Any> {
    var waiting by mutableStateOf<T?>(null)
        private set

    private var seenBy: String? = null

    protected fun put(content: T) {
        close()
        waiting = content
    }

    /** Discards the content if another user has seen it. */
    fun showTo(user: String) {
        if (seenBy != null && seenBy != user) close()
        if (waiting != null) seenBy = user
    }

    fun close() {
        waiting = null
        seenBy = null
    }
}
