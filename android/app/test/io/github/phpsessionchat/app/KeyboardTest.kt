package io.github.phpsessionchat.app

import android.content.ClipDescription
import android.net.Uri
import android.view.View
import android.view.ViewGroup
import android.view.inputmethod.EditorInfo
import android.view.inputmethod.InputConnection
import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.remember
import androidx.compose.ui.test.getUnclippedBoundsInRoot
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.performClick
import androidx.compose.ui.unit.dp
import androidx.core.graphics.Insets
import androidx.core.view.ViewCompat
import androidx.core.view.WindowInsetsCompat
import androidx.core.view.WindowInsetsCompat.Type
import androidx.core.view.inputmethod.EditorInfoCompat
import androidx.core.view.inputmethod.InputConnectionCompat
import androidx.core.view.inputmethod.InputContentInfoCompat
import io.github.phpsessionchat.Samples
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The keyboard covers the lower part of the window, so all screens must end above it. */
class KeyboardTest : ScreenTest() {
    private val screen = 740.dp
    private val keyboard = 300.dp

    private fun openKeyboard() {
        val density = activity.resources.displayMetrics.density
        val bar = Insets.of(0, 0, 0, (48 * density).toInt())
        val insets = WindowInsetsCompat.Builder()
            .setInsets(Type.navigationBars(), bar)
            .setInsets(Type.ime(), Insets.of(0, 0, 0, (keyboard.value * density).toInt()))
            .build()
        val content = activity.findViewById<ViewGroup>(android.R.id.content).getChildAt(0)
        compose.runOnUiThread { ViewCompat.dispatchApplyWindowInsets(content, insets) }
        compose.waitForIdle()
    }

    private fun assertEndsAtKeyboard(tag: String) {
        openKeyboard()
        assertEquals((screen - keyboard).value, compose.onNodeWithTag(tag).getUnclippedBoundsInRoot().bottom.value, 1f)
    }

    @Test
    fun publicRoomsEndAboveTheKeyboard() {
        show { PublicRooms({}, {}) { query, cursor -> Samples.publicRooms(query, cursor) } }
        assertEndsAtKeyboard("public rooms")
    }

    @Test
    fun foundUsersEndAboveTheKeyboard() {
        show { NewChat(Samples.identity, remember { SnackbarHostState() }, {}, {}, {}, {}, { Samples.found(it) }) {} }
        assertEndsAtKeyboard("new chat")
    }

    @Test
    fun invitedUsersEndAboveTheKeyboard() {
        show { Invite(Samples.largeRoom, remember { SnackbarHostState() }, {}, {}, { Samples.found(it) }) { _, _ -> } }
        assertEndsAtKeyboard("invite")
    }

    /** Returns what the keyboard writes to. */
    private fun connect(view: View): Pair<InputConnection, EditorInfo>? {
        val info = EditorInfo()
        view.onCreateInputConnection(info)?.let { return it to info }
        return (view as? ViewGroup)?.let { group -> (0 until group.childCount).firstNotNullOfOrNull { connect(group.getChildAt(it)) } }
    }

    @Test
    fun attachesAPictureOfTheKeyboard() {
        showConversation()
        compose.onNodeWithTag("draft").performClick()
        compose.waitForIdle()
        val (connection, info) = connect(activity.window.decorView)!!
        assertEquals(listOf("image/*"), EditorInfoCompat.getContentMimeTypes(info).toList())
        val sticker = InputContentInfoCompat(Uri.parse("content://keyboard/sticker"), ClipDescription("sticker", arrayOf("image/webp")), null)
        compose.runOnUiThread { assertTrue(InputConnectionCompat.commitContent(connection, info, sticker, 0, null)) }
        assertTrue("attach 1" in calls)
    }

    @Test
    fun theMessageIsWrittenAboveTheKeyboard() {
        showConversation()
        openKeyboard()
        val field = compose.onNodeWithTag("draft").getUnclippedBoundsInRoot()
        val list = compose.onNodeWithTag("messages").getUnclippedBoundsInRoot()
        assertTrue("$field", field.bottom <= screen - keyboard && field.bottom > screen - keyboard - 20.dp)
        assertTrue("$list", list.bottom <= field.top)
    }
}
