package io.github.phpsessionchat.app

import android.content.Intent
import android.icu.text.Bidi
import androidx.compose.foundation.layout.Column
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.ProgressBarRangeInfo
import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.semantics.SemanticsNode
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.test.SemanticsMatcher
import androidx.compose.ui.test.assertContentDescriptionContains
import androidx.compose.ui.test.assertHasClickAction
import androidx.compose.ui.test.assertHasNoClickAction
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.assertTextContains
import androidx.compose.ui.test.assertTextEquals
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.hasProgressBarRangeInfo
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.isHeading
import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onLast
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToIndex
import androidx.compose.ui.test.performScrollToNode
import androidx.compose.ui.test.performSemanticsAction
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.test.performTextReplacement
import androidx.compose.ui.test.performTouchInput
import androidx.compose.ui.text.LinkAnnotation
import androidx.compose.ui.text.TextLayoutResult
import androidx.compose.ui.text.style.ResolvedTextDirection
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.ConnectionState.Kind
import io.github.phpsessionchat.ConnectionState.Refusal
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.MessageText
import io.github.phpsessionchat.Samples
import okhttp3.Request
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.annotation.Config

class ScreensTest : ScreenTest() {
    private fun openMenuOf(text: String) {
        compose.onNodeWithTag("messages").performScrollToNode(hasText(text))
        compose.onNodeWithText(text).performTouchInput { longClick() }
    }

    @Test
    fun findsARoomInALongList() {
        showRooms(rooms = Samples.manyRooms)
        compose.onNodeWithTag("find").performTextInput("OOM 12")
        compose.onNodeWithText("room 12").assertIsDisplayed()
        compose.onNodeWithText("spring market").assertDoesNotExist()
        compose.onNodeWithTag("find").performTextReplacement("nothing")
        compose.onNodeWithText("No room or person matches “\u2068nothing\u2069”.").assertIsDisplayed()
    }

    @Test
    fun saysThatTheOtherUserOfADirectRoomIsHere() {
        show { Title("Bob Keller", typing = emptyList(), isHere = true) {} }
        compose.onNodeWithText("Here now").assertIsDisplayed()
    }

    @Test
    fun showsTheNameAndLogoOfTheSite() {
        showRooms()
        compose.onNodeWithText("Orchard Lane").assertIsDisplayed()
        assertEquals(listOf<Any>("https://chat.invalid/site/logo.png"), pictures)
        assertEquals(Samples.site, siteOf(Samples.identity, "https://chat.invalid/"))
    }

    @Test
    fun loadsThePictureOfARoom() {
        val requestOf = { file: ChatFile -> Request.Builder().url("https://chat.invalid/files/${file.id}/${file.name}").build() }
        show { CompositionLocalProvider(LocalRoomPictures provides requestOf) { RoomIcon(Samples.roomWithPicture) } }
        assertEquals(listOf("https://chat.invalid/files/0123456789abcdef/picture.webp"), pictures.map(Any::toString))
    }

    @Test
    fun usesTheColoursOfTheBrowserClient() {
        // From server/wire/avatar.ts.
        assertEquals(listOf(4, 5, 3, 7, 6), listOf("1", "2", "lobby", "市场", "u-Zk3x0Qm1").map(::hueNumber))
    }

    @Test
    fun marksAnImportantMessage() {
        showConversation(Samples.importantEntries)
        compose.onNodeWithText("Important").assertIsDisplayed()
    }

    @Test
    fun marksTheNextMessageAsImportant() {
        showConversation()
        compose.onNodeWithTag("draft").performTextInput("Gate opens at ten.")
        compose.onNodeWithContentDescription("Attach files").performClick()
        compose.onNodeWithText("Mark as important").performClick()
        compose.onNodeWithText("Important").assertIsDisplayed()
        compose.onNodeWithContentDescription("Send").performClick()
        assertTrue("send Gate opens at ten., important" in calls)
        compose.onNodeWithText("Important").assertDoesNotExist()
    }

