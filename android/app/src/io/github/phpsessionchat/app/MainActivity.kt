package io.github.phpsessionchat.app

import android.content.Intent
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import io.github.phpsessionchat.android.ChatNotifications

class MainActivity : ComponentActivity() {
    private val app get() = application as ChatApplication
    private lateinit var navigation: Navigation

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        navigation = Navigation(app.chat, savedInstanceState)
        if (savedInstanceState == null) receive(intent)
        setContent { ChatTheme { ChatApp(AppParts(app.chat, app.drafts, navigation, app::logOut)) } }
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        receive(intent)
    }

    /** Takes what another app shares, or opens the room of a notification. */
    private fun receive(intent: Intent) {
        if (intent.action == Intent.ACTION_SEND) Shared.receive(intent)
        intent.getStringExtra(ChatNotifications.ROOM)?.let(navigation::openRoom)
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        navigation.save(outState)
    }
}
