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
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import mockwebserver3.MockResponse;
import okhttp3.OkHttpClient;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Promises to an app that hold when users, rooms and servers change under it. */
class ChatTest {
  private final ExecutorService main = Executors.newSingleThreadExecutor();
  private final Told told = new Told();
  private final MemoryOutbox outbox = new MemoryOutbox();
  private ScriptedServer server;
  private Chat chat;

  @BeforeEach
  void begin() throws IOException {
    server = new ScriptedServer(true);
    chat = chat(outbox);
  }

  private Chat chat(Outbox outbox) {
    OkHttpClient http = new OkHttpClient.Builder().cookieJar(new SessionCookies()).build();
    return Chat.builder(server.url(), main, told).http(http).outbox(outbox).build();
  }

  @AfterEach
  void end() {
    chat.close();
    server.close();
    main.shutdownNow();
  }

  @Test
  void afterItsEndAChatDoesNothingMoreAndSaysSo() throws Exception {
    chat.start();
    told.until("ONLINE");
    chat.openRoom("closed", told.answer("open"));
    chat.close();
    told.until("STOPPED");
    chat.start();
    chat.openRoom("lobby", told.answer("open later"));
    chat.findUsers("bob", null, told.answer("found"));
    chat.send("lobby", "hello");
    String before = told.until("unsent hello: offline");
    assertEquals("\nopen later: offline\nfound: offline", before.replace("\nopen: offline", ""));
    assertEquals(ConnectionState.Kind.STOPPED, chat.state().kind);
  }

  @Test
  void whatIsOpenedForTheNextUserIsOpenAndWhatTheLastOneSawIsNot() throws Exception {
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    server.event("session:ended", new JSONObject().put("reason", "kicked"));
    told.until("SESSION_ENDED KICKED");
    chat.openRoom("garden", told.answer("garden"));
    // Nobody has logged in yet.
    server.say(ScriptedServer.refusal("unauthorized"));
    chat.start();
    told.until("SESSION_ENDED UNAUTHORIZED");
    server.say(ScriptedServer.welcome("bob"));
    chat.start();
    String before = told.until("garden");
    assertFalse(before.contains("messages of lobby"), before);
  }

  @Test
  void whoComesBackFindsOpenWhatWasOpen() throws Exception {
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    server.event("session:ended", new JSONObject().put("reason", "kicked"));
    told.until("SESSION_ENDED KICKED");
    chat.start();
    told.until("messages of lobby: 0");
  }

  @Test
  void whatIsUnsentIsKeptAsLongAsTheSessionMayComeBack() throws Exception {
    sendWithoutAnswer("wait for me");
    server.say(ScriptedServer.refusal("unauthorized"));
    server.event("session:ended", new JSONObject().put("reason", "logout"));
    told.until("SESSION_ENDED LOGOUT");
    assertEquals(1, outbox.load("alice").size());
    server.say(ScriptedServer.welcome("alice"));
    server.answers = ScriptedServer::usualAnswer;
    told.until("ONLINE");
    assertEquals("wait for me", server.asked("message:send").getString("text"));
  }

  @Test
  void whatIsUnsentIsForgottenWhenTheLogoutIsCertain() throws Exception {
    sendWithoutAnswer("forget me");
    server.say(ScriptedServer.refusal("unauthorized"));
    server.event("session:ended", new JSONObject().put("reason", "logout"));
    told.until("SESSION_ENDED LOGOUT");
    assertEquals(1, outbox.load("alice").size());
    // The first one, an attempt to be let in again that was refused, and the attempt after it.
    wakeUntil(() -> server.connections.get() >= 3);
    // The app has shown its login, and hides the chat: nothing is tried any more.
    chat.stop();
    told.until("STOPPED");
    assertEquals(Collections.emptyList(), outbox.load("alice"));
    server.say(ScriptedServer.welcome("bob"));
    chat.start();
    told.until("I am bob");
  }

