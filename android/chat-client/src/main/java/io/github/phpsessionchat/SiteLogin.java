package io.github.phpsessionchat;

import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import okhttp3.CookieJar;
import okhttp3.FormBody;
import okhttp3.HttpUrl;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/**
 * Logs in to a PHP site like a browser: loads the page with the login form, fills in name and password, keeps the other
 * fields such as the CSRF token, and posts the form. Afterwards the client's cookie jar contains the session.
 */
public final class SiteLogin {
  /** The site rejected the login. */
  public static final class Refused extends IOException {
    private static final long serialVersionUID = 1;

    /** The HTTP status of the response. */
    public final int status;
    /** Milliseconds until the login may be repeated; 0 if the site does not specify it. */
    public final long retryAfterMs;

    Refused(String message, int status, long retryAfterMs) {
      super(message);
      this.status = status;
      this.retryAfterMs = retryAfterMs;
    }
  }

  private static final long MAX_PAGE_BYTES = 1_000_000;
  /** Time limit for each of the two requests, including redirects, if the client has no limit. */
  private static final long CALL_TIMEOUT_SECONDS = 60;

  private final OkHttpClient http;
  private final HttpUrl page;
  private boolean cleartext;

  /**
   * Creates a login for a page.
   *
   * @param http a client with a cookie jar, the same jar as for the {@link Chat}
   * @param page the address of the page with the login form: {@code https}, or on this machine
   * @throws IllegalArgumentException if the client has no cookie jar, or the address is not valid
   */
  public SiteLogin(OkHttpClient http, String page) {
    if (http.cookieJar() == CookieJar.NO_COOKIES) {
      throw new IllegalArgumentException("the OkHttpClient must have a cookie jar");
    }
    this.page = HttpUrl.get(Objects.requireNonNull(page, "page"));
    OkHttpClient.Builder own = http.newBuilder().addInterceptor(Link::proceed).addNetworkInterceptor(this::requireEncryption);
    if (http.callTimeoutMillis() == 0) own.callTimeout(CALL_TIMEOUT_SECONDS, TimeUnit.SECONDS);
    this.http = own.build();
  }

  /**
   * Allows an unencrypted page, for a test server on another machine. Has no effect if the page is encrypted.
   *
   * @return this login
   */
  public SiteLogin allowCleartext() {
    cleartext = true;
    return this;
  }

  /**
   * Blocks until the site responds, so do not call it on Android's main thread. The login form is the first one with a
   * {@code password} field. If the response has such a form again, the login counts as rejected. Redirects from an
   * encrypted to an unencrypted page fail.
   *
   * @param user the value of the last text, email or tel field before the password
   * @param password the value of the password field
   * @throws Refused if name or password are wrong, or the site limits logins
   * @throws IOException if the site is unreachable, fails or has no login form
   */
  public void logIn(String user, String password) throws IOException {
    Objects.requireNonNull(user, "user");
    Objects.requireNonNull(password, "password");
    LoginForm form;
    HttpUrl target;
    try (Response response = http.newCall(new Request.Builder().url(page).build()).execute()) {
      form = LoginForm.parse(html(response));
      if (form == null) throw new IOException("no login form at " + page + ": HTTP " + response.code());
      // Relative to the page after redirects.
      target = response.request().url().resolve(form.action);
      if (target == null) throw new IOException("the login form has an invalid action");
    }
    FormBody.Builder body = new FormBody.Builder();
    for (String[] field : form.fill(user, password)) body.add(field[0], field[1]);
    Request post = new Request.Builder().url(target).header("Referer", page.toString()).post(body.build()).build();
    try (Response response = http.newCall(post).execute()) {
      if (response.code() >= 500) {
        throw new IOException("the site failed to process the login, try again later: HTTP " + response.code());
      }
      boolean hasLoginForm = LoginForm.parse(html(response)) != null;
      if (!response.isSuccessful() || hasLoginForm) {
        String message = "the site rejected the login: HTTP " + response.code();
        throw new Refused(message, response.code(), Link.retryAfterMs(response));
      }
    }
  }

  /**
   * Checks each request, including redirects and the form's target, because the password must not be readable on the
   * network.
   */
  private Response requireEncryption(Interceptor.Chain chain) throws IOException {
    HttpUrl url = chain.request().url();
    boolean isSafe = url.isHttps() || (!page.isHttps() && (cleartext || isLoopback(url.host())));
    if (!isSafe) throw new IOException("the login requires HTTPS, not " + url.scheme() + "://" + url.host());
    return chain.proceed(chain.request());
  }

  private static boolean isLoopback(String host) {
    return host.equals("localhost") || host.equals("::1") || host.matches("127(\\.\\d{1,3}){3}");
  }

  /** The beginning of the page, up to the size limit. */
  private static String html(Response response) throws IOException {
    return response.peekBody(MAX_PAGE_BYTES).string();
  }
}
