package io.github.phpsessionchat.app

import android.os.Bundle
import androidx.compose.runtime.mutableStateListOf
import io.github.phpsessionchat.android.AndroidChat
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.ObjectInputStream
import java.io.ObjectOutputStream
import java.io.Serializable

/** Which screen the app shows: the rooms, the open conversation, or the last screen that was opened on top of them. */
class Navigation(private val chat: AndroidChat, saved: Bundle?) {
    /** @param id identifies the saved state of the screen */
    data class Opened(val screen: Screen, val id: Long) : Serializable

    private val mutableStack = mutableStateListOf<Opened>()

    /** The screens on top of the conversation. */
    val stack: List<Opened> get() = mutableStack

    init {
        // Only a new process has no open room.
        if (chat.conversation.value == null) saved?.getString(ROOM)?.let(chat::open)
        mutableStack += saved?.getByteArray(SCREENS)?.let(::restored).orEmpty()
    }

    fun save(state: Bundle) {
        state.putString(ROOM, chat.conversation.value?.room)
        val bytes = ByteArrayOutputStream()
        ObjectOutputStream(bytes).use { it.writeObject(ArrayList(mutableStack)) }
        state.putByteArray(SCREENS, bytes.toByteArray())
    }

    private fun restored(screens: ByteArray): List<Opened> = try {
        ObjectInputStream(screens.inputStream()).use { it.readObject() as List<*> }.filterIsInstance<Opened>()
    } catch (_: IOException) {
        // An update of the app changed the screens.
        emptyList()
    } catch (_: ClassNotFoundException) {
        emptyList()
    }

    fun open(screen: Screen) {
        mutableStack += Opened(screen, System.nanoTime())
    }

    fun back() {
        mutableStack.removeLastOrNull()
    }

    fun closeAll() = mutableStack.clear()

    /** Closes all screens and shows a room. */
    fun openRoom(room: String) {
        closeAll()
        chat.open(room)
    }

    fun showRooms() {
        closeAll()
        chat.close()
    }

    fun openMessage(room: String, seq: Long) {
        closeAll()
        chat.open(room, seq)
    }

    /** Closes the screens of rooms other than the open one. */
    fun keepScreensOf(room: String?) {
        mutableStack.removeAll { it.screen.room != null && it.screen.room != room }
    }

    private companion object {
        const val ROOM = "room"
        const val SCREENS = "screens"
    }
}
