package io.github.phpsessionchat.app.server

import android.webkit.CookieManager
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToNode
import io.github.phpsessionchat.app.ChatApplication
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test
import org.robolectric.RuntimeEnvironment

class LogOutTest : ServerTest() {
    @Test
    fun removesTheLoginFromTheDevice() {
        setCookie()
        activity
        awaitText("lobby")
        val app = RuntimeEnvironment.getApplication() as ChatApplication
        app.chat.client.send("nowhere", "Not sent")
        await { unsent.isNotEmpty() }
        compose.onNodeWithContentDescription("Settings").performClick()
        // The last part of the settings.
        awaitText("You haven’t blocked anyone.")
        compose.onNodeWithTag("settings").performScrollToNode(hasText("Forget me on this device"))
        compose.onNodeWithText("Forget me on this device").performClick()
        awaitText("Please log in")
        assertEquals(emptyList<File>(), unsent)
        assertNull(CookieManager.getInstance().getCookie(System.getProperty("chat.server")!!))
    }
}
