package io.github.phpsessionchat.app

import androidx.compose.ui.test.assertHeightIsAtLeast
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Card
import io.github.phpsessionchat.ConnectionState.Kind
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.android.ChatRequestException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.flow.MutableSharedFlow
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Test

/** Answers requests with a card, and clicks with [pressed]. */
class SampleCards(private val calls: MutableList<String>) : CardSource {
    override val site = "Orchard Lane"
    var answer: () -> Card? = { Samples.card("Open", "Ship", "Cancel") }
    var pressed = CompletableDeferred<Card?>()
    val clientIds = mutableListOf<String>()
    val changes = MutableSharedFlow<Unit>(extraBufferCapacity = 1)

    override fun changes(message: Message) = changes

    override fun address(path: String) = "https://www.example.org$path"

    override suspend fun card(message: Message): Card? {
        calls += "card ${message.seq}"
        return answer()
    }

    override suspend fun press(message: Message, button: String, clientId: String): Card? {
        calls += "press $button"
        clientIds += clientId
        return pressed.await()
    }
}

class SiteCardTest : ScreenTest() {
    private val source get() = actions.cards.source as SampleCards

    private fun cardCalls() = calls.filter { it.startsWith("card") || it.startsWith("press") || it.startsWith("error") }

    @Test
    fun showsTheSitesWordsInsteadOfTheReference() {
        showConversation(Samples.cardEntries)
        compose.onNodeWithText("From \u2068Orchard Lane\u2069").assertIsDisplayed()
        compose.onNodeWithText("Order 4711").assertIsDisplayed().assertHeightIsAtLeast(48.dp)
        compose.onNodeWithText("2 × honey").assertIsDisplayed()
        compose.onNodeWithText("Open").assertIsDisplayed()
        compose.onNodeWithText("order:4711").assertDoesNotExist()
        assertEquals(listOf<Any>("https://www.example.org/honey.jpg"), pictures)
    }

    @Test
    fun replacesTheCardByTheAnswerOfAButton() {
        showConversation(Samples.cardEntries)
        compose.onNodeWithText("Ship").performClick()
        compose.onNodeWithText("Cancel").assertIsNotEnabled().performClick()
        source.pressed.complete(Samples.card("Shipped"))
        compose.onNodeWithText("Shipped").assertIsDisplayed()
        compose.onNodeWithText("Ship").assertDoesNotExist()
        assertEquals(listOf("card 9", "press ship"), cardCalls())
    }

    @Test
    fun repeatsAFailedClickWithTheSameId() {
        showConversation(Samples.cardEntries)
        source.pressed.completeExceptionally(ChatRequestException("site_unavailable"))
        for (button in listOf("Ship", "Ship", "Cancel")) compose.onNodeWithText(button).performClick()
        compose.waitForIdle()
        assertEquals("error site_unavailable", cardCalls().last())
        val (first, second, other) = source.clientIds
        assertEquals(first, second)
        assertNotEquals(first, other)
    }

    @Test
    fun saysThatTheCardIsNotAvailable() {
        source.answer = { null }
        showConversation(Samples.cardEntries)
        compose.onNodeWithText("Not available to you").assertIsDisplayed()
    }

    @Test
    fun saysThatASiteWithoutCardsHasNone() {
        source.answer = { throw ChatRequestException("forbidden") }
        showConversation(Samples.cardEntries)
        compose.onNodeWithText("Not available to you").assertIsDisplayed()
    }

    @Test
    fun asksAgainAfterAFailure() {
        source.answer = { throw ChatRequestException("site_unavailable") }
        showConversation(Samples.cardEntries)
        compose.onNodeWithText("The site didn’t answer.").assertIsDisplayed()
        source.answer = { Samples.card("Open") }
        compose.onNodeWithText("Try again").performClick()
        compose.onNodeWithText("Order 4711").assertIsDisplayed()
    }

    @Test
    fun asksAgainWhenAUserHasClickedAButton() {
        showConversation(Samples.cardEntries)
        source.answer = { Samples.card("Shipped") }
        source.changes.tryEmit(Unit)
        compose.onNodeWithText("Shipped").assertIsDisplayed()
        assertEquals(listOf("card 9", "card 9"), cardCalls())
    }

    @Test
    fun asksOnlyWhileConnected() {
        showConversation(Samples.cardEntries, connection = Kind.OFFLINE)
        assertEquals(emptyList<String>(), cardCalls())
    }
}
