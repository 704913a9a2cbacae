package io.github.phpsessionchat;

import io.github.phpsessionchat.ConnectionState.Kind;
import io.github.phpsessionchat.ConnectionState.Reason;
import io.github.phpsessionchat.ConnectionState.Refusal;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Future;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** Keeps one connection to the server and reconnects it. */
final class Connection implements Link.Listener, Tickets.Listener {
  interface Listener {
    void state(ConnectionState state);

    /** Returns {@code auth.tags}. */
    String tags();

    /** Connected and logged in. Replaces {@code state} for this state, so that the app never sees it without a user. */
    void ready(ConnectionState online, JSONObject ready);

    /** The session may have ended. Nothing may be shown until {@code ready}. */
    void hide();

    /** The server confirmed that the session ended. {@code hide} was called earlier, possibly long ago. */
    void sessionEnded(Reason reason);

    /** Any event except {@code session:ready} and {@code session:ended}. */
    void event(String name, JSONObject payload);

    /** Calls {@code passed} after the app has handled all earlier events. */
    void sendMarker(Runnable passed);
  }

  /**
   * The time limit and the delays of attempts to resume a session that may have ended. The response with the renewed
   * cookie may still be in flight.
   */
  private static final long RESUME_BUDGET_MS = 5000;

  private static final long[] RESUME_DELAYS_MS = {50, 250, 500, 1000};
  /** The first delay of a reconnect is a random one between this and twice this. */
  private static final long FIRST_RETRY_MS = 1000;
  /** After this time SESSION_ENDED is reported, while the attempts continue. */
  private static final long REPORT_END_AFTER_MS = 1000;
  /** A request without a response in this time fails and the connection is dropped. */
  private static final long REQUEST_TIMEOUT_MS = 10_000;
  /**
   * Time limit from opening a connection until {@code session:ready}. The limit is shorter for the first of two
   * transports.
   */
  private static final long ATTEMPT_TIMEOUT_MS = 12_000;

  private static final long FIRST_ATTEMPT_TIMEOUT_MS = 6000;
  /** Time limit of the probe that checks an open connection when the app returns to the foreground. */
  private static final long PROBE_TIMEOUT_MS = 3000;
  /** No probe is needed if the server sent something this recently. */
  private static final long NO_PROBE_WITHIN_MS = 1000;
  /** Minimum interval between checks for a new session after one has ended. */
  private static final long SESSION_CHECK_INTERVAL_MS = 2000;

  /**
   * After this number of attempts within {@code ATTEMPTS_PERIOD_MS}, the client waits that long. Otherwise it would
   * loop if the server ends each connection right after accepting it.
   */
  static final int MAX_ATTEMPTS = 20;

  static final long ATTEMPTS_PERIOD_MS = 10_000;

  private static final Set<Kind> DISCONNECTED = EnumSet.of(Kind.OFFLINE, Kind.STORE_UNAVAILABLE, Kind.RATE_LIMITED);

  /** Attempts to resume a session that may have ended. */
  private static final class Resume {
    final Reason reason;
    final long until;
    int attempts;
    /** Whether the server confirmed in the last attempt that the user is not logged in. */
    boolean isOver;

    Resume(Reason reason, long until) {
      this.reason = reason;
      this.until = until;
    }
  }

  private final class PendingRequest {
    final Reply reply;
    final Future<?> timer;

    PendingRequest(Reply reply, long ms) {
      this.reply = reply;
      this.timer = loop.later(ms, () -> handleTimeout(this));
    }
  }

  private final Loop loop;
  private final HttpUrl server;
  private final OkHttpClient http;
  private final @Nullable SessionId session;
  private final @Nullable Tickets tickets;
  private final @Nullable Map<String, String> guest;
  private final Listener listener;
  private final Random random = new Random();
  private final Set<PendingRequest> pending = new LinkedHashSet<>();
  private ConnectionState state = ConnectionState.of(Kind.STOPPED);
  private @Nullable Link link;
  /** The ticket of {@code link}. */
  private @Nullable String sentTicket;

  private boolean ready;
  private volatile @Nullable String fileAccess;
  private @Nullable Future<?> timer;
  /** Ends the current attempt if the server does not respond. */
  private @Nullable Future<?> attemptTimer;

  private long attemptStartedAt;
  private final Deque<Long> attemptTimes = new ArrayDeque<>();
  /** A network may block WebSocket, so each round starts with the transport that last worked. */
  private boolean pollingWorked;

