package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import mockwebserver3.MockResponse;
import okhttp3.OkHttpClient;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Guarantees to an app while users, rooms and servers change. */
class ChatTest {
  private final ExecutorService main = Executors.newSingleThreadExecutor();
  private final EventRecorder events = new EventRecorder();
  private final MemoryOutbox outbox = new MemoryOutbox();
  private ScriptedServer server;
  private Chat chat;

  @BeforeEach
  void begin() throws IOException {
    server = new ScriptedServer(true);
    chat = chat(outbox);
  }

  private Chat chat(Outbox outbox) {
    return chat(outbox, events);
  }

  private Chat chat(Outbox outbox, ChatListener listener) {
    OkHttpClient http = new OkHttpClient.Builder().cookieJar(new SessionCookies()).build();
    return Chat.builder(server.url(), main, listener).http(http).outbox(outbox).build();
  }

  @AfterEach
  void end() {
    chat.close();
    server.close();
    main.shutdownNow();
  }

  @Test
  void closedChatFailsRequestsAndStaysStopped() throws Exception {
    chat.start();
    events.await("ONLINE");
    chat.openRoom("closed", events.callback("open"));
    chat.close();
    events.await("STOPPED");
    chat.start();
    chat.openRoom("lobby", events.callback("open later"));
    chat.findUsers("bob", null, events.callback("found"));
    chat.send("lobby", "hello");
    String before = events.await("unsent hello: offline");
    assertEquals("\nopen later: offline\nfound: offline", before.replace("\nopen: offline", ""));
    assertEquals(ConnectionState.Kind.STOPPED, chat.state().kind);
  }

  @Test
  void theUserIsKnownWhenOnlineIsReported() throws Exception {
    chat.close();
    AtomicReference<Chat> current = new AtomicReference<>();
    EventRecorder recorder =
        new EventRecorder() {
          @Override
          public void onState(ConnectionState state) {
            Identity me = current.get().me();
            record(state + " as " + (me == null ? null : me.user.id));
          }
        };
    // Callbacks run immediately, so the chat's thread cannot continue before the check.
    chat = Chat.builder(server.url(), Runnable::run, recorder).session(() -> "id").build();
    current.set(chat);
    chat.start();
    recorder.await("ONLINE as alice");
  }

