package io.github.phpsessionchat.app

import androidx.compose.foundation.ExperimentalFoundationApi
import androidx.compose.foundation.background
import androidx.compose.foundation.clickable
import androidx.compose.foundation.combinedClickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.lazy.rememberLazyListState
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Add
import androidx.compose.material.icons.filled.KeyboardArrowDown
import androidx.compose.material.icons.filled.KeyboardArrowUp
import androidx.compose.material.icons.filled.Search
import androidx.compose.material.icons.filled.Settings
import androidx.compose.material.icons.filled.Star
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Text
import androidx.compose.material3.TopAppBar
import androidx.compose.material3.TopAppBarDefaults
import androidx.compose.runtime.Composable
import androidx.compose.runtime.SideEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.collapse
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.expand
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.ScheduledMessage
import io.github.phpsessionchat.User
import java.text.NumberFormat

/** A longer list has a field to find a room. */
private const val MANY_ROOMS = 8

/** What the user can do in the list of rooms. */
interface RoomsActions : RoomMenuActions {
    fun open(room: String)
    fun addChat()
    fun search()
    fun openSettings()
    fun openModeration()

    /** Shows the message of a due reminder. */
    fun show(reminder: Reminder)
    fun reconnect()
}

/**
 * @param failed the scheduled messages that could not be sent
 * @param waiting the number of messages that wait for a decision of the user
 */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun RoomsScreen(
    rooms: List<RoomSummary>,
    drafts: Map<String, String>,
    me: User,
    connection: ConnectionState.Kind,
    actions: RoomsActions,
    notices: SnackbarHostState,
    site: Site = Site(null, null),
    failed: List<ScheduledMessage> = emptyList(),
    reminders: List<Reminder> = emptyList(),
    waiting: Int = 0,
) {
    var shownMenu by remember { mutableStateOf<String?>(null) }
    var isArchiveOpen by rememberSaveable { mutableStateOf(false) }
    val list = rememberLazyListState()
    // Otherwise a room that moves to the top would be above the visible rooms.
    SideEffect { if (list.firstVisibleItemIndex == 0 && list.firstVisibleItemScrollOffset == 0) list.requestScrollToItem(0) }
    var query by rememberSaveable { mutableStateOf("") }
    val isLong = rooms.size > MANY_ROOMS
    val wanted = if (isLong) query.trim() else ""
    val (joined, others) = rooms.filter { titleOf(it).contains(wanted, ignoreCase = true) }.partition(RoomSummary::member)
    val (archived, listed) = joined.partition(RoomSummary::archived)
    Scaffold(
        containerColor = MaterialTheme.colorScheme.surface,
        topBar = {
            TopAppBar(
                title = { SiteTitle(site, site.name ?: stringResource(R.string.rooms_heading)) },
                colors = TopAppBarDefaults.topAppBarColors(MaterialTheme.colorScheme.surface),
                actions = {
                    IconButton(onClick = actions::addChat) { Icon(Icons.Filled.Add, stringResource(R.string.rooms_add)) }
                    IconButton(onClick = actions::search) { Icon(Icons.Filled.Search, stringResource(R.string.search_open)) }
                    IconButton(onClick = actions::openSettings) { Icon(Icons.Filled.Settings, stringResource(R.string.prefs_open)) }
                },
            )
        },
        snackbarHost = { SnackbarHost(notices) },
    ) { inner ->
        Column(Modifier.padding(inner)) {
            ConnectionBar(connection, actions::reconnect)
            Shared.waiting?.let { SharedBar(it) }
            ReminderLine(reminders, actions::show, actions::openScheduled, Modifier.padding(horizontal = 12.dp))
            ScheduledLine(failed, actions::openScheduled, Modifier.padding(horizontal = 12.dp))
            ModerationLine(waiting, rooms.sumOf { it.reports }, actions::openModeration, Modifier.padding(horizontal = 12.dp))
            LazyColumn(Modifier.fillMaxSize(), list) {
                if (isLong) item { FindField(query, { query = it }, label = R.string.rooms_filter) }
                val rows = { shown: List<RoomSummary> ->
                    items(shown, key = { it.id }) { room ->
                        RoomRow(room, drafts[room.id], me, onMenu = if (room.member) ({ shownMenu = room.id }) else null) { actions.open(room.id) }
                    }
                }
                rows(listed.favouritesFirst())
                if (archived.isNotEmpty() && wanted.isEmpty()) item { ArchiveRow(archived, isArchiveOpen) { isArchiveOpen = !isArchiveOpen } }
                // A search also finds rooms in the closed archive.
                if (isArchiveOpen || wanted.isNotEmpty()) rows(archived)
                if (wanted.isNotEmpty() && joined.isEmpty() && others.isEmpty()) {
                    item { Heading(stringResource(R.string.rooms_filterNone, isolate(wanted))) }
                }
                if (wanted.isEmpty() && joined.isEmpty()) item { Heading(stringResource(R.string.empty_rooms_title)) }
                if (others.isNotEmpty()) item { Heading(stringResource(R.string.rooms_more)) }
                rows(others)
            }
        }
    }
    rooms.find { it.id == shownMenu }?.let { RoomMenu(it, actions) { shownMenu = null } }
}

