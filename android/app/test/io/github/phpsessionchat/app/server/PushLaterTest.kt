package io.github.phpsessionchat.app.server

import android.Manifest
import android.app.Notification
import android.app.job.JobParameters
import android.app.job.JobScheduler
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.android.ChatNotifications
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadow.api.Shadow

/** Pushes while the process is in memory, and while the server cannot be reached. The other side writes the messages. */
class PushLaterTest : NotificationTest() {
    private val room = System.getProperty("chat.room")!!

    private fun textOf(notification: Notification) = notification.extras.getString(Notification.EXTRA_TEXT)

    /** The other side goes on, and then creates a file. */
    private fun awaitFile(name: String) = awaitMain { File(System.getProperty("chat.files")!!, name).exists() }

    private fun awaitDisconnect() = awaitMain { app.chat.connection.value == ConnectionState.Kind.STOPPED }

    @Test
    fun showsMessagesThatTheLastConnectionDidNotKnow() {
        shadowOf(app).grantPermissions(Manifest.permission.POST_NOTIFICATIONS)
        setCookie()
        for (seq in 1..3) {
            println("the app waits for message $seq")
            awaitFile("message-$seq")
            push("room" to room, "seq" to "$seq", "unread" to "$seq")
            assertEquals("Message $seq", textOf(shown().single()))
            awaitDisconnect()
        }

        println("the app waits for an outage")
        awaitFile("outage")
        push("room" to room, "seq" to "4", "unread" to "4")
        val early = shown().single()
        assertEquals("Den", early.extras.getString(Notification.EXTRA_TITLE))
        assertEquals("New message", textOf(early))
        val planned = app.getSystemService(JobScheduler::class.java).allPendingJobs.single()
        assertTrue(planned.isExpedited)

        println("the app shows a push without its message")
        val job = Robolectric.buildService(ChatNotifications.PushJob::class.java).create().get()
        assertTrue(job.onStartJob(Shadow.newInstanceOf(JobParameters::class.java)))
        awaitMain { shadowOf(job).isJobFinished }
        assertFalse(shadowOf(job).isRescheduleNeeded)
        val late = shown().single()
        assertEquals("Message 4", textOf(late))
        awaitDisconnect()
    }
}