  @Test
  void openingARoomFailsWhileTheChatIsClosing() throws Exception {
    chat.close();
    CountDownLatch blocked = new CountDownLatch(1);
    CountDownLatch held = new CountDownLatch(1);
    // The first callback holds the chat's thread.
    Executor slow =
        task -> {
          if (blocked.getCount() > 0) {
            blocked.countDown();
            awaitQuietly(held);
          }
          main.execute(task);
        };
    chat = Chat.builder(server.url(), slow, events).session(() -> "id").build();
    chat.start();
    awaitQuietly(blocked);
    chat.close();
    chat.openRoom("lobby", events.callback("open"));
    held.countDown();
    events.await("open: offline");
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      assertTrue(latch.await(20, TimeUnit.SECONDS));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void roomsAreUpToDateOnceTheWholeListOfThisConnectionIsLoaded() throws Exception {
    chat.close();
    EventRecorder recorder =
        new EventRecorder() {
          @Override
          public void onRooms(List<RoomSummary> rooms, boolean upToDate) {
            record(rooms.size() + (upToDate ? " rooms" : " old rooms"));
          }
        };
    chat = chat(outbox, recorder);
    ScriptedServer.Responder usual = server.responder;
    server.responder = (name, payload) -> name.equals("room:list") ? null : usual.to(name, payload);
    List<Object> packets = ScriptedServer.welcome("alice");
    packets.set(2, packets.get(2).toString().replace("\"protocol\":1", "\"protocol\":1,\"more\":true"));
    server.setPackets(packets);
    chat.start();
    String before = recorder.await("2 old rooms");
    assertFalse(before.contains("rooms"), before);
    JSONObject page = new JSONObject().put("rooms", new JSONArray().put(ScriptedServer.room("den")));
    server.awaitRequest("room:list");
    server.respondLate("room:list", new JSONObject().put("ok", true).put("data", page));
    recorder.await("3 rooms");

    server.send(ScriptedServer.CUT);
    assertTrue(recorder.await("3 old rooms").contains("OFFLINE"));
    // The page of the last connection had another room, so it is checked first.
    server.setPackets(ScriptedServer.welcome("alice"));
    chat.wake();
    recorder.await("ONLINE");
    server.awaitRequest("read:mark");
    recorder.await("3 rooms");
  }

  @Test
  void roomsAreReportedOnceAfterAConnect() throws Exception {
    chat.close();
    EventRecorder recorder =
        new EventRecorder() {
          @Override
          public void onRooms(List<RoomSummary> rooms, boolean upToDate) {
            record(rooms.size() + " rooms");
          }
        };
    chat = chat(outbox, recorder);
    server.responder = (name, payload) -> name.equals("user:blocked") ? null : ScriptedServer.defaultResponse(name, payload);
    chat.start();
    recorder.await("2 rooms");
    server.awaitRequest("user:blocked");
    server.respondLate("user:blocked", ScriptedServer.ok(new JSONObject().put("users", new JSONArray())));
    chat.findUsers("bob", null, recorder.callback("found"));
    assertEquals("", recorder.await("found"));
    server.event("room:changed", ScriptedServer.room("garden").put("topic", "Roses"));
    recorder.await("2 rooms");
  }

  private static OfflineCopy copy(String user) {
    JSONObject me = new JSONObject().put("id", user).put("name", user);
    JSONObject room = ScriptedServer.room("lobby").put("may", new JSONArray().put("send"));
    return OfflineCopy.readRooms(new JSONObject().put("user", me).put("rooms", new JSONArray().put(room)).toString());
  }

  @Test
  void userOfStoredRoomsWritesBeforeTheFirstConnection() throws Exception {
    chat.restore(copy("alice"));
    chat.openRoom("lobby", events.callback("open"));
    chat.send("lobby", "from the tunnel");
    events.await("messages of lobby: 1");
    assertEquals("from the tunnel", chat.messages("lobby").get(0).unsent.text);
    assertEquals(1, outbox.load("alice").size());
    chat.start();
    assertEquals("from the tunnel", server.awaitRequest("message:send").getString("text"));
    assertFalse(events.await("open").contains("hide"));
  }

  @Test
  void nextUserGetsNothingOfStoredRooms() throws Exception {
    chat.restore(copy("mallory"));
    chat.openRoom("lobby", events.callback("open"));
    chat.send("lobby", "a secret");
    events.await("messages of lobby: 1");
    chat.start();
    assertTrue(events.await("I am alice").contains("open: offline\nhide"));
    chat.openRoom("garden", events.callback("garden"));
    events.await("garden");
    assertTrue(chat.messages("lobby").isEmpty());
    assertTrue(outbox.load("mallory").isEmpty());
  }

  @Test
  void restoresNothingAfterTheEndOfTheSession() throws Exception {
    server.setPackets(ScriptedServer.rejection("unauthorized"));
    chat.start();
    events.await("SESSION_ENDED UNAUTHORIZED");
    chat.restore(copy("alice"));
    chat.send("lobby", "too late");
    events.await("unsent too late: offline");
    assertTrue(chat.rooms().isEmpty());
  }

  @Test
  void nextUserGetsOnlyTheRoomsOpenedAfterTheLogout() throws Exception {
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    server.event("session:ended", new JSONObject().put("reason", "kicked"));
    events.await("SESSION_ENDED KICKED");
    chat.openRoom("garden", events.callback("garden"));
    // The login has not happened yet.
    server.setPackets(ScriptedServer.rejection("unauthorized"));
    chat.start();
    events.await("SESSION_ENDED UNAUTHORIZED");
    server.setPackets(ScriptedServer.welcome("bob"));
    chat.start();
    String before = events.await("garden");
    assertFalse(before.contains("messages of lobby"), before);
  }

  @Test
  void roomsReopenForTheSameUser() throws Exception {
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    server.event("session:ended", new JSONObject().put("reason", "kicked"));
    events.await("SESSION_ENDED KICKED");
    chat.start();
    events.await("messages of lobby: 0");
  }

  @Test
  void keepsUnsentMessagesWhileTheSessionMayResume() throws Exception {
    sendWithoutResponse("wait for me");
    server.setPackets(ScriptedServer.rejection("unauthorized"));
    server.event("session:ended", new JSONObject().put("reason", "logout"));
    events.await("SESSION_ENDED LOGOUT");
    assertEquals(1, outbox.load("alice").size());
    server.setPackets(ScriptedServer.welcome("alice"));
    server.responder = ScriptedServer::defaultResponse;
    events.await("ONLINE");
    assertEquals("wait for me", server.awaitRequest("message:send").getString("text"));
  }

  @Test
  void clearsUnsentMessagesAfterAConfirmedLogout() throws Exception {
    sendWithoutResponse("forget me");
    server.setPackets(ScriptedServer.rejection("unauthorized"));
    server.event("session:ended", new JSONObject().put("reason", "logout"));
    events.await("SESSION_ENDED LOGOUT");
    assertEquals(1, outbox.load("alice").size());
    // The first connection, a rejected attempt to resume, and the next attempt.
    wakeUntil(() -> server.connections.get() >= 3);
    // The app shows its login and hides the chat, which ends the attempts.
    chat.stop();
    events.await("STOPPED");
    assertEquals(Collections.emptyList(), outbox.load("alice"));
    server.setPackets(ScriptedServer.welcome("bob"));
    chat.start();
    events.await("I am bob");
  }

  @Test
  void forgetsTheUserWithUnsentMessagesAndOpenRooms() throws Exception {
    sendWithoutResponse("forget me");
    chat.forgetUser();
    String before = events.await("STOPPED");
    assertTrue(before.contains("hide"), before);
    assertEquals(Collections.emptyList(), chat.rooms());
    server.responder = ScriptedServer::defaultResponse;
    chat.openRoom("garden", events.callback("garden"));
    chat.start();
    before = events.await("garden");
    assertFalse(before.contains("messages of lobby"), before);
    assertEquals(Collections.emptyList(), outbox.load("alice"));
  }

  @Test
  void keepsUnsentMessagesUntilTheServerConfirmsTheLogout() throws Exception {
    chat.close();
    // Over WebSocket only, each attempt is one connection.
    Chat.Builder webSocketOnly = Chat.builder(server.url(), main, events).session(() -> "id");
    chat = webSocketOnly.outbox(outbox).build();
    sendWithoutResponse("keep me");
    server.setPackets(Collections.singletonList(ScriptedServer.CUT));
    server.event("session:ended", new JSONObject().put("reason", "logout"));
    events.await("SESSION_ENDED LOGOUT");
    // The first connection, up to five attempts to resume, and one check by wake().
    wakeUntil(() -> server.connections.get() >= 7);
    assertEquals(1, outbox.load("alice").size());
    server.setPackets(ScriptedServer.rejection("unauthorized"));
    wakeUntil(() -> outbox.load("alice").isEmpty());
  }

  @Test
  void keepsUnsentMessagesWhileTheSessionStoreIsUnavailable() throws Exception {
    sendWithoutResponse("keep me");
    server.setPackets(ScriptedServer.rejection("session_store_unavailable"));
    server.event("session:ended", new JSONObject().put("reason", "logout"));
    events.await("SESSION_ENDED LOGOUT");
    chat.stop();
    events.await("STOPPED");
    assertEquals(1, outbox.load("alice").size());
    server.setPackets(ScriptedServer.rejection("unauthorized"));
    chat.start();
    events.await("SESSION_ENDED UNAUTHORIZED");
    chat.stop();
    events.await("STOPPED");
    assertEquals(Collections.emptyList(), outbox.load("alice"));
  }

  /** Leaves the message in the outbox of alice. */
  private void sendWithoutResponse(String text) throws Exception {
    server.responder = (name, payload) -> name.equals("message:send") ? null : ScriptedServer.defaultResponse(name, payload);
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    chat.send("lobby", text);
    server.awaitRequest("message:send");
  }

  /** Calls wake() repeatedly, because it does not check for a new session on every call. */
  private void wakeUntil(BooleanSupplier isDone) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    for (; !isDone.getAsBoolean(); Thread.sleep(10)) {
      assertTrue(System.nanoTime() < end, () -> server.connections + " connections");
      chat.wake();
    }
  }

