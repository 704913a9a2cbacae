package io.github.phpsessionchat.app

import android.os.Bundle
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue

/** What the app was opened with, until the user has used or cancelled it. A login keeps it. */
abstract class Incoming<T : Any>(private val name: String) {
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

    /** Android may end the process during the login, for example while the user reads a code in another app. */
    fun save(state: Bundle) {
        val content = waiting ?: return
        state.putBundle(name, write(content).apply { putString(SEEN_BY, seenBy) })
    }

    fun restore(state: Bundle) {
        val saved = state.getBundle(name) ?: return
        // The files or text are missing only in a new process.
        if (waiting != null) return
        waiting = read(saved)
        seenBy = saved.getString(SEEN_BY)
    }

    protected abstract fun write(content: T): Bundle

    protected abstract fun read(saved: Bundle): T?

    private companion object {
        const val SEEN_BY = "seenBy"
    }
}
