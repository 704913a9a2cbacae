package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import okio.ByteString;
import org.json.JSONObject;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** When the client fetches and renews tickets. */
class TicketsTest {
  private static final ChatFile FILE = Vectors.file("a");

  private final ExecutorService main = Executors.newSingleThreadExecutor();
  private final EventRecorder events = new EventRecorder();
  private final Site site = new Site();
  private ScriptedServer server;
  private Chat chat;

  /** Responds with what a test adds, and hangs until then. */
  private final class Site implements TicketSource {
    private final BlockingQueue<TicketSource> responses = new LinkedBlockingQueue<>();

    @Override
    public String fetch() throws IOException {
      try {
        return responses.take().fetch();
      } catch (InterruptedException e) {
        events.record("interrupted");
        throw new InterruptedIOException();
      }
    }

    void issue(String ticket) {
      responses.add(() -> ticket);
    }

    void logOut() {
      issue(null);
    }

    void fail(Exception error) {
      responses.add(
          () -> {
            if (error instanceof RuntimeException) throw (RuntimeException) error;
            throw (IOException) error;
          });
    }
  }

  /** A ticket with the right lifetime, but not with the right times. */
  private static String ticket(String user, double seconds) {
    JSONObject claims = new JSONObject().put("sub", user).put("iat", 1).put("exp", 1 + seconds);
    return "e30." + ByteString.encodeUtf8(claims.toString()).base64Url().replace("=", "") + ".c2ln";
  }

  @BeforeEach
  void begin() throws IOException {
    server = new ScriptedServer(true);
    chat = Chat.builder(server.url(), main, events).tickets(site).build();
  }

  @AfterEach
  void end() {
    chat.close();
    server.close();
    main.shutdownNow();
  }

  private void connect(String ticket) throws InterruptedException {
    site.issue(ticket);
    chat.start();
    events.await("ONLINE");
    assertEquals(ticket, server.awaitTicket());
  }

  /** An invalid packet breaks the connection. */
  private void disconnect() throws InterruptedException {
    server.send("4<html>");
    events.await("OFFLINE");
  }

  private void end(String reason) {
    server.event("session:ended", new JSONObject().put("reason", reason));
  }

  private String authorization() {
    return chat.fileRequest(FILE).header("Authorization");
  }

  @Test
  void ticketIsUsedForAllConnectionsUntilItsEnd() throws Exception {
    String ticket = ticket("alice", 600);
    connect(ticket);
    disconnect();
    chat.wake();
    events.await("ONLINE");
    assertEquals(ticket, server.awaitTicket());
    assertEquals("Ticket " + ticket, authorization());
  }

  @Test
  void ticketIsRenewedOnTheOpenConnection() throws Exception {
    connect(ticket("alice", 1));
    String second = ticket("alice", 1.002);
    site.issue(second);
    assertEquals(second, server.awaitRequest("session:renew").getString("ticket"));
    String third = ticket("alice", 600);
    site.issue(third);
    assertEquals(third, server.awaitRequest("session:renew").getString("ticket"));
    assertEquals("Ticket " + third, authorization());
    assertEquals(1, server.connections.get());
  }

  @Test
  void ticketIsRenewed60SecondsBeforeItsEndOrAtHalfOfAShorterLifetime() {
    assertEquals(540_000, Tickets.renewalDelayMs(600_000));
    assertEquals(60_000, Tickets.renewalDelayMs(120_000));
    assertEquals(2000, Tickets.renewalDelayMs(4000));
  }

  @Test
  void failedRenewalIsRepeated() throws Exception {
    connect(ticket("alice", 1));
    site.fail(new IOException("HTTP 503"));
    String next = ticket("alice", 600);
    site.issue(next);
    assertEquals(next, server.awaitRequest("session:renew").getString("ticket"));
    assertEquals(1, server.connections.get());
  }

  @Test
  void ticketThatTheServerAcceptedBeforeIsReplacedIfItIsRejected() throws Exception {
    connect(ticket("alice", 600));
    disconnect();
    server.sendOnce(ScriptedServer.rejection("unauthorized").toArray());
    String next = ticket("alice", 601);
    site.issue(next);
    chat.wake();
    String before = events.await("ONLINE");
    assertEquals("", before.replaceAll("\nOFFLINE|\nmessages.*", ""));
    // The server may close the rejected connection before its ticket arrives.
    while (!server.awaitTicket().equals(next)) {}
  }

  @Test
  void rejectedNewTicketEndsTheSession() throws Exception {
    server.setPackets(ScriptedServer.rejection("unauthorized"));
    site.issue(ticket("alice", 600));
    chat.start();
    events.await("SESSION_ENDED UNAUTHORIZED");
    assertEquals(1, server.connections.get());
    assertNull(authorization());
  }