  private boolean pollingFirst;
  /** Whether this round has tried both transports. */
  private boolean triedOtherTransport;

  private int failures;
  private @Nullable String user;
  private @Nullable Resume resume;
  private @Nullable Future<?> endTimer;
  /** Why the session ended. Null after it is resumed, or its end is confirmed. */
  private @Nullable Reason endReason;
  /** Whether the client is checking, after a session ended, if the user has a new one. The app does not see this. */
  private boolean isCheckingSession;

  private long sessionCheckedAt = Long.MIN_VALUE / 2;
  private @Nullable String loginUrl;
  private boolean probing;

  /**
   * Without {@code session} and {@code tickets}, the server identifies the user by cookie.
   *
   * @param session provides the ID for {@code auth.session}
   * @param tickets provides {@code auth.ticket}, which takes precedence
   * @param guest the {@code auth} of a user who is not logged in
   */
  Connection(
      Loop loop,
      HttpUrl server,
      OkHttpClient http,
      @Nullable SessionId session,
      @Nullable TicketSource tickets,
      @Nullable Map<String, String> guest,
      Listener listener) {
    this.loop = loop;
    this.server = server;
    this.http = http;
    this.session = session;
    this.tickets = tickets == null ? null : new Tickets(loop, tickets, this);
    this.guest = guest;
    this.listener = listener;
  }

  boolean ready() {
    return ready;
  }

  /** Returns the ticket for HTTP requests, or null. Can be called on any thread. */
  @Nullable String ticket() {
    return tickets == null ? null : tickets.latest();
  }

  /** Returns {@code fileAccess} of the server, or null. Can be called on any thread. */
  @Nullable String fileAccess() {
    return fileAccess;
  }

  /** Starts the connection. Also restarts it after {@link #stop}, the end of a session or a rejection. */
  void start() {
    if (state.kind != Kind.STOPPED && state.kind != Kind.SESSION_ENDED && state.kind != Kind.REFUSED) return;
    stopResuming();
    reset();
    if (tickets != null) tickets.restart();
    attemptTimes.clear();
    setState(ConnectionState.of(Kind.CONNECTING));
    startRound();
  }

  void stop() {
    stopResuming();
    close();
    if (state.kind != Kind.STOPPED) setState(ConnectionState.of(Kind.STOPPED));
  }

  /** Disconnects and forgets the user. The session is not resumed. */
  void forgetUser() {
    close();
    if (tickets != null) tickets.clear();
    user = null;
    endReason = null;
    listener.hide();
    if (state.kind != Kind.STOPPED) setState(ConnectionState.of(Kind.STOPPED));
  }

  /** Ends the attempts to resume, because the app already handles the end of the session. */
  private void stopResuming() {
    if (state.kind != Kind.SESSION_ENDED || resume == null) return;
    boolean isOver = resume.isOver;
    resume = null;
    user = null;
    if (isOver) confirmEnd();
  }

  /** Called when the app returns to the foreground or the network is back. */
  void wake() {
    if (ready) probe();
    else if (state.kind == Kind.SESSION_ENDED) checkSession();
    else if (DISCONNECTED.contains(state.kind)) retryNow();
  }

  void request(String name, JSONObject payload, Reply reply) {
    request(name, payload, reply, REQUEST_TIMEOUT_MS);
  }

  /** Requests are never buffered: Socket.IO would send them before the rooms are joined again. */
  private void request(String name, JSONObject payload, Reply reply, long timeoutMs) {
    if (!ready) {
      loop.run(() -> reply.failed(new ChatError(ChatError.OFFLINE)));
      return;
    }
    PendingRequest entry = new PendingRequest(reply, timeoutMs);
    pending.add(entry);
    link.emit(name, payload, args -> handleResponse(entry, args));
  }

  private void handleResponse(PendingRequest entry, Object[] args) {
    if (!pending.remove(entry)) return;
    Loop.cancel(entry.timer);
    JSONObject answer = args.length > 0 && args[0] instanceof JSONObject ? (JSONObject) args[0] : new JSONObject();
    if (answer.optBoolean("ok")) entry.reply.ok(Wire.object(answer, "data"));
    else entry.reply.failed(Wire.error(Wire.object(answer, "error")));
  }

