package io.github.phpsessionchat.android

import android.Manifest
import android.app.Activity
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.os.Build
import androidx.core.app.NotificationCompat
import androidx.core.app.NotificationManagerCompat
import androidx.core.app.Person
import androidx.core.app.RemoteInput
import androidx.core.content.ContextCompat
import androidx.core.content.IntentCompat
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.ProcessLifecycleOwner
import io.github.phpsessionchat.ChatError
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.RepliesPage
import io.github.phpsessionchat.RoomSummary
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.combine
import kotlinx.coroutines.flow.filterNotNull
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull

/** How long a push or a reply may take. Android ends both after 10 seconds. */
private const val MAX_MS = 8_000L

/** How long the job of a push tries before it waits for the next attempt. Android may end it after a minute. */
private const val JOB_MS = 50_000L

private const val JOB_ID = 0x70757368

private const val CHANNEL = "messages"

/** For half a second after an answer, Android ignores that its notification is removed. */
private const val SETTLE_MS = 1_000L

/** The answer field of a notification. */
private const val REPLY = "reply"

/** Distinguishes the intent of this button from that of the answer. */
private const val MARK_READ = 1

/** The IDs of the notifications of a room. */
private const val UNREAD = 1
private const val REMINDER = 2
private const val NOT_SENT = 3

/** Marks the notification that asks for a login. IDs of rooms have no blank. */
private const val LOGIN = "log in"

/** Marks a notification whose message is not loaded yet, with the `seq` of the push. */
private const val NOT_LOADED = "io.github.phpsessionchat.notLoaded"

/** Errors after which a push has nothing to show: the room is gone, or the user must log in first. */
private val FINAL_ERRORS = setOf("unknown_room", "forbidden", ChatError.OFFLINE)

/**
 * Shows notifications for pushes of the chat server (`CHAT_FCM`), with a field for an answer and a button that marks the
 * messages as read. Create it in
 * `Application.onCreate`, because an answer can start the process. Use it on the main thread.
 *
 * @param drafts keeps an answer that could not be sent; null: the answer is lost
 */
class ChatNotifications(private val context: Context, private val chat: AndroidChat, private val drafts: Drafts?, look: Look) {
    /**
     * How notifications look.
     *
     * @param icon a drawable in one colour
     * @param screen the activity to open; [targetOf] returns what its intent leads to
     * @param newMessage the title if the message is not shown
     * @param logIn the text if the login has ended
     * @param notSent the title if an answer could not be sent
     */
    class Look(
        val icon: Int,
        val screen: Class<out Activity>,
        val channelName: String,
        val newMessage: String,
        val logIn: String,
        val reply: String,
        val markRead: String,
        val notSent: String,
    )

    /** Set it again when the language changes. */
    var look = look
        set(value) {
            field = value
            createChannel()
        }

    private val manager = NotificationManagerCompat.from(context)
    private val scope = MainScope()
    private var token: String? = null
    private var device: String? = null

    /** The rooms whose answers are being sent. */
    private val answered = mutableSetOf<String>()

    /** The messages of answers that have not failed. */
    private val answers = mutableSetOf<String>()

    private val isShown get() = ProcessLifecycleOwner.get().lifecycle.currentState.isAtLeast(Lifecycle.State.STARTED)

    init {
        current = this
        createChannel()
        // Registers again, because the user may have changed.
        scope.launch { chat.me.collect { if (it != null) launch { register() } } }
        scope.launch {
            chat.access.collect {
                if (it is Access.Ended || it is Access.Refused) manager.cancelAll()
                if (it == Access.Granted) manager.cancel(LOGIN, UNREAD)
            }
        }
        scope.launch {
            chat.failures.collect { if (it.failed != "held" && answers.remove(it.clientId)) showNotSent(it.room, it.text) }
        }
        scope.launch { chat.conversation.collect { if (it != null) manager.cancel(it.room, NOT_SENT) } }
        // Reminders that the user has seen, here or on another device.
        scope.launch {
            chat.reminders.filterNotNull().collect { reminders ->
                val due = reminders.filter { it.due }.map { it.room }
                for (shown in manager.activeNotifications) if (shown.id == REMINDER && shown.tag !in due) manager.cancel(shown.tag, REMINDER)
            }
        }
        // Rooms that the user has read on another device. An older list may not know the message of a push.
        scope.launch {
            combine(chat.rooms, chat.roomsUpToDate) { rooms, isUpToDate -> if (isUpToDate) rooms else emptyList() }.collect { rooms ->
                for (room in rooms) if (room.member && room.unread == 0L && room.id !in answered) manager.cancel(room.id, UNREAD)
            }
        }
    }

