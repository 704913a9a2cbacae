package io.github.phpsessionchat.app

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Rect
import android.os.Handler
import android.os.Looper
import android.view.Gravity
import android.view.PixelCopy
import android.view.WindowManager.LayoutParams
import android.view.inspector.WindowInspector
import java.io.File
import org.junit.Assert.assertEquals
import org.robolectric.Shadows.shadowOf

/**
 * Draws the activity, its dialogs and its menus to `android/app/out/screenshots`, and compares the picture with the one
 * of the same name in `android/app/references`, if there is one. Compose's own `captureToImage` waits for a frame that
 * Robolectric never draws.
 */
fun takeScreenshot(activity: Activity, name: String) {
    val main = shadowOf(Looper.getMainLooper())
    main.idle()
    val screen = activity.window.decorView
    val bitmap = Bitmap.createBitmap(screen.width, screen.height, Bitmap.Config.ARGB_8888)
    var result = -1
    PixelCopy.request(activity.window, bitmap, { result = it }, Handler(Looper.getMainLooper()))
    main.idle()
    assertEquals(PixelCopy.SUCCESS, result)
    drawDialogs(activity, bitmap)
    bitmap.writeTo(File(System.getProperty("screenshots")!!, "$name.png"))
    compareWithReference(bitmap, name)
}

fun Bitmap.writeTo(file: File) {
    file.parentFile!!.mkdirs()
    file.outputStream().use { compress(Bitmap.CompressFormat.PNG, 100, it) }
}

private fun drawDialogs(activity: Activity, bitmap: Bitmap) {
    val canvas = Canvas(bitmap)
    val screen = Rect(0, 0, bitmap.width, bitmap.height)
    for (window in WindowInspector.getGlobalWindowViews()) {
        if (window === activity.window.decorView || !window.isShown) continue
        val layout = window.layoutParams as LayoutParams
        if (layout.flags and LayoutParams.FLAG_DIM_BEHIND != 0) canvas.drawColor(Color.argb((255 * layout.dimAmount).toInt(), 0, 0, 0))
        // Robolectric has no window manager, which would place the window.
        val place = Rect()
        Gravity.apply(layout.gravity, window.width, window.height, screen, layout.x, layout.y, place)
        canvas.save()
        canvas.translate(place.left.toFloat(), place.top.toFloat())
        window.draw(canvas)
        canvas.restore()
    }
}
