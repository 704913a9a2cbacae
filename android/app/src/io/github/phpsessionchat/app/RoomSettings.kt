package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Identity
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.RoomSummary.Notify
import io.github.phpsessionchat.RoomSummary.Right

private val levels = listOf(
    Notify.ALL to R.string.settings_notify_all,
    Notify.MENTIONS to R.string.settings_notify_mentions,
    Notify.NONE to R.string.settings_notify_none,
)

/** Shows the notification level and a button to leave. Owners and moderators also see the room's name and rules. */
@Composable
fun roomSettings(room: RoomSummary, me: Identity, actions: RoomDetailsActions): LazyListScope.() -> Unit {
    var isLeaving by rememberSaveable { mutableStateOf(false) }
    var isDeleting by rememberSaveable { mutableStateOf(false) }
    if (isLeaving) LeaveDialog(room, onClose = { isLeaving = false }, actions::leave)
    if (isDeleting) DeleteDialog(room, onClose = { isDeleting = false }, actions::delete)
    val rules = roomRules(room, me, actions)
    return {
        item { SectionHeading(stringResource(R.string.settings_notify)) }
        for ((notify, label) in levels) {
            item { Choice(stringResource(label), room.notify == notify) { actions.setNotify(room.id, notify) } }
        }
        if (room.quietUntil > System.currentTimeMillis()) {
            item {
                val text = stringResource(R.string.rooms_quietUntil, dayAndTime(room.quietUntil))
                Text(text, Modifier.padding(16.dp, 8.dp), MaterialTheme.colorScheme.onSurfaceVariant)
            }
        }
        if (room.may(Right.UPDATE)) rules()
        if (room.kind == RoomSummary.Kind.DIRECT && me.canShowPreviews) {
            item {
                SwitchRow(stringResource(R.string.settings_previews), stringResource(R.string.settings_previews_both), room.previews, onChange = actions::setPreviews)
            }
        }
        if (room.may(Right.MODERATE)) item { Action(R.string.restricted_title, onClick = actions::openRestricted) }
        if (room.may(Right.LEAVE)) item { Action(R.string.rooms_leave, isSerious = true) { isLeaving = true } }
        if (room.may(Right.DELETE)) item { Action(R.string.owner_delete, isSerious = true) { isDeleting = true } }
    }
}

@Composable
private fun Action(label: Int, isSerious: Boolean = false, onClick: () -> Unit) {
    TextButton(onClick, Modifier.padding(4.dp, 4.dp)) {
        if (isSerious) Text(stringResource(label), color = MaterialTheme.colorScheme.error) else Text(stringResource(label))
    }
}

@Composable
private fun DeleteDialog(room: RoomSummary, onClose: () -> Unit, onDelete: () -> Unit) {
    AskDialog(
        stringResource(R.string.owner_deleteAsk, isolate(titleOf(room))),
        stringResource(R.string.owner_deleteText),
        confirm = stringResource(R.string.owner_delete),
        dismiss = stringResource(R.string.common_cancel),
        onClose,
        onDelete,
    )
}

@Composable
private fun LeaveDialog(room: RoomSummary, onClose: () -> Unit, onLeave: () -> Unit) {
    val text = if (room.kind == RoomSummary.Kind.PUBLIC) R.string.leave_text else R.string.leave_private
    AskDialog(
        stringResource(R.string.leave_title, isolate(titleOf(room))),
        stringResource(text),
        confirm = stringResource(R.string.rooms_leave),
        dismiss = stringResource(R.string.leave_stay),
        onClose,
        onLeave,
    )
}
