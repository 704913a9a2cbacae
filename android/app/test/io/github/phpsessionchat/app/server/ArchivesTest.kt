package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTouchInput
import org.junit.Test

class ArchivesTest : ServerTest() {
    private fun chooseForBob(action: String) {
        compose.onNodeWithText("Bob").performTouchInput { longClick() }
        compose.onNodeWithText(action).performClick()
    }

    @Test
    fun archivesADirectRoomUntilItsNextMessage() {
        setCookie()
        activity
        awaitText("Hello Kim")
        chooseForBob("Archive")
        awaitText("Archived")
        println("the app archived the room")
        awaitText("Are you there?")
        compose.onNodeWithText("Archived").assertDoesNotExist()
        chooseForBob("Add to favourites")
        awaitDescription("favourite")
    }
}
