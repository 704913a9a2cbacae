package io.github.phpsessionchat.app.server

import org.junit.Test

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
        Thread.sleep(60_000)
    }
}
