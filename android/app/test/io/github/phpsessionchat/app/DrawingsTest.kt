package io.github.phpsessionchat.app

import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.remember
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertWidthIsAtLeast
import androidx.compose.ui.test.getUnclippedBoundsInRoot
import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollTo
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.test.performTouchInput
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ConnectionState.Kind
import io.github.phpsessionchat.ConnectionState.Reason
import io.github.phpsessionchat.ConnectionState.Refusal
import io.github.phpsessionchat.Restriction
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.android.Conversation
import kotlinx.coroutines.MainScope
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.annotation.Config

/** Draws the screens to `android/app/out/screenshots`. Each class runs in its own process. */
abstract class DrawingTest : ScreenTest() {
    protected fun drawAll(name: String) {
        showRooms()
        takeScreenshot(activity, "rooms-$name")
        showRooms(rooms = Samples.arrangedRooms)
        compose.onNodeWithText(activity.getString(R.string.rooms_archive)).performClick()
        compose.waitForIdle()
        takeScreenshot(activity, "archive-$name")
        compose.onNodeWithText("board").performTouchInput { longClick() }
        compose.waitForIdle()
        takeScreenshot(activity, "room-menu-$name")
        showConversation()
        takeScreenshot(activity, "conversation-$name")
        showConversation(Samples.entries.filter { it.unsent == null })
        takeScreenshot(activity, "sent-$name")
        showConversation(connection = Kind.OFFLINE)
        takeScreenshot(activity, "offline-$name")
        showConversation(uploads = Samples.uploads)
        takeScreenshot(activity, "files-$name")
        show { SearchResults("shed", {}, Results(Samples.found, "2"), {}, {}, {}) }
        takeScreenshot(activity, "search-$name")
        for (tab in DetailsTab.entries) {
            show { RoomDetails(Samples.largeRoom, Samples.identity, Samples.pins, SampleDetails(calls), remember { SnackbarHostState() }) }
            compose.onNodeWithText(activity.getString(tab.label)).performScrollTo().performClick()
            compose.waitForIdle()
            takeScreenshot(activity, "details-${tab.name.lowercase()}-$name")
        }
        show { InviteLinks(Samples.largeRoom, Samples.alice, Samples.invites, Samples.INVITE_ADDRESS, SampleLinks(calls), remember { SnackbarHostState() }) }
        takeScreenshot(activity, "invite-links-$name")
        show {
            ThreadView(
                Replied(Samples.replies(0)),
                Replied(Samples.replies(0)).entries(Samples.newerEntries),
                isFollowing = true,
                Samples.rooms[0],
                Samples.alice,
                Kind.ONLINE,
                remember { Composing("") },
                emptyList(),
                actions,
                remember { SnackbarHostState() },
                hasFailed = false,
                {},
                {},
                {},
            )
        }
        takeScreenshot(activity, "thread-$name")
        show { Invite(Samples.largeRoom, remember { SnackbarHostState() }, {}, {}, { Samples.found(it) }) { _, _ -> } }
        compose.onNodeWithTag("find").performTextInput("B")
        compose.mainClock.advanceTimeBy(400)
        takeScreenshot(activity, "invite-$name")
        show { PublicRooms({}, {}) { query, cursor -> Samples.publicRooms(query, cursor) } }
        takeScreenshot(activity, "public-rooms-$name")
        show { DestinationDialog(Destination.Invitation(Samples.invitation), false, {}, {}, {}, Samples.site) }
        takeScreenshot(activity, "invitation-$name")
        showConversation()
        compose.onNodeWithContentDescription(activity.getString(R.string.file_attach)).performClick()
        compose.waitForIdle()
        takeScreenshot(activity, "attach-$name")
        show { MessageMenu(Samples.found[0], isOwn = true, Samples.largeRoom, remember { Composing("") }, actions) {} }
        takeScreenshot(activity, "menu-$name")
        compose.onNodeWithText(activity.getString(R.string.remind_action)).performScrollTo().performClick()
        compose.waitForIdle()
        takeScreenshot(activity, "remind-$name")
        show { MessageMenu(Samples.found[0], isOwn = true, Samples.largeRoom, remember { Composing("") }, actions) {} }
        compose.onNodeWithText(activity.getString(R.string.action_delete)).performScrollTo().performClick()
        compose.waitForIdle()
        takeScreenshot(activity, "delete-$name")
        show { Settings(Samples.settings, canLogOut = true, privacyPage = "", SampleSettings(calls), remember { SnackbarHostState() }) }
        takeScreenshot(activity, "settings-$name")
        show { NewChat(Samples.identity, remember { SnackbarHostState() }, {}, {}, {}, {}, { Samples.found(it) }) {} }
        compose.onNodeWithTag("find").performTextInput("B")
        compose.mainClock.advanceTimeBy(400)
        takeScreenshot(activity, "new-chat-$name")
        show { NewRoomForm(Samples.identity, {}) {} }
        takeScreenshot(activity, "new-room-$name")
        show { PersonCard(Samples.person, remember { SnackbarHostState() }, {}, {}, {}, {}, SampleModeration(calls)) {} }
        takeScreenshot(activity, "person-$name")
        showConversation(Samples.pollEntries + Samples.endedEntries)
        takeScreenshot(activity, "polls-$name")
        for (isEvent in listOf(false, true)) {
            show { NewPollForm(isEvent, 4_000, {}) { _, _, _ -> } }
            takeScreenshot(activity, if (isEvent) "new-event-$name" else "new-poll-$name")
        }
        val (room, question) = Samples.question("open")
        showConversation(room = room, question = question)
        takeScreenshot(activity, "question-$name")
        showConversation(Samples.cardEntries)
        takeScreenshot(activity, "card-$name")
        showConversation(scheduled = Samples.scheduled.take(1))
        compose.onNodeWithTag("draft").performTextInput("Good morning")
        compose.onNodeWithContentDescription(activity.getString(R.string.composer_send)).performTouchInput { longClick() }
        compose.waitForIdle()
        takeScreenshot(activity, "send-later-$name")
        compose.onNodeWithText(activity.getString(R.string.later_list)).performClick()
        show { Scheduled(Samples.scheduled, Samples.reminders, Samples.rooms, SampleScheduled(calls), remember { SnackbarHostState() }) }
        takeScreenshot(activity, "scheduled-$name")
        compose.onAllNodesWithText(activity.getString(R.string.action_edit))[0].performClick()
        compose.waitForIdle()
        takeScreenshot(activity, "scheduled-edit-$name")
        show { Moderation(Samples.held, Samples.reports, Samples.rooms, SampleModeration(calls), remember { SnackbarHostState() }) }
        takeScreenshot(activity, "moderation-$name")
        show { Restricted(remember { SnackbarHostState() }, {}, { Samples.restrictions }) { _, _ -> } }
        takeScreenshot(activity, "restricted-$name")
        show { RestrictSheet(Restriction.Kind.MUTED, Samples.bob, Samples.largeRoom, {}) { _, _ -> } }
        takeScreenshot(activity, "mute-$name")
        showConversation(Samples.voiceMessages(2))
        takeScreenshot(activity, "voice-$name")
        show { RecorderRow(VoiceRecorder(activity, MainScope())) {} }
        takeScreenshot(activity, "recorder-$name")
        show { SharedBar(Shared("https://weather.example/orchard-lane", emptyList())) }
        takeScreenshot(activity, "shared-$name")
        show { SitePage(R.string.ended_first, "https://www.example.org/login", {}, {}) }
        takeScreenshot(activity, "login-$name")
        show { EndedScreen(Reason.LOGOUT, "https://www.example.org/privacy") {} }
        takeScreenshot(activity, "ended-$name")
        show { RefusedScreen(Refusal.BANNED, Samples.ban) }
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
        show { MessageMenu(Samples.found[0], isOwn = false, Samples.rooms[0], remember { Composing("") }, actions) {} }
        compose.onNodeWithText("😢").assertIsDisplayed().assertWidthIsAtLeast(48.dp)
    }
}

class TabletTest : DrawingTest() {
    @Test
    @Config(qualifiers = "w1280dp-h800dp-land-notnight-mdpi")
    fun showsRoomsAndTheConversationSideBySideOnATablet() {
        show {
            Panes(isOpen = true, { RoomsScreen(Samples.rooms, emptyMap(), Samples.alice, Kind.ONLINE, SampleRoomsActions(calls), remember { SnackbarHostState() }) }) {
                Conversation(Samples.entries, Samples.wholeHistory, Kind.ONLINE, emptyList(), isAlone = it)
            }
        }
        takeScreenshot(activity, "tablet")
        compose.onNodeWithText("spring market").assertIsDisplayed()
        compose.onNodeWithText("Who has the key to the tool shed?").assertIsDisplayed()
    }
}