  @Test
  void otherRoomsDoNotEndAPauseAndItsEndIsReported() throws Exception {
    boolean[] limited = {true};
    server.responder =
        (name, payload) ->
            limited[0] && name.equals("message:send")
                ? ScriptedServer.error("rate_limited", 1500)
                : ScriptedServer.defaultResponse(name, payload);
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    chat.send("lobby", "first");
    events.await("paused rate_limited");
    server.awaitRequest("message:send");
    long at = System.nanoTime();
    chat.openRoom("garden", events.callback("garden"));
    events.await("garden");
    limited[0] = false;
    server.awaitRequest("message:send");
    assertFalse(System.nanoTime() - at < 1_000_000_000, "sent before the pause ended");
    events.await("sending");
  }

  @Test
  void pauseEndsWhenItsMessageIsDiscarded() throws Exception {
    server.responder =
        (name, payload) ->
            name.equals("message:send")
                ? ScriptedServer.error("rate_limited", Long.MAX_VALUE)
                : ScriptedServer.defaultResponse(name, payload);
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    String clientId = chat.send("lobby", "first");
    events.await("paused rate_limited");
    chat.discard(clientId);
    events.await("sending");
  }

  @Test
  void discardsHeldMessageOnceItsIdArrivesAndForgetsItWhenAcknowledged() throws Exception {
    String kept = "{'clientId':'a1','room':'lobby','text':'from before','writtenAt':1,'replyTo':0,'failed':'held'}";
    outbox.put("alice", UnsentMessage.fromJson(kept));
    delayResponses("held:list", "held:discard");
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("messages of lobby: 1");
    server.awaitRequest("held:list");
    chat.discard("a1");
    events.await("messages of lobby: 0");
    JSONObject waits = new JSONObject().put("id", "h1").put("clientId", "a1");
    server.respondLate("held:list", ScriptedServer.ok(new JSONObject().put("held", new JSONArray().put(waits))));
    assertEquals("h1", server.awaitRequest("held:discard").getString("id"));
    // A moderator rejected it before the user discarded it.
    server.event("held:changed", new JSONObject().put("id", "h1").put("is", "rejected"));
    chat.findUsers("bob", null, events.callback("found"));
    String before = events.await("found");
    assertFalse(before.contains("unsent") || before.contains("messages of lobby: 1"), before);
    assertEquals(1, outbox.load("alice").size());
    server.respondLate("held:discard", ScriptedServer.ok(new JSONObject()));
    chat.findUsers("bob", null, events.callback("found"));
    events.await("found");
    assertEquals(Collections.emptyList(), outbox.load("alice"));
  }

  @Test
  void schedulesListsChangesAndSendsMessagesOfTheServer() throws Exception {
    String[] requests = {"scheduled:add", "scheduled:list", "scheduled:edit", "scheduled:send", "scheduled:delete"};
    delayResponses(requests);
    chat.start();
    events.await("ONLINE");
    JSONObject stored = new JSONObject("{'id':'s1','room':'lobby','rev':1,'text':'later','at':9000}");
    List<ScheduledMessage> received = Collections.synchronizedList(new ArrayList<>());
    chat.schedule("lobby", NewMessage.of("later").replyTo(3).threadOnly().withoutPreview(), 9000, received::add);
    JSONObject added = server.awaitRequest("scheduled:add");
    added.remove("clientId");
    assertTrue(new JSONObject("{'room':'lobby','at':9000,'text':'later','replyTo':3,'threadOnly':true,'preview':false}").similar(added));
    server.respondLate("scheduled:add", ScriptedServer.ok(new JSONObject().put("scheduled", stored)));
    JSONObject failed = new JSONObject(stored.toString()).put("failed", new JSONObject("{'code':'muted','at':9001}"));
    chat.scheduled(received::addAll);
    server.awaitRequest("scheduled:list");
    JSONArray both = new JSONArray().put(stored).put(failed);
    server.respondLate("scheduled:list", ScriptedServer.ok(new JSONObject().put("scheduled", both)));
    wakeUntil(() -> received.size() == 3);
    assertEquals("[s1, s1, s1: muted]", received.toString());
    chat.editScheduled(received.get(0), MessageEdit.of("later").important(false), 9500, received::add);
    JSONObject edited = server.awaitRequest("scheduled:edit");
    assertTrue(new JSONObject("{'id':'s1','rev':1,'at':9500,'important':false}").similar(edited));
    chat.sendScheduled(received.get(0), events.callback("sent"));
    chat.deleteScheduled(received.get(0), events.callback("deleted"));
    for (String name : Arrays.asList("scheduled:send", "scheduled:delete")) {
      assertEquals("s1", server.awaitRequest(name).getString("id"));
      server.respondLate(name, ScriptedServer.ok(new JSONObject()));
    }
    events.await("deleted");
    server.event("scheduled:changed", new JSONObject("{'id':'s1','room':'lobby','is':'failed','code':'muted'}"));
    events.await("scheduled: muted");
    NewMessage withFile = NewMessage.of("").file("upload", null);
    assertThrows(IllegalArgumentException.class, () -> chat.schedule("lobby", withFile, 1, null));
  }

  /** The server says whether it schedules them. */
  @Test
  void schedulesAllContentOfAMessage() throws Exception {
    delayResponses("scheduled:add");
    chat.start();
    events.await("ONLINE");
    chat.schedule("lobby", NewMessage.of("@bob").card("order:1").mention(new User("bob", "Bob"), 0, 4), 9000, null);
    JSONObject added = server.awaitRequest("scheduled:add");
    added.remove("clientId");
    String mention = "{'user':'bob','start':0,'length':4}";
    JSONObject expected = new JSONObject("{'room':'lobby','at':9000,'text':'@bob','card':'order:1','mentions':[" + mention + "]}");
    assertTrue(expected.similar(added), added::toString);
  }

