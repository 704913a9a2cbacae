package io.github.phpsessionchat.app

import android.content.Intent
import android.net.Uri
import android.os.Bundle
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
import androidx.core.os.BundleCompat

/** Android ends an app that saves more than about 1 MB. A message has far fewer characters. */
private const val MAX_SAVED = 50_000

/** What another app shares, for the room that the user opens next. */
data class Shared(val text: String, val files: List<Uri>) {
    companion object : Incoming<Shared>("shared") {
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

        override fun write(content: Shared) = Bundle().apply {
            putString(TEXT, content.text.take(MAX_SAVED))
            putParcelableArrayList(FILES, ArrayList(content.files))
        }

        override fun read(saved: Bundle): Shared? {
            val files = BundleCompat.getParcelableArrayList(saved, FILES, Uri::class.java) ?: return null
            return Shared(saved.getString(TEXT).orEmpty(), files)
        }

        private const val TEXT = "text"
        private const val FILES = "files"

        private fun filesOf(intent: Intent): List<Uri> =
            if (intent.action == Intent.ACTION_SEND_MULTIPLE) {
                // Before Android 14, the list may contain anything.
                IntentCompat.getParcelableArrayListExtra(intent, Intent.EXTRA_STREAM, Uri::class.java).orEmpty().filterIsInstance<Uri>()
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
fun isFromOtherApp(uri: Uri, ownPackage: String): Boolean {
    // A user ID can precede the provider's name.
    val provider = uri.authority.orEmpty().substringAfterLast('@')
    return uri.scheme == "content" && provider.isNotEmpty() && !provider.startsWith(ownPackage)
}
