package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.Answers.Page
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.HeldMessage
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Report
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.android.ChatRequestException

/** What a moderator can do with messages that wait, and with reports. */
interface ModerationActions {
    fun close()
    fun approve(message: HeldMessage)
    fun reject(message: HeldMessage, reason: String?)
    fun open(file: ChatFile)
    fun show(message: Message)

    /**
     * Closes all reports of a message.
     *
     * @param seconds the duration of a mute; 0: permanent
     */
    fun closeReport(report: Report, done: Report.Done, seconds: Long = 0, reason: String? = null)
}

@Composable
fun ModerationScreen(app: AppParts) {
    val chat = app.chat
    val rooms by chat.rooms.collectAsStateWithLifecycle()
    val held by chat.held.collectAsStateWithLifecycle()
    val connection by chat.connection.collectAsStateWithLifecycle()
    val host = remember { SnackbarHostState() }
    val perform = rememberRequests(app, host)
    val scope = rememberCoroutineScope()
    val context = LocalContext.current
    var reports by remember { mutableStateOf<List<Report>?>(null) }
    var version by remember { mutableIntStateOf(0) }
    // Another moderator may close a report. Depends on the connection, so that a request that failed offline is repeated.
    LaunchedEffect(rooms.sumOf { it.reports }, version, connection) {
        perform { reports = request<Page<Report>> { reports(null, it) }.items }
    }
    val opener = remember { FileOpener(context, chat, Notices(context, host), scope) }
    val actions = remember {
        object : ModerationActions {
            override fun close() = app.navigation.back()

            override fun approve(message: HeldMessage) = perform { decide { request<Void?> { approve(message, it) } } }

            override fun reject(message: HeldMessage, reason: String?) = perform { decide { request<Void?> { reject(message, reason, it) } } }

            override fun open(file: ChatFile) = opener.open(file)

            override fun show(message: Message) = app.navigation.openMessage(message.room, message.seq)

            override fun closeReport(report: Report, done: Report.Done, seconds: Long, reason: String?) = perform {
                request<Report> { closeReport(report, done, seconds, reason, true, it) }
                version++
            }
        }
    }
    Moderation(held, reports, rooms, actions, host)
}

/** Does nothing if another moderator decided first. Then the list changes soon. */
private suspend fun decide(request: suspend () -> Unit) {
    try {
        request()
    } catch (e: ChatRequestException) {
        if (e.code != "unknown_message") throw e
    }
}

/** @param reports null until they are loaded */
@Composable
fun Moderation(
    held: List<HeldMessage>,
    reports: List<Report>?,
    rooms: List<RoomSummary>,
    actions: ModerationActions,
    host: SnackbarHostState,
) {
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(R.string.mod_title), R.string.common_close, actions::close) },
        snackbarHost = { SnackbarHost(host) },
    ) { inner ->
        val reported = reports?.groupBy { it.room to it.message.seq }?.values?.toList()
        LazyColumn(Modifier.fillMaxSize().padding(inner).testTag("moderation")) {
            if (held.isNotEmpty()) item { SectionHeading(stringResource(R.string.held_waiting)) }
            items(held, { "held ${it.id}" }) { message ->
                HeldRow(message, rooms.find { it.id == message.room }, actions)
                HorizontalDivider(color = MaterialTheme.colorScheme.outlineVariant)
            }
            item { SectionHeading(stringResource(R.string.reports_title)) }
            if (reported == null) item { Loading() }
            if (reported?.isEmpty() == true) item { Empty(R.string.reports_none) }
            items(reported.orEmpty(), { it.first().id }) { group ->
                ReportRow(group, rooms.find { it.id == group.first().room }, actions)
                HorizontalDivider(color = MaterialTheme.colorScheme.outlineVariant)
            }
        }
    }
}
