package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.ModalBottomSheet
import androidx.compose.material3.rememberModalBottomSheetState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.RoomSummary.Notify
import java.time.ZonedDateTime

/** Leaves room between the positions of favourites, so that a room can move there. */
private const val STEP = 1L shl 20

val RoomSummary.isFavourite get() = favourite >= 0

fun List<RoomSummary>.favouritesFirst() = sortedBy { if (it.isFavourite) it.favourite else Long.MAX_VALUE }

private fun List<RoomSummary>.favourites() = filter { it.member && it.isFavourite }.favouritesFirst()

/**
 * Returns the changed positions after a favourite has moved.
 *
 * @param by -1: up, 1: down
 */
fun List<RoomSummary>.moveFavourite(room: String, by: Int): Map<String, Long> {
    val order = favourites()
    val moved = order.find { it.id == room } ?: return emptyMap()
    val others = order - moved
    val index = order.indexOf(moved) + by
    if (index !in order.indices) return emptyMap()
    val before = others.getOrNull(index - 1)?.favourite ?: 0
    val after = others.getOrNull(index)?.favourite ?: (before + 2 * STEP)
    val position = (before + after) / 2
    if (position in before + 1..<after) return mapOf(room to position)
    val all = others.toMutableList().apply { add(index, moved) }
    return all.withIndex().associate { (number, favourite) -> favourite.id to (number + 1) * STEP }
}

/** What the user can do with the place of a room in the list, and with its notifications. */
interface RoomMenuActions {
    /** The user's rooms. */
    val rooms: List<RoomSummary>
    fun setFavourite(room: String, position: Long?)

    /** @param by -1: up, 1: down */
    fun moveFavourite(room: String, by: Int)
    fun setArchived(room: String, archived: Boolean)

    /** @param quietMs how long no message notifies the user; 0: [notify] applies at once */
    fun setNotify(room: String, notify: Notify, quietMs: Long = 0)

    /** Opens the list of scheduled messages and reminders. */
    fun openScheduled()
}

class ChatRoomMenu(private val app: AppParts, private val perform: Requests) : RoomMenuActions {
    override val rooms get() = app.chat.rooms.value

    override fun setFavourite(room: String, position: Long?) = perform { request<RoomSummary> { setFavourite(room, position, it) } }

    override fun moveFavourite(room: String, by: Int) {
        val positions = rooms.moveFavourite(room, by)
        perform { for ((id, position) in positions) request<RoomSummary> { setFavourite(id, position, it) } }
    }

    override fun setArchived(room: String, archived: Boolean) = perform { request<RoomSummary> { setArchived(room, archived, it) } }

    override fun setNotify(room: String, notify: Notify, quietMs: Long) = perform { request<RoomSummary> { setNotify(room, notify, quietMs, it) } }

    override fun openScheduled() = app.navigation.open(Screen.Scheduled)
}

@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun RoomMenu(room: RoomSummary, actions: RoomMenuActions, onClose: () -> Unit) {
    var isMuting by remember { mutableStateOf(false) }
    ModalBottomSheet(onDismissRequest = onClose, sheetState = rememberModalBottomSheetState(skipPartiallyExpanded = true)) {
        Column(Modifier.verticalScroll(rememberScrollState())) {
            @Composable
            fun Entry(label: Int, action: () -> Unit) = MenuEntry(stringResource(label)) {
                action()
                onClose()
            }
            SectionHeading(if (isMuting) stringResource(R.string.rooms_mute) else titleOf(room))
            if (isMuting) {
                for ((label, ms) in muteTimes()) Entry(label) { actions.setNotify(room.id, room.notify, ms) }
                Entry(R.string.quiet_open) { actions.setNotify(room.id, Notify.NONE) }
                return@Column
            }
            val favourites = actions.rooms.favourites()
            val index = favourites.indexOfFirst { it.id == room.id }
            if (room.isFavourite) {
                Entry(R.string.rooms_noFavourite) { actions.setFavourite(room.id, null) }
            } else {
                Entry(R.string.rooms_addFavourite) { actions.setFavourite(room.id, (favourites.lastOrNull()?.favourite ?: 0) + STEP) }
            }
            if (index > 0) Entry(R.string.rooms_moveUp) { actions.moveFavourite(room.id, -1) }
            if (index in 0..<favourites.lastIndex) Entry(R.string.rooms_moveDown) { actions.moveFavourite(room.id, 1) }
            Entry(if (room.archived) R.string.rooms_unarchive else R.string.rooms_doArchive) { actions.setArchived(room.id, !room.archived) }
            if (room.isQuiet()) {
                Entry(R.string.rooms_unmute) { actions.setNotify(room.id, if (room.notify == Notify.NONE) defaultNotify(room) else room.notify) }
            } else {
                MenuEntry(stringResource(R.string.rooms_mute)) { isMuting = true }
            }
            Entry(R.string.later_list, actions::openScheduled)
        }
    }
}

private fun defaultNotify(room: RoomSummary) = if (room.kind == RoomSummary.Kind.PUBLIC) Notify.MENTIONS else Notify.ALL

private fun muteTimes(): List<Pair<Int, Long>> {
    val now = ZonedDateTime.now()
    val tomorrow = tomorrowMorning(now).toInstant().toEpochMilli() - now.toInstant().toEpochMilli()
    return listOf(R.string.quiet_hour to HOUR_MS, R.string.quiet_hours to 8 * HOUR_MS, R.string.quiet_tomorrow to tomorrow)
}
