package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import org.junit.Test

/** The user is in the team of the site. */
class AnswersTest : ServerTest() {
    @Test
    fun takesAnswersAndClosesAQuestion() {
        setCookie()
        activity
        awaitText("Are dogs allowed?")
        compose.onNodeWithText("Are dogs allowed?", substring = true).performClick()
        awaitDescription("Send")
        awaitText("Unassigned · waiting for")
        compose.onNodeWithText("Take").performClick()
        awaitText("Taken by you")
        send("Only on a lead")
        await { compose.onAllNodesWithText("waiting for", substring = true).fetchSemanticsNodes().isEmpty() }
        compose.onNodeWithText("Close question").performClick()
        awaitText("Closed")
    }
}
