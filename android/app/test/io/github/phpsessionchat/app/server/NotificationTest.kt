package io.github.phpsessionchat.app.server

import android.app.NotificationManager
import io.github.phpsessionchat.app.ChatApplication
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.launch
import org.robolectric.RuntimeEnvironment
import org.robolectric.shadows.ShadowLooper

abstract class NotificationTest : ServerTest() {
    protected val app = RuntimeEnvironment.getApplication() as ChatApplication
    private val manager = app.getSystemService(NotificationManager::class.java)

    protected fun shown() = manager.activeNotifications.map { it.notification }

    protected fun awaitMain(condition: () -> Boolean) {
        val end = System.currentTimeMillis() + 60_000
        while (!condition()) {
            check(System.currentTimeMillis() < end)
            ShadowLooper.idleMainLooper(5, TimeUnit.MILLISECONDS)
            Thread.sleep(5)
        }
    }

    protected fun push(vararg data: Pair<String, String>) {
        var isDone = false
        MainScope().launch {
            app.notifications.show(mapOf(*data))
            isDone = true
        }
        awaitMain { isDone }
    }
}
