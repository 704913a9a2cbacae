package io.github.phpsessionchat.app

import android.content.Intent
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import io.github.phpsessionchat.android.ChatNotifications

class MainActivity : ComponentActivity() {
    private val app get() = application as ChatApplication

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        // Only a new process has no open room.
        if (app.chat.conversation.value == null) savedInstanceState?.getString(ROOM)?.let(app.chat::open)
        if (savedInstanceState == null) receive(intent)
        setContent { ChatTheme { ChatApp(AppParts(app.chat, app.drafts)) } }
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        receive(intent)
    }

    /** Takes what another app shares, or opens the room of a notification. */
    private fun receive(intent: Intent) {
        if (intent.action == Intent.ACTION_SEND) Shared.receive(intent)
        intent.getStringExtra(ChatNotifications.ROOM)?.let(app.chat::open)
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putString(ROOM, app.chat.conversation.value?.room)
    }

    private companion object {
        const val ROOM = "room"
    }
}