    /** Also renames it. */
    private fun createChannel() =
        manager.createNotificationChannel(NotificationChannel(CHANNEL, look.channelName, NotificationManager.IMPORTANCE_HIGH))

    /** Registers this device with its token of the push service. Call it at each start, and when the token changes. */
    fun useToken(token: String) {
        this.token = token
        if (chat.me.value != null) scope.launch { register() }
    }

    private suspend fun register() {
        val token = token ?: return
        try {
            device = chat.request<String> { registerDevice(token, Build.MODEL, it) }
        } catch (_: ChatRequestException) {
            // Registered at the next connection.
        }
    }

    /** Ends the pushes to this device. Call it before the user logs out, because the server needs the login for it. */
    suspend fun removeDevice() {
        manager.cancelAll()
        val registered = device ?: return
        device = null
        try {
            chat.request<Void?> { removeDevice(registered, it) }
        } catch (_: ChatRequestException) {
            // After the logout the server sends one push with `expired`, and no more.
        }
    }

    /**
     * Shows the message of a push, unless the app is visible. If the server does not answer within 8 seconds, shows that
     * there is a new message, which a job loads later.
     */
    suspend fun show(push: Map<String, String>) {
        if (isShown) return
        val room = push["room"]
        // Null if that is not known yet.
        val hasLogin = if ("expired" in push) hasNewLogin() else true
        if (hasLogin == false || (hasLogin == null && room == null)) {
            askForLogin()
            return
        }
        if (room == null) return
        // Texts of strangers do not belong on the lock screen.
        if (push["member"] == "false" || push["accepted"] == "false") {
            val seq = if (push["member"] == "false") push["seq"]?.toLongOrNull() ?: 0L else 0L
            notify(Target(room, seq), look.newMessage, null, null)
            return
        }
        val id = if ("reminder" in push) REMINDER else UNREAD
        val seq = push["seq"]?.toLongOrNull() ?: 0L
        val loaded = if (hasLogin == null) null else withTimeoutOrNull(MAX_MS) { load(room, seq, id) }
        if (isShown) return
        if (loaded != null) {
            show(room, id, loaded)
            return
        }
        // Another person may use the device now.
        if (hasLogin == null) notify(targetOf(room, id, seq), look.newMessage, look.logIn, null, id, notLoaded = seq)
        else notify(targetOf(room, id, seq), titleOf(room) ?: look.newMessage, null, null, id, notLoaded = seq)
        PushJob.schedule(context)
    }

    private fun askForLogin() {
        manager.cancelAll()
        notify(null, look.newMessage, look.logIn, null)
    }

    /** Whether the site gives the user a new login without a password. Null if it does not answer in time. */
    private suspend fun hasNewLogin(): Boolean? =
        if (chat.visits == null) false else withTimeoutOrNull(MAX_MS) { chat.whileConnected { chat.awaitLogin() } }

    private fun targetOf(room: String, id: Int, seq: Long) = if (id == REMINDER) Target(room, seq, isReminder = true) else Target(room, 0)

    private fun titleOf(room: String) = chat.rooms.value.find { it.id == room && it.member }?.let { it.with?.name ?: it.name }

    private fun show(room: String, id: Int, loaded: Loaded, isUpdate: Boolean = false) = when (loaded) {
        is Last -> notify(targetOf(room, id, loaded.seq), loaded.title, loaded.text, loaded, id, isUpdate = isUpdate)
        NoMessage -> manager.cancel(room, id)
    }

