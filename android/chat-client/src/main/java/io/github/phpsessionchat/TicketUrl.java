package io.github.phpsessionchat;

import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import okhttp3.CacheControl;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.json.JSONException;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** Fetches tickets from a page of the site. It responds with <code>{"ticket": "…"}</code>, or 401 without a login. */
public final class TicketUrl implements TicketSource {
  /** Must leave time to connect, within the timeout of an attempt. */
  private static final long TIMEOUT_MS = 8000;

  private static final long MAX_RESPONSE_BYTES = 100_000;

  private final OkHttpClient http;
  private final Request request;

  /**
   * Creates a source for a page.
   *
   * @param http the client that is logged in to the site, by its cookie jar or by an interceptor
   * @param url the address of the page. Redirects are not followed
   * @throws IllegalArgumentException if the address is not valid
   */
  public TicketUrl(OkHttpClient http, String url) {
    HttpUrl page = HttpUrl.get(Objects.requireNonNull(url, "url"));
    // The response to an earlier user must not come from a cache.
    Request.Builder fresh = new Request.Builder().url(page).cacheControl(CacheControl.FORCE_NETWORK);
    request = fresh.header("Accept", "application/json").build();
    this.http =
        http.newBuilder()
            .callTimeout(TIMEOUT_MS, TimeUnit.MILLISECONDS)
            // A redirect leads to a login form, or to an unencrypted page.
            .followRedirects(false)
            .followSslRedirects(false)
            .addInterceptor(Link::proceed)
            .build();
  }

  @Override
  public @Nullable String fetch() throws IOException {
    try (Response response = http.newCall(request).execute()) {
      if (response.code() == 401) return null;
      if (!response.isSuccessful()) throw new IOException("no ticket at " + request.url() + ": HTTP " + response.code());
      String body = response.peekBody(MAX_RESPONSE_BYTES).string();
      String ticket = Packets.isReadable(body) ? Wire.text(new JSONObject(body), "ticket") : null;
      if (ticket != null) return ticket;
    } catch (JSONException e) {
      // The message of the exception may contain a part of the ticket.
    }
    throw new IOException("the response of " + request.url() + " is not JSON with a ticket");
  }
}
