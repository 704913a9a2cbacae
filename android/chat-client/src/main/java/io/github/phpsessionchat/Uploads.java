package io.github.phpsessionchat;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import okhttp3.Call;
import okhttp3.Dispatcher;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okio.BufferedSink;
import org.json.JSONException;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** Uploads the files of one user, a few at a time. Uploads are repeated after network or server errors. */
final class Uploads {
  interface Port {
    /** Whether the client is connected. If not, a failed attempt waits for the next connection. */
    boolean ready();

    void changed(Upload upload);
  }

  /** Files share the connection's bandwidth. */
  private static final int MAX_CONCURRENT = 2;
  /** Maximum attempts per connection, to limit data usage. */
  private static final int MAX_ATTEMPTS = 3;

  private static final long FIRST_DELAY_MS = 1000;
  /** An upload fails if it would have to wait longer than this. */
  private static final long MAX_DELAY_MS = 60_000;
  /** Time limit for a blocked write. */
  private static final long WRITE_TIMEOUT_MS = 30_000;
  /** Time limit for the response. The server examines queued files one after another before it responds. */
  private static final long READ_TIMEOUT_MS = 120_000;
  /** Minimum interval between progress reports. */
  private static final long PROGRESS_INTERVAL_MS = 100;

  private static final int PIECE_BYTES = 16_384;
  private static final long MAX_RESPONSE_BYTES = 100_000;
  private static final MediaType BYTES = MediaType.get("application/octet-stream");

  /** Status codes after which the same file may be accepted later. All others are final. */
  private static final Set<Integer> TEMPORARY_STATUS_CODES =
      new HashSet<>(Arrays.asList(401, 408, 429, 500, 502, 503, 504, 507));

  private final class Item {
    final String key;
    final String room;
    final NewFile source;
    long sent;
    @Nullable ChatFile file;
    @Nullable String failed;
    /** Whether to retry over the next connection. */
    boolean retryOnReconnect;
    int attempts;
    /** The current attempt. */
    @Nullable Call call;

    @Nullable Body body;
    /** The next attempt. */
    @Nullable Future<?> timer;

    Item(String key, String room, NewFile source) {
      this.key = key;
      this.room = room;
      this.source = source;
    }

    Upload snapshot() {
      return new Upload(key, room, source.name, source.size, sent, file, failed);
    }
  }

  private final Loop loop;
  private final FileAddresses addresses;
  private final OkHttpClient http;
  private final Port port;
  private final Map<String, Item> items = new LinkedHashMap<>();
  /** The uploads of the logged-in user, readable from all threads. */
  private volatile List<Upload> snapshots = Collections.emptyList();

  private @Nullable String user;
  private boolean paused = true;

  Uploads(Loop loop, FileAddresses addresses, OkHttpClient http, Port port) {
    this.loop = loop;
    this.addresses = addresses;
    Dispatcher dispatcher = new Dispatcher(http.dispatcher().executorService());
    dispatcher.setMaxRequests(MAX_CONCURRENT);
    dispatcher.setMaxRequestsPerHost(MAX_CONCURRENT);
    this.http =
        http.newBuilder()
            .dispatcher(dispatcher)
            .callTimeout(0, TimeUnit.MILLISECONDS)
            .writeTimeout(WRITE_TIMEOUT_MS, TimeUnit.MILLISECONDS)
            .readTimeout(READ_TIMEOUT_MS, TimeUnit.MILLISECONDS)
            .followRedirects(false)
            .followSslRedirects(false)
            .addInterceptor(Link::proceed)
            .build();
    this.port = port;
  }

  /** Can be called on any thread. */
  List<Upload> list() {
    return snapshots;
  }

  /** Returns null if no upload with this key exists in this process. */
  @Nullable Upload get(String key) {
    Item item = items.get(key);
    return item == null ? null : item.snapshot();
  }

  /** @param refusal the error code if the server would reject the file, or null */
  void add(String key, String room, NewFile file, @Nullable String refusal) {
    Item item = new Item(key, room, file);
    items.put(key, item);
    item.failed = refusal;
    report(item);
    if (item.failed == null) startAttempt(item);
  }

  /** Restarts an upload that failed, or whose file the server no longer has. */
  void retry(String key) {
    Item item = items.get(key);
    if (item == null || item.call != null || item.timer != null) return;
    item.failed = null;
    item.retryOnReconnect = false;
    item.file = null;
    item.attempts = 0;
    item.sent = 0;
    report(item);
    startAttempt(item);
  }

  void cancel(String key) {
    Item item = items.remove(key);
    if (item == null) return;
    stop(item);
    updateSnapshots();
  }

  /** Removes uploads that are now part of a message. */
  void removeAttached(List<ChatFile> files) {
    for (Item item : new ArrayList<>(items.values())) {
      for (ChatFile file : files) if (item.file != null && item.file.id.equals(file.id)) cancel(item.key);
    }
  }

  /** Continues unfinished uploads after a connect, or removes all of them for a different user. */
  void ready(String user) {
    if (!user.equals(this.user)) clear();
    this.user = user;
    paused = false;
    updateSnapshots();
    for (Item item : new ArrayList<>(items.values())) {
      if (item.retryOnReconnect) item.failed = null;
      if (item.file != null || item.failed != null) continue;
      item.retryOnReconnect = false;
      item.attempts = 0;
      Loop.cancel(item.timer);
      item.timer = null;
      startAttempt(item);
    }
  }

  /** Stops all uploads while the session may have ended. */
  void pause() {
    paused = true;
    updateSnapshots();
    for (Item item : items.values()) stop(item);
  }

  /** Removes all uploads, for a logout or user change. */
  void clear() {
    for (String key : new ArrayList<>(items.keySet())) cancel(key);
  }

