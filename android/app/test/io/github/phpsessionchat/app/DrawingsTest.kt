package io.github.phpsessionchat.app

import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.getUnclippedBoundsInRoot
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithText
import io.github.phpsessionchat.ConnectionState.Kind
import io.github.phpsessionchat.ConnectionState.Reason
import io.github.phpsessionchat.ConnectionState.Refusal
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.android.Conversation
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.annotation.Config

/** Draws the screens to `android/app/out/screenshots`. Each class runs in a process of its own. */
abstract class DrawingTest : ScreenTest() {
    protected fun drawAll(name: String) {
        showRooms()
        takeScreenshot(activity, "rooms-$name")
        showConversation()
        takeScreenshot(activity, "conversation-$name")
        showConversation(connection = Kind.OFFLINE)
        takeScreenshot(activity, "offline-$name")
        showConversation(uploads = Samples.uploads)
        takeScreenshot(activity, "files-$name")
        show { SearchResults("shed", {}, Results(Samples.found, "2"), {}, {}, {}) }
        takeScreenshot(activity, "search-$name")
        show { LoginScreen("https://www.example.org/login", {}, {}) }
        takeScreenshot(activity, "login-$name")
        show { EndedScreen(Reason.LOGOUT) {} }
        takeScreenshot(activity, "ended-$name")
        show { RefusedScreen(Refusal.BANNED) }
        takeScreenshot(activity, "refused-$name")
        show { CheckingScreen(Kind.OFFLINE) {} }
        takeScreenshot(activity, "checking-$name")
    }
}

class LightTest : DrawingTest() {
    @Test
    fun drawsAllScreensInLightColours() = drawAll("light")
}

class DarkTest : DrawingTest() {
    @Test
    @Config(qualifiers = "w360dp-h740dp-port-night-xhdpi")
    fun drawsAllScreensInDarkColours() = drawAll("dark")
}

class ArabicTest : DrawingTest() {
    @Test
    @Config(qualifiers = "ar-ldrtl-w360dp-h740dp-port-notnight-xhdpi")
    fun drawsAllScreensInArabic() {
        drawAll("arabic")
        showConversation()
        val own = compose.onNodeWithText("I can bring it 👍").getUnclippedBoundsInRoot()
        val others = compose.onNodeWithText("المفتاح معي، أراكم في العاشرة.").getUnclippedBoundsInRoot()
        assertTrue(own.right < others.right)
    }
}

class LargeTextTest : DrawingTest() {
    @Test
    @Config(fontScale = 2f)
    fun drawsLargeText() {
        drawAll("large")
        showConversation()
        compose.onNodeWithContentDescription("Send").assertIsDisplayed()
    }
}

class TabletTest : DrawingTest() {
    @Test
    @Config(qualifiers = "w1280dp-h800dp-land-notnight-mdpi")
    fun showsRoomsAndTheConversationSideBySideOnATablet() {
        show {
            Panes(isOpen = true, { RoomsScreen(Samples.rooms, emptyMap(), Samples.alice, Kind.ONLINE, {}, {}, {}) }) {
                Conversation(Samples.entries, Samples.wholeHistory, Kind.ONLINE, emptyList(), isAlone = it)
            }
        }
        takeScreenshot(activity, "tablet")
        compose.onNodeWithText("spring market").assertIsDisplayed()
        compose.onNodeWithText("Who has the key to the tool shed?").assertIsDisplayed()
    }
}
