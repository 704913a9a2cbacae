package io.github.phpsessionchat.app

import android.net.Uri
import android.os.SystemClock
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.navigationBarsPadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.selection.toggleable
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Close
import androidx.compose.material3.Checkbox
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableLongStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.listSaver
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.text.TextRange
import androidx.compose.ui.text.input.KeyboardCapitalization
import androidx.compose.ui.text.input.TextFieldValue
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.MessageEdit
import io.github.phpsessionchat.MessageText
import io.github.phpsessionchat.NewMessage
import io.github.phpsessionchat.OfflineCopy
import io.github.phpsessionchat.ScheduledMessage
import io.github.phpsessionchat.Upload
import io.github.phpsessionchat.User

/** A longer text is not part of the saved state, which Android limits to 1 MB for the whole app. */
private const val MAX_SAVED_LENGTH = 50_000

/** What the user is writing in a room. */
class Composing(draft: String) {
    var field by mutableStateOf(atEnd(draft))
    var replyTo by mutableStateOf<Message?>(null)
        private set

    /** The message that a new message replies to, unless the user chose another; 0: none. */
    var defaultReplyTo by mutableLongStateOf(0L)

    /** The message that the next one replies to; 0: none. */
    val answered get() = replyTo?.seq ?: defaultReplyTo
    var editing by mutableStateOf<Message?>(null)
        private set

    /** Whether the next reply is also shown in the room; null: unless the thread has replies. */
    var alsoInRoom by mutableStateOf<Boolean?>(null)

    private var isDraftImportant by mutableStateOf(false)
    private var isEditImportant by mutableStateOf(false)

    /** Whether the next message, or the edited message, is important. */
    var important
        get() = if (editing == null) isDraftImportant else isEditImportant
        set(value) {
            if (editing == null) isDraftImportant = value else isEditImportant = value
        }

    /** Users whose names were picked from the suggestions. */
    private val mentioned = mutableSetOf<User>()

    /** The text that the user was writing before an edit. */
    private var interrupted = ""

    fun reply(message: Message) {
        if (editing != null) clear()
        replyTo = message
    }

    fun edit(message: Message) {
        val text = if (editing == null) field.text else interrupted
        val wasImportant = isDraftImportant
        clear()
        interrupted = text
        isDraftImportant = wasImportant
        editing = message
        isEditImportant = message.important
        field = atEnd(message.textWithNames())
        mentioned += message.mentions.map { it.user }
    }

    /** Takes a draft that was not written in this field. */
    fun adopt(draft: String) {
        if (editing != null) interrupted = draft else if (field.text != draft) field = atEnd(draft)
    }

    fun append(text: String) {
        field = atEnd(if (field.text.isEmpty()) text else "${field.text}\n$text")
    }

    /** Empties the field. At the end of an edit, restores the draft from before it. */
    fun clear() {
        field = atEnd(interrupted)
        interrupted = ""
        replyTo = null
        if (editing == null) isDraftImportant = false
        editing = null
        alsoInRoom = null
        mentioned.clear()
    }

    fun cancelReply() {
        replyTo = null
    }

    /** Returns the beginning of a name behind an `@` before the cursor. */
    fun startedName(): String? {
        if (!field.selection.collapsed) return null
        return Regex("""(?<!\S)@(\S+)$""").find(field.text.take(field.selection.end))?.groupValues?.get(1)
    }

    /** Replaces the started name. */
    fun mention(user: User) {
        val started = startedName() ?: return
        val before = field.text.take(field.selection.end).dropLast(started.length + 1)
        val name = "@${user.name} "
        field = TextFieldValue(before + name + field.text.drop(field.selection.end), TextRange((before + name).length))
        mentioned += user
    }

    /** Returns the places of the mentioned names in this text. */
    private fun mentionsIn(text: String): List<Triple<User, Int, Int>> {
        val found = mutableListOf<Triple<User, Int, Int>>()
        // Longer names first, because a name can be the beginning of another.
        for (user in mentioned.sortedByDescending { it.name.length }) {
            val name = "@${user.name}"
            var at = text.indexOf(name)
            while (at >= 0) {
                if (found.none { (_, begin, end) -> at < end && begin < at + name.length }) found += Triple(user, at, at + name.length)
                at = text.indexOf(name, at + name.length)
            }
        }
        return found.sortedBy { it.second }
    }

