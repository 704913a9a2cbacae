package io.github.phpsessionchat.app

import android.content.Context
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Check
import androidx.compose.material.icons.filled.Close
import androidx.compose.material3.Button
import androidx.compose.material3.Icon
import androidx.compose.material3.InputChip
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
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
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.role
import androidx.compose.ui.semantics.selected
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.Answers.Found
import io.github.phpsessionchat.Answers.Invited
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User
import java.text.NumberFormat

@Composable
fun InviteScreen(app: AppParts, id: String) {
    val rooms by app.chat.rooms.collectAsStateWithLifecycle()
    val room = rooms.find { it.id == id } ?: return
    val host = remember { SnackbarHostState() }
    val perform = rememberRequests(app, host)
    val notices = Notices(LocalContext.current, host)
    val context = LocalContext.current
    Invite(
        room,
        host,
        onClose = app.navigation::back,
        onLink = { app.navigation.open(Screen.InviteLinks(id)) },
        find = { query -> app.chat.request { findUsers(query, id, it) } },
    ) { users, onDone ->
        perform {
            val answer = request<Invited> { invite(id, users.map(User::id), it) }
            onDone(answer.failed.keys)
            notices.say(outcomeOf(answer, users, context))
        }
    }
}

private fun outcomeOf(answer: Invited, users: List<User>, context: Context): String {
    val number = NumberFormat.getIntegerInstance()
    val added = users.filter { it.id !in answer.failed }
    val failed = answer.failed.size
    return listOfNotNull(
        when (added.size) {
            0 -> null
            1 -> context.getString(R.string.invite_done, isolate(added[0].name))
            else -> context.resources.getQuantityString(R.plurals.invite_doneMany, added.size, number.format(added.size))
        },
        if (failed == 0) null else context.resources.getQuantityString(R.plurals.invite_failed, failed, number.format(failed)),
    ).joinToString(" ")
}

/**
 * Finds users and invites them to a room.
 *
 * @param onInvite gets the chosen users, and a callback for the IDs of those who could not be invited
 */
@Composable
fun Invite(
    room: RoomSummary,
    host: SnackbarHostState,
    onClose: () -> Unit,
    onLink: () -> Unit,
    find: suspend (String) -> Found,
    onInvite: (List<User>, onDone: (failed: Set<String>) -> Unit) -> Unit,
) {
    var query by rememberSaveable { mutableStateOf("") }
    var chosen by remember { mutableStateOf<List<User>>(emptyList()) }
    val people by rememberFound(query, find)
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(R.string.invite_title, isolate(titleOf(room))), R.string.details_close, onClose) },
        snackbarHost = { SnackbarHost(host) },
    ) { inner ->
        LazyColumn(Modifier.fillMaxSize().padding(inner).consumeWindowInsets(inner).imePadding().testTag("invite")) {
            item { FindField(query, { query = it }) }
            if (chosen.isNotEmpty()) {
                item {
                    Chosen(chosen, onRemove = { chosen -= it }) {
                        onInvite(chosen) { failed -> chosen = chosen.filter { it.id in failed } }
                    }
                }
            }
            foundPeople(people) { user, isMember ->
                val isChosen = user in chosen
                PersonRow(
                    user,
                    if (isMember) stringResource(R.string.invite_inRoom) else null,
                    if (isMember) null else ({ chosen = if (isChosen) chosen - user else chosen + user }),
                    Modifier.semantics {
                        role = Role.Checkbox
                        selected = isChosen
                    },
                ) { if (isChosen) Icon(Icons.Filled.Check, null) }
            }
            item { LinkOffer(onLink) }
        }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Chosen(users: List<User>, onRemove: (User) -> Unit, onInvite: () -> Unit) {
    Column(Modifier.padding(horizontal = 16.dp)) {
        FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
            for (user in users) {
                InputChip(
                    selected = true,
                    onClick = { onRemove(user) },
                    label = { Text(nameOf(user)) },
                    trailingIcon = { Icon(Icons.Filled.Close, stringResource(R.string.invite_removeChip, isolate(nameOf(user)))) },
                )
            }
        }
        Button(onClick = onInvite) {
            val count = NumberFormat.getIntegerInstance().format(users.size)
            Text(if (users.size == 1) stringResource(R.string.invite_submit) else stringResource(R.string.invite_count, count))
        }
    }
}

/** Leads to the invite links. */
@Composable
private fun LinkOffer(onLink: () -> Unit) {
    Column(Modifier.padding(16.dp), Arrangement.spacedBy(8.dp)) {
        Text(stringResource(R.string.link_why), color = MaterialTheme.colorScheme.onSurfaceVariant)
        OutlinedButton(onClick = onLink, Modifier.fillMaxWidth()) { Text(stringResource(R.string.link_make)) }
    }
}
