package io.github.phpsessionchat.android

import android.webkit.CookieManager
import okhttp3.Cookie
import okhttp3.CookieJar
import okhttp3.HttpUrl

/** The cookies of web views, so that a login in a web view is also the login of the chat. */
class WebViewCookies : CookieJar {
    private val cookies = CookieManager.getInstance()

    override fun loadForRequest(url: HttpUrl): List<Cookie> =
        cookies.getCookie(url.toString()).orEmpty().split("; ").mapNotNull { Cookie.parse(url, it) }

    override fun saveFromResponse(url: HttpUrl, cookies: List<Cookie>) {
        for (cookie in cookies) this.cookies.setCookie(url.toString(), cookie.toString())
        // Otherwise a process that ends soon loses the renewed session ID.
        if (cookies.isNotEmpty()) this.cookies.flush()
    }
}