  @Test
  void sendsShowsAndPressesCardsOfTheSite() throws Exception {
    delayResponses("message:send", "card:get", "card:press", "card:find");
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    chat.send("lobby", NewMessage.of("order:1").card("order:1"));
    assertEquals("order:1", server.awaitRequest("message:send").getString("card"));
    JSONObject paid =
        new JSONObject("{'about':'order:1','title':'Order 1','state':'paid','buttons':[{'id':'ship','label':'Ship'}]}");
    List<String> received = Collections.synchronizedList(new ArrayList<>());
    Message message =
        Message.fromJson(new JSONObject("{'room':'lobby','seq':7,'user':{'id':'bob'},'text':'?','card':'order:1'}"));
    assertEquals("order:1", message.card);
    assertEquals("order:1", message.with(message.reactions, 8).card);
    chat.findCards("lobby", "ord", "fr", cards -> received.add(cards.get(0).about + " " + cards.get(0).image));
    assertTrue(new JSONObject("{'room':'lobby','query':'ord','lang':'fr'}").similar(server.awaitRequest("card:find")));
    server.respondLate("card:find", ScriptedServer.ok(new JSONObject().put("cards", new JSONArray().put(paid))));
    chat.card(message, null, card -> received.add(card.title + " " + card.state + " " + card.buttons));
    assertTrue(new JSONObject("{'room':'lobby','seq':7}").similar(server.awaitRequest("card:get")));
    server.respondLate("card:get", ScriptedServer.ok(new JSONObject().put("card", paid)));
    wakeUntil(() -> received.size() == 2);
    server.event("card:changed", new JSONObject("{'room':'lobby','card':'order:1'}"));
    events.await("changed: order:1 in lobby");
    chat.pressCard(message, "ship", "c1", null, card -> received.add(String.valueOf(card)));
    JSONObject pressed = new JSONObject("{'room':'lobby','seq':7,'button':'ship','clientId':'c1'}");
    assertTrue(pressed.similar(server.awaitRequest("card:press")));
    server.respondLate("card:press", ScriptedServer.ok(new JSONObject()));
    wakeUntil(() -> received.size() == 3);
    assertEquals("[order:1 null, Order 1 paid [button ship], null]", received.toString());
  }

  @Test
  void setsListsAndDeletesReminders() throws Exception {
    delayResponses("reminder:set", "reminder:list", "reminder:delete");
    chat.start();
    events.await("ONLINE");
    JSONObject stored = new JSONObject("{'id':'r1','room':'lobby','seq':7,'at':9000}");
    List<Reminder> received = Collections.synchronizedList(new ArrayList<>());
    chat.remind("lobby", 7, 9000, received::add);
    assertTrue(new JSONObject("{'room':'lobby','seq':7,'at':9000}").similar(server.awaitRequest("reminder:set")));
    server.respondLate("reminder:set", ScriptedServer.ok(new JSONObject().put("reminder", stored)));
    JSONObject due = new JSONObject(stored.toString()).put("due", true);
    chat.reminders(received::addAll);
    server.awaitRequest("reminder:list");
    server.respondLate("reminder:list", ScriptedServer.ok(new JSONObject().put("reminders", new JSONArray().put(due))));
    wakeUntil(() -> received.size() == 2);
    assertFalse(received.get(0).due);
    assertTrue(received.get(1).due);
    assertTrue(received.get(1).message == null);
    chat.deleteReminder(received.get(1), events.callback("deleted"));
    assertEquals("r1", server.awaitRequest("reminder:delete").getString("id"));
    server.respondLate("reminder:delete", ScriptedServer.ok(new JSONObject()));
    events.await("deleted");
    server.event("reminder:changed", new JSONObject("{'id':'r1','room':'lobby','seq':7,'is':'due'}"));
    events.await("reminder: true");
  }

  @Test
  void keepsMessageThatWasHeldAfterTheListRequest() throws Exception {
    String kept = "{'clientId':'a1','room':'lobby','text':'from before','writtenAt':1,'replyTo':0,'failed':'held'}";
    outbox.put("alice", UnsentMessage.fromJson(kept));
    delayResponses("held:list", "message:send");
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    server.awaitRequest("held:list");
    String clientId = chat.send("lobby", "new");
    server.awaitRequest("message:send");
    JSONObject waits = new JSONObject().put("id", "h2").put("clientId", clientId);
    server.respondLate("message:send", ScriptedServer.ok(new JSONObject().put("held", waits)));
    events.await("unsent new: held");
    server.respondLate("held:list", ScriptedServer.ok(new JSONObject().put("held", new JSONArray())));
    chat.findUsers("bob", null, events.callback("found"));
    events.await("found");
    List<UnsentMessage> left = outbox.load("alice");
    assertEquals(1, left.size());
    assertEquals("new", left.get(0).text);
  }

  private void delayResponses(String... names) {
    server.responder =
        (name, payload) -> Arrays.asList(names).contains(name) ? null : ScriptedServer.defaultResponse(name, payload);
  }

  @Test
  void failingOutboxLosesNoMessage() throws Exception {
    chat.close();
    FullOutbox full = new FullOutbox();
    chat = chat(full);
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    String clientId = chat.send("lobby", "too much");
    events.await("unsent too much: not_kept");
    events.await("messages of lobby: 1");
    assertEquals("not_kept", chat.messages("lobby").get(0).unsent.failed);
    full.isFull = false;
    chat.retry(clientId);
    assertEquals("too much", server.awaitRequest("message:send").getString("text"));
  }

  @Test
  void retriesUnreadableOutboxAndReportsItOnce() throws Exception {
    chat.close();
    FullOutbox broken = new FullOutbox();
    broken.isFull = false;
    String kept = "{'clientId':'a1','room':'garden','text':'from before','writtenAt':1,'replyTo':0}";
    broken.kept.put("alice", UnsentMessage.fromJson(kept));
    broken.unreadable = 2;
    chat = chat(broken);
    chat.start();
    events.await("paused storage_unavailable");
    assertEquals("from before", server.awaitRequest("message:send").getString("text"));
    String between = events.await("sending");
    assertFalse(between.contains("paused"), between);
  }

