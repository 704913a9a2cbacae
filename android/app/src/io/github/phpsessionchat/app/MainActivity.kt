package io.github.phpsessionchat.app

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge

class MainActivity : ComponentActivity() {
    private val chat get() = (application as ChatApplication).chat

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        // Only a new process has no open room.
        if (chat.conversation.value == null) savedInstanceState?.getString(ROOM)?.let(chat::open)
        setContent { ChatTheme { ChatApp(chat) } }
    }

    override fun onStart() {
        super.onStart()
        chat.start()
    }

    override fun onStop() {
        chat.stop()
        super.onStop()
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putString(ROOM, chat.conversation.value?.room)
    }

    private companion object {
        const val ROOM = "room"
    }
}
