package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.OkHttpClient;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What counts as a ticket, as a logout and as a failure. */
class TicketUrlTest {
  private final MockWebServer site = new MockWebServer();
  private final SessionCookies cookies = new SessionCookies();
  private TicketUrl source;

  @BeforeEach
  void start() throws IOException {
    site.start();
    String url = site.url("/chat-ticket.php").toString();
    source = new TicketUrl(new OkHttpClient.Builder().cookieJar(cookies).build(), url);
    cookies.set(url, "PHPSESSID", "abc");
  }

  @AfterEach
  void stop() {
    site.close();
  }

  private void respond(int code, String body) {
    site.enqueue(new MockResponse.Builder().code(code).addHeader("Location", "/login").body(body).build());
  }

  @Test
  void returnsTheTicketOfTheLoginInTheCookie() throws Exception {
    respond(200, "{\"ticket\": \"a.b.c\", \"more\": [1]}");
    assertEquals("a.b.c", source.fetch());
    RecordedRequest request = site.takeRequest();
    assertEquals("PHPSESSID=abc", request.getHeaders().get("Cookie"));
    assertEquals("application/json", request.getHeaders().get("Accept"));
    assertEquals("no-cache", request.getHeaders().get("Cache-Control"));
  }

  @Test
  void returnsNullForStatus401() throws IOException {
    respond(401, "{\"ticket\": \"a.b.c\"}");
    assertNull(source.fetch());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "500 | {\"ticket\": \"secret\"}",
        "302 | {\"ticket\": \"secret\"}",
        "200 | <form>secret</form>",
        "200 | {\"ticket\": secret",
        "200 | {}",
        "200 | ''",
        "200 | {\"ticket\": null}"
      })
  void failsWithAMessageThatContainsTheAddressButNotTheResponse(int code, String body) {
    respond(code, body);
    IOException error = assertThrows(IOException.class, source::fetch);
    assertTrue(error.getMessage().contains(site.url("/chat-ticket.php").toString()), error.getMessage());
    assertFalse(error.toString().contains("secret"), error.getMessage());
    assertNull(error.getCause());
    assertEquals(1, site.getRequestCount());
  }
}
