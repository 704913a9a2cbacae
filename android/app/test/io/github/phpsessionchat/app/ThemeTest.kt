package io.github.phpsessionchat.app

import androidx.compose.ui.graphics.Color
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ThemeTest {
    private val accents = listOf(Color.Black, Color.White, Color.Yellow, Color.Red, Color.Blue, Color(0xFF00897B))

    @Test
    fun keepsAnAccentThatIsReadable() {
        assertEquals(Color(0xFF6A1B9A), withAccent(light, Color(0xFF6A1B9A)).primary)
    }

    @Test
    fun readsOnlyColoursOfSixDigits() {
        assertEquals(Color(0xFFA3420B), colorOf("#a3420b"))
        for (wrong in listOf(null, "", "red", "#abc", "#a3420b80", "#A3420G")) assertEquals(null, colorOf(wrong))
    }

    @Test
    fun makesEachAccentReadable() {
        for (scheme in listOf(light, dark)) {
            for (accent in accents) {
                val colors = withAccent(scheme, accent)
                assertTrue("$accent", contrast(colors.primary, scheme.background) >= 4.5f)
                assertTrue("$accent", contrast(colors.onPrimary, colors.primary) >= 4.5f)
                assertTrue("$accent", contrast(colors.onPrimaryContainer, colors.primaryContainer) >= 4.5f)
                assertEquals(colors.primaryContainer, colors.secondaryContainer)
            }
        }
    }
}
