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
    fun keepsTheRepliesInThreadsApart() {
        open("1").apply {
            put("lobby", "Good mor")
            putReply("lobby", 4, "Which one?")
            putReply("lobby", 5, "This one")
            putReply("lobby", 5, "")
        }
        val drafts = open("1")
        assertEquals(mapOf("lobby" to "Good mor"), drafts.texts.value)
        assertEquals(listOf("Which one?", "", ""), listOf(drafts.reply("lobby", 4), drafts.reply("lobby", 5), drafts.reply("market", 4)))
    }

    @Test
    fun addsToADraftBeforeItIsOpened() {
        open("1").put("lobby", "Good mor")
        Drafts(RuntimeEnvironment.getApplication()).append("lobby", "On my way")
        assertEquals("Good mor\nOn my way", open("1").texts.value["lobby"])
    }

    @Test
    fun deletesTheDraftsOfAnotherUser() {
        open("1").apply {
            put("lobby", "Good mor")
            putReply("lobby", 4, "Which one?")
        }
        assertEquals(emptyMap<String, String>(), open("2").texts.value)
        assertEquals(emptyMap<String, String>(), open("1").texts.value)
        assertEquals("", open("1").reply("lobby", 4))
    }
}
