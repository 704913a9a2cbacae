package io.github.phpsessionchat.app

import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.text.format.DateFormat
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.runtime.DisposableEffect
import androidx.compose.runtime.compositionLocalOf
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.platform.LocalContext
import androidx.core.content.ContextCompat
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.compose.LifecycleEventEffect
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId

/** What the texts of times depend on, besides the language. */
data class Clock(val today: LocalDate, val zone: ZoneId, val is24Hour: Boolean) {
    fun dayOf(time: Long): LocalDate = Instant.ofEpochMilli(time).atZone(zone).toLocalDate()

    companion object {
        fun of(context: Context) = Clock(LocalDate.now(), ZoneId.systemDefault(), DateFormat.is24HourFormat(context))
    }
}

/** A text of a time reads it, so that a change of the clock draws the text again. */
val LocalClock = compositionLocalOf<Clock> { error("WithClock is missing.") }

/** Android sends them at midnight, and when the user changes the time, its format or the time zone. */
private val CHANGES = listOf(Intent.ACTION_DATE_CHANGED, Intent.ACTION_TIME_CHANGED, Intent.ACTION_TIMEZONE_CHANGED)

/** Provides [LocalClock]. */
@Composable
fun WithClock(content: @Composable () -> Unit) {
    val context = LocalContext.current
    var clock by remember { mutableStateOf(Clock.of(context)) }
    DisposableEffect(context) {
        val receiver = object : BroadcastReceiver() {
            override fun onReceive(context: Context, intent: Intent) {
                clock = Clock.of(context)
            }
        }
        val filter = IntentFilter().apply { CHANGES.forEach(::addAction) }
        ContextCompat.registerReceiver(context, receiver, filter, ContextCompat.RECEIVER_NOT_EXPORTED)
        onDispose { context.unregisterReceiver(receiver) }
    }
    // Android may delay the broadcasts while the app is not visible.
    LifecycleEventEffect(Lifecycle.Event.ON_START) { clock = Clock.of(context) }
    CompositionLocalProvider(LocalClock provides clock, content = content)
}
