package io.github.phpsessionchat.app

import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.test.assertHeightIsAtLeast
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsOff
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToNode
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.test.performTouchInput
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ConnectionState.Kind
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.Samples
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ThreadTest : ScreenTest() {
    private fun showThread(room: RoomSummary = Samples.largeRoom) = show {
        val scope = rememberCoroutineScope()
        val loader = remember { ThreadLoader(scope, Samples::replies).apply { loadNewest() } }
        val replied = loader.replied
        ThreadView(
            replied,
            replied?.entries(Samples.newerEntries).orEmpty(),
            isFollowing = true,
            room,
            Samples.alice,
            Kind.ONLINE,
            remember { Composing("") },
            emptyList(),
            actions,
            remember { SnackbarHostState() },
            hasFailed = loader.hasFailed,
            loader::loadOlder,
            loader::loadNewest,
        ) { calls += "follow $it" }
    }

    @Test
    fun opensTheThreadOfAMessageWithReplies() {
        showConversation()
        compose.onNodeWithTag("messages").performScrollToNode(hasText("12 replies · 2 new"))
        compose.onNodeWithText("12 replies · 2 new").performClick()
        assertTrue("thread 4" in calls)
    }

    @Test
    fun showsCurrentAndUnsentRepliesAndLoadsOlderOnes() {
        showThread()
        compose.onNodeWithText("An unsent answer").assertIsDisplayed()
        compose.onNodeWithText("A new answer").assertIsDisplayed()
        compose.onNodeWithText("Answer 40, edited").assertIsDisplayed()
        compose.onNodeWithText("Not in the thread").assertDoesNotExist()
        for (answer in listOf(30, 20, 10)) {
            compose.onNodeWithTag("replies").performScrollToNode(hasText("Answer $answer"))
            compose.waitForIdle()
        }
        compose.onNodeWithTag("replies").performScrollToNode(hasText("Perfect. I moved", substring = true))
        compose.onNodeWithText("33 replies").assertIsDisplayed()
    }

    @Test
    fun unfollows() {
        showThread()
        compose.onNodeWithContentDescription("Notify me about replies").performClick()
        assertEquals(listOf("follow false"), calls)
    }

    private fun send(text: String) {
        compose.onNodeWithTag("draft").performTextInput(text)
        compose.onNodeWithContentDescription("Send").performClick()
    }

    @Test
    fun sendsAReplyOnlyToTheThreadUnlessTheUserWantsItInTheRoomToo() {
        showThread()
        send("Agreed")
        compose.onNodeWithText("Also send to the room").assertIsOff().assertHeightIsAtLeast(48.dp).performClick()
        send("To all")
        compose.onNodeWithText("Also send to the room").assertIsOff()
        assertEquals(listOf("send Agreed, a reply to 4 only there", "send To all, a reply to 4"), calls.filter { it.startsWith("send") })
    }

    @Test
    fun offersNoChoiceInADirectRoom() {
        showThread(Samples.rooms[1])
        compose.onNodeWithText("Also send to the room").assertDoesNotExist()
        send("Agreed")
        assertTrue("send Agreed, a reply to 4" in calls)
    }

    @Test
    fun showsAReplyOfAThreadInTheRoomOnlyIfTheFirstMessageHasExpired() {
        showConversation(Samples.threadOnlyEntries, threads = Samples.expiredThreads)
        compose.onNodeWithText("The first one left").assertIsDisplayed()
        compose.onNodeWithText("Only in the thread").assertDoesNotExist()
    }

    @Test
    fun loadsOlderMessagesIfAPageHasOnlyRepliesOfThreads() {
        showConversation(Samples.threadOnlyEntries.drop(1), Samples.partOfHistory)
        assertTrue("older" in calls)
    }

    @Test
    fun opensTheThreadOfALinkToAReply() {
        showConversation(Samples.threadOnlyEntries, target = 50)
        assertTrue("thread 4" in calls)
        assertTrue("reached" in calls)
    }

    @Test
    fun answersInTheThreadOnceItHasReplies() {
        showConversation()
        for (text in listOf("المفتاح معي، أراكم في العاشرة.", "Who has the key to the tool shed?")) {
            compose.onNodeWithTag("messages").performScrollToNode(hasText(text))
            // Above it, the first message has a quote, which has a tap of its own.
            compose.onNodeWithText(text).performTouchInput { longClick(bottomCenter - Offset(0f, 20f)) }
            compose.onNodeWithText("Reply").performClick()
        }
        assertTrue("thread 4, a reply to 6" in calls)
        compose.onNodeWithText("Reply to ", substring = true).assertIsDisplayed()
    }
}
