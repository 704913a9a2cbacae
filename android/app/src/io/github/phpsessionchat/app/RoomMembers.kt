package io.github.phpsessionchat.app

import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.res.stringResource
import io.github.phpsessionchat.RoomMember
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.RoomSummary.Role
import io.github.phpsessionchat.User
import kotlinx.coroutines.delay

/** A room with more members has a field to find one. */
private const val MANY = 20

/** Waits for the next letter before it searches. */
private const val PAUSE_MS = 300L

/** Shows the members of a room: the connected ones, then the others. */
@Composable
fun members(room: RoomSummary, me: User, actions: RoomDetailsActions): LazyListScope.() -> Unit {
    var query by rememberSaveable { mutableStateOf("") }
    var searched by remember { mutableStateOf("") }
    LaunchedEffect(query) {
        delay(PAUSE_MS)
        searched = query.trim()
    }
    val present = rememberPages(room.members) { actions.members(null, true, it) }
    val others = rememberPages(room.members) { actions.members(null, false, it) }
    val found = rememberPages(searched) { actions.members(searched, null, it) }
    return {
        if (room.members > MANY) item { FindField(query, { query = it }) }
        if (searched.isNotEmpty()) {
            pages(found, { it.user.id }, { Empty(R.string.search_none_title) }) { Member(it, me, actions, showsPresence = true) }
        } else {
            item { SectionHeading(stringResource(R.string.people_heading)) }
            pages(present, { it.user.id }) { Member(it, me, actions) }
            if (present.isComplete) {
                if (others.items.isNotEmpty()) item { SectionHeading(stringResource(R.string.people_others)) }
                // A member who came or went between the two requests is in both lists.
                pages(others, { "other ${it.user.id}" }) { Member(it, me, actions) }
            }
        }
    }
}

@Composable
private fun Member(member: RoomMember, me: User, actions: RoomDetailsActions, showsPresence: Boolean = false) {
    val notes = listOfNotNull(
        roleName(member.role),
        if (member.user == me) stringResource(R.string.people_you) else null,
        if (showsPresence && member.present) stringResource(R.string.person_here) else null,
    )
    PersonRow(member.user, notes.joinToString(" · ").ifEmpty { null }, { actions.openPerson(member.user) })
}

/** Returns the name of a role with special rights. */
@Composable
fun roleName(role: Role?): String? = when (role) {
    Role.OWNER -> stringResource(R.string.people_owner)
    Role.MODERATOR -> stringResource(R.string.people_moderator)
    else -> null
}
