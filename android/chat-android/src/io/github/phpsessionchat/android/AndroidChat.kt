package io.github.phpsessionchat.android

import android.os.Handler
import android.os.Looper
import android.os.SystemClock
import io.github.phpsessionchat.Answers.Page
import io.github.phpsessionchat.Answers.SeenBy
import io.github.phpsessionchat.Callback
import io.github.phpsessionchat.Chat
import io.github.phpsessionchat.ChatError
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.ChatListener
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.FileOutbox
import io.github.phpsessionchat.HeldMessage
import io.github.phpsessionchat.HistoryView
import io.github.phpsessionchat.Identity
import io.github.phpsessionchat.NewFile
import io.github.phpsessionchat.PinnedMessage
import io.github.phpsessionchat.Question
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.Removal
import io.github.phpsessionchat.Replies
import io.github.phpsessionchat.RoomChange
import io.github.phpsessionchat.RoomMember
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.ScheduledMessage
import io.github.phpsessionchat.SiteBan
import io.github.phpsessionchat.UnsentMessage
import io.github.phpsessionchat.Upload
import io.github.phpsessionchat.User
import java.io.File
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.SharedFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asSharedFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.combine
import kotlinx.coroutines.flow.filterNotNull
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.suspendCancellableCoroutine
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import okhttp3.OkHttpClient

private const val ACTIVITY_INTERVAL_MS = 30_000L

/** For so long the client looks for a new session after the end of one. */
private const val RESUME_MS = 6_000L

/** Why a login ended, if neither the user nor the site ended it. */
private val RUN_OUT = setOf(ConnectionState.Reason.EXPIRED, ConnectionState.Reason.UNAUTHORIZED)

/** Whether the client waits for its next attempt to connect. */
val ConnectionState.Kind.isWaiting
    get() = this == ConnectionState.Kind.OFFLINE ||
        this == ConnectionState.Kind.STORE_UNAVAILABLE ||
        this == ConnectionState.Kind.RATE_LIMITED

/** Whether the user may see the chat. */
sealed interface Access {
    /** Not known yet, or being checked again. */
    data object Checking : Access

    data object Granted : Access

    /**
     * The server cannot be reached since the start, so the rooms and messages are those of the [OfflineStore]. What the
     * user writes there is sent when the server can be reached.
     */
    data object Offline : Access

    data class Ended(val reason: ConnectionState.Reason) : Access

    data class Refused(val refusal: ConnectionState.Refusal, val ban: SiteBan?) : Access
}

/** The open room. `view` is null until the messages are loaded. */
data class Conversation(
    val room: String,
    val entries: List<Entry> = emptyList(),
    val view: HistoryView? = null,
    val typing: List<User> = emptyList(),
    /** In a direct room, the last message that the other user has read. */
    val readByOther: Long = 0,
    /** The `seq` of the message to scroll to, or 0. */
    val target: Long = 0,
    /** The threads of the loaded messages, by thread number. */
    val replies: Map<Long, Replies> = emptyMap(),
    /** Whether the user follows a thread, for threads where that changed. */
    val followed: Map<Long, Boolean> = emptyMap(),
    /** The threads whose replies the user has seen since they were loaded. */
    val seenThreads: Set<Long> = emptySet(),
    /** The pinned messages, the latest pin first; null until they are loaded. */
    val pins: List<PinnedMessage>? = null,
    val members: MemberChanges = MemberChanges(),
)

/** What changed among the members of the open room since the client joined it. */
data class MemberChanges(
    /** The connected users; null until they are known. Some of more than 100 are missing. */
    val present: List<User>? = null,
    val presentCount: Int = 0,
    /** Changed members by ID, with their new role or name. Null if the user left. */
    val changed: Map<String, RoomMember?> = emptyMap(),
    /** Rises when changes may be missing. Then load the members again. */
    val missed: Int = 0,
)

/** The users who saw a message. */
class Seen(val room: String, val seq: Long, val by: SeenBy)

/** A card that may have changed. @param card the reference, as in a message */
class CardChange(val room: String, val card: String)

