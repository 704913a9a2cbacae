package io.github.phpsessionchat.app

import android.content.Intent
import android.net.Uri
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.core.content.IntentCompat

/** What another app shares, until the user opens a room for it. */
data class Shared(val text: String, val files: List<Uri>) {
    companion object {
        var waiting by mutableStateOf<Shared?>(null)
            private set

        fun receive(intent: Intent) {
            val file = IntentCompat.getParcelableExtra(intent, Intent.EXTRA_STREAM, Uri::class.java)
            // Other addresses, such as file://, could name this app's own files.
            val files = listOfNotNull(file).filter { it.scheme == "content" }
            val text = intent.getStringExtra(Intent.EXTRA_TEXT).orEmpty()
            if (text.isNotEmpty() || files.isNotEmpty()) waiting = Shared(text, files)
        }

        fun take(): Shared? = waiting.also { waiting = null }
    }
}
