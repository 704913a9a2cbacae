package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.State
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Answers.Found
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.ChatRequestException
import kotlinx.coroutines.delay

/** Waits for the next letter before it searches. */
private const val PAUSE_MS = 300L

/** The users that a search found. `found` is null if it failed. */
class FoundPeople(val query: String, val found: Found?)

/** Searches users while the user types. Returns null without a query, and until the first answer. */
@Composable
fun rememberFound(query: String, find: suspend (String) -> Found): State<FoundPeople?> {
    val found = remember { mutableStateOf<FoundPeople?>(null) }
    LaunchedEffect(query) {
        val text = query.trim()
        if (text.isEmpty()) {
            found.value = null
            return@LaunchedEffect
        }
        delay(PAUSE_MS)
        found.value = try {
            FoundPeople(text, find(text))
        } catch (_: ChatRequestException) {
            FoundPeople(text, null)
        }
    }
    return found
}

@Composable
fun FindField(query: String, onQuery: (String) -> Unit, modifier: Modifier = Modifier, label: Int = R.string.people_find) {
    OutlinedTextField(
        query,
        onQuery,
        modifier.fillMaxWidth().padding(16.dp, 8.dp).testTag("find"),
        label = { Text(stringResource(label)) },
        singleLine = true,
    )
}

/** Shows the found users, or that there are none. */
fun LazyListScope.foundPeople(people: FoundPeople?, row: @Composable (User, isInRoom: Boolean) -> Unit) {
    val found = (people ?: return).found
    when {
        found == null -> item { Text(stringResource(R.string.error_other), Modifier.padding(16.dp)) }
        found.users.isEmpty() -> item { Text(stringResource(R.string.invite_nobody), Modifier.padding(16.dp)) }
        else -> items(found.users, { it.id }) { row(it, it.id in found.inRoom) }
    }
}
