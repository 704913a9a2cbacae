package io.github.phpsessionchat;

import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Socket;
import io.socket.thread.EventThread;
import java.io.IOException;
import java.net.URI;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import okhttp3.Dispatcher;
import okhttp3.HttpUrl;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.ResponseBody;
import okhttp3.WebSocket;
import okhttp3.WebSocketListener;
import okio.ByteString;
import org.json.JSONException;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/**
 * One connection attempt, and the connection if it succeeds. Each has its own Socket.IO socket. A reused socket would
 * keep headers with an old cookie, the transport, and events of the old connection. Each request reads its cookie from
 * the client's jar.
 */
final class Link {
  interface Listener {
    /** The server sent an event. */
    void onEvent(String name, JSONObject payload);

    /** The server rejected the connection; {@code error} is the content of {@code connect_error}. */
    void onRejected(JSONObject error);

    /** The attempt failed or the connection was lost. The reason is Socket.IO's. */
    void onBroken(String reason);

    /** Calls {@code passed} after the app has handled all earlier events. */
    void sendMarker(Runnable passed);
  }

  /** Time for the server to answer the pending poll when the connection closes. */
  private static final long CLOSE_GRACE_MS = 1000;
  /** The server answers a poll at the latest with its next ping, after 25 s. */
  private static final long POLL_TIMEOUT_MS = 60_000;

  /** Limit for poll responses without content. The server sends such a response only when the transport changes. */
  private static final int MAX_EMPTY_POLLS = 20;

  private static final String[] WEBSOCKET_ONLY = {"websocket"};
  private static final String[] WEBSOCKET_FIRST = {"websocket", "polling"};
  private static final String[] POLLING_FIRST = {"polling", "websocket"};

  private final Loop loop;
  private final Listener listener;
  private final OkHttpClient http;
  private final Pace pace;
  private final Socket socket;
  private volatile @Nullable WebSocket webSocket;
  private volatile @Nullable String httpError;
  private volatile long retryAfterMs;
  /** Polls run one after another, but on different threads. */
  private volatile int emptyPolls;
  private boolean closed;
  private boolean open;
  private long lastReceivedAt;

  /** @param webSocketOnly whether {@code auth} identifies the user, which the server accepts only over WebSocket */
  Link(
      Loop loop,
      HttpUrl server,
      OkHttpClient http,
      Map<String, String> auth,
      boolean webSocketOnly,
      boolean pollingFirst,
      Listener listener) {
    this.loop = loop;
    this.listener = listener;
    pace = new Pace(passed -> EventThread.nextTick(() -> loop.run(() -> listener.sendMarker(passed))));
    // A dispatcher of its own lets the connection cancel its calls and no others.
    Dispatcher dispatcher = new Dispatcher(http.dispatcher().executorService());
    this.http =
        http.newBuilder()
            .dispatcher(dispatcher)
            .readTimeout(POLL_TIMEOUT_MS, TimeUnit.MILLISECONDS)
            .callTimeout(0, TimeUnit.MILLISECONDS)
            // The app configures the address, so a redirect comes from a proxy or is a mistake.
            .followRedirects(false)
            .followSslRedirects(false)
            .addInterceptor(this::checkResponse)
            .build();
    IO.Options options = new IO.Options();
    options.forceNew = true;
    options.reconnection = false;
    // `Connection` has its own timeout, which also covers the time until `session:ready`.
    options.timeout = -1;
    options.path = server.encodedPath().replaceAll("/$", "") + "/socket.io/";
    options.transports = webSocketOnly ? WEBSOCKET_ONLY : pollingFirst ? POLLING_FIRST : WEBSOCKET_FIRST;
    options.auth = auth;
    options.callFactory = this.http;
    options.webSocketFactory = this::openWebSocket;
    options.decoder = new Packets.Decoder(() -> loop.run(() -> onBroken("parse error")));
    // The path is set in the options. In the URI, Socket.IO would use it as a namespace.
    URI origin = server.newBuilder().encodedPath("/").query(null).fragment(null).build().uri();
    socket = IO.socket(origin, options);
    socket.onAnyIncoming(args -> loop.run(() -> onEvent(args)));
    socket.on(Socket.EVENT_CONNECT, args -> loop.run(() -> open = true));
    socket.on(Socket.EVENT_CONNECT_ERROR, args -> loop.run(() -> onRejected(args)));
    socket.on(Socket.EVENT_DISCONNECT, args -> loop.run(() -> onBroken(args.length == 0 ? "" : String.valueOf(args[0]))));
  }

  void connect() {
    socket.connect();
  }

  /** Calls {@code ack} on the chat's thread when the server responds. */
  void emit(String name, JSONObject payload, Ack ack) {
    Ack onLoop =
        args ->
            loop.run(
                () -> {
                  if (closed) return;
                  lastReceivedAt = loop.now();
                  ack.call(args);
                });
    socket.emit(name, new Object[] {payload}, onLoop);
  }

  /** Closes the link. No more events are reported. */
  void close() {
    if (closed) return;
    closed = true;
    pace.end();
    socket.disconnect();
    // Otherwise a hanging call would keep its threads.
    if (open) loop.later(CLOSE_GRACE_MS, this::abort);
    else abort();
  }

  /** When the last event or acknowledgement arrived, by the loop's clock; 0 before that. */
  long lastReceivedAt() {
    return lastReceivedAt;
  }

  /** The error code of the last HTTP request that the chat server rejected, or null. */
  @Nullable String httpError() {
    return httpError;
  }

