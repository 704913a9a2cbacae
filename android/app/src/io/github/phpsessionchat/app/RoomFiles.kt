package io.github.phpsessionchat.app

import androidx.compose.foundation.background
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.FilterChip
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalUriHandler
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.Message.Content
import io.github.phpsessionchat.MessageText
import io.github.phpsessionchat.MessageText.Link
import io.github.phpsessionchat.RoomSummary

private const val PICTURES_IN_A_ROW = 3

private val contents = listOf(
    Content.PICTURES to R.string.details_pictures,
    Content.FILES to R.string.details_files,
    Content.LINKS to R.string.details_links,
)

/** Shows the pictures, files or links of a room, newest first. */
@Composable
fun sharedFiles(room: RoomSummary, actions: RoomDetailsActions): LazyListScope.() -> Unit {
    var content by rememberSaveable { mutableStateOf(Content.PICTURES) }
    val messages = rememberPages(content, room.lastSeq) { actions.files(content, it) }
    val shown = messages.items.filter { !it.isDeleted && !it.hidden }
    return {
        item { ContentChips(content) { content = it } }
        when (content) {
            Content.PICTURES -> {
                val pictures = shown.flatMap { it.files }.filter { it.image != null }
                items(pictures.chunked(PICTURES_IN_A_ROW), { it.first().id }) { PictureRow(it, actions) }
            }
            Content.FILES -> items(shown.flatMap { message -> message.files.filter { it.image == null } }, { it.id }) {
                Box(Modifier.padding(16.dp, 4.dp)) { FileRow(it, actions) }
            }
            Content.LINKS -> items(shown.flatMap { message -> MessageText.linksIn(message.text).filter { it.isPage }.map { it to message } }) { (link, message) ->
                LinkRow(link, message)
            }
            // Not among `contents`.
            Content.IMPORTANT -> Unit
        }
        pagesEnd(messages) { Empty(R.string.details_noFiles_title, R.string.details_noFiles_text) }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun ContentChips(chosen: Content, onChoose: (Content) -> Unit) {
    FlowRow(Modifier.padding(16.dp, 4.dp), horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        for ((content, label) in contents) {
            FilterChip(content == chosen, onClick = { onChoose(content) }, label = { Text(stringResource(label)) })
        }
    }
}

@Composable
private fun PictureRow(pictures: List<ChatFile>, actions: FileActions) {
    Row(Modifier.padding(horizontal = 16.dp, vertical = 2.dp), horizontalArrangement = Arrangement.spacedBy(4.dp)) {
        for (file in pictures) {
            FileImage(
                file,
                actions,
                Modifier.weight(1f)
                    .aspectRatio(1f)
                    .background(MaterialTheme.colorScheme.outlineVariant)
                    .clickable { actions.open(file) },
            )
        }
        // The last row may have fewer pictures of the same size.
        repeat(PICTURES_IN_A_ROW - pictures.size) { Spacer(Modifier.weight(1f)) }
    }
}

@Composable
fun LinkRow(link: Link, message: Message) {
    val browser = LocalUriHandler.current
    Column(
        Modifier.fillMaxWidth().clickable { browser.openUri(link.href) }.heightIn(min = 48.dp).padding(16.dp, 8.dp),
    ) {
        Text(leftToRight(link.shown), color = MaterialTheme.colorScheme.primary, maxLines = 2, overflow = TextOverflow.Ellipsis)
        Text(
            "${isolate(nameOf(message.user))} · ${dayName(message.sentAt)}",
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            style = MaterialTheme.typography.labelMedium,
        )
    }
}
