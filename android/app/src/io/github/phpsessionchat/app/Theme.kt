package io.github.phpsessionchat.app

import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.ui.graphics.Color

// The colours of the browser client.
private val light = lightColorScheme(
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
    outline = Color(0xFF7D8497),
    outlineVariant = Color(0xFFE0E3EB),
    error = Color(0xFFB3261E),
)

private val dark = darkColorScheme(
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
    outline = Color(0xFF7D859A),
    outlineVariant = Color(0xFF373C49),
    error = Color(0xFFFF9D94),
)

@Composable
fun ChatTheme(content: @Composable () -> Unit) {
    MaterialTheme(if (isSystemInDarkTheme()) dark else light) {
        Surface(color = MaterialTheme.colorScheme.surface, content = content)
    }
}
