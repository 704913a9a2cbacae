package io.github.phpsessionchat.app

import androidx.compose.material3.SnackbarHostState
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.assertTextContains
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import io.github.phpsessionchat.Identity
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.ChatRequestException
import org.junit.Assert.assertEquals
import org.junit.Test

class QuestionTest : ScreenTest() {
    private fun showQuestion(state: String, by: User? = null) {
        val (room, question) = Samples.question(state, by)
        showConversation(room = room, question = question)
    }

    private fun questionCalls() = calls.filter { "question" in it }

    @Test
    fun aMemberOfTheTeamSeesHowLongAQuestionWaitsAndTakesIt() {
        showQuestion("open")
        compose.onNodeWithText("Unassigned", substring = true).assertTextContains("waiting for ", substring = true)
        compose.onNodeWithText("Take").performClick()
        compose.onNodeWithText("Close question").performClick()
        assertEquals(listOf("take question", "close question"), questionCalls())
    }

    @Test
    fun aTakenQuestionCannotBeTakenAgain() {
        showQuestion("open", Samples.bob)
        compose.onNodeWithText("Taken by \u2068Bob Keller\u2069", substring = true).assertIsDisplayed()
        compose.onNodeWithText("Take").assertDoesNotExist()
        compose.onNodeWithText("Close question").assertIsDisplayed()
    }

    @Test
    fun saysThatTheQuestionIsTheUsers() {
        showQuestion("open", Samples.alice)
        compose.onNodeWithText("Taken by you", substring = true).assertIsDisplayed()
    }

    @Test
    fun namesTimeSpansAsTheBrowserDoes() {
        val spans = listOf(0L, 60_001L, 59 * 60_000L, 60 * 60_000L, 47 * 3_600_000L + 1, 48 * 3_600_000L, 73 * 3_600_000L)
        assertEquals(listOf("1 minute", "2 minutes", "59 minutes", "1 hour", "48 hours", "2 days", "4 days"), spans.map(::howLong))
    }

    @Test
    fun aClosedQuestionHasNoButtons() {
        showQuestion("closed", Samples.bob)
        compose.onNodeWithText("Closed").assertIsDisplayed()
        compose.onNodeWithText("Close question").assertDoesNotExist()
    }

    @Test
    fun leadsToAQuestionIfTheUserMayAsk() {
        fun showMenu(me: Identity) = show { NewChat(me, SnackbarHostState(), {}, {}, {}, { calls += "ask" }, { Samples.found(it) }) {} }
        showMenu(Samples.identity)
        compose.onNodeWithText("Ask the team").performClick()
        assertEquals(listOf("ask"), calls)
        showMenu(Samples.identityOfTeam)
        compose.onNodeWithText("Ask the team").assertDoesNotExist()
    }

    @Test
    fun saysHowLongAnAnswerUsuallyTakes() {
        show { AskForm(Samples.team(null), textLimit = 20, {}) { _, _ -> } }
        compose.onNodeWithText("Usually answered within 2 hours.").assertIsDisplayed()
    }

    @Test
    fun asksOnceAlsoAfterAFailure() {
        val attempts = mutableListOf<Pair<String, String>>()
        show {
            AskForm(Samples.team("We answer from 9 to 5"), textLimit = 20, {}) { question, clientId ->
                attempts += question to clientId
                if (attempts.size == 1) throw ChatRequestException("offline")
            }
        }
        compose.onNodeWithText("We answer from 9 to 5").assertIsDisplayed()
        compose.onNodeWithText("Send").assertIsNotEnabled()
        compose.onNodeWithTag("question").performTextInput(" Where is my order? ")
        compose.onNodeWithText("Send").performClick()
        compose.onNodeWithText("You’re offline. You can keep writing.").assertIsDisplayed()
        compose.onNodeWithText("Send").performClick()
        assertEquals("Where is my order?", attempts[0].first)
        assertEquals(attempts[0], attempts[1])
        compose.onNodeWithTag("question").performTextInput("And when does it come?")
        compose.onNodeWithText("Send").assertIsNotEnabled()
    }
}