  @Test
  void retriesUploadsAfterTemporaryErrorsAndReportsOthers() throws Exception {
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    JSONObject file = new JSONObject().put("id", "0123456789abcdef").put("type", "text/plain");
    MockResponse stored =
        new MockResponse.Builder().code(201).body(new JSONObject().put("file", file).toString()).build();
    MockResponse.Builder busy = new MockResponse.Builder().code(503).body("<html>");
    NewFile.Source three = () -> new ByteArrayInputStream(new byte[3]);
    server.uploads.add(busy.setHeader("Retry-After", "2").build());
    String cancelled = chat.upload("lobby", NewFile.of("cancelled", 3, three));
    while (!server.uploads.isEmpty()) Thread.yield();
    server.uploads.add(busy.setHeader("Retry-After", "1").build());
    server.uploads.add(stored);
    chat.upload("lobby", NewFile.of("later", 3, three));
    events.await("later is text/plain");
    // The next retry is due after the one of the cancelled file would be, and gets the only response.
    chat.cancelUpload(cancelled);
    server.uploads.add(busy.setHeader("Retry-After", "1").build());
    server.uploads.add(stored);
    chat.upload("lobby", NewFile.of("last", 3, three));
    events.await("last is text/plain");

    for (String refusal :
        new String[] {
          "429 3600 {\"error\":{\"code\":\"rate_limited\"}} rate_limited",
          "413 0 <html> too_large",
          "302 0 <html> internal",
          "404 0 {\"error\":5} internal",
          "403 0 {\"error\":{\"code\":\"forbidden\"}} forbidden",
          "415 0 {\"error\":{\"code\":\"file_type\"}} file_type"
        }) {
      String[] one = refusal.split(" ");
      MockResponse.Builder response = new MockResponse.Builder().code(Integer.parseInt(one[0])).body(one[2]);
      server.uploads.add(response.addHeader("Retry-After", one[1]).addHeader("Location", "/elsewhere").build());
      chat.upload("lobby", NewFile.of("never", 3, () -> new ByteArrayInputStream(new byte[3])));
      events.await("never failed: " + one[3]);
    }
    // On Android a source may throw an unchecked exception, which no caller would catch.
    NewFile.Source[] sources = {
      () -> {
        throw new SecurityException("no permission");
      },
      () -> null
    };
    for (NewFile.Source source : sources) {
      chat.upload("lobby", NewFile.of("denied", 3, source));
      events.await("denied failed: unreadable");
    }
    assertEquals(10, chat.uploads().size());
    server.event("session:ended", new JSONObject().put("reason", "kicked"));
    events.await("SESSION_ENDED KICKED");
    assertEquals(Collections.emptyList(), chat.uploads());
    chat.upload("lobby", NewFile.of("nobody's", 3, sources[0]));
    events.await("nobody's failed: offline");
    List<Object> without = ScriptedServer.welcome("bob");
    without.set(2, ((String) without.get(2)).replace("\"can\"", "\"could\""));
    server.setPackets(without);
    chat.start();
    events.await("I am bob");
    assertEquals(Collections.emptyList(), chat.uploads());
    chat.upload("lobby", NewFile.of("bob's", 3, sources[0]));
    events.await("bob's failed: forbidden");
  }

  @Test
  void sendsMessageWithFailedUploadOverTheNextConnection() throws Exception {
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    for (int i = 0; i < 3; i++) server.uploads.add(new MockResponse.Builder().code(502).build());
    String key = chat.upload("lobby", NewFile.of("a", 3, () -> new ByteArrayInputStream(new byte[3])));
    chat.send("lobby", NewMessage.of("with a file").file(key, "alt").withoutPreview());
    events.await("unsent with a file: not_uploaded");
    JSONObject file = new JSONObject().put("id", "0123456789abcdef").put("type", "text/plain");
    server.uploads.add(new MockResponse.Builder().code(201).body(new JSONObject().put("file", file).toString()).build());
    chat.stop();
    chat.start();
    JSONObject sent = server.awaitRequest("message:send");
    assertEquals("[{\"alt\":\"alt\",\"id\":\"0123456789abcdef\"}]", sent.getJSONArray("files").toString());
    assertEquals(Boolean.FALSE, sent.get("preview"));
  }

  /** On a slow machine, any of these tests may fall back to polling. */
  @Test
  void opensRoomsAndReceivesEventsOverPolling() throws Exception {
    server.close();
    server = new ScriptedServer(false);
    chat.close();
    chat = chat(outbox);
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    server.event("message:new", message(1));
    events.await("messages of lobby: 1");
  }

  @Test
  void delaysNotificationsUntilBlockedUsersAreLoaded() throws Exception {
    server.responder =
        (name, payload) -> name.equals("user:blocked") ? null : ScriptedServer.defaultResponse(name, payload);
    chat.start();
    server.awaitRequest("user:blocked");
    JSONObject everybody = new JSONObject().put("user", new JSONObject().put("id", Mention.EVERYBODY));
    JSONArray named = new JSONArray().put(everybody.put("start", 0).put("length", 2));
    server.event("message:new", message(1).put("mentions", named));
    JSONObject carol = new JSONObject().put("id", "carol").put("name", "Carol");
    server.event("message:new", message(2).put("mentions", named).put("user", carol));
    JSONArray blocked = new JSONArray().put(new JSONObject().put("id", "bob").put("name", "Bob"));
    server.respondLate("user:blocked", ScriptedServer.ok(new JSONObject().put("users", blocked)));
    String before = events.await("mention: t2");
    assertTrue(before.contains("new: t2"), before);
    assertFalse(before.contains("t1"), before);
  }

  @Test
  void reloadsBlockedUsersBeforeNotificationsAfterAReconnect() throws Exception {
    chat.start();
    server.awaitRequest("user:blocked");
    server.event("message:new", message(1));
    events.await("new: t1");
    server.responder =
        (name, payload) -> name.equals("user:blocked") ? null : ScriptedServer.defaultResponse(name, payload);
    // An invalid packet breaks the connection.
    server.send("4<html>");
    events.await("OFFLINE");
    chat.wake();
    server.awaitRequest("user:blocked");
    server.event("message:new", message(2));
    JSONObject carol = new JSONObject().put("id", "carol").put("name", "Carol");
    server.event("message:new", message(3).put("user", carol));
    JSONArray blocked = new JSONArray().put(new JSONObject().put("id", "bob").put("name", "Bob"));
    server.respondLate("user:blocked", ScriptedServer.ok(new JSONObject().put("users", blocked)));
    String before = events.await("new: t3");
    assertFalse(before.contains("t2"), before);
  }

