package io.github.phpsessionchat.app

import android.content.Intent
import android.content.res.Configuration
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import io.github.phpsessionchat.android.ChatNotifications

class MainActivity : ComponentActivity() {
    private val app get() = application as ChatApplication
    private lateinit var navigation: Navigation

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        navigation = Navigation(app.chat, savedInstanceState)
        if (savedInstanceState == null) receive(intent) else for (incoming in listOf(Shared, OpenedLink)) incoming.restore(savedInstanceState)
        setContent {
            val me by app.chat.me.collectAsStateWithLifecycle()
            // Stays after the end of a login.
            var accent by rememberSaveable { mutableStateOf<String?>(null) }
            LaunchedEffect(me) { me?.let { accent = it.siteAccent } }
            WithClock {
                ChatTheme(accent) {
                    ChatApp(AppParts(app.chat, app.drafts, app.draftFiles, app.recorder, navigation, app.logoutPage, app::forgetLogin))
                }
            }
        }
    }

    override fun onConfigurationChanged(newConfig: Configuration) {
        super.onConfigurationChanged(newConfig)
        // The colours of the system bars depend on dark mode.
        enableEdgeToEdge()
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        receive(intent)
    }

    /** Takes what another app shares, or opens a link or the room of a notification. Any app can send such an intent. */
    private fun receive(intent: Intent) {
        // Android repeats the intent when the user returns to the app later.
        if (intent.flags and Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY != 0) return
        when (intent.action) {
            Intent.ACTION_SEND, Intent.ACTION_SEND_MULTIPLE -> if (readExtras { Shared.receive(intent, packageName) } == true) navigation.showRooms()
            Intent.ACTION_VIEW -> intent.dataString?.let { OpenedLink.receive(it, this) }
            else -> readExtras { ChatNotifications.targetOf(intent, this) }?.let(::open)
        }
    }

    /** Returns null if the extras cannot be read, for example because another app put objects of its own classes there. */
    private fun <T> readExtras(read: () -> T): T? = try {
        read()
    } catch (_: RuntimeException) {
        null
    }

    private fun open(target: ChatNotifications.Target) {
        when {
            target.isReminder -> {
                navigation.openMessage(target.room, target.seq)
                app.endReminder(target.room, target.seq)
            }
            target.seq == 0L -> navigation.openRoom(target.room)
            else -> OpenedLink.receive(linkTo(target.room, target.seq, this), this)
        }
    }

    override fun onUserInteraction() = app.chat.noteActivity()

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        navigation.save(outState)
        for (incoming in listOf(Shared, OpenedLink)) incoming.save(outState)
    }
}
