package io.github.phpsessionchat.app

import android.content.Context
import android.icu.text.DisplayContext
import android.icu.text.RelativeDateTimeFormatter
import android.icu.text.RelativeDateTimeFormatter.AbsoluteUnit
import android.icu.text.RelativeDateTimeFormatter.Direction
import android.icu.text.RelativeDateTimeFormatter.Style
import android.icu.util.ULocale
import android.text.format.DateUtils
import android.text.format.DateUtils.FORMAT_ABBREV_MONTH
import android.text.format.DateUtils.FORMAT_ABBREV_WEEKDAY
import android.text.format.DateUtils.FORMAT_SHOW_DATE
import android.text.format.DateUtils.FORMAT_SHOW_TIME
import android.text.format.DateUtils.FORMAT_SHOW_WEEKDAY
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.Composable
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.AnnotatedString
import androidx.compose.ui.text.LinkAnnotation
import androidx.compose.ui.text.SpanStyle
import androidx.compose.ui.text.TextLinkStyles
import androidx.compose.ui.text.buildAnnotatedString
import androidx.compose.ui.text.style.TextDecoration
import androidx.compose.ui.text.withLink
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User
import java.net.IDN
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId

/** Separates a name or text from the direction of the text around it. */
fun isolate(text: String) = "\u2068$text\u2069"

@Composable
fun nameOf(user: User) = if (user.id == User.ERASED) stringResource(R.string.msg_deletedUser) else user.name

/** Returns the name of a room. A direct room has the name of the other user. */
@Composable
fun titleOf(room: RoomSummary) = room.with?.let { nameOf(it) } ?: room.name

/** Returns the text of a message, or of its files if they are not uploaded yet. */
@Composable
fun textOf(entry: Entry): String {
    val message = entry.message
    val pending = entry.pending
    return when {
        message?.isDeleted == true -> stringResource(R.string.msg_deleted)
        message != null -> message.textWithNames()
        pending != null -> (listOf(pending.text) + pending.files.map { it.name }).filter(String::isNotEmpty).joinToString("\n")
        else -> entry.text
    }
}

/** Returns the text of a message, or the names of its files if it has no text. */
@Composable
fun shortTextOf(entry: Entry): String =
    textOf(entry).ifEmpty { entry.message?.files.orEmpty().joinToString { it.name } }

/** The host of `https://bank.example@other.example` is other.example, so this is not a link. */
private val webAddress = Regex("""https?://(?![^\s/\\?#]*@)[^\s<>"]*[^\s<>".,:;!?)\]}'’”]""")

fun linksIn(text: String): List<String> = webAddress.findAll(text).map { it.value }.toList()

/** Makes the web addresses in a text open in the browser. */
@Composable
fun linked(text: String): AnnotatedString {
    val styles = TextLinkStyles(SpanStyle(MaterialTheme.colorScheme.primary, textDecoration = TextDecoration.Underline))
    return buildAnnotatedString {
        var end = 0
        for (found in webAddress.findAll(text)) {
            append(text.substring(end, found.range.first))
            withLink(LinkAnnotation.Url(found.value, styles)) { append(withAsciiHost(found.value)) }
            end = found.range.last + 1
        }
        append(text.substring(end))
    }
}

private val webHost = Regex("""(?<=^https?://)[^/\\?#:]+""")

/** In this part of a host, IDN would show `ss` instead of `ß`, which is another host for browsers. */
private val sharpS = Regex("[a-z0-9ß-]+")

/**
 * Shows the host of an address as browsers request it: `xn--…` reveals look-alike characters, and small letters a
 * capital `I`, which looks like an `l`.
 */
fun withAsciiHost(address: String): String = webHost.replace(address) {
    it.value.lowercase().split('.').joinToString(".") { part ->
        if (sharpS.matches(part)) part else runCatching { IDN.toASCII(part, IDN.ALLOW_UNASSIGNED) }.getOrDefault(part)
    }
}

@Composable
fun textOf(message: RoomSummary.Last): String = when {
    message.deletedAt != 0L -> stringResource(R.string.msg_deleted)
    message.hidden -> "…"
    message.text.isEmpty() -> "📎"
    else -> message.text
}

/** Returns a room's last message with its author. */
@Composable
fun lastMessage(room: RoomSummary, me: User): String {
    val last = room.last ?: return stringResource(R.string.rooms_lastNone)
    val text = textOf(last)
    if (room.kind == RoomSummary.Kind.DIRECT && last.user != me) return isolate(text)
    val name = if (last.user == me) stringResource(R.string.msg_you) else nameOf(last.user)
    return stringResource(R.string.rooms_last, isolate(name), isolate(text))
}

private const val DATE_FLAGS = FORMAT_SHOW_DATE or FORMAT_ABBREV_MONTH

fun dayOf(time: Long): LocalDate = Instant.ofEpochMilli(time).atZone(ZoneId.systemDefault()).toLocalDate()

@Composable
fun clockTime(time: Long): String = DateUtils.formatDateTime(LocalContext.current, time, FORMAT_SHOW_TIME)

@Composable
fun dayName(time: Long): String = dayName(time, LocalContext.current)

private fun dayName(time: Long, context: Context): String = when (dayOf(time)) {
    LocalDate.now() -> context.getString(R.string.time_today)
    LocalDate.now().minusDays(1) -> context.getString(R.string.time_yesterday)
    LocalDate.now().plusDays(1) -> tomorrow()
    else -> {
        val isFuture = dayOf(time) > LocalDate.now()
        DateUtils.formatDateTime(context, time, DATE_FLAGS or if (isFuture) FORMAT_SHOW_WEEKDAY or FORMAT_ABBREV_WEEKDAY else 0)
    }
}

private fun tomorrow(): String {
    val locale = ULocale.getDefault()
    return RelativeDateTimeFormatter.getInstance(locale, null, Style.LONG, DisplayContext.CAPITALIZATION_FOR_BEGINNING_OF_SENTENCE)
        .format(Direction.NEXT, AbsoluteUnit.DAY)
}

@Composable
fun dayAndTime(time: Long): String = dayAndTime(time, LocalContext.current)

fun dayAndTime(time: Long, context: Context): String =
    "${dayName(time, context)}, ${DateUtils.formatDateTime(context, time, FORMAT_SHOW_TIME)}"

/** @param end 0: unknown */
@Composable
fun timeRange(start: Long, end: Long): String {
    val flags = FORMAT_SHOW_DATE or FORMAT_SHOW_TIME or FORMAT_SHOW_WEEKDAY
    return DateUtils.formatDateRange(LocalContext.current, start, if (end == 0L) start else end, flags)
}

@Composable
fun dateText(time: Long): String = DateUtils.formatDateTime(LocalContext.current, time, DATE_FLAGS)
