package io.github.phpsessionchat.app

import android.content.Context
import android.net.Uri
import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.ui.platform.LocalContext
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.MessageEdit
import io.github.phpsessionchat.NewMessage
import io.github.phpsessionchat.RoomMember
import io.github.phpsessionchat.android.AndroidChat
import io.github.phpsessionchat.android.ChatRequestException
import io.github.phpsessionchat.android.newFile
import java.io.IOException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import okhttp3.Request

/** What the user can do in a room. `retry` and `discard` get the ID of an unsent message. */
interface ConversationActions {
    fun close()
    fun send(message: NewMessage)
    fun edit(message: Message, edit: MessageEdit)
    fun delete(message: Message)
    fun react(message: Message, emoji: String, on: Boolean)
    fun retry(clientId: String)
    fun discard(clientId: String)
    fun loadOlder()
    fun loadNewer()
    fun jumpTo(seq: Long)
    fun jumpToEnd()
    fun markRead()
    fun typed()
    fun draft(text: String)
    fun attach(files: List<Uri>)
    fun retryUpload(key: String)
    fun cancelUpload(key: String)

    /** Opens a file with another app. */
    fun open(file: ChatFile)

    /** Returns the request for a picture. */
    fun picture(file: ChatFile): Request

    /** Returns up to ten members whose name starts with this. */
    suspend fun membersNamed(start: String): List<RoomMember>
    fun reconnect()
}

@Composable
fun rememberActions(app: AppParts, room: String, notices: SnackbarHostState): ConversationActions {
    val scope = rememberCoroutineScope()
    val context = LocalContext.current
    return remember(room) { RoomActions(app, room, Notices(context, notices), scope, context) }
}

/** Shows why something did not work. */
class Notices(private val context: Context, private val host: SnackbarHostState) {
    suspend fun show(code: String) = host.showSnackbar(context.getString(errorText(code)))
}

private fun errorText(code: String) = when (code) {
    "offline" -> R.string.conn_offline
    "forbidden" -> R.string.error_forbidden
    "unknown_room" -> R.string.error_unknown_room
    "held" -> R.string.held_waiting
    else -> R.string.error_other
}

private class RoomActions(
    app: AppParts,
    private val room: String,
    private val notices: Notices,
    private val scope: CoroutineScope,
    private val context: Context,
) : ConversationActions {
    private val chat = app.chat
    private val client = app.chat.client
    private val drafts = app.drafts

    private fun request(action: suspend AndroidChat.() -> Unit) {
        scope.launch {
            try {
                chat.action()
            } catch (e: ChatRequestException) {
                notices.show(e.code)
            }
        }
    }

    override fun close() = chat.close()

    override fun send(message: NewMessage) {
        client.send(room, message)
        drafts.put(room, "")
    }

    override fun edit(message: Message, edit: MessageEdit) = request { request<Message> { edit(message, edit, it) } }

    override fun delete(message: Message) = request { request<Message> { delete(message, null, it) } }

    override fun react(message: Message, emoji: String, on: Boolean) = request { request<Message> { react(message, emoji, on, it) } }

    override fun retry(clientId: String) = client.retry(clientId)

    override fun discard(clientId: String) = client.discard(clientId)

    override fun loadOlder() = client.loadOlder(room)

    override fun loadNewer() = client.loadNewer(room)

    override fun jumpTo(seq: Long) = client.jumpTo(room, seq)

    override fun jumpToEnd() = client.jumpToEnd(room)

    override fun markRead() = client.markRead(room)

    override fun typed() = client.typed(room)

    override fun draft(text: String) = drafts.put(room, text)

    override fun attach(files: List<Uri>) {
        scope.launch {
            for (uri in files) {
                try {
                    val file = withContext(Dispatchers.IO) { context.contentResolver.newFile(uri) }
                    client.upload(room, file)
                } catch (_: IOException) {
                    notices.show("unreadable")
                } catch (_: SecurityException) {
                    // The other app has taken its permission back.
                    notices.show("unreadable")
                }
            }
        }
    }

    override fun retryUpload(key: String) = client.retryUpload(key)

    override fun cancelUpload(key: String) = client.cancelUpload(key)

    override fun open(file: ChatFile) {
        scope.launch {
            try {
                openFile(context, chat, file)
            } catch (_: IOException) {
                notices.show("unreadable")
            }
        }
    }

    override fun picture(file: ChatFile): Request = client.previewRequest(file)

    override suspend fun membersNamed(start: String): List<RoomMember> = try {
        chat.request { members(room, start, null, null, it) }.items.take(10)
    } catch (_: ChatRequestException) {
        emptyList()
    }

    override fun reconnect() = client.wake()
}
