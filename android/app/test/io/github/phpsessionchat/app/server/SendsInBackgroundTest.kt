package io.github.phpsessionchat.app.server

import android.app.job.JobParameters
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.android.SendJob
import io.github.phpsessionchat.app.ChatApplication
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadow.api.Shadow
import org.robolectric.shadows.ShadowLooper

/** Android has started the process for the job, so there is no screen. */
class SendsInBackgroundTest : ServerTest() {
    private val chat = (RuntimeEnvironment.getApplication() as ChatApplication).chat

    @Test
    fun sendsTheMessageOfTheKilledProcessWithoutAScreen() {
        setCookie()
        val job = Robolectric.buildService(SendJob::class.java).create().get()
        assertTrue(job.onStartJob(Shadow.newInstanceOf(JobParameters::class.java)))
        val end = System.currentTimeMillis() + 60_000
        while (!shadowOf(job).isJobFinished || chat.connection.value != ConnectionState.Kind.STOPPED) {
            check(System.currentTimeMillis() < end) { chat.connection.value }
            ShadowLooper.idleMainLooper(5, TimeUnit.MILLISECONDS)
            Thread.sleep(5)
        }
        assertFalse(shadowOf(job).isRescheduleNeeded)
        assertTrue(unsent.isEmpty())
    }
}
