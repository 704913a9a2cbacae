package io.github.phpsessionchat.app

import android.annotation.SuppressLint
import android.webkit.WebView
import android.webkit.WebViewClient
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Close
import androidx.compose.material3.Button
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.material3.TopAppBar
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import androidx.compose.ui.viewinterop.AndroidView
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.ConnectionState.Reason
import io.github.phpsessionchat.ConnectionState.Refusal
import io.github.phpsessionchat.android.isWaiting

/**
 * Shows the site's own page for a login or logout.
 *
 * @param onPage called after each page, because the user may be logged in or out now
 */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun SitePage(title: Int, address: String, onPage: () -> Unit, onClose: () -> Unit) {
    Scaffold(
        topBar = {
            TopAppBar(
                title = { Text(stringResource(title), fontWeight = FontWeight.Bold) },
                navigationIcon = {
                    IconButton(onClick = onClose) {
                        Icon(Icons.Filled.Close, stringResource(R.string.common_close))
                    }
                },
            )
        },
    ) { inner ->
        AndroidView(
            modifier = Modifier.fillMaxSize().padding(inner).consumeWindowInsets(inner).imePadding(),
            factory = { context ->
                WebView(context).apply {
                    @SuppressLint("SetJavaScriptEnabled") // many login pages need it
                    settings.javaScriptEnabled = true
                    settings.domStorageEnabled = true
                    webViewClient = object : WebViewClient() {
                        override fun onPageFinished(view: WebView, url: String) = onPage()
                    }
                    loadUrl(address)
                }
            },
            onRelease = WebView::destroy,
        )
    }
}

/** Says why the chat ended, and leads to the login. */
@Composable
fun EndedScreen(reason: Reason, onContinue: () -> Unit) {
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
    }
}

@Composable
fun RefusedScreen(refusal: Refusal) {
    if (refusal == Refusal.BANNED) {
        Notice(stringResource(R.string.ended_banned_title), stringResource(R.string.ended_banned_text))
    } else {
        Notice(stringResource(R.string.ended_unreadable_title), stringResource(R.string.ended_origin_text))
    }
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
        Text(title, style = MaterialTheme.typography.headlineSmall, textAlign = TextAlign.Center)
        if (text != null) {
            Text(text, color = MaterialTheme.colorScheme.onSurfaceVariant, textAlign = TextAlign.Center)
        }
        below()
    }
}
