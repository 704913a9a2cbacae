package io.github.phpsessionchat.app

import android.net.Uri
import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsOff
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.getUnclippedBoundsInRoot
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.onAllNodesWithContentDescription
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onLast
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToNode
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.test.performTextReplacement
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.Invite
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.RoomChange
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.MemberChanges
import okhttp3.Request
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** Records the calls, and answers with the samples. */
class SampleDetails(private val calls: MutableList<String>) : RoomDetailsActions, RoomMenuActions by SampleRoomMenu(calls) {
    override fun close() = record("close")
    override fun invite() = record("invite")
    override fun jumpTo(seq: Long) = record("jump $seq")
    override fun unpin(seq: Long) = record("unpin $seq")
    override fun openPerson(user: User) = record("person ${user.id}")
    override fun update(change: RoomChange) = record("update ${Samples.textOf(change)}")
    override fun setPicture(picture: Uri) = record("picture $picture")
    override fun setPreviews(on: Boolean) = record("previews $on")
    override fun openRestricted() = record("restricted")
    override fun leave() = record("leave")
    override fun delete() = record("delete")
    override val downloads = emptyMap<String, Float>()
    override fun open(file: ChatFile) = record("open ${file.name}")
    override fun picture(file: ChatFile): Request = Request.Builder().url("https://chat.invalid/${file.id}").build()
    override suspend fun files(content: Message.Content, cursor: String?) = Samples.sharedFiles(content, cursor)

    override suspend fun members(query: String?, present: Boolean?, cursor: String?) =
        Samples.membersPage(query, present, cursor)

    private fun record(call: String) {
        calls += call
    }
}

class RoomDetailsTest : ScreenTest() {
    private fun showDetails(room: RoomSummary = Samples.largeRoom) =
        show { RoomDetails(room, Samples.identity, Samples.pins, SampleDetails(calls), SnackbarHostState()) }

    @Test
    fun listsConnectedMembersFirstAndLoadsAllPages() {
        showDetails()
        compose.onNodeWithText("Bob Keller").assertIsDisplayed()
        compose.onNodeWithText("moderator").assertIsDisplayed()
        compose.onNodeWithText("Bob Keller").performClick()
        assertEquals(listOf("person 2"), calls)
        compose.onNodeWithTag("details").performScrollToNode(hasText("Member 60"))
        compose.onNodeWithText("Member 60").assertIsDisplayed()
    }

    @Test
    fun showsWhoComesAndGoes() {
        var changes by mutableStateOf(MemberChanges())
        show { RoomDetails(Samples.largeRoom, Samples.identity, Samples.pins, SampleDetails(calls), SnackbarHostState(), changes) }
        compose.onNodeWithText("Bob Keller").assertIsDisplayed()
        changes = Samples.memberChanges
        compose.onNodeWithText("Bob Keller").assertDoesNotExist()
        compose.onNodeWithText("Dana Ruiz").assertIsDisplayed()
        val others = compose.onNodeWithText("Others").getUnclippedBoundsInRoot().top
        assertTrue(compose.onNodeWithText("李伟").getUnclippedBoundsInRoot().top < others)
        assertTrue(compose.onNodeWithText("Dana Ruiz").getUnclippedBoundsInRoot().top > others)
    }

    @Test
    fun findsAMember() {
        showDetails()
        compose.onNodeWithTag("find").performTextInput("李")
        compose.mainClock.advanceTimeBy(400)
        compose.onNodeWithText("李伟").assertIsDisplayed()
        compose.onNodeWithText("Bob Keller").assertDoesNotExist()
    }

    @Test
    fun opensAPictureAFileAndALink() {
        showDetails()
        compose.onNodeWithText("Files").performClick()
        compose.onNodeWithContentDescription("beds.jpg").performClick()
        compose.onNodeWithTag("details").performScrollToNode(hasText("Links"))
        compose.onNodeWithText("Links").performClick()
        compose.onNodeWithText(leftToRight("https://weather.example/orchard-lane")).assertIsDisplayed()
        assertEquals(listOf("open beds.jpg"), calls)
    }

    @Test
    fun showsAPinnedMessageInTheConversationAndUnpinsAnother() {
        showDetails()
        compose.onNodeWithText("Pinned").performClick()
        compose.onNodeWithText("The gate code is on the board").performClick()
        compose.onAllNodesWithContentDescription("Unpin").onLast().performClick()
        assertEquals(listOf("jump 7", "unpin 3"), calls)
    }

    @Test
    fun changesTheNotificationLevelAndLeavesAfterAQuestion() {
        showDetails()
        compose.onNodeWithText("Settings").performClick()
        compose.onNodeWithText("Mentions").performClick()
        compose.onNodeWithTag("details").performScrollToNode(hasText("Leave room"))
        compose.onNodeWithText("Leave room").performClick()
        assertEquals(listOf("notify market MENTIONS 0"), calls)
        compose.onNodeWithText("Leave \u2068spring market\u2069?").assertIsDisplayed()
        compose.onNodeWithText("Stay").performClick()
        assertTrue("leave" !in calls)
    }
}

class RoomRulesTest : ScreenTest() {
    private fun showSettings(room: RoomSummary = Samples.largeRoom) {
        show { RoomDetails(room, Samples.identity, Samples.pins, SampleDetails(calls), SnackbarHostState()) }
        compose.onNodeWithText("Settings").performClick()
    }

