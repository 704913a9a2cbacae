package io.github.phpsessionchat.app

import android.content.Context
import android.icu.text.DisplayContext
import android.icu.text.MeasureFormat
import android.icu.text.NumberFormat
import android.icu.text.RelativeDateTimeFormatter
import android.icu.text.RelativeDateTimeFormatter.AbsoluteUnit
import android.icu.text.RelativeDateTimeFormatter.Direction
import android.icu.text.RelativeDateTimeFormatter.Style
import android.icu.util.Measure
import android.icu.util.MeasureUnit
import android.icu.util.ULocale
import android.text.format.DateUtils
import android.text.format.DateUtils.FORMAT_ABBREV_MONTH
import android.text.format.DateUtils.FORMAT_ABBREV_WEEKDAY
import android.text.format.DateUtils.FORMAT_SHOW_DATE
import android.text.format.DateUtils.FORMAT_SHOW_TIME
import android.text.format.DateUtils.FORMAT_SHOW_WEEKDAY
import androidx.compose.material3.LocalTextStyle
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.AnnotatedString
import androidx.compose.ui.text.LinkAnnotation
import androidx.compose.ui.text.SpanStyle
import androidx.compose.ui.text.TextLinkStyles
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.text.buildAnnotatedString
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.font.FontStyle
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextDecoration
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.text.withLink
import androidx.compose.ui.text.withStyle
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.MessageText
import io.github.phpsessionchat.MessageText.Block
import io.github.phpsessionchat.MessageText.Piece
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User
import java.util.Locale

const val MINUTE_MS = 60_000L
const val HOUR_MS = 60 * MINUTE_MS
private const val DAY_MS = 24 * HOUR_MS

/** Separates a name or text from the direction of the text around it. */
fun isolate(text: String) = "\u2068$text\u2069"

/** Embeddings, overrides and isolates, which a mention in an address can have in its name. */
private val DIRECTIONS = Regex("[\u202a-\u202e\u2066-\u2069]")

/** Displays an address from left to right between any directional characters, which could make it look like another. */
fun leftToRight(address: String) = "\u2066${address.replace(DIRECTIONS, "")}\u2069"

/** The style of a text that is written in the direction of its own language. */
val inOwnDirection: TextStyle
    @Composable get() = LocalTextStyle.current.copy(textDirection = TextDirection.Content)

@Composable
fun nameOf(user: User) = if (user.id == User.ERASED) stringResource(R.string.msg_deletedUser) else user.name

/** Returns the name of a room. A direct room has the name of the other user. */
@Composable
fun titleOf(room: RoomSummary) = room.with?.let { nameOf(it) } ?: room.name

/** Returns the text of a message, or of its files if they are not uploaded yet. */
@Composable
fun textOf(entry: Entry): String {
    val message = entry.message
    return when {
        message?.isDeleted == true -> stringResource(R.string.msg_deleted)
        message != null -> message.textWithNames()
        else -> (listOf(entry.text) + filesOf(entry)).filter(String::isNotEmpty).joinToString("\n")
    }
}

/** Returns the text of a message, or the names of its files if it has no text. */
@Composable
fun shortTextOf(entry: Entry): String =
    if (entry.message?.isDeleted == true) stringResource(R.string.msg_deleted)
    else entry.plainText().ifEmpty { (entry.message?.files?.map { it.name } ?: filesOf(entry)).joinToString() }

/** Returns the names of the files that are not uploaded yet. */
private fun filesOf(entry: Entry): List<String> = entry.unsent?.files.orEmpty().map { it.name }

/** Makes the links in a text open in the browser. */
@Composable
fun linked(text: String): AnnotatedString {
    val looks = Looks.current()
    return remember(text, looks) { buildAnnotatedString { append(MessageText.links(text), looks) } }
}

/** Shows the links and formats of a message. Names of users and files have none. */
@Composable
fun formatted(entry: Entry): AnnotatedString {
    val looks = Looks.current()
    if (entry.message?.isDeleted == true) return AnnotatedString(stringResource(R.string.msg_deleted))
    return remember(entry.message ?: entry.unsent, looks) {
        buildAnnotatedString {
            if (entry.text.isNotEmpty()) append(formatted(entry.blocks(), looks))
            for (name in filesOf(entry)) {
                if (length > 0) append('\n')
                append(name)
            }
        }
    }
}

class Looks(val link: TextLinkStyles, val code: SpanStyle, val quote: SpanStyle) {
    companion object {
        @Composable
        fun current(): Looks {
            val colors = MaterialTheme.colorScheme
            return remember(colors) {
                Looks(
                    TextLinkStyles(SpanStyle(colors.primary, textDecoration = TextDecoration.Underline)),
                    SpanStyle(fontFamily = FontFamily.Monospace, background = colors.onSurface.copy(alpha = 0.06f)),
                    SpanStyle(colors.onSurfaceVariant),
                )
            }
        }
    }
}

