package io.github.phpsessionchat.app

import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.ClipboardManager
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.provider.CalendarContract
import android.provider.CalendarContract.Events
import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.DisposableEffect
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.ui.platform.LocalContext
import io.github.phpsessionchat.Answers.Page
import io.github.phpsessionchat.Answers.SeenBy
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.MessageEdit
import io.github.phpsessionchat.NewMessage
import io.github.phpsessionchat.Question
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.Report
import io.github.phpsessionchat.RoomMember
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.ScheduledMessage
import io.github.phpsessionchat.Upload
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.ChatRequestException
import java.io.IOException
import java.util.UUID
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.launch
import okhttp3.Request

/** What the user can do in a room. `retry` and `discard` get the ID of an unsent message. */
interface ConversationActions : FileActions {
    val room: String
    val player: SoundPlayer

    val cards: SiteCards

    /** Null if the user cannot send voice messages. */
    val recorder: VoiceRecorder?

    fun close()
    fun openDetails()
    fun openPerson(user: User)

    /** @param replyTo the reply to answer; 0: the first message of the thread */
    fun openThread(number: Long, replyTo: Long = 0)

    /** @param files the files to attach to the message */
    fun send(message: NewMessage, files: List<Upload>)

    /** @param at milliseconds since 1970 */
    fun schedule(message: NewMessage, at: Long, onDone: () -> Unit)
    fun openScheduled()

    /** @param at milliseconds since 1970 */
    fun remind(message: Message, at: Long)

    /** Shows the message of a due reminder. */
    fun show(reminder: Reminder)
    fun openModeration()

    /** Assigns the question to the user. */
    fun takeQuestion()
    fun closeQuestion()
    fun edit(message: Message, edit: MessageEdit)
    fun delete(message: Message)

    /** Returns whether the message is pinned; null until that is known. */
    fun isPinned(message: Message): Boolean?
    fun pin(message: Message, pinned: Boolean)
    fun markImportant(message: Message, important: Boolean)
    fun markUnread(message: Message)
    fun removePreview(message: Message)

    /** Whether the user can report messages to the moderators. */
    val canReport: Boolean
    fun report(message: Message, reason: Report.Reason)
    fun react(message: Message, emoji: String, on: Boolean)
    fun vote(message: Message, options: List<Int>)
    fun endPoll(message: Message)
    fun openNewPoll(isEvent: Boolean)

    /** Opens the form of a calendar app for a new event. */
    fun addToCalendar(message: Message)

    /** The rooms in which the user can write. */
    val writableRooms: List<RoomSummary>
    fun forward(message: Message, to: RoomSummary)

    /** Whether the site shows who has seen messages. */
    val canAskWhoHasSeen: Boolean

    /** Returns who has seen a message, now and after each change. Throws a [ChatRequestException] when it is collected. */
    fun seenBy(message: Message): Flow<SeenBy>

    /** @throws ChatRequestException */
    suspend fun reactedBy(message: Message, emoji: String, cursor: String?): Page<User>
    fun copyLink(message: Message)

    /** Sends files to another app. */
    fun share(files: List<ChatFile>)
    fun retry(clientId: String)
    fun discard(clientId: String)
    fun loadOlder()
    fun loadNewer()
    fun jumpTo(seq: Long)
    fun reachTarget()
    fun jumpToEnd()
    fun markRead()
    fun typed()
    fun draft(text: String)

    /** Maximum size of a file in bytes. */
    val fileLimit: Long
    fun attach(files: List<Uri>)

    /** Sends the recording. @param replyTo 0: not a reply */
    fun sendVoice(replyTo: Long, threadOnly: Boolean)

    /** Shows the error of a code. */
    fun report(code: String)
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
    val actions = remember(room) { RoomActions(app, room, Notices(context, notices), scope, context) }
    DisposableEffect(actions) { onDispose(actions.player::stop) }
    return actions
}

/** Shows why something did not work, or that it did. */
class Notices(private val context: Context, private val host: SnackbarHostState) {
    suspend fun show(code: String, errorText: (String) -> Int = ::errorText) = say(context.getString(errorText(code)))

    suspend fun say(text: String) = host.showSnackbar(text)
}

fun copy(context: Context, text: String) {
    context.getSystemService(ClipboardManager::class.java).setPrimaryClip(ClipData.newPlainText(null, text))
}

