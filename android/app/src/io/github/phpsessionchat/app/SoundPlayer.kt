package io.github.phpsessionchat.app

import android.content.Context
import android.media.AudioAttributes
import android.media.AudioFocusRequest
import android.media.AudioManager
import android.media.MediaPlayer
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import io.github.phpsessionchat.ChatFile
import java.io.File
import java.io.IOException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch

/** How often the position is updated. */
private const val TICK_MS = 100L

/**
 * Plays one sound at a time.
 *
 * @param load downloads a file, or throws [IOException]
 */
class SoundPlayer(context: Context, private val scope: CoroutineScope, private val load: suspend (ChatFile) -> File) {
    private val manager = context.getSystemService(AudioManager::class.java)
    private val attributes = AudioAttributes.Builder()
        .setUsage(AudioAttributes.USAGE_MEDIA)
        .setContentType(AudioAttributes.CONTENT_TYPE_SPEECH)
        .build()
    private val focus = AudioFocusRequest.Builder(AudioManager.AUDIOFOCUS_GAIN_TRANSIENT)
        .setAudioAttributes(attributes)
        .setOnAudioFocusChangeListener { if (it < 0) pause() }
        .build()
    private var player: MediaPlayer? = null
    private var job: Job? = null

    /** The ID of the file that plays or is paused. */
    private var current by mutableStateOf<String?>(null)
    private var isPlaying by mutableStateOf(false)
    private var positionMs by mutableIntStateOf(0)
    private var failed by mutableStateOf<String?>(null)

    fun isPlaying(file: ChatFile) = isPlaying && current == file.id

    fun hasFailed(file: ChatFile) = failed == file.id

    fun positionMs(file: ChatFile) = if (current == file.id) positionMs else 0

    fun toggle(file: ChatFile) {
        if (isPlaying(file)) return pause()
        job?.cancel()
        job = scope.launch {
            if (!prepare(file)) return@launch
            if (manager.requestAudioFocus(focus) != AudioManager.AUDIOFOCUS_REQUEST_GRANTED) return@launch
            player?.start()
            isPlaying = true
            showPosition()
        }
    }

    fun seek(file: ChatFile, ms: Int) {
        job?.cancel()
        job = scope.launch {
            if (!prepare(file)) return@launch
            player?.seekTo(ms)
            positionMs = ms
            showPosition()
        }
    }

    fun pause() {
        job?.cancel()
        isPlaying = false
        player?.pause()
        manager.abandonAudioFocusRequest(focus)
    }

    /** Ends the playback. */
    fun stop() {
        job?.cancel()
        isPlaying = false
        current = null
        positionMs = 0
        player?.release()
        player = null
        manager.abandonAudioFocusRequest(focus)
    }

    /** Loads the file unless it is the current one. @return false if it cannot be played */
    private suspend fun prepare(file: ChatFile): Boolean {
        if (current == file.id && player != null) return true
        player?.release()
        player = null
        isPlaying = false
        current = file.id
        positionMs = 0
        failed = null
        return try {
            val path = load(file).path
            if (current != file.id) return false
            val next = MediaPlayer()
            player = next
            next.setAudioAttributes(attributes)
            next.setDataSource(path)
            next.setOnCompletionListener { stop() }
            next.setOnErrorListener { _, _, _ ->
                stop()
                failed = file.id
                true
            }
            next.prepare()
            true
        } catch (_: IOException) {
            stop()
            failed = file.id
            false
        }
    }

    private suspend fun showPosition() {
        while (isPlaying) {
            positionMs = player?.currentPosition ?: 0
            delay(TICK_MS)
        }
    }
}
