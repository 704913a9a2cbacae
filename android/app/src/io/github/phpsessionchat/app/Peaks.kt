package io.github.phpsessionchat.app

import io.github.phpsessionchat.ChatFile.Audio

/** A recording whose loudest level is below this is noise, and its lines stay small. */
private const val QUIET = 0.15f

/** The digits of loudness are in base 32. */
private const val MAX_DIGIT = 31

/** Returns the loudness from 0 to 1 of each digit. */
fun levelsOf(peaks: String): List<Float> = peaks.map { it.digitToIntOrNull(MAX_DIGIT + 1) ?: 0 }.map { it.toFloat() / MAX_DIGIT }

/** Returns the loudness digits of a voice message from measurements from 0 to 1, relative to the loudest. */
fun peaksOf(levels: List<Float>): String {
    val steps = List(Audio.PEAKS) { step ->
        val begin = step * levels.size / Audio.PEAKS
        val end = maxOf(begin + 1, (step + 1) * levels.size / Audio.PEAKS)
        levels.subList(minOf(begin, levels.size), minOf(end, levels.size)).maxOrNull() ?: 0f
    }
    val top = maxOf(QUIET, steps.max())
    return steps.joinToString("") { Math.round((it / top).coerceIn(0f, 1f) * MAX_DIGIT).toString(MAX_DIGIT + 1) }
}
