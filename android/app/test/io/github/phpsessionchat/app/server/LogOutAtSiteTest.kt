package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToNode
import androidx.compose.ui.test.performTextInput
import io.github.phpsessionchat.app.ChatApplication
import org.junit.Assert.assertEquals
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

class SiteWithLogoutPage : TestApplication() {
    override val logoutPage = "https://www.example.org/logout"
}

@Config(application = SiteWithLogoutPage::class)
class LogOutAtSiteTest : ServerTest() {
    @Test
    fun opensTheSitesLogoutPageAndForgetsTheUser() {
        setCookie()
        val content = activity.window.decorView
        openLobby()
        compose.onNodeWithTag("draft").performTextInput("Good mor")
        compose.onNodeWithContentDescription("Back to rooms").performClick()
        compose.onNodeWithContentDescription("Settings").performClick()
        awaitText("You haven’t blocked anyone.")
        compose.onNodeWithTag("settings").performScrollToNode(hasText("Log out"))
        compose.onNodeWithText("Log out").performClick()
        await { findWebView(content) != null }
        assertEquals("https://www.example.org/logout", findWebView(content)!!.url)
        println("the app shows the logout page")
        // The other side ends the session now.
        awaitText("You’re logged out")
        await { (RuntimeEnvironment.getApplication() as ChatApplication).drafts.user == null }
    }
}
