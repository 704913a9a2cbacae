package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableLongStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import io.github.phpsessionchat.Restriction.Kind
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User

private const val DAY_SECONDS = 86_400L
private const val MAX_REASON = 250

/** The offered durations in seconds; 0: permanent. */
private val durations = listOf(
    3_600L to R.string.mute_hour,
    DAY_SECONDS to R.string.mute_day,
    7 * DAY_SECONDS to R.string.mute_week,
    0L to R.string.mute_forever,
)

/**
 * Asks for the duration and the reason of a mute or ban.
 *
 * @param room null if the user has lost it
 */
@Composable
fun RestrictSheet(kind: Kind, user: User, room: RoomSummary?, onClose: () -> Unit, onRestrict: (seconds: Long, reason: String?) -> Unit) {
    val isBan = kind == Kind.BANNED
    var seconds by rememberSaveable { mutableLongStateOf(DAY_SECONDS) }
    var reason by rememberSaveable { mutableStateOf("") }
    val name = isolate(nameOf(user))
    FormSheet(
        stringResource(if (isBan) R.string.ban_title else R.string.mute_title, name),
        stringResource(if (isBan) R.string.ban_submit else R.string.mute_submit),
        onClose,
        onConfirm = { onRestrict(seconds, reason.trim().ifEmpty { null }) },
    ) {
        if (room != null) Text(stringResource(if (isBan) R.string.ban_text else R.string.mute_text, name, isolate(titleOf(room))))
        for ((duration, label) in durations) Choice(stringResource(label), seconds == duration) { seconds = duration }
        ReasonField(user, reason) { reason = it }
    }
}

/** A field for a reason that the user will see. */
@Composable
fun ReasonField(user: User, reason: String, onReason: (String) -> Unit) {
    val label = stringResource(R.string.mute_reason, isolate(nameOf(user)))
    OutlinedTextField(
        reason,
        { onReason(it.take(MAX_REASON)) },
        Modifier.fillMaxWidth().testTag("reason"),
        textStyle = inOwnDirection,
        label = { Text("$label (${stringResource(R.string.create_optional)})") },
    )
}
