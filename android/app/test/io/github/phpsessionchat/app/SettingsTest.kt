package io.github.phpsessionchat.app

import androidx.compose.material3.SnackbarHostState
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.assertIsOff
import androidx.compose.ui.test.assertIsOn
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToNode
import io.github.phpsessionchat.ConnectionState.Reason
import io.github.phpsessionchat.Device
import io.github.phpsessionchat.NoticesChange
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.User
import java.time.LocalDate
import java.time.ZoneOffset
import java.time.zone.ZoneOffsetTransition
import java.time.zone.ZoneRules
import java.time.zone.ZoneRulesProvider
import java.util.SimpleTimeZone
import java.util.TimeZone
import java.util.TreeMap
import org.junit.Assert.assertEquals
import org.junit.Test
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowDialog

class SampleSettings(private val calls: MutableList<String>) : SettingsActions {
    override fun close() = record("close")
    override fun set(change: NoticesChange) = record("set ${Samples.textOf(change)}")
    override fun remove(device: Device) = record("remove ${device.id}")
    override fun hide(hidden: Boolean) = record("hide $hidden")
    override fun unblock(user: User) = record("unblock ${user.id}")
    override fun logOut() = record("log out")
    override fun forgetLogin() = record("forget login")

    private fun record(call: String) {
        calls += call
    }
}

/** A time zone in which the clock goes from 2:00 to 3:00 today and tomorrow, and back at noon. */
private object SkippingHour : ZoneRulesProvider() {
    const val ID = "Test/Skipping"
    private val before = ZoneOffset.ofHours(-1)

    override fun provideZoneIds() = setOf(ID)
    override fun provideVersions(zoneId: String) = TreeMap(mapOf("1" to rules))
    override fun provideRules(zoneId: String, forCaching: Boolean) = rules

    private val rules = ZoneRules.of(
        before,
        before,
        emptyList(),
        (0L..1L).map { LocalDate.now().plusDays(it) }.flatMap {
            listOf(
                ZoneOffsetTransition.of(it.atTime(2, 0), before, ZoneOffset.UTC),
                ZoneOffsetTransition.of(it.atTime(12, 0), ZoneOffset.UTC, before),
            )
        },
        emptyList(),
    )
}

class SettingsTest : ScreenTest() {
    private fun showSettings(settings: UserSettings = Samples.settings, canLogOut: Boolean = true, privacyPage: String = "") =
        show { Settings(settings, canLogOut, privacyPage, SampleSettings(calls), SnackbarHostState()) }

    private fun scrollTo(text: String) = compose.onNodeWithTag("settings").performScrollToNode(hasText(text))

    @Test
    fun changesNotifications() {
        showSettings()
        compose.onNodeWithText("Email me when I’m away").assertIsOn().performClick()
        compose.onNodeWithText("1 hour").performClick()
        scrollTo("Name only")
        compose.onNodeWithText("Name only").performClick()
        assertEquals(listOf("""set {"mail":"off"}""", """set {"mail":60}""", """set {"text":"name"}"""), calls)
    }

    @Test
    fun saysThatTheSiteHasNoAddressForMails() {
        showSettings(UserSettings(Samples.noticesWithoutAddress))
        compose.onNodeWithText("Email me when I’m away").assertIsOff().assertIsNotEnabled()
        compose.onNodeWithText("This site doesn’t have your email address", substring = true).assertIsDisplayed()
        compose.onNodeWithText("1 hour").assertDoesNotExist()
    }

    @Test
    fun turnsQuietHoursOffAndAsksForTheirTimes() {
        showSettings()
        scrollTo("To")
        compose.onNodeWithText("7:00", substring = true).performClick()
        assertEquals(true, ShadowDialog.getLatestDialog()?.isShowing)
        ShadowDialog.getLatestDialog().dismiss()
        compose.onNodeWithText("Email and push wait until they’re over.").performClick()
        assertEquals(listOf("""set {"quiet":null}"""), calls)
    }

    @Test
    fun showsTheStoredTimeOnADayWhoseClockSkipsIt() {
        val usual = TimeZone.getDefault()
        ZoneRulesProvider.registerProvider(SkippingHour)
        try {
            TimeZone.setDefault(SimpleTimeZone(-60 * 60 * 1000, SkippingHour.ID))
            showSettings(UserSettings(Samples.noticesWithEarlyEnd))
            scrollTo("To")
            compose.onNodeWithText("2:30", substring = true).assertIsDisplayed()
        } finally {
            TimeZone.setDefault(usual)
        }
    }

    @Test
    fun logsOutAtTheSiteIfItHasAPageForIt() {
        showSettings()
        scrollTo("Log out")
        compose.onNodeWithText("Log out").performClick()
        compose.onNodeWithText("Forget me on this device").assertDoesNotExist()
        showSettings(canLogOut = false)
        scrollTo("Forget me on this device")
        compose.onNodeWithText("Forget me on this device").performClick()
        assertEquals(listOf("log out", "forget login"), calls)
    }

    private fun openedPage() = shadowOf(activity).nextStartedActivity?.dataString

    @Test
    fun linksThePrivacyPolicyInTheSettingsAndBeforeTheLogin() {
        val page = "https://www.example.org/privacy"
        showSettings(privacyPage = page)
        scrollTo("Privacy policy")
        compose.onNodeWithText("Privacy policy").performClick()
        assertEquals(page, openedPage())
        show { EndedScreen(Reason.UNAUTHORIZED, page) { calls += "log in" } }
        compose.onNodeWithText("Privacy policy").performClick()
        assertEquals(page, openedPage())
        assertEquals(emptyList<String>(), calls)
    }

    @Test
    fun linksNoPrivacyPolicyOfASiteThatNamesNone() {
        show { EndedScreen(Reason.UNAUTHORIZED, "") {} }
        compose.onNodeWithText("Privacy policy").assertDoesNotExist()
    }

    @Test
    fun removesADeviceAndUnblocksAPerson() {
        showSettings()
        scrollTo("Pixel 8")
        compose.onNodeWithText("Remove").performClick()
        compose.onNodeWithTag("settings").performScrollToNode(hasContentDescription("Unblock \u2068Bob Keller\u2069"))
        compose.onNodeWithContentDescription("Unblock \u2068Bob Keller\u2069").performClick()
        assertEquals(listOf("remove d1", "unblock 2"), calls)
    }

    @Test
    fun hidesTheLastVisitAlsoOnASiteWithoutNotifications() {
        showSettings(UserSettings(isHidden = false))
        compose.onNodeWithText("Email").assertDoesNotExist()
        compose.onNodeWithText("Hide my last visit and what I’ve seen").assertIsOff().performClick()
        assertEquals(listOf("hide true"), calls)
    }
}