  private void stop(Item item) {
    Call call = item.call;
    item.call = null;
    if (call != null) call.cancel();
    Loop.cancel(item.timer);
    item.timer = null;
  }

  private void startAttempt(Item item) {
    // Without a connection, the upload starts with the next one.
    if (paused || item.call != null || !port.ready()) return;
    item.sent = 0;
    Body body = new Body(item);
    Call call = http.newCall(addresses.upload(item.room, item.source).post(body).build());
    item.body = body;
    item.call = call;
    call.enqueue(
        new okhttp3.Callback() {
          @Override
          public void onFailure(Call call, IOException error) {
            boolean unreadable = error instanceof Unreadable;
            finishAttempt(
                item,
                call,
                () -> handleFailure(item, unreadable ? Upload.UNREADABLE : ChatError.OFFLINE, unreadable, 0));
          }

          @Override
          public void onResponse(Call call, Response response) {
            try (Response answer = response) {
              JSONObject body = read(answer);
              int status = answer.code();
              long retryAfterMs = Link.retryAfterMs(answer);
              finishAttempt(item, call, () -> handleResponse(item, status, body, retryAfterMs));
            }
          }
        });
  }

  /** Runs {@code then} on the chat's thread, unless the upload was stopped. */
  private void finishAttempt(Item item, Call call, Runnable then) {
    loop.run(
        () -> {
          if (item.call != call) return;
          item.call = null;
          then.run();
        });
  }

  private void handleResponse(Item item, int status, JSONObject body, long retryAfterMs) {
    ChatFile file = ChatFile.fromJson(Wire.object(body, "file"));
    if (status == 201 && !file.id.isEmpty()) {
      item.file = file;
      item.sent = item.source.size;
      report(item);
      return;
    }
    String code = Wire.text(Wire.object(body, "error"), "code");
    // A proxy that limits the size responds without a code.
    String fallbackCode = status == 413 ? "too_large" : "internal";
    boolean isFinal = status != 201 && !TEMPORARY_STATUS_CODES.contains(status);
    handleFailure(item, code == null ? fallbackCode : code, isFinal, retryAfterMs);
  }

  private void handleFailure(Item item, String code, boolean isFinal, long retryAfterMs) {
    if (isFinal || retryAfterMs > MAX_DELAY_MS) {
      fail(item, code);
    } else if (port.ready()) {
      if (++item.attempts >= MAX_ATTEMPTS) {
        item.retryOnReconnect = true;
        fail(item, code);
        return;
      }
      long pause = Math.max(retryAfterMs, FIRST_DELAY_MS << (item.attempts - 1));
      item.timer =
          loop.later(
              pause,
              () -> {
                item.timer = null;
                startAttempt(item);
              });
    }
  }

  private void fail(Item item, String code) {
    item.failed = code;
    report(item);
  }

  private void report(Item item) {
    updateSnapshots();
    port.changed(item.snapshot());
  }

  private void updateSnapshots() {
    List<Upload> now = new ArrayList<>();
    if (!paused) for (Item item : items.values()) now.add(item.snapshot());
    snapshots = Collections.unmodifiableList(now);
  }

  private void progress(Item item, Body body, long sent) {
    loop.run(
        () -> {
          if (item.call == null || item.body != body) return;
          item.sent = sent;
          report(item);
        });
  }

  private static JSONObject read(Response response) {
    try {
      String body = response.peekBody(MAX_RESPONSE_BYTES).string();
      return Packets.isReadable(body) ? new JSONObject(body) : new JSONObject();
    } catch (IOException | JSONException e) {
      // The response is truncated, or comes from a proxy.
      return new JSONObject();
    }
  }

  /** An error of the source, not of the network. */
  private static final class Unreadable extends IOException {
    private static final long serialVersionUID = 1;

    Unreadable(@Nullable Throwable cause) {
      super("cannot read the source of the file", cause);
    }
  }

  /** Streams the source to the network. */
  private final class Body extends RequestBody {
    private final Item item;

    Body(Item item) {
      this.item = item;
    }

    @Override
    public MediaType contentType() {
      return BYTES;
    }

    @Override
    public long contentLength() {
      return item.source.size;
    }

    @Override
    public void writeTo(BufferedSink sink) throws IOException {
      long size = item.source.size;
      long sent = 0;
      long reportedAt = loop.now() - PROGRESS_INTERVAL_MS;
      try (Bytes bytes = new Bytes(item.source.source)) {
        byte[] piece = new byte[PIECE_BYTES];
        for (int n = bytes.read(piece); n >= 0; n = bytes.read(piece)) {
          if (n > size - sent) throw new Unreadable(null);
          sink.write(piece, 0, n);
          sent += n;
          if (loop.now() - reportedAt < PROGRESS_INTERVAL_MS) continue;
          reportedAt = loop.now();
          progress(item, this, sent);
        }
      }
      if (sent < size) throw new Unreadable(null);
      sink.flush();
      progress(item, this, sent);
    }
  }

  /**
   * Distinguishes exceptions of the source, such as a {@code SecurityException} on Android, from network errors.
   */
  private static final class Bytes implements AutoCloseable {
    private final InputStream in;

    Bytes(NewFile.Source source) throws Unreadable {
      try {
        in = source.open();
        if (in == null) throw new IOException("the source returned null");
      } catch (IOException | RuntimeException e) {
        throw new Unreadable(e);
      }
    }

    int read(byte[] piece) throws Unreadable {
      try {
        return in.read(piece);
      } catch (IOException | RuntimeException e) {
        throw new Unreadable(e);
      }
    }

    @Override
    public void close() {
      try {
        in.close();
      } catch (IOException | RuntimeException e) {
        // The content was read, or reading has already failed.
      }
    }
  }
}
