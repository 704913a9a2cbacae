package io.github.phpsessionchat.app

import androidx.compose.ui.text.LinkAnnotation
import androidx.compose.ui.text.SpanStyle
import androidx.compose.ui.text.TextLinkStyles
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.font.FontStyle
import androidx.compose.ui.text.font.FontWeight
import io.github.phpsessionchat.MessageText
import org.junit.Assert.assertEquals
import org.junit.Test

class LinkedTest {
    private val looks = Looks(TextLinkStyles(), SpanStyle(fontFamily = FontFamily.Monospace), SpanStyle())

    private fun formatted(text: String) = formatted(MessageText.blocks(text), looks)

    private fun links(text: String): List<Pair<String, String>> {
        val shown = formatted(text)
        return shown.getLinkAnnotations(0, shown.length).map {
            (it.item as LinkAnnotation.Url).url to shown.substring(it.start, it.end)
        }
    }

    @Test fun `opens links, and shows the host that the browser requests`() {
        assertEquals(
            listOf(
                "https://xn--pple-43d.example/%C3%A4" to leftToRight("https://xn--pple-43d.example/ä"),
                "mailto:bob@a.example" to leftToRight("bob@a.example"),
            ),
            links("see https://аpple.example/ä, or ask bob@a.example."),
        )
        assertEquals(listOf("https://www.a.example/" to leftToRight("www.a.example")), links("**www.a.example**"))
    }

    @Test fun `opens no link with user information or in code`() {
        assertEquals(emptyList<Any>(), links("https://bank.example@other.example/ `https://a.example`\n```\nhttps://a.example\n```"))
    }

    @Test fun `shows lists, quotations and code as lines`() {
        val text = "to do:\n- a\n- b\n3. c\n> d\n> e\n```\nf\n  g\n```\nend"
        assertEquals("to do:\n• a\n• b\n3. c\n▏d\n▏e\nf\n  g\nend", formatted(text).text)
    }

    @Test fun `shows bold, italic and code without their signs`() {
        val shown = formatted("**a *b*** `c`")
        assertEquals("a b c", shown.text)
        fun parts(isShown: (SpanStyle) -> Boolean) =
            shown.spanStyles.filter { isShown(it.item) }.map { shown.substring(it.start, it.end) }
        assertEquals(listOf("a b"), parts { it.fontWeight == FontWeight.Bold })
        assertEquals(listOf("b"), parts { it.fontStyle == FontStyle.Italic })
        assertEquals(listOf("c"), parts { it.fontFamily == FontFamily.Monospace })
    }
}