fun errorText(code: String) = when (code) {
    "offline" -> R.string.conn_offline
    "forbidden" -> R.string.error_forbidden
    "unknown_room" -> R.string.error_unknown_room
    "held" -> R.string.held_waiting
    "site_unavailable" -> R.string.card_failed
    "no_microphone" -> R.string.voice_none
    "microphone_blocked" -> R.string.voice_blocked
    "too_short" -> R.string.voice_short
    else -> R.string.error_other
}

fun AppParts.send(room: String, message: NewMessage, files: List<Upload>) {
    chat.client.send(room, message)
    draftFiles.send(files)
}

private class RoomActions(
    private val app: AppParts,
    override val room: String,
    private val notices: Notices,
    private val scope: CoroutineScope,
    private val context: Context,
) : ConversationActions {
    private val chat = app.chat
    private val client = app.chat.client
    private val drafts = app.drafts
    private val navigation = app.navigation
    private val perform = Requests(chat, notices, scope)
    private val opener = FileOpener(context, chat, notices, scope)

    override val player = SoundPlayer(context, scope) { download(context, chat, it) }
    override val cards = SiteCards(ChatCards(chat, context), scope, ::report)
    override val recorder get() = app.recorder?.takeIf { chat.me.value?.canSendFiles == true }

    override fun close() = chat.close()

    override fun openDetails() = navigation.open(Screen.RoomDetails(room))

    override fun openPerson(user: User) = navigation.open(Screen.Person(room, user.id, user.name))

    override fun openThread(number: Long, replyTo: Long) = navigation.open(Screen.Thread(room, number, replyTo))

    override fun send(message: NewMessage, files: List<Upload>) {
        app.send(room, message, files)
        drafts.put(room, "")
    }

    override fun schedule(message: NewMessage, at: Long, onDone: () -> Unit) = perform(::laterError) {
        // The server would send it at once.
        if (at <= System.currentTimeMillis()) {
            notices.say(context.getString(R.string.later_choose))
            return@perform
        }
        request<ScheduledMessage> { schedule(room, message, at, it) }
        onDone()
        notices.say(context.getString(R.string.later_done, dayAndTime(at, context)))
    }

    override fun openScheduled() = navigation.open(Screen.Scheduled)

    override fun remind(message: Message, at: Long) = perform(::laterError) {
        // The server would remind at once.
        if (at <= System.currentTimeMillis()) {
            notices.say(context.getString(R.string.later_choose))
            return@perform
        }
        request<Reminder> { remind(room, message.seq, at, it) }
        notices.say(context.getString(R.string.remind_done, dayAndTime(at, context)))
    }

    override fun show(reminder: Reminder) = app.show(reminder)

    override fun openModeration() = navigation.open(Screen.Moderation)

    override fun takeQuestion() = perform {
        try {
            request<Question> { takeQuestion(room, it) }
        } catch (e: ChatRequestException) {
            // Another member of the team was faster. The bar shows who.
            if (e.code != "conflict") throw e
        }
    }

    override fun closeQuestion() = perform { request<Question> { closeQuestion(room, it) } }

    override fun edit(message: Message, edit: MessageEdit) = perform { request<Message> { edit(message, edit, it) } }

    override fun delete(message: Message) = perform { request<Message> { delete(message, null, it) } }

    override fun isPinned(message: Message): Boolean? =
        chat.conversation.value?.takeIf { it.room == room }?.pins?.any { it.message.seq == message.seq }

    override fun pin(message: Message, pinned: Boolean) = perform { request<Void?> { pin(room, message.seq, pinned, it) } }

    override fun markImportant(message: Message, important: Boolean) =
        perform { request<Message> { markImportant(message, important, it) } }

    // An open room is marked as read again when it returns to the screen.
    override fun markUnread(message: Message) = perform {
        request<RoomSummary> { markUnread(room, message.seq, it) }
        navigation.showRooms()
    }

    override fun removePreview(message: Message) = perform { request<Void?> { removePreview(message, it) } }

    override val canReport get() = chat.me.value?.canReport == true

    override fun report(message: Message, reason: Report.Reason) = perform {
        request<Void?> { report(message, reason, null, it) }
        notices.say(context.getString(R.string.report_done))
    }

    override fun react(message: Message, emoji: String, on: Boolean) = perform { request<Message> { react(message, emoji, on, it) } }

    override fun vote(message: Message, options: List<Int>) = perform {
        // The poll's end may have passed since the screen was drawn.
        if (message.poll?.hasEnded(System.currentTimeMillis()) == true) notices.say(context.getString(R.string.poll_ended))
        else request<Message> { vote(message, options, it) }
    }

    override fun endPoll(message: Message) = perform { request<Message> { endPoll(message, it) } }

    override fun openNewPoll(isEvent: Boolean) = navigation.open(Screen.NewPoll(room, isEvent))

    override fun addToCalendar(message: Message) {
        val event = message.poll?.event ?: return
        val intent = Intent(Intent.ACTION_INSERT, Events.CONTENT_URI)
            .putExtra(CalendarContract.EXTRA_EVENT_BEGIN_TIME, event.start)
            .putExtra(Events.TITLE, message.textWithNames())
            .putExtra(Events.EVENT_LOCATION, event.place)
        if (event.end != 0L) intent.putExtra(CalendarContract.EXTRA_EVENT_END_TIME, event.end)
        try {
            context.startActivity(intent)
        } catch (_: ActivityNotFoundException) {
            report("no_calendar")
        }
    }

    override val writableRooms get() = chat.rooms.value.filter { it.member && it.may(RoomSummary.Right.SEND) }

    override fun forward(message: Message, to: RoomSummary) = perform {
        request<Message> { forward(message, to.id, UUID.randomUUID().toString(), it) }
        notices.say(context.getString(R.string.forward_done))
    }

    override val canAskWhoHasSeen get() = chat.me.value?.canAskWhoHasSeen == true

    override fun seenBy(message: Message): Flow<SeenBy> = channelFlow {
        // Before the request, so that no change is missed.
        launch(start = CoroutineStart.UNDISPATCHED) {
            chat.seen.collect { if (it.room == message.room && it.seq == message.seq) send(it.by) }
        }
        send(chat.request<SeenBy> { seenBy(message, it) })
    }

    override suspend fun reactedBy(message: Message, emoji: String, cursor: String?): Page<User> =
        chat.request { reactions(message, emoji, cursor, it) }

    override fun copyLink(message: Message) {
        copy(context, linkTo(room, message.seq, context))
        val summary = chat.rooms.value.find { it.id == room }
        scope.launch {
            val isPublic = summary == null || summary.kind == RoomSummary.Kind.PUBLIC
            notices.say(
                if (isPublic) context.getString(R.string.copyLink_donePublic)
                else context.getString(R.string.copyLink_done, isolate(summary!!.with?.name ?: summary.name)),
            )
        }
    }

    override fun retry(clientId: String) = client.retry(clientId)

    override fun discard(clientId: String) = client.discard(clientId)

    override fun loadOlder() = client.loadOlder(room)

    override fun loadNewer() = client.loadNewer(room)

    override fun jumpTo(seq: Long) = chat.open(room, seq)

    override fun reachTarget() = chat.reachTarget()

    override fun jumpToEnd() = client.jumpToEnd(room)

    override fun markRead() = client.markRead(room)

    override fun typed() = client.typed(room)

    override fun draft(text: String) = drafts.put(room, text)

    override val fileLimit get() = chat.me.value?.fileLimit ?: 0

    override fun attach(files: List<Uri>) {
        val limit = chat.me.value?.filesLimit ?: return
        val conversation = chat.conversation.value?.takeIf { it.room == room }
        val attached = unsentUploads(chat.uploads.value, conversation?.entries.orEmpty()).count { it.room == room && it.failed == null }
        val fitting = files.take((limit - attached).coerceAtLeast(0))
        if (fitting.size < files.size) scope.launch { notices.say(context.getString(R.string.file_tooMany, "$limit")) }
        app.draftFiles.attach(room, fitting, context.contentResolver) { report("unreadable") }
    }

    override fun sendVoice(replyTo: Long, threadOnly: Boolean) {
        val voice = recorder?.take() ?: return report("too_short")
        val message = NewMessage.of("").file(client.upload(room, voice), null)
        if (replyTo != 0L) message.replyTo(replyTo)
        if (threadOnly) message.threadOnly()
        client.send(room, message)
    }

    override fun report(code: String) {
        scope.launch { notices.show(code) }
    }

    override fun retryUpload(key: String) = client.retryUpload(key)

    override fun cancelUpload(key: String) = app.draftFiles.remove(key)

    override val downloads get() = opener.progress

    override fun open(file: ChatFile) = opener.open(file)

    override fun share(files: List<ChatFile>) = opener.share(files)

    override fun picture(file: ChatFile): Request = client.previewRequest(file)

    override suspend fun membersNamed(start: String): List<RoomMember> = try {
        chat.request { members(room, start, null, null, it) }.items.take(10)
    } catch (_: ChatRequestException) {
        emptyList()
    }

    override fun reconnect() = client.wake()
}
