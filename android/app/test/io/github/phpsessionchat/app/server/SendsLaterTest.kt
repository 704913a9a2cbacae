package io.github.phpsessionchat.app.server

import org.junit.Test

class SendsLaterTest : ServerTest() {
    @Test
    fun sendsTheMessageOfTheKilledProcess() {
        setCookie()
        activity
        awaitText("Written offline")
        openLobby()
        println("the app is connected again")
        awaitText("Goodbye")
    }
}
