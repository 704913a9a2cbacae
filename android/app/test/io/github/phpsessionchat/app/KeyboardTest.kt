package io.github.phpsessionchat.app

import android.view.ViewGroup
import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.remember
import androidx.compose.ui.test.getUnclippedBoundsInRoot
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.unit.dp
import androidx.core.graphics.Insets
import androidx.core.view.ViewCompat
import androidx.core.view.WindowInsetsCompat
import androidx.core.view.WindowInsetsCompat.Type
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
