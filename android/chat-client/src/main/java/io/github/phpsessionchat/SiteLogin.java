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
 * Logs in to a PHP site as a browser does: gets the page with the login form, fills in name and password beside what is
 * in it already (the CSRF token), and posts it. The cookie jar of the client has the session then.
 */
public final class SiteLogin {
  /** The site has not let the user in. */
  public static final class Refused extends IOException {
    private static final long serialVersionUID = 1;

    /** The status of the site's answer. */
    public final int status;
    /** When it may be tried again, in milliseconds; 0: the site does not say. */
    public final long retryAfterMs;

    Refused(String message, int status, long retryAfterMs) {
      super(message);
      this.status = status;
      this.retryAfterMs = retryAfterMs;
    }
  }

  private static final long LONGEST_PAGE = 1_000_000;
  /** For each of the two requests, redirects included, where the client sets no limit of its own. */
  private static final long LONGEST_S = 60;

  private final OkHttpClient http;
  private final HttpUrl page;
  private boolean cleartext;

  /**
   * @param http with a cookie jar; the same as that of the {@link Chat}
   * @param page the address of the page with the login form: {@code https}, or on this machine
   */
  public SiteLogin(OkHttpClient http, String page) {
    if (http.cookieJar() == CookieJar.NO_COOKIES) throw new IllegalArgumentException("http has no cookie jar");
    this.page = HttpUrl.get(Objects.requireNonNull(page, "page"));
    OkHttpClient.Builder own = http.newBuilder().addInterceptor(Link::proceed).addNetworkInterceptor(this::onlyWhereSafe);
    if (http.callTimeoutMillis() == 0) own.callTimeout(LONGEST_S, TimeUnit.SECONDS);
    this.http = own.build();
  }

  /**
   * The page may be read, and the password sent, without encryption: for a test server that is not on this machine. Where
   * the page itself is encrypted this changes nothing.
   *
   * @return this login
   */
  public SiteLogin allowCleartext() {
    cleartext = true;
    return this;
  }

  /**
   * Blocks until the site has answered: not to be called on Android's main thread. The form is the one with a field of
   * the type {@code password}; if the site shows such a form again, it has not let the user in. No
   * redirect is followed from an encrypted page to one that is not.
   *
   * @param user what goes into the field before the password
   * @param password what goes into the password's field
   * @throws Refused name or password are wrong, or the site does not want to be asked now
   * @throws IOException the site cannot be reached, fails, or shows no login form
   */
  public void logIn(String user, String password) throws IOException {
    Objects.requireNonNull(user, "user");
    Objects.requireNonNull(password, "password");
    LoginForm form;
    HttpUrl target;
    try (Response response = http.newCall(new Request.Builder().url(page).build()).execute()) {
      form = LoginForm.in(html(response));
      if (form == null) throw new IOException("no login form at " + page + ": HTTP " + response.code());
      // Where the site has led to: what the form says counts from there.
      target = response.request().url().resolve(form.action);
      if (target == null) throw new IOException("the login form is sent to no address of the web");
    }
    FormBody.Builder body = new FormBody.Builder();
    for (String[] field : form.filled(user, password)) body.add(field[0], field[1]);
    Request post = new Request.Builder().url(target).header("Referer", page.toString()).post(body.build()).build();
    try (Response response = http.newCall(post).execute()) {
      if (response.code() >= 500) {
        throw new IOException("the site could not check the login, try again later: HTTP " + response.code());
      }
      boolean again = LoginForm.in(html(response)) != null;
      if (!response.isSuccessful() || again) {
        String what = "the site has refused the login: HTTP " + response.code();
        throw new Refused(what, response.code(), Link.retryAfterMs(response));
      }
    }
  }

  /** Of each single request, so that neither a redirect nor the form leads to where others can read. */
  private Response onlyWhereSafe(Interceptor.Chain chain) throws IOException {
    HttpUrl url = chain.request().url();
    boolean safe = url.isHttps() || (!page.isHttps() && (cleartext || isLoopback(url.host())));
    if (!safe) throw new IOException("no encryption: " + url.scheme() + "://" + url.host());
    return chain.proceed(chain.request());
  }

  private static boolean isLoopback(String host) {
    return host.equals("localhost") || host.equals("::1") || host.matches("127(\\.\\d{1,3}){3}");
  }

  /** Its beginning, where it is long. */
  private static String html(Response response) throws IOException {
    return response.peekBody(LONGEST_PAGE).string();
  }
}
