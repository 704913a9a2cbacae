package io.github.phpsessionchat.app

import android.app.Activity
import android.graphics.Bitmap
import android.os.Handler
import android.os.Looper
import android.view.PixelCopy
import java.io.File
import org.junit.Assert.assertEquals
import org.robolectric.Shadows.shadowOf

/** Draws the activity to a file. Compose's own `captureToImage` waits for a frame that Robolectric never draws. */
fun takeScreenshot(activity: Activity, name: String) {
    val main = shadowOf(Looper.getMainLooper())
    main.idle()
    val screen = activity.window.decorView
    val bitmap = Bitmap.createBitmap(screen.width, screen.height, Bitmap.Config.ARGB_8888)
    var result = -1
    PixelCopy.request(activity.window, bitmap, { result = it }, Handler(Looper.getMainLooper()))
    main.idle()
    assertEquals(PixelCopy.SUCCESS, result)
    File(System.getProperty("screenshots")!!, "$name.png").outputStream().use {
        bitmap.compress(Bitmap.CompressFormat.PNG, 100, it)
    }
}
