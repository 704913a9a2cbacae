package io.github.phpsessionchat.app

import androidx.compose.ui.test.assertCountEquals
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onNodeWithText
import io.github.phpsessionchat.Samples
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

/** Tests that each field of a message is shown: those of `content` in `server/wire/content.ts`. */
class ContentTest : ScreenTest() {
    private val checks = mapOf<String, () -> Unit>(
        "text" to { shows("hello") },
        // Once as a message, once as a quote.
        "replyTo" to { compose.onAllNodesWithText("Morning all.", substring = true).assertCountEquals(2) },
        "threadOnly" to { compose.onNodeWithText("other").assertDoesNotExist() },
        "mentions" to { shows("Benher") },
        "files" to { shows("cat.png") },
        "preview" to { shows("garden.example") },
        "poll" to { shows("yes") },
        "card" to { shows("Order 4711") },
        "important" to { shows("Important") },
        "forwarded" to { shows("Forwarded from \u2068Ben\u2069") },
    )

    private fun shows(text: String) {
        compose.onNodeWithText(text).assertIsDisplayed()
    }

    @Test
    fun showsEachFieldOfAMessage() {
        assertEquals("Each field needs a check.", Samples.contentByField.keys, checks.keys)
        for ((field, check) in checks) {
            val (with, without) = Samples.contentByField.getValue(field)
            showConversation(with)
            runCatching(check).onFailure { throw AssertionError("The field $field is not shown.", it) }
            showConversation(without)
            assertThrows("The check of $field passes without the field.", AssertionError::class.java) { check() }
        }
    }
}