    @Test
    fun removesTheMarkInAnEditAndSetsItAgain() {
        showConversation(Samples.ownImportantEntries)
        openMenuOf("Gate opens at ten.")
        compose.onNodeWithText("Edit").performClick()
        compose.onNodeWithContentDescription("Not important").performClick()
        compose.onNodeWithContentDescription("Save").performClick()
        openMenuOf("Gate opens at ten.")
        compose.onNodeWithText("Edit").performClick()
        compose.onNodeWithContentDescription("Not important").performClick()
        compose.onNodeWithText("Mark as important").performClick()
        compose.onNodeWithContentDescription("Save").performClick()
        assertEquals(listOf("edit 9 Gate opens at ten., important: false", "edit 9 Gate opens at ten."), calls.filter { it.startsWith("edit") })
    }

    @Test
    fun marksMessagesOfOthersWhereOnlyModeratorsCanWrite() {
        showConversation(Samples.importantEntries, room = Samples.announcements)
        openMenuOf("Gate opens at nine.")
        compose.onNodeWithText("Not important").performClick()
        assertTrue("important 9 false" in calls)
    }

    @Test
    fun offersNoMarkWhereAllMembersCanWrite() {
        showConversation(Samples.importantEntries, room = Samples.largeRoom)
        openMenuOf("Gate opens at nine.")
        compose.onNodeWithText("Not important").assertDoesNotExist()
    }

    @Test
    fun doesNotFormatNames() {
        showConversation(Samples.namesWithSigns)
        compose.onNodeWithText("Ask @*Bob* _K_").assertIsDisplayed()
        compose.onNodeWithText("The plan\n_plan_.txt").assertIsDisplayed()
    }

    /** Returns the characters of a text in their visual order, from left to right. */
    private fun asShown(text: SemanticsNode, range: IntRange): String {
        val layouts = mutableListOf<TextLayoutResult>()
        text.config[SemanticsActions.GetTextLayoutResult].action!!(layouts)
        val words = layouts.single().layoutInput.text
        val isRtl = layouts.single().getParagraphDirection(0) == ResolvedTextDirection.Rtl
        val order = Bidi(words.text, if (isRtl) Bidi.DIRECTION_RIGHT_TO_LEFT else Bidi.DIRECTION_LEFT_TO_RIGHT).visualMap
        // The isolates have no width.
        return order.filter { it in range && "${words[it]}" !in "\u2066\u2069" }.map { words[it] }.joinToString("")
    }

    @Test
    fun aTextIsWrittenInItsOwnDirection() {
        showConversation()
        for ((text, direction) in listOf("المفتاح معي!" to ResolvedTextDirection.Rtl, "I have the key!" to ResolvedTextDirection.Ltr)) {
            compose.onNodeWithTag("draft").performTextReplacement(text)
            val layouts = mutableListOf<TextLayoutResult>()
            compose.onNodeWithTag("draft").fetchSemanticsNode().config[SemanticsActions.GetTextLayoutResult].action!!(layouts)
            assertEquals(direction, layouts.single().getParagraphDirection(0))
        }
    }

    @Test
    fun displaysALinkFromLeftToRightBetweenAnyDirectionalCharacters() {
        showConversation(Samples.deceptiveLinks)
        for (entry in Samples.deceptiveLinks) {
            val text = compose.onNode(hasText("end", substring = true) and hasText(entry.text.take(1), substring = true)).fetchSemanticsNode()
            val words = text.config[SemanticsProperties.Text].single()
            val link = words.getLinkAnnotations(0, words.length).single()
            assertEquals(Samples.DECEPTIVE_ADDRESS, (link.item as LinkAnnotation.Url).url)
            assertEquals(Samples.DECEPTIVE_ADDRESS, asShown(text, link.start until link.end))
        }
    }

    @Test
    @Config(qualifiers = "ar-ldrtl-w360dp-h740dp-port-notnight-xhdpi")
    fun listsTheLinksOfARoomFromLeftToRight() {
        show { LinkRow(MessageText.linksIn(Samples.deceptiveLink.text).single(), Samples.deceptiveLink) }
        val text = compose.onNodeWithText("evil.example", substring = true, useUnmergedTree = true).fetchSemanticsNode()
        val shown = text.config[SemanticsProperties.Text].single()
        assertEquals("https://evil.example/םולש/moc.knab", asShown(text, shown.indices))
    }

