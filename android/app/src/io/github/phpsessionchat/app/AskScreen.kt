package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Answers.Team
import io.github.phpsessionchat.Chat
import io.github.phpsessionchat.MessageText
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.android.ChatRequestException
import kotlinx.coroutines.launch

/** Asks the team of the site. */
@Composable
fun AskScreen(app: AppParts) {
    var team by remember { mutableStateOf<Team?>(null) }
    LaunchedEffect(Unit) {
        try {
            team = app.chat.request<Team> { team(it) }
        } catch (_: ChatRequestException) {
            // The question can be asked without it.
        }
    }
    AskForm(team, app.chat.me.value?.textLimit ?: return, app.navigation::back) { question, clientId ->
        app.navigation.openRoom(app.chat.request<RoomSummary> { askTeam(question, clientId, it) }.id)
    }
}

/**
 * @param team what the user can expect; null: not known yet
 * @param send throws a [ChatRequestException]
 */
@Composable
fun AskForm(team: Team?, textLimit: Int, onClose: () -> Unit, send: suspend (question: String, clientId: String) -> Unit) {
    var question by rememberSaveable { mutableStateOf("") }
    var problem by rememberSaveable { mutableIntStateOf(0) }
    var isBusy by remember { mutableStateOf(false) }
    // A retry with the same text must not send it twice.
    val clientId = rememberSaveable(question) { Chat.newClientId() }
    val isComplete = !MessageText.isBlank(question) && lengthOf(question.trim()) <= textLimit
    val scope = rememberCoroutineScope()
    fun submit() {
        problem = 0
        isBusy = true
        scope.launch {
            try {
                send(question.trim(), clientId)
            } catch (e: ChatRequestException) {
                problem = errorText(e.code)
            }
            isBusy = false
        }
    }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(R.string.ask_menu), R.string.common_close, onClose) },
    ) { inner ->
        Column(
            Modifier.fillMaxSize().padding(inner).consumeWindowInsets(inner).imePadding().verticalScroll(rememberScrollState()).padding(bottom = 16.dp),
            Arrangement.spacedBy(8.dp),
        ) {
            expectationOf(team)?.let { Text(it, Modifier.padding(16.dp, 8.dp), MaterialTheme.colorScheme.onSurfaceVariant) }
            FormField(stringResource(R.string.ask_text), question, "question") { question = it }
            if (problem != 0) Text(stringResource(problem), Modifier.padding(horizontal = 16.dp), MaterialTheme.colorScheme.error)
            Button(onClick = ::submit, Modifier.fillMaxWidth().padding(horizontal = 16.dp), enabled = isComplete && !isBusy) {
                Text(stringResource(R.string.composer_send))
            }
        }
    }
}

@Composable
private fun expectationOf(team: Team?): String? = when {
    team == null -> null
    team.text != null -> team.text
    team.answeredInMs > 0 -> stringResource(R.string.ask_usually, howLong(team.answeredInMs))
    else -> null
}