    /**
     * Loads the messages of notifications that were shown without.
     *
     * @return false if the server does not answer, so that it must be tried again
     */
    internal suspend fun loadMissing(): Boolean = chat.whileConnected {
        var isDone = true
        for (shown in manager.activeNotifications) {
            val room = shown.tag ?: continue
            if (!shown.notification.extras.containsKey(NOT_LOADED)) continue
            val loaded = load(room, shown.notification.extras.getLong(NOT_LOADED), shown.id)
            if (loaded == null) isDone = false
            // Otherwise the notification would disappear.
            else if (loaded == NoMessage && chat.hasExpired) askForLogin()
            // The user may have removed it since, or a later push has replaced it.
            else if (manager.activeNotifications.any { it.tag == room && it.id == shown.id }) show(room, shown.id, loaded, isUpdate = true)
        }
        isDone
    }

    /** What the server answered about a push. */
    private sealed interface Loaded

    /** @param isReply whether it is shown only in a thread, where the field for an answer does not write */
    private class Last(val title: String, val seq: Long, val text: String?, val author: String, val isReply: Boolean = false) : Loaded

    /** The message was read or deleted, or its room is gone. */
    private data object NoMessage : Loaded

    /** Returns null if the server cannot answer now. */
    private suspend fun load(room: String, seq: Long, id: Int): Loaded? = chat.whileConnected {
        try {
            (if (id == REMINDER) reminded(room, seq) else lastUnread(room, seq)) ?: NoMessage
        } catch (e: ChatRequestException) {
            if (e.code in FINAL_ERRORS) NoMessage else null
        }
    }

    /**
     * Returns the newest message of a room with unread messages. Opening the room would join a public room again.
     *
     * @param seq the message of the push
     */
    private suspend fun lastUnread(room: String, seq: Long): Last? {
        // The list of rooms may be older than the push.
        val summary = chat.requestOnline<RoomSummary> { loadRoom(room, it) }
        if (!summary.member || summary.unread == 0L) return null
        val title = summary.with?.name ?: summary.name
        val last = summary.last
        // A reply that is shown only in its thread is never the last message of a room.
        if (last == null || last.seq < seq) replied(room, seq)?.let { return lastOf(title, it, isReply = true) }
        return last?.let { Last(title, it.seq, if (it.hidden) null else it.text, it.user.name) }
    }

    /** Returns a reply; null if it is not among the latest of its thread. */
    private suspend fun replied(room: String, seq: Long): Message? = try {
        chat.requestOnline<RepliesPage> { replies(room, seq, 0, it) }.messages.find { it.seq == seq && it.deletedAt == 0L }
    } catch (e: ChatRequestException) {
        if (e.code == "unknown_message") null else throw e
    }

    private fun lastOf(title: String, message: Message, isReply: Boolean = false) =
        Last(title, message.seq, if (message.hidden) null else message.text, message.user.name, isReply)

    /** Returns the message of a reminder that is due, read or not. */
    private suspend fun reminded(room: String, seq: Long): Last? {
        val reminders = chat.requestOnline<List<Reminder>> { reminders(it) }
        val message = reminders.find { it.due && it.room == room && it.seq == seq }?.message ?: return null
        val summary = chat.requestOnline<RoomSummary> { loadRoom(room, it) }
        return lastOf(summary.with?.name ?: summary.name, message)
    }

    /** Runs a task with a connection. Returns null if it takes too long. */
    private suspend fun <T> whileConnected(task: suspend () -> T): T? = withTimeoutOrNull(MAX_MS) {
        chat.whileConnected {
            chat.awaitOnline()
            task()
        }
    }

