package io.github.phpsessionchat.app

import android.text.format.DateUtils
import androidx.compose.foundation.Canvas
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.widthIn
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.PlayArrow
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Slider
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.StrokeCap
import androidx.compose.ui.platform.LocalLayoutDirection
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.semantics.stateDescription
import androidx.compose.ui.unit.LayoutDirection
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ChatFile

/** A voice message with its loudness, in which the user can seek. */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun VoiceMessage(file: ChatFile, audio: ChatFile.Audio, actions: ConversationActions) {
    val player = actions.player
    if (player.hasFailed(file)) return Unplayable(file, actions)
    val levels = remember(audio) { levelsOf(audio.peaks.orEmpty()) }
    val durationMs = audio.duration.coerceIn(1, Int.MAX_VALUE.toLong()).toInt()
    val positionMs = player.positionMs(file).coerceAtMost(durationMs)
    val label = stringResource(R.string.voice_label, clock(audio.duration))
    val position = stringResource(R.string.media_position)
    val state = stringResource(R.string.media_at, clock(positionMs.toLong()), clock(audio.duration))
    Row(Modifier.semantics { contentDescription = label }, verticalAlignment = Alignment.CenterVertically) {
        IconButton(onClick = { player.toggle(file) }) {
            if (player.isPlaying(file)) Icon(painterResource(R.drawable.ic_pause), stringResource(R.string.media_pause))
            else Icon(Icons.Filled.PlayArrow, stringResource(R.string.media_play))
        }
        Slider(
            value = positionMs.toFloat(),
            onValueChange = { player.seek(file, it.toInt()) },
            Modifier.weight(1f).semantics {
                contentDescription = position
                stateDescription = state
            },
            valueRange = 0f..durationMs.toFloat(),
            thumb = {},
            track = { Wave(levels, played = positionMs.toFloat() / durationMs) },
        )
        Text(
            clock(if (positionMs > 0) durationMs - positionMs.toLong() else audio.duration),
            Modifier.widthIn(min = 40.dp),
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            style = MaterialTheme.typography.labelMedium,
        )
    }
}

@Composable
private fun Unplayable(file: ChatFile, actions: ConversationActions) {
    Row(verticalAlignment = Alignment.CenterVertically) {
        Text(stringResource(R.string.media_failed), Modifier.weight(1f), MaterialTheme.colorScheme.onSurfaceVariant)
        TextButton(onClick = { actions.open(file) }) { Text(stringResource(R.string.common_save)) }
    }
}

/**
 * Loudness as lines.
 *
 * @param levels from 0 to 1
 * @param played the share that is drawn in the accent colour
 */
@Composable
fun Wave(levels: List<Float>, played: Float, modifier: Modifier = Modifier) {
    val colors = MaterialTheme.colorScheme
    val isMirrored = LocalLayoutDirection.current == LayoutDirection.Rtl
    Canvas(modifier.fillMaxWidth().height(28.dp)) {
        val step = size.width / levels.size.coerceAtLeast(1)
        for ((index, level) in levels.withIndex()) {
            val x = (index + 0.5f) * step
            val half = (0.05f + 0.45f * level.coerceIn(0f, 1f)) * size.height
            val color: Color = if (index < played * levels.size) colors.primary else colors.outline
            val left = if (isMirrored) size.width - x else x
            drawLine(color, Offset(left, center.y - half), Offset(left, center.y + half), step * 0.55f, StrokeCap.Round)
        }
    }
}

/** Returns a duration such as 1:05. */
fun clock(ms: Long): String = DateUtils.formatElapsedTime(ms / 1000).removePrefix("0")
