package io.github.phpsessionchat.app

import android.os.Handler
import android.os.Looper
import io.github.phpsessionchat.Callback
import io.github.phpsessionchat.Chat
import io.github.phpsessionchat.ChatError
import io.github.phpsessionchat.ChatListener
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.FileOutbox
import io.github.phpsessionchat.HistoryView
import io.github.phpsessionchat.Identity
import io.github.phpsessionchat.Removal
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User
import java.io.File
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import okhttp3.CookieJar
import okhttp3.OkHttpClient

/** Whether the user may see the chat. */
sealed interface Access {
    /** Not known yet, or being checked again. */
    data object Checking : Access

    data object Granted : Access

    data class Ended(val reason: ConnectionState.Reason) : Access

    data class Refused(val refusal: ConnectionState.Refusal) : Access
}

/** The open room. `view` is null until the messages are loaded. */
data class Conversation(val room: String, val entries: List<Entry>, val view: HistoryView?)

/** Owns the app's [Chat], and exposes its events as state. Use it on the main thread. */
class ChatHolder(server: String, cookies: CookieJar, outbox: File) : ChatListener {
    private val main = Handler(Looper.getMainLooper())
    private val chat = Chat.builder(server, { main.post(it) }, this)
        .http(OkHttpClient.Builder().cookieJar(cookies).build())
        .outbox(FileOutbox(outbox, server))
        .build()

    private val mutableAccess = MutableStateFlow<Access>(Access.Checking)
    private val mutableConnection = MutableStateFlow(ConnectionState.Kind.STOPPED)
    private val mutableMe = MutableStateFlow<Identity?>(null)
    private val mutableRooms = MutableStateFlow<List<RoomSummary>>(emptyList())
    private val mutableConversation = MutableStateFlow<Conversation?>(null)

    val access: StateFlow<Access> = mutableAccess.asStateFlow()
    val connection: StateFlow<ConnectionState.Kind> = mutableConnection.asStateFlow()
    val me: StateFlow<Identity?> = mutableMe.asStateFlow()
    val rooms: StateFlow<List<RoomSummary>> = mutableRooms.asStateFlow()
    val conversation: StateFlow<Conversation?> = mutableConversation.asStateFlow()

    private var lastUser: User? = null

    fun start() = chat.start()

    fun stop() = chat.stop()

    /** Reconnects at once if the connection is lost. */
    fun wake() = chat.wake()

    /** Opens a room instead of the open one. The user joins it if it is public. */
    fun open(room: String) {
        if (mutableConversation.value?.room == room) return
        close()
        mutableConversation.value = Conversation(room, emptyList(), null)
        chat.openRoom(room, object : Callback<RoomSummary> {
            override fun done(answer: RoomSummary) = Unit

            override fun failed(error: ChatError) {
                // After the end of a session, the room opens again with the next login of the same user.
                if (error.code != ChatError.OFFLINE) forget(room)
            }
        })
    }

    fun close() {
        val room = mutableConversation.value?.room ?: return
        mutableConversation.value = null
        chat.closeRoom(room)
    }

    fun send(text: String) = inRoom { chat.send(it, text) }

    fun retry(clientId: String) = chat.retry(clientId)

    fun discard(clientId: String) = chat.discard(clientId)

    fun loadOlder() = inRoom(chat::loadOlder)

    fun loadNewer() = inRoom(chat::loadNewer)

    fun markRead() = inRoom(chat::markRead)

    private fun inRoom(action: (String) -> Unit) {
        mutableConversation.value?.let { action(it.room) }
    }

    /** Leaves the screen of a room that the server closed. */
    private fun forget(room: String) {
        if (mutableConversation.value?.room == room) mutableConversation.value = null
    }

    override fun onState(state: ConnectionState) {
        mutableConnection.value = state.kind
        val reason = state.reason
        if (state.kind == ConnectionState.Kind.SESSION_ENDED && reason != null) mutableAccess.value = Access.Ended(reason)
        state.refusal?.let { mutableAccess.value = Access.Refused(it) }
    }

    override fun onIdentity(me: Identity) {
        if (lastUser != null && lastUser != me.user) close()
        lastUser = me.user
        mutableMe.value = me
        mutableAccess.value = Access.Granted
    }

    override fun onHide() {
        mutableAccess.value = Access.Checking
        mutableMe.value = null
        mutableRooms.value = emptyList()
        mutableConversation.value = mutableConversation.value?.let { Conversation(it.room, emptyList(), null) }
    }

    override fun onRooms(rooms: List<RoomSummary>) {
        mutableRooms.value = rooms
    }

    override fun onMessages(room: String, entries: List<Entry>, view: HistoryView) {
        if (mutableConversation.value?.room == room) mutableConversation.value = Conversation(room, entries, view)
    }

    override fun onRoomRemoved(room: RoomSummary, removal: Removal) = forget(room.id)
}
