package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import org.junit.Test

/** Android has ended the process since the last connection, and the server cannot be reached. */
class WritesBeforeConnectingTest : ServerTest() {
    @Test
    fun sendsTheMessageWithTheFirstConnection() {
        setCookie()
        activity
        awaitText("lobby")
        compose.onNodeWithText("lobby").performClick()
        awaitText("To read on the train")
        awaitText("Connection lost")
        send("Written before the first connection")
        awaitText("Waiting for connection")
        println("the app keeps a message")
        // The other side starts the server now.
        awaitText("Welcome back")
    }
}
