package io.github.phpsessionchat.app

import androidx.compose.material3.SnackbarHostState
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onFirst
import androidx.compose.ui.test.onLast
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollTo
import androidx.compose.ui.test.performScrollToNode
import androidx.compose.ui.test.performTextInput
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.HeldMessage
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Report
import io.github.phpsessionchat.Restriction
import io.github.phpsessionchat.RoomSummary.Role
import io.github.phpsessionchat.Samples
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** Records the calls. */
class SampleModeration(private val calls: MutableList<String>) : ModerationActions, MemberActions {
    override fun close() = Unit
    override fun approve(message: HeldMessage) = record("approve ${message.id}")
    override fun reject(message: HeldMessage, reason: String?) = record("reject ${message.id} $reason")
    override fun open(file: ChatFile) = record("open ${file.name}")
    override fun show(message: Message) = record("show ${message.seq}")
    override fun closeReport(report: Report, done: Report.Done, seconds: Long, reason: String?) =
        record("close ${report.id} $done $seconds $reason")
    override fun setRole(role: Role) = record("role $role")
    override fun restrict(kind: Restriction.Kind, seconds: Long, reason: String?) = record("$kind $seconds $reason")
    override fun remove() = record("remove")

    private fun record(call: String) {
        calls += call
    }
}

class ModerationTest : ScreenTest() {
    private fun showModeration() =
        show { Moderation(Samples.held, Samples.reports, Samples.rooms, SampleModeration(calls), SnackbarHostState()) }

    @Test
    fun approvesAndRejectsMessages() {
        showModeration()
        compose.onNodeWithText("Important").assertIsDisplayed()
        compose.onAllNodesWithText("Approve").onFirst().performClick()
        compose.onAllNodesWithText("Reject…").onLast().performClick()
        compose.onNodeWithTag("reason").performTextInput("no offers")
        compose.onAllNodesWithText("Reject").onLast().performClick()
        assertEquals(listOf("approve h1", "reject h2 no offers"), calls)
    }

    @Test
    fun closesAllReportsOfAMessage() {
        showModeration()
        compose.onNodeWithTag("moderation").performScrollToNode(hasText("reported by 2 people", substring = true))
        compose.onNodeWithText("Spam or scam, Insult or threat · reported by 2 people", substring = true).assertIsDisplayed()
        compose.onAllNodesWithText("Mute…").onFirst().performClick()
        compose.onNodeWithText("1 week").performClick()
        compose.onNodeWithText("Mute").performClick()
        assertEquals(listOf("close r1 MUTED 604800 null"), calls)
        compose.onNodeWithTag("moderation").performScrollToNode(hasText("Something else", substring = true))
        compose.onAllNodesWithText("Delete message").onLast().performScrollTo().performClick()
        compose.onAllNodesWithText("Show").onLast().performScrollTo().performClick()
        assertEquals(listOf("close r3 DELETED 0 null", "show 3"), calls.drop(1))
    }

    @Test
    fun leadsToWhatWaits() {
        showConversation(waiting = 2)
        compose.onNodeWithText("Waiting for a moderator · 2").performClick()
        assertTrue("moderation" in calls)
    }

    private fun showPerson() = show {
        PersonCard(Samples.person, SnackbarHostState(), {}, {}, {}, {}, SampleModeration(calls)) {}
    }

    @Test
    fun changesARoleAndRemovesAMember() {
        showPerson()
        compose.onNodeWithText("Make moderator").assertDoesNotExist()
        compose.onNodeWithText("Remove as moderator").performScrollTo().performClick()
        compose.onNodeWithText("Hand over room").performScrollTo().performClick()
        compose.onNodeWithText("Cancel").performClick()
        compose.onNodeWithText("Remove from room").performScrollTo().performClick()
        assertEquals(listOf("role MEMBER"), calls)
        compose.onAllNodesWithText("Remove from room").onLast().performClick()
        assertEquals("remove", calls.last())
    }

    @Test
    fun bansAMemberWithAReason() {
        showPerson()
        compose.onNodeWithText("Ban…").performScrollTo().performClick()
        compose.onNodeWithText("Permanently").performClick()
        compose.onNodeWithTag("reason").performTextInput("threats")
        compose.onNodeWithText("Ban").performClick()
        assertEquals(listOf("BANNED 0 threats"), calls)
    }

    @Test
    fun offersNoActionsOnUsersOfTheSameRank() {
        assertEquals(emptyList<MemberAction>(), offeredActions(Samples.bob, Role.OWNER, Samples.largeRoom, Samples.identity))
        assertEquals(emptyList<MemberAction>(), offeredActions(Samples.bob, Role.MEMBER, Samples.memberRoom, Samples.identity))
        assertEquals(emptyList<MemberAction>(), offeredActions(Samples.alice, Role.MEMBER, Samples.largeRoom, Samples.identity))
        assertTrue(MemberAction.MAKE_MODERATOR in offeredActions(Samples.bob, Role.MEMBER, Samples.largeRoom, Samples.identity))
    }

    @Test
    fun unmutesAndLiftsABan() {
        show {
            Restricted(SnackbarHostState(), {}, { Samples.restrictions }) { restriction, onDone ->
                calls += "lift ${restriction.user.id}"
                onDone()
            }
        }
        compose.onNodeWithText("too many offers", substring = true).assertIsDisplayed()
        compose.onNodeWithText("Unmute").performClick()
        compose.onNodeWithText("Bob Keller").assertDoesNotExist()
        compose.onNodeWithText("Lift ban").performClick()
        compose.onNodeWithText("Nobody is muted or banned").assertIsDisplayed()
        assertEquals(listOf("lift 2", "lift 3"), calls)
    }
}
