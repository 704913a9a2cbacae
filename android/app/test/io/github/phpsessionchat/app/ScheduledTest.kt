package io.github.phpsessionchat.app

import android.app.DatePickerDialog
import android.app.TimePickerDialog
import android.content.DialogInterface.BUTTON_POSITIVE
import android.os.Looper
import androidx.compose.material3.SnackbarHostState
import androidx.compose.ui.test.assertHeightIsAtLeast
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.assertTextContains
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.longClick
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onFirst
import androidx.compose.ui.test.onLast
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToNode
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.test.performTextReplacement
import androidx.compose.ui.test.performTouchInput
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.MessageEdit
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.ScheduledMessage
import java.time.LocalDate
import java.time.LocalTime
import java.time.ZoneId
import java.time.ZonedDateTime
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowDialog

class SampleScheduled(private val calls: MutableList<String>) : ScheduledActions {
    override fun close() = Unit
    override fun edit(message: ScheduledMessage, edit: MessageEdit, at: Long) = record("edit ${message.id} ${Samples.textOf(edit)} ${at - message.at}")
    override fun sendNow(message: ScheduledMessage) = record("send ${message.id}")
    override fun delete(message: ScheduledMessage) = record("delete ${message.id}")
    override fun show(reminder: Reminder) = record("show ${reminder.id}")
    override fun move(reminder: Reminder, at: Long) = record("move ${reminder.id} to $at")
    override fun delete(reminder: Reminder) = record("delete ${reminder.id}")

    private fun record(call: String) {
        calls += call
    }
}

class ScheduledTest : ScreenTest() {
    private fun offerTimes(text: String) {
        showConversation()
        compose.onNodeWithTag("draft").performTextInput(text)
        compose.onNodeWithContentDescription("Send").performTouchInput { longClick() }
    }

    private fun tomorrowAt(hour: Int, minute: Int): String {
        val time = LocalDate.now().plusDays(1).atTime(hour, minute).atZone(ZoneId.systemDefault())
        return dayAndTime(time.toInstant().toEpochMilli(), activity).also { assertTrue(it, it.startsWith("Tomorrow, $hour:")) }
    }

    @Test
    fun sendsATextTomorrow() {
        offerTimes("Good morning")
        compose.onNodeWithText(tomorrowAt(9, 0)).performClick()
        assertTrue("schedule Good morning at ${tomorrowAt(9, 0)}" in calls)
        compose.onNodeWithContentDescription("Send").assertIsNotEnabled()
    }

    @Test
    fun sendsATextAtAChosenTime() {
        offerTimes("Happy new year")
        compose.onNodeWithText("Choose a time…").performClick()
        val date = ShadowDialog.getLatestDialog() as DatePickerDialog
        val tomorrow = LocalDate.now().plusDays(1)
        date.updateDate(tomorrow.year, tomorrow.monthValue - 1, tomorrow.dayOfMonth)
        date.getButton(BUTTON_POSITIVE).performClick()
        shadowOf(Looper.getMainLooper()).idle()
        val time = ShadowDialog.getLatestDialog() as TimePickerDialog
        time.updateTime(7, 30)
        time.getButton(BUTTON_POSITIVE).performClick()
        compose.waitForIdle()
        shadowOf(Looper.getMainLooper()).idle()
        assertTrue("schedule Happy new year at ${tomorrowAt(7, 30)}" in calls)
    }

    @Test
    fun schedulesNoFilesAndNoEdits() {
        showConversation(uploads = Samples.uploads)
        compose.onNodeWithTag("draft").performTextInput("With a file")
        compose.onNodeWithContentDescription("Send").performTouchInput { longClick() }
        compose.onNodeWithText("Choose a time…").assertDoesNotExist()
    }

    @Test
    fun opensTheListFromTheConversation() {
        showConversation(scheduled = Samples.scheduled.take(1))
        compose.onNodeWithText("Scheduled messages · 1").performClick()
        assertTrue("scheduled" in calls)
    }

