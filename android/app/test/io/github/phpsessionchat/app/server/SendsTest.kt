package io.github.phpsessionchat.app.server

import org.junit.Test

/** The other side kills this process. */
class SendsTest : ServerTest() {
    @Test
    fun sendsAMessageIfThereIsOne() {
        setCookie()
        activity
        openLobby()
        val text = System.getProperty("chat.room")!!
        if (text.isNotEmpty()) send(text)
        Thread.sleep(120_000)
    }
}
