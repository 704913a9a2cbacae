package io.github.phpsessionchat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import mockwebserver3.Dispatcher;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import okhttp3.Response;
import okhttp3.WebSocket;
import okhttp3.WebSocketListener;
import okio.ByteString;
import org.json.JSONArray;
import org.json.JSONObject;

/**
 * A chat server that says what a test wants, which the real one never would. It listens on a real socket, since what is
 * to be proven happens on the threads of OkHttp and Socket.IO.
 */
final class ScriptedServer implements AutoCloseable {
  static final String OPEN = "0{\"sid\":\"s\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000}";
  static final String CONNECT = "40{\"sid\":\"s\"}";
  /** In place of a frame: the WebSocket breaks off, as if the network failed. */
  static final String CUT = "cut";

  /** How a request of the client is answered. */
  interface Answers {
    /** Null: not at all, or later. */
    JSONObject to(String name, JSONObject payload);
  }

  private final MockWebServer server = new MockWebServer();
  private final boolean webSocket;
  /** The packets for the next connections; for all after these, {@link #usual}. */
  private final Queue<List<Object>> next = new ConcurrentLinkedQueue<>();

  private volatile List<Object> usual = welcome("alice");
  private volatile Consumer<String> speaker;
  private volatile boolean closing;
  private final BlockingQueue<JSONArray> requests = new LinkedBlockingQueue<>();
  /** The numbers of requests that were not answered, by name: the newest of each. */
  private final Map<String, String> unanswered = new ConcurrentHashMap<>();
  /** The answers to the next polls, by the id of the connection. */
  private final Map<String, BlockingQueue<String>> polls = new ConcurrentHashMap<>();

  /** That were let in as far as the first packet. */
  final AtomicInteger connections = new AtomicInteger();

  /** The answers to the next uploads. */
  final Queue<MockResponse> uploads = new ConcurrentLinkedQueue<>();

  volatile Answers answers = ScriptedServer::usualAnswer;

  ScriptedServer(boolean webSocket) throws IOException {
    this.webSocket = webSocket;
    server.setDispatcher(
        new Dispatcher() {
          @Override
          public MockResponse dispatch(RecordedRequest request) throws InterruptedException {
            return answer(request);
          }
        });
    server.start();
  }

  String url() {
    return server.url("/").toString();
  }

  /** To each connection from now on: what a server says first, and texts or bytes after that; a poll is refused by !code. */
  void say(List<Object> usual) {
    this.usual = usual;
  }

  /** To one connection. */
  void sayOnce(Object... frames) {
    next.add(Arrays.asList(frames));
  }

  /** To the connection that is open. */
  void event(String name, JSONObject payload) {
    send("42" + new JSONArray().put(name).put(payload));
  }

  /** To the connection that is open. */
  void send(String frame) {
    speaker.accept(frame);
  }

  /** Answers the request of that name that was not answered. */
  void answerLate(String name, JSONObject answer) {
    send("43" + unanswered.remove(name) + new JSONArray().put(answer));
  }

  /** The next request of that name; others are passed over. */
  JSONObject asked(String name) throws InterruptedException {
    while (true) {
      JSONArray request = requests.poll(10, TimeUnit.SECONDS);
      if (request == null) throw new AssertionError("not asked: " + name);
      if (request.getString(0).equals(name)) return request.getJSONObject(1);
    }
  }

  static List<Object> welcome(String user, Object... then) {
    List<Object> frames = new ArrayList<>(Arrays.asList(OPEN, CONNECT, ready(user)));
    Collections.addAll(frames, then);
    return frames;
  }

  static List<Object> refusal(String code) {
    JSONObject error = new JSONObject().put("message", code).put("data", new JSONObject().put("code", code));
    return Arrays.<Object>asList(OPEN, "44" + error);
  }

  private static String ready(String user) {
    JSONObject ready =
        new JSONObject()
            .put("protocol", 1)
            .put("user", new JSONObject().put("id", user).put("name", user))
            .put("rooms", new JSONArray().put(room("lobby")).put(room("garden")))
            .put("can", new JSONObject().put("files", true))
            .put("limits", new JSONObject().put("text", 4000).put("file", 1000).put("files", 10));
    return "42" + new JSONArray().put("session:ready").put(ready);
  }

