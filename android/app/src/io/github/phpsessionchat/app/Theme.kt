package io.github.phpsessionchat.app

import android.content.Context
import android.os.Build
import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.material3.ColorScheme
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.lerp
import androidx.compose.ui.graphics.luminance
import androidx.compose.ui.platform.LocalContext

// The colours of the browser client.
val light = lightColorScheme(
    primary = Color(0xFF3F4FB0),
    onPrimary = Color.White,
    primaryContainer = Color(0xFFDDE5FF),
    onPrimaryContainer = Color(0xFF1A1D29),
    secondaryContainer = Color(0xFFDDE5FF),
    onSecondaryContainer = Color(0xFF1A1D29),
    background = Color(0xFFF8FAFE),
    onBackground = Color(0xFF1A1D29),
    surface = Color(0xFFEEF1F9),
    onSurface = Color(0xFF1A1D29),
    onSurfaceVariant = Color(0xFF565D72),
    surfaceBright = Color.White,
    surfaceContainerLow = Color.White,
    surfaceContainer = Color.White,
    surfaceContainerHigh = Color.White,
    surfaceContainerHighest = Color(0xFFE0E3EB),
    outline = Color(0xFF7D8497),
    outlineVariant = Color(0xFFE0E3EB),
    error = Color(0xFFB3261E),
)

val dark = darkColorScheme(
    primary = Color(0xFFA6B3FA),
    onPrimary = Color.Black,
    primaryContainer = Color(0xFF303869),
    onPrimaryContainer = Color(0xFFE8EAF1),
    secondaryContainer = Color(0xFF303869),
    onSecondaryContainer = Color(0xFFE8EAF1),
    background = Color(0xFF14151B),
    onBackground = Color(0xFFE8EAF1),
    surface = Color(0xFF0D0E14),
    onSurface = Color(0xFFE8EAF1),
    onSurfaceVariant = Color(0xFFA7ADBF),
    surfaceBright = Color(0xFF24262F),
    surfaceContainerLow = Color(0xFF292B34),
    surfaceContainer = Color(0xFF292B34),
    surfaceContainerHigh = Color(0xFF292B34),
    surfaceContainerHighest = Color(0xFF373C49),
    outline = Color(0xFF7D859A),
    outlineVariant = Color(0xFF373C49),
    error = Color(0xFFFF9D94),
)

/** The lowest contrast of text that is easy to read (WCAG 2.2). */
private const val CONTRAST = 4.5f

/** @param siteAccent the accent that the chat server names, such as `#a3420b` */
@Composable
fun ChatTheme(siteAccent: String? = null, content: @Composable () -> Unit) {
    val context = LocalContext.current
    val isDark = isSystemInDarkTheme()
    MaterialTheme(remember(context, isDark, siteAccent) { colorsOf(context, isDark, siteAccent) }) {
        Surface(color = MaterialTheme.colorScheme.surface, content = content)
    }
}

/** Returns the colours with the accent of `site.xml`, of the chat server, or of the device, from Android 12. */
private fun colorsOf(context: Context, isDark: Boolean, siteAccent: String?): ColorScheme {
    val accent = Color(context.getColor(R.color.accent)).takeIf { it != Color.Transparent } ?: colorOf(siteAccent)
    val device = if (isDark) android.R.color.system_accent1_200 else android.R.color.system_accent1_600
    val colors = if (isDark) dark else light
    return when {
        accent != null -> withAccent(colors, accent)
        Build.VERSION.SDK_INT >= 31 -> withAccent(colors, Color(context.getColor(device)))
        else -> colors
    }
}

/** Returns the colour of a text such as `#a3420b`, or null for another text. */
fun colorOf(accent: String?): Color? =
    accent?.takeIf(Regex("#[0-9a-f]{6}")::matches)?.let { Color(0xFF000000 or it.drop(1).toLong(16)) }

/** Makes the accent darker or lighter if it would be hard to read on the background. */
fun withAccent(scheme: ColorScheme, accent: Color): ColorScheme {
    val target = if (scheme.background.luminance() > 0.5f) Color.Black else Color.White
    val primary = (0..10).map { lerp(accent, target, it / 10f) }.first { contrast(it, scheme.background) >= CONTRAST }
    val container = lerp(scheme.background, primary, 0.2f)
    return scheme.copy(
        primary = primary,
        onPrimary = listOf(Color.White, Color.Black).maxBy { contrast(it, primary) },
        primaryContainer = container,
        onPrimaryContainer = scheme.onBackground,
        secondaryContainer = container,
        onSecondaryContainer = scheme.onBackground,
    )
}

fun contrast(one: Color, other: Color): Float {
    val (dark, light) = listOf(one.luminance(), other.luminance()).sorted()
    return (light + 0.05f) / (dark + 0.05f)
}
