package io.github.phpsessionchat.app

import android.app.Activity
import android.content.ClipData
import android.content.Intent
import android.net.Uri
import android.view.View
import android.view.ViewGroup
import android.webkit.RenderProcessGoneDetail
import android.webkit.WebChromeClient.FileChooserParams
import android.webkit.WebResourceRequest
import android.webkit.WebView
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Shadows.shadowOf

private const val LOGIN = "https://www.example.org/login"
private const val REGISTRATION = "https://www.example.org/register"

class LoginPageTest : ScreenTest() {
    private val page get() = webViewsIn(activity.window.decorView).single()
    private val client get() = shadowOf(page).webViewClient

    private fun webViewsIn(view: View): List<WebView> = when (view) {
        is WebView -> listOf(view)
        is ViewGroup -> (0 until view.childCount).flatMap { webViewsIn(view.getChildAt(it)) }
        else -> emptyList()
    }

    private fun showLogin() = show { SitePage(R.string.ended_first, LOGIN, onPage = { calls += "page" }, onClose = { calls += "close" }) }

    /** @param isMainFrame false: a frame without a tap */
    private fun requestOf(address: String, isMainFrame: Boolean = true) = object : WebResourceRequest {
        override fun getUrl() = Uri.parse(address)
        override fun isForMainFrame() = isMainFrame
        override fun isRedirect() = false
        override fun hasGesture() = isMainFrame
        override fun getMethod() = "GET"
        override fun getRequestHeaders() = emptyMap<String, String>()
    }

    @Test
    fun offersToLoadThePageAgainAfterACrash() {
        showLogin()
        val crashed = page
        @Suppress("DEPRECATION") // only for tests
        val detail = object : RenderProcessGoneDetail() {
            override fun didCrash() = true
            override fun rendererPriorityAtExit() = 0
        }
        assertTrue(client.onRenderProcessGone(crashed, detail))
        compose.onNodeWithText("Try again").assertIsDisplayed().performClick()
        compose.waitForIdle()
        assertNotSame(crashed, page)
        assertEquals(LOGIN, shadowOf(page).lastLoadedUrl)
    }

    @Test
    fun goesBackToThePreviousPageFirst() {
        showLogin()
        shadowOf(page).pushEntryToHistory(LOGIN)
        client.doUpdateVisitedHistory(page, LOGIN, false)
        compose.waitForIdle()
        assertFalse(isBackOnPage())
        shadowOf(page).pushEntryToHistory(REGISTRATION)
        client.doUpdateVisitedHistory(page, REGISTRATION, false)
        compose.waitForIdle()
        assertTrue(isBackOnPage())
    }

    /** Presses Back, and returns whether the page went back in its history. */
    private fun isBackOnPage(): Boolean {
        val before = shadowOf(page).goBackInvocations
        if (!activity.onBackPressedDispatcher.hasEnabledCallbacks()) return false
        activity.onBackPressedDispatcher.onBackPressed()
        return shadowOf(page).goBackInvocations > before
    }

    @Test
    fun showsTheRegistrationAndOpensMailAddressesInAnotherApp() {
        showLogin()
        assertFalse(client.shouldOverrideUrlLoading(page, requestOf(REGISTRATION)))
        assertTrue(client.shouldOverrideUrlLoading(page, requestOf("mailto:help@example.org")))
        val opened = shadowOf(activity).nextStartedActivity
        assertEquals(Intent.ACTION_SENDTO to Uri.parse("mailto:help@example.org"), opened.action to opened.data)
    }

    @Test
    fun opensTheAppOfALoginServiceAsABrowserWould() {
        showLogin()
        val own = "component=${activity.packageName}/.MainActivity"
        for (address in listOf("bank-id://sign?id=1", "intent://sign?id=1#Intent;scheme=bank-id;$own;end")) {
            assertTrue(client.shouldOverrideUrlLoading(page, requestOf(address)))
            val opened = shadowOf(activity).nextStartedActivity
            assertEquals(Intent.ACTION_VIEW to Uri.parse("bank-id://sign?id=1"), opened.action to opened.data)
            assertEquals(setOf(Intent.CATEGORY_BROWSABLE), opened.categories)
            assertNull(opened.component)
        }
        for (address in listOf("intent:#Intent;launchFlags=x;end", "intent:///etc/hosts#Intent;scheme=file;end")) {
            assertTrue(client.shouldOverrideUrlLoading(page, requestOf(address)))
            assertNull(shadowOf(activity).nextStartedActivity)
        }
        assertTrue(client.shouldOverrideUrlLoading(page, requestOf("bank-id://sign?id=1", isMainFrame = false)))
        assertNull(shadowOf(activity).nextStartedActivity)
    }

    /** Asks for files as the page does. Returns what the page gets. */
    private fun choose(result: Int, chosen: Intent?): List<String>? {
        var received: List<String>? = listOf("no answer")
        val params = object : FileChooserParams() {
            override fun getMode() = MODE_OPEN
            override fun getAcceptTypes() = arrayOf("image/*")
            override fun isCaptureEnabled() = false
            override fun getTitle(): CharSequence? = null
            override fun getFilenameHint(): String? = null
            override fun createIntent() = Intent(Intent.ACTION_GET_CONTENT).setType("image/*")
        }
        assertTrue(shadowOf(page).webChromeClient!!.onShowFileChooser(page, { files -> received = files?.map(Uri::toString) }, params))
        shadowOf(activity).receiveResult(shadowOf(activity).nextStartedActivityForResult.intent, result, chosen)
        return received
    }

    @Test
    fun givesThePageTheChosenFiles() {
        showLogin()
        val first = Uri.parse("content://gallery/17")
        val several = ClipData.newRawUri(null, first).apply { addItem(ClipData.Item(Uri.parse("content://gallery/18"))) }
        assertEquals(listOf("content://gallery/17"), choose(Activity.RESULT_OK, Intent().setData(first)))
        val both = listOf("content://gallery/17", "content://gallery/18")
        assertEquals(both, choose(Activity.RESULT_OK, Intent().apply { clipData = several }))
        assertEquals(null, choose(Activity.RESULT_CANCELED, null))
        assertEquals(null, choose(Activity.RESULT_OK, Intent().setData(Uri.parse("file:///data/data/own/login"))))
    }
}
