package io.github.phpsessionchat.app.server

import android.content.Intent
import android.net.Uri
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onLast
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import org.junit.Test

class LinkTest : ServerTest() {
    private fun open(link: String) {
        compose.runOnUiThread { controller.newIntent(Intent(Intent.ACTION_VIEW, Uri.parse("https://www.example.org/chat/#$link"))) }
    }

    /** The room is the ID of a message's link and the token of an invitation. */
    @Test
    fun opensAMessageAndJoinsByAnInvitation() {
        val (message, invitation) = System.getProperty("chat.room")!!.split(' ')
        setCookie()
        activity
        open("m=$message")
        awaitText("You can read this room")
        compose.onAllNodesWithText("Join").onLast().performClick()
        awaitText("The first of many")
        compose.onNodeWithText("The first of many").assertIsDisplayed()
        compose.onNodeWithTag("draft").performTextInput("To all")
        // As Android does when the theme changes.
        compose.runOnUiThread { controller.recreate() }
        awaitText("To all")
        compose.onNodeWithText("The first of many").assertIsDisplayed()

        open("m=nowhere/1")
        awaitText("You can’t see this message")
        compose.onNodeWithText("Go to the chat").performClick()

        open("join=$invitation")
        awaitText("invites you to")
        compose.onAllNodesWithText("Join").onLast().performClick()
        awaitText("Welcome to the den")
    }
}
