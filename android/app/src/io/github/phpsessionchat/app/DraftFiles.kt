package io.github.phpsessionchat.app

import android.content.ContentResolver
import android.net.Uri
import io.github.phpsessionchat.Upload
import io.github.phpsessionchat.android.Access
import io.github.phpsessionchat.android.AndroidChat
import io.github.phpsessionchat.android.newFile
import java.io.File
import java.io.IOException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/**
 * The files that the user has attached and not sent yet. Their uploads end with the process, and so does the permission to
 * read them, so the next process uploads copies. Use it on the main thread.
 */
class DraftFiles(private val chat: AndroidChat, private val copies: FileCopies, private val scope: CoroutineScope) {
    /** The copies of this process's uploads, with the key of the upload. Null until it starts. */
    private val keys = mutableMapOf<File, String?>()

    /** The copies whose messages were sent before their uploads were complete. */
    private val sent = mutableSetOf<File>()

    init {
        scope.launch {
            chat.uploads.collect { uploads ->
                val byKey = uploads.associateBy { it.key }
                for (copy in sent.toList()) {
                    val upload = byKey[keys[copy]]
                    // An upload that is not listed belonged to a message that is stored or discarded. Without a login, none is.
                    if (if (upload == null) chat.access.value == Access.Granted else upload.file != null) delete(copy)
                }
            }
        }
    }

    /**
     * Uploads files, also if the user leaves the room meanwhile.
     *
     * @param onUnreadable called for each file that cannot be read
     */
    fun attach(room: String, files: List<Uri>, resolver: ContentResolver, onUnreadable: () -> Unit) {
        val user = chat.me.value?.user
        scope.launch {
            for (uri in files) {
                try {
                    attach(room, uri, resolver) { chat.me.value?.user == user }
                } catch (_: IOException) {
                    onUnreadable()
                }
            }
        }
    }

    /** @throws IOException if the file cannot be read */
    private suspend fun attach(room: String, uri: Uri, resolver: ContentResolver, isSameUser: () -> Boolean) {
        val file = withContext(Dispatchers.IO) { resolver.newFile(uri) }
        if (!isSameUser()) return
        // The server would reject it.
        if (file.size > (chat.me.value?.fileLimit ?: 0)) {
            chat.client.upload(room, file)
            return
        }
        val copy = copies.next(room)
        keys[copy] = null
        val used = keys.keys.toSet()
        try {
            val kept = withContext(Dispatchers.IO) { copies.write(copy, file, used) }
            // The user may have logged out since.
            if (copy in keys) keys[copy] = chat.client.upload(room, kept ?: file) else copies.delete(copy)
        } finally {
            // Without an upload, the room is not open. Its copy waits there.
            if (keys[copy] == null) keys -= copy
        }
    }

    /** Uploads what an earlier process has left in a room. */
    suspend fun restore(room: String) {
        for ((copy, file) in withContext(Dispatchers.IO) { copies.list(room) }) {
            if (copy !in keys) keys[copy] = chat.client.upload(room, file)
        }
    }

    /** Call it when the user sends a message with these files. */
    fun send(files: List<Upload>) {
        for (file in files) {
            val copy = copyOf(file.key) ?: continue
            // The next process uploads it as a draft again, because the upload ends with this one.
            if (file.file != null) delete(copy) else sent += copy
        }
    }

    /** Cancels an upload. */
    fun remove(key: String) {
        chat.cancelUpload(key)
        copyOf(key)?.let(::delete)
    }

    /** Deletes all copies, for example after a logout. */
    fun clear() {
        keys.clear()
        sent.clear()
        copies.clear()
    }

    private fun copyOf(key: String) = keys.entries.find { it.value == key }?.key

    private fun delete(copy: File) {
        keys -= copy
        sent -= copy
        copies.delete(copy)
    }
}
