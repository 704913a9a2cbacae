package io.github.phpsessionchat.app

import android.content.Intent
import android.os.Looper
import android.provider.Settings
import android.text.format.DateUtils
import android.text.format.DateUtils.FORMAT_SHOW_TIME
import androidx.compose.runtime.snapshots.Snapshot
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.onNodeWithText
import io.github.phpsessionchat.Samples
import java.util.TimeZone
import org.junit.Assert.assertNotEquals
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** Times that are on the screen while the device's clock changes. */
class TimesTest : ScreenTest() {
    private val entry = Samples.messages(1).single()

    private fun expectedTime() = DateUtils.formatDateTime(activity, entry.sentAt, FORMAT_SHOW_TIME)

    private fun assertFollows(action: String, change: () -> Unit) {
        showConversation(listOf(entry))
        val before = expectedTime()
        compose.onNodeWithText(before).assertIsDisplayed()
        change()
        assertNotEquals(before, expectedTime())
        RuntimeEnvironment.getApplication().sendBroadcast(Intent(action))
        shadowOf(Looper.getMainLooper()).idle()
        Snapshot.sendApplyNotifications()
        compose.waitForIdle()
        compose.onNodeWithText(expectedTime()).assertIsDisplayed()
    }

    @Test
    fun followTheTimeZone() {
        val usual = TimeZone.getDefault()
        try {
            assertFollows(Intent.ACTION_TIMEZONE_CHANGED) { TimeZone.setDefault(TimeZone.getTimeZone("Asia/Tokyo")) }
        } finally {
            TimeZone.setDefault(usual)
        }
    }

    @Test
    fun followTheFormatOfTheClock() =
        assertFollows(Intent.ACTION_TIME_CHANGED) { Settings.System.putString(activity.contentResolver, Settings.System.TIME_12_24, "24") }
}
