package io.github.phpsessionchat.app.server

import android.app.Activity
import android.content.Intent
import android.net.Uri
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollToNode
import io.github.phpsessionchat.app.ChatApplication
import org.junit.Assert.assertEquals
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** The user owns a room. */
class PictureTest : ServerTest() {
    private val chat = (RuntimeEnvironment.getApplication() as ChatApplication).chat

    @Test
    fun choosesAPictureForARoom() {
        Documents.start()
        setCookie()
        activity
        awaitText("Greenhouse")
        compose.onNodeWithText("Greenhouse").performClick()
        awaitDescription("Send")
        compose.onNodeWithText("Greenhouse").performClick()
        awaitText("Settings")
        compose.onNodeWithText("Settings").performClick()
        compose.onNodeWithTag("details").performScrollToNode(hasText("Choose a picture"))
        compose.onNodeWithText("Choose a picture").performClick()
        val picker = shadowOf(activity).nextStartedActivityForResult
        val chosen = Intent().setData(Uri.parse("content://documents/beds.png"))
        compose.runOnUiThread { shadowOf(activity).receiveResult(picker.intent, Activity.RESULT_OK, chosen) }
        await { chat.rooms.value.find { it.name == "Greenhouse" }?.picture != null }
        // It is not attached to a message.
        assertEquals(emptyList<Any>(), chat.uploads.value)
    }
}
