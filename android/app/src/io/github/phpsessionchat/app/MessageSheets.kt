package io.github.phpsessionchat.app

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.ModalBottomSheet
import androidx.compose.material3.Text
import androidx.compose.material3.rememberModalBottomSheetState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Answers.SeenBy
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Report.Reason
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.android.ChatRequestException
import java.text.NumberFormat

val reportReasons = listOf(
    Reason.SPAM to R.string.report_spam,
    Reason.ABUSE to R.string.report_abuse,
    Reason.OTHER to R.string.report_other,
)

/** Asks what is wrong with a message. @param quoted its text, if the user did not choose the message */
@Composable
fun ReportSheet(onClose: () -> Unit, quoted: String? = null, onReport: (Reason) -> Unit) {
    ListSheet(stringResource(R.string.report_title), onClose) {
        if (quoted != null) {
            item {
                val color = MaterialTheme.colorScheme.onSurfaceVariant
                Text(quoted, Modifier.padding(24.dp, 4.dp), color, maxLines = 3, overflow = TextOverflow.Ellipsis, style = inOwnDirection)
            }
        }
        for ((reason, label) in reportReasons) {
            item { Text(stringResource(label), Modifier.fillMaxWidth().clickable { onReport(reason) }.padding(24.dp, 14.dp)) }
        }
    }
}

/** Asks for the room that gets a copy of a message. */
@Composable
fun ForwardSheet(rooms: List<RoomSummary>, onClose: () -> Unit, onChoose: (RoomSummary) -> Unit) {
    var query by rememberSaveable { mutableStateOf("") }
    val found = rooms.filter { titleOf(it).contains(query.trim(), ignoreCase = true) }
    ListSheet(stringResource(R.string.forward_title), onClose) {
        item { FindField(query, { query = it }, label = R.string.rooms_filter) }
        items(found, { it.id }) { room ->
            Row(
                Modifier.fillMaxWidth().clickable { onChoose(room) }.heightIn(min = 56.dp).padding(16.dp, 8.dp),
                horizontalArrangement = Arrangement.spacedBy(12.dp),
                verticalAlignment = Alignment.CenterVertically,
            ) {
                RoomIcon(room)
                Text(titleOf(room), maxLines = 2, overflow = TextOverflow.Ellipsis)
            }
        }
    }
}

/** Lists who reacted to a message with this emoji, or voted. */
@Composable
fun ReactionSheet(message: Message, emoji: String, actions: ConversationActions, title: String = emoji, onClose: () -> Unit) {
    val users = rememberPages(message.seq, emoji) { actions.reactedBy(message, emoji, it) }
    ListSheet(title, onClose) { pages(users, { it.id }) { PersonRow(it, null, onClick = null) } }
}

/** Lists who has seen an own message. */
@Composable
fun SeenBySheet(message: Message, actions: ConversationActions, onClose: () -> Unit) {
    var seen by remember { mutableStateOf<SeenBy?>(null) }
    var hasFailed by remember { mutableStateOf(false) }
    var attempt by remember { mutableIntStateOf(1) }
    LaunchedEffect(attempt) {
        hasFailed = false
        try {
            actions.seenBy(message).collect { seen = it }
        } catch (_: ChatRequestException) {
            hasFailed = true
        }
    }
    val loaded = seen
    ListSheet(loaded?.let { countOf(it) } ?: stringResource(R.string.seen_title), onClose) {
        when {
            hasFailed -> item { LoadFailed { attempt++ } }
            loaded == null -> item { Loading() }
            else -> items(loaded.users, { it.id }) { PersonRow(it, null, onClick = null) }
        }
    }
}

@Composable
private fun countOf(seen: SeenBy): String {
    val numbers = NumberFormat.getIntegerInstance()
    return stringResource(R.string.seen_of, numbers.format(seen.users.size), numbers.format(seen.total))
}

@OptIn(ExperimentalMaterial3Api::class)
@Composable
private fun ListSheet(title: String, onClose: () -> Unit, content: LazyListScope.() -> Unit) {
    ModalBottomSheet(onDismissRequest = onClose, sheetState = rememberModalBottomSheetState(skipPartiallyExpanded = true)) {
        LazyColumn {
            item { SectionHeading(title) }
            content()
        }
    }
}