  @Test
  void whatIsUnsentIsKeptWhileOnlyTheNetworkFailsAndForgottenWhenTheServerSaysThatNobodyIsLoggedIn() throws Exception {
    chat.close();
    // Over WebSocket alone each attempt is one connection.
    Chat.Builder webSocketOnly = Chat.builder(server.url(), main, told).session(() -> "id");
    chat = webSocketOnly.outbox(outbox).build();
    sendWithoutAnswer("keep me");
    server.say(Collections.singletonList(ScriptedServer.CUT));
    server.event("session:ended", new JSONObject().put("reason", "logout"));
    told.until("SESSION_ENDED LOGOUT");
    // The first one, at most five that try to be let in again, and one for somebody who looks at the app after these.
    wakeUntil(() -> server.connections.get() >= 7);
    assertEquals(1, outbox.load("alice").size());
    server.say(ScriptedServer.refusal("unauthorized"));
    wakeUntil(() -> outbox.load("alice").isEmpty());
  }

  @Test
  void whatIsUnsentIsKeptWhileTheSessionStoreIsSilentAlsoIfTheAppStops() throws Exception {
    sendWithoutAnswer("keep me");
    server.say(ScriptedServer.refusal("session_store_unavailable"));
    server.event("session:ended", new JSONObject().put("reason", "logout"));
    told.until("SESSION_ENDED LOGOUT");
    chat.stop();
    told.until("STOPPED");
    assertEquals(1, outbox.load("alice").size());
    server.say(ScriptedServer.refusal("unauthorized"));
    chat.start();
    told.until("SESSION_ENDED UNAUTHORIZED");
    chat.stop();
    told.until("STOPPED");
    assertEquals(Collections.emptyList(), outbox.load("alice"));
  }

  /** Leaves the message in the outbox of alice. */
  private void sendWithoutAnswer(String text) throws Exception {
    server.answers = (name, payload) -> name.equals("message:send") ? null : ScriptedServer.usualAnswer(name, payload);
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    chat.send("lobby", text);
    server.asked("message:send");
  }

