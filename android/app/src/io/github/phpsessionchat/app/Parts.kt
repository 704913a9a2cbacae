package io.github.phpsessionchat.app

import androidx.compose.foundation.background
import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Lock
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.Shape
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.clearAndSetSemantics
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.unit.Dp
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.android.isWaiting

/** The light and dark background, and the light and dark text, of one hue. */
private class Hue(val lightFill: Long, val darkFill: Long, val lightInk: Long, val darkInk: Long)

private val hues = listOf(
    Hue(0xFFFFCAC4, 0xFF6C3531, 0xFF6A2C29, 0xFFFFDEDB),
    Hue(0xFFFED1AD, 0xFF673C14, 0xFF643400, 0xFFFDE2CE),
    Hue(0xFFDDDFAA, 0xFF4B4B0D, 0xFF464600, 0xFFE9EBCC),
    Hue(0xFFBBE8C3, 0xFF235430, 0xFF154F27, 0xFFD6F0DA),
    Hue(0xFFA4EAE5, 0xFF005551, 0xFF00514D, 0xFFCBF1EE),
    Hue(0xFFABE4FF, 0xFF004F6A, 0xFF004A69, 0xFFCEEEFE),
    Hue(0xFFC8D9FF, 0xFF374573, 0xFF303E72, 0xFFDDE7FF),
    Hue(0xFFE9CFFE, 0xFF553B68, 0xFF513366, 0xFFF0E1FC),
    Hue(0xFFFFC8E1, 0xFF67344E, 0xFF642C49, 0xFFFEDEEC),
)

private fun hueOf(id: String) = hues[id.hashCode().mod(hues.size)]

/** A colour for names that is the same for each message of a user. */
@Composable
fun inkOf(id: String) = Color(if (isSystemInDarkTheme()) hueOf(id).darkInk else hueOf(id).lightInk)

@Composable
fun Avatar(id: String, name: String, size: Dp) = Badge(id, size, CircleShape) {
    val initials = name.split(' ').filter(String::isNotEmpty).let { listOfNotNull(it.firstOrNull(), it.drop(1).lastOrNull()) }
    // Not larger with large text, because the circle is not.
    val fontSize = with(LocalDensity.current) { (size * 0.36f).toSp() }
    Text(
        initials.joinToString("") { String(Character.toChars(it.codePointAt(0))) },
        color = inkOf(id),
        fontSize = fontSize,
        fontWeight = FontWeight.Bold,
        lineHeight = fontSize,
    )
}

@Composable
fun RoomIcon(room: RoomSummary) {
    val with = room.with
    if (with != null) return Avatar(with.id, nameOf(with), 44.dp)
    Badge(room.id, 44.dp, RoundedCornerShape(12.dp)) {
        if (room.kind == RoomSummary.Kind.PRIVATE) {
            Icon(Icons.Filled.Lock, null, Modifier.size(18.dp), tint = inkOf(room.id))
        } else {
            val fontSize = with(LocalDensity.current) { 20.dp.toSp() }
            Text("#", color = inkOf(room.id), fontSize = fontSize, fontWeight = FontWeight.Bold, lineHeight = fontSize)
        }
    }
}

/** Not read aloud, because the name is next to it. */
@Composable
private fun Badge(id: String, size: Dp, shape: Shape, content: @Composable () -> Unit) {
    val fill = if (isSystemInDarkTheme()) hueOf(id).darkFill else hueOf(id).lightFill
    Box(
        Modifier.size(size).background(Color(fill), shape).clearAndSetSemantics {},
        contentAlignment = Alignment.Center,
    ) { content() }
}

/** Shown unless the chat is connected. */
@Composable
fun ConnectionBar(connection: ConnectionState.Kind, onReconnect: () -> Unit) {
    if (connection == ConnectionState.Kind.ONLINE) return
    Row(
        Modifier.fillMaxWidth().background(MaterialTheme.colorScheme.primaryContainer).padding(horizontal = 16.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        val text = if (connection.isWaiting) R.string.conn_lost else R.string.conn_connecting
        Text(stringResource(text), Modifier.weight(1f).padding(vertical = 10.dp), MaterialTheme.colorScheme.onPrimaryContainer)
        if (connection.isWaiting) TextButton(onClick = onReconnect) { Text(stringResource(R.string.conn_now)) }
    }
}
