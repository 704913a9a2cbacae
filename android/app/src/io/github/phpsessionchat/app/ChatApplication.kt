package io.github.phpsessionchat.app

import android.app.Application
import android.content.pm.PackageManager
import android.content.res.Configuration
import android.webkit.CookieManager
import android.webkit.WebStorage
import coil.ImageLoader
import coil.ImageLoaderFactory
import coil.imageLoader
import io.github.phpsessionchat.ConnectionState.Reason
import io.github.phpsessionchat.Reminder
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.Access
import io.github.phpsessionchat.android.AndroidChat
import io.github.phpsessionchat.android.ChatNotifications
import io.github.phpsessionchat.android.ChatRequestException
import io.github.phpsessionchat.android.Drafts
import io.github.phpsessionchat.android.OfflineStore
import io.github.phpsessionchat.android.SiteVisits
import io.github.phpsessionchat.android.connectWhileVisible
import io.github.phpsessionchat.android.webViewClient
import java.io.File
import kotlin.coroutines.resume
import kotlin.coroutines.suspendCoroutine
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull

/** Maximum size of all files that are attached and not sent. */
private const val MAX_DRAFT_FILES_BYTES = 100L * 1024 * 1024

/** How long a reminder that was tapped waits for a connection. */
private const val MAX_WAIT_MS = 60_000L

open class ChatApplication : Application(), ImageLoaderFactory {
    protected open val server: String get() = getString(R.string.chat_url)

    /** Empty: the site has none, or its users cannot log out there. */
    open val logoutPage: String get() = getString(R.string.logout_url)

    /** Empty: the site is not visited. */
    protected open val visitedPage: String get() = getString(R.string.visit_url)

    private val scope = MainScope()
    private val http by lazy { webViewClient(this).build() }
    private val visits by lazy { visitedPage.takeIf { it.isNotEmpty() }?.let { SiteVisits(it, http) } }

    /** Lives as long as the process, so that a screen rotation does not reconnect. */
    val chat by lazy { AndroidChat(server, http, File(filesDir, "outbox"), OfflineStore(File(filesDir, "offline")), visits) }
    val drafts by lazy { Drafts(this) }
    val draftFiles by lazy { DraftFiles(chat, FileCopies(File(filesDir, "draft-files"), MAX_DRAFT_FILES_BYTES), scope) }

    /** Null without a microphone. */
    val recorder by lazy { VoiceRecorder(this, scope).takeIf { packageManager.hasSystemFeature(PackageManager.FEATURE_MICROPHONE) } }

    /** For a push service: see `docs/android.md`. */
    lateinit var notifications: ChatNotifications
        private set

    override fun onCreate() {
        super.onCreate()
        notifications = ChatNotifications(this, chat, drafts, lookOfNotifications())
        chat.connectWhileVisible(this)
        // Uploads end with the process.
        recordings(this).deleteRecursively()
        scope.launch { chat.me.collect { if (it != null) open(it.user) } }
        scope.launch {
            chat.access.collect { if (it == Access.Ended(Reason.LOGOUT) || it == Access.Ended(Reason.USER_CHANGED)) forgetUser() }
        }
    }

    override fun onConfigurationChanged(newConfig: Configuration) {
        super.onConfigurationChanged(newConfig)
        // The language may have changed.
        notifications.look = lookOfNotifications()
    }

    private fun lookOfNotifications() = ChatNotifications.Look(
        icon = R.drawable.ic_message,
        screen = MainActivity::class.java,
        channelName = getString(R.string.rooms_heading),
        newMessage = getString(R.string.prefs_sample),
        logIn = getString(R.string.ended_expired_text),
        reply = getString(R.string.action_reply),
        markRead = getString(R.string.msg_markRead),
        notSent = getString(R.string.msg_failed),
    )

    private fun open(user: User) {
        // The login of the last user may have expired, or ended while the app was closed.
        if (drafts.user != user.id) forgetUser()
        drafts.openFor(user.id)
        // Web views store cookies with a delay, so a process that ends soon would lose the login.
        scope.launch(Dispatchers.IO) { CookieManager.getInstance().flush() }
    }

    /** Removes the login from this device. The site's session ends later by itself. */
    fun forgetLogin() {
        scope.launch {
            notifications.removeDevice()
            chat.forgetUser()
            forgetUser()
            WebStorage.getInstance().deleteAllData()
            visits?.withoutVisits { removeCookies() } ?: removeCookies()
            chat.client.start()
        }
    }

    /** Ends a due reminder. Without a connection, it stays. */
    fun endReminder(room: String, seq: Long) {
        scope.launch {
            try {
                withTimeoutOrNull(MAX_WAIT_MS) { chat.awaitOnline() } ?: return@launch
                val reminders = chat.request<List<Reminder>> { reminders(it) }
                val reminder = reminders.find { it.due && it.room == room && it.seq == seq } ?: return@launch
                chat.request<Void?> { deleteReminder(reminder, it) }
            } catch (_: ChatRequestException) {
                // The reminder is shown again.
            }
        }
    }

    private suspend fun removeCookies() {
        suspendCoroutine { done -> CookieManager.getInstance().removeAllCookies { done.resume(it) } }
        withContext(Dispatchers.IO) { CookieManager.getInstance().flush() }
    }

    /** The next user of this device must not find texts or pictures of the last one. */
    private fun forgetUser() {
        drafts.clear()
        draftFiles.clear()
        imageLoader.memoryCache?.clear()
        recorder?.discard()
        for (folder in listOf(downloads(this), pictures(this), recordings(this))) folder.deleteRecursively()
    }

    /** Pictures of messages are kept in memory only. */
    override fun newImageLoader() = ImageLoader.Builder(this).okHttpClient(http).diskCache(null).respectCacheHeaders(false).build()
}
