package io.github.phpsessionchat.app

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.automirrored.filled.ArrowBack
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.TextField
import androidx.compose.material3.TextFieldDefaults
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.focus.FocusRequester
import androidx.compose.ui.focus.focusRequester
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Answers.Page
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Search
import io.github.phpsessionchat.android.AndroidChat
import io.github.phpsessionchat.android.ChatRequestException
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch

/** Waits for the next letter before it searches. */
private const val PAUSE_MS = 300L

/** The results loaded so far. `next` is the cursor of the next page. */
data class Results(val messages: List<Message>, val next: String?, val hasFailed: Boolean = false)

/** Searches the messages of all of the user's rooms. */
@Composable
fun SearchScreen(chat: AndroidChat, onClose: () -> Unit, onOpen: (Message) -> Unit) {
    var query by rememberSaveable { mutableStateOf("") }
    var found by remember { mutableStateOf<Results?>(null) }
    val scope = rememberCoroutineScope()
    suspend fun search(text: String, before: Results?): Results = try {
        val page = chat.request<Page<Message>> { search(Search().text(text), before?.next, it) }
        Results(before?.messages.orEmpty() + page.items, page.next)
    } catch (_: ChatRequestException) {
        Results(before?.messages.orEmpty(), null, hasFailed = true)
    }
    LaunchedEffect(query) {
        found = null
        val text = query.trim()
        if (text.isEmpty()) return@LaunchedEffect
        delay(PAUSE_MS)
        found = search(text, null)
    }
    SearchResults(query, { query = it }, found, onClose, onOpen) {
        scope.launch { found = search(query.trim(), found) }
    }
}

@Composable
fun SearchResults(
    query: String,
    onQuery: (String) -> Unit,
    found: Results?,
    onClose: () -> Unit,
    onOpen: (Message) -> Unit,
    onOlder: () -> Unit,
) {
    val focus = remember { FocusRequester() }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = {
            TopBar(
                navigationIcon = {
                    IconButton(onClick = onClose) { Icon(Icons.AutoMirrored.Filled.ArrowBack, stringResource(R.string.search_close)) }
                },
                title = {
                    TextField(
                        query,
                        onQuery,
                        Modifier.fillMaxWidth().focusRequester(focus).testTag("query"),
                        placeholder = { Text(stringResource(R.string.search_open)) },
                        singleLine = true,
                        colors = TextFieldDefaults.colors(
                            focusedContainerColor = MaterialTheme.colorScheme.background,
                            unfocusedContainerColor = MaterialTheme.colorScheme.background,
                        ),
                    )
                    // The scaffold composes its bar later than itself.
                    LaunchedEffect(Unit) { focus.requestFocus() }
                },
            )
        },
    ) { inner ->
        LazyColumn(Modifier.fillMaxSize().padding(inner).consumeWindowInsets(inner).imePadding()) {
            if (found == null) return@LazyColumn
            items(found.messages, key = { it.id }) { message -> FoundMessage(message) { onOpen(message) } }
            item {
                when {
                    found.hasFailed -> Text(stringResource(R.string.search_error_title), Modifier.padding(16.dp))
                    found.next != null -> TextButton(onClick = onOlder, Modifier.padding(horizontal = 4.dp)) { Text(stringResource(R.string.search_older)) }
                    found.messages.isEmpty() -> Text(stringResource(R.string.search_none_title), Modifier.padding(16.dp))
                }
            }
        }
    }
}

@Composable
private fun FoundMessage(message: Message, onClick: () -> Unit) {
    val colors = MaterialTheme.colorScheme
    Row(
        Modifier.fillMaxWidth().clickable(onClick = onClick).padding(16.dp, 8.dp),
        horizontalArrangement = Arrangement.spacedBy(12.dp),
        verticalAlignment = Alignment.Top,
    ) {
        Avatar(message.user.id, nameOf(message.user), 36.dp)
        Column {
            Row(horizontalArrangement = Arrangement.spacedBy(8.dp), verticalAlignment = Alignment.CenterVertically) {
                Text(nameOf(message.user), Modifier.weight(1f), fontWeight = FontWeight.Bold, maxLines = 1, overflow = TextOverflow.Ellipsis)
                Text(dayName(message.sentAt), color = colors.onSurfaceVariant, style = MaterialTheme.typography.labelMedium)
            }
            Text(
                if (message.hidden) "…" else message.textWithNames().ifEmpty { message.files.joinToString { it.name } },
                maxLines = 3,
                overflow = TextOverflow.Ellipsis,
                style = MaterialTheme.typography.bodyMedium.copy(textDirection = TextDirection.Content),
            )
        }
    }
}
