package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Stream;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import okhttp3.OkHttpClient;
import okio.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** No packet may cause an uncaught exception, which on Android crashes the app, even on a background thread. */
class BrokenPacketsTest {
  private final ExecutorService main = Executors.newSingleThreadExecutor();
  private final EventRecorder events = new EventRecorder();
  private Chat chat;
  private final List<Throwable> uncaught = new CopyOnWriteArrayList<>();
  private Thread.UncaughtExceptionHandler before;

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

  static Stream<List<Object>> invalidHandshakes() {
    return Stream.of(
        frames(""),
        frames("<!doctype html><title>Log in to the Wi-Fi</title>"),
        frames("404 Not Found"),
        frames("9"),
        frames("0"),
        frames("0{"),
        frames("0{}"),
        frames("0" + repeated("[", 100_000)),
        frames(ScriptedServer.CONNECT),
        frames(ScriptedServer.OPEN, ScriptedServer.OPEN),
        frames(ScriptedServer.OPEN, "42[5]", ScriptedServer.CONNECT),
        frames(ScriptedServer.OPEN, "40"),
        frames(ScriptedServer.OPEN, "44"),
        frames(ScriptedServer.OPEN, ScriptedServer.CONNECT, "42[\"session:ready\"]"));
  }

  static Stream<List<Object>> invalidPackets() {
    List<List<Object>> all = new ArrayList<>();
    for (String packet :
        Arrays.asList(
            "", "7", "b", "b!", "<html>", "4", "4<html>", "49", "40{}", "42", "42{}", "42[", "42[]", "42[null]",
            "42[\"disconnect\"]", "42[\"connect_error\"]", "43{}", "4399999999999[]", "45", "45-[\"a\"]",
            "45x-[\"a\"]", "45[\"a-b\"]", "451-[\"a\",{\"_placeholder\":true,\"num\":0}]b", "42" + repeated("[", 100_000),
            "42[\"message:new\"," + repeated("{\"a\":", 100_000))) {
      all.add(frames(packet));
    }
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("invalidHandshakes")
  void survivesInvalidHandshakeOverWebSocket(List<Object> frames) throws Exception {
    try (ScriptedServer server = new ScriptedServer(true)) {
      server.sendOnce(frames.toArray());
      start(server);
      // Over the other transport, which is tried at once.
      isOnline();
    }
  }

  @ParameterizedTest
  @MethodSource("invalidPackets")
  void survivesInvalidPacketOverWebSocket(List<Object> frames) throws Exception {
    try (ScriptedServer server = new ScriptedServer(true)) {
      server.sendOnce(ScriptedServer.welcome("alice", frames.toArray()).toArray());
      breaksAndConnectsAgain(server);
    }
  }

  @ParameterizedTest
  @MethodSource("invalidHandshakes")
  void survivesInvalidHandshakeOverPolling(List<Object> frames) throws Exception {
    try (ScriptedServer server = new ScriptedServer(false)) {
      server.sendOnce(frames.toArray());
      start(server);
      events.await("OFFLINE");
      chat.wake();
      isOnline();
    }
  }

  @ParameterizedTest
  @MethodSource("invalidPackets")
  void survivesInvalidPacketOverPolling(List<Object> frames) throws Exception {
    try (ScriptedServer server = new ScriptedServer(false)) {
      server.sendOnce(ScriptedServer.welcome("alice", frames.toArray()).toArray());
      breaksAndConnectsAgain(server);
    }
  }

  @Test
  void survivesBinaryMessagesOverWebSocket() throws Exception {
    try (ScriptedServer server = new ScriptedServer(true)) {
      ByteString bytes = ByteString.encodeUtf8("42[]");
      server.sendOnce(ScriptedServer.welcome("alice", "451-[\"a\",{\"_placeholder\":true,\"num\":0}]", bytes).toArray());
      breaksAndConnectsAgain(server);
      server.sendOnce(ScriptedServer.welcome("alice", bytes).toArray());
      chat.stop();
      chat.start();
      events.await("OFFLINE");
      assertEquals(Collections.emptyList(), uncaught);
    }
  }

  @Test
  void emptyAcknowledgementDropsTheConnectionAndFailsTheRequest() throws Exception {
    try (ScriptedServer server = new ScriptedServer(true)) {
      server.responder = (name, payload) -> null;
      start(server);
      isOnline();
      chat.findUsers("bob", null, events.callback("found"));
      server.awaitRequest("user:find");
      server.send("430");
      events.await("found: offline");
      events.await("OFFLINE");
      assertEquals(Collections.emptyList(), uncaught);
    }
  }

  @Test
  void tooLongPollResponseAndTooManyEmptyOnesDropTheConnection() throws Exception {
    try (ScriptedServer server = new ScriptedServer(false)) {
      server.sendOnce(ScriptedServer.welcome("alice", "42[\"" + repeated("x", 20 << 20) + "\"]").toArray());
      breaksAndConnectsAgain(server);
      server.sendOnce(ScriptedServer.welcome("alice", Collections.nCopies(30, "6").toArray()).toArray());
      chat.stop();
      chat.start();
      events.await("OFFLINE");
    }
  }

  @Test
  void readsNestedJsonUpToTheLimit() {
    assertTrue(Packets.isReadable(repeated("[{\"a\":", 100)));
    assertFalse(Packets.isReadable(repeated("[{\"a\":", 101)));
    assertTrue(Packets.isReadable("\"" + repeated("[\\\"", 1000) + "\""));
    assertTrue(Packets.isReadable(repeated("[]", 1000)));
  }

  @Test
  void followsNoRedirects() throws Exception {
    try (ScriptedServer server = new ScriptedServer(true); MockWebServer elsewhere = new MockWebServer()) {
      MockResponse there = new MockResponse.Builder().code(302).addHeader("Location", server.url()).build();
      elsewhere.enqueue(there);
      elsewhere.enqueue(there);
      elsewhere.start();
      start(elsewhere.url("/").toString());
      String before = events.await("OFFLINE");
      assertFalse(before.contains("ONLINE"), before);
      assertEquals(2, elsewhere.getRequestCount());
    }
  }

  @Test
  void doesNotLogInvalidPackets() throws Exception {
    List<LogRecord> logged = new CopyOnWriteArrayList<>();
    Handler handler =
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            logged.add(record);
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    Logger all = Logger.getLogger("io.socket");
    all.addHandler(handler);
    try (ScriptedServer server = new ScriptedServer(true)) {
      server.sendOnce(ScriptedServer.welcome("alice", "42[\"secret").toArray());
      breaksAndConnectsAgain(server);
      assertEquals(Collections.emptyList(), logged);
    } finally {
      all.removeHandler(handler);
    }
  }

  private void start(ScriptedServer server) {
    start(server.url());
  }

  private void start(String url) {
    OkHttpClient http = new OkHttpClient.Builder().cookieJar(new SessionCookies()).build();
    chat = Chat.builder(url, main, events).http(http).build();
    chat.start();
  }

  private void isOnline() throws InterruptedException {
    events.await("ONLINE");
    assertEquals(Collections.emptyList(), uncaught);
  }

  private void breaksAndConnectsAgain(ScriptedServer server) throws InterruptedException {
    start(server);
    isOnline();
    events.await("OFFLINE");
    chat.wake();
    isOnline();
  }

  private static List<Object> frames(Object... frames) {
    return Arrays.asList(frames);
  }

  private static String repeated(String text, int times) {
    return String.join("", Collections.nCopies(times, text));
  }
}
