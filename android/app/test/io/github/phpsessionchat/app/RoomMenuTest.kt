package io.github.phpsessionchat.app

import androidx.compose.material3.SnackbarHostState
import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.test.SemanticsMatcher
import androidx.compose.ui.test.assert
import androidx.compose.ui.test.assertHeightIsAtLeast
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.getUnclippedBoundsInRoot
import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onAllNodesWithContentDescription
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.test.performTouchInput
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.RoomSummary.Notify
import io.github.phpsessionchat.Samples
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class SampleRoomMenu(private val calls: MutableList<String>, override val rooms: List<RoomSummary> = Samples.rooms) : RoomMenuActions {
    override fun setFavourite(room: String, position: Long?) = record("favourite $room $position")
    override fun moveFavourite(room: String, by: Int) = record("move $room $by")
    override fun setArchived(room: String, archived: Boolean) = record("archive $room $archived")
    override fun setNotify(room: String, notify: Notify, quietMs: Long) = record("notify $room $notify $quietMs")
    override fun openScheduled() = record("scheduled")

    private fun record(call: String) {
        calls += call
    }
}

class SampleRoomsActions(private val calls: MutableList<String>, rooms: List<RoomSummary> = Samples.rooms) :
    RoomsActions, RoomMenuActions by SampleRoomMenu(calls, rooms) {
    override fun open(room: String) = record("open $room")
    override fun addChat() = Unit
    override fun search() = Unit
    override fun openSettings() = Unit
    override fun openModeration() = Unit
    override fun show(reminder: Reminder) = record("show ${reminder.id}")
    override fun reconnect() = Unit

    private fun record(call: String) {
        calls += call
    }
}

class RoomMenuTest : ScreenTest() {
    private fun openMenuOf(room: String) = compose.onNodeWithText(room).performTouchInput { longClick() }

    private fun choose(vararg labels: String) {
        for (label in labels) compose.onNodeWithText(label).performClick()
    }

    @Test
    fun showsFavouritesFirstInTheirOrder() {
        showRooms(rooms = Samples.arrangedRooms)
        val tops = listOf("board", "spring market", "lobby", "Archived").map { compose.onNodeWithText(it).getUnclippedBoundsInRoot().top }
        assertEquals(tops.sorted(), tops)
        assertEquals(2, compose.onAllNodesWithContentDescription("favourite").fetchSemanticsNodes().size)
    }

    @Test
    fun showsARoomThatMovesToTheTop() {
        showRooms(rooms = Samples.manyRooms)
        showRooms(rooms = Samples.favourites(1) + Samples.manyRooms)
        compose.onNodeWithText("favourite 0").assertIsDisplayed()
    }

    @Test
    fun opensTheArchiveAndFindsItsRooms() {
        showRooms(rooms = Samples.arrangedRooms)
        compose.onNodeWithText("attic").assertDoesNotExist()
        compose.onNodeWithContentDescription("3 unread").assertIsDisplayed()
        compose.onNodeWithText("Archived")
            .assert(SemanticsMatcher.keyIsDefined(SemanticsActions.Expand))
            .assertHeightIsAtLeast(48.dp)
            .performClick()
        compose.onNodeWithText("attic").performClick()
        compose.onNodeWithText("Archived").assert(SemanticsMatcher.keyIsDefined(SemanticsActions.Collapse)).performClick()
        compose.onNodeWithText("attic").assertDoesNotExist()
        assertEquals(listOf("open attic"), calls)
        showRooms(rooms = Samples.manyRooms + Samples.arrangedRooms.filter { it.archived && it.id == "attic" })
        compose.onNodeWithTag("find").performTextInput("atti")
        compose.onNodeWithText("attic").assertIsDisplayed()
    }

    @Test
    fun archivesARoomAndTakesItOut() {
        showRooms(rooms = Samples.arrangedRooms)
        openMenuOf("lobby")
        choose("Archive", "Archived")
        openMenuOf("attic")
        choose("Take out of the archive")
        assertEquals(listOf("archive lobby true", "archive attic false"), calls)
    }

    @Test
    fun addsMovesAndRemovesFavourites() {
        showRooms(rooms = Samples.arrangedRooms)
        openMenuOf("lobby")
        choose("Add to favourites")
        openMenuOf("board")
        compose.onNodeWithText("Move up").assertDoesNotExist()
        choose("Move down")
        openMenuOf("spring market")
        compose.onNodeWithText("Move down").assertDoesNotExist()
        choose("Remove from favourites")
        assertEquals(listOf("favourite lobby ${20 + (1 shl 20)}", "move board 1", "favourite market null"), calls)
    }

    @Test
    fun mutesARoomForATimeAndUnmutesIt() {
        show { RoomDetails(Samples.memberRoom, Samples.identity, Samples.pins, SampleDetails(calls), SnackbarHostState()) }
        compose.onNodeWithContentDescription("Room menu").performClick()
        choose("Turn notifications off", "For 8 hours")
        show { RoomDetails(Samples.quietRoom, Samples.identity, Samples.pins, SampleDetails(calls), SnackbarHostState()) }
        compose.onNodeWithText("Settings").performClick()
        compose.onNodeWithText("Notifications are off until", substring = true).assertIsDisplayed()
        compose.onNodeWithContentDescription("Room menu").performClick()
        choose("Turn notifications on")
        assertEquals(listOf("notify market ALL ${8 * 3_600_000}", "notify market ALL 0"), calls)
    }

    @Test
    fun offersNoMenuForARoomToJoin() {
        showRooms()
        openMenuOf("garden-volunteers")
        compose.onNodeWithText("Archive").assertDoesNotExist()
    }

    @Test
    fun movesAFavouriteBetweenItsNewNeighbours() {
        val step = 1L shl 20
        val rooms = Samples.favourites(step, 3 * step, 5 * step)
        assertEquals(mapOf("f2" to step / 2), rooms.moveFavourite("f2", -1))
        assertEquals(mapOf("f2" to 6 * step), rooms.moveFavourite("f2", 1))
        assertEquals(mapOf("f1" to 4 * step), rooms.moveFavourite("f1", 1))
        assertTrue(rooms.moveFavourite("f1", -1).isEmpty())
        // There is no number between 7 and 8.
        assertEquals(mapOf("f1" to step, "f3" to 2 * step, "f2" to 3 * step), Samples.favourites(7, 8, 9).moveFavourite("f3", -1))
    }
}