    /**
     * @param last null: the message is not shown
     * @param notLoaded the `seq` of a push whose message could not be loaded
     * @param isUpdate replaces a notification without sound
     */
    private fun notify(
        target: Target?,
        title: String,
        text: String?,
        last: Last?,
        id: Int = UNREAD,
        notLoaded: Long? = null,
        isUpdate: Boolean = false,
    ) {
        val room = target?.room
        val open = Intent(context, look.screen).putExtra(ROOM, room).putExtra(SEQ, target?.seq ?: 0L)
            .putExtra(IS_REMINDER, target?.isReminder == true).putExtra(SENDER, proofOfSender()).setAction(room)
        val builder = NotificationCompat.Builder(context, CHANNEL)
            .setSmallIcon(look.icon)
            .setContentTitle(title)
            .setContentText(text ?: look.newMessage)
            .setContentIntent(PendingIntent.getActivity(context, id, open, PendingIntent.FLAG_UPDATE_CURRENT or PendingIntent.FLAG_IMMUTABLE))
            .setAutoCancel(true)
            .setSilent(isUpdate)
        if (notLoaded != null) builder.extras.putLong(NOT_LOADED, notLoaded)
        if (last != null && room != null) {
            val author = Person.Builder().setName(last.author).build()
            // The reply appears under the user's own name.
            val me = Person.Builder().setName(chat.me.value?.user?.name?.ifEmpty { null } ?: look.reply).build()
            builder.setStyle(
                NotificationCompat.MessagingStyle(me)
                    .setConversationTitle(title)
                    .addMessage(last.text ?: look.newMessage, System.currentTimeMillis(), author),
            )
            if (!last.isReply) builder.addAction(replyAction(room))
            if (id == UNREAD) builder.addAction(readAction(room, last.seq))
        }
        post(room ?: LOGIN, id, builder)
    }

    private fun post(tag: String, id: Int, builder: NotificationCompat.Builder) {
        val mayNotify = Build.VERSION.SDK_INT < 33 ||
            ContextCompat.checkSelfPermission(context, Manifest.permission.POST_NOTIFICATIONS) == PackageManager.PERMISSION_GRANTED
        if (mayNotify) manager.notify(tag, id, builder.build())
    }

    /** Other apps cannot create a `PendingIntent` with this app as its creator. */
    private fun proofOfSender() = PendingIntent.getActivity(context, 0, Intent(context, look.screen), PendingIntent.FLAG_IMMUTABLE)

    private fun replyAction(room: String): NotificationCompat.Action {
        val intent = Intent(context, ReplyReceiver::class.java).setAction(room)
        // Android writes the answer into the intent.
        val flags = PendingIntent.FLAG_UPDATE_CURRENT or (if (Build.VERSION.SDK_INT >= 31) PendingIntent.FLAG_MUTABLE else 0)
        return NotificationCompat.Action.Builder(0, look.reply, PendingIntent.getBroadcast(context, 0, intent, flags))
            .addRemoteInput(RemoteInput.Builder(REPLY).setLabel(look.reply).build())
            .setAllowGeneratedReplies(true)
            .build()
    }

    private fun readAction(room: String, seq: Long): NotificationCompat.Action {
        val intent = Intent(context, ReplyReceiver::class.java).setAction(room).putExtra(SEQ, seq)
        val flags = PendingIntent.FLAG_UPDATE_CURRENT or PendingIntent.FLAG_IMMUTABLE
        return NotificationCompat.Action.Builder(0, look.markRead, PendingIntent.getBroadcast(context, MARK_READ, intent, flags))
            .setSemanticAction(NotificationCompat.Action.SEMANTIC_ACTION_MARK_AS_READ)
            .setShowsUserInterface(false)
            .build()
    }

    private suspend fun markRead(room: String, seq: Long) {
        manager.cancel(room, UNREAD)
        try {
            // Without a connection, the messages stay unread.
            withTimeoutOrNull(MAX_MS) { chat.whileConnected { chat.requestOnline<RoomSummary> { markReadUpTo(room, seq, it) } } }
        } catch (_: ChatRequestException) {
            // The room is gone, or the user must log in first.
        }
    }

