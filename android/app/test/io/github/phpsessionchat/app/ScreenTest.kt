package io.github.phpsessionchat.app

import android.graphics.Color
import android.graphics.drawable.ColorDrawable
import android.net.Uri
import android.os.Looper
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.mutableStateMapOf
import androidx.compose.runtime.remember
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import coil.Coil
import coil.ImageLoader
import coil.decode.DataSource
import coil.intercept.Interceptor
import coil.request.SuccessResult
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.ConnectionState.Kind
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.HistoryView
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.MessageEdit
import io.github.phpsessionchat.NewMessage
import io.github.phpsessionchat.PinnedMessage
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.Replies
import io.github.phpsessionchat.Report
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.ScheduledMessage
import io.github.phpsessionchat.Upload
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.Conversation
import java.io.File
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.flow.MutableStateFlow
import okhttp3.Request
import org.junit.After
import org.junit.Before
import org.junit.Rule
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = "w360dp-h740dp-port-notnight-xhdpi")
abstract class ScreenTest {
    @get:Rule val compose = createEmptyComposeRule()
    private val controller = Robolectric.buildActivity(ComponentActivity::class.java)
    protected val activity get() = controller.get()
    protected val calls = mutableListOf<String>()

    protected val seenBy = MutableStateFlow(Samples.seenBy)

    /** The addresses of the shown pictures. */
    protected val pictures = mutableListOf<Any>()

    @Before
    fun start() {
        controller.setup()
        val application = RuntimeEnvironment.getApplication()
        val green = Interceptor {
            pictures += it.request.data
            SuccessResult(ColorDrawable(Color.rgb(120, 160, 110)), it.request, DataSource.MEMORY)
        }
        Coil.setImageLoader(ImageLoader.Builder(application).components { add(green) }.build())
    }

    /** An activity that stays, with the cursor in its text field, would keep the next tests busy. */
    @After
    fun end() {
        controller.close()
        // Robolectric empties the looper after each test. Without a task of Compose in it, later tests would never be idle.
        shadowOf(Looper.getMainLooper()).idle()
        failIfScreenshotsDiffer()
    }

    protected var recorder: VoiceRecorder? = null
    protected val sound: File by lazy { File.createTempFile("voice", ".m4a") }

    /** How often a voice message was composed. */
    protected var composedVoices = 0

    private val soundPlayer by lazy { SoundPlayer(activity, MainScope()) { sound } }

    protected val downloads = mutableStateMapOf<String, Float>()

    protected val actions = object : ConversationActions {
        override val room = "lobby"
        override val player get() = soundPlayer.also { composedVoices++ }
        override val cards by lazy { SiteCards(SampleCards(calls), MainScope()) { calls += "error $it" } }
        override val recorder get() = this@ScreenTest.recorder
        override fun close() = record("close")
        override fun openDetails() = record("details")
        override fun openThread(number: Long, replyTo: Long) = record("thread $number${if (replyTo == 0L) "" else ", a reply to $replyTo"}")
        override fun openPerson(user: User) = record("person ${user.id}")
        override fun send(message: NewMessage, files: List<Upload>) = record("send ${Samples.textOf(message)}")
        override fun schedule(message: NewMessage, at: Long, onDone: () -> Unit) {
            record("schedule ${Samples.textOf(message)} at ${dayAndTime(at, activity)}")
            onDone()
        }
        override fun openScheduled() = record("scheduled")
        override fun remind(message: Message, at: Long) = record("remind ${message.seq} at ${dayAndTime(at, activity)}")
        override fun show(reminder: Reminder) = record("show ${reminder.id}")
        override fun openModeration() = record("moderation")
        override fun takeQuestion() = record("take question")
        override fun closeQuestion() = record("close question")
        override fun edit(message: Message, edit: MessageEdit) = record("edit ${message.seq} ${Samples.textOf(edit)}")
        override fun delete(message: Message) = record("delete ${message.seq}")
        override fun isPinned(message: Message) = message.seq == 1L
        override fun pin(message: Message, pinned: Boolean) = record("pin ${message.seq} $pinned")
        override fun markImportant(message: Message, important: Boolean) = record("important ${message.seq} $important")
        override fun markUnread(message: Message) = record("unread ${message.seq}")
        override fun removePreview(message: Message) = record("remove preview ${message.seq}")
        override val canReport = true
        override fun report(message: Message, reason: Report.Reason) = record("report ${message.seq} $reason")
        override fun react(message: Message, emoji: String, on: Boolean) = record("react ${message.seq} $emoji $on")
        override val writableRooms = Samples.rooms
        override fun forward(message: Message, to: RoomSummary) = record("forward ${message.seq} to ${to.id}")
        override val canAskWhoHasSeen = true
        override fun seenBy(message: Message) = seenBy
        override suspend fun reactedBy(message: Message, emoji: String, cursor: String?) = Samples.reactedBy
        override fun vote(message: Message, options: List<Int>) = record("vote ${message.seq} $options")
        override fun endPoll(message: Message) = record("end poll ${message.seq}")
        override fun openNewPoll(isEvent: Boolean) = record("new poll $isEvent")
        override fun addToCalendar(message: Message) = record("calendar ${message.seq}")
        override fun copyLink(message: Message) = record("copy link ${message.seq}")
        override fun retry(clientId: String) = record("retry $clientId")
        override fun discard(clientId: String) = record("discard $clientId")
        override fun loadOlder() = record("older")
        override fun loadNewer() = record("newer")
        override fun jumpTo(seq: Long) = record("jump $seq")
        override fun reachTarget() = record("reached")
        override fun jumpToEnd() = record("end")
        override fun markRead() = record("read")
        override fun typed() = Unit
        override fun draft(text: String) = record("draft $text")
        override fun attach(files: List<Uri>) = record("attach ${files.size}")
        override fun sendVoice(replyTo: Long, threadOnly: Boolean) = record("send voice ${recorder?.take()?.let(Samples::peaksOf)}")
        override fun report(code: String) = record("report $code")
        override val fileLimit = 5_000_000L
        override fun retryUpload(key: String) = record("retry upload $key")
        override fun cancelUpload(key: String) = record("cancel upload $key")
        override val downloads get() = this@ScreenTest.downloads
        override fun share(files: List<ChatFile>) = record("share ${files.map { it.name }}")
        override fun open(file: ChatFile) = record("open ${file.name}")
        override fun picture(file: ChatFile): Request = Request.Builder().url("https://chat.invalid/${file.id}").build()
        override suspend fun membersNamed(start: String) = Samples.members.filter { it.user.name.startsWith(start) }
        override fun reconnect() = record("reconnect")
    }