  @Test
  void sendsTheLatest100NotificationsIfBlockedUsersCannotBeLoaded() throws Exception {
    server.responder =
        (name, payload) -> name.equals("user:blocked") ? null : ScriptedServer.defaultResponse(name, payload);
    chat.start();
    server.awaitRequest("user:blocked");
    for (int n = 1; n <= 101; n++) server.event("message:new", message(n));
    server.respondLate("user:blocked", ScriptedServer.error("unknown_event", 0));
    String before = events.await("new: t101");
    assertTrue(before.contains("new: t2\n"), before);
    assertFalse(before.contains("new: t1\n"), before);
  }

  @Test
  void trimsAnOpenRoomThatIsNotRead() throws Exception {
    int known = 4395;
    JSONArray messages = new JSONArray();
    for (int n = 1; n <= known; n++) messages.put(message(n));
    JSONObject lobby = ScriptedServer.room("lobby").put("head", known).put("lastSeq", known);
    openLobby(lobby, messages);
    for (int n = known + 1; n <= known + 10; n++) server.event("message:new", message(n));
    events.await("messages of lobby: 4004");
    assertEquals(known + 10, chat.messages("lobby").get(4003).message.seq);
  }

  @Test
  void doesNotRepeatRequestsWithoutProgress() throws Exception {
    AtomicInteger lists = new AtomicInteger();
    AtomicInteger syncs = new AtomicInteger();
    JSONObject known = new JSONObject().put("room", "lobby").put("seq", 0).put("rev", 0);
    server.responder =
        (name, payload) -> {
          if (name.equals("room:list")) {
            lists.incrementAndGet();
            return ScriptedServer.ok(new JSONObject().put("next", "c"));
          }
          if (!name.equals("room:sync")) return ScriptedServer.defaultResponse(name, payload);
          syncs.incrementAndGet();
          return ScriptedServer.ok(new JSONObject().put("head", 9).put("messages", new JSONArray().put(known)));
        };
    List<Object> more = ScriptedServer.welcome("alice");
    more.set(2, ((String) more.get(2)).replace("\"rooms\":", "\"more\":true,\"rooms\":"));
    server.setPackets(more);
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    server.event("message:new", new JSONObject().put("room", "lobby").put("seq", 5).put("rev", 5));
    server.awaitRequest("room:sync");
    for (int i = 0; i < 5; i++) {
      chat.findUsers("bob", null, events.callback("found"));
      events.await("found");
    }
    assertEquals(1, syncs.get());
    assertEquals(2, lists.get());
  }

  @Test
  void countsNoUnreadRepliesThatAreOnlyInAThreadUnlessTheyConcernTheUser() throws Exception {
    List<Object> packets = ScriptedServer.welcome("alice");
    String counts = "\"head\":3,\"lastSeq\":3,\"unread\":2,\"threadOnly\":1,\"id\":\"lobby\"";
    packets.set(2, ((String) packets.get(2)).replace("\"id\":\"lobby\"", counts));
    server.setPackets(packets);
    JSONObject lobby = ScriptedServer.room("lobby").put("head", 3).put("lastSeq", 3).put("unread", 2).put("threadOnly", 1);
    JSONArray messages = new JSONArray().put(message(1)).put(message(2)).put(reply(3));
    openLobby(lobby, messages);
    assertEquals(2, lobby().unread);
    server.event("message:new", reply(4));
    events.await("messages of lobby: 4");
    assertEquals("2 after null", lobby().unread + " after " + lobby().last);
    server.event("message:new", message(5));
    events.await("messages of lobby: 5");
    assertEquals("3 after message 5", lobby().unread + " after " + lobby().last);
    JSONObject mention = new JSONObject().put("user", new JSONObject().put("id", "alice").put("name", "Alice"));
    server.event("message:new", reply(6).put("mentions", new JSONArray().put(mention.put("start", 0).put("length", 1))));
    events.await("messages of lobby: 6");
    assertEquals("3, 1 mention", lobby().unread + ", " + lobby().mentions + " mention");
    server.event("room:activity", new JSONObject(lobby.toString()).put("room", "lobby").put("head", 9).put("lastSeq", 9).put("threadOnly", 5));
    wakeUntil(() -> lobby().lastSeq == 9);
    assertEquals(4, lobby().unread);
    chat.send("lobby", NewMessage.of("only here").replyTo(2).threadOnly());
    assertTrue(server.awaitRequest("message:send").getBoolean("threadOnly"));
  }

  @Test
  void countsNoDeletedMessagesAsUnread() throws Exception {
    List<Object> packets = ScriptedServer.welcome("alice");
    String counts = "\"head\":6,\"lastSeq\":5,\"unread\":4,\"deleted\":[[2,1]],\"id\":\"lobby\"";
    packets.set(2, ((String) packets.get(2)).replace("\"id\":\"lobby\"", counts));
    server.setPackets(packets);
    JSONArray deleted = new JSONArray().put(new JSONArray().put(2).put(1));
    JSONObject lobby = ScriptedServer.room("lobby").put("head", 6).put("lastSeq", 5).put("unread", 4).put("deleted", deleted);
    openLobby(lobby, new JSONArray().put(message(4)).put(message(5)));
    assertEquals(4, lobby().unread);
    server.event("message:changed", message(4).put("rev", 7).put("text", "").put("deletedAt", 5000));
    wakeUntil(() -> lobby().unread == 3);
    deleted.put(new JSONArray().put(4).put(2));
    server.event("room:activity", new JSONObject(lobby.toString()).put("room", "lobby").put("head", 8).put("lastSeq", 6));
    wakeUntil(() -> lobby().lastSeq == 6);
    assertEquals(3, lobby().unread);
  }

  /** Starts the chat and opens the lobby, which the server answers with this summary and these messages. */
  private void openLobby(JSONObject lobby, JSONArray messages) throws Exception {
    JSONObject joined = new JSONObject().put("room", lobby).put("messages", messages).put("complete", true);
    server.responder =
        (name, payload) ->
            name.equals("room:join") ? ScriptedServer.ok(joined) : ScriptedServer.defaultResponse(name, payload);
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
  }

  private RoomSummary lobby() {
    return chat.rooms().stream().filter(room -> room.id.equals("lobby")).findFirst().get();
  }