  @Test
  void textThatIsNotATicketIsRefusedByTheServer() throws Exception {
    server.setPackets(ScriptedServer.rejection("session_invalid"));
    for (String text : new String[] {"", "x", "a.b.c", "e30.W10.x", "e30.e30.x"}) {
      site.issue(text);
      chat.start();
      events.await("REFUSED INVALID_SESSION");
    }
    assertEquals(5, server.connections.get());
  }

  @Test
  void doesNotConnectIfNoUserIsLoggedInToTheSite() throws Exception {
    site.logOut();
    chat.start();
    events.await("SESSION_ENDED UNAUTHORIZED");
    assertEquals(0, server.connections.get());
    // The user logs in, and returns to the app.
    site.issue(ticket("alice", 600));
    chat.wake();
    events.await("ONLINE");
  }

  @Test
  void renewalEndsTheSessionIfTheUserHasLoggedOut() throws Exception {
    connect(ticket("alice", 1));
    // The renewal, and each attempt to resume.
    for (int i = 0; i < 6; i++) site.logOut();
    String before = events.await("SESSION_ENDED LOGOUT");
    assertTrue(before.contains("hide\nCHECKING_SESSION LOGOUT"), before);
    site.responses.clear();
    server.setPackets(ScriptedServer.welcome("bob"));
    // An attempt to resume may take the first one.
    for (int i = 0; i < 2; i++) site.issue(ticket("bob", 600));
    chat.start();
    events.await("I am bob");
  }

  @Test
  void sessionResumesIfTheUserIsLoggedInAgain() throws Exception {
    connect(ticket("alice", 600));
    String next = ticket("alice", 601);
    site.issue(next);
    end("logout");
    events.await("CHECKING_SESSION LOGOUT");
    events.await("ONLINE");
    assertEquals(next, server.awaitTicket());
  }

  @Test
  void ticketOfAnotherUserEndsTheSession() throws Exception {
    server.responder =
        (name, payload) ->
            name.equals("session:renew")
                ? ScriptedServer.error("forbidden", 0)
                : ScriptedServer.defaultResponse(name, payload);
    connect(ticket("alice", 1));
    server.setPackets(ScriptedServer.welcome("bob"));
    site.issue(ticket("bob", 600));
    String before = events.await("SESSION_ENDED USER_CHANGED");
    assertFalse(before.contains("bob"), before);
    assertNull(authorization());
    site.issue(ticket("bob", 600));
    chat.start();
    events.await("I am bob");
  }

  @Test
  void attemptsContinueWhileTheSourceFails() throws Exception {
    site.fail(new IOException("HTTP 503"));
    site.fail(new IllegalStateException("not ready"));
    chat.start();
    events.await("OFFLINE");
    chat.wake();
    events.await("OFFLINE");
    site.issue(ticket("alice", 600));
    chat.wake();
    events.await("ONLINE");
  }

  @Test
  void loginThatExpiredWhileTheSourceFailedContinues() throws Exception {
    connect(ticket("alice", 600));
    site.fail(new IOException("HTTP 503"));
    end("expired");
    events.await("OFFLINE");
    events.await("OFFLINE");
    String next = ticket("alice", 601);
    site.issue(next);
    String before = events.await("ONLINE");
    assertFalse(before.contains("hide"), before);
    assertEquals(next, server.awaitTicket());
  }

  @Test
  void startFetchesANewTicketBecauseAnotherUserMayHaveLoggedIn() throws Exception {
    String first = ticket("alice", 600);
    connect(first);
    chat.stop();
    events.await("STOPPED");
    // The app still shows pictures of the first user.
    assertEquals("Ticket " + first, authorization());
    server.setPackets(ScriptedServer.welcome("bob"));
    site.issue(ticket("bob", 600));
    chat.start();
    events.await("SESSION_ENDED USER_CHANGED");
  }

  @Test
  void startInterruptsASourceThatHangs() throws Exception {
    chat.start();
    events.await("CONNECTING");
    chat.stop();
    events.await("STOPPED");
    chat.start();
    events.await("interrupted");
    site.issue(ticket("alice", 600));
    events.await("ONLINE");
  }

  @Test
  void ticketFetchedWhileConnectingIsSentWithTheConnection() throws Exception {
    chat.close();
    BlockingQueue<String> tickets = new LinkedBlockingQueue<>();
    Loop loop = new Loop();
    Tickets fetched =
        new Tickets(
            loop,
            site,
            new Tickets.Listener() {
              @Override
              public void onTicket(String ticket) {
                tickets.add(ticket);
              }

              @Override
              public void onLoggedOut() {}

              @Override
              public void onTicketFailure() {}
            });
    site.issue("first");
    loop.run(fetched::fetch);
    assertEquals("first", tickets.poll(10, TimeUnit.SECONDS));
    site.issue("second");
    loop.run(fetched::fetch);
    assertEquals("second", tickets.poll(10, TimeUnit.SECONDS));
    loop.run(() -> fetched.connected("first"));
    assertEquals("second", tickets.poll(10, TimeUnit.SECONDS));
    loop.end();
  }
}
