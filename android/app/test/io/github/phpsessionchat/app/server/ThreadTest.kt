package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollTo
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.test.performTouchInput
import org.junit.Test

class ThreadTest : ServerTest() {
    @Test
    fun repliesOnlyInTheThreadAndMakesAPoll() {
        setCookie()
        activity
        openLobby()
        awaitText("1 reply")
        compose.onNodeWithText("Only in the thread").assertDoesNotExist()
        compose.onNodeWithText("Where is the key?").performTouchInput { longClick() }
        compose.onNodeWithText("Reply").performClick()
        awaitText("Only in the thread")
        send("Only here")
        awaitText("2 replies")
        compose.onNodeWithText("Also send to the room").performClick()
        send("For all")
        awaitText("3 replies")
        compose.onNodeWithContentDescription("Close replies").performClick()
        awaitText("For all")
        compose.onNodeWithText("Only here").assertDoesNotExist()

        compose.onNodeWithContentDescription("Attach files").performClick()
        compose.onNodeWithText("New poll").performClick()
        for ((tag, text) in listOf("question" to "Which day?", "option 0" to "Friday", "option 1" to "Saturday")) {
            compose.onNodeWithTag(tag).performTextInput(text)
        }
        compose.onNodeWithText("Send").performScrollTo().performClick()
        awaitText("0 votes")
        compose.onNodeWithText("Saturday").performClick()
        awaitText("1 vote")
    }
}
