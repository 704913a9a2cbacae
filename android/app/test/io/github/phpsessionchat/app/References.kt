package io.github.phpsessionchat.app

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Color
import java.io.File
import kotlin.math.abs
import kotlin.math.max

/** A pixel differs if a colour channel differs by this much, out of 255. Other machines smooth letters differently. */
private const val MIN_DIFFERENCE = 48

/** The share of pixels that may differ: 80 pixels on a phone, less than the lines of an icon. */
private const val MAX_SHARE = 0.0003

private val failures = mutableListOf<String>()

/** Call it at the end of a test, so that the failure names all pictures that differ. */
fun failIfScreenshotsDiffer() {
    val message = failures.joinToString("\n")
    failures.clear()
    if (message.isNotEmpty()) throw AssertionError(message)
}

/**
 * The references have half the size, because their file size matters and details of letters do not. To add one, create
 * an empty file.
 */
fun compareWithReference(bitmap: Bitmap, name: String) {
    val reference = File(System.getProperty("references")!!, "$name.png")
    if (!reference.exists()) return
    val screenshots = File(System.getProperty("screenshots")!!)
    val picture = Bitmap.createScaledBitmap(bitmap, bitmap.width / 2, bitmap.height / 2, true)
    val new = File(screenshots, "new/$name.png")
    picture.writeTo(new)
    val expected = BitmapFactory.decodeFile(reference.path)
    val difference = if (expected == null) picture else differenceOf(expected, picture)
    if (difference == null) {
        new.delete()
        return
    }
    val shown = File(screenshots, "difference/$name.png")
    difference.writeTo(shown)
    failures += "$name differs from $reference, see $shown.\nIf the new picture is right: cp $new $reference"
}

/** Returns a picture of the differences in red, or null if the pictures are the same to the eye. */
fun differenceOf(expected: Bitmap, actual: Bitmap): Bitmap? {
    val result = Bitmap.createBitmap(max(expected.width, actual.width), max(expected.height, actual.height), Bitmap.Config.ARGB_8888)
    var count = 0
    for (y in 0 until result.height) {
        for (x in 0 until result.width) {
            val isInBoth = x < expected.width && x < actual.width && y < expected.height && y < actual.height
            val isSame = isInBoth && isSame(expected.getPixel(x, y), actual.getPixel(x, y))
            if (!isSame) count++
            result.setPixel(x, y, if (isSame) faded(actual.getPixel(x, y)) else Color.RED)
        }
    }
    return result.takeIf { count > MAX_SHARE * result.width * result.height }
}

private fun isSame(one: Int, other: Int) =
    abs(Color.red(one) - Color.red(other)) < MIN_DIFFERENCE &&
        abs(Color.green(one) - Color.green(other)) < MIN_DIFFERENCE &&
        abs(Color.blue(one) - Color.blue(other)) < MIN_DIFFERENCE

private fun faded(color: Int) = Color.argb(80, Color.red(color), Color.green(color), Color.blue(color))
