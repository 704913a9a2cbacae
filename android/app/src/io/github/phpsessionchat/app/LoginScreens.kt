package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.material3.Button
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.ConnectionState.Reason
import io.github.phpsessionchat.ConnectionState.Refusal
import io.github.phpsessionchat.SiteBan
import io.github.phpsessionchat.android.isWaiting

/**
 * Says why the chat ended, and leads to the login.
 *
 * @param privacyPage the address of the site's privacy policy; empty: none
 */
@Composable
fun EndedScreen(reason: Reason, privacyPage: String, onContinue: () -> Unit) {
    val (title, text) = when (reason) {
        Reason.UNAUTHORIZED -> R.string.ended_unauthorized_title to R.string.ended_unauthorized_text
        Reason.LOGOUT -> R.string.ended_logout_title to R.string.ended_logout_text
        Reason.EXPIRED, Reason.INVALID -> R.string.ended_expired_title to R.string.ended_expired_text
        Reason.USER_CHANGED -> R.string.ended_user_changed_title to null
        Reason.KICKED -> R.string.ended_kicked_title to R.string.ended_kicked_text
    }
    val button = when {
        reason.isLoggedIn -> R.string.ended_continue
        reason == Reason.UNAUTHORIZED -> R.string.ended_first
        else -> R.string.ended_login
    }
    Notice(stringResource(title), text?.let { stringResource(it) }) {
        Button(onClick = onContinue) { Text(stringResource(button)) }
        PrivacyLink(privacyPage)
    }
}

/** Opens the site's privacy policy in the browser. @param page its address; empty: the site has none */
@Composable
fun PrivacyLink(page: String, modifier: Modifier = Modifier) {
    if (page.isEmpty()) return
    val browser = rememberLinkHandler()
    TextButton(onClick = { browser.openUri(page) }, modifier) { Text(stringResource(R.string.privacy_policy)) }
}

@Composable
fun RefusedScreen(refusal: Refusal, ban: SiteBan?) {
    if (refusal == Refusal.BANNED) {
        Notice(stringResource(R.string.ended_banned_title), ban?.let { detailsOf(it) } ?: stringResource(R.string.ended_banned_text))
    } else {
        Notice(stringResource(R.string.ended_unreadable_title), stringResource(R.string.ended_origin_text))
    }
}

@Composable
private fun detailsOf(ban: SiteBan): String {
    val end = if (ban.until == 0L) stringResource(R.string.ban_you_forever) else stringResource(R.string.ban_you_until, dayAndTime(ban.until))
    val reason = ban.reason?.let { stringResource(R.string.ban_you_reason, isolate(it)) }
    return listOfNotNull(end, reason).joinToString(" ")
}

/** Shown until the server has answered whether the user is logged in. */
@Composable
fun CheckingScreen(connection: ConnectionState.Kind, onReconnect: () -> Unit) {
    if (connection.isWaiting) {
        Notice(stringResource(R.string.conn_lost), null) {
            Button(onClick = onReconnect) { Text(stringResource(R.string.conn_now)) }
        }
    } else {
        Notice(stringResource(R.string.conn_connecting), null) { CircularProgressIndicator() }
    }
}

@Composable
private fun Notice(title: String, text: String?, below: @Composable () -> Unit = {}) {
    Column(
        Modifier.fillMaxSize().safeDrawingPadding().padding(32.dp),
        verticalArrangement = Arrangement.spacedBy(16.dp, Alignment.CenterVertically),
        horizontalAlignment = Alignment.CenterHorizontally,
    ) {
        Text(title, Modifier.semantics { heading() }, style = MaterialTheme.typography.headlineSmall, textAlign = TextAlign.Center)
        if (text != null) {
            Text(text, color = MaterialTheme.colorScheme.onSurfaceVariant, textAlign = TextAlign.Center)
        }
        below()
    }
}
