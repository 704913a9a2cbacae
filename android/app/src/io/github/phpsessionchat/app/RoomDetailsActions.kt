package io.github.phpsessionchat.app

import android.content.Context
import android.net.Uri
import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.ui.platform.LocalContext
import io.github.phpsessionchat.Answers.Page
import io.github.phpsessionchat.Answers.Members
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.RoomChange
import io.github.phpsessionchat.RoomMember
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.newFile
import java.io.IOException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import okhttp3.Request

/** What the user can do in the details of a room. The functions that load throw a `ChatRequestException`. */
interface RoomDetailsActions : FileActions, RoomMenuActions {
    fun close()
    fun invite()
    fun jumpTo(seq: Long)
    fun unpin(seq: Long)
    fun openPerson(user: User)
    fun update(change: RoomChange)
    fun setPicture(picture: Uri)

    /** Chooses link previews in a direct room. */
    fun setPreviews(on: Boolean)

    /** Opens the list of muted and banned users. */
    fun openRestricted()
    fun leave()
    fun delete()

    /** @param present whether to return the connected members or the others; null: all */
    suspend fun members(query: String?, present: Boolean?, cursor: String?): Page<RoomMember>
    suspend fun files(content: Message.Content, cursor: String?): Page<Message>
}

@Composable
fun rememberDetailsActions(app: AppParts, room: String, host: SnackbarHostState): RoomDetailsActions {
    val scope = rememberCoroutineScope()
    val context = LocalContext.current
    return remember(room) {
        val notices = Notices(context, host)
        DetailsActions(app, room, Requests(app.chat, notices, scope), notices, scope, context)
    }
}

private fun updateError(code: String) = if (code == "conflict") R.string.create_taken else errorText(code)

private class DetailsActions(
    private val app: AppParts,
    private val room: String,
    private val perform: Requests,
    private val notices: Notices,
    scope: CoroutineScope,
    private val context: Context,
) : RoomDetailsActions, RoomMenuActions by ChatRoomMenu(app, perform) {
    private val chat = app.chat
    private val opener = FileOpener(context, chat, notices, scope)

    override fun close() = app.navigation.back()

    override fun invite() = app.navigation.open(Screen.Invite(room))

    override fun jumpTo(seq: Long) = app.navigation.openMessage(room, seq)

    override fun unpin(seq: Long) = perform { request<Void?> { pin(room, seq, false, it) } }

    override fun openPerson(user: User) = app.navigation.open(Screen.Person(room, user.id, user.name))

    override fun update(change: RoomChange) = perform(::updateError) { request<RoomSummary> { updateRoom(room, change, it) } }

    override fun setPicture(picture: Uri) = perform {
        try {
            setRoomPicture(room, withContext(Dispatchers.IO) { context.contentResolver.newFile(picture) })
        } catch (_: IOException) {
            notices.show("unreadable")
        }
    }

    override fun setPreviews(on: Boolean) = perform { request<RoomSummary> { setPreviews(room, on, it) } }

    override fun openRestricted() = app.navigation.open(Screen.Restricted(room))

    override fun delete() = perform { request<Void?> { deleteRoom(room, it) } }

    override fun leave() = perform { request<Void?> { leaveRoom(room, it) } }

    override suspend fun members(query: String?, present: Boolean?, cursor: String?): Page<RoomMember> =
        chat.request<Members> { members(room, query, present, cursor, it) }

    override suspend fun files(content: Message.Content, cursor: String?): Page<Message> =
        chat.request { files(room, content, cursor, it) }

    override val downloads get() = opener.progress

    override fun open(file: ChatFile) = opener.open(file)

    override fun picture(file: ChatFile): Request = chat.client.previewRequest(file)
}