    private fun scrollTo(text: String) = compose.onNodeWithTag("details").performScrollToNode(hasText(text))

    @Test
    fun removesThePictureOfARoom() {
        showSettings(Samples.largeRoomWithPicture)
        scrollTo("Remove")
        compose.onNodeWithText("Remove").performClick()
        assertEquals(listOf("update picture="), calls)
    }

    @Test
    fun renamesARoomAndChangesItsRules() {
        showSettings()
        compose.onNodeWithTag("details").performScrollToNode(hasTestTag("name"))
        compose.onNodeWithTag("name").performTextReplacement("")
        scrollTo("Save")
        compose.onNodeWithText("Save").assertIsNotEnabled()
        compose.onNodeWithTag("details").performScrollToNode(hasTestTag("name"))
        compose.onNodeWithTag("name").performTextReplacement("Autumn market")
        scrollTo("Save")
        compose.onNodeWithText("Save").performClick()
        compose.onNodeWithTag("details").performScrollToNode(hasContentDescription("Green"))
        compose.onNodeWithContentDescription("Green").performClick()
        scrollTo("Only moderators can post")
        compose.onNodeWithText("Only moderators can post").assertIsOff().performClick()
        scrollTo("One message every 5 minutes")
        compose.onNodeWithText("One message every 5 minutes").performClick()
        scrollTo("One message every minute")
        compose.onNodeWithText("One message every minute").performClick()
        val changes = listOf("name=Autumn market", "color=green", "write=moderators", "slow=300", "slow=60")
        assertEquals(changes.map { "update $it" }, calls)
    }

    @Test
    fun deletesARoomAfterAQuestion() {
        showSettings()
        scrollTo("Muted and banned")
        compose.onNodeWithText("Muted and banned").performClick()
        scrollTo("Delete room")
        compose.onNodeWithText("Delete room").performClick()
        assertEquals(listOf("restricted"), calls)
        compose.onNodeWithText("Delete \u2068spring market\u2069?").assertIsDisplayed()
        compose.onAllNodesWithText("Delete room").onLast().performClick()
        assertEquals("delete", calls.last())
    }

    @Test
    fun offersAMemberNoRules() {
        showSettings(Samples.memberRoom)
        compose.onNodeWithText("Mentions").assertIsDisplayed()
        compose.onNodeWithText("Leave room").assertIsDisplayed()
        compose.onNodeWithText("Name").assertDoesNotExist()
        compose.onNodeWithText("Muted and banned").assertDoesNotExist()
    }
}

class DirectRoomTest : ScreenTest() {
    @Test
    fun choosesPreviewsOfLinks() {
        show { RoomDetails(Samples.rooms[1], Samples.identity, Samples.pins, SampleDetails(calls), SnackbarHostState()) }
        compose.onNodeWithText("Settings").performClick()
        compose.onNodeWithText("Previews of links").performClick()
        assertEquals(listOf("previews false"), calls)
    }
}

class SampleLinks(private val calls: MutableList<String>) : InviteLinkActions {
    override fun close() = Unit
    override fun create(days: Int, uses: Int) = record("create $days $uses")
    override fun copy(address: String) = record("copy $address")
    override fun share(address: String) = record("share $address")
    override fun revoke(invite: Invite) = record("revoke ${invite.id}")

    private fun record(call: String) {
        calls += call
    }
}

class InviteTest : ScreenTest() {
    @Test
    fun invitesChosenPeopleAndKeepsThoseWhoFailed() {
        show {
            Invite(Samples.largeRoom, SnackbarHostState(), {}, {}, { Samples.found(it) }) { users, onDone ->
                calls += ("invite ${users.joinToString { it.id }}")
                onDone(setOf(users.last().id))
            }
        }
        find("B")
        compose.onNodeWithText("in this room").assertIsDisplayed()
        find("李")
        compose.onAllNodesWithText("李伟").onLast().performClick()
        find("ل")
        compose.onAllNodesWithText("ليلى حداد").onLast().performClick()
        compose.onNodeWithText("Invite 2").performClick()
        assertEquals(listOf("invite 3, 4"), calls)
        compose.onNodeWithText("Invite").assertIsDisplayed()
    }

    private fun find(text: String) {
        compose.onNodeWithTag("find").performTextReplacement(text)
        compose.mainClock.advanceTimeBy(400)
        compose.waitForIdle()
    }

    @Test
    fun createsSharesAndTurnsOffALink() {
        show { InviteLinks(Samples.largeRoom, Samples.alice, Samples.invites, Samples.INVITE_ADDRESS, SampleLinks(calls), SnackbarHostState()) }
        compose.onNodeWithContentDescription("Share").performClick()
        compose.onNodeWithText("30 days").performClick()
        compose.onNodeWithText("New link").performClick()
        compose.onNodeWithTag("links").performScrollToNode(hasText("3 joined", substring = true))
        compose.onAllNodesWithText("Turn off").onLast().performClick()
        assertEquals(listOf("share ${Samples.INVITE_ADDRESS}", "create 30 50"), calls)
        compose.onAllNodesWithText("Turn off").onLast().performClick()
        assertEquals("revoke i2", calls.last())
    }
}
