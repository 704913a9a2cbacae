package io.github.phpsessionchat.app

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.Rect
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35])
class ReferencesTest {
    private fun picture(width: Int = 360, height: Int = 740, draw: Canvas.() -> Unit = {}): Bitmap =
        Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888).apply {
            eraseColor(Color.WHITE)
            Canvas(this).draw()
        }

    private fun square(size: Int, color: Int) = picture { drawRect(Rect(10, 10, 10 + size, 10 + size), Paint().apply { this.color = color }) }

    @Test
    fun acceptsSmallDifferences() {
        assertNull(differenceOf(picture(), picture()))
        assertNull(differenceOf(picture(), square(300, Color.rgb(230, 230, 230))))
        assertNull(differenceOf(picture(), square(8, Color.BLACK)))
    }

    @Test
    fun findsAMissingIconAndAnotherColor() {
        assertNotNull(differenceOf(picture(), square(10, Color.BLACK)))
        assertNotNull(differenceOf(square(20, Color.rgb(63, 79, 176)), square(20, Color.rgb(176, 79, 63))))
        val shown = differenceOf(picture(), square(20, Color.BLACK))!!
        assertEquals(Color.RED, shown.getPixel(15, 15))
    }

    @Test
    fun findsAnotherSize() {
        assertNotNull(differenceOf(picture(), picture(height = 700)))
    }
}
