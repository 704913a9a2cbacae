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
 * An in-memory cookie jar for {@code OkHttpClient.Builder.cookieJar}. Thread-safe. To keep a login across processes,
 * store the result of {@link #get} securely and restore it by {@link #set}.
 */
public final class SessionCookies implements CookieJar {
  private final List<Cookie> cookies = new ArrayList<>();
  /** Cookies of {@link #set} whose host and path are guesses. */
  private final List<Cookie> guessed = new ArrayList<>();

  /** Creates a jar without cookies. */
  public SessionCookies() {}

  @Override
  public synchronized void saveFromResponse(HttpUrl url, List<Cookie> received) {
    for (Cookie cookie : received) {
      // The chat server cannot choose between two cookies of the same name, so the guess is removed.
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
   * Returns the value of a cookie.
   *
   * @param url the address of the site
   * @param name the cookie name, such as {@code PHPSESSID}
   * @return the value as received, or null
   */
  public @Nullable String get(String url, String name) {
    for (Cookie cookie : loadForRequest(HttpUrl.get(url))) if (cookie.name().equals(name)) return cookie.value();
    return null;
  }

  /**
   * Sets a cookie as if the site had sent it. It keeps the host, path and lifetime of an existing cookie of that name.
   * Otherwise it applies to this host and all paths until the process ends.
   *
   * @param url the address of the site
   * @param name the cookie name, such as {@code PHPSESSID}
   * @param value the value as it appears in a header
   * @throws IllegalArgumentException if the value is not valid in a header
   */
  public synchronized void set(String url, String name, String value) {
    HttpUrl site = HttpUrl.get(url);
    Objects.requireNonNull(name, "name");
    if (!isValidInHeader(Objects.requireNonNull(value, "value"))) {
      throw new IllegalArgumentException("the value of cookie " + name + " is not valid in a header");
    }
    Cookie existing = null;
    for (Cookie cookie : loadForRequest(site)) {
      if (!cookie.name().equals(name)) continue;
      if (existing == null) existing = cookie;
      cookies.remove(cookie);
    }
    if (existing != null) {
      boolean guess = guessed.remove(existing);
      Cookie renewed = existing.newBuilder().value(value).build();
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

  /** Removes all cookies, after a logout. */
  public synchronized void clear() {
    cookies.clear();
    guessed.clear();
  }

  /** OkHttp would throw on its own thread for other characters. */
  private static boolean isValidInHeader(String value) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c < ' ' || c > '~' || c == ';') return false;
    }
    return true;
  }

  private void put(Cookie cookie) {
    for (Iterator<Cookie> all = cookies.iterator(); all.hasNext(); ) {
      Cookie existing = all.next();
      boolean same = existing.name().equals(cookie.name()) && existing.domain().equals(cookie.domain());
      if (same && existing.path().equals(cookie.path())) all.remove();
    }
    cookies.add(cookie);
  }
}