  /** Drops a connection whose server does not respond, even if the socket is still open. */
  private void handleTimeout(PendingRequest entry) {
    if (!pending.remove(entry)) return;
    drop();
    entry.reply.failed(new ChatError(ChatError.TIMEOUT));
    retry(Kind.OFFLINE, 0);
  }

  @Override
  public void onEvent(String name, JSONObject payload) {
    if (name.equals("session:ready")) handleReady(payload);
    else if (name.equals("session:ended")) {
      handleSessionEnded(Wire.named(Reason.class, Wire.text(payload, "reason"), Reason.INVALID));
    } else if (ready) listener.event(name, payload);
  }

  @Override
  public void sendMarker(Runnable passed) {
    listener.sendMarker(passed);
  }

  private void handleReady(JSONObject payload) {
    String id = Wire.object(payload, "user").optString("id");
    if (id.isEmpty()) {
      onBroken("parse error");
      return;
    }
    if (user != null && !user.equals(id)) {
      endSession(Reason.USER_CHANGED, true);
      return;
    }
    pollingWorked = pollingFirst;
    reset();
    endReason = null;
    user = id;
    ready = true;
    fileAccess = payload.has("fileAccess") ? Wire.text(payload, "fileAccess") : null;
    if (tickets != null) tickets.connected(sentTicket);
    state = ConnectionState.of(Kind.ONLINE);
    listener.ready(state, payload);
  }

  private void handleSessionEnded(Reason reason) {
    if (tickets != null) tickets.discard();
    if (reason == Reason.KICKED) endSession(reason, true);
    else if (reason == Reason.EXPIRED && tickets != null && ready) {
      // The source failed for a while, or the device slept. The next ticket shows whether the user is still logged in.
      drop();
      reconnectNow();
    } else tryResume(reason);
  }

  @Override
  public void onTicket(String ticket) {
    if (ready) renewLogin(ticket);
    else if (isWaitingForTicket()) openWithTicket(ticket);
  }

  private boolean isWaitingForTicket() {
    return attemptTimer != null && link == null;
  }

  private void renewLogin(String ticket) {
    request(
        "session:renew",
        Wire.payload("ticket", ticket),
        new Reply() {
          @Override
          public void ok(JSONObject data) {
            tickets.accepted(ticket);
          }

          @Override
          public void failed(ChatError error) {
            // `forbidden`: the new ticket is for another login. After any other error, the connection is lost or ends
            // with the old ticket, and the client reconnects.
            if (error.code.equals("forbidden")) tryResume(Reason.USER_CHANGED);
          }
        });
  }

  @Override
  public void onLoggedOut() {
    if (ready) tryResume(Reason.LOGOUT);
    else if (isWaitingForTicket()) handleNotLoggedIn();
  }

  @Override
  public void onTicketFailure() {
    if (!isWaitingForTicket()) return;
    drop();
    retry(Kind.OFFLINE, 0);
  }

  /** The server or the ticket source confirmed during an attempt that the user is not logged in. */
  private void handleNotLoggedIn() {
    drop();
    if (isCheckingSession) {
      close();
      confirmEnd();
    } else tryResume(Reason.UNAUTHORIZED);
  }

  @Override
  public void onBroken(String reason) {
    boolean opening = attemptTimer != null;
    String refusal = link.httpError();
    long retryAfterMs = link.retryAfterMs();
    drop();
    // The server disconnects this way only when a session has ended.
    if (reason.equals("io server disconnect") && !isCheckingSession) tryResume(Reason.UNAUTHORIZED);
    else if ("session_changed".equals(refusal) && !opening) reconnectNow();
    else if ("origin_not_allowed".equals(refusal)) reject(Refusal.ORIGIN, null);
    else if ("rate_limited".equals(refusal)) retry(Kind.RATE_LIMITED, retryAfterMs);
    else if (opening && refusal == null && hasOtherTransport()) tryOtherTransport();
    else retry(Kind.OFFLINE, retryAfterMs);
  }

