package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.Response;
import okio.Buffer;
import okio.Okio;
import okio.Sink;
import okio.Source;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A server that tries to crash the app, keep it busy or fill its memory. */
class HostileServerTest {
  /** For tests that only check that a call ends. */
  private static final Duration TIMEOUT = Duration.ofSeconds(60);

  private final ExecutorService main = Executors.newSingleThreadExecutor();
  private final Reader events = new Reader();
  private final List<Throwable> uncaught = new CopyOnWriteArrayList<>();
  private Thread.UncaughtExceptionHandler before;
  private Chat chat;

  @BeforeEach
  void watch() {
    before = Thread.getDefaultUncaughtExceptionHandler();
    Thread.setDefaultUncaughtExceptionHandler((thread, error) -> uncaught.add(error));
  }

  @AfterEach
  void end() {
    Thread.setDefaultUncaughtExceptionHandler(before);
    if (chat != null) chat.close();
    main.shutdownNow();
  }

  @ParameterizedTest
  @ValueSource(strings = {"one frame", "many frames", "compressed"})
  void hangsUpOnEndlessMessages(String how) throws Exception {
    try (ServerSocket listening = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      CompletableFuture<Long> written = CompletableFuture.supplyAsync(() -> sendEndlessMessage(listening, how));
      start("http://127.0.0.1:" + listening.getLocalPort());
      long bytes = written.get(60, TimeUnit.SECONDS);
      // The limit includes the system's buffers.
      assertTrue(bytes < 3L * Packets.MAX_LENGTH, bytes + " bytes were read");
      assertEquals(Collections.emptyList(), uncaught);
    }
  }

  /** Returns the number of bytes that were sent before the client hung up. Stops far above the limit. */
  private static long sendEndlessMessage(ServerSocket listening, String how) {
    long written = 0;
    try (Socket socket = listening.accept()) {
      InputStream in = socket.getInputStream();
      StringBuilder request = new StringBuilder();
      while (request.indexOf("\r\n\r\n") < 0) request.append((char) in.read());
      String key = request.toString().replaceAll("(?s).*Sec-WebSocket-Key: (\\S+).*", "$1");
      MessageDigest digest = MessageDigest.getInstance("SHA-1");
      byte[] accept = digest.digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes(StandardCharsets.US_ASCII));
      String extensions = how.equals("compressed") ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "";
      OutputStream out = socket.getOutputStream();
      String head =
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + extensions
              + "Sec-WebSocket-Accept: " + Base64.getEncoder().encodeToString(accept) + "\r\n\r\n";
      out.write(head.getBytes(StandardCharsets.US_ASCII));
      byte[] piece = new byte[1 << 16];
      Arrays.fill(piece, (byte) 'x');
      boolean many = how.equals("many frames");
      // FIN for a single frame, RSV1 for compression, and a length of 63 bits.
      int first = how.equals("compressed") ? 0xc1 : many ? 0x01 : 0x81;
      if (!many) out.write(new byte[] {(byte) first, 127, 0, 0, 1, 0, 0, 0, 0, 0});
      for (; written < 10L * Packets.MAX_LENGTH; written += piece.length) {
        if (many) out.write(new byte[] {(byte) (written == 0 ? first : 0), 127, 0, 0, 0, 0, 0, 1, 0, 0});
        out.write(piece);
      }
    } catch (IOException e) {
      // The client hung up.
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
    return written;
  }

  @ParameterizedTest
  @ValueSource(strings = {"%s", "\"%s\"", "'%s'", "-%s", "1.%s", "1e%s"})
  void staysResponsiveAfterAVeryLongNumber(String form) throws Exception {
    String digits = String.join("", Collections.nCopies(3_000_000, "9"));
    String number = String.format(form, digits);
    try (ScriptedServer server = new ScriptedServer(true)) {
      String activity = "42[\"room:activity\",{\"room\":\"lobby\",\"head\":" + number + ",\"lastSeq\":" + number + "}]";
      server.sendOnce(ScriptedServer.welcome("alice", activity).toArray());
      start(server.url());
      events.await("ONLINE");
      // Whether the number was read, or the packet was rejected and the connection dropped, the chat still works.
      chat.findUsers("bob", null, recordResponse());
      events.await("answered");
      assertEquals(Collections.emptyList(), uncaught);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"42[\"session:ended\",{\"reason\":\"logout\"}]", "41", "!session_changed"})
  void pausesIfTheServerEndsEachConnectionAtOnce(String end) throws Exception {
    try (ScriptedServer server = new ScriptedServer(!end.startsWith("!"))) {
      server.setPackets(ScriptedServer.welcome("alice", end));
      start(server.url());
      events.await("waits");
      assertTrue(server.connections.get() <= 2 * Connection.MAX_ATTEMPTS, server.connections + " connections");
      assertEquals(Collections.emptyList(), uncaught);
    }
  }