    /** @param threadOnly whether a reply is shown only in its thread */
    fun toMessage(uploads: List<Upload>, threadOnly: Boolean): NewMessage {
        val text = field.text.trim()
        val message = NewMessage.of(text)
        if (answered != 0L) message.replyTo(answered)
        if (threadOnly) message.threadOnly()
        for ((user, begin, end) in mentionsIn(text)) message.mention(user, begin, end)
        for (upload in uploads) message.file(upload.key, null)
        if (important) message.important()
        return message
    }

    fun toEdit(): MessageEdit {
        val text = field.text.trim()
        val edit = MessageEdit.of(text)
        for ((user, begin, end) in mentionsIn(text)) edit.mention(user, begin, end)
        if (important != editing?.important) edit.important(important)
        return edit
    }

    companion object {
        /** Keeps what the user is writing when Android recreates the screen, for example after a change of the theme. */
        val saver = listSaver<Composing, Any?>(
            save = {
                // Android ends apps with a large state. The draft is stored elsewhere.
                if (it.field.text.length + it.interrupted.length > MAX_SAVED_LENGTH) return@listSaver emptyList()
                val mentioned = it.mentioned.flatMap { user -> listOf(user.id, user.name) }
                val important = booleanArrayOf(it.isDraftImportant, it.isEditImportant)
                listOf(it.field.text, it.replyTo?.let(::write), it.editing?.let(::write), it.interrupted, ArrayList(mentioned), important)
            },
            restore = { saved ->
                val (text, replyTo, editing, interrupted, mentioned) = saved
                Composing(text as String).apply {
                    this.replyTo = replyTo?.let(::read)
                    this.editing = editing?.let(::read)
                    this.interrupted = interrupted as String
                    val (isDraftImportant, isEditImportant) = saved[5] as BooleanArray
                    this.isDraftImportant = isDraftImportant
                    this.isEditImportant = isEditImportant
                    this.mentioned += (mentioned as List<*>).chunked(2) { (id, name) -> User(id as String, name as String) }
                }
            },
        )

        private fun write(message: Message) = OfflineCopy.writeMessages(listOf(Entry.of(message)), 1)

        private fun read(message: Any): Message? = OfflineCopy.readMessages(message as String)?.singleOrNull()?.message
    }
}

private fun atEnd(text: String) = TextFieldValue(text, TextRange(text.length))

/**
 * @param placeholder shown while the field is empty
 * @param uploads the files that the next message will contain
 * @param scheduled the user's scheduled messages in the room
 * @param threadOnly whether the message is shown only in its thread; null: the user has no choice
 * @param canAttach whether files and polls can be added
 */
