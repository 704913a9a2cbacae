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
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.RoomSummary
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull

/** How long a push or a reply may take. Android ends both after 10 seconds. */
private const val MAX_MS = 8_000L

private const val CHANNEL = "messages"

/** For half a second after an answer, Android ignores that its notification is removed. */
private const val SETTLE_MS = 1_000L

/** The answer field of a notification. */
private const val REPLY = "reply"

/** The IDs of the notifications of a room. */
private const val UNREAD = 1
private const val REMINDER = 2

/**
 * Shows notifications for pushes of the chat server (`CHAT_FCM`), with a field for an answer. Create it in
 * `Application.onCreate`, because an answer can start the process. Use it on the main thread.
 *
 * @param drafts keeps an answer that could not be sent; null: the answer is lost
 */
class ChatNotifications(private val context: Context, private val chat: AndroidChat, private val drafts: Drafts?, private val look: Look) {
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
        val notSent: String,
    )

    private val manager = NotificationManagerCompat.from(context)
    private val scope = MainScope()
    private var token: String? = null
    private var device: String? = null

    /** The rooms whose answers are being sent. */
    private val answered = mutableSetOf<String>()

    private val isShown get() = ProcessLifecycleOwner.get().lifecycle.currentState.isAtLeast(Lifecycle.State.STARTED)

    init {
        current = this
        manager.createNotificationChannel(NotificationChannel(CHANNEL, look.channelName, NotificationManager.IMPORTANCE_HIGH))
        // Registers again, because the user may have changed.
        scope.launch { chat.me.collect { if (it != null) register() } }
        scope.launch {
            chat.access.collect { if (it is Access.Ended || it is Access.Refused) manager.cancelAll() }
        }
        // Rooms that the user has read on another device.
        scope.launch {
            chat.rooms.collect { rooms ->
                for (room in rooms) if (room.member && room.unread == 0L && room.id !in answered) manager.cancel(room.id, UNREAD)
            }
        }
    }

    /** Registers this device with its token of the push service. Call it at each start, and when the token changes. */
    fun useToken(token: String) {
        this.token = token
        if (chat.me.value != null) register()
    }

    private fun register() {
        val token = token ?: return
        scope.launch {
            try {
                device = chat.request<String> { registerDevice(token, Build.MODEL, it) }
            } catch (_: ChatRequestException) {
                // Registered at the next connection.
            }
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

    /** Shows the message of a push, unless the app is visible. Returns when it is shown, or after 8 seconds. */
    suspend fun show(push: Map<String, String>) {
        if (isShown) return
        if ("expired" in push) {
            manager.cancelAll()
            notify(null, look.newMessage, look.logIn, null)
            return
        }
        val room = push["room"] ?: return
        // Texts of strangers do not belong on the lock screen.
        if (push["member"] == "false" || push["accepted"] == "false") {
            val seq = if (push["member"] == "false") push["seq"]?.toLongOrNull() ?: 0L else 0L
            notify(Target(room, seq), look.newMessage, null, null)
            return
        }
        val isReminder = "reminder" in push
        val last = whileConnected { if (isReminder) reminded(room, push["seq"]?.toLongOrNull()) else lastUnread(room) } ?: return
        if (!isShown) notify(Target(room, 0), last.title, last.text, last, if (isReminder) REMINDER else UNREAD)
    }

    private class Last(val title: String, val text: String?, val author: String)

    /** Returns the newest message of a room with unread messages. Opening the room would join a public room again. */
    private suspend fun lastUnread(room: String): Last? {
        val rooms = chat.rooms.first { it.isNotEmpty() }
        val summary = rooms.find { it.id == room && it.member && it.unread > 0 } ?: return null
        val last = summary.last ?: return null
        val title = summary.with?.name ?: summary.name
        return Last(title, if (last.hidden) null else last.text, last.user.name)
    }

    /** Returns the message of a reminder that is due, read or not. */
    private suspend fun reminded(room: String, seq: Long?): Last? {
        val reminders = try {
            chat.request<List<Reminder>> { reminders(it) }
        } catch (_: ChatRequestException) {
            return null
        }
        val message = reminders.find { it.due && it.room == room && it.seq == seq }?.message ?: return null
        val summary = chat.rooms.first { it.isNotEmpty() }.find { it.id == room }
        val title = summary?.with?.name ?: summary?.name ?: message.user.name
        return Last(title, if (message.hidden) null else message.text, message.user.name)
    }

    /** Runs a task with a connection. Returns null if it takes too long. */
    private suspend fun <T> whileConnected(task: suspend () -> T): T? = withTimeoutOrNull(MAX_MS) {
        chat.whileConnected {
            chat.awaitOnline()
            task()
        }
    }

    private fun notify(target: Target?, title: String, text: String?, last: Last?, id: Int = UNREAD) {
        val room = target?.room
        val open = Intent(context, look.screen).putExtra(ROOM, room).putExtra(SEQ, target?.seq ?: 0L).putExtra(SENDER, proofOfSender()).setAction(room)
        val builder = NotificationCompat.Builder(context, CHANNEL)
            .setSmallIcon(look.icon)
            .setContentTitle(title)
            .setContentText(text ?: look.newMessage)
            .setContentIntent(PendingIntent.getActivity(context, 0, open, PendingIntent.FLAG_UPDATE_CURRENT or PendingIntent.FLAG_IMMUTABLE))
            .setAutoCancel(true)
        if (last != null && room != null) {
            val author = Person.Builder().setName(last.author).build()
            // The reply appears under the user's own name.
            val me = Person.Builder().setName(chat.me.value?.user?.name?.ifEmpty { null } ?: look.reply).build()
            builder.setStyle(
                NotificationCompat.MessagingStyle(me)
                    .setConversationTitle(title)
                    .addMessage(last.text ?: look.newMessage, System.currentTimeMillis(), author),
            )
            builder.addAction(replyAction(room))
        }
        post(room ?: "login", id, builder)
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

    private suspend fun answer(room: String, text: String) {
        showAnswer(room, text)
        answered += room
        var isKept = false
        whileConnected {
            chat.client.send(room, text)
            // If it is not sent in time, the outbox sends it later.
            isKept = true
            chat.rooms.first { rooms -> rooms.find { it.id == room }?.last?.let { it.user == chat.me.value?.user && text.startsWith(it.text) } == true }
        }
        if (isKept) delay(SETTLE_MS)
        answered -= room
        if (isKept) {
            for (id in listOf(UNREAD, REMINDER)) manager.cancel(room, id)
        } else {
            drafts?.put(room, text)
            notify(Target(room, 0), look.notSent, text, null)
        }
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
     * @param seq 0: the room; otherwise a message in a room that the user has not joined. Ask before you open it
     */
    data class Target(val room: String, val seq: Long)

    /** Sends the answer of a notification. */
    class ReplyReceiver : BroadcastReceiver() {
        override fun onReceive(context: Context, intent: Intent) {
            val notifications = current ?: return
            val room = intent.action ?: return
            val text = RemoteInput.getResultsFromIntent(intent)?.getCharSequence(REPLY)?.toString()?.trim().orEmpty()
            if (text.isEmpty()) return
            val pending = goAsync()
            notifications.scope.launch {
                try {
                    notifications.answer(room, text)
                } finally {
                    pending.finish()
                }
            }
        }
    }

    companion object {
        private const val ROOM = "io.github.phpsessionchat.room"
        private const val SEQ = "io.github.phpsessionchat.seq"
        private const val SENDER = "io.github.phpsessionchat.sender"

        /** Returns what a notification that the user tapped leads to; null if the intent is from another app. */
        fun targetOf(intent: Intent, context: Context): Target? {
            val sender = IntentCompat.getParcelableExtra(intent, SENDER, PendingIntent::class.java)
            if (sender?.creatorPackage != context.packageName) return null
            return intent.getStringExtra(ROOM)?.let { Target(it, intent.getLongExtra(SEQ, 0)) }
        }

        // Android creates receivers itself, so the notifications cannot be handed to them.
        private var current: ChatNotifications? = null
    }
}
