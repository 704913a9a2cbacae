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
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.RoomSummary.Notify

private val levels = listOf(
    Notify.ALL to R.string.settings_notify_all,
    Notify.MENTIONS to R.string.settings_notify_mentions,
    Notify.NONE to R.string.settings_notify_none,
)

/** Shows the notification level, and lets the user leave. */
@Composable
fun roomSettings(room: RoomSummary, actions: RoomDetailsActions): LazyListScope.() -> Unit {
    var isLeaving by rememberSaveable { mutableStateOf(false) }
    if (isLeaving) LeaveDialog(room, onClose = { isLeaving = false }, actions::leave)
    return {
        item { SectionHeading(stringResource(R.string.settings_notify)) }
        for ((notify, label) in levels) {
            item { Choice(stringResource(label), room.notify == notify) { actions.setNotify(notify) } }
        }
        if (room.may(RoomSummary.Right.LEAVE)) {
            item {
                TextButton(onClick = { isLeaving = true }, Modifier.padding(4.dp, 12.dp)) {
                    Text(stringResource(R.string.rooms_leave), color = MaterialTheme.colorScheme.error)
                }
            }
        }
    }
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
