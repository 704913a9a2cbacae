package io.github.phpsessionchat.app

import android.app.TimePickerDialog
import android.content.Context
import android.icu.text.MeasureFormat
import android.icu.util.Measure
import android.icu.util.MeasureUnit
import android.text.format.DateFormat
import android.text.format.DateUtils
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import io.github.phpsessionchat.Notices
import io.github.phpsessionchat.Notices.Quiet
import io.github.phpsessionchat.Notices.Shown
import io.github.phpsessionchat.NoticesChange
import java.time.LocalTime
import java.time.ZoneId
import java.util.Formatter
import java.util.Locale

/** The offered delays of mails, in minutes. */
private val delays = listOf(5, 15, 60)

/** The delay in minutes when the user turns mails on. */
private const val USUAL_DELAY = 15

private val shownParts = listOf(
    Shown.TEXT to R.string.prefs_shown_text,
    Shown.NAME to R.string.prefs_shown_name,
    Shown.NOTHING to R.string.prefs_shown_nothing,
)

/** Shows when mails and pushes are sent, and what they contain. */
@Composable
fun noticeSettings(notices: Notices, actions: SettingsActions): LazyListScope.() -> Unit {
    val hasMail = notices.canMail && notices.mail != Notices.OFF
    val hint = mailHint(notices)
    return {
        item { SectionHeading(stringResource(R.string.prefs_mail)) }
        item {
            SwitchRow(stringResource(R.string.prefs_mailOn), hint, hasMail, notices.canMail) {
                actions.set(NoticesChange().mail(if (it) USUAL_DELAY else Notices.OFF))
            }
        }
        if (hasMail) {
            item { SectionHeading(stringResource(R.string.prefs_mailAfter)) }
            // The operator may have set a delay that is not offered.
            for (delay in (delays + notices.mail).filter { it > 0 }.distinct().sorted() + Notices.DAILY) {
                item { Choice(delayText(delay), notices.mail == delay) { actions.set(NoticesChange().mail(delay)) } }
            }
        }
        item {
            SwitchRow(stringResource(R.string.prefs_quiet), stringResource(R.string.prefs_quietHint), notices.quiet != null) {
                actions.set(NoticesChange().quiet(if (it) quietHours("22:00", "07:00") else null))
            }
        }
        notices.quiet?.let { quiet ->
            item { TimeRow(R.string.prefs_quietFrom, quiet.from) { actions.set(NoticesChange().quiet(quietHours(it, quiet.to))) } }
            item { TimeRow(R.string.prefs_quietTo, quiet.to) { actions.set(NoticesChange().quiet(quietHours(quiet.from, it))) } }
        }
        item { SectionHeading(stringResource(R.string.prefs_shown)) }
        for ((shown, label) in shownParts) {
            item { Choice(stringResource(label), notices.text == shown) { actions.set(NoticesChange().text(shown)) } }
        }
        item { SwitchRow(stringResource(R.string.prefs_push), null, notices.push) { actions.set(NoticesChange().push(it)) } }
    }
}

/** Returns where the mails go, or why the user does not get any. */
@Composable
private fun mailHint(notices: Notices): String? = when {
    !notices.canMail -> stringResource(R.string.prefs_mailNone)
    notices.mail == Notices.OFF && notices.mailStoppedAt != 0L -> stringResource(R.string.prefs_mailStopped, dayName(notices.mailStoppedAt))
    else -> notices.mailTo?.let { stringResource(R.string.prefs_mailTo, isolate(it)) }
}

private fun quietHours(from: String, to: String): Quiet {
    val zone = ZoneId.systemDefault().id
    // The server rejects zones such as GMT+02:00.
    return Quiet(from, to, zone.takeIf { "/" in it })
}

@Composable
private fun delayText(delay: Int): String {
    if (delay == Notices.DAILY) return stringResource(R.string.prefs_daily)
    val measure = if (delay % 60 == 0) Measure(delay / 60, MeasureUnit.HOUR) else Measure(delay, MeasureUnit.MINUTE)
    return MeasureFormat.getInstance(Locale.getDefault(), MeasureFormat.FormatWidth.WIDE).formatMeasures(measure)
}

/** @param time such as `22:00` */
@Composable
private fun TimeRow(label: Int, time: String, onTime: (String) -> Unit) {
    val context = LocalContext.current
    SettingRow(stringResource(label), null) {
        TextButton(onClick = { pickTime(context, LocalTime.parse(time), onTime) }) { Text(timeOfDay(context, LocalTime.parse(time))) }
    }
}

private fun pickTime(context: Context, time: LocalTime, onTime: (String) -> Unit) {
    TimePickerDialog(
        context,
        { _, hour, minute -> onTime(LocalTime.of(hour, minute).toString()) },
        time.hour,
        time.minute,
        DateFormat.is24HourFormat(context),
    ).show()
}

/** Formats the time in UTC, because the device's clock may skip it today. */
private fun timeOfDay(context: Context, time: LocalTime): String {
    val ms = time.toSecondOfDay() * DateUtils.SECOND_IN_MILLIS
    return DateUtils.formatDateRange(context, Formatter(Locale.getDefault()), ms, ms, DateUtils.FORMAT_SHOW_TIME, "UTC").toString()
}