  @Test
  void randomDataThrowsNothingAndEachCallbackIsCalledOnce() throws Exception {
    Random random = new Random(7);
    try (ScriptedServer server = new ScriptedServer(true)) {
      start(server.url());
      chat.openRoom("lobby");
      events.await("messages of lobby: 0");
      server.responder =
          (name, payload) -> {
            if (random.nextInt(4) == 0) return ScriptedServer.error("rate_limited", 1);
            return ScriptedServer.ok(Nonsense.object(random, 3));
          };
      AtomicInteger answers = new AtomicInteger();
      Callback<Object> counted =
          new Callback<Object>() {
            @Override
            public void done(Object answer) {
              answers.incrementAndGet();
            }

            @Override
            public void failed(ChatError error) {
              answers.incrementAndGet();
            }
          };
      int requests = 0;
      for (int i = 0; i < 15; i++) {
        for (String event : Nonsense.EVENTS) server.event(event, Nonsense.object(random, 4));
        server.send("43" + random.nextInt(1000) + "[{\"ok\":true}]");
        chat.findUsers("b", "lobby", untyped(counted));
        chat.listRooms(true, "", null, untyped(counted));
        chat.search(new Search().text("b"), null, untyped(counted));
        chat.members("lobby", null, null, null, untyped(counted));
        chat.reports(null, untyped(counted));
        chat.restricted("lobby", null, untyped(counted));
        chat.blocked(untyped(counted));
        chat.openDirect("bob", untyped(counted));
        chat.loadOlder("lobby");
        chat.loadNewer("lobby");
        chat.jumpTo("lobby", random.nextInt(50));
        chat.markRead("lobby");
        requests += 8;
      }
      server.responder = ScriptedServer::defaultResponse;
      chat.findUsers("last", null, recordResponse());
      events.await("answered");
      assertEquals(Collections.emptyList(), uncaught);
      chat.close();
      events.await("STOPPED");
      assertEquals(requests, answers.get());
    }
  }

  @ParameterizedTest
  @CsvSource({"true, 500", "false, 500", "true, 1", "false, 1"})
  @Timeout(300)
  void stopsReadingWhileTheAppIsBusy(boolean webSocket, int textLength) throws Exception {
    int eventCount = 6000;
    AtomicInteger waiting = new AtomicInteger();
    AtomicInteger maxWaiting = new AtomicInteger();
    AtomicInteger pushed = new AtomicInteger();
    CountDownLatch online = new CountDownLatch(1);
    CountDownLatch held = new CountDownLatch(1);
    CountDownLatch all = new CountDownLatch(1);
    Executor slow =
        task -> {
          maxWaiting.accumulateAndGet(waiting.incrementAndGet(), Math::max);
          main.execute(
              () -> {
                task.run();
                waiting.decrementAndGet();
              });
        };
    ChatListener busy =
        new ChatListener() {
          @Override
          public void onState(ConnectionState state) {
            if (state.kind == ConnectionState.Kind.ONLINE) online.countDown();
          }

          @Override
          public void onPush(String name, Object data) {
            try {
              if (pushed.incrementAndGet() == 1) held.await();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
            if (pushed.get() == eventCount) all.countDown();
          }
        };
    try (ScriptedServer server = new ScriptedServer(webSocket)) {
      String text = String.join("", Collections.nCopies(textLength, "x"));
      String push = "42" + new JSONArray().put("push").put(new JSONObject().put("name", "news").put("data", text));
      // A poll response contains many packets.
      String frame = webSocket ? push : String.join("\u001e", Collections.nCopies(100, push));
      int frames = webSocket ? eventCount : eventCount / 100;
      List<Object> packets = ScriptedServer.welcome("alice");
      // Missing pings would end the connection on a slow machine.
      packets.set(0, ScriptedServer.OPEN.replace("25000", "3600000"));
      server.setPackets(packets);
      OkHttpClient http = new OkHttpClient.Builder().cookieJar(new SessionCookies()).build();
      chat = Chat.builder(server.url(), slow, busy).http(http).build();
      chat.start();
      online.await();
      for (int i = 0; i < frames; i++) server.send(frame);
      while (waiting.get() <= eventCount / 2 && !isReaderBlocked()) Thread.sleep(5);
      held.countDown();
      all.await();
      assertTrue(maxWaiting.get() <= eventCount / 2, maxWaiting + " calls waited");
    }
  }

  /** Whether a thread that reads from the server waits for the app. */
  private static boolean isReaderBlocked() {
    for (Map.Entry<Thread, StackTraceElement[]> thread : Thread.getAllStackTraces().entrySet()) {
      if (thread.getKey().getState() != Thread.State.WAITING) continue;
      for (StackTraceElement call : thread.getValue()) if (call.getClassName().equals(Pace.class.getName())) return true;
    }
    return false;
  }

  /** Records {@code answered} for a response or a lost connection, and {@code hangs} for a timeout. */
  private <T> Callback<T> recordResponse() {
    return new Callback<T>() {
      @Override
      public void done(T answer) {
        events.record("answered");
      }

      @Override
      public void failed(ChatError error) {
        events.record(error.code.equals(ChatError.TIMEOUT) ? "hangs" : "answered");
      }
    };
  }

  // The callback does not use the value.
  @SuppressWarnings("unchecked")
  private static <T> Callback<T> untyped(Callback<Object> callback) {
    return (Callback<T>) (Callback<?>) callback;
  }

  @Test
  void replacesManyMentionsInLinearTime() {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 1_000_000; i++) text.append("a\ud83d\ude00");
    JSONArray mentions = new JSONArray();
    JSONObject user = new JSONObject().put("id", "bob").put("name", "Bob");
    for (int i = 0; i < 200_000; i++) {
      mentions.put(new JSONObject().put("user", user).put("start", 1_999_998 - i % 2).put("length", 2));
    }
    Message message = Message.fromJson(new JSONObject().put("text", text.toString()).put("mentions", mentions));
    String named = assertTimeoutPreemptively(TIMEOUT, message::textWithNames);
    assertTrue(named.endsWith("Bob"));
  }