  /** The chat looks for a new session only when somebody looks at the app, and not at each of these calls. */
  private void wakeUntil(BooleanSupplier isDone) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    for (; !isDone.getAsBoolean(); Thread.sleep(10)) {
      assertTrue(System.nanoTime() < end, () -> server.connections + " connections");
      chat.wake();
    }
  }

  @Test
  void aPauseBelongsToTheRoomThatHasCausedItAndItsEndIsTold() throws Exception {
    boolean[] limited = {true};
    server.answers =
        (name, payload) ->
            limited[0] && name.equals("message:send")
                ? ScriptedServer.error("rate_limited", 1500)
                : ScriptedServer.usualAnswer(name, payload);
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    chat.send("lobby", "first");
    told.until("paused rate_limited");
    server.asked("message:send");
    long at = System.nanoTime();
    chat.openRoom("garden", told.answer("garden"));
    told.until("garden");
    limited[0] = false;
    server.asked("message:send");
    assertFalse(System.nanoTime() - at < 1_000_000_000, "sent before the pause had ended");
    told.until("sending");
  }

  @Test
  void aPauseEndsWithTheMessageForWhichItWas() throws Exception {
    server.answers =
        (name, payload) ->
            name.equals("message:send")
                ? ScriptedServer.error("rate_limited", Long.MAX_VALUE)
                : ScriptedServer.usualAnswer(name, payload);
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    String clientId = chat.send("lobby", "first");
    told.until("paused rate_limited");
    chat.discard(clientId);
    told.until("sending");
  }

  @Test
  void aMessageThatIsDiscardedBeforeItsIdIsKnownIsDiscardedThenAndForgottenWhenThatIsAcknowledged() throws Exception {
    String kept = "{'clientId':'a1','room':'lobby','text':'from before','writtenAt':1,'replyTo':0,'failed':'held'}";
    outbox.put("alice", PendingMessage.fromJson(kept));
    answerLate("held:list", "held:discard");
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("messages of lobby: 1");
    server.asked("held:list");
    chat.discard("a1");
    told.until("messages of lobby: 0");
    JSONObject waits = new JSONObject().put("id", "h1").put("clientId", "a1");
    server.answerLate("held:list", ScriptedServer.ok(new JSONObject().put("held", new JSONArray().put(waits))));
    assertEquals("h1", server.asked("held:discard").getString("id"));
    // It was rejected before it was discarded.
    server.event("held:changed", new JSONObject().put("id", "h1").put("is", "rejected"));
    chat.findUsers("bob", null, told.answer("found"));
    String before = told.until("found");
    assertFalse(before.contains("unsent") || before.contains("messages of lobby: 1"), before);
    assertEquals(1, outbox.load("alice").size());
    server.answerLate("held:discard", ScriptedServer.ok(new JSONObject()));
    chat.findUsers("bob", null, told.answer("found"));
    told.until("found");
    assertEquals(Collections.emptyList(), outbox.load("alice"));
  }

  @Test
  void aMessageThatWaitsSinceTheServerWasAskedIsKeptWhateverTheAnswerSays() throws Exception {
    String kept = "{'clientId':'a1','room':'lobby','text':'from before','writtenAt':1,'replyTo':0,'failed':'held'}";
    outbox.put("alice", PendingMessage.fromJson(kept));
    answerLate("held:list", "message:send");
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    server.asked("held:list");
    String clientId = chat.send("lobby", "new");
    server.asked("message:send");
    JSONObject waits = new JSONObject().put("id", "h2").put("clientId", clientId);
    server.answerLate("message:send", ScriptedServer.ok(new JSONObject().put("held", waits)));
    told.until("unsent new: held");
    server.answerLate("held:list", ScriptedServer.ok(new JSONObject().put("held", new JSONArray())));
    chat.findUsers("bob", null, told.answer("found"));
    told.until("found");
    List<PendingMessage> left = outbox.load("alice");
    assertEquals(1, left.size());
    assertEquals("new", left.get(0).text);
  }

  private void answerLate(String... names) {
    server.answers =
        (name, payload) -> Arrays.asList(names).contains(name) ? null : ScriptedServer.usualAnswer(name, payload);
  }

  @Test
  void anOutboxThatThrowsLosesNothing() throws Exception {
    chat.close();
    FullOutbox full = new FullOutbox();
    chat = chat(full);
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    String clientId = chat.send("lobby", "too much");
    told.until("unsent too much: not_kept");
    told.until("messages of lobby: 1");
    assertEquals("not_kept", chat.messages("lobby").get(0).pending.failed);
    full.isFull = false;
    chat.retry(clientId);
    assertEquals("too much", server.asked("message:send").getString("text"));
  }

  @Test
  void anOutboxThatCannotBeReadIsReadLaterAndThatIsToldOnce() throws Exception {
    chat.close();
    FullOutbox broken = new FullOutbox();
    broken.isFull = false;
    String kept = "{'clientId':'a1','room':'garden','text':'from before','writtenAt':1,'replyTo':0}";
    broken.kept.put("alice", PendingMessage.fromJson(kept));
    broken.unreadable = 2;
    chat = chat(broken);
    chat.start();
    told.until("paused storage_unavailable");
    assertEquals("from before", server.asked("message:send").getString("text"));
    String between = told.until("sending");
    assertFalse(between.contains("paused"), between);
  }

  @Test
  void aFileIsSentAgainWhereTheServerMayTakeItLaterAndElseTheAppIsToldWhyNot() throws Exception {
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    server.uploads.add(new MockResponse.Builder().code(503).addHeader("Retry-After", "1").body("<html>").build());
    JSONObject file = new JSONObject().put("id", "0123456789abcdef").put("type", "text/plain");
    server.uploads.add(new MockResponse.Builder().code(201).body(new JSONObject().put("file", file).toString()).build());
    chat.upload("lobby", NewFile.of("later", 3, () -> new ByteArrayInputStream(new byte[3])));
    told.until("later is text/plain");

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
      told.until("never failed: " + one[3]);
    }
    // On Android a source may throw what need not be declared; and nobody is there to hear of it.
    NewFile.Source[] sources = {
      () -> {
        throw new SecurityException("no permission");
      },
      () -> null
    };
    for (NewFile.Source source : sources) {
      chat.upload("lobby", NewFile.of("denied", 3, source));
      told.until("denied failed: unreadable");
    }
    assertEquals(9, chat.uploads().size());
    server.event("session:ended", new JSONObject().put("reason", "kicked"));
    told.until("SESSION_ENDED KICKED");
    assertEquals(Collections.emptyList(), chat.uploads());
    chat.upload("lobby", NewFile.of("nobody's", 3, sources[0]));
    told.until("nobody's failed: offline");
    List<Object> without = ScriptedServer.welcome("bob");
    without.set(2, ((String) without.get(2)).replace("\"can\"", "\"could\""));
    server.say(without);
    chat.start();
    told.until("I am bob");
    assertEquals(Collections.emptyList(), chat.uploads());
    chat.upload("lobby", NewFile.of("bob's", 3, sources[0]));
    told.until("bob's failed: forbidden");
  }

  @Test
  void aFileThatCouldNotBeSentGoesWithItsMessageOverTheNextConnection() throws Exception {
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    for (int i = 0; i < 3; i++) server.uploads.add(new MockResponse.Builder().code(502).build());
    String key = chat.upload("lobby", NewFile.of("a", 3, () -> new ByteArrayInputStream(new byte[3])));
    chat.send("lobby", NewMessage.of("with a file").file(key, "alt").withoutPreview());
    told.until("unsent with a file: not_uploaded");
    JSONObject file = new JSONObject().put("id", "0123456789abcdef").put("type", "text/plain");
    server.uploads.add(new MockResponse.Builder().code(201).body(new JSONObject().put("file", file).toString()).build());
    chat.stop();
    chat.start();
    JSONObject sent = server.asked("message:send");
    assertEquals("[{\"alt\":\"alt\",\"id\":\"0123456789abcdef\"}]", sent.getJSONArray("files").toString());
    assertEquals(Boolean.FALSE, sent.get("preview"));
  }

  /** A machine that is slow for some seconds leads there as well, in any of these tests. */
  @Test
  void overPollingARoomIsOpenedAndItsEventsCome() throws Exception {
    server.close();
    server = new ScriptedServer(false);
    chat.close();
    chat = chat(outbox);
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    server.event("message:new", message(1));
    told.until("messages of lobby: 1");
  }

  @Test
  void aMessageThatComesBeforeTheBlockedUsersAreKnownIsToldOnlyThenAndNoneOfTheirs() throws Exception {
    server.answers =
        (name, payload) -> name.equals("user:blocked") ? null : ScriptedServer.usualAnswer(name, payload);
    chat.start();
    server.asked("user:blocked");
    JSONObject everybody = new JSONObject().put("user", new JSONObject().put("id", Mention.EVERYBODY));
    JSONArray named = new JSONArray().put(everybody.put("start", 0).put("length", 2));
    server.event("message:new", message(1).put("mentions", named));
    JSONObject carol = new JSONObject().put("id", "carol").put("name", "Carol");
    server.event("message:new", message(2).put("mentions", named).put("user", carol));
    JSONArray blocked = new JSONArray().put(new JSONObject().put("id", "bob").put("name", "Bob"));
    server.answerLate("user:blocked", ScriptedServer.ok(new JSONObject().put("users", blocked)));
    String before = told.until("mention: t2");
    assertTrue(before.contains("new: t2"), before);
    assertFalse(before.contains("t1"), before);
  }

  @Test
  void overANewConnectionAMessageIsToldOnlyWhenTheBlockedUsersOfThenAreKnown() throws Exception {
    chat.start();
    server.asked("user:blocked");
    server.event("message:new", message(1));
    told.until("new: t1");
    server.answers =
        (name, payload) -> name.equals("user:blocked") ? null : ScriptedServer.usualAnswer(name, payload);
    // No packet: the connection breaks.
    server.send("4<html>");
    told.until("OFFLINE");
    chat.wake();
    server.asked("user:blocked");
    server.event("message:new", message(2));
    JSONObject carol = new JSONObject().put("id", "carol").put("name", "Carol");
    server.event("message:new", message(3).put("user", carol));
    JSONArray blocked = new JSONArray().put(new JSONObject().put("id", "bob").put("name", "Bob"));
    server.answerLate("user:blocked", ScriptedServer.ok(new JSONObject().put("users", blocked)));
    String before = told.until("new: t3");
    assertFalse(before.contains("t2"), before);
  }

  @Test
  void whereTheServerRefusesToSayWhoIsBlockedTheNewestHundredNoticesThatWaitAreTold() throws Exception {
    server.answers =
        (name, payload) -> name.equals("user:blocked") ? null : ScriptedServer.usualAnswer(name, payload);
    chat.start();
    server.asked("user:blocked");
    for (int n = 1; n <= 101; n++) server.event("message:new", message(n));
    server.answerLate("user:blocked", ScriptedServer.error("unknown_event", 0));
    String before = told.until("new: t101");
    assertTrue(before.contains("new: t2\n"), before);
    assertFalse(before.contains("new: t1\n"), before);
  }

  @Test
  void anOpenRoomThatNobodyReadsKeepsTheNewestOfItsMessages() throws Exception {
    int known = 4395;
    JSONArray messages = new JSONArray();
    for (int n = 1; n <= known; n++) messages.put(message(n));
    JSONObject lobby = ScriptedServer.room("lobby").put("head", known).put("lastSeq", known);
    JSONObject joined = new JSONObject().put("room", lobby).put("messages", messages).put("complete", true);
    server.answers =
        (name, payload) ->
            name.equals("room:join") ? ScriptedServer.ok(joined) : ScriptedServer.usualAnswer(name, payload);
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    for (int n = known + 1; n <= known + 10; n++) server.event("message:new", message(n));
    told.until("messages of lobby: 4004");
    assertEquals(known + 10, chat.messages("lobby").get(4003).message.seq);
  }

  @Test
  void answersThatLeadNoFurtherAreNotAskedForAgainAndAgain() throws Exception {
    AtomicInteger lists = new AtomicInteger();
    AtomicInteger syncs = new AtomicInteger();
    JSONObject known = new JSONObject().put("room", "lobby").put("seq", 0).put("rev", 0);
    server.answers =
        (name, payload) -> {
          if (name.equals("room:list")) {
            lists.incrementAndGet();
            return ScriptedServer.ok(new JSONObject().put("next", "c"));
          }
          if (!name.equals("room:sync")) return ScriptedServer.usualAnswer(name, payload);
          syncs.incrementAndGet();
          return ScriptedServer.ok(new JSONObject().put("head", 9).put("messages", new JSONArray().put(known)));
        };
    List<Object> more = ScriptedServer.welcome("alice");
    more.set(2, ((String) more.get(2)).replace("\"rooms\":", "\"more\":true,\"rooms\":"));
    server.say(more);
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    server.event("message:new", new JSONObject().put("room", "lobby").put("seq", 5).put("rev", 5));
    server.asked("room:sync");
    for (int i = 0; i < 5; i++) {
      chat.findUsers("bob", null, told.answer("found"));
      told.until("found");
    }
    assertEquals(1, syncs.get());
    assertEquals(2, lists.get());
  }

  @Test
  void whatIsTooOldLeavesTheOpenRoomAndWhatIsUnread() throws Exception {
    List<Object> unread = ScriptedServer.welcome("alice");
    unread.set(2, ((String) unread.get(2)).replace("\"id\":\"lobby\"", "\"head\":4,\"lastSeq\":4,\"id\":\"lobby\""));
    server.say(unread);
    JSONObject lobby = ScriptedServer.room("lobby").put("head", 4).put("lastSeq", 4);
    JSONArray messages = new JSONArray();
    for (int n = 1; n <= 4; n++) messages.put(message(n));
    JSONObject joined = new JSONObject().put("room", lobby).put("messages", messages).put("complete", true);
    server.answers =
        (name, payload) ->
            name.equals("room:join") ? ScriptedServer.ok(joined) : ScriptedServer.usualAnswer(name, payload);
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    assertEquals(4, chat.rooms().get(0).unread + chat.rooms().get(1).unread);
    JSONObject activity = new JSONObject(lobby.toString()).put("room", "lobby").put("firstSeq", 4);
    server.event("room:activity", activity);
    told.until("messages of lobby: 1");
    assertEquals(4, chat.messages("lobby").get(0).message.seq);
    // The list of rooms is told in the same turn.
    assertEquals(1, chat.rooms().get(0).unread + chat.rooms().get(1).unread);
  }

  @Test
  void aRoomOfWhichTooMuchHasChangedIsJoinedAnew() throws Exception {
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    server.event("message:new", message(1));
    told.until("messages of lobby: 1");
    server.asked("room:join");
    JSONObject again = new JSONObject().put("room", ScriptedServer.room("lobby").put("head", 9).put("lastSeq", 2));
    again.put("messages", new JSONArray().put(message(2).put("rev", 9))).put("complete", true);
    server.answers =
        (name, payload) ->
            name.equals("room:join") ? ScriptedServer.ok(again) : ScriptedServer.usualAnswer(name, payload);
    server.event("room:reset", new JSONObject().put("room", "lobby"));
    assertFalse(server.asked("room:join").has("since"));
    server.event("message:new", message(3).put("rev", 10));
    String before = told.until("messages of lobby: 2");
    assertFalse(before.contains("messages of lobby: 0"), before);
    assertEquals(2, chat.messages("lobby").get(0).message.seq);
  }

  @Test
  void theRepliesOfAThreadAreToldAndReadAndFollowed() throws Exception {
    JSONObject author = new JSONObject().put("id", "bob").put("name", "Bob");
    JSONObject thread = new JSONObject().put("thread", 1).put("root", 1).put("replies", 1).put("lastAt", 9);
    thread.put("authors", new JSONArray().put(author));
    JSONObject joined = new JSONObject().put("room", ScriptedServer.room("lobby").put("head", 2).put("lastSeq", 2));
    JSONObject reply = message(2).put("replyTo", 1).put("thread", 1);
    joined.put("messages", new JSONArray().put(message(1)).put(reply)).put("complete", true);
    joined.put("threads", new JSONArray().put(new JSONObject(thread.toString()).put("new", 1)));
    JSONObject page = new JSONObject().put("root", message(1)).put("thread", thread).put("following", true);
    page.put("messages", new JSONArray().put(reply)).put("complete", true);
    server.answers =
        (name, payload) ->
            name.equals("room:join")
                ? ScriptedServer.ok(joined)
                : name.equals("thread:get") ? ScriptedServer.ok(page) : ScriptedServer.usualAnswer(name, payload);
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("[1 replies in thread 1] of lobby");
    List<RepliesPage> pages = Collections.synchronizedList(new ArrayList<>());
    chat.replies(
        "lobby",
        2,
        0,
        answer -> {
          pages.add(answer);
          told.told("page");
        });
    told.until("page");
    assertFalse(server.asked("thread:get").has("before"));
    assertEquals("Bob", pages.get(0).replies.authors.get(0).name);
    assertEquals(1, pages.get(0).messages.get(0).thread);
    assertEquals(0, pages.get(0).root.thread);
    chat.follow("lobby", 2, false, told.answer("followed"));
    assertFalse(server.asked("thread:follow").getBoolean("following"));
    server.event("thread:followed", new JSONObject().put("room", "lobby").put("thread", 1).put("following", false));
    told.until("leaves lobby 1");
    JSONObject none = new JSONObject().put("thread", 1).put("root", 1).put("replies", 0);
    server.event("thread:changed", new JSONObject().put("room", "lobby").put("threads", new JSONArray().put(none)));
    told.until("[0 replies in thread 1] of lobby");
  }

  @Test
  void whatALaterServerSaysBesidesIsIgnored() throws Exception {
    chat.openRoom("lobby", told.answer("lobby"));
    chat.start();
    told.until("lobby");
    server.event("room:painted", new JSONObject().put("room", "lobby").put("colour", "red"));
    JSONObject odd = ScriptedServer.room("lobby").put("write", "robots").put("notify", "loud").put("kind", "open");
    server.event("room:changed", odd.put("may", new JSONArray().put("fly").put("send")));
    JSONObject reaction = new JSONObject().put("emoji", "\uD83D\uDC4D").put("count", 1).put("colour", "red");
    server.event("message:new", message(1).put("mood", new JSONArray()).put("reactions", new JSONArray().put(reaction)));
    told.until("messages of lobby: 1");
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
  void nobodyIsTrustedWithAPauseOfMoreThanAnHour() {
    for (long ms : new long[] {Long.MAX_VALUE, 3_600_001}) {
      assertEquals(3_600_000, Wire.retryAfterMs(new JSONObject().put("retryAfterMs", ms)));
    }
    assertEquals(0, Wire.retryAfterMs(new JSONObject().put("retryAfterMs", -1)));
  }

  @Test
  void whatIsNullIsNamedAtOnce() {
    NullPointerException error = assertThrows(NullPointerException.class, () -> chat.openRoom(null));
    assertEquals("room", error.getMessage());
    error = assertThrows(NullPointerException.class, () -> chat.send("lobby", (String) null));
    assertEquals("text", error.getMessage());
    error = assertThrows(NullPointerException.class, () -> Chat.builder(null, main, told));
    assertEquals("server", error.getMessage());
    error = assertThrows(NullPointerException.class, () -> NewRoom.publicRoom(null));
    assertEquals("name", error.getMessage());
  }

  /** As a database that throws what need not be declared. */
  private static final class FullOutbox implements Outbox {
    final MemoryOutbox kept = new MemoryOutbox();
    volatile boolean isFull = true;
    volatile int unreadable;

    @Override
    public List<PendingMessage> load(String user) {
      if (unreadable-- > 0) throw new IllegalStateException("locked");
      return kept.load(user);
    }

    @Override
    public void put(String user, PendingMessage message) {
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
