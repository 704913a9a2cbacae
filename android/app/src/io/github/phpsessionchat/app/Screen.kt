package io.github.phpsessionchat.app

import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import io.github.phpsessionchat.User
import java.io.Serializable
import kotlinx.coroutines.awaitCancellation

/** A screen on top of the rooms and the open conversation. To add a screen, add it here and to [ScreenContent]. */
sealed interface Screen : Serializable {
    /** The room that the screen belongs to; it closes with the room. */
    val room: String? get() = null

    data object Search : Screen

    data class RoomDetails(override val room: String) : Screen

    data object Settings : Screen

    data object LogOut : Screen

    data object Scheduled : Screen

    data object NewChat : Screen

    data object NewRoom : Screen

    /** A question to the team of the site. */
    data object Ask : Screen

    data object PublicRooms : Screen

    /** @param room a room of the user, which decides what may be known about them */
    data class Person(override val room: String, val id: String, val name: String) : Screen

    /** @param replyTo the reply to answer; 0: the first message of the thread */
    data class Thread(override val room: String, val number: Long, val replyTo: Long = 0) : Screen

    data class NewPoll(override val room: String, val isEvent: Boolean) : Screen

    /** The muted and banned users of a room. */
    data class Restricted(override val room: String) : Screen

    /** Messages that wait for a decision, and reports. */
    data object Moderation : Screen

    data class Invite(override val room: String) : Screen

    data class InviteLinks(override val room: String) : Screen
}

@Composable
fun ScreenContent(screen: Screen, app: AppParts) = when (screen) {
    Screen.Search -> SearchScreen(app.chat, onClose = app.navigation::back) { app.navigation.openMessage(it.room, it.seq) }
    is Screen.RoomDetails -> RoomDetailsScreen(app, screen.room)
    Screen.Settings -> SettingsScreen(app)
    Screen.LogOut -> {
        LaunchedEffect(Unit) { app.chat.visits?.withoutVisits { awaitCancellation() } }
        SitePage(R.string.settings_logOut, app.logoutPage, onPage = app.chat.client::wake, app.navigation::back)
    }
    Screen.Scheduled -> ScheduledScreen(app)
    Screen.NewChat -> NewChatScreen(app)
    Screen.NewRoom -> NewRoomScreen(app)
    Screen.Ask -> AskScreen(app)
    Screen.PublicRooms -> PublicRoomsScreen(app)
    is Screen.Person -> PersonScreen(app, screen.room, User(screen.id, screen.name))
    is Screen.Thread -> ThreadScreen(app, screen)
    is Screen.NewPoll -> NewPollScreen(app, screen)
    is Screen.Restricted -> RestrictedScreen(app, screen.room)
    Screen.Moderation -> ModerationScreen(app)
    is Screen.Invite -> InviteScreen(app, screen.room)
    is Screen.InviteLinks -> InviteLinksScreen(app, screen.room)
}
