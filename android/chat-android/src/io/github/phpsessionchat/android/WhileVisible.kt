package io.github.phpsessionchat.android

import android.content.Context
import android.net.ConnectivityManager
import android.net.Network
import android.os.Handler
import android.os.Looper
import androidx.lifecycle.DefaultLifecycleObserver
import androidx.lifecycle.LifecycleOwner
import androidx.lifecycle.ProcessLifecycleOwner
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.collectLatest
import kotlinx.coroutines.flow.combine
import kotlinx.coroutines.launch

/** How long the chat stays connected after the app left the screen, so that messages just written are sent. */
private const val LINGER_MS = 20_000L

/**
 * Connects while the app is visible, and reconnects when the network returns. The chat stays connected for 20 seconds
 * after the app leaves the screen. A job sends messages that are unsent then. Call it once, in `Application.onCreate`,
 * because the job can start the process.
 *
 * With [SiteVisits], the site is visited every ten minutes while the app is visible, and by a job about once an hour
 * while it is not, until the login ends.
 */
fun AndroidChat.connectWhileVisible(context: Context) {
    val main = Handler(Looper.getMainLooper())
    val isVisible = MutableStateFlow(false)
    ProcessLifecycleOwner.get().lifecycle.addObserver(object : DefaultLifecycleObserver {
        override fun onStart(owner: LifecycleOwner) {
            isVisible.value = true
            connect()
            client.wake()
        }

        override fun onStop(owner: LifecycleOwner) {
            isVisible.value = false
            main.postDelayed(::disconnect, LINGER_MS)
        }
    })
    context.getSystemService(ConnectivityManager::class.java)
        .registerDefaultNetworkCallback(object : ConnectivityManager.NetworkCallback() {
            override fun onAvailable(network: Network) = client.wake()
        })
    ChatJob.chat = this
    visits?.let { keepLogin(it, context, isVisible) }
    MainScope().launch {
        combine(isVisible, unsent) { visible, unsent -> !visible && !unsent.isNullOrEmpty() }
            .collect { isNeeded -> if (isNeeded) SendJob.schedule(context) }
    }
}

private fun AndroidChat.keepLogin(site: SiteVisits, context: Context, isVisible: StateFlow<Boolean>) {
    MainScope().launch {
        combine(isVisible, access) { visible, access -> visible && access == Access.Granted }.collectLatest { isUsed ->
            while (isUsed) {
                site.visitIfDue()
                delay(RECENT_MS)
            }
        }
    }
    MainScope().launch {
        access.collect {
            when (it) {
                Access.Granted -> VisitJob.schedule(context)
                is Access.Ended, is Access.Refused -> VisitJob.cancel(context)
                else -> Unit
            }
        }
    }
}
