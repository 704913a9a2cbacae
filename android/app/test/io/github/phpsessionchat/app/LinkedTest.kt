package io.github.phpsessionchat.app

import org.junit.Assert.assertEquals
import org.junit.Test

class LinkedTest {
    @Test fun `shows the host that the browser requests`() {
        assertEquals("https://xn--pple-43d.example:8443/ä?а", withAsciiHost("https://аpple.example:8443/ä?а"))
        assertEquals("http://bank.xn--exmple-4nf", withAsciiHost("http://bank.exаmple"))
        assertEquals("https://apple.example/аpple", withAsciiHost("https://apple.example/аpple"))
    }
}