/** Shows or hides the archived rooms, and counts their unread messages. */
@Composable
private fun ArchiveRow(archived: List<RoomSummary>, isOpen: Boolean, onToggle: () -> Unit) {
    val toggle = {
        onToggle()
        true
    }
    Row(
        Modifier.fillMaxWidth()
            .clickable(role = Role.Button, onClick = onToggle)
            .semantics { if (isOpen) collapse(action = toggle) else expand(action = toggle) }
            .heightIn(min = 48.dp)
            .padding(16.dp, 8.dp),
        horizontalArrangement = Arrangement.spacedBy(12.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        Text(stringResource(R.string.rooms_archive), Modifier.weight(1f), fontWeight = FontWeight.Bold)
        val unread = archived.filterNot(RoomSummary::isQuiet).sumOf { it.unread }
        if (unread > 0) UnreadBadge(unread, hasMentions = false, isMuted = true)
        Icon(if (isOpen) Icons.Filled.KeyboardArrowUp else Icons.Filled.KeyboardArrowDown, null)
    }
}

@Composable
private fun Heading(text: String) {
    val colors = MaterialTheme.colorScheme
    Text(text, Modifier.padding(16.dp, 12.dp), colors.onSurfaceVariant, style = MaterialTheme.typography.labelLarge)
}

/** @param onMenu null: a long press does nothing */
@OptIn(ExperimentalFoundationApi::class)
@Composable
private fun RoomRow(room: RoomSummary, draft: String?, me: User, onMenu: (() -> Unit)?, onClick: () -> Unit) {
    val colors = MaterialTheme.colorScheme
    val isUnread = room.member && room.unread > 0
    Row(
        Modifier.fillMaxWidth()
            .combinedClickable(onLongClickLabel = stringResource(R.string.rooms_menu), onLongClick = onMenu, onClick = onClick)
            .padding(horizontal = 16.dp, vertical = 8.dp),
        horizontalArrangement = Arrangement.spacedBy(12.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        RoomIcon(room)
        Column(Modifier.weight(1f)) {
            WithEnd({ if (room.member) Text(lastTime(room), color = colors.onSurfaceVariant, style = MaterialTheme.typography.labelMedium) }) {
                Row(it, Arrangement.spacedBy(4.dp), Alignment.CenterVertically) {
                    Text(titleOf(room), Modifier.weight(1f, fill = false), fontWeight = FontWeight.Bold, maxLines = 1, overflow = TextOverflow.Ellipsis)
                    if (room.isFavourite) Icon(Icons.Filled.Star, stringResource(R.string.rooms_favourite), Modifier.size(16.dp), colors.primary)
                }
            }
            WithEnd({ if (isUnread) UnreadBadge(room.unread, room.mentions > 0, room.isQuiet()) }) {
                Text(
                    draft?.let { text -> "${stringResource(R.string.rooms_draft)} ${isolate(text)}" } ?: lastMessage(room, me),
                    it,
                    color = if (isUnread) colors.onSurface else colors.onSurfaceVariant,
                    style = MaterialTheme.typography.bodyMedium,
                    maxLines = 1,
                    overflow = TextOverflow.Ellipsis,
                )
            }
        }
        if (!room.member) {
            Text(stringResource(R.string.rooms_join), color = colors.primary, style = MaterialTheme.typography.labelLarge)
        }
    }
}

/** A line of text with something at its end. */
@Composable
private fun WithEnd(end: @Composable () -> Unit, text: @Composable (Modifier) -> Unit) {
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp), verticalAlignment = Alignment.CenterVertically) {
        text(Modifier.weight(1f))
        end()
    }
}

@Composable
private fun lastTime(room: RoomSummary): String {
    val last = room.last ?: return ""
    val clock = LocalClock.current
    return if (clock.dayOf(last.sentAt) == clock.today) clockTime(last.sentAt) else dayName(last.sentAt)
}

@Composable
private fun UnreadBadge(unread: Long, hasMentions: Boolean, isMuted: Boolean) {
    val colors = MaterialTheme.colorScheme
    val number = NumberFormat.getIntegerInstance().format(unread)
    val description = stringResource(R.string.rooms_unread, number)
    Text(
        if (hasMentions) "@ $number" else number,
        Modifier.background(if (isMuted) colors.outlineVariant else colors.primary, CircleShape)
            .padding(horizontal = 8.dp, vertical = 1.dp)
            .semantics { contentDescription = description },
        color = if (isMuted) colors.onSurface else colors.onPrimary,
        style = MaterialTheme.typography.labelMedium,
        fontWeight = FontWeight.Bold,
    )
}
