package io.github.phpsessionchat.app

import android.Manifest.permission.POST_NOTIFICATIONS
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Before
import org.junit.Test
import org.robolectric.Shadows.shadowOf

class NotificationPermissionTest : ScreenTest() {
    private var takesPart by mutableStateOf(false)

    /** As the manifest of an app with pushes. */
    @Before
    fun declarePermission() {
        shadowOf(activity.packageManager).getInternalMutablePackageInfo(activity.packageName).requestedPermissions = arrayOf(POST_NOTIFICATIONS)
    }

    private fun asked() = shadowOf(activity).lastRequestedPermission?.requestedPermissions?.toList()

    private fun showConversation() {
        show { NotificationPermission(takesPart) }
        assertNull(asked())
        takesPart = true
        compose.waitForIdle()
    }

    @Test
    fun asksWhenTheUserTakesPart() {
        showConversation()
        assertEquals(listOf(POST_NOTIFICATIONS), asked())
    }

    @Test
    fun doesNotAskAnAppWithoutPushes() {
        shadowOf(activity.packageManager).getInternalMutablePackageInfo(activity.packageName).requestedPermissions = null
        showConversation()
        assertNull(asked())
    }

    @Test
    fun doesNotAskAfterTheUserHasDeclined() {
        shadowOf(activity.packageManager).setShouldShowRequestPermissionRationale(POST_NOTIFICATIONS, true)
        showConversation()
        assertNull(asked())
    }
}