    @Test
    fun saysInTheConversationThatAMessageWasNotSent() {
        showConversation(scheduled = Samples.scheduled)
        compose.onNodeWithText("A scheduled message was not sent.").assertIsDisplayed()
    }

    private fun showList(reminders: List<Reminder> = emptyList()) =
        show { Scheduled(Samples.scheduled, reminders, Samples.rooms, SampleScheduled(calls), SnackbarHostState()) }

    @Test
    fun editsSendsAndDeletes() {
        showList()
        compose.onNodeWithText("lobby").assertIsDisplayed()
        compose.onAllNodesWithText("Edit").onFirst().performClick()
        compose.onNodeWithTag("text").assertTextContains("The gate opens at ten today.")
        compose.onNodeWithTag("text").performTextReplacement("The gate opens at nine.")
        compose.onNodeWithText("Save").performClick()
        compose.onAllNodesWithText("Send now").onFirst().performClick()
        compose.onAllNodesWithText("Delete").onLast().performClick()
        assertEquals(listOf("edit s1 The gate opens at nine. 0", "send s1", "delete s2"), calls)
    }

    @Test
    fun removesTheMarkOfAnImportantMessage() {
        show { Scheduled(listOf(Samples.scheduledImportant), emptyList(), Samples.rooms, SampleScheduled(calls), SnackbarHostState()) }
        compose.onNodeWithText("Important").assertIsDisplayed()
        compose.onNodeWithText("Edit").performClick()
        compose.onAllNodesWithText("Important").onLast().performClick()
        compose.onNodeWithText("Save").performClick()
        assertEquals(listOf("edit s3 Gate opens at nine., important: false 0"), calls)
    }

    @Test
    fun needsANewTimeForAFailedMessage() {
        showList()
        compose.onAllNodesWithText("Edit").onLast().performClick()
        compose.onNodeWithText("Choose a time…").assertIsDisplayed()
        compose.onNodeWithText("Save").assertIsNotEnabled()
    }

    @Test
    fun setsAReminder() {
        showConversation()
        compose.onNodeWithText("Who has the key to the tool shed?").performTouchInput { longClick() }
        compose.onNodeWithText("Remind me").performClick()
        compose.onNodeWithText("In 20 minutes").assertIsDisplayed()
        compose.onNodeWithText(tomorrowAt(9, 0)).performClick()
        assertTrue("remind 5 at ${tomorrowAt(9, 0)}" in calls)
    }

    @Test
    fun listsShowsAndDeletesReminders() {
        showList(Samples.reminders)
        compose.onNodeWithTag("scheduled").performScrollToNode(hasText("You can no longer see this message."))
        compose.onAllNodesWithText("Delete").onLast().performClick()
        compose.onNodeWithTag("scheduled").performScrollToNode(hasText("Show"))
        compose.onNodeWithText("Show").performClick()
        assertEquals(listOf("delete n2", "show n1"), calls)
    }

    @Test
    fun announcesADueReminder() {
        showConversation(reminders = Samples.reminders)
        compose.onNodeWithText("Reminder: \u2068Morning all. Gate is open, kettle is on.\u2069").assertHeightIsAtLeast(48.dp).performClick()
        showRooms(reminders = Samples.reminders)
        compose.onNodeWithText("Reminder: ", substring = true).performClick()
        assertEquals(2, calls.count { it == "show n1" })
    }

    @Test
    fun proposesTimesThatAreAhead() {
        val zone = ZoneId.of("Europe/Paris")
        fun proposed(day: Int, hour: Int) =
            proposedTimes(ZonedDateTime.of(LocalDate.of(2026, 11, day), LocalTime.of(hour, 30), zone)).map { "${it.dayOfMonth} ${it.toLocalTime()}" }
        // 28 November 2026 is a Saturday.
        assertEquals(listOf("28 15:30", "28 18:00", "29 09:00", "30 09:00"), proposed(28, 14))
        assertEquals(listOf("29 18:30", "30 09:00"), proposed(29, 17))
        assertEquals(listOf("1 00:30", "1 09:00", "7 09:00"), proposed(30, 23))
    }
}
