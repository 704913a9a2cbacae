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
 * A chat server that sends any packets a test wants. It uses a real socket, because the tests cover the threads of
 * OkHttp and Socket.IO.
 */
final class ScriptedServer implements AutoCloseable {
  static final String OPEN = "0{\"sid\":\"s\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000}";
  static final String CONNECT = "40{\"sid\":\"s\"}";
  /** Used instead of a frame: cuts the WebSocket like a network failure. */
  static final String CUT = "cut";

  /** Responds to the client's requests. */
  interface Responder {
    /** Returns null for no response, or a later one. */
    JSONObject to(String name, JSONObject payload);
  }

  private final MockWebServer server = new MockWebServer();
  private final boolean webSocket;
  /** Packets for the next connections. All others get {@link #defaultPackets}. */
  private final Queue<List<Object>> next = new ConcurrentLinkedQueue<>();

  private volatile List<Object> defaultPackets = welcome("alice");
  private volatile Consumer<String> sender;
  private volatile boolean closing;
  private final BlockingQueue<JSONArray> requests = new LinkedBlockingQueue<>();
  /** What each connection sent as {@code auth}. */
  private final BlockingQueue<JSONObject> auths = new LinkedBlockingQueue<>();

  /** The latest unanswered request ID by event name. */
  private final Map<String, String> unanswered = new ConcurrentHashMap<>();
  /** Responses to the next polls, by connection ID. */
  private final Map<String, BlockingQueue<String>> polls = new ConcurrentHashMap<>();

  /** The number of connections that got a first packet. */
  final AtomicInteger connections = new AtomicInteger();

  /** Responses to the next uploads. */
  final Queue<MockResponse> uploads = new ConcurrentLinkedQueue<>();

  volatile Responder responder = ScriptedServer::defaultResponse;

  ScriptedServer(boolean webSocket) throws IOException {
    this.webSocket = webSocket;
    server.setDispatcher(
        new Dispatcher() {
          @Override
          public MockResponse dispatch(RecordedRequest request) throws InterruptedException {
            return dispatchRequest(request);
          }
        });
    server.start();
  }

  String url() {
    return server.url("/").toString();
  }

  /** Sets what each connection gets: texts or bytes; {@code !code} rejects a poll. */
  void setPackets(List<Object> defaultPackets) {
    this.defaultPackets = defaultPackets;
  }

  /** Sets what the next connection gets. */
  void sendOnce(Object... frames) {
    next.add(Arrays.asList(frames));
  }

  /** Sends an event over the open connection. */
  void event(String name, JSONObject payload) {
    send("42" + new JSONArray().put(name).put(payload));
  }

  /** Sends a frame over the open connection. */
  void send(String frame) {
    sender.accept(frame);
  }

  /** Responds to the latest unanswered request of this name. */
  void respondLate(String name, JSONObject response) {
    send("43" + unanswered.remove(name) + new JSONArray().put(response));
  }

  /** Waits for a request of this name and skips others. */
  JSONObject awaitRequest(String name) throws InterruptedException {
    while (true) {
      JSONArray request = requests.poll(10, TimeUnit.SECONDS);
      if (request == null) throw new AssertionError("no request: " + name);
      if (request.getString(0).equals(name)) return request.getJSONObject(1);
    }
  }

  /** Waits for the {@code auth.ticket} of the next connection. */
  String awaitTicket() throws InterruptedException {
    return awaitAuth().getString("ticket");
  }

  /** Waits for the {@code auth} of the next connection. */
  JSONObject awaitAuth() throws InterruptedException {
    JSONObject auth = auths.poll(10, TimeUnit.SECONDS);
    if (auth == null) throw new AssertionError("no connection");
    return auth;
  }

  static List<Object> welcome(String user, Object... then) {
    List<Object> frames = new ArrayList<>(Arrays.asList(OPEN, CONNECT, ready(user)));
    Collections.addAll(frames, then);
    return frames;
  }

  static List<Object> rejection(String code) {
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

  static JSONObject defaultResponse(String name, JSONObject payload) {
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

  private MockResponse dispatchRequest(RecordedRequest request) throws InterruptedException {
    boolean upgrade = request.getHeaders().get("Upgrade") != null;
    if (upgrade) {
      if (!webSocket) return new MockResponse.Builder().code(400).build();
      return new MockResponse.Builder().webSocketUpgrade(new Conversation()).build();
    }
    if (request.getUrl().encodedPath().equals("/files")) return uploads.remove();
    String sid = request.getUrl().queryParameter("sid");
    if (request.getMethod().equals("POST")) {
      for (String packet : request.getBody().utf8().split("\u001e")) handle(packet, polls.get(sid)::add);
      return new MockResponse.Builder().body("ok").build();
    }
    if (sid == null) {
      sid = "s" + polls.size();
      polls.put(sid, new LinkedBlockingQueue<>());
      sender = polls.get(sid)::add;
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
    return once == null ? defaultPackets : once;
  }

  private void handle(String packet, Consumer<String> reply) {
    if (packet.startsWith("40{")) auths.add(new JSONObject(packet.substring(2)));
    int from = packet.indexOf('[');
    if (!packet.startsWith("42") || from < 0) return;
    JSONArray request = new JSONArray(packet.substring(from));
    // Read before responding, because a waiting test may then replace it.
    Responder current = responder;
    JSONObject response = current.to(request.getString(0), request.getJSONObject(1));
    if (response != null) reply.accept("43" + packet.substring(2, from) + new JSONArray().put(response));
    else unanswered.put(request.getString(0), packet.substring(2, from));
    requests.add(request);
  }

  private final class Conversation extends WebSocketListener {
    @Override
    public void onOpen(WebSocket socket, Response response) {
      sender = socket::send;
      for (Object frame : frames()) {
        if (frame.equals(CUT)) socket.cancel();
        else if (frame instanceof String) socket.send((String) frame);
        else socket.send((ByteString) frame);
      }
    }

    @Override
    public void onMessage(WebSocket socket, String text) {
      handle(text, socket::send);
    }

    @Override
    public void onClosing(WebSocket socket, int code, String reason) {
      socket.close(1000, null);
    }
  }

  @Override
  public void close() {
    // A pending poll would delay the close.
    closing = true;
    for (BlockingQueue<String> hanging : polls.values()) hanging.add("1");
    server.close();
  }
}
