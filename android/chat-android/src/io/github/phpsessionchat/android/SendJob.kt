package io.github.phpsessionchat.android

import android.content.Context
import kotlinx.coroutines.withTimeoutOrNull

private const val ID = 0x63686174

/** Android ends a job after ten minutes. */
private const val MAX_MS = 8 * 60_000L

/**
 * Sends the messages that were unsent when the user left the app, as soon as there is a network.
 * [connectWhileVisible] schedules it.
 */
class SendJob : ChatJob() {
    override suspend fun work(): Boolean {
        val chat = chat ?: return true
        return withTimeoutOrNull(MAX_MS) { chat.sendAll() } != null
    }

    internal companion object {
        fun schedule(context: Context) = context.scheduleOnce(jobInfo(context, ID, SendJob::class.java).build())
    }
}