  private static JSONObject reply(int n) {
    return message(n).put("replyTo", 1).put("thread", 1).put("threadOnly", true);
  }

  @Test
  void removesExpiredMessagesAndTheirUnreadCount() throws Exception {
    List<Object> unread = ScriptedServer.welcome("alice");
    unread.set(2, ((String) unread.get(2)).replace("\"id\":\"lobby\"", "\"head\":4,\"lastSeq\":4,\"id\":\"lobby\""));
    server.setPackets(unread);
    JSONObject lobby = ScriptedServer.room("lobby").put("head", 4).put("lastSeq", 4);
    JSONArray messages = new JSONArray();
    for (int n = 1; n <= 4; n++) messages.put(message(n));
    openLobby(lobby, messages);
    assertEquals(4, chat.rooms().get(0).unread + chat.rooms().get(1).unread);
    JSONObject activity = new JSONObject(lobby.toString()).put("room", "lobby").put("firstSeq", 4);
    server.event("room:activity", activity);
    events.await("messages of lobby: 1");
    assertEquals(4, chat.messages("lobby").get(0).message.seq);
    // The list of rooms is updated at the same time.
    assertEquals(1, chat.rooms().get(0).unread + chat.rooms().get(1).unread);
  }

  @Test
  void rejoinsRoomAfterReset() throws Exception {
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    server.event("message:new", message(1));
    events.await("messages of lobby: 1");
    server.awaitRequest("room:join");
    JSONObject again = new JSONObject().put("room", ScriptedServer.room("lobby").put("head", 9).put("lastSeq", 2));
    again.put("messages", new JSONArray().put(message(2).put("rev", 9))).put("complete", true);
    server.responder =
        (name, payload) ->
            name.equals("room:join") ? ScriptedServer.ok(again) : ScriptedServer.defaultResponse(name, payload);
    server.event("room:reset", new JSONObject().put("room", "lobby"));
    assertFalse(server.awaitRequest("room:join").has("since"));
    server.event("message:new", message(3).put("rev", 10));
    String before = events.await("messages of lobby: 2");
    assertFalse(before.contains("messages of lobby: 0"), before);
    assertEquals(2, chat.messages("lobby").get(0).message.seq);
  }

  @Test
  void reportsLoadsAndFollowsThreads() throws Exception {
    JSONObject author = new JSONObject().put("id", "bob").put("name", "Bob");
    JSONObject thread = new JSONObject().put("thread", 1).put("root", 1).put("replies", 1).put("lastAt", 9);
    thread.put("authors", new JSONArray().put(author));
    JSONObject joined = new JSONObject().put("room", ScriptedServer.room("lobby").put("head", 2).put("lastSeq", 2));
    JSONObject reply = message(2).put("replyTo", 1).put("thread", 1);
    joined.put("messages", new JSONArray().put(message(1)).put(reply)).put("complete", true);
    joined.put("threads", new JSONArray().put(new JSONObject(thread.toString()).put("new", 1)));
    JSONObject page = new JSONObject().put("root", message(1)).put("thread", thread).put("following", true);
    page.put("messages", new JSONArray().put(reply)).put("complete", true);
    server.responder =
        (name, payload) ->
            name.equals("room:join")
                ? ScriptedServer.ok(joined)
                : name.equals("thread:get") ? ScriptedServer.ok(page) : ScriptedServer.defaultResponse(name, payload);
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("[1 replies in thread 1] of lobby");
    List<RepliesPage> pages = Collections.synchronizedList(new ArrayList<>());
    chat.replies(
        "lobby",
        2,
        0,
        answer -> {
          pages.add(answer);
          events.record("page");
        });
    events.await("page");
    assertFalse(server.awaitRequest("thread:get").has("before"));
    assertEquals("Bob", pages.get(0).replies.authors.get(0).name);
    assertEquals(1, pages.get(0).messages.get(0).thread);
    assertEquals(0, pages.get(0).root.thread);
    chat.follow("lobby", 2, false, events.callback("followed"));
    assertFalse(server.awaitRequest("thread:follow").getBoolean("following"));
    server.event("thread:followed", new JSONObject().put("room", "lobby").put("thread", 1).put("following", false));
    events.await("leaves lobby 1");
    JSONObject none = new JSONObject().put("thread", 1).put("root", 1).put("replies", 0);
    server.event("thread:changed", new JSONObject().put("room", "lobby").put("threads", new JSONArray().put(none)));
    events.await("[0 replies in thread 1] of lobby");
  }

  @Test
  void joinsARoomAgainAndResendsTheMessageIfTheServerSaysThatItIsNotJoined() throws Exception {
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    AtomicInteger sent = new AtomicInteger();
    server.responder =
        (name, payload) ->
            name.equals("message:send") && sent.getAndIncrement() == 0
                ? ScriptedServer.error("not_joined", 0)
                : ScriptedServer.defaultResponse(name, payload);
    chat.send("lobby", "hello");
    server.awaitRequest("message:send");
    server.awaitRequest("room:join");
    assertEquals("hello", server.awaitRequest("message:send").getString("text"));
  }

  @Test
  void endsTypingInARoomWhenTheUserTypesInAnotherRoom() throws Exception {
    chat.openRoom("lobby", events.callback("lobby"));
    chat.openRoom("garden", events.callback("garden"));
    chat.start();
    events.await("garden");
    chat.typed("lobby");
    assertTrue(new JSONObject("{'room':'lobby','typing':true}").similar(server.awaitRequest("typing:set")));
    chat.typed("garden");
    assertTrue(new JSONObject("{'room':'lobby','typing':false}").similar(server.awaitRequest("typing:set")));
    assertTrue(new JSONObject("{'room':'garden','typing':true}").similar(server.awaitRequest("typing:set")));
  }

  @Test
  void reloadsADirectRoomIfTheOtherUserWritesUnderANewName() throws Exception {
    JSONObject with = new JSONObject(message(1).getJSONObject("user").toString());
    JSONObject direct = ScriptedServer.room("lobby").put("kind", "direct").put("with", with).put("present", true);
    openLobby(direct, new JSONArray());
    JSONObject renamed = message(1);
    renamed.getJSONObject("user").put("name", "Robert");
    server.event("message:new", renamed);
    // Requests the summary of the room without moving the marker.
    assertTrue(new JSONObject("{'room':'lobby','seq':0}").similar(server.awaitRequest("read:mark")));
  }

