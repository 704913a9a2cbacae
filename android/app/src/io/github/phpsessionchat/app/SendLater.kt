package io.github.phpsessionchat.app

import android.app.DatePickerDialog
import android.app.TimePickerDialog
import android.content.Context
import android.text.format.DateFormat
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.DateRange
import androidx.compose.material.icons.filled.Warning
import androidx.compose.material3.DropdownMenu
import androidx.compose.material3.DropdownMenuItem
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ScheduledMessage
import java.text.NumberFormat
import java.time.DayOfWeek
import java.time.Instant
import java.time.LocalDateTime
import java.time.LocalTime
import java.time.ZoneId
import java.time.ZonedDateTime
import java.time.temporal.TemporalAdjusters

private val evening = LocalTime.of(18, 0)
private val morning = LocalTime.of(9, 0)

/** Returns the proposed times, soonest first: in an hour, this evening, tomorrow morning and on Monday morning. */
fun proposedTimes(now: ZonedDateTime): List<ZonedDateTime> {
    val inAnHour = now.plusHours(1)
    val tomorrow = tomorrowMorning(now)
    val monday = now.with(morning).with(TemporalAdjusters.next(DayOfWeek.MONDAY))
    return listOfNotNull(inAnHour, now.with(evening).takeIf { it > inAnHour }, tomorrow, monday.takeIf { it > tomorrow })
}

fun tomorrowMorning(now: ZonedDateTime): ZonedDateTime = now.with(morning).plusDays(1)

/** Offers times to send a message, and the list of scheduled messages. */
@Composable
fun SendLaterMenu(onClose: () -> Unit, onList: () -> Unit, onTime: (Long) -> Unit) {
    val context = LocalContext.current
    DropdownMenu(expanded = true, onDismissRequest = onClose) {
        @Composable
        fun Item(text: String, action: () -> Unit) = DropdownMenuItem({ Text(text) }, onClick = {
            onClose()
            action()
        })
        SectionHeading(stringResource(R.string.later_title))
        for (time in proposedTimes(ZonedDateTime.now())) {
            val at = time.toInstant().toEpochMilli()
            Item(dayAndTime(at)) { onTime(at) }
        }
        Item(stringResource(R.string.later_choose)) { pickDateAndTime(context, System.currentTimeMillis(), onTime) }
        HorizontalDivider(color = MaterialTheme.colorScheme.outlineVariant)
        Item(stringResource(R.string.later_list), onList)
    }
}

/** Asks for a day and then for a time of that day. */
fun pickDateAndTime(context: Context, at: Long, onPick: (Long) -> Unit) {
    val zone = ZoneId.systemDefault()
    val proposed = ZonedDateTime.ofInstant(Instant.ofEpochMilli(at), zone)
    val onDay = DatePickerDialog.OnDateSetListener { _, year, month, day ->
        val onTime = TimePickerDialog.OnTimeSetListener { _, hour, minute ->
            onPick(LocalDateTime.of(year, month + 1, day, hour, minute).atZone(zone).toInstant().toEpochMilli())
        }
        TimePickerDialog(context, onTime, proposed.hour, proposed.minute, DateFormat.is24HourFormat(context)).show()
    }
    DatePickerDialog(context, onDay, proposed.year, proposed.monthValue - 1, proposed.dayOfMonth).apply {
        datePicker.minDate = System.currentTimeMillis()
        show()
    }
}

/** A line about scheduled messages, or about a scheduled message that could not be sent. A tap lists them. */
@Composable
fun ScheduledLine(messages: List<ScheduledMessage>, onList: () -> Unit, modifier: Modifier = Modifier) {
    if (messages.isEmpty()) return
    val colors = MaterialTheme.colorScheme
    val hasFailed = messages.any { it.failed != null }
    Row(
        modifier.fillMaxWidth().clickable(onClick = onList).heightIn(min = 48.dp).padding(horizontal = 4.dp),
        horizontalArrangement = Arrangement.spacedBy(8.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        val color = if (hasFailed) colors.error else colors.primary
        Icon(if (hasFailed) Icons.Filled.Warning else Icons.Filled.DateRange, null, tint = color)
        val number = NumberFormat.getIntegerInstance().format(messages.size)
        val text = if (hasFailed) stringResource(R.string.later_failed) else "${stringResource(R.string.later_list)} · $number"
        Text(text, color = color, style = MaterialTheme.typography.labelLarge)
    }
}
