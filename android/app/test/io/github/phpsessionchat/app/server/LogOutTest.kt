package io.github.phpsessionchat.app.server

import android.webkit.CookieManager
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToNode
import org.junit.Assert.assertNull
import org.junit.Test

class LogOutTest : ServerTest() {
    @Test
    fun removesTheLoginFromTheDevice() {
        setCookie()
        activity
        awaitText("lobby")
        compose.onNodeWithContentDescription("Settings").performClick()
        // The last part of the settings.
        awaitText("You haven’t blocked anyone.")
        compose.onNodeWithTag("settings").performScrollToNode(hasText("Forget me on this device"))
        compose.onNodeWithText("Forget me on this device").performClick()
        awaitText("Please log in")
        assertNull(CookieManager.getInstance().getCookie(System.getProperty("chat.server")!!))
    }
}
