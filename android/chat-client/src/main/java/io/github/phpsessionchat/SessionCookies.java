package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import okhttp3.Cookie;
import okhttp3.CookieJar;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * A cookie jar in memory for {@code OkHttpClient.Builder.cookieJar}. Thread-safe. An app that wants a login to outlive the
 * process keeps what {@link #get} says in a safe place, and gives it back by {@link #set}.
 */
public final class SessionCookies implements CookieJar {
  private final List<Cookie> cookies = new ArrayList<>();
  /** Cookies of {@link #set}: it is not known to which paths and hosts the site gives them. */
  private final List<Cookie> guessed = new ArrayList<>();

  @Override
  public synchronized void saveFromResponse(HttpUrl url, List<Cookie> received) {
    for (Cookie cookie : received) {
      // Two of one name would be one too many for the chat server, which cannot tell which counts.
      for (Cookie guess : guessed) if (guess.name().equals(cookie.name()) && guess.matches(url)) cookies.remove(guess);
      guessed.retainAll(cookies);
      put(cookie);
    }
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
  public @Nullable String get(String url, String name) {
    for (Cookie cookie : loadForRequest(HttpUrl.get(url))) if (cookie.name().equals(name)) return cookie.value();
    return null;
  }

  /**
   * Sets a cookie as if the site had: with the host, path and life of the one of that name that the site gets now; else
   * for that host alone, all paths, and until the process ends.
   *
   * @param url of the site
   * @param name of the cookie, such as {@code PHPSESSID}
   * @param value as it stands in a header
   */
  public synchronized void set(String url, String name, String value) {
    HttpUrl site = HttpUrl.get(url);
    Objects.requireNonNull(name, "name");
    if (!canBeSent(Objects.requireNonNull(value, "value"))) {
      throw new IllegalArgumentException("the value of " + name + " cannot stand in a header");
    }
    Cookie known = null;
    for (Cookie cookie : loadForRequest(site)) {
      if (!cookie.name().equals(name)) continue;
      if (known == null) known = cookie;
      cookies.remove(cookie);
    }
    if (known != null) {
      boolean guess = guessed.remove(known);
      Cookie renewed = known.newBuilder().value(value).build();
      put(renewed);
      if (guess) guessed.add(renewed);
      return;
    }
    Cookie.Builder cookie = new Cookie.Builder().name(name).value(value).hostOnlyDomain(site.host()).httpOnly();
    if (site.isHttps()) cookie.secure();
    Cookie guess = cookie.build();
    put(guess);
    guessed.add(guess);
  }

  /** Forgets everything: the user has logged out. */
  public synchronized void clear() {
    cookies.clear();
    guessed.clear();
  }

  /** OkHttp throws at a header of other characters, on a thread of its own. */
  private static boolean canBeSent(String value) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c < ' ' || c > '~' || c == ';') return false;
    }
    return true;
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
