package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Identity
import io.github.phpsessionchat.Identity.SiteRole
import io.github.phpsessionchat.Restriction
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.RoomSummary.Right
import io.github.phpsessionchat.RoomSummary.Role
import io.github.phpsessionchat.User

/** What an owner or a moderator of a room can do with a user there. */
enum class MemberAction(val label: Int, val isSerious: Boolean = false) {
    MAKE_MODERATOR(R.string.people_makeModerator),
    DROP_MODERATOR(R.string.people_dropModerator),
    HAND_OVER(R.string.owner_handOver),
    MUTE(R.string.mute_action),
    BAN(R.string.ban_action, isSerious = true),
    REMOVE(R.string.people_remove, isSerious = true),
}

interface MemberActions {
    fun setRole(role: Role)

    /** @param seconds the duration; 0: permanent */
    fun restrict(kind: Restriction.Kind, seconds: Long, reason: String?)
    fun remove()
}

/**
 * Returns the actions that the server allows.
 *
 * @param role the user's role in the room; null: not a member
 */
fun offeredActions(user: User, role: Role?, room: RoomSummary, me: Identity): List<MemberAction> {
    if (user == me.user || user.id == User.ERASED || rankOf(me, room) <= rankOf(role)) return emptyList()
    return MemberAction.entries.filter {
        when (it) {
            MemberAction.MAKE_MODERATOR -> role == Role.MEMBER && room.may(Right.ROLES)
            MemberAction.DROP_MODERATOR -> role == Role.MODERATOR && room.may(Right.ROLES)
            MemberAction.HAND_OVER -> role != null && room.role == Role.OWNER && room.may(Right.ROLES)
            MemberAction.MUTE, MemberAction.BAN -> room.may(Right.MODERATE)
            MemberAction.REMOVE -> role != null && room.may(Right.REMOVE)
        }
    }
}

/** An admin of the site outranks its moderators, who outrank the owner of a room. */
private fun rankOf(me: Identity, room: RoomSummary) = when {
    SiteRole.ADMIN in me.roles -> 4
    SiteRole.MODERATOR in me.roles -> 3
    else -> rankOf(room.role)
}

private fun rankOf(role: Role?) = when (role) {
    Role.OWNER -> 2
    Role.MODERATOR -> 1
    else -> 0
}

/** The buttons for these actions, which ask before they act. */
@Composable
fun MemberButtons(user: User, room: RoomSummary, offered: List<MemberAction>, actions: MemberActions) {
    var asked by remember { mutableStateOf<MemberAction?>(null) }
    Column(verticalArrangement = Arrangement.spacedBy(4.dp)) {
        for (action in offered) {
            val onClick = {
                when (action) {
                    MemberAction.MAKE_MODERATOR -> actions.setRole(Role.MODERATOR)
                    MemberAction.DROP_MODERATOR -> actions.setRole(Role.MEMBER)
                    else -> asked = action
                }
            }
            OutlinedButton(onClick, Modifier.fillMaxWidth()) {
                if (action.isSerious) Text(stringResource(action.label), color = MaterialTheme.colorScheme.error)
                else Text(stringResource(action.label))
            }
        }
    }
    val names = arrayOf(isolate(nameOf(user)), isolate(titleOf(room)))
    val onClose = { asked = null }
    when (asked) {
        MemberAction.MUTE -> RestrictSheet(Restriction.Kind.MUTED, user, room, onClose) { seconds, reason ->
            actions.restrict(Restriction.Kind.MUTED, seconds, reason)
        }
        MemberAction.BAN -> RestrictSheet(Restriction.Kind.BANNED, user, room, onClose) { seconds, reason ->
            actions.restrict(Restriction.Kind.BANNED, seconds, reason)
        }
        MemberAction.REMOVE -> AskDialog(
            stringResource(R.string.people_removeAsk, *names),
            text = null,
            confirm = stringResource(R.string.people_remove),
            dismiss = stringResource(R.string.common_cancel),
            onClose,
            actions::remove,
        )
        MemberAction.HAND_OVER -> AskDialog(
            stringResource(R.string.owner_ask, names[1], names[0]),
            text = stringResource(R.string.owner_hint),
            confirm = stringResource(R.string.owner_handOver),
            dismiss = stringResource(R.string.common_cancel),
            onClose,
        ) { actions.setRole(Role.OWNER) }
        else -> Unit
    }
}
