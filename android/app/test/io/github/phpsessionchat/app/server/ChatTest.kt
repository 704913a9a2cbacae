package io.github.phpsessionchat.app.server

import android.content.res.Configuration
import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onLast
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.test.performTouchInput
import io.github.phpsessionchat.app.takeScreenshot
import org.junit.Assert.assertSame
import org.junit.Test
import org.robolectric.Shadows.shadowOf

class ChatTest : ServerTest() {
    @Test
    fun logsInChatsAndReturnsToTheLoginAfterALogout() {
        val content = activity.window.decorView
        awaitText("Please log in")
        compose.onNodeWithText("Log in").performClick()
        await { findWebView(content) != null }
        val page = findWebView(content)!!
        // The form of the page must stay.
        for (mode in listOf(Configuration.UI_MODE_NIGHT_YES, Configuration.UI_MODE_NIGHT_NO)) {
            val changed = Configuration(activity.resources.configuration).apply { uiMode = Configuration.UI_MODE_TYPE_NORMAL or mode }
            compose.runOnUiThread { controller.configurationChange(changed) }
            compose.waitForIdle()
            assertSame(page, findWebView(activity.window.decorView))
        }
        // The next page of the login loads while the app still tries to connect after this one.
        shadowOf(page).webViewClient.onPageFinished(page, page.url)
        compose.waitForIdle()
        setCookie()
        shadowOf(page).webViewClient.onPageFinished(page, page.url)

        openLobby()
        send("Hello from the app")
        println("the app sent a message")
        awaitText("Hello from the browser")
        openMenu()
        compose.onNodeWithText("🎉").performClick()
        awaitText("🎉 1")
        openMenu()
        compose.onNodeWithText("Reply").performClick()
        // As Android does when the theme or language changes.
        compose.runOnUiThread { controller.recreate() }
        awaitText("Reply to")
        send("A reply")
        awaitText("1 reply")
        compose.onNodeWithText("1 reply").performClick()
        awaitDescription("Notify me about replies")
        awaitText("A reply")
        compose.onNodeWithContentDescription("Close replies").performClick()
        compose.onNodeWithText("lobby").performClick()
        awaitText("Public room, 2 members")
        awaitText("Bob")
        compose.onNodeWithContentDescription("Close details").performClick()
        awaitDescription("Send")
        takeScreenshot(activity, "server")
        compose.onNodeWithTag("draft").performTextInput("Good morning")
        compose.onNodeWithContentDescription("Send").performTouchInput { longClick() }
        // In the last hour of a day, "in 1 hour" is tomorrow, too.
        compose.onAllNodesWithText("Tomorrow", substring = true).onLast().performClick()
        awaitText("Scheduled messages · 1")
        compose.onNodeWithText("Scheduled messages · 1").performClick()
        awaitText("Send now")
        compose.onNodeWithText("Send now").performClick()
        awaitText("No scheduled messages.")
        compose.onNodeWithContentDescription("Close").performClick()
        awaitText("Good morning")
        // As Android does for each touch. The server is told at most every 30 seconds.
        repeat(3) { compose.runOnUiThread(activity::onUserInteraction) }
        println("the app replied and reacted")

        // The other side ends the session now.
        awaitText("You’re logged out")
    }

    private fun openMenu() {
        compose.onNodeWithText("Hello from the browser").performTouchInput { longClick() }
    }
}
