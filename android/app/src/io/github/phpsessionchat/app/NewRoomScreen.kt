package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.selection.selectableGroup
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.Answers.Created
import io.github.phpsessionchat.Identity
import io.github.phpsessionchat.NewRoom
import io.github.phpsessionchat.RoomSummary.Kind
import io.github.phpsessionchat.android.ChatRequestException
import kotlinx.coroutines.launch

@Composable
fun NewRoomScreen(app: AppParts) {
    val me by app.chat.me.collectAsStateWithLifecycle()
    NewRoomForm(me ?: return, onClose = app.navigation::back) { room ->
        app.navigation.openRoom(app.chat.request<Created> { createRoom(room, it) }.room.id)
    }
}

/** @param create throws a [ChatRequestException] */
@Composable
fun NewRoomForm(me: Identity, onClose: () -> Unit, create: suspend (NewRoom) -> Unit) {
    var name by rememberSaveable { mutableStateOf("") }
    var topic by rememberSaveable { mutableStateOf("") }
    var kind by rememberSaveable { mutableStateOf(if (me.canCreatePrivate) Kind.PRIVATE else Kind.PUBLIC) }
    var problem by remember { mutableStateOf<Int?>(null) }
    var isBusy by remember { mutableStateOf(false) }
    // A retry with the same fields must not create a second room.
    val room = remember(name, topic, kind) { newRoom(name.trim(), topic.trim(), kind) }
    val scope = rememberCoroutineScope()
    fun submit() {
        problem = nameProblem(name.trim())
        if (problem != null || isBusy) return
        isBusy = true
        scope.launch {
            try {
                create(room)
            } catch (e: ChatRequestException) {
                problem = if (e.code == "conflict") R.string.create_taken else R.string.create_failed
            }
            isBusy = false
        }
    }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(R.string.create_title), R.string.common_close, onClose) },
    ) { inner ->
        Column(
            Modifier.fillMaxSize().padding(inner).consumeWindowInsets(inner).imePadding().verticalScroll(rememberScrollState()),
            Arrangement.spacedBy(8.dp),
        ) {
            OutlinedTextField(
                name,
                {
                    name = it
                    problem = null
                },
                Modifier.fillMaxWidth().padding(horizontal = 16.dp).testTag("name"),
                textStyle = inOwnDirection,
                label = { Text(stringResource(R.string.create_name)) },
                isError = problem != null,
                supportingText = problem?.let { { Text(stringResource(it)) } },
                singleLine = true,
            )
            OutlinedTextField(
                topic,
                { topic = it.take(MAX_TOPIC) },
                Modifier.fillMaxWidth().padding(horizontal = 16.dp),
                textStyle = inOwnDirection,
                label = { Text("${stringResource(R.string.create_topic)} (${stringResource(R.string.create_optional)})") },
            )
            SectionHeading(stringResource(R.string.create_who))
            Column(Modifier.selectableGroup()) {
                for (offered in kindsFor(me)) Choice(stringResource(offered.label), kind == offered.kind, stringResource(offered.hint)) { kind = offered.kind }
            }
            Button(onClick = ::submit, Modifier.padding(16.dp), enabled = !isBusy) {
                Text(stringResource(if (isBusy) R.string.create_busy else R.string.create_submit))
            }
        }
    }
}

private const val MAX_NAME = 80
const val MAX_TOPIC = 250

/** Returns what is wrong with the name of a room; null: nothing. */
fun nameProblem(name: String): Int? = when {
    name.isEmpty() -> R.string.create_noName
    name.length > MAX_NAME -> R.string.create_nameLong
    else -> null
}

private fun newRoom(name: String, topic: String, kind: Kind): NewRoom {
    val room = if (kind == Kind.PUBLIC) NewRoom.publicRoom(name) else NewRoom.privateRoom(name, emptyList())
    return if (topic.isEmpty()) room else room.topic(topic)
}

private class OfferedKind(val kind: Kind, val label: Int, val hint: Int)

private fun kindsFor(me: Identity) = listOfNotNull(
    if (me.canCreatePublic) OfferedKind(Kind.PUBLIC, R.string.create_public, R.string.create_publicHint) else null,
    if (me.canCreatePrivate) OfferedKind(Kind.PRIVATE, R.string.create_private, R.string.create_privateHint) else null,
)
