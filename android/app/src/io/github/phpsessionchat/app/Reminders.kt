package io.github.phpsessionchat.app

import android.icu.text.DisplayContext
import android.icu.text.RelativeDateTimeFormatter
import android.icu.text.RelativeDateTimeFormatter.Direction
import android.icu.text.RelativeDateTimeFormatter.RelativeUnit
import android.icu.util.ULocale
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Notifications
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.ModalBottomSheet
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.rememberModalBottomSheetState
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.RoomSummary
import java.text.NumberFormat
import java.time.ZonedDateTime
import java.util.Locale

/** Offers times for a reminder, and the list of reminders. */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun RemindSheet(onClose: () -> Unit, onList: () -> Unit, onTime: (Long) -> Unit) {
    val context = LocalContext.current
    ModalBottomSheet(onDismissRequest = onClose, sheetState = rememberModalBottomSheetState(skipPartiallyExpanded = true)) {
        @Composable
        fun Entry(text: String, action: () -> Unit) = MenuEntry(text) {
            onClose()
            action()
        }
        val now = ZonedDateTime.now()
        val tomorrow = tomorrowMorning(now).toInstant().toEpochMilli()
        SectionHeading(stringResource(R.string.remind_action))
        Entry(inTime(20, RelativeUnit.MINUTES)) { onTime(now.plusMinutes(20).toInstant().toEpochMilli()) }
        Entry(inTime(1, RelativeUnit.HOURS)) { onTime(now.plusHours(1).toInstant().toEpochMilli()) }
        Entry(dayAndTime(tomorrow)) { onTime(tomorrow) }
        Entry(stringResource(R.string.later_choose)) { pickDateAndTime(context, System.currentTimeMillis(), onTime) }
        Entry(stringResource(R.string.remind_list), onList)
    }
}

/** Returns a text such as “In 20 minutes”. */
fun inTime(count: Int, unit: RelativeUnit): String =
    RelativeDateTimeFormatter.getInstance(
        ULocale.getDefault(),
        // Otherwise some languages have digits that the rest of the app does not use.
        android.icu.text.NumberFormat.getIntegerInstance(Locale.getDefault()),
        RelativeDateTimeFormatter.Style.LONG,
        DisplayContext.CAPITALIZATION_FOR_BEGINNING_OF_SENTENCE,
    ).format(count.toDouble(), Direction.NEXT, unit)

/** The latest due reminder whose message can be seen. A tap shows the message, or the list if there are several. */
@Composable
fun ReminderLine(reminders: List<Reminder>, onShow: (Reminder) -> Unit, onList: () -> Unit, modifier: Modifier = Modifier) {
    val due = reminders.filter { it.due && it.message != null }
    val reminder = due.lastOrNull() ?: return
    Row(
        modifier.fillMaxWidth().clickable { if (due.size > 1) onList() else onShow(reminder) }.heightIn(min = 48.dp).padding(horizontal = 4.dp),
        horizontalArrangement = Arrangement.spacedBy(8.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        val color = MaterialTheme.colorScheme.primary
        Icon(Icons.Filled.Notifications, null, tint = color)
        val text = stringResource(R.string.remind_due, isolate(textOf(reminder)))
        val more = if (due.size > 1) " · ${NumberFormat.getIntegerInstance().format(due.size)}" else ""
        Text(text + more, color = color, maxLines = 2, overflow = TextOverflow.Ellipsis, style = MaterialTheme.typography.labelLarge)
    }
}

@Composable
private fun textOf(reminder: Reminder): String {
    val message: Message = reminder.message ?: return stringResource(R.string.remind_gone)
    return if (message.hidden) "…" else shortTextOf(Entry.of(message))
}

/** @param room null if the user is no longer a member */
@OptIn(ExperimentalLayoutApi::class)
@Composable
fun ReminderRow(reminder: Reminder, room: RoomSummary?, actions: ReminderActions) {
    val colors = MaterialTheme.colorScheme
    val context = LocalContext.current
    Column(Modifier.fillMaxWidth().padding(16.dp, 8.dp), Arrangement.spacedBy(4.dp)) {
        if (room != null) Text(titleOf(room), fontWeight = FontWeight.Bold)
        Text(
            dayAndTime(reminder.at),
            color = if (reminder.due) colors.primary else colors.onSurfaceVariant,
            style = MaterialTheme.typography.labelMedium,
        )
        Text(textOf(reminder), maxLines = 4, overflow = TextOverflow.Ellipsis, style = MaterialTheme.typography.bodyLarge.copy(textDirection = TextDirection.Content))
        FlowRow {
            if (reminder.message != null) {
                TextButton({ actions.show(reminder) }) { Text(stringResource(R.string.common_show)) }
                TextButton({ pickDateAndTime(context, maxOf(reminder.at, System.currentTimeMillis())) { actions.move(reminder, it) } }) {
                    Text(stringResource(R.string.later_choose))
                }
            }
            TextButton({ actions.delete(reminder) }) { Text(stringResource(R.string.action_delete), color = colors.error) }
        }
    }
}

/** What the user can do with reminders. */
interface ReminderActions {
    /** Shows the message. A due reminder ends then. */
    fun show(reminder: Reminder)
    fun move(reminder: Reminder, at: Long)
    fun delete(reminder: Reminder)
}

fun AppParts.show(reminder: Reminder) {
    navigation.openMessage(reminder.room, reminder.seq)
    // Without a connection, the reminder stays.
    if (reminder.due) chat.client.deleteReminder(reminder, null)
}

class ChatReminders(private val app: AppParts, private val perform: Requests) : ReminderActions {
    override fun show(reminder: Reminder) = app.show(reminder)

    override fun move(reminder: Reminder, at: Long) = perform(::laterError) { request<Reminder> { remind(reminder.room, reminder.seq, at, it) } }

    override fun delete(reminder: Reminder) = perform { request<Void?> { deleteReminder(reminder, it) } }
}
