package io.github.phpsessionchat.android

import android.util.AtomicFile
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.Identity
import io.github.phpsessionchat.OfflineCopy
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User
import java.io.File
import java.io.IOException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

private const val MAX_ROOMS = 200
private const val MAX_CONVERSATIONS = 20
private const val MAX_MESSAGES = 50

/** Minimum time between two copies of the same kind. */
private const val INTERVAL_MS = 2_000L

/** Maximum size of a file. With all conversations, the store has up to 2.7 MB. */
private const val MAX_BYTES = 128 * 1024

/**
 * The rooms of one user and the latest messages of the last opened ones, to show them after a restart without a
 * connection. Use it on any thread.
 *
 * @param folder a folder for this alone, in the app's `filesDir`
 */
class OfflineStore(private val folder: File) {
    private val userFile = File(folder, "user")
    private val roomsFile = File(folder, "rooms.json")
    private var user: String? = null

    private fun messagesFile(room: String) = File(folder, "$MESSAGES$room")

    /** Stores for this user from now on, and deletes what is stored of any other. */
    @Synchronized
    fun openFor(user: String) {
        this.user = user
        if (read(userFile) == user) return
        folder.deleteRecursively()
        folder.mkdirs()
        write(userFile, user)
    }

    /** Deletes everything, and stores nothing until [openFor]. */
    @Synchronized
    fun clear() {
        user = null
        folder.deleteRecursively()
    }

    /** Stores the rooms of the user, unless another user has logged in since. Forgets the messages of all other rooms. */
    @Synchronized
    fun putRooms(me: User, rooms: List<RoomSummary>) {
        if (user != me.id) return
        writeBounded(roomsFile, MAX_ROOMS) { OfflineCopy.writeRooms(me, rooms, it) }
        val own = rooms.filter { it.member }.map { messagesFile(it.id) }.toSet()
        for (file in messagesFiles()) if (file !in own) file.delete()
    }

    /** Stores the last messages of a room of the user, unless another user has logged in since. */
    @Synchronized
    fun putMessages(me: User, room: String, entries: List<Entry>) {
        if (user != me.id) return
        writeBounded(messagesFile(room), MAX_MESSAGES) { OfflineCopy.writeMessages(entries, it) }
        for (file in messagesFiles().sortedByDescending { it.lastModified() }.drop(MAX_CONVERSATIONS)) file.delete()
    }

    /** Returns the stored user and rooms; null if there are none. */
    @Synchronized
    fun rooms(): OfflineCopy? = readOrDelete(roomsFile, OfflineCopy::readRooms)?.takeIf { it.me.user.id == read(userFile) }

    /** Returns the stored messages of a room. */
    @Synchronized
    fun messages(room: String): List<Entry> = readOrDelete(messagesFile(room), OfflineCopy::readMessages).orEmpty()

    private fun messagesFiles() = folder.listFiles().orEmpty().filter { it.name.startsWith(MESSAGES) }

    /** @param text returns the text with at most this number of items */
    private fun writeBounded(file: File, limit: Int, text: (Int) -> String) {
        val fitting = generateSequence(limit) { it / 2 }.takeWhile { it > 0 }.map(text).find { it.toByteArray().size <= MAX_BYTES }
        if (fitting != null) write(file, fitting) else file.delete()
    }

    private fun write(file: File, text: String) {
        val target = AtomicFile(file)
        try {
            val stream = target.startWrite()
            try {
                stream.write(text.toByteArray())
                target.finishWrite(stream)
            } catch (_: IOException) {
                target.failWrite(stream)
            }
        } catch (_: IOException) {
            // The storage is full. Then the older copy remains.
        }
    }

    private fun <T> readOrDelete(file: File, parse: (String) -> T?): T? = read(file)?.let(parse).also { if (it == null) file.delete() }

    private fun read(file: File): String? = try {
        if (file.length() > MAX_BYTES) null else AtomicFile(file).readFully().decodeToString()
    } catch (_: IOException) {
        null
    }

    private companion object {
        const val MESSAGES = "messages-"
    }
}

/** Stores the rooms and the end of the open conversation while they change. */
internal fun CoroutineScope.store(
    store: OfflineStore,
    me: StateFlow<Identity?>,
    rooms: StateFlow<List<RoomSummary>?>,
    conversation: StateFlow<Conversation?>,
) {
    launch {
        rooms.collect {
            val user = me.value?.user ?: return@collect
            if (it == null) return@collect
            withContext(Dispatchers.IO) { store.putRooms(user, it) }
            delay(INTERVAL_MS)
        }
    }
    launch {
        conversation.collect {
            val user = me.value?.user ?: return@collect
            val view = it?.view ?: return@collect
            if (!view.atEnd || !view.upToDate) return@collect
            withContext(Dispatchers.IO) { store.putMessages(user, it.room, it.entries) }
            delay(INTERVAL_MS)
        }
    }
}
