package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import io.github.phpsessionchat.app.ChatApplication
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Test
import org.robolectric.RuntimeEnvironment

/** A process has ended since the user attached a file. */
class SendsAttachedTest : ServerTest() {
    private val copies get() = File(System.getProperty("chat.files")!!, "draft-files").walk().filter(File::isFile).toList()

    @Test
    fun sendsTheFileAndDeletesItsCopy() {
        setCookie()
        activity
        openLobby()
        awaitText("plan.txt")
        compose.onNodeWithText("draft.txt").assertDoesNotExist()
        assertEquals(2, copies.size)
        val app = RuntimeEnvironment.getApplication() as ChatApplication
        await { app.chat.uploads.value.singleOrNull()?.file != null }
        compose.onNodeWithContentDescription("Send").performClick()
        await { copies.isEmpty() }
        awaitText("Thank you")
    }
}