  @Override
  public void onRejected(JSONObject error) {
    JSONObject data = Wire.object(error, "data");
    String code = data.optString("code");
    long retryAfterMs = Wire.retryAfterMs(data);
    if (data.has("loginUrl")) loginUrl = Wire.text(data, "loginUrl");
    drop();
    boolean isOver = code.equals("unauthorized");
    boolean wasAccepted = isOver && tickets != null && tickets.discard();
    if (isOver) {
      if (wasAccepted && resume == null) startRound();
      else handleNotLoggedIn();
    } else if (isCheckingSession) close();
    else if (code.equals("forbidden")) reject(Refusal.BANNED, data.has("ban") ? SiteBan.fromJson(Wire.object(data, "ban")) : null);
    else if (resume != null) scheduleResume(false);
    else if (code.equals("session_invalid")) reject(Refusal.INVALID_SESSION, null);
    else if (code.equals("session_store_unavailable")) retry(Kind.STORE_UNAVAILABLE, retryAfterMs);
    else if (code.equals("rate_limited")) retry(Kind.RATE_LIMITED, retryAfterMs);
    else retry(Kind.OFFLINE, retryAfterMs);
  }

  /**
   * Hides the chat and tries to resume the session with the current cookie. If no user was connected in this session,
   * it does not try, because the server itself reads a missing session again before it rejects a connection.
   */
  private void tryResume(Reason reason) {
    drop();
    if (resume != null) {
      scheduleResume(true);
      return;
    }
    if (user == null) {
      endSession(reason, true);
      return;
    }
    resume = new Resume(reason, loop.now() + RESUME_BUDGET_MS);
    recordEndReason(reason);
    listener.hide();
    setState(ConnectionState.checking(reason));
    endTimer = loop.later(REPORT_END_AFTER_MS, () -> setState(ConnectionState.ended(reason, loginUrl)));
    scheduleResume(false);
  }

  /**
   * Schedules the next attempt to resume, the last one at the end of the time limit.
   *
   * @param isOver whether the server confirmed in the last attempt that the user is not logged in; false if it was
   *     unreachable or could not read sessions
   */
  private void scheduleResume(boolean isOver) {
    resume.isOver = isOver;
    long remainingMs = resume.until - loop.now();
    if (remainingMs <= 0 || resume.attempts > RESUME_DELAYS_MS.length) {
      endSession(resume.reason, isOver);
      return;
    }
    long delayMs = resume.attempts < RESUME_DELAYS_MS.length ? RESUME_DELAYS_MS[resume.attempts] : remainingMs;
    resume.attempts++;
    schedule(Math.min(delayMs, remainingMs));
  }

  private void reject(Refusal refusal, @Nullable SiteBan ban) {
    close();
    user = null;
    endReason = null;
    listener.hide();
    setState(ConnectionState.ofRefusal(refusal, ban));
  }

  private void retry(Kind kind, long minDelayMs) {
    if (isCheckingSession) {
      close();
      return;
    }
    if (resume != null) {
      scheduleResume(false);
      return;
    }
    // The delay grows from 1 to 30 s. It is random, so that clients do not all reconnect at once after a server
    // restart.
    double backoffMs = Math.min(15_000, FIRST_RETRY_MS * Math.pow(2, failures++)) * (1 + random.nextDouble());
    long delayMs = Math.max(minDelayMs, (long) backoffMs);
    setState(ConnectionState.disconnected(kind, System.currentTimeMillis() + delayMs));
    schedule(delayMs);
  }

  /** Reconnects at once, because the cookie changed or the ticket expired. */
  private void reconnectNow() {
    setState(ConnectionState.disconnected(Kind.OFFLINE, System.currentTimeMillis()));
    startRound();
  }

  private void tryOtherTransport() {
    triedOtherTransport = true;
    pollingFirst = !pollingFirst;
    connect();
  }

  private void retryNow() {
    if (attemptTimer != null) {
      // An attempt that started before the network came back would keep hanging.
      if (loop.now() - attemptStartedAt < PROBE_TIMEOUT_MS) return;
      if (isWaitingForTicket()) tickets.restart();
      drop();
    }
    startRound();
  }

  /** Checks once whether the user logged in again. */
  private void checkSession() {
    if (state.reason == Reason.KICKED || state.reason == Reason.USER_CHANGED) return;
    if (resume != null || isCheckingSession || loop.now() - sessionCheckedAt < SESSION_CHECK_INTERVAL_MS) return;
    isCheckingSession = true;
    sessionCheckedAt = loop.now();
    user = null;
    startRound();
  }

