package io.github.phpsessionchat.app

import android.app.DatePickerDialog
import android.app.TimePickerDialog
import android.content.DialogInterface.BUTTON_POSITIVE
import android.os.Looper
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.runtime.saveable.LocalSaveableStateRegistry
import androidx.compose.runtime.saveable.SaveableStateRegistry
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollTo
import androidx.compose.ui.test.performTextInput
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.android.ChatRequestException
import java.time.LocalDate
import java.time.ZoneId
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowDialog

class NewPollTest : ScreenTest() {
    private val sent = mutableListOf<Pair<String, JSONObject>>()
    private val clientIds = mutableListOf<String>()
    private var failure: String? = null

    private var saved = SaveableStateRegistry(null) { true }

    private fun showForm(isEvent: Boolean = false) = show {
        CompositionLocalProvider(LocalSaveableStateRegistry provides saved) {
            NewPollForm(isEvent, textLimit = 50, {}) { question, poll, clientId ->
                clientIds += clientId
                failure?.let { throw ChatRequestException(it) }
                sent += question to JSONObject(Samples.textOf(poll))
            }
        }
    }

    private fun write(tag: String, text: String) = compose.onNodeWithTag(tag).performScrollTo().performTextInput(text)

    private fun tap(label: String) = compose.onNodeWithText(label).performScrollTo().performClick()

    @Test
    fun opensTheFormFromTheMenuOfAttachments() {
        for (label in listOf("New poll", "New event")) {
            showConversation()
            compose.onNodeWithContentDescription("Attach files").performClick()
            compose.onNodeWithText(label).performClick()
        }
        assertEquals(listOf("new poll false", "new poll true"), calls.filter { it.startsWith("new") })
    }

    @Test
    fun sendsAPollWithAllItsRules() {
        showForm()
        write("question", "Which day? ")
        write("option 0", "Friday")
        compose.onNodeWithText("Send").assertIsNotEnabled()
        write("option 1", "Friday")
        compose.onNodeWithText("Send").assertIsNotEnabled()
        write("option 1", " evening")
        write("option 2", "Saturday")
        for (label in listOf("Several answers", "Anonymous", "In 1 day", "Send")) tap(label)
        val (question, poll) = sent.single()
        val until = poll.remove("until") as Long
        assertTrue(until > System.currentTimeMillis() + 23 * 3_600_000L)
        assertEquals("Which day?", question)
        assertEquals("""["Friday","Friday evening","Saturday"]""", poll.getString("options"))
        assertTrue(poll.getBoolean("multiple") && poll.getBoolean("anonymous"))
    }

    @Test
    fun repeatsAFailedPollWithTheSameId() {
        showForm()
        failure = "offline"
        write("question", "Shall we?")
        write("option 0", "Yes")
        write("option 1", "No")
        repeat(2) { tap("Send") }
        compose.onNodeWithText("You’re offline. You can keep writing.").performScrollTo().assertIsDisplayed()
        failure = null
        write("question", " Really")
        tap("Send")
        val (first, second, third) = clientIds
        assertEquals(first, second)
        assertFalse(first == third)
        assertEquals(1, sent.size)
    }

    @Test
    fun keepsTheFormWhenTheScreenIsRecreated() {
        showForm()
        failure = "timeout"
        write("question", "Shall we?")
        write("option 0", "Yes")
        write("option 1", "No")
        for (label in listOf("Anonymous", "Send")) tap(label)
        saved = SaveableStateRegistry(saved.performSave()) { true }
        show {}
        showForm()
        failure = null
        tap("Send")
        assertEquals("[Shall we?]", sent.map { it.first }.toString())
        assertEquals("""["Yes","No"]""", sent.single().second.getString("options"))
        assertTrue(sent.single().second.getBoolean("anonymous"))
        // The server may have stored the first attempt.
        assertEquals(1, clientIds.toSet().size)
    }

    @Test
    fun sendsAnEvent() {
        showForm(isEvent = true)
        write("question", "Summer party")
        write("place", "Garden")
        compose.onNodeWithText("Send").assertIsNotEnabled()
        tap("Start")
        val tomorrow = LocalDate.now().plusDays(1)
        (ShadowDialog.getLatestDialog() as DatePickerDialog).run {
            updateDate(tomorrow.year, tomorrow.monthValue - 1, tomorrow.dayOfMonth)
            getButton(BUTTON_POSITIVE).performClick()
        }
        shadowOf(Looper.getMainLooper()).idle()
        (ShadowDialog.getLatestDialog() as TimePickerDialog).run {
            updateTime(15, 0)
            getButton(BUTTON_POSITIVE).performClick()
        }
        compose.waitForIdle()
        tap("Send")
        val event = sent.single().second.getJSONObject("event")
        assertEquals(tomorrow.atTime(15, 0).atZone(ZoneId.systemDefault()).toInstant().toEpochMilli(), event.getLong("start"))
        assertEquals("Garden", event.getString("place"))
        assertFalse(event.has("end"))
    }

    @Test
    fun acceptsTwoToTenDifferentOptions() {
        val ten = (1..10).map { "Option $it" }
        assertEquals(ten, validOptions(ten))
        assertEquals(listOf("a", "b"), validOptions(listOf(" a", "b ", " ")))
        assertEquals(listOf("👍".repeat(100), "b"), validOptions(listOf("👍".repeat(100), "b")))
        for (wrong in listOf(ten + "b", listOf("a"), listOf("a", " a "), listOf("a".repeat(101), "b"))) assertNull(validOptions(wrong))
    }
}
