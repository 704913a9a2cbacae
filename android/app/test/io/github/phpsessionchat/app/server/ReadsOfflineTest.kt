package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import io.github.phpsessionchat.app.takeScreenshot
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Test

class ReadsOfflineTest : ServerTest() {
    @Test
    fun showsStoredMessagesUntilTheLoginHasEnded() {
        setCookie()
        activity
        awaitText("lobby")
        compose.onNodeWithText("lobby").performClick()
        awaitText("To read on the train")
        awaitText("Connection lost")
        takeScreenshot(activity, "stored")
        send("Written in the tunnel")
        awaitText("Waiting for connection")
        println("the app shows a stored message")
        // The other side ends the session now, and starts the server.
        awaitText("Please log in")
        assertFalse(offline.exists())
        // The login has expired, so the message waits for the next one.
        assertEquals(1, unsent.size)
    }
}