  private void probe() {
    if (probing || loop.now() - link.lastReceivedAt() < NO_PROBE_WITHIN_MS) return;
    probing = true;
    // Any response proves that the connection is alive; `request` handles a missing one.
    Reply reply =
        new Reply() {
          @Override
          public void ok(JSONObject data) {
            probing = false;
          }

          @Override
          public void failed(ChatError error) {
            probing = false;
          }
        };
    request("room:list", Wire.payload("limit", 1), reply, PROBE_TIMEOUT_MS);
  }

  private void endSession(Reason reason, boolean isConfirmed) {
    boolean isReported = state.kind == Kind.SESSION_ENDED && state.reason == reason;
    close();
    if (tickets != null) tickets.clear();
    user = null;
    recordEndReason(reason);
    if (!isReported) {
      listener.hide();
      setState(ConnectionState.ended(reason, loginUrl));
    }
    if (isConfirmed) confirmEnd();
  }

  /** Keeps an earlier reason if the new reason is {@code unauthorized}, which is less specific. */
  private void recordEndReason(Reason reason) {
    if (endReason == null || reason != Reason.UNAUTHORIZED) endReason = reason;
  }

  /** Reports that the session is over. */
  private void confirmEnd() {
    Reason reason = endReason;
    endReason = null;
    if (reason != null) listener.sessionEnded(reason);
  }

  private void schedule(long delayMs) {
    Loop.cancel(timer);
    timer = loop.later(delayMs, this::startRound);
  }

  /** Starts a round of attempts, one per transport. */
  private void startRound() {
    triedOtherTransport = false;
    pollingFirst = pollingWorked;
    connect();
  }

  private void connect() {
    Loop.cancel(timer);
    drop();
    attemptStartedAt = loop.now();
    attemptTimes.addLast(attemptStartedAt);
    if (attemptTimes.size() > MAX_ATTEMPTS && attemptStartedAt - attemptTimes.removeFirst() < ATTEMPTS_PERIOD_MS) {
      attemptTimes.clear();
      setState(ConnectionState.disconnected(Kind.OFFLINE, System.currentTimeMillis() + ATTEMPTS_PERIOD_MS));
      schedule(ATTEMPTS_PERIOD_MS);
      return;
    }
    attemptTimer = loop.later(hasOtherTransport() ? FIRST_ATTEMPT_TIMEOUT_MS : ATTEMPT_TIMEOUT_MS, this::abandonAttempt);
    if (tickets != null) {
      String ticket = tickets.forConnection();
      if (ticket == null) tickets.fetch();
      else openWithTicket(ticket);
    } else {
      // Read for each attempt, because the ID may have changed.
      String id = session == null ? null : session.current();
      open(session == null ? guest : Collections.singletonMap("session", id == null ? "" : id));
    }
  }

  private void openWithTicket(String ticket) {
    sentTicket = ticket;
    open(Collections.singletonMap("ticket", ticket));
  }

  /** @param auth null: the server identifies the user by cookie */
  private void open(@Nullable Map<String, String> auth) {
    Map<String, String> all = new HashMap<>(auth == null ? Collections.<String, String>emptyMap() : auth);
    all.put("tags", listener.tags());
    link = new Link(loop, server, http, all, auth != null, pollingFirst, this);
    link.connect();
  }

  private boolean hasOtherTransport() {
    return !triedOtherTransport && session == null && tickets == null && guest == null;
  }

  /** The server did not respond. Some networks let a WebSocket hang. */
  private void abandonAttempt() {
    drop();
    if (hasOtherTransport()) tryOtherTransport();
    else retry(Kind.OFFLINE, 0);
  }

  private void close() {
    reset();
    drop();
  }

  /** Drops the connection or the current attempt, and fails pending requests. */
  private void drop() {
    Loop.cancel(attemptTimer);
    attemptTimer = null;
    ready = false;
    if (tickets != null) tickets.disconnected();
    if (link != null) link.close();
    link = null;
    for (PendingRequest entry : new ArrayList<>(pending)) {
      if (!pending.remove(entry)) continue;
      Loop.cancel(entry.timer);
      entry.reply.failed(new ChatError(ChatError.OFFLINE));
    }
  }

  private void reset() {
    Loop.cancel(timer);
    Loop.cancel(endTimer);
    Loop.cancel(attemptTimer);
    attemptTimer = null;
    failures = 0;
    triedOtherTransport = false;
    resume = null;
    isCheckingSession = false;
  }

  private void setState(ConnectionState state) {
    this.state = state;
    listener.state(state);
  }
}