    private fun record(call: String) {
        calls += call
    }

    protected fun show(content: @Composable () -> Unit) {
        activity.setContent { WithClock { ChatTheme(content = content) } }
        compose.waitForIdle()
    }

    protected fun showRooms(
        failed: List<ScheduledMessage> = emptyList(),
        rooms: List<RoomSummary> = Samples.rooms,
        reminders: List<Reminder> = emptyList(),
    ) = show {
        RoomsScreen(
            rooms,
            mapOf("market" to "See you"),
            Samples.alice,
            Kind.ONLINE,
            SampleRoomsActions(calls, rooms),
            remember { SnackbarHostState() },
            Samples.site,
            failed,
            reminders,
        )
    }

    protected fun showConversation(
        entries: List<Entry> = Samples.entries,
        view: HistoryView = Samples.wholeHistory,
        connection: Kind = Kind.ONLINE,
        uploads: List<Upload> = emptyList(),
        room: RoomSummary = Samples.rooms[0],
        target: Long = 0,
        pins: List<PinnedMessage> = emptyList(),
        scheduled: List<ScheduledMessage> = emptyList(),
        waiting: Int = 0,
        reminders: List<Reminder> = emptyList(),
        threads: Map<Long, Replies> = Samples.threads,
        isStored: Boolean = false,
        question: TeamQuestion? = null,
    ) = show {
        Conversation(
            entries, view, connection, uploads, room, target = target, pins = pins, scheduled = scheduled, waiting = waiting,
            reminders = reminders, threads = threads, isStored = isStored, question = question,
        )
    }

    @Composable
    protected fun Conversation(
        entries: List<Entry>,
        view: HistoryView,
        connection: Kind,
        uploads: List<Upload>,
        room: RoomSummary = Samples.rooms[0],
        isAlone: Boolean = true,
        target: Long = 0,
        pins: List<PinnedMessage> = emptyList(),
        scheduled: List<ScheduledMessage> = emptyList(),
        waiting: Int = 0,
        reminders: List<Reminder> = emptyList(),
        threads: Map<Long, Replies> = Samples.threads,
        isStored: Boolean = false,
        question: TeamQuestion? = null,
    ) = ConversationScreen(
        Conversation("lobby", entries, view, listOf(Samples.bob), readByOther = 5, target, threads, pins = pins),
        room,
        Samples.alice,
        connection,
        remember { Composing("") },
        uploads,
        actions,
        remember { SnackbarHostState() },
        isAlone,
        isStored,
        scheduled = scheduled,
        waiting = waiting,
        reminders = reminders,
        question = question,
    )
}
