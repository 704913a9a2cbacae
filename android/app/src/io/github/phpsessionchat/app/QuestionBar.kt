package io.github.phpsessionchat.app

import androidx.compose.foundation.background
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableLongStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.Identity.SiteRole
import io.github.phpsessionchat.Question
import io.github.phpsessionchat.Question.State
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.ChatRequestException
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch

/** A question as its team sees it. */
data class TeamQuestion(val room: RoomSummary.QuestionState, val waitingSince: Long)

/** Returns the question of a room. Null in other rooms, and for users who are not in the team. */
@Composable
fun rememberQuestion(app: AppParts, room: RoomSummary?): TeamQuestion? {
    val me by app.chat.me.collectAsStateWithLifecycle()
    val connection by app.chat.connection.collectAsStateWithLifecycle()
    val state = room?.question ?: return null
    if (me?.roles?.contains(SiteRole.TEAM) != true) return null
    var waitingSince by remember(room.id) { mutableLongStateOf(0) }
    // Depends on the connection, so that a request that failed offline is repeated after a reconnect.
    LaunchedEffect(room.id, connection) {
        // Before the request, so that no change is missed.
        launch(start = CoroutineStart.UNDISPATCHED) {
            app.chat.questionChanges.collect { if (it.room == room.id) waitingSince = it.waitingSince }
        }
        try {
            waitingSince = app.chat.request<Question> { openQuestion(room.id, it) }.waitingSince
        } catch (_: ChatRequestException) {
            // The bar says who has the question.
        }
    }
    return TeamQuestion(state, waitingSince)
}

/** Shows who has a question, and how long its asker has waited. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
fun QuestionBar(question: TeamQuestion, me: User, actions: ConversationActions) {
    val colors = MaterialTheme.colorScheme
    val isOpen = question.room.state == State.OPEN
    val by = question.room.by
    var now by remember { mutableLongStateOf(System.currentTimeMillis()) }
    LaunchedEffect(Unit) {
        while (true) {
            delay(MINUTE_MS)
            now = System.currentTimeMillis()
        }
    }
    val owner = when {
        !isOpen -> stringResource(R.string.questions_isClosed)
        by == null -> stringResource(R.string.questions_free)
        by == me -> stringResource(R.string.questions_yours)
        else -> stringResource(R.string.questions_has, isolate(nameOf(by)))
    }
    val wait = if (question.waitingSince == 0L) null else stringResource(R.string.questions_waits, howLong(now - question.waitingSince))
    WithControl(
        control = {
            FlowRow {
                if (isOpen && by == null) TextButton(onClick = actions::takeQuestion) { Text(stringResource(R.string.questions_take)) }
                if (isOpen) TextButton(onClick = actions::closeQuestion) { Text(stringResource(R.string.questions_close)) }
            }
        },
        Modifier.fillMaxWidth().background(colors.secondaryContainer).padding(horizontal = 16.dp),
    ) {
        Text(
            listOfNotNull(owner, wait).joinToString(" · "),
            Modifier.padding(vertical = 10.dp),
            colors.onSecondaryContainer,
            style = MaterialTheme.typography.bodyMedium,
        )
    }
}
