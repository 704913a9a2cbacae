package io.github.phpsessionchat.app

import android.icu.text.RelativeDateTimeFormatter.RelativeUnit
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.selection.selectableGroup
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableLongStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.MessageText
import io.github.phpsessionchat.NewPoll
import io.github.phpsessionchat.android.ChatRequestException
import java.text.NumberFormat
import java.util.UUID
import kotlinx.coroutines.launch

/** How long polls can last. */
private val durations = listOf(RelativeUnit.HOURS to HOUR_MS, RelativeUnit.DAYS to 24 * HOUR_MS, RelativeUnit.WEEKS to 7 * 24 * HOUR_MS)

fun lengthOf(text: String) = text.codePointCount(0, text.length)

/** Returns the options that are not empty; null if the server would reject them. */
fun validOptions(options: List<String>): List<String>? {
    val filled = options.map(String::trim).filter(String::isNotEmpty)
    return filled.takeIf { it.size in 2..NewPoll.MAX_OPTIONS && it.toSet().size == it.size && it.all { one -> lengthOf(one) <= NewPoll.MAX_OPTION_LENGTH } }
}

@Composable
fun NewPollScreen(app: AppParts, screen: Screen.NewPoll) {
    val close = app.navigation::back
    NewPollForm(screen.isEvent, app.chat.me.value?.textLimit ?: return, close) { question, poll, clientId ->
        app.chat.request<Message> { sendPoll(screen.room, question, poll, clientId, it) }
        close()
    }
}

/** @param send throws a [ChatRequestException] */
@Composable
fun NewPollForm(isEvent: Boolean, textLimit: Int, onClose: () -> Unit, send: suspend (question: String, poll: NewPoll, clientId: String) -> Unit) {
    var question by rememberSaveable { mutableStateOf("") }
    // The last option is empty, until there are ten.
    var options by rememberSaveable { mutableStateOf(listOf("", "")) }
    var isMultiple by rememberSaveable { mutableStateOf(false) }
    var isAnonymous by rememberSaveable { mutableStateOf(false) }
    var duration by rememberSaveable { mutableLongStateOf(0L) }
    var start by rememberSaveable { mutableLongStateOf(0L) }
    var end by rememberSaveable { mutableLongStateOf(0L) }
    var place by rememberSaveable { mutableStateOf("") }
    var problem by rememberSaveable { mutableIntStateOf(0) }
    var isBusy by remember { mutableStateOf(false) }
    val filled = validOptions(options)
    val isComplete = !MessageText.isBlank(question) && lengthOf(question.trim()) <= textLimit &&
        if (isEvent) start != 0L && (end == 0L || end >= start) else filled != null
    // A retry with the same fields must not send a second poll.
    val attempt = rememberSaveable(question, options, isMultiple, isAnonymous, duration, start, end, place) {
        listOf(UUID.randomUUID().toString(), "${if (duration == 0L) 0 else System.currentTimeMillis() + duration}")
    }
    val scope = rememberCoroutineScope()
    fun submit() {
        val (clientId, until) = attempt
        val poll = if (isEvent) NewPoll.event(start, end, place.trim().ifEmpty { null }) else NewPoll.of(filled ?: return)
        if (isMultiple) poll.multiple()
        if (isAnonymous) poll.anonymous()
        if (duration != 0L) poll.until(until.toLong())
        problem = 0
        isBusy = true
        scope.launch {
            try {
                send(question.trim(), poll, clientId)
            } catch (e: ChatRequestException) {
                problem = errorText(e.code)
            }
            isBusy = false
        }
    }
    Scaffold(
        containerColor = MaterialTheme.colorScheme.background,
        topBar = { ScreenBar(stringResource(if (isEvent) R.string.poll_newEvent else R.string.poll_new), R.string.common_close, onClose) },
    ) { inner ->
        Column(
            Modifier.fillMaxSize().padding(inner).consumeWindowInsets(inner).imePadding().verticalScroll(rememberScrollState()).padding(bottom = 16.dp),
            Arrangement.spacedBy(8.dp),
        ) {
            FormField(stringResource(if (isEvent) R.string.create_name else R.string.poll_question), question, "question") { question = it }
            if (isEvent) {
                TimeField(R.string.event_start, start, isOptional = false) { start = it }
                TimeField(R.string.poll_ends, end, isOptional = true) { end = it }
                FormField("${stringResource(R.string.event_place)} (${stringResource(R.string.create_optional)})", place, "place") {
                    place = it.take(NewPoll.MAX_PLACE_LENGTH)
                }
            } else {
                for ((index, option) in options.withIndex()) {
                    val number = NumberFormat.getIntegerInstance().format(index + 1)
                    val isWrong = lengthOf(option.trim()) > NewPoll.MAX_OPTION_LENGTH || options.take(index).any { it.isNotBlank() && it.trim() == option.trim() }
                    FormField(stringResource(R.string.poll_option, number), option, "option $index", isWrong) { text ->
                        val changed = options.toMutableList().apply { set(index, text) }
                        options = if (changed.last().isNotEmpty() && changed.size < NewPoll.MAX_OPTIONS) changed + "" else changed
                    }
                }
                SwitchRow(stringResource(R.string.poll_multiple), null, isMultiple) { isMultiple = it }
                SwitchRow(stringResource(R.string.poll_anonymous), null, isAnonymous) { isAnonymous = it }
                SectionHeading(stringResource(R.string.poll_ends))
                Column(Modifier.selectableGroup()) {
                    Choice(stringResource(R.string.settings_slow_off), duration == 0L) { duration = 0 }
                    for ((unit, ms) in durations) Choice(inTime(1, unit), duration == ms) { duration = ms }
                }
            }
            if (problem != 0) Text(stringResource(problem), Modifier.padding(horizontal = 16.dp), MaterialTheme.colorScheme.error)
            Button(onClick = ::submit, Modifier.fillMaxWidth().padding(horizontal = 16.dp), enabled = isComplete && !isBusy) {
                Text(stringResource(R.string.composer_send))
            }
        }
    }
}

/** @param time 0: not chosen */
@Composable
private fun TimeField(label: Int, time: Long, isOptional: Boolean, onChange: (Long) -> Unit) {
    val context = LocalContext.current
    val name = stringResource(label) + if (isOptional) " (${stringResource(R.string.create_optional)})" else ""
    OutlinedButton(
        { pickDateAndTime(context, if (time == 0L) System.currentTimeMillis() else time, onChange) },
        Modifier.fillMaxWidth().padding(horizontal = 16.dp),
    ) { Text(if (time == 0L) name else "$name: ${dayAndTime(time)}") }
}