@Composable
fun Composer(
    placeholder: String,
    canWrite: Boolean,
    composing: Composing,
    uploads: List<Upload>,
    actions: ConversationActions,
    scheduled: List<ScheduledMessage> = emptyList(),
    threadOnly: Boolean? = null,
    canAttach: Boolean = true,
) {
    Column(Modifier.fillMaxWidth().navigationBarsPadding().imePadding().padding(12.dp, 8.dp)) {
        ScheduledLine(scheduled, actions::openScheduled)
        if (!canWrite) {
            Text(stringResource(R.string.composer_mutedForGood), color = MaterialTheme.colorScheme.onSurfaceVariant)
            return@Column
        }
        composing.replyTo?.let {
            About(stringResource(R.string.composer_replyTo, isolate(nameOf(it.user))), R.string.composer_cancelReply, composing::cancelReply)
        }
        if (composing.editing != null) About(stringResource(R.string.composer_editing), R.string.composer_cancelEdit, composing::clear)
        Importance(composing)
        NameSuggestions(composing, actions)
        if (composing.editing == null) for (upload in uploads) UploadRow(upload, actions)
        val recorder = actions.recorder
        var sentAt by remember { mutableStateOf<Long?>(null) }
        val place = "${actions.room}/${composing.defaultReplyTo}"
        if (recorder != null && recorder.place == place) {
            RecorderRow(recorder) {
                sentAt = SystemClock.uptimeMillis()
                actions.sendVoice(composing.answered, threadOnly == true)
                composing.cancelReply()
                composing.alsoInRoom = null
            }
            return@Column
        }
        Row(horizontalArrangement = Arrangement.spacedBy(4.dp), verticalAlignment = Alignment.Bottom) {
            if (composing.editing == null && canAttach) AttachButton(composing, actions)
            val onPicture = { picture: Uri -> actions.attach(listOf(picture)) }.takeIf { canAttach && composing.editing == null }
            WithKeyboardPictures(onPicture) {
                OutlinedTextField(
                    value = composing.field,
                    onValueChange = {
                        val isChanged = it.text != composing.field.text
                        composing.field = it
                        if (isChanged && composing.editing == null) actions.draft(it.text)
                        if (isChanged && it.text.isNotEmpty()) actions.typed()
                    },
                    textStyle = inOwnDirection,
                    placeholder = { Text(placeholder, maxLines = 1, overflow = TextOverflow.Ellipsis) },
                    shape = RoundedCornerShape(18.dp),
                    maxLines = 5,
                    keyboardOptions = KeyboardOptions(capitalization = KeyboardCapitalization.Sentences),
                    modifier = Modifier.weight(1f).testTag("draft"),
                )
            }
            val isEmpty = MessageText.isBlank(composing.field.text) && composing.editing == null && uploads.isEmpty()
            if (isEmpty && recorder != null) RecordButton(recorder, place, actions, sentAt)
            else SendButton(composing, uploads, actions, threadOnly == true) { sentAt = SystemClock.uptimeMillis() }
        }
        if (threadOnly != null && composing.editing == null) AlsoInRoom(!threadOnly) { composing.alsoInRoom = it }
    }
}

@Composable
private fun AlsoInRoom(isOn: Boolean, onChange: (Boolean) -> Unit) {
    Row(
        Modifier.fillMaxWidth().toggleable(isOn, role = Role.Checkbox, onValueChange = onChange).heightIn(min = 48.dp),
        horizontalArrangement = Arrangement.spacedBy(8.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        Checkbox(isOn, onCheckedChange = null)
        Text(stringResource(R.string.replies_alsoInRoom), style = MaterialTheme.typography.bodyMedium)
    }
}

/** Shows that the message is important. An edit can also mark it here, a new message in the menu of [AttachButton]. */
@Composable
private fun Importance(composing: Composing) {
    if (composing.important) About(stringResource(R.string.msg_important), R.string.important_unmark) { composing.important = false }
    else if (composing.editing != null) TextButton({ composing.important = true }) { Text(stringResource(R.string.important_mark)) }
}

/** What the text is about: a reply or an edit, or its mark. */
@Composable
private fun About(text: String, cancelLabel: Int, onCancel: () -> Unit) {
    Row(verticalAlignment = Alignment.CenterVertically) {
        Text(text, Modifier.weight(1f), MaterialTheme.colorScheme.primary, style = MaterialTheme.typography.labelLarge, maxLines = 1)
        IconButton(onClick = onCancel) { Icon(Icons.Filled.Close, stringResource(cancelLabel)) }
    }
}

@Composable
private fun NameSuggestions(composing: Composing, actions: ConversationActions) {
    val started = composing.startedName()
    var found by remember { mutableStateOf<List<User>>(emptyList()) }
    LaunchedEffect(started) { found = if (started == null) emptyList() else actions.membersNamed(started).map { it.user } }
    for (user in found) {
        Row(
            Modifier.fillMaxWidth().clickable {
                composing.mention(user)
                if (composing.editing == null) actions.draft(composing.field.text)
            }.heightIn(min = 48.dp).padding(vertical = 6.dp),
            horizontalArrangement = Arrangement.spacedBy(8.dp),
            verticalAlignment = Alignment.CenterVertically,
        ) {
            Avatar(user.id, nameOf(user), 28.dp)
            Text(nameOf(user), maxLines = 1, overflow = TextOverflow.Ellipsis)
        }
    }
}
