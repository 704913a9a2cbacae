package io.github.phpsessionchat.app

import android.content.Context
import android.media.MediaRecorder
import android.os.Build
import android.os.SystemClock
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateListOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import io.github.phpsessionchat.NewFile
import java.io.File
import java.io.IOException
import java.time.LocalDate
import kotlin.math.sqrt
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch

/** Interval of the loudness measurements. */
private const val STEP_MS = 50L

/** A shorter recording is an accident. */
private const val MIN_MS = 1_000L
private const val MAX_MS = 5 * 60_000L

/** A bit rate for speech. */
private const val BITS_PER_SECOND = 32_000
private const val SAMPLES_PER_SECOND = 44_100
private const val MAX_AMPLITUDE = 32_767f

/** Records one voice message at a time, as M4A. It lives as long as the process, so that a screen rotation loses nothing. */
class VoiceRecorder(private val context: Context, private val scope: CoroutineScope) {
    private var recorder: MediaRecorder? = null
    private var file: File? = null
    private var startedAt = 0L
    private var job: Job? = null
    private val mutableLevels = mutableStateListOf<Float>()

    /** The room or thread of the recording that is not sent yet, or null. */
    var place by mutableStateOf<String?>(null)
        private set

    /** Whether it still records. */
    var isRecording by mutableStateOf(false)
        private set

    /** The loudness from 0 to 1, every 50 ms. */
    val levels: List<Float> get() = mutableLevels

    val durationMs get() = mutableLevels.size * STEP_MS

    /** Whether the recording has reached the maximum duration. */
    val isFull get() = durationMs >= MAX_MS

    /**
     * Starts a recording. The app needs the permission `RECORD_AUDIO`.
     *
     * @throws IOException if there is no microphone, or another app uses it
     */
    fun start(place: String) {
        discard()
        val folder = recordings(context)
        folder.mkdirs()
        val target = File.createTempFile("voice-", ".m4a", folder)
        val next = if (Build.VERSION.SDK_INT >= 31) MediaRecorder(context) else @Suppress("DEPRECATION") MediaRecorder()
        recorder = next
        file = target
        try {
            next.setAudioSource(MediaRecorder.AudioSource.MIC)
            next.setOutputFormat(MediaRecorder.OutputFormat.MPEG_4)
            next.setAudioEncoder(MediaRecorder.AudioEncoder.AAC)
            next.setAudioEncodingBitRate(BITS_PER_SECOND)
            next.setAudioSamplingRate(SAMPLES_PER_SECOND)
            next.setOutputFile(target.path)
            next.prepare()
            next.start()
        } catch (e: RuntimeException) {
            discard()
            throw IOException(e)
        }
        startedAt = SystemClock.elapsedRealtime()
        this.place = place
        isRecording = true
        job = scope.launch { measure() }
    }

    private suspend fun measure() {
        while (isRecording) {
            delay(STEP_MS)
            val level = sqrt((recorder?.maxAmplitude ?: 0) / MAX_AMPLITUDE)
            // Timers can be late, so one tick may add several levels.
            while (durationMs + STEP_MS <= SystemClock.elapsedRealtime() - startedAt && !isFull) mutableLevels += level
            if (isFull) stop()
        }
    }

    /** Ends recording and releases the microphone. */
    fun stop() {
        if (!isRecording) return
        isRecording = false
        job?.cancel()
        try {
            recorder?.stop()
        } catch (_: RuntimeException) {
            // Nothing was recorded, so the recording is too short.
            mutableLevels.clear()
        }
        release()
    }

    /** Ends the recording. @return null if it is too short */
    fun take(): NewFile? {
        stop()
        val recorded = file
        val isLongEnough = durationMs >= MIN_MS
        val peaks = peaksOf(levels)
        if (isLongEnough) file = null
        discard()
        if (recorded == null || !isLongEnough) return null
        return NewFile.of("voice-${LocalDate.now()}.m4a", recorded.length()) { recorded.inputStream() }.asVoice(peaks)
    }

    fun discard() {
        isRecording = false
        job?.cancel()
        release()
        file?.delete()
        file = null
        mutableLevels.clear()
        place = null
    }

    private fun release() {
        recorder?.release()
        recorder = null
    }
}

/** The folder of recordings. Those of ended uploads are deleted at the next start. */
fun recordings(context: Context) = File(context.cacheDir, "recordings")
