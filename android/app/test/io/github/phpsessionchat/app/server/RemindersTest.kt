package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTouchInput
import org.junit.Test

class RemindersTest : ServerTest() {
    @Test
    fun setsListsAndDeletesAReminder() {
        setCookie()
        activity
        openLobby()
        awaitText("Water the beds")
        compose.onNodeWithText("Water the beds").performTouchInput { longClick() }
        compose.onNodeWithText("Remind me").performClick()
        compose.onNodeWithText("In 20 minutes").performClick()
        awaitText("Reminder set")
        println("the app set a reminder")
        awaitText("Reminder: \u2068Feed the hens\u2069")
        compose.onNodeWithContentDescription("Back to rooms").performClick()
        compose.onNodeWithText("Reminder: ", substring = true).performClick()
        awaitDescription("Send")
        await { (activity.application as TestApplication).chat.reminders.value?.size == 1 }
        compose.onNodeWithText("Water the beds").performTouchInput { longClick() }
        compose.onNodeWithText("Remind me").performClick()
        compose.onNodeWithText("Reminders").performClick()
        awaitText("Delete")
        compose.onNodeWithText("Delete").performClick()
        awaitText("No scheduled messages.")
    }
}
