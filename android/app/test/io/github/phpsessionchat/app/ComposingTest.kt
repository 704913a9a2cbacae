package io.github.phpsessionchat.app

import android.os.Bundle
import android.os.Parcel
import androidx.compose.runtime.saveable.SaverScope
import androidx.compose.ui.text.TextRange
import androidx.compose.ui.text.input.TextFieldValue
import io.github.phpsessionchat.Samples
import java.io.Serializable
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** What remains of a text when Android recreates the screen. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class ComposingTest {
    private fun Composing.type(text: String) {
        field = TextFieldValue(text, TextRange(text.length))
    }

    private fun recreated(composing: Composing): Composing {
        val saved = with(Composing.saver) { SaverScope { it is Serializable }.save(composing) }
        val parcel = Parcel.obtain()
        parcel.writeBundle(Bundle().apply { putSerializable("composing", saved as Serializable) })
        parcel.setDataPosition(0)
        @Suppress("DEPRECATION") // The other one exists since Android 13.
        val restored = parcel.readBundle(javaClass.classLoader)!!.getSerializable("composing")!!
        return Composing.saver.restore(restored)!!
    }

    @Test
    fun keepsTheMessageThatItRepliesTo() {
        val composing = Composing("I have it").apply { reply(Samples.found[1]) }
        assertEquals("I have it, a reply to 2", Samples.textOf(recreated(composing).toMessage(emptyList(), threadOnly = false)))
        assertEquals("Bob Keller", recreated(composing).replyTo?.user?.name)
        assertNull(recreated(Composing("I have it")).replyTo)
    }

    @Test
    fun keepsAnEditAndTheTextBeforeIt() {
        val composing = Composing("Good mor").apply {
            edit(Samples.found[0])
            type("Morning.")
        }
        val next = recreated(composing)
        assertEquals(1L, next.editing?.seq)
        assertEquals("Morning.", Samples.textOf(next.toEdit()))
        next.clear()
        assertEquals("Good mor", next.field.text)
        assertNull(next.editing)
    }

    @Test
    fun keepsTheMarksOfAnEditAndOfTheDraftBeforeIt() {
        val composing = Composing("Good mor").apply {
            important = true
            edit(Samples.found[0])
        }
        val next = recreated(composing)
        assertFalse(next.important)
        next.important = true
        assertTrue(Samples.textOf(recreated(next).toEdit()).endsWith(", important: true"))
        next.clear()
        assertEquals("Good mor, important", Samples.textOf(recreated(next).toMessage(emptyList(), threadOnly = false)))
        next.clear()
        assertFalse(next.important)
    }

    @Test
    fun keepsMentions() {
        val composing = Composing("").apply {
            type("Ask @Bob")
            mention(Samples.bob)
        }
        assertEquals("Ask @Bob Keller, mentions 2 at 4", Samples.textOf(recreated(composing).toMessage(emptyList(), threadOnly = false)))
    }

    @Test
    fun takesAStoredDraftExceptDuringAnEdit() {
        val composing = Composing("Wait for")
        composing.adopt("Wait for\nOn my way")
        assertEquals("Wait for\nOn my way", composing.field.text)
        composing.edit(Samples.found[0])
        val text = composing.field.text
        composing.adopt("Something else")
        assertEquals(text, composing.field.text)
        composing.clear()
        assertEquals("Something else", composing.field.text)
    }

    @Test
    fun doesNotPutAHugeTextIntoTheSavedState() {
        val composing = Composing("a".repeat(60_000))
        assertNull(with(Composing.saver) { SaverScope { it is Serializable }.save(composing) })
    }
}
