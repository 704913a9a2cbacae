package io.github.phpsessionchat.app

import org.junit.Assert.assertEquals
import org.junit.Test

class LinkedTest {
    @Test fun `shows the host that the browser requests`() {
        assertEquals("https://xn--pple-43d.example:8443/ä?а", withAsciiHost("https://аpple.example:8443/ä?а"))
        assertEquals("http://bank.xn--exmple-4nf", withAsciiHost("http://bank.exаmple"))
        assertEquals("https://apple.example/аpple", withAsciiHost("https://apple.example/аpple"))
    }

    @Test fun `shows no other host than the browser requests`() {
        assertEquals("https://paypai.example/I", withAsciiHost("https://paypaI.example/I"))
        assertEquals("https://straße.example", withAsciiHost("https://straße.example"))
        assertEquals("https://xn--80aa0cbo65f.example", withAsciiHost("https://раураӏ.example"))
        assertEquals(emptyList<String>(), linksIn("https://bank.example@other.example/ https://bank.example:1@other.example"))
        assertEquals(listOf("https://bank.example/@ann"), linksIn("see https://bank.example/@ann."))
    }
}