  @Test
  void tooManyPingsDropTheConnection() throws Exception {
    Buffer sent = new Buffer();
    for (int i = 0; i < 3 * Frames.MAX_PINGS; i++) sent.writeByte(0x89).writeByte(0);
    okio.Socket socket =
        new okio.Socket() {
          @Override
          public Source getSource() {
            return sent;
          }

          @Override
          public Sink getSink() {
            return Okio.blackhole();
          }

          @Override
          public void cancel() {}
        };
    Response.Builder opened = new Response.Builder().protocol(Protocol.HTTP_1_1).code(101).message("").socket(socket);
    opened.request(new Request.Builder().url("http://localhost/").build());
    Source read = Frames.limitSize(opened.build()).socket().getSource();
    Buffer heard = new Buffer();
    IOException end = assertThrows(IOException.class, () -> { while (read.read(heard, 2) > 0); });
    assertEquals("the server sent too many pings", end.getMessage());
    assertEquals(2 * Frames.MAX_PINGS + 2, heard.size());
  }

  @Test
  void negativeContentLengthOnlyDropsTheConnection() throws Exception {
    try (MockWebServer server = new MockWebServer()) {
      MockResponse answer = new MockResponse.Builder().body("0{}").setHeader("Content-Length", "-5").build();
      for (int i = 0; i < 10; i++) server.enqueue(answer);
      server.start();
      start(server.url("/").toString());
      events.await("OFFLINE");
      assertEquals(Collections.emptyList(), uncaught);
    }
  }

  @Test
  void invalidLoginResponsesThrowIOException() throws Exception {
    try (MockWebServer site = new MockWebServer()) {
      site.start();
      String form = "<form action='/in'><input name=u><input name=p type=password></form>";
      MockResponse.Builder page = new MockResponse.Builder().body(form);
      site.enqueue(page.clone().addHeaderLenient("Set-Cookie", "a=\u00e9\u0001; path=/").build());
      site.enqueue(page.clone().code(302).addHeader("Location", "http://[::1").build());
      site.enqueue(page.clone().addHeader("Content-Encoding", "gzip").build());
      site.enqueue(page.clone().setHeader("Content-Length", "99999").onResponseEnd(cut()).build());
      site.enqueue(page.clone().setHeader("Content-Length", "-5").onResponseEnd(cut()).build());
      for (int i = 0; i < 30; i++) site.enqueue(page.clone().code(302).addHeader("Location", "/" + i).build());
      OkHttpClient http = new OkHttpClient.Builder().cookieJar(new SessionCookies()).build();
      SiteLogin login = new SiteLogin(http, site.url("/login").toString());
      for (int i = 0; i < 6; i++) assertThrows(IOException.class, () -> login.logIn("alice", "secret"), "answer " + i);
    }
  }

  private static mockwebserver3.SocketEffect cut() {
    return mockwebserver3.SocketEffect.ShutdownConnection.INSTANCE;
  }

  private void start(String url) {
    OkHttpClient http = new OkHttpClient.Builder().cookieJar(new SessionCookies()).build();
    chat = Chat.builder(url, main, events).http(http).build();
    chat.start();
  }

  /** Reads everything like an app, so that exceptions appear on the app's thread. */
  private static final class Reader extends EventRecorder {
    @Override
    public void onState(ConnectionState state) {
      super.onState(state);
      if (state.retryAt > System.currentTimeMillis() + Connection.ATTEMPTS_PERIOD_MS / 2) super.record("waits");
    }

    @Override
    public void onMessages(String room, List<Entry> entries, HistoryView view) {
      super.onMessages(room, entries, view);
      for (Entry entry : entries) if (entry.message != null) entry.message.textWithNames();
    }

    @Override
    public void onMention(RoomSummary room, Message message) {
      super.onMention(room, message);
      message.textWithNames();
    }
  }
}
