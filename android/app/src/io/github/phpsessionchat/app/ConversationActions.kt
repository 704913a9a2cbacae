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
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.ChatRequestException
import io.github.phpsessionchat.android.newFile
import java.io.IOException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import okhttp3.Request

/** What the user can do in a room. `retry` and `discard` get the ID of an unsent message. */
interface ConversationActions : FileActions {
    fun close()
    fun openDetails()
    fun openPerson(user: User)
    fun openThread(number: Long)
    fun send(message: NewMessage)
    fun edit(message: Message, edit: MessageEdit)
    fun delete(message: Message)

    /** Returns whether the message is pinned; null if that is unknown. */
    suspend fun isPinned(message: Message): Boolean?
    fun pin(message: Message, pinned: Boolean)
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
    suspend fun show(code: String) = say(context.getString(errorText(code)))

    suspend fun say(text: String) = host.showSnackbar(text)
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
    private val navigation = app.navigation
    private val perform = Requests(chat, notices, scope)

    override fun close() = chat.close()

    override fun openDetails() = navigation.open(Screen.RoomDetails(room))

    override fun openPerson(user: User) = navigation.open(Screen.Person(room, user.id, user.name))

    override fun openThread(number: Long) = navigation.open(Screen.Thread(room, number))

    override fun send(message: NewMessage) {
        client.send(room, message)
        drafts.put(room, "")
    }

    override fun edit(message: Message, edit: MessageEdit) = perform { request<Message> { edit(message, edit, it) } }

    override fun delete(message: Message) = perform { request<Message> { delete(message, null, it) } }

    override suspend fun isPinned(message: Message): Boolean? = try {
        chat.request { pinned(room, it) }.any { it.message.seq == message.seq }
    } catch (_: ChatRequestException) {
        null
    }

    override fun pin(message: Message, pinned: Boolean) = perform { request<Void?> { pin(message, pinned, it) } }

    override fun react(message: Message, emoji: String, on: Boolean) = perform { request<Message> { react(message, emoji, on, it) } }

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
