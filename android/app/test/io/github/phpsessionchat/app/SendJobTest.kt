package io.github.phpsessionchat.app

import android.app.job.JobParameters
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.android.SendJob
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadow.api.Shadow
import org.robolectric.shadows.ShadowLooper

/** The job while the server cannot be reached. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = AppWithoutServer::class)
class SendJobTest {
    private val chat = (RuntimeEnvironment.getApplication() as ChatApplication).chat
    private val job = Robolectric.buildService(SendJob::class.java).create().get()
    private val parameters = Shadow.newInstanceOf(JobParameters::class.java)

    private fun awaitConnection(condition: (ConnectionState.Kind) -> Boolean) {
        val end = System.currentTimeMillis() + 60_000
        while (!condition(chat.connection.value)) {
            check(System.currentTimeMillis() < end) { chat.connection.value }
            ShadowLooper.idleMainLooper()
            Thread.sleep(5)
        }
    }

    @Test
    fun triesAgainLaterIfTheServerCannotBeReached() {
        assertTrue(job.onStartJob(parameters))
        awaitConnection { it != ConnectionState.Kind.STOPPED }
        ShadowLooper.idleMainLooper(7, TimeUnit.MINUTES)
        assertFalse(shadowOf(job).isJobFinished)
        ShadowLooper.idleMainLooper(1, TimeUnit.MINUTES)
        assertTrue(shadowOf(job).isJobFinished)
        assertTrue(shadowOf(job).isRescheduleNeeded)
        awaitConnection { it == ConnectionState.Kind.STOPPED }
    }

    @Test
    fun disconnectsWhenAndroidStopsIt() {
        job.onStartJob(parameters)
        awaitConnection { it != ConnectionState.Kind.STOPPED }
        assertTrue(job.onStopJob(parameters))
        awaitConnection { it == ConnectionState.Kind.STOPPED }
        assertEquals(false, shadowOf(job).isJobFinished)
    }
}
