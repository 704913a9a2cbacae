package io.github.phpsessionchat.app

import android.text.format.Formatter
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Close
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextOverflow
import io.github.phpsessionchat.Upload

/** Errors of a file that another attempt does not fix. */
private val FINAL_ERRORS = setOf("too_large", "file_type", "file_limit", "file_damaged", "forbidden")

/** Types that the server rejects because browsers do not show them, and the format to send instead. */
private val CONVERTED = listOf(
    Triple("HEIC", "JPEG", Regex("""\.hei[cf]$""", RegexOption.IGNORE_CASE)),
    Triple("QuickTime", "MP4", Regex("""\.(mov|qt)$""", RegexOption.IGNORE_CASE)),
)

/** A file that is being uploaded for the next message. */
@Composable
fun UploadRow(upload: Upload, actions: ConversationActions) {
    Row(verticalAlignment = Alignment.CenterVertically) {
        val canRetry = upload.failed != null && upload.failed !in FINAL_ERRORS
        WithControl(
            control = { if (canRetry) TextButton(onClick = { actions.retryUpload(upload.key) }) { Text(stringResource(R.string.msg_retry)) } },
            Modifier.weight(1f),
        ) {
            // Screen readers say which file failed, and why.
            Column(Modifier.semantics(mergeDescendants = true) { if (upload.failed != null) liveRegion = LiveRegionMode.Polite }) {
                NameAndState(upload, actions)
            }
        }
        IconButton(onClick = { actions.cancelUpload(upload.key) }) {
            Icon(Icons.Filled.Close, stringResource(R.string.file_remove, isolate(upload.name)))
        }
    }
}

@Composable
private fun NameAndState(upload: Upload, actions: ConversationActions) {
    Text(upload.name, maxLines = 1, overflow = TextOverflow.Ellipsis, style = MaterialTheme.typography.bodyMedium)
    if (upload.failed != null) {
        Text(uploadError(upload, actions.fileLimit), color = MaterialTheme.colorScheme.error, style = MaterialTheme.typography.labelMedium)
    } else if (upload.file == null) {
        LinearProgressIndicator(
            progress = { if (upload.size == 0L) 0f else upload.sent.toFloat() / upload.size },
            Modifier.fillMaxWidth(),
            trackColor = MaterialTheme.colorScheme.outlineVariant,
            drawStopIndicator = {},
        )
    }
}

@Composable
private fun uploadError(upload: Upload, limit: Long): String = when (upload.failed) {
    "too_large" -> stringResource(R.string.file_tooLarge, isolate(Formatter.formatShortFileSize(LocalContext.current, limit)))
    "file_type" -> {
        val converted = CONVERTED.find { (_, _, name) -> name.containsMatchIn(upload.name) }
        if (converted == null) stringResource(R.string.file_type) else stringResource(R.string.file_convert, converted.first, converted.second)
    }
    "file_limit" -> stringResource(R.string.file_pixels)
    "forbidden" -> stringResource(R.string.composer_noFiles)
    "rate_limited" -> stringResource(R.string.file_busy)
    "file_damaged", Upload.UNREADABLE -> stringResource(R.string.file_damaged)
    else -> stringResource(R.string.file_failed)
}
