package io.github.phpsessionchat.app

import android.Manifest
import android.app.Notification
import android.app.NotificationManager
import android.app.RemoteInput
import android.content.Intent
import android.os.Bundle
import io.github.phpsessionchat.android.ChatNotifications
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowLooper

class AppWithoutServer : ChatApplication() {
    override val server = "http://127.0.0.1:1/"
}

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = AppWithoutServer::class)
class AnswerTest {
    private val app = RuntimeEnvironment.getApplication() as ChatApplication

    @Test
    fun anAnswerThatCannotBeSentBecomesADraft() {
        shadowOf(app).grantPermissions(Manifest.permission.POST_NOTIFICATIONS)
        app.drafts.openFor("1")
        app.drafts.put("lobby", "Wait for")
        val answer = Intent(app, ChatNotifications.ReplyReceiver::class.java).setAction("lobby")
        val field = RemoteInput.Builder("reply").build()
        RemoteInput.addResultsToIntent(arrayOf(field), answer, Bundle().apply { putString("reply", "On my way") })
        app.sendBroadcast(answer)
        ShadowLooper.idleMainLooper(10, TimeUnit.SECONDS)
        assertEquals(mapOf("lobby" to "Wait for\nOn my way"), app.drafts.texts.value)
        val shown = app.getSystemService(NotificationManager::class.java).activeNotifications.single().notification
        assertEquals("Not sent.", shown.extras.getString(Notification.EXTRA_TITLE))
        assertEquals("On my way", shown.extras.getString(Notification.EXTRA_TEXT))
    }
}
