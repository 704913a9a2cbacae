package io.github.phpsessionchat.app

import android.Manifest
import android.content.pm.PackageManager
import android.os.SystemClock
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.RequestPermission
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.automirrored.filled.Send
import androidx.compose.material.icons.filled.Delete
import androidx.compose.material3.FilledIconButton
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.DisposableEffect
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.core.content.ContextCompat
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.compose.LifecycleEventEffect
import java.io.IOException

/** The number of lines that show the last loudness levels. */
private const val LINES = 46

/** The button for recording replaces that for sending, so a second tap on that must not record. */
private const val SECOND_TAP_MS = 700L

/**
 * Starts a voice message. Asks for the microphone when it is first used.
 *
 * @param place the room or thread
 * @param sentAt when the user sent a message, by [SystemClock.uptimeMillis]; null: not since the room was opened
 */
@Composable
fun RecordButton(recorder: VoiceRecorder, place: String, actions: ConversationActions, sentAt: Long?) {
    val context = LocalContext.current
    fun start() {
        actions.player.pause()
        try {
            recorder.start(place)
        } catch (_: IOException) {
            actions.report("no_microphone")
        }
    }
    val permission = rememberLauncherForActivityResult(RequestPermission()) { isGranted -> if (isGranted) start() else actions.report("microphone_blocked") }
    FilledIconButton(
        onClick = onClick@{
            if (sentAt != null && SystemClock.uptimeMillis() - sentAt < SECOND_TAP_MS) return@onClick
            val isGranted = ContextCompat.checkSelfPermission(context, Manifest.permission.RECORD_AUDIO) == PackageManager.PERMISSION_GRANTED
            if (isGranted) start() else permission.launch(Manifest.permission.RECORD_AUDIO)
        },
        shape = RoundedCornerShape(14.dp),
        modifier = Modifier.padding(bottom = 4.dp),
    ) {
        Icon(painterResource(R.drawable.ic_microphone), stringResource(R.string.voice_record))
    }
}

/** Replaces the text field while there is a recording. */
@Composable
fun RecorderRow(recorder: VoiceRecorder, onSend: () -> Unit) {
    // Android gives no sound to apps that are not visible.
    LifecycleEventEffect(Lifecycle.Event.ON_STOP) { recorder.stop() }
    DisposableEffect(recorder) { onDispose(recorder::stop) }
    Row(Modifier.fillMaxWidth(), horizontalArrangement = Arrangement.spacedBy(4.dp), verticalAlignment = Alignment.CenterVertically) {
        IconButton(onClick = recorder::discard) { Icon(Icons.Filled.Delete, stringResource(R.string.voice_discard)) }
        Column(Modifier.weight(1f)) {
            Wave(List(LINES) { recorder.levels.getOrElse(recorder.levels.size - LINES + it) { 0f } }, played = 1f)
            val state = when {
                recorder.isRecording -> R.string.voice_recording
                recorder.isFull -> R.string.voice_full
                else -> R.string.voice_kept
            }
            Text(
                "${clock(recorder.durationMs)}  ${stringResource(state)}",
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                style = MaterialTheme.typography.labelMedium,
            )
        }
        FilledIconButton(onClick = onSend, shape = RoundedCornerShape(14.dp)) {
            Icon(Icons.AutoMirrored.Filled.Send, stringResource(R.string.voice_send))
        }
    }
}
