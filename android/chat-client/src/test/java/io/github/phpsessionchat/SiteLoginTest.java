package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import okhttp3.Dns;
import okhttp3.OkHttpClient;
import okhttp3.tls.HandshakeCertificates;
import okhttp3.tls.HeldCertificate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Which addresses may receive a password. */
class SiteLoginTest {
  private static final String FORM = "<form method=post><input name=u><input name=p type=password></form>";

  private final MockWebServer encrypted = new MockWebServer();
  private final MockWebServer plain = new MockWebServer();
  private OkHttpClient http;

  @BeforeEach
  void start() throws IOException {
    HeldCertificate own = new HeldCertificate.Builder().addSubjectAlternativeName("site.test").build();
    HandshakeCertificates there = new HandshakeCertificates.Builder().heldCertificate(own).build();
    HandshakeCertificates here = new HandshakeCertificates.Builder().addTrustedCertificate(own.certificate()).build();
    encrypted.useHttps(there.sslSocketFactory());
    encrypted.start();
    plain.start();
    // Avoids DNS lookups.
    Dns dns = host -> Collections.singletonList(InetAddress.getLoopbackAddress());
    http =
        new OkHttpClient.Builder()
            .cookieJar(new SessionCookies())
            .dns(dns)
            .sslSocketFactory(here.sslSocketFactory(), here.trustManager())
            .build();
  }

  @AfterEach
  void stop() {
    encrypted.close();
    plain.close();
  }

  private static MockResponse redirect(int status, String to) {
    return new MockResponse.Builder().code(status).addHeader("Location", to).build();
  }

  private static MockResponse page(String html) {
    return new MockResponse.Builder().body(html).build();
  }

  private String encryptedUrl() {
    return "https://site.test:" + encrypted.getPort() + "/login";
  }

  private String plainUrl(String host) {
    return "http://" + host + ":" + plain.getPort() + "/login";
  }

  private void requiresHttps(String page) {
    IOException error = assertThrows(IOException.class, () -> new SiteLogin(http, page).logIn("alice", "secret"));
    assertTrue(error.getMessage().startsWith("the login requires HTTPS"), error.getMessage());
    assertEquals(0, plain.getRequestCount());
  }

  @Test
  void followsRedirectsBetweenHttpsPages() throws Exception {
    encrypted.enqueue(redirect(302, "/form"));
    encrypted.enqueue(page(FORM));
    encrypted.enqueue(redirect(302, "/welcome"));
    encrypted.enqueue(page("welcome"));
    new SiteLogin(http, encryptedUrl()).logIn("alice", "secret");
    assertEquals(4, encrypted.getRequestCount());
  }

  @Test
  void rejectsRedirectsFromHttpsToHttp() {
    for (String host : Arrays.asList("site.test", "127.0.0.1")) {
      encrypted.enqueue(redirect(302, plainUrl(host)));
      requiresHttps(encryptedUrl());
      encrypted.enqueue(page(FORM));
      // Status 307 repeats the method and the body.
      encrypted.enqueue(redirect(307, plainUrl(host)));
      requiresHttps(encryptedUrl());
    }
  }

  @Test
  void rejectsFormsThatPostFromHttpsToHttp() {
    encrypted.enqueue(page(FORM.replace("<form", "<form action='" + plainUrl("site.test") + "'")));
    requiresHttps(encryptedUrl());
  }

  @Test
  void allowsHttpOnlyOnLoopbackOrIfConfigured() throws Exception {
    requiresHttps(plainUrl("site.test"));
    for (int i = 0; i < 2; i++) {
      plain.enqueue(page(FORM));
      plain.enqueue(page("welcome"));
    }
    new SiteLogin(http, plainUrl("site.test")).allowCleartext().logIn("alice", "secret");
    new SiteLogin(http, plainUrl("localhost")).logIn("alice", "secret");
    assertEquals(4, plain.getRequestCount());
  }

  @Test
  void limitsRetryAfterToOneHour() {
    encrypted.enqueue(page(FORM));
    encrypted.enqueue(new MockResponse.Builder().code(429).addHeader("Retry-After", "999999999").build());
    SiteLogin login = new SiteLogin(http, encryptedUrl());
    SiteLogin.Refused refused = assertThrows(SiteLogin.Refused.class, () -> login.logIn("a", "b"));
    assertEquals(429, refused.status);
    assertEquals(3_600_000, refused.retryAfterMs);
  }

  @Test
  void serverErrorIsNotARejection() {
    for (int status : new int[] {500, 502, 503}) {
      encrypted.enqueue(page(FORM));
      encrypted.enqueue(new MockResponse.Builder().code(status).body(FORM).build());
      IOException error = assertThrows(IOException.class, () -> new SiteLogin(http, encryptedUrl()).logIn("a", "b"));
      assertEquals("the site failed to process the login, try again later: HTTP " + status, error.getMessage());
      assertFalse(error instanceof SiteLogin.Refused);
    }
  }

  @Test
  void reportsNoLoginFormInALargePage() {
    List<String> mebibytes = Collections.nCopies(8, String.join("", Collections.nCopies(1 << 20, "<")));
    encrypted.enqueue(page(String.join("", mebibytes)));
    IOException error = assertThrows(IOException.class, () -> new SiteLogin(http, encryptedUrl()).logIn("a", "b"));
    assertTrue(error.getMessage().startsWith("no login form"), error.getMessage());
  }
}