fun formatted(blocks: List<Block>, looks: Looks): AnnotatedString = buildAnnotatedString {
    for ((n, block) in blocks.withIndex()) {
        if (n > 0) append('\n')
        when (block.kind) {
            Block.Kind.TEXT -> append(block.pieces, looks)
            Block.Kind.QUOTE -> withStyle(looks.quote) {
                append(QUOTE)
                append(block.pieces, looks, QUOTE)
            }
            Block.Kind.LIST -> for ((item, pieces) in block.items.withIndex()) {
                if (item > 0) append('\n')
                append(if (block.start == Block.NO_NUMBERS) "• " else "${block.start + item}. ")
                append(pieces, looks)
            }
            Block.Kind.CODE -> withStyle(looks.code) { append(block.code) }
        }
    }
}

private const val QUOTE = "▏"

/** @param lineStart precedes further lines */
private fun AnnotatedString.Builder.append(pieces: List<Piece>, looks: Looks, lineStart: String = "") {
    for (piece in pieces) {
        val link = piece.link
        when (piece.kind) {
            Piece.Kind.BOLD -> withStyle(SpanStyle(fontWeight = FontWeight.Bold)) { append(piece.pieces, looks, lineStart) }
            Piece.Kind.ITALIC -> withStyle(SpanStyle(fontStyle = FontStyle.Italic)) { append(piece.pieces, looks, lineStart) }
            Piece.Kind.CODE -> withStyle(looks.code) { append(piece.text) }
            else -> if (link == null) append(piece.text.replace("\n", "\n$lineStart"))
            else withLink(LinkAnnotation.Url(link.href, looks.link)) { append(leftToRight(link.shown)) }
        }
    }
}

@Composable
fun textOf(message: RoomSummary.Last): String = when {
    message.deletedAt != 0L -> stringResource(R.string.msg_deleted)
    message.hidden -> "…"
    message.text.isEmpty() -> "📎"
    else -> MessageText.plain(message.text)
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

@Composable
fun clockTime(time: Long): String = formatted(time, FORMAT_SHOW_TIME)

@Composable
fun dayName(time: Long): String = dayName(time, LocalContext.current, LocalClock.current)

private fun dayName(time: Long, context: Context, clock: Clock): String = when (val day = clock.dayOf(time)) {
    clock.today -> context.getString(R.string.time_today)
    clock.today.minusDays(1) -> context.getString(R.string.time_yesterday)
    clock.today.plusDays(1) -> tomorrow()
    else -> DateUtils.formatDateTime(context, time, DATE_FLAGS or if (day > clock.today) FORMAT_SHOW_WEEKDAY or FORMAT_ABBREV_WEEKDAY else 0)
}

private fun tomorrow(): String {
    val locale = ULocale.getDefault()
    return RelativeDateTimeFormatter.getInstance(locale, null, Style.LONG, DisplayContext.CAPITALIZATION_FOR_BEGINNING_OF_SENTENCE)
        .format(Direction.NEXT, AbsoluteUnit.DAY)
}

@Composable
fun dayAndTime(time: Long): String = dayAndTime(time, LocalContext.current, LocalClock.current)

/** For a text that is shown only for a moment. */
fun dayAndTime(time: Long, context: Context): String = dayAndTime(time, context, Clock.of(context))

private fun dayAndTime(time: Long, context: Context, clock: Clock) =
    "${dayName(time, context, clock)}, ${DateUtils.formatDateTime(context, time, FORMAT_SHOW_TIME)}"

/** @param end 0: unknown */
@Composable
fun timeRange(start: Long, end: Long): String =
    formatted(start, FORMAT_SHOW_DATE or FORMAT_SHOW_TIME or FORMAT_SHOW_WEEKDAY, if (end == 0L) start else end)

@Composable
fun dateText(time: Long): String = formatted(time, DATE_FLAGS)

@Composable
private fun formatted(time: Long, flags: Int, end: Long = time): String {
    val context = LocalContext.current
    return remember(LocalClock.current, context, time, end, flags) { DateUtils.formatDateRange(context, time, end, flags) }
}

/** Returns a time span in one unit, such as “3 hours”, rounded up, as in `client/src/views/questions/how-long.ts`. */
fun howLong(ms: Long): String {
    val (unit, size) = when {
        ms < HOUR_MS -> MeasureUnit.MINUTE to MINUTE_MS
        ms < 2 * DAY_MS -> MeasureUnit.HOUR to HOUR_MS
        else -> MeasureUnit.DAY to DAY_MS
    }
    val count = maxOf(1L, (ms + size - 1) / size)
    val locale = Locale.getDefault()
    // Otherwise some languages have digits that the rest of the app does not use.
    val numbers = NumberFormat.getIntegerInstance(locale)
    return MeasureFormat.getInstance(ULocale.forLocale(locale), MeasureFormat.FormatWidth.WIDE, numbers).formatMeasures(Measure(count, unit))
}
