package io.github.phpsessionchat.app

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Warning
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.HeldMessage
import io.github.phpsessionchat.Report
import io.github.phpsessionchat.Report.Done
import io.github.phpsessionchat.Restriction
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.User
import java.text.NumberFormat

/** Leads moderators to messages that wait, and to reports. */
@Composable
fun ModerationLine(waiting: Int, reports: Int, onOpen: () -> Unit, modifier: Modifier = Modifier) {
    if (waiting + reports == 0) return
    val number = NumberFormat.getIntegerInstance()
    val parts = listOfNotNull(
        if (waiting == 0) null else "${stringResource(R.string.held_waiting)} · ${number.format(waiting)}",
        if (reports == 0) null else pluralStringResource(R.plurals.rooms_reports, reports, number.format(reports)),
    )
    Row(
        modifier.fillMaxWidth().clickable(onClick = onOpen).heightIn(min = 48.dp).padding(horizontal = 4.dp),
        horizontalArrangement = Arrangement.spacedBy(8.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        val color = MaterialTheme.colorScheme.primary
        Icon(Icons.Filled.Warning, null, tint = color)
        Text(parts.joinToString("\n"), color = color, style = MaterialTheme.typography.labelLarge)
    }
}

/** A message that waits for approval. */
@Composable
fun HeldRow(message: HeldMessage, room: RoomSummary?, actions: ModerationActions) {
    var isRejecting by rememberSaveable { mutableStateOf(false) }
    val note = if (message.seq == 0L) null else stringResource(R.string.mod_edit)
    MessageToJudge(message.user, room, message.at, message.textWithNames(), message.files, message.important, actions::open, note) {
        TextButton({ actions.approve(message) }) { Text(stringResource(R.string.held_approve)) }
        TextButton({ isRejecting = true }) {
            Text("${stringResource(R.string.held_reject)}…", color = MaterialTheme.colorScheme.error)
        }
    }
    if (isRejecting) RejectSheet(message.user, onClose = { isRejecting = false }) { actions.reject(message, it) }
}

/** @param reports of one message */
@Composable
fun ReportRow(reports: List<Report>, room: RoomSummary?, actions: ModerationActions) {
    val first = reports.first()
    val message = first.message
    var isMuting by rememberSaveable { mutableStateOf(false) }
    MessageToJudge(message.user, room, message.sentAt, message.textWithNames(), message.files, message.important, actions::open, about(reports)) {
        if (room != null) TextButton({ actions.show(message) }) { Text(stringResource(R.string.common_show)) }
        TextButton({ actions.closeReport(first, Done.DELETED) }) { Text(stringResource(R.string.reports_delete)) }
        TextButton({ isMuting = true }) { Text(stringResource(R.string.reports_mute)) }
        TextButton({ actions.closeReport(first, Done.NOTHING) }) { Text(stringResource(R.string.reports_done)) }
    }
    if (isMuting) {
        RestrictSheet(Restriction.Kind.MUTED, message.user, room, onClose = { isMuting = false }) { seconds, reason ->
            actions.closeReport(first, Done.MUTED, seconds, reason)
        }
    }
}

@Composable
private fun about(reports: List<Report>): String {
    val reasons = reports.map { it.reason }.distinct().map { reason -> stringResource(reportReasons.first { it.first == reason }.second) }
    val by = if (reports.size == 1) {
        stringResource(R.string.reports_by, isolate(nameOf(reports[0].by)))
    } else {
        stringResource(R.string.reports_byMany, NumberFormat.getIntegerInstance().format(reports.size))
    }
    val notes = reports.mapNotNull { it.text }.map { stringResource(R.string.composer_reason, isolate(it)) }
    return listOf("${reasons.joinToString()} · $by").plus(notes).joinToString("\n")
}

/** @param note shown below the message */
@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun MessageToJudge(
    author: User,
    room: RoomSummary?,
    at: Long,
    text: String,
    files: List<ChatFile>,
    important: Boolean,
    onFile: (ChatFile) -> Unit,
    note: String? = null,
    buttons: @Composable () -> Unit,
) {
    val colors = MaterialTheme.colorScheme
    Column(Modifier.fillMaxWidth().padding(16.dp, 8.dp), Arrangement.spacedBy(4.dp)) {
        Text(nameOf(author), color = inkOf(author.id), fontWeight = FontWeight.Bold)
        val place = listOfNotNull(room?.let { isolate(titleOf(it)) }, dayAndTime(at))
        Text(place.joinToString(" · "), color = colors.onSurfaceVariant, style = MaterialTheme.typography.labelMedium)
        if (important) ImportantMark()
        if (text.isNotEmpty()) Text(text, style = MaterialTheme.typography.bodyLarge.copy(textDirection = TextDirection.Content))
        for (file in files) TextButton({ onFile(file) }) { Text(file.name) }
        if (note != null) Text(note, color = colors.onSurfaceVariant, style = MaterialTheme.typography.bodySmall)
        FlowRow { buttons() }
    }
}

@Composable
private fun RejectSheet(author: User, onClose: () -> Unit, onReject: (reason: String?) -> Unit) {
    var reason by rememberSaveable { mutableStateOf("") }
    val title = stringResource(R.string.held_reject)
    FormSheet(title, confirm = title, onClose, onConfirm = { onReject(reason.trim().ifEmpty { null }) }) {
        ReasonField(author, reason) { reason = it }
    }
}
