package io.github.phpsessionchat.app

import androidx.compose.runtime.Composable
import java.io.Serializable

/** A screen on top of the rooms and the open conversation. To add a screen, add it here and to [ScreenContent]. */
sealed interface Screen : Serializable {
    /** The room that the screen belongs to; it closes with the room. */
    val room: String? get() = null

    data object Search : Screen
}

@Composable
fun ScreenContent(screen: Screen, app: AppParts) = when (screen) {
    Screen.Search -> SearchScreen(app.chat, onClose = app.navigation::back) { app.navigation.openMessage(it.room, it.seq) }
}
