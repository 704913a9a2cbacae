package io.github.phpsessionchat.app.server

import android.app.job.JobScheduler
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertNotNull
import org.junit.Test
import org.robolectric.shadows.ShadowLooper

/** The other side kills this process. */
class WritesOfflineTest : ServerTest() {
    @Test
    fun keepsAMessageUntilTheProcessIsKilled() {
        setCookie()
        activity
        openLobby()
        println("the app shows the room")
        awaitText("Connection lost")
        send("Written offline")
        awaitText("Waiting for connection")
        println("the app keeps a message")

        compose.runOnUiThread { controller.pause().stop() }
        val jobs = activity.getSystemService(JobScheduler::class.java)
        compose.waitUntil(60_000) {
            ShadowLooper.idleMainLooper(100, TimeUnit.MILLISECONDS)
            jobs.allPendingJobs.size == 1
        }
        assertNotNull(jobs.allPendingJobs.single().requiredNetwork)
        println("the app waits for a network")
        Thread.sleep(60_000)
    }
}
