package io.github.phpsessionchat.app

import android.content.Intent
import android.net.Uri
import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Close
import androidx.compose.material.icons.filled.Share
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import androidx.core.content.IntentCompat

/** What another app shares, for the room that the user opens next. */
data class Shared(val text: String, val files: List<Uri>) {
    companion object : Incoming<Shared>() {
        /**
         * @param ownPackage the package of this app
         * @return false if the intent has nothing to send
         */
        fun receive(intent: Intent, ownPackage: String): Boolean {
            val files = filesOf(intent).filter { isFromOtherApp(it, ownPackage) }
            val text = intent.getCharSequenceExtra(Intent.EXTRA_TEXT)?.toString().orEmpty()
            if (text.isEmpty() && files.isEmpty()) return false
            put(Shared(text, files))
            return true
        }

        fun take(): Shared? = waiting.also { close() }

        private fun filesOf(intent: Intent): List<Uri> =
            if (intent.action == Intent.ACTION_SEND_MULTIPLE) {
                IntentCompat.getParcelableArrayListExtra(intent, Intent.EXTRA_STREAM, Uri::class.java).orEmpty()
            } else {
                listOfNotNull(IntentCompat.getParcelableExtra(intent, Intent.EXTRA_STREAM, Uri::class.java))
            }
    }
}

/** Asks for a room, above the list of rooms. */
@Composable
fun SharedBar(shared: Shared) {
    val colors = MaterialTheme.colorScheme
    Row(
        Modifier.fillMaxWidth().background(colors.primaryContainer).padding(start = 16.dp, end = 4.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        Icon(Icons.Filled.Share, null, tint = colors.onPrimaryContainer)
        Column(Modifier.weight(1f).padding(horizontal = 12.dp, vertical = 10.dp)) {
            val content = shared.text.ifEmpty { shared.files.joinToString { it.lastPathSegment.orEmpty() } }
            Text(content, color = colors.onPrimaryContainer, maxLines = 1, overflow = TextOverflow.Ellipsis)
            Text(stringResource(R.string.empty_none_text), color = colors.onPrimaryContainer, style = MaterialTheme.typography.bodySmall)
        }
        IconButton(onClick = { Shared.close() }) { Icon(Icons.Filled.Close, stringResource(R.string.common_cancel), tint = colors.onPrimaryContainer) }
    }
}

/** Other apps must not make this app send its own files, by `file:` or by an address of its own provider. */
private fun isFromOtherApp(uri: Uri, ownPackage: String): Boolean {
    // A user ID can precede the provider's name.
    val provider = uri.authority.orEmpty().substringAfterLast('@')
    return uri.scheme == "content" && provider.isNotEmpty() && !provider.startsWith(ownPackage)
}
