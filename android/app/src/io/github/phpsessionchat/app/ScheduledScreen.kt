package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableLongStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.MessageEdit
import io.github.phpsessionchat.MessageText
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.ScheduledMessage

/** What the user can do with scheduled messages and reminders. */
interface ScheduledActions : ReminderActions {
    fun close()
    fun edit(message: ScheduledMessage, edit: MessageEdit, at: Long)
    fun sendNow(message: ScheduledMessage)
    fun delete(message: ScheduledMessage)
}

@Composable
fun ScheduledScreen(app: AppParts) {
    val messages by app.chat.scheduled.collectAsStateWithLifecycle()
    val reminders by app.chat.reminders.collectAsStateWithLifecycle()
    val rooms by app.chat.rooms.collectAsStateWithLifecycle()
    val host = remember { SnackbarHostState() }
    val perform = rememberRequests(app, host)
    val actions = remember {
        object : ScheduledActions, ReminderActions by ChatReminders(app, perform) {
            override fun close() = app.navigation.back()

            override fun edit(message: ScheduledMessage, edit: MessageEdit, at: Long) = perform(::laterError) {
                request<ScheduledMessage> { editScheduled(message, edit, at, it) }
            }

            override fun sendNow(message: ScheduledMessage) = perform(::laterError) { request<Void?> { sendScheduled(message, it) } }

            override fun delete(message: ScheduledMessage) = perform { request<Void?> { deleteScheduled(message, it) } }
        }
    }
    Scheduled(messages, reminders.orEmpty(), rooms, actions, host)
}

/** Returns why a message could not be scheduled, changed or sent. */
fun laterError(code: String) = when (code) {
    "limit_reached" -> R.string.later_full
    "muted" -> R.string.composer_mutedForGood
    else -> errorText(code)
}

/** @param messages null until they are loaded */
@Composable
fun Scheduled(
    messages: List<ScheduledMessage>?,
    reminders: List<Reminder>,
    rooms: List<RoomSummary>,
    actions: ScheduledActions,
    host: SnackbarHostState,
) {
    var edited by rememberSaveable { mutableStateOf<String?>(null) }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(R.string.later_list), R.string.common_close, actions::close) },
        snackbarHost = { SnackbarHost(host) },
    ) { inner ->
        LazyColumn(Modifier.fillMaxSize().padding(inner).testTag("scheduled")) {
            if (messages == null) item { Loading() }
            if (messages?.isEmpty() == true && reminders.isEmpty()) item { Empty(R.string.later_none) }
            items(messages.orEmpty(), { it.id }) { message ->
                ScheduledRow(message, rooms.find { it.id == message.room }, actions) { edited = message.id }
                HorizontalDivider(color = MaterialTheme.colorScheme.outlineVariant)
            }
            if (reminders.isNotEmpty()) item { SectionHeading(stringResource(R.string.remind_list)) }
            items(reminders, { it.id }) { reminder ->
                ReminderRow(reminder, rooms.find { it.id == reminder.room }, actions)
                HorizontalDivider(color = MaterialTheme.colorScheme.outlineVariant)
            }
        }
    }
    messages?.find { it.id == edited }?.let { message ->
        EditScheduled(message, onClose = { edited = null }) { edit, at -> actions.edit(message, edit, at) }
    }
}

/** @param room null if the user is no longer a member */
@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun ScheduledRow(message: ScheduledMessage, room: RoomSummary?, actions: ScheduledActions, onEdit: () -> Unit) {
    val colors = MaterialTheme.colorScheme
    Column(Modifier.fillMaxWidth().padding(16.dp, 8.dp), Arrangement.spacedBy(4.dp)) {
        Text(room?.let { titleOf(it) } ?: stringResource(R.string.error_unknown_room), fontWeight = FontWeight.Bold)
        Text(dayAndTime(message.at), color = colors.onSurfaceVariant, style = MaterialTheme.typography.labelMedium)
        if (message.important) ImportantMark()
        Text(
            message.text.ifEmpty { message.files.joinToString { it.name } },
            style = MaterialTheme.typography.bodyLarge.copy(textDirection = TextDirection.Content),
        )
        // The name of a lost room says it already.
        message.failed?.takeIf { room != null }?.let { Text(stringResource(failureText(it.code)), color = colors.error, style = MaterialTheme.typography.bodyMedium) }
        FlowRow {
            TextButton(onEdit) { Text(stringResource(R.string.action_edit)) }
            TextButton({ actions.sendNow(message) }) { Text(stringResource(R.string.later_now)) }
            TextButton({ actions.delete(message) }) { Text(stringResource(R.string.action_delete), color = colors.error) }
        }
    }
}

private fun failureText(code: String) = when (code) {
    "muted", "forbidden" -> R.string.composer_mutedForGood
    else -> R.string.msg_failed
}

@Composable
private fun EditScheduled(message: ScheduledMessage, onClose: () -> Unit, onSave: (edit: MessageEdit, at: Long) -> Unit) {
    val context = LocalContext.current
    var text by rememberSaveable { mutableStateOf(message.text) }
    var at by rememberSaveable { mutableLongStateOf(message.at) }
    var important by rememberSaveable { mutableStateOf(message.important) }
    val isPast = at <= System.currentTimeMillis()
    FormSheet(
        stringResource(R.string.composer_editing),
        stringResource(R.string.composer_save),
        onClose,
        onConfirm = { onSave(MessageEdit.of(text.trim()).apply { if (important != message.important) important(important) }, at) },
        canConfirm = !isPast && (!MessageText.isBlank(text) || message.files.isNotEmpty()),
    ) {
        OutlinedTextField(text, { text = it }, Modifier.fillMaxWidth().testTag("text"), textStyle = inOwnDirection, maxLines = 8)
        SwitchRow(stringResource(R.string.msg_important), null, important) { important = it }
        OutlinedButton({ pickDateAndTime(context, at) { at = it } }, Modifier.fillMaxWidth()) {
            Text(if (isPast) stringResource(R.string.later_choose) else dayAndTime(at))
        }
    }
}
