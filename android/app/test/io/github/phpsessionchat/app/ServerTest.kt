package io.github.phpsessionchat.app

import android.view.View
import android.view.ViewGroup
import android.webkit.CookieManager
import android.webkit.WebView
import androidx.compose.ui.test.ExperimentalTestApi
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Uses the server of the test in `test/android-app`, which starts this test. */
class TestApplication : ChatApplication() {
    override val server = System.getProperty("chat.server")!!
}

@OptIn(ExperimentalTestApi::class)
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], application = TestApplication::class, qualifiers = "w360dp-h740dp-port-notnight-xhdpi")
class ServerTest {
    @get:Rule val compose = createEmptyComposeRule()
    private val activity by lazy { Robolectric.buildActivity(MainActivity::class.java).setup().get() }

    private fun awaitText(text: String) = compose.waitUntilAtLeastOneExists(hasText(text, substring = true), 20_000)

    @Test
    fun logsInChatsAndReturnsToTheLoginAfterALogout() {
        val content = activity.window.decorView
        awaitText("Please log in")
        compose.onNodeWithText("Log in").performClick()
        compose.waitUntil(20_000) { findWebView(content) != null }
        val page = findWebView(content)!!
        // As the site's login page does.
        CookieManager.getInstance().setCookie(System.getProperty("chat.server")!!, System.getProperty("chat.cookie")!!)
        shadowOf(page).webViewClient.onPageFinished(page, page.url)

        awaitText("lobby")
        compose.onNodeWithText("lobby").performClick()
        compose.waitUntilAtLeastOneExists(hasContentDescription("Send"), 20_000)
        compose.onNodeWithTag("draft").performTextInput("Hello from the app")
        compose.onNodeWithContentDescription("Send").performClick()
        println("the app sent a message")
        awaitText("Hello from the browser")
        takeScreenshot(activity, "server")
        println("the app shows the response")

        // The other side ends the session now.
        awaitText("You’re logged out")
    }

    private fun findWebView(view: View): WebView? = when (view) {
        is WebView -> view
        is ViewGroup -> (0 until view.childCount).firstNotNullOfOrNull { findWebView(view.getChildAt(it)) }
        else -> null
    }
}
