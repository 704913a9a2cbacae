package io.github.phpsessionchat.app

import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.compose.runtime.Composable
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.getUnclippedBoundsInRoot
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToIndex
import androidx.compose.ui.test.performTextInput
import io.github.phpsessionchat.ConnectionState.Kind
import io.github.phpsessionchat.ConnectionState.Reason
import io.github.phpsessionchat.ConnectionState.Refusal
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.HistoryView
import io.github.phpsessionchat.Samples
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = "w360dp-h740dp-port-notnight-xhdpi")
class ScreensTest {
    @get:Rule val compose = createEmptyComposeRule()
    private val activity by lazy { Robolectric.buildActivity(ComponentActivity::class.java).setup().get() }
    private val calls = mutableListOf<String>()
    private val actions = ConversationActions(
        close = { calls += "close" },
        send = { calls += "send $it" },
        retry = { calls += "retry $it" },
        discard = { calls += "discard $it" },
        loadOlder = { calls += "older" },
        loadNewer = { calls += "newer" },
        markRead = { calls += "read" },
        reconnect = { calls += "reconnect" },
    )

    private fun show(content: @Composable () -> Unit) {
        activity.setContent { ChatTheme(content) }
        compose.waitForIdle()
    }

    private fun showRooms() = show { RoomsScreen(Samples.rooms, Samples.alice, Kind.ONLINE, { calls += "open $it" }, {}) }

    private fun showConversation(
        entries: List<Entry> = Samples.entries,
        view: HistoryView = Samples.wholeHistory,
        connection: Kind = Kind.ONLINE,
    ) = show {
        ConversationScreen(Conversation("lobby", entries, view), Samples.rooms[0], Samples.alice, connection, actions)
    }

    private fun drawAll(name: String) {
        showRooms()
        takeScreenshot(activity, "rooms-$name")
        showConversation()
        takeScreenshot(activity, "conversation-$name")
        showConversation(connection = Kind.OFFLINE)
        takeScreenshot(activity, "offline-$name")
        show { LoginScreen("https://www.example.org/login", {}, {}) }
        takeScreenshot(activity, "login-$name")
        show { EndedScreen(Reason.LOGOUT) {} }
        takeScreenshot(activity, "ended-$name")
        show { RefusedScreen(Refusal.BANNED) }
        takeScreenshot(activity, "refused-$name")
        show { CheckingScreen(Kind.OFFLINE) {} }
        takeScreenshot(activity, "checking-$name")
    }

    @Test
    fun drawsAllScreensInLightColours() = drawAll("light")

    @Test
    @Config(qualifiers = "w360dp-h740dp-port-night-xhdpi")
    fun drawsAllScreensInDarkColours() = drawAll("dark")

    @Test
    @Config(qualifiers = "ar-ldrtl-w360dp-h740dp-port-notnight-xhdpi")
    fun drawsAllScreensInArabic() {
        drawAll("arabic")
        showConversation()
        val own = compose.onNodeWithText("Who has the key to the tool shed?").getUnclippedBoundsInRoot()
        val others = compose.onNodeWithText("المفتاح معي، أراكم في العاشرة.").getUnclippedBoundsInRoot()
        assertTrue(own.left < others.left)
    }

    @Test
    fun opensARoom() {
        showRooms()
        compose.onNodeWithText("spring market").performClick()
        assertEquals(listOf("open market"), calls)
    }

    @Test
    fun sendsTheDraftAndEmptiesTheField() {
        showConversation()
        compose.onNodeWithContentDescription("Send").assertIsNotEnabled()
        compose.onNodeWithTag("draft").performTextInput(" Hello ")
        compose.onNodeWithContentDescription("Send").performClick()
        compose.onNodeWithContentDescription("Send").assertIsNotEnabled()
        assertTrue("send Hello" in calls)
    }

    @Test
    fun repeatsAnUnsentMessage() {
        showConversation()
        compose.onNodeWithText("Retry").performClick()
        assertTrue("retry p2" in calls)
    }

    @Test
    fun loadsOlderMessagesOnlyAtTheTop() {
        showConversation(Samples.messages(100), Samples.partOfHistory)
        compose.onNodeWithText("Message 100").assertIsDisplayed()
        assertEquals(listOf("read"), calls)
        compose.onNodeWithTag("messages").performScrollToIndex(99)
        compose.waitForIdle()
        assertEquals(listOf("read", "older"), calls)
    }
}
