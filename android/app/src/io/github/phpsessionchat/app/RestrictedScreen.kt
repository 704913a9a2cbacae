package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import io.github.phpsessionchat.Answers.Page
import io.github.phpsessionchat.Restriction
import io.github.phpsessionchat.Restriction.Kind

@Composable
fun RestrictedScreen(app: AppParts, room: String) {
    val host = remember { SnackbarHostState() }
    val perform = rememberRequests(app, host)
    Restricted(host, app.navigation::back, { cursor -> app.chat.request { restricted(room, cursor, it) } }) { restriction, onDone ->
        perform {
            request<Void?> {
                if (restriction.kind == Kind.MUTED) unmute(room, restriction.user.id, it) else unban(room, restriction.user.id, it)
            }
            onDone()
        }
    }
}

/** The muted and banned users of a room. */
@Composable
fun Restricted(
    host: SnackbarHostState,
    onClose: () -> Unit,
    load: suspend (cursor: String?) -> Page<Restriction>,
    onLift: (Restriction, onDone: () -> Unit) -> Unit,
) {
    val restrictions = rememberPages { load(it) }
    Scaffold(
        topBar = { ScreenBar(stringResource(R.string.restricted_title), R.string.common_close, onClose) },
        snackbarHost = { SnackbarHost(host) },
    ) { inner ->
        LazyColumn(Modifier.fillMaxSize().padding(inner)) {
            pages(restrictions, { "${it.kind} ${it.user.id}" }, { Empty(R.string.restricted_none) }) { restriction ->
                PersonRow(restriction.user, noteOn(restriction), onClick = null) {
                    TextButton({ onLift(restriction) { restrictions.remove(restriction) } }) {
                        Text(stringResource(if (restriction.kind == Kind.MUTED) R.string.mute_end else R.string.restricted_unban))
                    }
                }
            }
        }
    }
}

@Composable
private fun noteOn(restriction: Restriction): String {
    val isMute = restriction.kind == Kind.MUTED
    val state = if (restriction.until == 0L) {
        stringResource(if (isMute) R.string.restricted_mutedForGood else R.string.restricted_bannedForGood)
    } else {
        stringResource(if (isMute) R.string.restricted_muted else R.string.restricted_banned, dayAndTime(restriction.until))
    }
    val by = stringResource(R.string.restricted_by, isolate(nameOf(restriction.by)))
    val reason = restriction.reason?.let { stringResource(R.string.composer_reason, isolate(it)) }
    return listOfNotNull(state, by, reason).joinToString(" · ")
}
