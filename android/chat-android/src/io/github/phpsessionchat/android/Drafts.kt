package io.github.phpsessionchat.android

import android.content.Context
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** The unsent texts of one user, by room. They survive the end of the process. Use it on the main thread. */
class Drafts(context: Context) {
    private val stored = context.getSharedPreferences("chat-drafts", Context.MODE_PRIVATE)
    private val mutableTexts = MutableStateFlow<Map<String, String>>(emptyMap())

    val texts: StateFlow<Map<String, String>> = mutableTexts.asStateFlow()

    /** The user of the stored drafts, also after the login has expired; null: none. */
    val user: String? get() = stored.getString(USER, null)

    /** Shows the drafts of this user, and deletes those of any other. */
    fun openFor(user: String) {
        if (this.user != user) stored.edit().clear().putString(USER, user).apply()
        mutableTexts.value = stored.all.filterKeys { it.startsWith(ROOM) }
            .map { (key, text) -> key.removePrefix(ROOM) to text as String }
            .toMap()
    }

    /** Deletes all drafts, for example after a logout. */
    fun clear() {
        stored.edit().clear().apply()
        mutableTexts.value = emptyMap()
    }

    /** Stores the draft of a room. An empty text deletes it. */
    fun put(room: String, text: String) {
        val edit = stored.edit()
        if (text.isEmpty()) edit.remove(ROOM + room) else edit.putString(ROOM + room, text)
        edit.apply()
        mutableTexts.value = if (text.isEmpty()) mutableTexts.value - room else mutableTexts.value + (room to text)
    }

    /** Adds a text to the draft of a room, also before the drafts are opened. */
    fun append(room: String, text: String) {
        val before = stored.getString(ROOM + room, null)
        put(room, if (before == null) text else "$before\n$text")
    }

    /** Returns the draft of a reply in a thread. */
    fun reply(room: String, thread: Long): String = stored.getString(keyOf(room, thread), null).orEmpty()

    /** Stores the draft of a reply in a thread. An empty text deletes it. */
    fun putReply(room: String, thread: Long, text: String) {
        val edit = stored.edit()
        if (text.isEmpty()) edit.remove(keyOf(room, thread)) else edit.putString(keyOf(room, thread), text)
        edit.apply()
    }

    private fun keyOf(room: String, thread: Long) = "$THREAD$thread/$room"

    private companion object {
        const val USER = "user"
        const val THREAD = "thread/"
        const val ROOM = "room/"
    }
}
