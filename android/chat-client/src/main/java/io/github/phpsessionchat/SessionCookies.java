package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import okhttp3.Cookie;
import okhttp3.CookieJar;
import okhttp3.HttpUrl;

/**
 * A cookie jar in memory for {@code OkHttpClient.Builder.cookieJar}. Thread-safe. Who wants a login to outlive the
 * process keeps what {@link #get} says in a safe place, and gives it back by {@link #set}.
 */
public final class SessionCookies implements CookieJar {
  private final List<Cookie> cookies = new ArrayList<>();

  @Override
  public synchronized void saveFromResponse(HttpUrl url, List<Cookie> received) {
    for (Cookie cookie : received) put(cookie);
  }

  @Override
  public synchronized List<Cookie> loadForRequest(HttpUrl url) {
    List<Cookie> matching = new ArrayList<>();
    long now = System.currentTimeMillis();
    for (Iterator<Cookie> all = cookies.iterator(); all.hasNext(); ) {
      Cookie cookie = all.next();
      if (cookie.expiresAt() <= now) all.remove();
      else if (cookie.matches(url)) matching.add(cookie);
    }
    // RFC 6265, section 5.4: the longest path first.
    Collections.sort(matching, (a, b) -> Integer.compare(b.path().length(), a.path().length()));
    return matching;
  }

  /**
   * @param url of the site
   * @param name of the cookie, such as {@code PHPSESSID}
   * @return its value as it was received; null: there is none
   */
  public String get(String url, String name) {
    for (Cookie cookie : loadForRequest(HttpUrl.get(url))) if (cookie.name().equals(name)) return cookie.value();
    return null;
  }

  /**
   * Sets a cookie of that host, as if the site had.
   *
   * @param url of the site
   * @param name of the cookie, such as {@code PHPSESSID}
   * @param value as it stands in a header
   */
  public synchronized void set(String url, String name, String value) {
    HttpUrl site = HttpUrl.get(url);
    Cookie.Builder cookie = new Cookie.Builder().name(name).value(value).hostOnlyDomain(site.host()).httpOnly();
    if (site.isHttps()) cookie.secure();
    put(cookie.build());
  }

  /** Forgets everything: the user has logged out. */
  public synchronized void clear() {
    cookies.clear();
  }

  private void put(Cookie cookie) {
    for (Iterator<Cookie> all = cookies.iterator(); all.hasNext(); ) {
      Cookie known = all.next();
      boolean same = known.name().equals(cookie.name()) && known.domain().equals(cookie.domain());
      if (same && known.path().equals(cookie.path())) all.remove();
    }
    cookies.add(cookie);
  }
}
