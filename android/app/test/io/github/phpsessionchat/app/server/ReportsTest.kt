package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTouchInput
import org.junit.Test

class ReportsTest : ServerTest() {
    @Test
    fun reportsTheNewestMessageOfAUser() {
        setCookie()
        activity
        openLobby()
        awaitText("Buy my pallets")
        compose.onNodeWithText("Buy my pallets").performTouchInput { longClick() }
        awaitText("About \u2068Bob\u2069")
        compose.onNodeWithText("About \u2068Bob\u2069").performClick()
        awaitText("Report")
        compose.onNodeWithText("Report").performClick()
        // The quoted message.
        awaitText("Half price")
        compose.onNodeWithText("Spam or scam").performClick()
        awaitText("Reported. Thank you.")
    }
}
