package io.github.phpsessionchat.app.server

import android.content.SharedPreferences
import android.view.View
import android.view.ViewGroup
import android.webkit.CookieManager
import android.webkit.WebView
import androidx.compose.ui.test.ExperimentalTestApi
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import androidx.startup.InitializationProvider
import io.github.phpsessionchat.app.ChatApplication
import io.github.phpsessionchat.app.MainActivity
import java.io.File
import org.junit.Rule
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowLooper

/** Uses the server and the folder of the test in `test/android-app`, which starts these tests. */
open class TestApplication : ChatApplication() {
    override val server = System.getProperty("chat.server")!!
    override val visitedPage = System.getProperty("chat.page") ?: ""

    override fun onCreate() {
        // Android does this itself. It lets the app know when it is visible.
        Robolectric.buildContentProvider(InitializationProvider::class.java).create()
        super.onCreate()
    }

    override fun getFilesDir() = File(System.getProperty("chat.files")!!)

    /** Survives the process, as on a device. */
    override fun getSharedPreferences(name: String, mode: Int): SharedPreferences =
        baseContext.getSharedPreferences(File(filesDir, "$name.xml"), mode)
}

@OptIn(ExperimentalTestApi::class)
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], application = TestApplication::class, qualifiers = "w360dp-h740dp-port-notnight-xhdpi")
abstract class ServerTest {
    @get:Rule val compose = createEmptyComposeRule()
    protected val controller: ActivityController<MainActivity> = Robolectric.buildActivity(MainActivity::class.java)
    protected val activity: MainActivity
        get() {
            if (!isStarted) controller.setup()
            isStarted = true
            return controller.get()
        }

    private var isStarted = false

    protected val offline get() = File(System.getProperty("chat.files")!!, "offline")

    /** The files of unsent messages. */
    protected val unsent
        get() = File(System.getProperty("chat.files")!!, "outbox").walk().filter { it.extension == "json" }.toList()

    /** `waitUntil` alone does not run what other threads post to the main thread. */
    protected fun await(condition: () -> Boolean) = compose.waitUntil(60_000) {
        ShadowLooper.idleMainLooper()
        condition()
    }

    protected fun awaitText(text: String) = compose.waitUntilAtLeastOneExists(hasText(text, substring = true), 60_000)

    protected fun awaitDescription(text: String) = compose.waitUntilAtLeastOneExists(hasContentDescription(text), 60_000)

    /** As the site's login page does. */
    protected fun setCookie() {
        CookieManager.getInstance().setCookie(System.getProperty("chat.server")!!, System.getProperty("chat.cookie")!!)
    }

    protected fun findWebView(view: View): WebView? = when (view) {
        is WebView -> view
        is ViewGroup -> (0 until view.childCount).firstNotNullOfOrNull { findWebView(view.getChildAt(it)) }
        else -> null
    }

    protected fun openLobby() {
        awaitText("lobby")
        compose.onNodeWithText("lobby").performClick()
        awaitDescription("Send")
    }

    protected fun send(text: String) {
        compose.onNodeWithTag("draft").performTextInput(text)
        compose.onNodeWithContentDescription("Send").performClick()
    }
}
