package io.github.phpsessionchat.app.server

import android.Manifest
import android.app.Notification
import android.app.job.JobParameters
import android.app.job.JobScheduler
import android.webkit.CookieManager
import io.github.phpsessionchat.ConnectionState.Kind
import io.github.phpsessionchat.ConnectionState.Reason
import io.github.phpsessionchat.android.Access
import io.github.phpsessionchat.android.VisitJob
import java.io.File
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.launch
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadow.api.Shadow

/** A site whose sessions end soon, and which remembers its users. The other side ends the sessions. */
class RemembersTest : NotificationTest() {
    private val room = System.getProperty("chat.room")!!

    private val session
        get() = CookieManager.getInstance().getCookie(System.getProperty("chat.server")!!).split("; ").find { it.startsWith("PHPSESSID=") }

    private val jobs get() = app.getSystemService(JobScheduler::class.java).allPendingJobs.filter { it.isPeriodic }

    private fun awaitOther(step: String) {
        println("the app waits for $step")
        val file = File(System.getProperty("chat.files")!!, step)
        while (!file.exists()) Thread.sleep(5)
        file.delete()
    }

    @Test
    fun getsANewLoginFromTheSiteUntilTheUserIsLoggedOut() {
        shadowOf(app).grantPermissions(Manifest.permission.POST_NOTIFICATIONS)
        // The cookie by which the site remembers the user. There is no session.
        setCookie()
        // On a slow machine, the first push does not wait long enough.
        do push("expired" to "true", "room" to room, "seq" to "1")
        while (shown().single().extras.getString(Notification.EXTRA_TEXT) != "Are you there?")
        val first = session
        assertNotNull(first)
        awaitMain { app.chat.connection.value == Kind.STOPPED }

        // While the app is closed, the job keeps this session, and gets another one if it has ended.
        runJob()
        assertEquals(first, session)
        awaitOther("an expiry in the background")
        runJob()
        val second = session
        assertNotEquals(first, second)

        activity
        awaitText("lobby")
        assertEquals(second, session)
        assertEquals(1, jobs.size)
        await { app.chat.connection.value == Kind.ONLINE }
        val accesses = mutableListOf<Access>()
        MainScope().launch { app.chat.access.collect { accesses += it } }
        await { accesses.isNotEmpty() }
        awaitOther("an expiry in the foreground")
        await { Access.Checking in accesses && accesses.last() == Access.Granted }
        awaitText("lobby")

        // The user logs out, although the site would still remember the cookie.
        awaitOther("a logout")
        awaitText("You’re logged out")
        assertEquals(Access.Ended(Reason.LOGOUT), app.chat.access.value)
        assertTrue(jobs.isEmpty())
    }

    private fun runJob() {
        val job = Robolectric.buildService(VisitJob::class.java).create().get()
        assertTrue(job.onStartJob(Shadow.newInstanceOf(JobParameters::class.java)))
        awaitMain { shadowOf(job).isJobFinished }
        awaitMain { app.chat.connection.value == Kind.STOPPED }
    }
}
