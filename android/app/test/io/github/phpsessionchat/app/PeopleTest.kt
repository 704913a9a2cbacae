package io.github.phpsessionchat.app

import androidx.compose.material3.SnackbarHostState
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsSelected
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onLast
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToNode
import androidx.compose.ui.test.performTextInput
import io.github.phpsessionchat.NewRoom
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.android.ChatRequestException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Test

class PeopleTest : ScreenTest() {
    @Test
    fun findsAPersonToWriteTo() {
        show {
            NewChat(Samples.identity, SnackbarHostState(), {}, { calls += "new room" }, { calls += "public" }, {}, { Samples.found(it) }) {
                calls += "write ${it.id}"
            }
        }
        compose.onNodeWithTag("find").performTextInput("Bob")
        compose.mainClock.advanceTimeBy(400)
        compose.onNodeWithText("Bob Keller").performClick()
        compose.onNodeWithText("New room").performClick()
        compose.onNodeWithText("More rooms").performClick()
        assertEquals(listOf("write 2", "new room", "public"), calls)
    }

    @Test
    fun listsPublicRoomsBeyondTheFirstPage() {
        show {
            PublicRooms({}, { calls += "open $it" }) { query, cursor -> Samples.publicRooms(query, cursor) }
        }
        compose.onNodeWithTag("public rooms").performScrollToNode(hasText("room 120"))
        compose.onNodeWithText("room 120").performClick()
        assertEquals(listOf("open p120"), calls)
    }

    @Test
    fun repeatsTheCreationOfARoomAfterAFailure() {
        val attempts = mutableListOf<NewRoom>()
        show {
            NewRoomForm(Samples.identity, {}) {
                attempts += it
                if (attempts.size == 1) throw ChatRequestException("timeout")
            }
        }
        compose.onNodeWithText("Private").assertIsSelected()
        compose.onNodeWithText("Create room").performClick()
        compose.onNodeWithText("Please enter a name.").assertIsDisplayed()
        compose.onNodeWithTag("name").performTextInput("orchard")
        compose.onNodeWithText("Create room").performClick()
        compose.onNodeWithText("The room couldn’t be created.").assertIsDisplayed()
        compose.onNodeWithText("Create room").performClick()
        assertEquals(2, attempts.size)
        assertSame(attempts[0], attempts[1])
    }

    @Test
    fun blocksAPersonAfterAQuestion() {
        show { PersonCard(Samples.person, SnackbarHostState(), {}, { calls += "write" }, { calls += it }, { calls += "report" }, SampleModeration(calls)) { calls += "block $it" } }
        compose.onNodeWithText("moderator · Last here Yesterday", substring = true).assertIsDisplayed()
        compose.onNodeWithText("Message").performClick()
        compose.onNodeWithText("Profile").performClick()
        compose.onNodeWithText("Report").performClick()
        compose.onNodeWithText("Block \u2068Bob Keller\u2069").performClick()
        assertEquals(listOf("write", "https://www.example.org/users/2", "report"), calls)
        compose.onAllNodesWithText("Block \u2068Bob Keller\u2069").onLast().performClick()
        assertEquals("block true", calls.last())
    }
}