  @Test
  void reportsPinnedMessagesOfAnOpenRoom() throws Exception {
    JSONObject lobby = ScriptedServer.room("lobby").put("head", 2).put("lastSeq", 2).put("pins", 1);
    JSONArray messages = new JSONArray().put(message(1)).put(message(2));
    JSONObject joined = new JSONObject().put("room", lobby).put("messages", messages).put("complete", true);
    JSONObject pins = new JSONObject().put("pins", new JSONArray().put(pin(1)));
    server.responder =
        (name, payload) ->
            name.equals("room:join")
                ? ScriptedServer.ok(joined)
                : name.equals("room:pins") ? ScriptedServer.ok(pins) : ScriptedServer.defaultResponse(name, payload);
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("pins of lobby: 1 t1");
    server.event("pin:changed", new JSONObject().put("room", "lobby").put("seq", 2).put("pin", pin(2)).put("count", 2));
    events.await("pins of lobby: 2 t2 1 t1");
    server.event("message:changed", message(1).put("rev", 3).put("text", "new text"));
    events.await("pins of lobby: 2 t2 1 new text");
    chat.block("bob", true, null);
    events.await("pins of lobby: 2 hidden 1 hidden");
    server.event("pin:changed", new JSONObject().put("room", "lobby").put("seq", 2).put("count", 1));
    events.await("pins of lobby: 1 hidden");
    // An event was missed.
    server.event("pin:changed", new JSONObject().put("room", "lobby").put("seq", 1).put("count", 1));
    events.await("pins of lobby:");
    events.await("pins of lobby: 1 hidden");
    server.event("room:activity", new JSONObject(lobby.toString()).put("room", "lobby").put("firstSeq", 2));
    events.await("pins of lobby:");
  }

  @Test
  void loadsPinnedMessagesAgainIfTheyChangedInTheMeantime() throws Exception {
    JSONObject joined = new JSONObject().put("room", ScriptedServer.room("lobby").put("pins", 1));
    joined.put("messages", new JSONArray()).put("complete", true);
    server.responder =
        (name, payload) ->
            name.equals("room:join")
                ? ScriptedServer.ok(joined)
                : name.equals("room:pins") ? null : ScriptedServer.defaultResponse(name, payload);
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    server.awaitRequest("room:pins");
    server.event("pin:changed", new JSONObject().put("room", "lobby").put("seq", 2).put("pin", pin(2)).put("count", 2));
    server.respondLate("room:pins", ScriptedServer.ok(new JSONObject().put("pins", new JSONArray().put(pin(1)))));
    server.awaitRequest("room:pins");
    JSONArray both = new JSONArray().put(pin(2)).put(pin(1));
    server.respondLate("room:pins", ScriptedServer.ok(new JSONObject().put("pins", both)));
    events.await("pins of lobby: 2 t2 1 t1");
  }

  private static JSONObject pin(int seq) {
    return message(seq).put("by", message(seq).getJSONObject("user")).put("at", 9).put("after", 2);
  }

  @Test
  void ignoresUnknownEventsFieldsAndValues() throws Exception {
    chat.openRoom("lobby", events.callback("lobby"));
    chat.start();
    events.await("lobby");
    server.event("room:painted", new JSONObject().put("room", "lobby").put("colour", "red"));
    JSONObject odd = ScriptedServer.room("lobby").put("write", "robots").put("notify", "loud").put("kind", "open");
    server.event("room:changed", odd.put("may", new JSONArray().put("fly").put("send")));
    JSONObject reaction = new JSONObject().put("emoji", "\uD83D\uDC4D").put("count", 1).put("colour", "red");
    server.event("message:new", message(1).put("mood", new JSONArray()).put("reactions", new JSONArray().put(reaction)));
    events.await("messages of lobby: 1");
    assertEquals(1, chat.messages("lobby").get(0).message.reactions.get(0).count);
    RoomSummary lobby = null;
    for (RoomSummary room : chat.rooms()) if (room.id.equals("lobby")) lobby = room;
    assertEquals(RoomSummary.Write.ALL, lobby.write);
    assertEquals(Collections.singleton(RoomSummary.Right.SEND), lobby.may);
  }

  private static JSONObject message(int n) {
    return new JSONObject()
        .put("room", "lobby")
        .put("seq", n)
        .put("rev", n)
        .put("clientId", "c" + n)
        .put("user", new JSONObject().put("id", "bob").put("name", "Bob"))
        .put("text", "t" + n);
  }

  @Test
  void limitsRetryAfterToOneHour() {
    for (long ms : new long[] {Long.MAX_VALUE, 3_600_001}) {
      assertEquals(3_600_000, Wire.retryAfterMs(new JSONObject().put("retryAfterMs", ms)));
    }
    assertEquals(0, Wire.retryAfterMs(new JSONObject().put("retryAfterMs", -1)));
  }

  @Test
  void rejectsNullArgumentsByName() {
    NullPointerException error = assertThrows(NullPointerException.class, () -> chat.openRoom(null));
    assertEquals("room", error.getMessage());
    error = assertThrows(NullPointerException.class, () -> chat.send("lobby", (String) null));
    assertEquals("text", error.getMessage());
    error = assertThrows(NullPointerException.class, () -> Chat.builder(null, main, events));
    assertEquals("server", error.getMessage());
    error = assertThrows(NullPointerException.class, () -> NewRoom.publicRoom(null));
    assertEquals("name", error.getMessage());
  }

  /** Like a database that throws unchecked exceptions. */
  private static final class FullOutbox implements Outbox {
    final MemoryOutbox kept = new MemoryOutbox();
    volatile boolean isFull = true;
    volatile int unreadable;

    @Override
    public List<UnsentMessage> load(String user) {
      if (unreadable-- > 0) throw new IllegalStateException("locked");
      return kept.load(user);
    }

    @Override
    public void put(String user, UnsentMessage message) {
      if (isFull) throw new IllegalStateException("full");
      kept.put(user, message);
    }

    @Override
    public void remove(String user, String clientId) {
      kept.remove(user, clientId);
    }

    @Override
    public void keepOnly(String user) {
      kept.keepOnly(user);
    }
  }
}