  long retryAfterMs() {
    return retryAfterMs;
  }

  private void abort() {
    http.dispatcher().cancelAll();
    WebSocket last = webSocket;
    if (last != null) last.cancel();
  }

  private void onEvent(Object[] args) {
    if (closed) return;
    lastReceivedAt = loop.now();
    Object payload = args.length > 1 ? args[1] : null;
    listener.onEvent(String.valueOf(args[0]), payload instanceof JSONObject ? (JSONObject) payload : new JSONObject());
  }

  private void onRejected(Object[] args) {
    if (closed) return;
    Object error = args.length > 0 ? args[0] : null;
    if (error instanceof JSONObject) listener.onRejected((JSONObject) error);
    else listener.onBroken("transport error");
  }

  private void onBroken(String reason) {
    if (!closed) listener.onBroken(reason);
  }

  /**
   * Reads the error code of a failed request, and rejects responses that do not come from the chat server. Socket.IO's
   * client does neither.
   */
  private Response checkResponse(Interceptor.Chain chain) throws IOException {
    Request request = chain.request();
    boolean isPoll = request.method().equals("GET");
    if (isPoll) pace.await();
    Response response = proceed(chain);
    if (response.code() == 101) return Frames.limitSize(response);
    if (response.code() >= 400) {
      httpError = errorCode(response);
      retryAfterMs = retryAfterMs(response);
    } else if (response.isSuccessful()) {
      try (ResponseBody body = response.peekBody(Packets.MAX_LENGTH + 1)) {
        boolean isValid = body.contentLength() <= Packets.MAX_LENGTH;
        if (isValid && isPoll) isValid = isPayload(body.string(), isOpening(request));
        if (!isValid) {
          response.close();
          throw new IOException("the response does not come from a chat server");
        }
      }
    }
    return response;
  }

  private boolean isPayload(String payload, boolean first) {
    // If a proxy answered every poll at once, polling would run in a tight loop.
    if (payload.equals("6")) emptyPolls = emptyPolls + 1;
    if (emptyPolls > MAX_EMPTY_POLLS) return false;
    pace.read(Packets.count(payload), payload.length());
    return Packets.isPayload(payload, first);
  }

  /**
   * Turns unchecked exceptions into an {@link IOException}. OkHttp throws them on its own thread, for example for a
   * cookie that is not valid in a header.
   */
  static Response proceed(Interceptor.Chain chain) throws IOException {
    Response response;
    try {
      response = chain.proceed(chain.request());
    } catch (RuntimeException e) {
      throw new IOException("cannot send the request", e);
    }
    if (response.body().contentLength() >= -1) return response;
    // Reading or closing a body of negative length throws.
    chain.call().cancel();
    throw new IOException("the response has a negative Content-Length");
  }

  private static boolean isOpening(Request request) {
    return request.url().queryParameter("sid") == null;
  }

  private static @Nullable String errorCode(Response response) {
    try {
      String body = response.peekBody(10_000).string();
      return Packets.isReadable(body) ? Wire.text(Wire.object(new JSONObject(body), "error"), "code") : null;
    } catch (IOException | JSONException e) {
      // The response is truncated, or comes from a proxy.
      return null;
    }
  }

  /** {@code Retry-After} in milliseconds, at most one hour; 0 if it is absent or a date. */
  static long retryAfterMs(Response response) {
    String seconds = response.header("Retry-After", "0");
    if (!seconds.matches("\\d{1,9}")) return 0;
    return Math.min(Wire.MAX_RETRY_AFTER_MS, TimeUnit.SECONDS.toMillis(Long.parseLong(seconds)));
  }

  private WebSocket openWebSocket(Request request, WebSocketListener engineListener) {
    webSocket = http.newWebSocket(request, new Guard(engineListener, pace, isOpening(request)));
    return webSocket;
  }

  /**
   * Filters what OkHttp passes to Socket.IO's client. It answers the server's close frame, because that client would
   * notice the end only by missing pings. It also rejects malformed packets.
   */
  private static final class Guard extends WebSocketListener {
    private final WebSocketListener engineListener;
    private final Pace pace;
    private boolean first;
    private boolean isOver;

    Guard(WebSocketListener engineListener, Pace pace, boolean first) {
      this.engineListener = engineListener;
      this.pace = pace;
      this.first = first;
    }

    @Override
    public void onOpen(WebSocket socket, Response response) {
      engineListener.onOpen(socket, response);
    }

    @Override
    public void onMessage(WebSocket socket, String text) {
      if (isOver) return;
      if (Packets.isPacket(text, first)) engineListener.onMessage(socket, text);
      else fail(socket);
      first = false;
      pace.read(1, text.length());
      pace.await();
    }

    @Override
    public void onMessage(WebSocket socket, ByteString bytes) {
      if (!isOver) fail(socket);
    }

    @Override
    public void onClosing(WebSocket socket, int code, String reason) {
      socket.close(1000, null);
    }

    @Override
    public void onClosed(WebSocket socket, int code, String reason) {
      if (!isOver) engineListener.onClosed(socket, code, reason);
    }

    @Override
    public void onFailure(WebSocket socket, Throwable error, @Nullable Response response) {
      if (isOver) return;
      isOver = true;
      // The engine ignores an `Error`.
      engineListener.onFailure(socket, error instanceof Exception ? error : new IOException(error), response);
    }

    private void fail(WebSocket socket) {
      onFailure(socket, new IOException("the WebSocket message is not a valid Engine.IO packet"), null);
      socket.cancel();
    }
  }
}
