package io.github.phpsessionchat.app.server

import android.content.Intent
import android.webkit.CookieManager
import io.github.phpsessionchat.app.ChatApplication
import io.github.phpsessionchat.app.downloads
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Test
import org.robolectric.RuntimeEnvironment

class NextUserTest : ServerTest() {
    private val app = RuntimeEnvironment.getApplication() as ChatApplication
    private val download by lazy { File(downloads(app), "f1/plan.pdf") }
    private val attached by lazy { File(app.filesDir, "draft-files/market/1/content") }

    private fun logInAgain(cookie: String) {
        app.chat.client.stop()
        CookieManager.getInstance().removeAllCookies(null)
        app.chat.client.start()
        awaitText("Please log in")
        CookieManager.getInstance().setCookie(System.getProperty("chat.server")!!, cookie)
        app.chat.client.start()
        awaitText("lobby")
    }

    /** The property `chat.room` contains the cookie of the next user. */
    @Test
    fun keepsEverythingForTheSameUserAndNothingForTheNext() {
        setCookie()
        activity
        awaitText("lobby")
        val user = app.chat.me.value!!.user.id
        for (file in listOf(download, attached, File(attached.parentFile, "name"))) {
            file.parentFile!!.mkdirs()
            file.writeText("The plan")
        }
        val share = Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_TEXT, "Good mor")
        compose.runOnUiThread { controller.newIntent(share) }
        openLobby()
        await { app.drafts.texts.value == mapOf("lobby" to "Good mor") }
        app.chat.client.send("nowhere", "Not sent")
        await { unsent.isNotEmpty() }

        logInAgain(System.getProperty("chat.cookie")!!)
        assertEquals(user, app.chat.me.value!!.user.id)
        for (file in listOf(download, attached)) assertEquals("The plan", file.readText())
        assertEquals(mapOf("lobby" to "Good mor"), app.drafts.texts.value)
        assertEquals(1, unsent.size)

        logInAgain(System.getProperty("chat.room")!!)
        await { app.drafts.texts.value.isEmpty() && !downloads(app).exists() && !attached.exists() && unsent.isEmpty() }
    }
}