    private suspend fun answer(room: String, text: String) {
        showAnswer(room, text)
        answered += room
        var isKept = false
        whileConnected {
            val clientId = chat.client.send(room, text)
            answers += clientId
            // If it is not sent in time, the outbox sends it later.
            isKept = true
            chat.rooms.first { rooms -> rooms.find { it.id == room }?.last?.let { it.user == chat.me.value?.user && text.startsWith(it.text) } == true }
            answers -= clientId
        }
        if (isKept) delay(SETTLE_MS)
        answered -= room
        if (isKept) {
            for (id in listOf(UNREAD, REMINDER)) manager.cancel(room, id)
        } else {
            drafts?.append(room, text)
            showNotSent(room, text)
        }
    }

    private fun showNotSent(room: String, text: String) {
        // The other notifications of the room already show the answer.
        for (id in listOf(UNREAD, REMINDER)) manager.cancel(room, id)
        notify(Target(room, 0), look.notSent, text, null, NOT_SENT)
    }

    /** Adds the answer to the room's notifications. Until they change, Android shows that the answer is being sent. */
    private fun showAnswer(room: String, text: String) {
        for (shown in manager.activeNotifications.filter { it.tag == room }) {
            val style = NotificationCompat.MessagingStyle.extractMessagingStyleFromNotification(shown.notification) ?: continue
            style.addMessage(text, System.currentTimeMillis(), null as Person?)
            post(room, shown.id, NotificationCompat.Builder(context, shown.notification).setStyle(style).setSilent(true))
        }
    }

    /**
     * What a notification leads to.
     *
     * @param seq 0: the room
     * @param isReminder whether the message is one of a due reminder, which ends when it is shown. Otherwise `seq` is a
     *   message in a room that the user has not joined. Ask before you open it
     */
    data class Target(val room: String, val seq: Long, val isReminder: Boolean = false)

    /** Loads the messages of pushes for which the server did not answer in time. */
    class PushJob : ChatJob() {
        override suspend fun work(): Boolean {
            val notifications = current ?: return true
            return withTimeoutOrNull(JOB_MS) { notifications.loadMissing() } ?: false
        }

        internal companion object {
            /** A running job starts again, because it may not load the message of the last push. */
            fun schedule(context: Context) {
                val job = jobInfo(context, JOB_ID, PushJob::class.java)
                // Also runs while the device sleeps.
                if (Build.VERSION.SDK_INT >= 31) job.setExpedited(true)
                context.jobs.schedule(job.build())
            }
        }
    }

    /** Sends the answer of a notification, or marks its messages as read. */
    class ReplyReceiver : BroadcastReceiver() {
        override fun onReceive(context: Context, intent: Intent) {
            val notifications = current ?: return
            val room = intent.action ?: return
            val read = intent.getLongExtra(SEQ, 0)
            val text = RemoteInput.getResultsFromIntent(intent)?.getCharSequence(REPLY)?.toString()?.trim().orEmpty()
            if (read == 0L && text.isEmpty()) return
            val pending = goAsync()
            notifications.scope.launch {
                try {
                    if (read == 0L) notifications.answer(room, text) else notifications.markRead(room, read)
                } finally {
                    pending.finish()
                }
            }
        }
    }

    companion object {
        private const val ROOM = "io.github.phpsessionchat.room"
        private const val SEQ = "io.github.phpsessionchat.seq"
        private const val IS_REMINDER = "io.github.phpsessionchat.reminder"
        private const val SENDER = "io.github.phpsessionchat.sender"

        /** Returns what a notification that the user tapped leads to; null if the intent is from another app. */
        fun targetOf(intent: Intent, context: Context): Target? {
            val sender = IntentCompat.getParcelableExtra(intent, SENDER, PendingIntent::class.java)
            if (sender?.creatorPackage != context.packageName) return null
            return intent.getStringExtra(ROOM)?.let { Target(it, intent.getLongExtra(SEQ, 0), intent.getBooleanExtra(IS_REMINDER, false)) }
        }

        // Android creates receivers itself, so the notifications cannot be handed to them.
        private var current: ChatNotifications? = null

        /** Registers the device for the session of the open connection. */
        internal suspend fun registerAgain() {
            current?.register()
        }
    }
}
