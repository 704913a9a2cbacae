package io.github.phpsessionchat.app

import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToNode
import androidx.compose.ui.test.performTextInput
import io.github.phpsessionchat.ConnectionState.Kind
import io.github.phpsessionchat.Samples
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ThreadTest : ScreenTest() {
    private fun showThread() = show {
        val scope = rememberCoroutineScope()
        val loader = remember { ThreadLoader(scope, Samples::replies).apply { loadNewest() } }
        val replied = loader.replied
        ThreadView(
            replied,
            replied?.entries(Samples.newerEntries).orEmpty(),
            isFollowing = true,
            Samples.largeRoom,
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

    @Test
    fun sendsAReplyToTheFirstMessage() {
        showThread()
        compose.onNodeWithTag("draft").performTextInput("Agreed")
        compose.onNodeWithContentDescription("Send").performClick()
        assertTrue("send Agreed, a reply to 4" in calls)
    }
}
