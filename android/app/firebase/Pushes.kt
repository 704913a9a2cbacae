package io.github.phpsessionchat.app

import com.google.firebase.messaging.FirebaseMessagingService
import com.google.firebase.messaging.RemoteMessage
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runBlocking

/** Shows the pushes of Firebase. Firebase calls it on a thread of its own, and keeps the process until it returns. */
class Pushes : FirebaseMessagingService() {
    private val notifications get() = (application as ChatApplication).notifications

    override fun onNewToken(token: String) = runBlocking(Dispatchers.Main) { notifications.useToken(token) }

    override fun onMessageReceived(message: RemoteMessage) = runBlocking(Dispatchers.Main) { notifications.show(message.data) }
}
