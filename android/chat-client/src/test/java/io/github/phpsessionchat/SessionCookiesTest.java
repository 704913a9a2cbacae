package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Collections;
import okhttp3.Cookie;
import okhttp3.HttpUrl;
import org.junit.jupiter.api.Test;

class SessionCookiesTest {
  private static final String SITE = "https://www.example.org/";

  private final SessionCookies jar = new SessionCookies();

  @Test
  void renewedCookieReplacesTheOldOne() {
    receive(SITE, "PHPSESSID=one; path=/; HttpOnly");
    receive(SITE, "PHPSESSID=two; path=/; HttpOnly");
    assertEquals("two", jar.get(SITE, "PHPSESSID"));
    assertEquals(1, jar.loadForRequest(HttpUrl.get(SITE)).size());
  }

  @Test
  void removesDeletedCookies() {
    receive(SITE, "PHPSESSID=one; path=/");
    receive(SITE, "PHPSESSID=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/");
    assertNull(jar.get(SITE, "PHPSESSID"));
  }

  @Test
  void sendsCookieOnlyToItsHostOverHttps() {
    jar.set(SITE, "PHPSESSID", "secret");
    assertNull(jar.get("https://example.org/", "PHPSESSID"));
    assertNull(jar.get("http://www.example.org/", "PHPSESSID"));
    assertEquals("secret", jar.get("https://www.example.org:7070/socket.io/", "PHPSESSID"));
    jar.clear();
    assertNull(jar.get(SITE, "PHPSESSID"));
  }

  @Test
  void sendsDomainCookieToSubdomains() {
    receive(SITE, "PHPSESSID=one; path=/; domain=example.org");
    assertEquals("one", jar.get("https://chat.example.org/", "PHPSESSID"));
  }

  @Test
  void setReplacesTheSitesCookieAndKeepsItsDomain() {
    receive(SITE, "PHPSESSID=one; path=/shop; domain=example.org");
    receive(SITE, "PHPSESSID=two; path=/; domain=example.org");
    jar.set(SITE + "shop/", "PHPSESSID", "three");
    assertEquals(1, jar.loadForRequest(HttpUrl.get(SITE + "shop/")).size());
    assertEquals("three", jar.get("https://chat.example.org/shop/", "PHPSESSID"));
  }

  @Test
  void theSitesCookieReplacesOneThatWasSet() {
    jar.set(SITE, "PHPSESSID", "one");
    jar.set(SITE, "PHPSESSID", "two");
    receive(SITE, "PHPSESSID=three; path=/; domain=example.org");
    assertEquals("three", jar.get(SITE, "PHPSESSID"));
    assertEquals(1, jar.loadForRequest(HttpUrl.get(SITE)).size());
  }

  @Test
  void rejectsValuesThatAreNotValidInAHeader() {
    for (String value : new String[] {"a\nb", "a;b", "ü"}) {
      assertThrows(IllegalArgumentException.class, () -> jar.set(SITE, "PHPSESSID", value));
    }
  }

  private void receive(String url, String header) {
    HttpUrl from = HttpUrl.get(url);
    jar.saveFromResponse(from, Collections.singletonList(Cookie.parse(from, header)));
  }
}
