package io.github.phpsessionchat.app

import io.github.phpsessionchat.android.Drafts
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class DraftsTest {
    private fun open(user: String) = Drafts(RuntimeEnvironment.getApplication()).apply { openFor(user) }

    @Test
    fun keepsTheDraftsOfAUser() {
        open("1").apply {
            put("lobby", "Good mor")
            put("market", "Two trays")
            put("market", "")
        }
        assertEquals(mapOf("lobby" to "Good mor"), open("1").texts.value)
    }

    @Test
    fun deletesTheDraftsOfAnotherUser() {
        open("1").put("lobby", "Good mor")
        assertEquals(emptyMap<String, String>(), open("2").texts.value)
        assertEquals(emptyMap<String, String>(), open("1").texts.value)
    }
}
