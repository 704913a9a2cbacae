package io.github.phpsessionchat.app.server

import android.content.Intent
import android.net.Uri
import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTouchInput
import androidx.core.content.IntentCompat
import io.github.phpsessionchat.app.downloads
import org.junit.Assert.assertEquals
import org.junit.Test
import org.robolectric.Shadows.shadowOf

class OpensFilesTest : ServerTest() {
    /** What the app opened, in another app. */
    private fun opened(): Intent {
        var intent: Intent? = null
        await {
            intent = shadowOf(activity).nextStartedActivity
            intent != null
        }
        return intent!!
    }

    private fun textOf(uri: Uri) = activity.contentResolver.openInputStream(uri)!!.reader().use { it.readText() }

    @Test
    fun opensAndSharesAFileOfAMessage() {
        setCookie()
        activity
        openLobby()
        awaitText("notes.txt")
        compose.onNodeWithText("notes.txt").performClick()
        val view = opened()
        assertEquals(Intent.ACTION_VIEW to "text/plain", view.action to view.type)
        assertEquals("Water the beds", textOf(view.data!!))

        compose.onNodeWithText("My notes").performTouchInput { longClick() }
        awaitText("Share")
        compose.onNodeWithText("Share").performClick()
        val share = IntentCompat.getParcelableExtra(opened(), Intent.EXTRA_INTENT, Intent::class.java)!!
        assertEquals(Intent.ACTION_SEND to "text/plain", share.action to share.type)
        assertEquals("Water the beds", textOf(IntentCompat.getParcelableExtra(share, Intent.EXTRA_STREAM, Uri::class.java)!!))
        assertEquals(1, downloads(activity).listFiles()!!.size)
    }
}
