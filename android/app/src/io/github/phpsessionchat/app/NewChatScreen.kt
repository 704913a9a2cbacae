package io.github.phpsessionchat.app

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
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
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.Answers.Found
import io.github.phpsessionchat.Identity
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User

@Composable
fun NewChatScreen(app: AppParts) {
    val me by app.chat.me.collectAsStateWithLifecycle()
    val host = remember { SnackbarHostState() }
    val perform = rememberRequests(app, host)
    NewChat(
        me ?: return,
        host,
        onClose = app.navigation::back,
        onNewRoom = { app.navigation.open(Screen.NewRoom) },
        onPublicRooms = { app.navigation.open(Screen.PublicRooms) },
        onAsk = { app.navigation.open(Screen.Ask) },
        find = { query -> app.chat.request { findUsers(query, null, it) } },
    ) { user -> perform { app.navigation.openRoom(request<RoomSummary> { openDirect(user.id, it) }.id) } }
}

val Identity.canCreateRooms get() = canCreatePublic || canCreatePrivate

/** Leads to new rooms, to public rooms and to the team of the site, and finds people to write to. */
@Composable
fun NewChat(
    me: Identity,
    host: SnackbarHostState,
    onClose: () -> Unit,
    onNewRoom: () -> Unit,
    onPublicRooms: () -> Unit,
    onAsk: () -> Unit,
    find: suspend (String) -> Found,
    onWrite: (User) -> Unit,
) {
    var query by rememberSaveable { mutableStateOf("") }
    val people by rememberFound(query, find)
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(R.string.rooms_add), R.string.common_close, onClose) },
        snackbarHost = { SnackbarHost(host) },
    ) { inner ->
        LazyColumn(Modifier.fillMaxSize().padding(inner).consumeWindowInsets(inner).imePadding().testTag("new chat")) {
            if (me.canCreateRooms) item { Entry(R.string.rooms_new, onNewRoom) }
            item { Entry(R.string.rooms_more, onPublicRooms) }
            if (me.canAsk) item { Entry(R.string.ask_menu, onAsk) }
            if (me.canOpenDirect && me.canFindPeople) {
                item { SectionHeading(stringResource(R.string.direct_title)) }
                item { FindField(query, { query = it }) }
                foundPeople(people) { user, _ -> PersonRow(user, null, { onWrite(user) }) }
            }
        }
    }
}

@Composable
private fun Entry(label: Int, onClick: () -> Unit) {
    Row(
        Modifier.fillMaxWidth().clickable(onClick = onClick).heightIn(min = 56.dp).padding(16.dp, 8.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) { Text(stringResource(label)) }
}
