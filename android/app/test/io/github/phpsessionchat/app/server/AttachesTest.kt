package io.github.phpsessionchat.app.server

import android.content.Intent
import android.net.Uri
import androidx.compose.ui.test.onAllNodesWithText
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.performClick
import io.github.phpsessionchat.app.ChatApplication
import org.junit.Test
import org.robolectric.RuntimeEnvironment

/** The other side kills this process. */
class AttachesTest : ServerTest() {
    private val app = RuntimeEnvironment.getApplication() as ChatApplication

    @Test
    fun attachesAFileAndRemovesAnother() {
        Documents.start()
        setCookie()
        activity
        awaitText("lobby")
        val files = listOf("plan.txt", "draft.txt").map { Uri.parse("content://documents/$it") }
        val share = Intent(Intent.ACTION_SEND_MULTIPLE).putParcelableArrayListExtra(Intent.EXTRA_STREAM, ArrayList(files))
        compose.runOnUiThread { controller.newIntent(share) }
        openLobby()
        for (name in listOf("plan.txt", "draft.txt")) awaitText(name)
        await { app.chat.uploads.value.count { it.file != null } == 2 }
        compose.onNodeWithContentDescription("Remove \u2068draft.txt\u2069").performClick()
        await { compose.onAllNodesWithText("draft.txt").fetchSemanticsNodes().isEmpty() }
        println("the app has attached a file")
        Thread.sleep(60_000)
    }
}
