package com.google.firebase.messaging

import android.app.Service
import android.content.Intent
import android.os.IBinder

/** The part of Firebase that `firebase/Pushes.kt` uses, so that the tests compile it without Google's library. */
abstract class FirebaseMessagingService : Service() {
    override fun onBind(intent: Intent): IBinder? = null

    open fun onNewToken(token: String) = Unit

    open fun onMessageReceived(message: RemoteMessage) = Unit
}

class RemoteMessage(val data: Map<String, String>)
