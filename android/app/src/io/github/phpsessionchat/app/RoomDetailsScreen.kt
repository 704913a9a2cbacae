package io.github.phpsessionchat.app

import androidx.compose.foundation.ExperimentalFoundationApi
import androidx.compose.foundation.background
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Add
import androidx.compose.material.icons.filled.MoreVert
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.ScrollableTabRow
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Tab
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
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
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.Identity
import io.github.phpsessionchat.PinnedMessage
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.RoomSummary.Kind
import io.github.phpsessionchat.android.MemberChanges
import java.text.NumberFormat

enum class DetailsTab(val label: Int) {
    PEOPLE(R.string.details_people),
    FILES(R.string.details_files),
    PINNED(R.string.details_pinned),
    SETTINGS(R.string.details_settings),
    ;

    fun isIn(room: RoomSummary) = when (this) {
        PEOPLE -> room.kind != Kind.DIRECT
        SETTINGS -> room.member
        else -> true
    }
}

@Composable
fun RoomDetailsScreen(app: AppParts, id: String) {
    val rooms by app.chat.rooms.collectAsStateWithLifecycle()
    val me by app.chat.me.collectAsStateWithLifecycle()
    val conversation by app.chat.conversation.collectAsStateWithLifecycle()
    val room = rooms.find { it.id == id } ?: return
    val notices = remember { SnackbarHostState() }
    val changes = conversation?.members ?: MemberChanges()
    RoomDetails(room, me ?: return, conversation?.pins, rememberDetailsActions(app, room.id, notices), notices, changes)
}

/**
 * The members, files, pinned messages and settings of a room.
 *
 * @param pins null until they are loaded
 * @param changes of the members, since the room was opened
 */
@OptIn(ExperimentalFoundationApi::class)
@Composable
fun RoomDetails(
    room: RoomSummary,
    me: Identity,
    pins: List<PinnedMessage>?,
    actions: RoomDetailsActions,
    notices: SnackbarHostState,
    changes: MemberChanges = MemberChanges(),
) {
    val tabs = DetailsTab.entries.filter { it.isIn(room) }
    var chosen by rememberSaveable { mutableStateOf(tabs.first()) }
    var showsMenu by remember { mutableStateOf(false) }
    val tab = if (chosen in tabs) chosen else tabs.first()
    val content: LazyListScope.() -> Unit = when (tab) {
        DetailsTab.PEOPLE -> members(room, me.user, changes, actions)
        DetailsTab.FILES -> sharedFiles(room, actions)
        DetailsTab.PINNED -> pinnedMessages(pins, room, me.user, actions)
        DetailsTab.SETTINGS -> roomSettings(room, me, actions)
    }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = {
            ScreenBar(stringResource(R.string.details_title), R.string.details_close, actions::close) {
                if (room.may(RoomSummary.Right.INVITE)) {
                    IconButton(onClick = actions::invite) { Icon(Icons.Filled.Add, stringResource(R.string.rooms_invite)) }
                }
                if (room.member) {
                    IconButton(onClick = { showsMenu = true }) { Icon(Icons.Filled.MoreVert, stringResource(R.string.rooms_menu)) }
                }
            }
        },
        snackbarHost = { SnackbarHost(notices) },
    ) { inner ->
        LazyColumn(Modifier.fillMaxSize().padding(inner).testTag("details")) {
            item { Header(room, actions) }
            stickyHeader { Tabs(tabs, tab) { chosen = it } }
            content()
        }
    }
    if (showsMenu) RoomMenu(room, actions) { showsMenu = false }
}

@Composable
private fun Header(room: RoomSummary, actions: RoomDetailsActions) {
    val with = room.with
    Column(
        Modifier.fillMaxWidth().clickable(with != null) { with?.let(actions::openPerson) }.padding(16.dp, 8.dp),
        Arrangement.spacedBy(4.dp),
        Alignment.CenterHorizontally,
    ) {
        RoomIcon(room)
        Text(titleOf(room), textAlign = TextAlign.Center, style = MaterialTheme.typography.titleLarge)
        Text(kindOf(room), color = MaterialTheme.colorScheme.onSurfaceVariant, textAlign = TextAlign.Center)
        room.topic?.let { Text(linked(it), textAlign = TextAlign.Center) }
    }
}

@Composable
private fun kindOf(room: RoomSummary): String {
    if (room.kind == Kind.DIRECT) return stringResource(R.string.rooms_direct)
    val plurals = if (room.kind == Kind.PUBLIC) R.plurals.rooms_about_public else R.plurals.rooms_about_private
    return pluralStringResource(plurals, room.members, NumberFormat.getIntegerInstance().format(room.members))
}

@Composable
private fun Tabs(tabs: List<DetailsTab>, chosen: DetailsTab, onChoose: (DetailsTab) -> Unit) {
    ScrollableTabRow(
        tabs.indexOf(chosen),
        Modifier.background(MaterialTheme.colorScheme.background),
        containerColor = MaterialTheme.colorScheme.background,
        edgePadding = 0.dp,
    ) {
        for (tab in tabs) Tab(tab == chosen, onClick = { onChoose(tab) }, text = { Text(stringResource(tab.label)) })
    }
}
