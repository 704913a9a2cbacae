package io.github.phpsessionchat.app

import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.foundation.lazy.items
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
import io.github.phpsessionchat.android.MemberChanges
import kotlinx.coroutines.delay

/** A room with more members has a field to find one. */
private const val MANY = 20

/** Waits for the next letter before it searches. */
private const val PAUSE_MS = 300L

data class ShownMember(val user: User, val role: Role?, val isPresent: Boolean)

/** Returns the new members, and the loaded ones as they are after the changes. */
fun withChanges(loaded: List<RoomMember>, changes: MemberChanges): List<ShownMember> {
    val present = changes.present.orEmpty().associateBy { it.id }
    val hasAllPresent = changes.present != null && present.size >= changes.presentCount
    // A member who came or went between two requests is loaded twice.
    val before = loaded.associateBy { it.user.id }
    val members = changes.changed.filterKeys { it !in before } + before + changes.changed
    val shown = members.values.filterNotNull().map {
        val isPresent = it.user.id in present || (!hasAllPresent && it.present)
        ShownMember(it.user, it.role, isPresent)
    }
    return shown + present.values.filter { it.id !in members }.map { ShownMember(it, role = null, isPresent = true) }
}

/** Shows the members of a room: the connected ones, then the others. */
@Composable
fun members(room: RoomSummary, me: User, changes: MemberChanges, actions: RoomDetailsActions): LazyListScope.() -> Unit {
    var query by rememberSaveable { mutableStateOf("") }
    var searched by remember { mutableStateOf("") }
    LaunchedEffect(query) {
        delay(PAUSE_MS)
        searched = query.trim()
    }
    val present = rememberPages(changes.missed) { actions.members(null, true, it) }
    val others = rememberPages(changes.missed) { actions.members(null, false, it) }
    val found = rememberPages(searched) { actions.members(searched, null, it) }
    val (here, away) = withChanges(present.items + others.items, changes).partition { it.isPresent }
    return {
        if (room.members > MANY) item { FindField(query, { query = it }) }
        if (searched.isNotEmpty()) {
            pages(found, { it.user.id }, { Empty(R.string.search_none_title) }) {
                Member(ShownMember(it.user, it.role, it.present), me, actions, showsPresence = true)
            }
        } else {
            item { SectionHeading(stringResource(R.string.people_heading)) }
            items(here, { it.user.id }) { Member(it, me, actions) }
            pagesEnd(present)
            if (present.isComplete) {
                if (away.isNotEmpty()) item { SectionHeading(stringResource(R.string.people_others)) }
                items(away, { it.user.id }) { Member(it, me, actions) }
                pagesEnd(others)
            }
        }
    }
}

@Composable
private fun Member(member: ShownMember, me: User, actions: RoomDetailsActions, showsPresence: Boolean = false) {
    val notes = listOfNotNull(
        roleName(member.role),
        if (member.user == me) stringResource(R.string.people_you) else null,
        if (showsPresence && member.isPresent) stringResource(R.string.person_here) else null,
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
