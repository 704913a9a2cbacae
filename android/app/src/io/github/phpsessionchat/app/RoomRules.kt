package io.github.phpsessionchat.app

import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.compose.foundation.background
import androidx.compose.foundation.border
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.foundation.selection.selectable
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Identity
import io.github.phpsessionchat.RoomChange
import io.github.phpsessionchat.RoomSummary
import io.github.phpsessionchat.RoomSummary.Color
import io.github.phpsessionchat.RoomSummary.Write
import java.text.NumberFormat

/** The offered delays of slow mode, in seconds. */
private val delays = listOf(0, 10, 30, 60, 300, 900)

/** The names of the colours, in the order of [Color]. */
private val colorNames = listOf(
    R.string.color_red,
    R.string.color_orange,
    R.string.color_yellow,
    R.string.color_green,
    R.string.color_teal,
    R.string.color_blue,
    R.string.color_purple,
    R.string.color_pink,
)

/** Changes the name, the look and the rules of a room. */
fun roomRules(room: RoomSummary, me: Identity, actions: RoomDetailsActions): LazyListScope.() -> Unit = {
    item { NameForm(room, actions::update) }
    if (me.canSendFiles || room.picture != null) item { Picture(room, me.canSendFiles, actions) }
    item { SectionHeading(stringResource(R.string.settings_color)) }
    item { Colors(room) { actions.update(RoomChange().color(it)) } }
    item {
        SwitchRow(stringResource(R.string.composer_readOnly), null, room.write == Write.MODERATORS) {
            actions.update(RoomChange().write(if (it) Write.MODERATORS else Write.ALL))
        }
    }
    if (me.canShowPreviews) {
        item {
            SwitchRow(stringResource(R.string.settings_previews), null, room.previews) { actions.update(RoomChange().previews(it)) }
        }
    }
    if (me.canAskWhoHasSeen) {
        item { SwitchRow(stringResource(R.string.seen_title), null, room.seen) { actions.update(RoomChange().seen(it)) } }
    }
    item { SectionHeading(stringResource(R.string.settings_slow)) }
    // Another client may have set a delay that is not offered.
    for (delay in (delays + room.slow).distinct().sorted()) {
        item { Choice(delayText(delay), room.slow == delay) { actions.update(RoomChange().slow(delay)) } }
    }
}

@Composable
private fun delayText(seconds: Int): String {
    val number = NumberFormat.getIntegerInstance()
    return when {
        seconds == 0 -> stringResource(R.string.settings_slow_off)
        seconds % 60 == 0 -> pluralStringResource(R.plurals.settings_slow_minutes, seconds / 60, number.format(seconds / 60))
        else -> stringResource(R.string.settings_slow_seconds, number.format(seconds))
    }
}

@Composable
private fun NameForm(room: RoomSummary, onChange: (RoomChange) -> Unit) {
    // Starts again if another user changes the room.
    var name by rememberSaveable(room.name) { mutableStateOf(room.name) }
    var topic by rememberSaveable(room.topic) { mutableStateOf(room.topic.orEmpty()) }
    var emoji by rememberSaveable(room.emoji) { mutableStateOf(room.emoji.orEmpty()) }
    val change = RoomChange().apply {
        if (name.trim() != room.name) name(name.trim())
        if (topic.trim() != room.topic.orEmpty()) topic(topic.trim())
        if (emoji.trim() != room.emoji.orEmpty()) emoji(emoji.trim())
    }
    val isChanged = name.trim() != room.name || topic.trim() != room.topic.orEmpty() || emoji.trim() != room.emoji.orEmpty()
    val problem = nameProblem(name.trim())
    val optional = stringResource(R.string.create_optional)
    Column(Modifier.padding(16.dp, 8.dp), Arrangement.spacedBy(8.dp)) {
        OutlinedTextField(
            name,
            { name = it },
            Modifier.fillMaxWidth().testTag("name"),
            textStyle = inOwnDirection,
            label = { Text(stringResource(R.string.create_name)) },
            isError = problem != null,
            supportingText = problem?.let { { Text(stringResource(it)) } },
            singleLine = true,
        )
        OutlinedTextField(
            topic,
            { topic = it.take(MAX_TOPIC) },
            Modifier.fillMaxWidth().testTag("topic"),
            textStyle = inOwnDirection,
            label = { Text("${stringResource(R.string.create_topic)} ($optional)") },
        )
        OutlinedTextField(
            emoji,
            { emoji = it },
            Modifier.fillMaxWidth().testTag("emoji"),
            label = { Text("${stringResource(R.string.emoji_open)} ($optional)") },
            singleLine = true,
        )
        Button(onClick = { onChange(change) }, enabled = isChanged && problem == null) { Text(stringResource(R.string.common_save)) }
    }
}

/** Chooses the picture of the room, or removes it. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Picture(room: RoomSummary, canUpload: Boolean, actions: RoomDetailsActions) {
    val pictures = rememberLauncherForActivityResult(PickVisualMedia()) { if (it != null) actions.setPicture(it) }
    SettingRow(stringResource(R.string.settings_picture), stringResource(R.string.settings_picture_hint)) {
        FlowRow {
            if (canUpload) {
                TextButton({ pictures.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) }) { Text(stringResource(R.string.settings_picture_choose)) }
            }
            if (room.picture != null) {
                TextButton({ actions.update(RoomChange().picture(null)) }) { Text(stringResource(R.string.link_remove)) }
            }
        }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Colors(room: RoomSummary, onChoose: (Color?) -> Unit) {
    FlowRow(Modifier.padding(horizontal = 16.dp), Arrangement.spacedBy(8.dp), Arrangement.spacedBy(8.dp)) {
        for (color in listOf(null) + Color.entries) {
            val name = stringResource(if (color == null) R.string.settings_color_auto else colorNames[color.ordinal])
            val isChosen = room.color == color
            val shape = RoundedCornerShape(12.dp)
            val colors = MaterialTheme.colorScheme
            Box(
                Modifier.size(48.dp)
                    .background(fillOf(color?.ordinal ?: hueNumber(room.id)), shape)
                    .border(if (isChosen) 3.dp else 1.dp, if (isChosen) colors.primary else colors.outlineVariant, shape)
                    .selectable(isChosen, role = Role.RadioButton) { onChoose(color) }
                    .semantics { contentDescription = name },
            )
        }
    }
}
