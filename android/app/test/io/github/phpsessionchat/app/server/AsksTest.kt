package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import org.junit.Test

class AsksTest : ServerTest() {
    @Test
    fun asksTheTeam() {
        setCookie()
        activity
        awaitText("lobby")
        compose.onNodeWithContentDescription("New room or message").performClick()
        awaitText("Ask the team")
        compose.onNodeWithText("Ask the team").performClick()
        awaitText("We answer from 9 to 5")
        compose.onNodeWithTag("question").performTextInput("When do you open?")
        compose.onNodeWithText("Send").performClick()
        awaitDescription("Send")
        println("the app has asked")
        awaitText("At nine")
    }
}
