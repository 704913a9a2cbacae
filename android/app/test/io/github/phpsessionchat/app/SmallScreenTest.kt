package io.github.phpsessionchat.app

import androidx.compose.material3.SnackbarHostState
import androidx.compose.runtime.remember
import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.semantics.SemanticsNode
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.semantics.getOrNull
import androidx.compose.ui.test.SemanticsMatcher
import androidx.compose.ui.text.TextLayoutResult
import androidx.compose.ui.text.style.TextOverflow
import io.github.phpsessionchat.ConnectionState.Kind
import io.github.phpsessionchat.Samples
import org.junit.Assert.assertEquals
import org.junit.Test
import org.robolectric.annotation.Config

private const val GERMAN = "de-ldltr-w320dp-h640dp-port-notnight-xhdpi"
private const val ARABIC = "ar-ldrtl-w320dp-h640dp-port-notnight-xhdpi"
private const val JAPANESE = "ja-ldltr-w320dp-h640dp-port-notnight-xhdpi"

/** Tests that long words and large text fit on a small screen. */
class SmallScreenTest : ScreenTest() {
    private val problems = mutableListOf<String>()

    private fun fits(name: String) {
        showConversation(connection = Kind.OFFLINE, uploads = Samples.interruptedUploads)
        findProblems("conversation")
        takeScreenshot(activity, "small-conversation-$name")
        showConversation(Samples.rejectedEntries)
        findProblems("rejected message")
        takeScreenshot(activity, "small-rejected-$name")
        val (room, question) = Samples.question("open")
        showConversation(room = room, question = question)
        findProblems("question")
        takeScreenshot(activity, "small-question-$name")
        show { Restricted(remember { SnackbarHostState() }, {}, { Samples.restrictions }) { _, _ -> } }
        findProblems("restricted users")
        takeScreenshot(activity, "small-restricted-$name")
        showRooms()
        findProblems("rooms")
        assertEquals(emptyList<String>(), problems)
    }

    private fun findProblems(screen: String) {
        val nodes = compose.onAllNodes(SemanticsMatcher("all") { true }, useUnmergedTree = true).fetchSemanticsNodes()
        for (node in nodes) problemOf(node)?.let { problems += "$screen: $it" }
        val controls = nodes.filter { SemanticsActions.OnClick in it.config && !it.boundsInRoot.isEmpty }
        for ((number, one) in controls.withIndex()) {
            for (other in controls.drop(number + 1)) {
                if (one.isIn(other) || other.isIn(one)) continue
                if (one.boundsInRoot.overlaps(other.boundsInRoot)) problems += "$screen: ${nameOf(one)} overlaps ${nameOf(other)}"
            }
        }
    }

    private fun problemOf(node: SemanticsNode): String? {
        val layouts = mutableListOf<TextLayoutResult>()
        node.config.getOrNull(SemanticsActions.GetTextLayoutResult)?.action?.invoke(layouts)
        val shown = layouts.singleOrNull() ?: return null
        val text = shown.layoutInput.text.text
        // The width of a line has fractions, and its space has none.
        val isTooWide = (0 until shown.lineCount).any { shown.getLineRight(it) - shown.getLineLeft(it) > shown.size.width + 1 }
        val isCut = shown.multiParagraph.didExceedMaxLines || shown.didOverflowHeight || isTooWide
        if (isCut && shown.layoutInput.overflow != TextOverflow.Ellipsis) return "cuts “$text”"
        val isSplit = (0 until shown.lineCount - 1).map(shown::getLineEnd).any { text[it - 1].isPartOfWord() && text[it].isPartOfWord() }
        return if (isSplit) "splits a word of “$text”" else null
    }

    /** Chinese and Japanese have no spaces between words. */
    private fun Char.isPartOfWord() = isLetter() && !Character.isIdeographic(code) && Character.UnicodeScript.of(code) !in
        listOf(Character.UnicodeScript.HIRAGANA, Character.UnicodeScript.KATAKANA, Character.UnicodeScript.COMMON)

    private fun SemanticsNode.isIn(other: SemanticsNode) = generateSequence(parent) { it.parent }.any { it.id == other.id }

    private fun nameOf(node: SemanticsNode): String {
        val names = node.config.getOrNull(SemanticsProperties.Text).orEmpty() + node.config.getOrNull(SemanticsProperties.ContentDescription).orEmpty()
        return (names + node.children.map(::nameOf)).filter { "$it".isNotEmpty() }.joinToString()
    }

    @Test
    @Config(qualifiers = GERMAN)
    fun fitsInGerman() = fits("german-100")

    @Test
    @Config(qualifiers = GERMAN, fontScale = 1.3f)
    fun fitsInLargerGerman() = fits("german-130")

    @Test
    @Config(qualifiers = GERMAN, fontScale = 2f)
    fun fitsInLargeGerman() = fits("german-200")

    @Test
    @Config(qualifiers = ARABIC)
    fun fitsInArabic() = fits("arabic-100")

    @Test
    @Config(qualifiers = ARABIC, fontScale = 1.3f)
    fun fitsInLargerArabic() = fits("arabic-130")

    @Test
    @Config(qualifiers = ARABIC, fontScale = 2f)
    fun fitsInLargeArabic() = fits("arabic-200")

    @Test
    @Config(qualifiers = JAPANESE)
    fun fitsInJapanese() = fits("japanese-100")

    @Test
    @Config(qualifiers = JAPANESE, fontScale = 1.3f)
    fun fitsInLargerJapanese() = fits("japanese-130")

    @Test
    @Config(qualifiers = JAPANESE, fontScale = 2f)
    fun fitsInLargeJapanese() = fits("japanese-200")
}
