package io.github.phpsessionchat.app

import android.Manifest
import android.os.Looper
import androidx.compose.runtime.snapshots.Snapshot
import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performSemanticsAction
import androidx.compose.ui.test.performTextInput
import io.github.phpsessionchat.Samples
import java.io.IOException
import java.time.Duration
import kotlinx.coroutines.MainScope
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowMediaPlayer
import org.robolectric.shadows.util.DataSource

class VoiceTest : ScreenTest() {
    private fun pass(seconds: Long) {
        // The player starts a few milliseconds after the click.
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(seconds).plusMillis(100))
        // Compose's own task for this may be lost, because Robolectric empties the looper after each test.
        Snapshot.sendApplyNotifications()
        compose.waitForIdle()
    }

    private fun position() = compose.onNodeWithContentDescription("Position")
        .fetchSemanticsNode().config[SemanticsProperties.StateDescription]

    private fun showRecorder(isAllowed: Boolean) {
        val app = RuntimeEnvironment.getApplication()
        if (isAllowed) shadowOf(app).grantPermissions(Manifest.permission.RECORD_AUDIO)
        recorder = VoiceRecorder(app, MainScope())
        showConversation()
    }

    @Test
    fun playsAndPausesAVoiceMessage() {
        ShadowMediaPlayer.addMediaInfo(DataSource.toDataSource(sound.path), ShadowMediaPlayer.MediaInfo(65_000, 0))
        showConversation(Samples.voiceMessages(1))
        assertEquals("0:00 of 1:05", position())
        compose.onNodeWithContentDescription("Play").performClick()
        pass(10)
        assertEquals("0:10 of 1:05", position())
        compose.onNodeWithContentDescription("Pause").performClick()
        pass(5)
        assertEquals("0:10 of 1:05", position())
        compose.onNodeWithContentDescription("Play").performClick()
        pass(5)
        assertEquals("0:15 of 1:05", position())
        takeScreenshot(activity, "voice")
        pass(60)
        compose.onNodeWithContentDescription("Play").assertIsDisplayed()
        assertEquals("0:00 of 1:05", position())
    }

    @Test
    fun playsFromTheChosenPosition() {
        ShadowMediaPlayer.addMediaInfo(DataSource.toDataSource(sound.path), ShadowMediaPlayer.MediaInfo(65_000, 0))
        showConversation(Samples.voiceMessages(1))
        compose.onNodeWithContentDescription("Position").performSemanticsAction(SemanticsActions.SetProgress) { it(30_000f) }
        pass(1)
        assertEquals("0:30 of 1:05", position())
        compose.onNodeWithContentDescription("Play").performClick()
        pass(5)
        assertEquals("0:35 of 1:05", position())
    }

    @Test
    fun offersToSaveASoundThatCannotBePlayed() {
        ShadowMediaPlayer.addException(DataSource.toDataSource(sound.path), IOException())
        showConversation(Samples.voiceMessages(1))
        compose.onNodeWithContentDescription("Play").performClick()
        pass(1)
        compose.onNodeWithText("This can’t be played.").assertIsDisplayed()
        compose.onNodeWithText("Save").performClick()
        assertTrue("open voice.m4a" in calls)
    }

    @Test
    fun recordsAndSendsAVoiceMessage() {
        showRecorder(isAllowed = true)
        compose.onNodeWithContentDescription("Record a voice message").performClick()
        pass(3)
        compose.onNodeWithText("0:03  Recording").assertIsDisplayed()
        takeScreenshot(activity, "recording")
        compose.onNodeWithContentDescription("Send voice message").performClick()
        assertEquals(46, calls.single { it.startsWith("send voice") }.removePrefix("send voice ").length)
        compose.onNodeWithContentDescription("Record a voice message").assertIsDisplayed()
    }

    @Test
    fun discardsARecording() {
        showRecorder(isAllowed = true)
        compose.onNodeWithContentDescription("Record a voice message").performClick()
        pass(3)
        compose.onNodeWithContentDescription("Discard").performClick()
        compose.onNodeWithContentDescription("Record a voice message").assertIsDisplayed()
        assertTrue(recordings(RuntimeEnvironment.getApplication()).list().orEmpty().isEmpty())
    }

    @Test
    fun endsARecordingAtFiveMinutes() {
        showRecorder(isAllowed = true)
        compose.onNodeWithContentDescription("Record a voice message").performClick()
        pass(400)
        compose.onNodeWithText("5:00  Voice messages can’t be any longer.").assertIsDisplayed()
        assertEquals(300_000L, recorder?.durationMs)
    }

    @Test
    fun doesNotSendAnAccident() {
        showRecorder(isAllowed = true)
        compose.onNodeWithContentDescription("Record a voice message").performClick()
        assertNull(recorder?.take())
    }

    @Test
    fun asksForTheMicrophoneWhenItIsFirstUsed() {
        showRecorder(isAllowed = false)
        assertNull(shadowOf(activity).lastRequestedPermission)
        compose.onNodeWithContentDescription("Record a voice message").performClick()
        assertEquals(listOf(Manifest.permission.RECORD_AUDIO), shadowOf(activity).lastRequestedPermission.requestedPermissions.toList())
        assertNull(recorder?.place)
    }

    @Test
    fun aSecondTapOnSendDoesNotRecord() {
        showRecorder(isAllowed = true)
        compose.onNodeWithTag("draft").performTextInput("Hello")
        compose.onNodeWithContentDescription("Send").performClick()
        compose.onNodeWithContentDescription("Record a voice message").performClick()
        assertNull(recorder?.place)
        pass(1)
        compose.onNodeWithContentDescription("Record a voice message").performClick()
        pass(3)
        assertEquals("lobby/0", recorder?.place)
        compose.onNodeWithContentDescription("Send voice message").performClick()
        compose.onNodeWithContentDescription("Record a voice message").performClick()
        assertNull(recorder?.place)
    }

    @Test
    fun aTextIsSentInsteadOfAVoiceMessage() {
        showRecorder(isAllowed = true)
        compose.onNodeWithTag("draft").performTextInput("Hello")
        compose.onNodeWithContentDescription("Record a voice message").assertDoesNotExist()
        compose.onNodeWithContentDescription("Send").assertIsDisplayed()
    }
}