  static JSONObject room(String id) {
    return new JSONObject().put("id", id).put("name", id).put("kind", "public").put("member", true);
  }

  static JSONObject ok(JSONObject data) {
    return new JSONObject().put("ok", true).put("data", data);
  }

  static JSONObject error(String code, long retryAfterMs) {
    JSONObject error = new JSONObject().put("code", code).put("message", code);
    if (retryAfterMs > 0) error.put("retryAfterMs", retryAfterMs);
    return new JSONObject().put("ok", false).put("error", error);
  }

  static JSONObject usualAnswer(String name, JSONObject payload) {
    switch (name) {
      case "room:join":
        JSONObject joined = new JSONObject().put("room", room(payload.getString("room")));
        return ok(joined.put("messages", new JSONArray()).put("complete", true));
      case "read:mark":
        return ok(new JSONObject().put("room", room(payload.getString("room"))));
      case "message:send":
        return ok(new JSONObject().put("message", payload.put("seq", 1).put("rev", 1)));
      default:
        return ok(new JSONObject());
    }
  }

  private MockResponse answer(RecordedRequest request) throws InterruptedException {
    boolean upgrade = request.getHeaders().get("Upgrade") != null;
    if (upgrade) {
      if (!webSocket) return new MockResponse.Builder().code(400).build();
      return new MockResponse.Builder().webSocketUpgrade(new Conversation()).build();
    }
    if (request.getUrl().encodedPath().equals("/files")) return uploads.remove();
    String sid = request.getUrl().queryParameter("sid");
    if (request.getMethod().equals("POST")) {
      for (String packet : request.getBody().utf8().split("\u001e")) hear(packet, polls.get(sid)::add);
      return new MockResponse.Builder().body("ok").build();
    }
    if (sid == null) {
      sid = "s" + polls.size();
      polls.put(sid, new LinkedBlockingQueue<>());
      speaker = polls.get(sid)::add;
      for (Object frame : frames()) polls.get(sid).add(((String) frame).replace("\"sid\":\"s\"", "\"sid\":\"" + sid + "\""));
    }
    String body = closing ? "1" : polls.get(sid).poll(20, TimeUnit.SECONDS);
    if (body != null && body.startsWith("!")) {
      String error = new JSONObject().put("error", new JSONObject().put("code", body.substring(1))).toString();
      return new MockResponse.Builder().code(403).body(error).build();
    }
    return new MockResponse.Builder().body(body == null ? "6" : body).build();
  }

  private List<Object> frames() {
    connections.incrementAndGet();
    List<Object> once = next.poll();
    return once == null ? usual : once;
  }

  private void hear(String packet, Consumer<String> reply) {
    int from = packet.indexOf('[');
    if (!packet.startsWith("42") || from < 0) return;
    JSONArray request = new JSONArray(packet.substring(from));
    // Before the answer: a test that waits for it may change the answers then.
    Answers now = answers;
    JSONObject answer = now.to(request.getString(0), request.getJSONObject(1));
    if (answer != null) reply.accept("43" + packet.substring(2, from) + new JSONArray().put(answer));
    else unanswered.put(request.getString(0), packet.substring(2, from));
    requests.add(request);
  }

  private final class Conversation extends WebSocketListener {
    @Override
    public void onOpen(WebSocket socket, Response response) {
      speaker = socket::send;
      for (Object frame : frames()) {
        if (frame.equals(CUT)) socket.cancel();
        else if (frame instanceof String) socket.send((String) frame);
        else socket.send((ByteString) frame);
      }
    }

    @Override
    public void onMessage(WebSocket socket, String text) {
      hear(text, socket::send);
    }

    @Override
    public void onClosing(WebSocket socket, int code, String reason) {
      socket.close(1000, null);
    }
  }

  @Override
  public void close() {
    // A poll that hangs would hold it up.
    closing = true;
    for (BlockingQueue<String> hanging : polls.values()) hanging.add("1");
    server.close();
  }
}
