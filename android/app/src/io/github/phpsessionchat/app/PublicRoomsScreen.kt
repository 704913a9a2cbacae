package io.github.phpsessionchat.app

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Answers.Page
import io.github.phpsessionchat.RoomSummary
import java.text.NumberFormat
import kotlinx.coroutines.delay

/** Waits for the next letter before it searches. */
private const val PAUSE_MS = 300L

@Composable
fun PublicRoomsScreen(app: AppParts) = PublicRooms(
    onClose = app.navigation::back,
    onOpen = app.navigation::openRoom,
) { query, cursor -> app.chat.request { listRooms(false, query, cursor, it) } }

/** Lists the public rooms that the user can join. The list of rooms shows only the first of them. */
@Composable
fun PublicRooms(
    onClose: () -> Unit,
    onOpen: (String) -> Unit,
    load: suspend (query: String?, cursor: String?) -> Page<RoomSummary>,
) {
    var query by rememberSaveable { mutableStateOf("") }
    var searched by remember { mutableStateOf(query.trim()) }
    LaunchedEffect(query) {
        delay(PAUSE_MS)
        searched = query.trim()
    }
    val rooms = rememberPages(searched) { load(searched.ifEmpty { null }, it) }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(R.string.rooms_more), R.string.common_close, onClose) },
    ) { inner ->
        LazyColumn(Modifier.fillMaxSize().padding(inner).consumeWindowInsets(inner).imePadding().testTag("public rooms")) {
            item {
                OutlinedTextField(
                    query,
                    { query = it },
                    Modifier.fillMaxWidth().padding(16.dp, 8.dp).testTag("find"),
                    label = { Text(stringResource(R.string.rooms_filter)) },
                    singleLine = true,
                )
            }
            pages(rooms, { it.id }, { Empty(R.string.search_none_title) }) { PublicRoom(it) { onOpen(it.id) } }
        }
    }
}

@Composable
private fun PublicRoom(room: RoomSummary, onClick: () -> Unit) {
    val colors = MaterialTheme.colorScheme
    Row(
        Modifier.fillMaxWidth().clickable(onClick = onClick).padding(16.dp, 8.dp),
        horizontalArrangement = Arrangement.spacedBy(12.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        RoomIcon(room)
        Column(Modifier.weight(1f)) {
            Text(room.name, fontWeight = FontWeight.Bold, maxLines = 1, overflow = TextOverflow.Ellipsis)
            val members = NumberFormat.getIntegerInstance().format(room.members)
            Text(
                room.topic ?: pluralStringResource(R.plurals.rooms_about_public, room.members, members),
                color = colors.onSurfaceVariant,
                style = MaterialTheme.typography.bodyMedium,
                maxLines = 1,
                overflow = TextOverflow.Ellipsis,
            )
        }
        Text(stringResource(R.string.rooms_join), color = colors.primary, style = MaterialTheme.typography.labelLarge)
    }
}
