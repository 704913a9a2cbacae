package io.github.phpsessionchat.app

import androidx.compose.foundation.background
import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.foundation.layout.Box
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
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.runtime.staticCompositionLocalOf
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.Shape
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.clearAndSetSemantics
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.unit.Dp
import androidx.compose.ui.unit.dp
import coil.compose.AsyncImage
import coil.request.ImageRequest
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Initials
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.android.isWaiting
import okhttp3.Request

/** The light and dark background, and the light and dark text, of one hue. */
private class Hue(val lightFill: Long, val darkFill: Long, val lightInk: Long, val darkInk: Long)

/** In the order of [RoomSummary.Color]. */
private val hues = listOf(
    Hue(0xFFFFC9C9, 0xFF6B3336, 0xFF6A2B30, 0xFFFFDEDE),
    Hue(0xFFFFD0AE, 0xFF663A14, 0xFF653401, 0xFFFDE2CE),
    Hue(0xFFE8DBA7, 0xFF534602, 0xFF514100, 0xFFEFE8CB),
    Hue(0xFFBCE8C1, 0xFF24522D, 0xFF194F25, 0xFFD7F0D9),
    Hue(0xFFA4EAE5, 0xFF005350, 0xFF00514D, 0xFFCBF1EE),
    Hue(0xFFB1E2FF, 0xFF124B6D, 0xFF00476D, 0xFFD1ECFF),
    Hue(0xFFD6D5FF, 0xFF433F6F, 0xFF3F3A70, 0xFFE5E5FF),
    Hue(0xFFFBC9E9, 0xFF623454, 0xFF612D51, 0xFFFBDEF0),
)

/** Returns the number of the hue of a user or room, by FNV-1a of the ID: the same as in the browser client. */
fun hueNumber(id: String): Int {
    val hash = id.encodeToByteArray().fold(0x811c9dc5u) { hash, byte -> (hash xor byte.toUByte().toUInt()) * 0x01000193u }
    return (hash % hues.size.toUInt()).toInt()
}

private fun hueOf(id: String) = hues[hueNumber(id)]

/** Returns the background of a hue. */
@Composable
fun fillOf(hueNumber: Int) = fillOf(hues[hueNumber])

@Composable
private fun fillOf(hue: Hue) = Color(if (isSystemInDarkTheme()) hue.darkFill else hue.lightFill)

@Composable
private fun inkOf(hue: Hue) = Color(if (isSystemInDarkTheme()) hue.darkInk else hue.lightInk)

/** A colour for names that is the same for each message of a user. */
@Composable
fun inkOf(id: String) = inkOf(hueOf(id))

@Composable
fun Avatar(id: String, name: String, size: Dp) = Badge(fillOf(hueOf(id)), size, CircleShape) {
    // Not larger with large text, because the circle is not.
    val fontSize = with(LocalDensity.current) { (size * 0.36f).toSp() }
    Text(
        Initials.of(name),
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
    val hue = room.color?.let { hues[it.ordinal] } ?: hueOf(room.id)
    val emoji = room.emoji
    val picture = room.picture
    val shape = RoundedCornerShape(12.dp)
    var hasPicture by remember(picture?.id) { mutableStateOf(false) }
    // Transparent parts of a picture have the light colour in dark mode too.
    Badge(if (hasPicture) Color(hue.lightFill) else fillOf(hue), 44.dp, shape) {
        if (picture != null) RoomPicture(picture, Modifier.size(44.dp).clip(shape)) { hasPicture = true }
        if (hasPicture) {
            // The picture replaces the emoji.
        } else if (emoji == null && room.kind == RoomSummary.Kind.PRIVATE) {
            Icon(Icons.Filled.Lock, null, Modifier.size(18.dp), tint = inkOf(hue))
        } else {
            val fontSize = with(LocalDensity.current) { 20.dp.toSp() }
            Text(emoji ?: "#", color = inkOf(hue), fontSize = fontSize, fontWeight = FontWeight.Bold, lineHeight = fontSize * 1.2f)
        }
    }
}

/** Returns the request for a room's picture. */
val LocalRoomPictures = staticCompositionLocalOf<((ChatFile) -> Request)?> { null }

@Composable
private fun RoomPicture(picture: ChatFile, modifier: Modifier, onLoaded: () -> Unit) {
    val requestOf = LocalRoomPictures.current ?: return
    val context = LocalContext.current
    val request = remember(picture.id) {
        val http = requestOf(picture)
        ImageRequest.Builder(context).data(http.url).headers(http.headers).build()
    }
    AsyncImage(request, contentDescription = null, modifier, contentScale = ContentScale.Crop, onSuccess = { onLoaded() })
}

/** Not read aloud, because the name is next to it. */
@Composable
private fun Badge(fill: Color, size: Dp, shape: Shape, content: @Composable () -> Unit) {
    Box(
        Modifier.size(size).background(fill, shape).clearAndSetSemantics {},
        contentAlignment = Alignment.Center,
    ) { content() }
}

/** Shown unless the chat is connected. */
@Composable
fun ConnectionBar(connection: ConnectionState.Kind, onReconnect: () -> Unit) {
    if (connection == ConnectionState.Kind.ONLINE) return
    WithControl(
        control = { if (connection.isWaiting) TextButton(onClick = onReconnect) { Text(stringResource(R.string.conn_now)) } },
        Modifier.fillMaxWidth().background(MaterialTheme.colorScheme.primaryContainer).padding(horizontal = 16.dp),
    ) {
        val text = if (connection.isWaiting) R.string.conn_lost else R.string.conn_connecting
        Text(
            stringResource(text),
            Modifier.padding(vertical = 10.dp).semantics { liveRegion = LiveRegionMode.Polite },
            MaterialTheme.colorScheme.onPrimaryContainer,
        )
    }
}
