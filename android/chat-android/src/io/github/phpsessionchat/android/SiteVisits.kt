package io.github.phpsessionchat.android

import android.content.Context
import android.os.SystemClock
import android.webkit.WebSettings
import java.io.IOException
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import okhttp3.Call
import okhttp3.Cookie
import okhttp3.HttpUrl.Companion.toHttpUrl
import okhttp3.OkHttpClient
import okhttp3.Request

private const val TIMEOUT_S = 20L

/** The rest of a larger page is not read. */
private const val MAX_BYTES = 1L shl 20

/** How long a visit counts as recent: less than half of PHP's default lifetime of a session, 24 minutes. */
internal const val RECENT_MS = 10 * 60_000L

/** The client for the site and the chat server, with the cookies of web views and their name, to which some sites bind a login. */
fun webViewClient(context: Context): OkHttpClient.Builder {
    val agent by lazy { WebSettings.getDefaultUserAgent(context) }
    return OkHttpClient.Builder()
        .cookieJar(WebViewCookies())
        .addInterceptor { chain -> chain.proceed(chain.request().newBuilder().header("User-Agent", agent).build()) }
}

/**
 * Requests a page of the site, as a browser does, because the chat server only reads logins. The site then renews the
 * session, or starts a new one for a user whom it remembers. The cookies of its answer are kept.
 *
 * @param page a page of the site that reads the login, such as the user's account
 * @param http the client whose cookies identify the user to the site, see [webViewClient]
 */
class SiteVisits(page: String, private val http: OkHttpClient) {
    private val page = page.toHttpUrl()
    private val turn = Mutex()

    @Volatile private var call: Call? = null

    @Volatile private var visitedAt: Long? = null

    /** The cookies that the site would get. Without any, it cannot know the user. */
    internal val cookies: List<Cookie> get() = http.cookieJar.loadForRequest(page)

    internal val isVisiting get() = call != null

    /** Waits for the visit that is under way. @return false, because only [visit] may bring a login */
    internal suspend fun awaitVisit(): Boolean = turn.withLock { false }

    /** Visits the site, unless a visit was recent. */
    internal suspend fun visitIfDue() {
        val last = visitedAt
        if (last == null || SystemClock.elapsedRealtime() - last >= RECENT_MS) visit()
    }

    /** @return whether the site answered with a page */
    internal suspend fun visit(): Boolean = turn.withLock { withContext(Dispatchers.IO) { request() } }

    private fun request(): Boolean {
        if (cookies.isEmpty()) return false
        // The time limit includes redirects.
        val visit = http.newBuilder().callTimeout(TIMEOUT_S, TimeUnit.SECONDS).build().newCall(Request.Builder().url(page).build())
        call = visit
        return try {
            visit.execute().use { response ->
                // PHP may end a script whose reader is gone, before it has stored the session.
                response.body.source().request(MAX_BYTES)
                if (response.isSuccessful) visitedAt = SystemClock.elapsedRealtime()
                response.isSuccessful
            }
        } catch (_: IOException) {
            false
        } finally {
            call = null
        }
    }

    /** Runs a task that ends the login or removes its cookies, so that no visit brings them back. */
    suspend fun <T> withoutVisits(task: suspend () -> T): T {
        call?.cancel()
        return turn.withLock { task() }
    }
}