    @Test
    fun aClickOfAScreenReaderOpensTheMenuOfAMessage() {
        showConversation(Samples.importantEntries)
        compose.onNodeWithText("Gate opens at nine.").performSemanticsAction(SemanticsActions.OnClick)
        compose.onNodeWithText("Reply").assertIsDisplayed()
    }

    @Test
    fun usersInAListHaveAnActionOnlyIfItHasAnEffect() {
        show { Column { PersonRow(Samples.alice, null, {}); PersonRow(Samples.bob, null, onClick = null) } }
        compose.onNodeWithText("Alice Moreau").assertHasClickAction()
        compose.onNodeWithText("Bob Keller").assertHasNoClickAction()
    }

    @Test
    fun announcesALostConnection() {
        show { ConnectionBar(Kind.OFFLINE) {} }
        compose.onNode(SemanticsMatcher.expectValue(SemanticsProperties.LiveRegion, LiveRegionMode.Polite)).assertTextEquals("Connection lost")
    }

    @Test
    fun namesTheAuthorOfAMessageWithoutAVisibleName() {
        showConversation()
        val authors = mapOf("The forecast for Saturday" to "Bob Keller", "Who has the key" to "You", "I can bring it" to "You")
        for ((text, author) in authors) {
            compose.onNodeWithTag("messages").performScrollToNode(hasText(text, substring = true))
            compose.onNodeWithText(text, substring = true).assertContentDescriptionContains(author)
        }
        // The name is above this message.
        compose.onNodeWithTag("messages").performScrollToNode(hasText("Morning all.", substring = true))
        compose.onNode(hasText("Morning all.", substring = true) and hasContentDescription("Bob Keller")).assertDoesNotExist()
    }

    @Test
    fun titlesAndDaysAreHeadings() {
        showConversation()
        compose.onNode(isHeading() and hasText("Today")).assertExists()
        show { RefusedScreen(Refusal.BANNED, null) }
        compose.onNode(isHeading() and hasText("You may not use this chat")).assertIsDisplayed()
    }

    @Test
    fun saysWhyAndHowLongTheSiteHasBannedTheUser() {
        show { RefusedScreen(Refusal.BANNED, Samples.ban) }
        compose.onNodeWithText("Until ", substring = true).assertTextContains("Reason: \u2068spam\u2069", substring = true)
    }

