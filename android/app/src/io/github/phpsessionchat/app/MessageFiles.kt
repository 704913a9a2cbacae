package io.github.phpsessionchat.app

import android.net.Uri
import android.text.format.Formatter
import androidx.compose.foundation.ExperimentalFoundationApi
import androidx.compose.foundation.background
import androidx.compose.foundation.combinedClickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.LocalUriHandler
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import coil.compose.AsyncImage
import coil.request.ImageRequest
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.LinkPreview
import io.github.phpsessionchat.Message
import okhttp3.Request

/** What the user can do with files. */
interface FileActions {
    /** The part of each file that is downloaded now, by its ID. */
    val downloads: Map<String, Float>

    /** Opens a file with another app. */
    fun open(file: ChatFile)

    /** Returns the request for a picture. */
    fun picture(file: ChatFile): Request
}

/** Opens something with a click, and the menu of its message with a long one. */
@OptIn(ExperimentalFoundationApi::class)
@Composable
private fun Modifier.openable(onMenu: (() -> Unit)?, onOpen: () -> Unit): Modifier =
    combinedClickable(onLongClickLabel = onMenu?.let { stringResource(R.string.msg_actions) }, onLongClick = onMenu, onClick = onOpen)

@Composable
fun MessageFiles(message: Message, actions: ConversationActions, onMenu: () -> Unit) {
    for (file in message.files) {
        val image = file.image
        val audio = file.audio
        when {
            image != null -> Picture(file, image.width, image.height, actions, onMenu) { actions.open(file) }
            audio?.peaks != null -> VoiceMessage(file, audio, actions)
            else -> FileRow(file, actions, onMenu)
        }
    }
}

/** A picture in its final size, so that the list does not move when it is loaded. */
@Composable
private fun Picture(file: ChatFile, width: Int, height: Int, actions: FileActions, onMenu: () -> Unit, onClick: () -> Unit) {
    Box {
        FileImage(
            file,
            actions,
            Modifier.fillMaxWidth()
                // A very long or wide picture is cropped.
                .aspectRatio((width.toFloat() / height.coerceAtLeast(1)).coerceIn(0.6f, 3f))
                .clip(RoundedCornerShape(12.dp))
                .background(MaterialTheme.colorScheme.outlineVariant)
                .openable(onMenu, onClick),
        )
        DownloadProgress(file, actions, Modifier.align(Alignment.BottomCenter))
    }
}

/** Shows how far a download is. */
@Composable
private fun DownloadProgress(file: ChatFile, actions: FileActions, modifier: Modifier = Modifier) {
    val progress = actions.downloads[file.id] ?: return
    LinearProgressIndicator({ progress }, modifier.fillMaxWidth(), trackColor = MaterialTheme.colorScheme.outlineVariant, drawStopIndicator = {})
}

/** The preview of a picture, cropped to the size of the modifier. */
@Composable
fun FileImage(file: ChatFile, actions: FileActions, modifier: Modifier) {
    val context = LocalContext.current
    val request = remember(file.id) {
        val http = actions.picture(file)
        ImageRequest.Builder(context).data(http.url).headers(http.headers).build()
    }
    AsyncImage(request, contentDescription = file.alt ?: file.name, modifier, contentScale = ContentScale.Crop)
}

@Composable
fun FileRow(file: ChatFile, actions: FileActions, onMenu: (() -> Unit)? = null) {
    val label = stringResource(R.string.file_download, isolate(file.name))
    Row(
        Modifier.openable(onMenu) { actions.open(file) }.heightIn(min = 48.dp).semantics { contentDescription = label },
        horizontalArrangement = Arrangement.spacedBy(8.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        Text("📄", Modifier.size(28.dp), style = MaterialTheme.typography.titleLarge)
        Column {
            Text(file.name, fontWeight = FontWeight.Bold, maxLines = 1, overflow = TextOverflow.Ellipsis)
            Text(
                Formatter.formatShortFileSize(LocalContext.current, file.size),
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                style = MaterialTheme.typography.labelMedium,
            )
            DownloadProgress(file, actions)
        }
    }
}

/** The preview of a link in the message. */
@Composable
fun Preview(preview: LinkPreview, actions: FileActions, onMenu: () -> Unit) {
    val browser = LocalUriHandler.current
    Column(
        Modifier.clip(RoundedCornerShape(10.dp))
            .background(MaterialTheme.colorScheme.onSurface.copy(alpha = 0.06f))
            .openable(onMenu) { browser.openUri(preview.url) }
            .padding(10.dp),
        verticalArrangement = Arrangement.spacedBy(4.dp),
    ) {
        preview.image?.let { file ->
            file.image?.let { Picture(file, it.width, it.height, actions, onMenu) { browser.openUri(preview.url) } }
        }
        // Without a title, the server is fetching the page, or could not.
        val title = preview.title ?: Uri.parse(preview.url).host ?: preview.url
        Text(title, fontWeight = FontWeight.Bold, maxLines = 2, overflow = TextOverflow.Ellipsis)
        preview.description?.let {
            Text(it, maxLines = 3, overflow = TextOverflow.Ellipsis, style = MaterialTheme.typography.bodySmall)
        }
    }
}