/** A request that failed. `code` is an error code of the protocol. */
class ChatRequestException(val code: String) : Exception(code)

/**
 * A [Chat] with its events as state. Use it on the main thread.
 *
 * @param server the address of the chat server, such as `https://www.example.org/chat/`
 * @param http the client whose cookies identify the user, usually with [WebViewCookies]
 * @param outbox a folder for unsent messages, in the app's `filesDir`
 * @param offline null: rooms and messages are not stored
 * @param visits null: only the user's own visits to the site renew the login
 */
class AndroidChat(
    val server: String,
    val http: OkHttpClient,
    outbox: File,
    private val offline: OfflineStore? = null,
    val visits: SiteVisits? = null,
) {
    private val main = Handler(Looper.getMainLooper())
    private val scope = MainScope()

    private val unsentMessages = UnsentMessages(FileOutbox(outbox, server))

    /** For everything that this class does not wrap. */
    val client: Chat = Chat.builder(server, { main.post(it) }, Events())
        .http(http)
        .outbox(unsentMessages)
        .build()

    private val mutableAccess = MutableStateFlow<Access>(Access.Checking)
    private val mutableConnection = MutableStateFlow(ConnectionState.Kind.STOPPED)
    private val mutableMe = MutableStateFlow<Identity?>(null)
    private val mutableRooms = MutableStateFlow<List<RoomSummary>>(emptyList())
    private val mutableRoomsUpToDate = MutableStateFlow(false)
    private val mutableConversation = MutableStateFlow<Conversation?>(null)
    private val mutableUploads = MutableStateFlow<List<Upload>>(emptyList())
    private val mutableSeen = MutableSharedFlow<Seen>(extraBufferCapacity = 8)
    private val mutableFailures = MutableSharedFlow<UnsentMessage>(extraBufferCapacity = 8)
    private val mutableCardChanges = MutableSharedFlow<CardChange>(extraBufferCapacity = 8)
    private val mutableQuestionChanges = MutableSharedFlow<Question>(extraBufferCapacity = 8)
    private val mutableHeld = MutableStateFlow<List<HeldMessage>>(emptyList())
    private val mutableScheduled = MutableStateFlow<List<ScheduledMessage>?>(null)
    private val mutableReminders = MutableStateFlow<List<Reminder>?>(null)

    val access: StateFlow<Access> = mutableAccess.asStateFlow()
    val connection: StateFlow<ConnectionState.Kind> = mutableConnection.asStateFlow()
    val me: StateFlow<Identity?> = mutableMe.asStateFlow()
    val rooms: StateFlow<List<RoomSummary>> = mutableRooms.asStateFlow()

    /** Whether [rooms] is the whole list of the current connection; false while they may be old. */
    val roomsUpToDate: StateFlow<Boolean> = mutableRoomsUpToDate.asStateFlow()
    val conversation: StateFlow<Conversation?> = mutableConversation.asStateFlow()

    /** Uploads that are in progress, failed, or not yet part of a message. */
    val uploads: StateFlow<List<Upload>> = mutableUploads.asStateFlow()

    /** Emits the users who saw the message of the latest [Chat.seenBy] in the open room, after each change. */
    val seen: SharedFlow<Seen> = mutableSeen.asSharedFlow()

    /** Messages that failed, or are pending approval. */
    val failures: SharedFlow<UnsentMessage> = mutableFailures.asSharedFlow()

    /** Emits the cards of the open room whose button a user clicked. */
    val cardChanges: SharedFlow<CardChange> = mutableCardChanges.asSharedFlow()

    /** For the team of the site: emits a question after each change. */
    val questionChanges: SharedFlow<Question> = mutableQuestionChanges.asSharedFlow()

    /** The user's scheduled messages in all rooms, including failed ones. Null until they are loaded. */
    val scheduled: StateFlow<List<ScheduledMessage>?> = mutableScheduled.asStateFlow()

    /** The user's reminders in all rooms, by time, including those that are due. Null until they are loaded. */
    val reminders: StateFlow<List<Reminder>?> = mutableReminders.asStateFlow()

    /** For moderators: the newest messages of others that wait for a decision. */
    val held: StateFlow<List<HeldMessage>> = mutableHeld.asStateFlow()

    /** Cancelled ones, which the client may list for a moment, and pictures of rooms. */
    private val hiddenUploads = mutableSetOf<String>()

    /** By the key of the upload. */
    private val pictures = mutableMapOf<String, CompletableDeferred<ChatFile>>()

    /** The rooms that the user moderated when [held] was loaded. */
    private var moderated = emptySet<String>()

    /** See [UnsentMessages.ids]. */
    internal val unsent get() = unsentMessages.ids

    /** How many tasks need the connection now. */
    private var connectedTasks = 0

    private var lastUser: User? = null

    /** By [SystemClock.elapsedRealtime]. */
    private var nextActivityAt = 0L

    /** Why the login ended before the site was visited for a new one. The next end is final then. */
    private var endBeforeVisit: ConnectionState.Reason? = null

    /** Whether the session may have ended, so that not even stored rooms may be shown. */
    private var isHidden = false

    /** The rooms as the server has sent them; null before that. */
    private val roomsToStore = MutableStateFlow<List<RoomSummary>?>(null)

    init {
        offline?.let { scope.store(it, mutableMe, roomsToStore, mutableConversation) }
    }

    /**
     * Opens a room instead of the open one. The user joins it if it is public.
     *
     * @param target the message to show; 0: the newest ones
     */
    fun open(room: String, target: Long = 0) {
        val isOpen = mutableConversation.value?.room == room
        if (isOpen && target == 0L) return
        if (!isOpen) {
            close()
            mutableConversation.value = Conversation(room)
        }
        update(room) { it.copy(target = target) }
        if (!isOpen && connection.value != ConnectionState.Kind.ONLINE) showStoredMessages(room)
        client.openRoom(room, object : Callback<RoomSummary> {
            override fun done(answer: RoomSummary) {
                if (target > 0) client.jumpTo(room, target)
            }

            override fun failed(error: ChatError) {
                // After the end of a session, the room opens again with the next login of the same user.
                if (error.code != ChatError.OFFLINE) forget(room)
            }
        })
    }

    private fun showStoredMessages(room: String) {
        val store = offline ?: return
        scope.launch {
            val entries = withContext(Dispatchers.IO) { store.messages(room) }
            if (mutableMe.value == null) return@launch
            update(room) { if (it.view == null) it.copy(entries = entries + it.entries.filter { entry -> entry.unsent != null }) else it }
        }
    }

    private fun showStoredRooms() {
        val store = offline ?: return
        scope.launch {
            val copy = withContext(Dispatchers.IO) { store.rooms() } ?: return@launch
            if (mutableAccess.value != Access.Checking || isHidden) return@launch
            client.restore(copy)
            lastUser = copy.me.user
            mutableMe.value = copy.me
            mutableRooms.value = copy.rooms
            mutableAccess.value = Access.Offline
            mutableConversation.value?.let { showStoredMessages(it.room) }
        }
    }

    /** Call it when the target of the conversation is on the screen. */
    fun reachTarget() {
        mutableConversation.value = mutableConversation.value?.copy(target = 0)
    }

    fun close() {
        val room = mutableConversation.value?.room ?: return
        mutableConversation.value = null
        client.closeRoom(room)
    }

    /** Call it when the user sees the replies of a thread in the open room. */
    fun seeReplies(thread: Long) {
        mutableConversation.value?.let { mutableConversation.value = it.copy(seenThreads = it.seenThreads + thread) }
    }

    /**
     * Disconnects, hides the chat until the next login, and deletes all stored data, including unsent messages. Call it
     * when the user logs out on this device. Then delete the login and start the [client].
     */
    fun forgetUser() {
        offline?.clear()
        close()
        client.forgetUser()
        hide()
    }

    /**
     * Visits the site for a new login, and then connects. The site may remember the user, although the session ended.
     *
     * @return false if the user must log in
     */
    private fun renewLogin(reason: ConnectionState.Reason): Boolean {
        val site = visits ?: return false
        // While the login page is open, a visit could make its form invalid.
        if (endBeforeVisit != null || mutableAccess.value is Access.Ended || site.cookies.isEmpty()) return false
        val hasRunOut = reason in RUN_OUT
        if (!hasRunOut && !(reason == ConnectionState.Reason.LOGOUT && site.isVisiting)) return false
        endBeforeVisit = reason
        scope.launch {
            val hasAnswer = if (hasRunOut) site.visit() else site.awaitVisit()
            // The site may have replaced the session before it answered. Then the client finds the new cookie by itself.
            if (!hasRunOut) withTimeoutOrNull(RESUME_MS) { connection.first { it != ConnectionState.Kind.SESSION_ENDED } }
            if (connection.value != ConnectionState.Kind.SESSION_ENDED) return@launch
            if (hasAnswer) client.start() else end(Access.Ended(reason))
        }
        return true
    }

    /** Visits the site. Connects if the session is a new one, because pushes belong to a session. */
    internal suspend fun visitInBackground() {
        val site = visits ?: return
        if (access.value is Access.Ended || access.value is Access.Refused) return
        val before = site.cookies
        if (site.visit() && site.cookies != before) whileConnected { if (awaitLogin()) ChatNotifications.registerAgain() }
    }

    /** Whether the user must log in, without having logged out. */
    internal val hasExpired get() = access.value.let { it is Access.Ended && it.reason in RUN_OUT }

    /** Waits for the answer of the server whether the user is logged in. */
    internal suspend fun awaitLogin(): Boolean = combine(connection, access) { connection, access ->
        if (connection == ConnectionState.Kind.ONLINE) true else if (access is Access.Ended || access is Access.Refused) false else null
    }.filterNotNull().first()

    private fun end(access: Access) {
        offline?.clear()
        // The next user must not join a room that was open before the process ended.
        if (lastUser == null) close()
        clearState()
        mutableAccess.value = access
    }

    private fun hide() {
        isHidden = true
        // The login page stays open while the client tries again.
        if (mutableAccess.value !is Access.Ended) mutableAccess.value = Access.Checking
        clearState()
    }

    private fun clearState() {
        mutableMe.value = null
        mutableRooms.value = emptyList()
        mutableRoomsUpToDate.value = false
        roomsToStore.value = null
        mutableUploads.value = emptyList()
        mutableScheduled.value = null
        mutableReminders.value = null
        mutableHeld.value = emptyList()
        moderated = emptySet()
        mutableConversation.value = mutableConversation.value?.let { Conversation(it.room, target = it.target) }
    }

    private fun loadHeld() {
        if (moderated.isEmpty()) {
            mutableHeld.value = emptyList()
            return
        }
        client.held(null, object : Callback<Page<HeldMessage>> {
            override fun done(answer: Page<HeldMessage>) {
                if (moderated.isNotEmpty()) mutableHeld.value = answer.items
            }

            // The next connection loads them again.
            override fun failed(error: ChatError) = Unit
        })
    }

    private fun loadScheduled() = client.scheduled(object : Callback<List<ScheduledMessage>> {
        override fun done(answer: List<ScheduledMessage>) {
            if (mutableMe.value != null) mutableScheduled.value = answer
        }

        // The next connection loads them again.
        override fun failed(error: ChatError) = Unit
    })

    private fun loadReminders() = client.reminders(object : Callback<List<Reminder>> {
        override fun done(answer: List<Reminder>) {
            if (mutableMe.value != null) mutableReminders.value = answer
        }

        // The next connection loads them again.
        override fun failed(error: ChatError) = Unit
    })

    /** Cancels an upload. See [Chat.cancelUpload]. */
    fun cancelUpload(key: String) {
        client.cancelUpload(key)
        hiddenUploads += key
        listUploads()
    }

    private fun listUploads() {
        mutableUploads.value = client.uploads().filter { it.key !in hiddenUploads }
    }

    /**
     * Uploads a picture, and sets it as the picture of a room.
     *
     * @throws ChatRequestException with the code of the upload or of the change
     */
    suspend fun setRoomPicture(room: String, picture: NewFile) {
        val key = client.upload(room, picture.asRoomPicture())
        hiddenUploads += key
        try {
            val file = CompletableDeferred<ChatFile>().also { pictures[key] = it }.await()
            request<RoomSummary> { updateRoom(room, RoomChange().picture(file), it) }
        } finally {
            pictures -= key
            client.cancelUpload(key)
        }
    }

    /** Leaves the screen of a room that the server closed. */
    private fun forget(room: String) {
        if (mutableConversation.value?.room == room) mutableConversation.value = null
    }

    /**
     * Sends a request and waits for the answer: `chat.request<Message> { react(message, "👍", true, it) }`.
     *
     * @throws ChatRequestException if the server refuses it, or with the code `offline` without a connection
     */
    suspend fun <T> request(send: Chat.(Callback<T>) -> Unit): T = suspendCancellableCoroutine { waiting ->
        client.send(object : Callback<T> {
            override fun done(answer: T) = waiting.resume(answer)

            override fun failed(error: ChatError) = waiting.resumeWithException(ChatRequestException(error.code))
        })
    }

    /**
     * Lets mails and pushes wait while the user uses the app. Call it in `Activity.onUserInteraction`. Tells the server at
     * most every 30 seconds.
     */
    fun noteActivity() {
        val now = SystemClock.elapsedRealtime()
        if (connection.value != ConnectionState.Kind.ONLINE || now < nextActivityAt) return
        nextActivityAt = now + ACTIVITY_INTERVAL_MS
        client.active()
    }

    /** Waits for a connection. */
    suspend fun awaitOnline() {
        connection.first { it == ConnectionState.Kind.ONLINE }
    }

    /**
     * Waits for a connection, sends a request over it and waits for the answer, after a lost connection again.
     *
     * @throws ChatRequestException if the server refuses it, or with the code `offline` if the user must log in first
     */
    internal suspend fun <T> requestOnline(send: Chat.(Callback<T>) -> Unit): T {
        while (true) {
            if (!awaitLogin()) throw ChatRequestException(ChatError.OFFLINE)
            try {
                return request(send)
            } catch (e: ChatRequestException) {
                if (e.code != ChatError.OFFLINE && e.code != ChatError.TIMEOUT) throw e
            }
        }
    }

    /** Connects for a task that ends with [disconnect]. */
    internal fun connect() {
        connectedTasks++
        client.start()
    }

    /** Disconnects if no other task needs the connection. */
    internal fun disconnect() {
        if (--connectedTasks == 0) client.stop()
    }

    /** Connects for a task. */
    internal suspend fun <T> whileConnected(task: suspend () -> T): T {
        connect()
        try {
            return task()
        } finally {
            disconnect()
        }
    }

    /** Returns when no message is left to send, or the user must log in first. */
    internal suspend fun sendAll() = whileConnected {
        combine(access, unsent) { access, unsent -> access is Access.Ended || access is Access.Refused || unsent?.isEmpty() == true }
            .first { it }
    }

    private fun update(room: String, change: (Conversation) -> Conversation) {
        mutableConversation.value?.let { if (it.room == room) mutableConversation.value = change(it) }
    }

    private inner class Events : ChatListener {
        override fun onState(state: ConnectionState) {
            mutableConnection.value = state.kind
            // A new connection also needs the time zone and language.
            nextActivityAt = 0
            val reason = state.reason
            if (state.kind == ConnectionState.Kind.SESSION_ENDED && reason != null && !renewLogin(reason)) {
                end(Access.Ended(endBeforeVisit?.takeIf { reason == ConnectionState.Reason.UNAUTHORIZED } ?: reason))
            }
            if (state.kind == ConnectionState.Kind.ONLINE || state.kind == ConnectionState.Kind.STOPPED) endBeforeVisit = null
            state.refusal?.let { end(Access.Refused(it, state.ban)) }
            if (state.kind == ConnectionState.Kind.ONLINE) {
                loadScheduled()
                loadReminders()
                loadHeld()
                mutableConversation.value?.let { open -> update(open.room) { it.copy(members = MemberChanges(missed = it.members.missed + 1)) } }
            }
            if (state.kind.isWaiting && mutableAccess.value == Access.Checking) showStoredRooms()
        }

        override fun onIdentity(me: Identity) {
            offline?.openFor(me.user.id)
            isHidden = false
            if (lastUser != null && lastUser != me.user) close()
            lastUser = me.user
            mutableMe.value = me
            mutableAccess.value = Access.Granted
        }

        override fun onHide() = hide()

        override fun onRooms(rooms: List<RoomSummary>, upToDate: Boolean) {
            val now = rooms.filter { it.may(RoomSummary.Right.MODERATE) }.map { it.id }.toSet()
            if (now != moderated) {
                moderated = now
                loadHeld()
            }
            mutableRooms.value = rooms
            mutableRoomsUpToDate.value = upToDate
            // A list that lacks rooms would delete their stored messages.
            if (upToDate) roomsToStore.value = rooms
        }

        override fun onMessages(room: String, entries: List<Entry>, view: HistoryView) {
            update(room) {
                val isLoaded = it.view != null || view.upToDate || entries.any { entry -> entry.message != null }
                // Until then, stored messages stay above the unsent ones.
                if (isLoaded) it.copy(entries = entries, view = view)
                else it.copy(entries = it.entries.filter { entry -> entry.message != null } + entries)
            }
            // An upload leaves the list when its message is stored.
            listUploads()
        }

        override fun onUnsent(message: UnsentMessage) {
            mutableFailures.tryEmit(message)
        }

        override fun onUpload(upload: Upload) {
            listUploads()
            val picture = pictures[upload.key] ?: return
            upload.file?.let(picture::complete)
            upload.failed?.let { picture.completeExceptionally(ChatRequestException(it)) }
        }

        override fun onReplies(room: String, threads: List<Replies>) =
            update(room) { it.copy(replies = it.replies + threads.associateBy { thread -> thread.thread }) }

        override fun onFollowed(room: String, thread: Long, following: Boolean) =
            update(room) { it.copy(followed = it.followed + (thread to following)) }

        override fun onPins(room: String, pins: List<PinnedMessage>) = update(room) { it.copy(pins = pins) }

        override fun onPresent(room: String, users: List<User>, count: Int) =
            update(room) { it.copy(members = it.members.copy(present = users, presentCount = count)) }

        override fun onMembers(room: String, changed: List<RoomMember>, gone: List<User>, partial: Boolean) = update(room) {
            val before = it.members
            val members = if (partial) {
                before.copy(changed = emptyMap(), missed = before.missed + 1)
            } else {
                before.copy(changed = before.changed + changed.associateBy { member -> member.user.id } + gone.associate { user -> user.id to null })
            }
            it.copy(members = members)
        }

        override fun onSeenBy(room: String, seq: Long, seen: SeenBy) {
            mutableSeen.tryEmit(Seen(room, seq, seen))
        }

        override fun onCardChanged(room: String, card: String) {
            mutableCardChanges.tryEmit(CardChange(room, card))
        }

        override fun onTyping(room: String, users: List<User>) = update(room) { it.copy(typing = users) }

        override fun onReadByOther(room: String, seq: Long) = update(room) { it.copy(readByOther = seq) }

        override fun onHeld(room: String) = loadHeld()

        override fun onQuestion(question: Question) {
            mutableQuestionChanges.tryEmit(question)
        }

        override fun onScheduled(failure: String?) = loadScheduled()

        override fun onReminder(due: Boolean) = loadReminders()

        override fun onRoomRemoved(room: RoomSummary, removal: Removal) {
            forget(room.id)
            // The server deletes scheduled messages and reminders with their room.
            loadScheduled()
            loadReminders()
        }
    }
}
