package io.github.phpsessionchat.android

import android.content.Context
import android.net.ConnectivityManager
import android.net.Network
import android.os.Handler
import android.os.Looper
import androidx.lifecycle.DefaultLifecycleObserver
import androidx.lifecycle.LifecycleOwner
import androidx.lifecycle.ProcessLifecycleOwner
import io.github.phpsessionchat.Chat

/** How long the chat stays connected after the app left the screen, so that messages just written are sent. */
private const val LINGER_MS = 20_000L

/**
 * Connects while the app is visible, and reconnects when the network returns. Call it once, on the main thread. The
 * chat stays connected for 20 seconds after the app leaves the screen.
 */
fun Chat.connectWhileVisible(context: Context) {
    val main = Handler(Looper.getMainLooper())
    val stop = Runnable { stop() }
    ProcessLifecycleOwner.get().lifecycle.addObserver(object : DefaultLifecycleObserver {
        override fun onStart(owner: LifecycleOwner) {
            main.removeCallbacks(stop)
            start()
            wake()
        }

        override fun onStop(owner: LifecycleOwner) {
            main.postDelayed(stop, LINGER_MS)
        }
    })
    context.getSystemService(ConnectivityManager::class.java)
        .registerDefaultNetworkCallback(object : ConnectivityManager.NetworkCallback() {
            override fun onAvailable(network: Network) = wake()
        })
}
