package io.github.phpsessionchat.app

import android.text.StaticLayout
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performScrollToIndex
import androidx.compose.ui.test.performTouchInput
import io.github.phpsessionchat.Samples
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.annotation.Config
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.annotation.RealObject
import org.robolectric.shadow.api.Shadow

/** Counts the layouts of texts with several lines. */
@Implements(StaticLayout.Builder::class)
class CountedLayouts {
    @RealObject private lateinit var builder: StaticLayout.Builder

    @Implementation
    fun build(): StaticLayout {
        count++
        return Shadow.directlyOn(builder, StaticLayout.Builder::class.java, "build")
    }

    companion object {
        var count = 0
    }
}

@Config(shadows = [CountedLayouts::class])
class ScrollTest : ScreenTest() {
    private val all = 10_000

    /** Returns the number of composed rows, and that of text layouts, since the last call. */
    private fun counted() = (composedVoices to CountedLayouts.count).also {
        composedVoices = 0
        CountedLayouts.count = 0
    }

    private fun rows() = compose.onAllNodes(hasContentDescription("Voice message", substring = true)).fetchSemanticsNodes().size

    @Test
    fun scrollingManyMessagesComposesOnlyTheRowsThatAppear() {
        showConversation(Samples.voiceMessages(all), Samples.wholeHistory)
        val (shown, layouts) = counted()
        assertTrue("$shown rows", shown in 3..30)
        // The bars have texts too.
        assertTrue("$layouts layouts", layouts in shown..2 * shown + 20)

        compose.mainClock.autoAdvance = false
        val list = compose.onNodeWithTag("messages")
        list.performTouchInput { down(center) }
        counted()
        var scrolled = 0
        repeat(200) { frame ->
            list.performTouchInput { moveBy(Offset(0f, 400f)) }
            compose.mainClock.advanceTimeByFrame()
            val (rows, texts) = counted()
            assertTrue("$rows rows in frame $frame", rows <= 15)
            assertTrue("$texts layouts in frame $frame", texts <= 2 * 15)
            scrolled += rows
        }
        list.performTouchInput { up() }
        compose.mainClock.autoAdvance = true
        compose.waitForIdle()
        assertTrue("$scrolled rows", scrolled in 200..2_000)

        counted()
        list.performScrollToIndex(all - 1)
        compose.waitForIdle()
        compose.onNodeWithText("Number 1\nof $all").assertExists()
        val (far) = counted()
        assertTrue("$far rows", far in 3..60)
        assertTrue("${rows()} rows", rows() <= 30)
    }
}