    @Test
    fun saysInTheListOfRoomsThatAMessageWasNotSent() {
        showRooms(Samples.scheduled)
        compose.onNodeWithText("A scheduled message was not sent.").performClick()
        assertEquals(listOf("scheduled"), calls)
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
    fun repliesToAMessage() {
        showConversation()
        openMenuOf("Morning all. Gate is open, kettle is on.")
        compose.onNodeWithText("Reply").performClick()
        compose.onNodeWithText("Reply to ", substring = true).assertIsDisplayed()
        compose.onNodeWithTag("draft").performTextInput("Thanks")
        compose.onNodeWithContentDescription("Send").performClick()
        assertTrue("send Thanks, a reply to 1" in calls)
        compose.onNodeWithText("Reply to ", substring = true).assertDoesNotExist()
    }

    @Test
    fun editsAnOwnMessage() {
        showConversation()
        openMenuOf("Who has the key to the tool shed?")
        compose.onNodeWithText("Edit").performClick()
        compose.onNodeWithTag("draft").performTextReplacement("Who has the key?")
        compose.onNodeWithContentDescription("Save").performClick()
        assertTrue("edit 5 Who has the key?" in calls)
    }

    @Test
    fun keepsMentionsInAnEditAndRestoresTheDraftAfterIt() {
        showConversation()
        compose.onNodeWithTag("draft").performTextInput("Good mor")
        openMenuOf("Who has the key to the tool shed?")
        compose.onNodeWithText("Edit").performClick()
        compose.onNodeWithTag("draft").performTextReplacement("@Bo")
        compose.onAllNodesWithText("Bob Keller").onLast().performClick()
        compose.onNodeWithContentDescription("Save").performClick()
        assertTrue("edit 5 @Bob Keller, mentions 2 at 0" in calls)
        compose.onNodeWithTag("draft").assertTextContains("Good mor")
    }

    @Test
    fun deletesAnOwnMessageAfterAQuestion() {
        showConversation()
        openMenuOf("Who has the key to the tool shed?")
        compose.onNodeWithText("Delete").performClick()
        assertTrue(calls.none { it.startsWith("delete") })
        compose.onNodeWithText("Delete").performClick()
        assertTrue("delete 5" in calls)
    }

    @Test
    fun unpinsAPinnedMessageAndPinsAnother() {
        showConversation(room = Samples.largeRoom)
        openMenuOf("Morning all. Gate is open, kettle is on.")
        compose.onNodeWithText("Unpin").performClick()
        openMenuOf("Who has the key to the tool shed?")
        compose.onNodeWithText("Pin to room").performClick()
        assertEquals(listOf("pin 1 false", "pin 5 true"), calls.filter { it.startsWith("pin") })
    }

    @Test
    fun marksMessagesAsUnreadAndReportsOne() {
        showConversation()
        openMenuOf("Morning all. Gate is open, kettle is on.")
        compose.onNodeWithText("Mark as unread").performClick()
        openMenuOf("Morning all. Gate is open, kettle is on.")
        compose.onNodeWithText("Report message").performClick()
        compose.onNodeWithText("Spam or scam").performClick()
        assertEquals(listOf("unread 1", "report 1 SPAM"), calls.filter { "unread" in it || "report" in it })
    }

    @Test
    fun forwardsAMessage() {
        showConversation()
        openMenuOf("Morning all. Gate is open, kettle is on.")
        compose.onNodeWithText("Forward").performClick()
        compose.onNodeWithTag("find").performTextInput("spr")
        compose.onNodeWithText("board").assertDoesNotExist()
        compose.onNodeWithText("spring market").performClick()
        assertTrue("forward 1 to market" in calls)
    }

    @Test
    fun sharesTheFilesOfAMessageAndShowsHowFarADownloadIs() {
        showConversation()
        openMenuOf("我十点到,带两箱育苗盆。")
        compose.onNodeWithText("Share").performClick()
        assertTrue("share [beds.jpg, plan.pdf]" in calls)
        compose.onNodeWithTag("messages").performScrollToNode(hasText("plan.pdf"))
        val progress = hasProgressBarRangeInfo(ProgressBarRangeInfo(0.5f, 0f..1f))
        compose.onNode(progress, useUnmergedTree = true).assertDoesNotExist()
        downloads["f2"] = 0.5f
        compose.onNode(progress, useUnmergedTree = true).assertIsDisplayed()
    }

    @Test
    fun listsWhoHasSeenAnOwnMessage() {
        showConversation()
        openMenuOf("Who has the key to the tool shed?")
        compose.onNodeWithText("Seen by").performClick()
        compose.onNodeWithText("Seen by 1 of 3").assertIsDisplayed()
        compose.onNodeWithText("Dana Ruiz").assertIsDisplayed()
        seenBy.value = Samples.seenByMore
        compose.onNodeWithText("Seen by 2 of 3").assertIsDisplayed()
    }

    @Test
    fun showsNoVotesAsReactions() {
        showConversation(Samples.pollEntries)
        compose.onNodeWithText("🎉 3").assertIsDisplayed()
        compose.onNodeWithText("1 3").assertDoesNotExist()
    }

    @Test
    fun listsWhoReacted() {
        showConversation()
        compose.onNodeWithTag("messages").performScrollToNode(hasText("👍 2"))
        compose.onNodeWithText("👍 2").performTouchInput { longClick() }
        compose.onNodeWithText("Dana Ruiz").assertIsDisplayed()
    }

    @Test
    fun removesThePreviewOfAnOwnMessage() {
        showConversation(Samples.ownEntriesWithPreview)
        openMenuOf("See ${leftToRight("https://weather.example")}")
        compose.onNodeWithText("Remove preview for everyone").performClick()
        assertTrue("remove preview 8" in calls)
    }

    @Test
    fun showsWhereMessagesWerePinned() {
        showConversation(pins = Samples.pins)
        compose.onAllNodesWithText("You pinned a message.").onLast().performClick()
        assertTrue("jump 7" in calls)
    }

    @Test
    fun hidesAMessageOfABlockedUserUntilTheUserAsksForIt() {
        showConversation(Samples.hiddenEntries)
        compose.onNodeWithText("1 message from someone you blocked").assertIsDisplayed()
        compose.onNodeWithText("You all know nothing").assertDoesNotExist()
        compose.onNodeWithText("Show").performClick()
        compose.onNodeWithText("You all know nothing").assertIsDisplayed()
    }

    @Test
    fun opensTheDetailsFromTheTitle() {
        showConversation()
        compose.onNodeWithText("lobby").performClick()
        assertTrue("details" in calls)
    }

    @Test
    fun reactsAndTakesAReactionBack() {
        showConversation()
        compose.onNodeWithTag("messages").performScrollToNode(hasText("👍 2"))
        compose.onNodeWithText("👍 2").performClick()
        openMenuOf("Morning all. Gate is open, kettle is on.")
        compose.onNodeWithText("🎉").performClick()
        assertEquals(listOf("react 2 👍 false", "react 1 🎉 true"), calls.filter { it.startsWith("react") })
    }

    @Test
    fun votesInAPollAndTakesAVoteBack() {
        showConversation(Samples.pollEntries)
        compose.onNodeWithText("4 votes · Several answers").assertExists()
        compose.onNodeWithText("Saturday").performClick()
        compose.onNodeWithText("Friday").performClick()
        assertEquals(listOf("vote 7 [1, 2]", "vote 7 []"), calls.filter { it.startsWith("vote") })
    }

    @Test
    fun listsWhoVoted() {
        showConversation(Samples.pollEntries)
        compose.onNodeWithText("Friday").performTouchInput { longClick() }
        compose.onNodeWithText("Dana Ruiz").assertIsDisplayed()
    }

    /** Presses the question, because the options have long presses of their own. */
    private fun openMenuOfPoll(question: String) =
        compose.onNodeWithText(question).performTouchInput { longClick(topLeft + Offset(30f, 30f)) }

    @Test
    fun endsAnOwnEvent() {
        showConversation(Samples.pollEntries)
        openMenuOfPoll("Summer party")
        compose.onNodeWithText("Delete").assertExists()
        compose.onNodeWithText("Edit").assertDoesNotExist()
        compose.onNodeWithText("End now").performClick()
        assertTrue("end poll 8" in calls)
    }

    @Test
    fun acceptsNoVoteAfterTheEnd() {
        showConversation(Samples.endedEntries)
        compose.onNodeWithText("1 vote · Anonymous · Ended").assertExists()
        compose.onNodeWithText("Yes").assertIsNotEnabled().performClick()
        openMenuOfPoll("Shall we?")
        compose.onNodeWithText("Delete").assertExists()
        compose.onNodeWithText("End now").assertDoesNotExist()
        assertEquals(emptyList<String>(), calls.filter { it.startsWith("vote") })
    }

    @Test
    fun answersAnEventAndAddsItToTheCalendar() {
        showConversation(Samples.pollEntries)
        compose.onNodeWithText("Garden").assertExists()
        compose.onNodeWithText("Coming").performClick()
        compose.onNodeWithText("Add to calendar").performClick()
        assertEquals(listOf("vote 8 [1]", "calendar 8"), calls.filter { it.startsWith("vote") || it.startsWith("cal") })
    }

    @Test
    fun showsAMessageThatIsQuoted() {
        showConversation()
        val shown = compose.onAllNodesWithText("Perfect. I moved the workshop to 14:00 so it stays dry until the end.")
        shown[0].performClick()
        shown[1].performClick()
        assertEquals(listOf("jump 4"), calls.filter { it.startsWith("jump") })
    }

    @Test
    fun opensAFile() {
        showConversation()
        compose.onNodeWithTag("messages").performScrollToNode(hasContentDescription("Download \u2068plan.pdf\u2069"))
        compose.onNodeWithContentDescription("Download \u2068plan.pdf\u2069").performClick()
        assertTrue("open plan.pdf" in calls)
    }

    @Test
    fun sendsFilesWithoutThoseThatFailed() {
        showConversation(uploads = Samples.uploads)
        compose.onNodeWithContentDescription("Remove \u2068seeds.zip\u2069").performClick()
        compose.onNodeWithContentDescription("Send").performClick()
        assertTrue("cancel upload u2" in calls)
        assertTrue("send  with u1" in calls)
    }

    @Test
    fun saysWhyAFileCannotBeSentAndOffersNoRetry() {
        showConversation(entries = Samples.entries.filter { it.unsent == null }, uploads = Samples.refusedUploads)
        compose.onNodeWithText("Larger than \u20685.0 MB\u2069").assertIsDisplayed()
        compose.onNodeWithText("Browsers can’t show QuickTime. Send it as MP4.").assertIsDisplayed()
        compose.onNodeWithText("Retry").assertDoesNotExist()
    }

    @Test
    fun announcesTheFileThatFailed() {
        showConversation(uploads = Samples.uploads)
        val announced = SemanticsMatcher.expectValue(SemanticsProperties.LiveRegion, LiveRegionMode.Polite)
        compose.onNode(hasText("seeds.zip") and announced).assertTextContains("This kind of file isn’t allowed.")
        compose.onNode(hasText("plan.pdf") and announced).assertDoesNotExist()
    }

    @Test
    fun storedConversationTakesTextsWithoutFiles() {
        showConversation(isStored = true)
        compose.onNodeWithContentDescription("Attach files").assertDoesNotExist()
        compose.onNodeWithTag("draft").performTextInput("From the tunnel")
        compose.onNodeWithContentDescription("Send").performClick()
        assertTrue("send From the tunnel" in calls)
    }

    @Test
    fun mentionsAMember() {
        showConversation()
        compose.onNodeWithTag("draft").performTextInput("Hello @Bo")
        compose.onAllNodesWithText("Bob Keller").onLast().performClick()
        compose.onNodeWithContentDescription("Send").performClick()
        assertTrue("send Hello @Bob Keller, mentions 2 at 6" in calls)
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

    @Test
    fun scrollsToTheMessageOfALink() {
        showConversation(Samples.messages(300), Samples.partOfHistory, target = 100)
        compose.onNodeWithText("Message 100").assertIsDisplayed()
        compose.onNodeWithText("Message 300").assertDoesNotExist()
        assertEquals(listOf("reached"), calls)
    }

    @Test
    fun copiesALinkToAMessage() {
        showConversation()
        openMenuOf("Who has the key to the tool shed?")
        compose.onNodeWithText("Copy link").performClick()
        assertTrue("copy link 5" in calls)
    }

    @Test
    fun asksBeforeJoiningByAnInvitation() {
        show { DestinationDialog(Destination.Invitation(Samples.invitation), false, { calls += "join" }, {}, { calls += "close" }, Samples.site) }
        compose.onNodeWithText("Orchard Lane").assertIsDisplayed()
        compose.onNodeWithText("\u2068Bob Keller\u2069 invites you to").assertIsDisplayed()
        compose.onNodeWithText("orchard board").assertIsDisplayed()
        assertEquals(emptyList<String>(), calls)
        compose.onNodeWithText("Join").performClick()
        compose.onNodeWithText("Not now").performClick()
        assertEquals(listOf("join", "close"), calls)
    }

    @Test
    fun asksForARoomForSharedContent() {
        Shared.receive(Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_TEXT, "Look at this"), "app")
        showRooms()
        takeScreenshot(activity, "shared")
        compose.onNodeWithText("Look at this").assertIsDisplayed()
        compose.onNodeWithContentDescription("Cancel").performClick()
        compose.onNodeWithText("Look at this").assertDoesNotExist()
    }
}
