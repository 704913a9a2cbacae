package io.github.phpsessionchat;

import io.github.phpsessionchat.ConnectionState.Kind;
import io.github.phpsessionchat.ConnectionState.Reason;
import io.github.phpsessionchat.ConnectionState.Refusal;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.EnumSet;
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
final class Connection implements Link.Listener {
  interface Listener {
    void state(ConnectionState state);

    void ready(JSONObject ready);

    /** The session may have ended. Nothing may be shown until {@code ready}. */
    void hide();

    /** The server confirmed that the session ended. {@code hide} was called earlier, possibly long ago. */
    void over(Reason reason);

    /** Any event except those of the session, which the connection handles itself. */
    void event(String name, JSONObject payload);

    /** Calls {@code passed} after the app has handled all earlier events. */
    void mark(Runnable passed);
  }

  /** PHP may not have sent the renewed cookie yet. The client retries within this time, after these delays. */
  private static final long RESUME_MS = 5000;

  private static final long[] RESUME_PAUSES = {50, 250, 500, 1000};
  /** After this time SESSION_ENDED is reported, while the attempts continue. */
  private static final long SAY_MS = 1000;
  /** A request without a response in this time fails and the connection is dropped. */
  private static final long REQUEST_MS = 10_000;
  /**
   * From opening a connection until {@code session:ready}. The first limit is shorter because the other transport is
   * tried next.
   */
  private static final long ATTEMPT_MS = 12_000;

  private static final long FIRST_ATTEMPT_MS = 6000;
  /** Time limit of the probe that checks an open connection when the app returns to the foreground. */
  private static final long PROBE_MS = 3000;
  /** No probe is needed if the server sent something this recently. */
  private static final long HEARD_MS = 1000;
  /** Minimum interval between checks for a new session after one has ended. */
  private static final long LOOK_MS = 2000;

  /**
   * After this number of attempts within {@code PAUSE_MS}, the client waits that long. Otherwise it would loop if the
   * server ends each connection right after accepting it.
   */
  static final int MOST_ATTEMPTS = 20;

  static final long PAUSE_MS = 10_000;

  private static final Set<Kind> LOST = EnumSet.of(Kind.OFFLINE, Kind.STORE_UNAVAILABLE, Kind.RATE_LIMITED);

  /** Attempts to resume a session that may have ended. */
  private static final class Resume {
    final Reason reason;
    final long until;
    int tries;
    /** Whether the server answered the last attempt that the user is not logged in. */
    boolean isOver;

    Resume(Reason reason, long until) {
      this.reason = reason;
      this.until = until;
    }
  }

  private final class Pending {
    final Reply reply;
    final Future<?> timer;

    Pending(Reply reply, long ms) {
      this.reply = reply;
      this.timer = loop.later(ms, () -> unanswered(this));
    }
  }

  private final Loop loop;
  private final HttpUrl server;
  private final OkHttpClient http;
  private final @Nullable SessionId session;
  private final Listener listener;
  private final Random random = new Random();
  private final Set<Pending> pending = new LinkedHashSet<>();
  private ConnectionState state = ConnectionState.of(Kind.STOPPED);
  private @Nullable Link link;
  private boolean ready;
  private @Nullable Future<?> timer;
  /** Ends the current attempt if the server does not respond. */
  private @Nullable Future<?> attempt;

  private long attemptBegan;
  /** Start times of the latest attempts. */
  private final Deque<Long> began = new ArrayDeque<>();
  /** A network may block WebSocket, so each round starts with the transport that last worked. */
  private boolean pollingWorked;

  private boolean pollingFirst;
  /** Whether this round has tried both transports. */
  private boolean triedOther;

  private int failures;
  private @Nullable String user;
  private @Nullable Resume resume;
  private @Nullable Future<?> saying;
  /** Why the session ended, while it may still be resumed. */
  private @Nullable Reason announced;
  /** Whether a silent attempt checks for a new session after one has ended. The app does not see its state. */
  private boolean looking;

  private long lookedAt = Long.MIN_VALUE / 2;
  private @Nullable String loginUrl;
  private boolean probing;

  /** @param session provides the ID for {@code auth.session}; null: the server identifies the user by cookie */
  Connection(Loop loop, HttpUrl server, OkHttpClient http, @Nullable SessionId session, Listener listener) {
    this.loop = loop;
    this.server = server;
    this.http = http;
    this.session = session;
    this.listener = listener;
  }

  boolean ready() {
    return ready;
  }

  /** Starts the connection. Also restarts it after {@link #stop}, the end of a session or a rejection. */
  void start() {
    if (state.kind != Kind.STOPPED && state.kind != Kind.SESSION_ENDED && state.kind != Kind.REFUSED) return;
    giveUp();
    reset();
    began.clear();
    enter(ConnectionState.of(Kind.CONNECTING));
    begin();
  }

  void stop() {
    giveUp();
    close();
    if (state.kind != Kind.STOPPED) enter(ConnectionState.of(Kind.STOPPED));
  }

  /** Ends the attempts to resume, because the app already handles the end of the session. */
  private void giveUp() {
    if (state.kind != Kind.SESSION_ENDED || resume == null) return;
    boolean isOver = resume.isOver;
    resume = null;
    user = null;
    if (isOver) certain();
  }

  /** Called when the app returns to the foreground or the network is back. */
  void wake() {
    if (ready) probe();
    else if (state.kind == Kind.SESSION_ENDED) look();
    else if (LOST.contains(state.kind)) tryNow();
  }

  void request(String name, JSONObject payload, Reply reply) {
    request(name, payload, reply, REQUEST_MS);
  }

  /** Requests are never buffered: Socket.IO would send them before the rooms are joined again. */
  private void request(String name, JSONObject payload, Reply reply, long ms) {
    if (!ready) {
      loop.run(() -> reply.failed(new ChatError(ChatError.OFFLINE)));
      return;
    }
    Pending one = new Pending(reply, ms);
    pending.add(one);
    link.emit(name, payload, args -> answered(one, args));
  }

  private void answered(Pending one, Object[] args) {
    if (!pending.remove(one)) return;
    Loop.cancel(one.timer);
    JSONObject answer = args.length > 0 && args[0] instanceof JSONObject ? (JSONObject) args[0] : new JSONObject();
    if (answer.optBoolean("ok")) one.reply.ok(Wire.object(answer, "data"));
    else one.reply.failed(Wire.error(Wire.object(answer, "error")));
  }

  /** Drops a connection whose server does not respond, even if the socket is still open. */
  private void unanswered(Pending one) {
    if (!pending.remove(one)) return;
    drop();
    one.reply.failed(new ChatError(ChatError.TIMEOUT));
    retry(Kind.OFFLINE, 0);
  }

  @Override
  public void heard(String name, JSONObject payload) {
    if (name.equals("session:ready")) welcomed(payload);
    else if (name.equals("session:ended")) over(Wire.named(Reason.class, Wire.text(payload, "reason"), Reason.INVALID));
    else if (ready) listener.event(name, payload);
  }

  @Override
  public void mark(Runnable passed) {
    listener.mark(passed);
  }

  private void welcomed(JSONObject payload) {
    String id = Wire.object(payload, "user").optString("id");
    if (id.isEmpty()) {
      broken("parse error");
      return;
    }
    if (user != null && !user.equals(id)) {
      end(Reason.USER_CHANGED, true);
      return;
    }
    pollingWorked = pollingFirst;
    reset();
    announced = null;
    user = id;
    ready = true;
    enter(ConnectionState.of(Kind.ONLINE));
    listener.ready(payload);
  }

  private void over(Reason reason) {
    if (reason == Reason.KICKED) end(reason, true);
    else check(reason);
  }

  @Override
  public void broken(String reason) {
    boolean opening = attempt != null;
    String refusal = link.httpError();
    long retryAfterMs = link.retryAfterMs();
    drop();
    // The server disconnects this way only when a session has ended.
    if (reason.equals("io server disconnect") && !looking) check(Reason.UNAUTHORIZED);
    else if ("session_changed".equals(refusal) && !opening) connectAnew();
    else if ("origin_not_allowed".equals(refusal)) refuse(Refusal.ORIGIN);
    else if ("rate_limited".equals(refusal)) retry(Kind.RATE_LIMITED, retryAfterMs);
    else if (opening && refusal == null && !triedOther && session == null) tryOther();
    else retry(Kind.OFFLINE, retryAfterMs);
  }

  @Override
  public void refused(JSONObject error) {
    JSONObject data = Wire.object(error, "data");
    String code = data.optString("code");
    long retryAfterMs = Wire.retryAfterMs(data);
    if (data.has("loginUrl")) loginUrl = Wire.text(data, "loginUrl");
    drop();
    boolean isOver = code.equals("unauthorized");
    if (looking) {
      close();
      if (isOver) certain();
    } else if (code.equals("forbidden")) refuse(Refusal.BANNED);
    else if (resume != null) tryAgain(isOver);
    else if (isOver) check(Reason.UNAUTHORIZED);
    else if (code.equals("session_invalid")) refuse(Refusal.INVALID_SESSION);
    else if (code.equals("session_store_unavailable")) retry(Kind.STORE_UNAVAILABLE, retryAfterMs);
    else if (code.equals("rate_limited")) retry(Kind.RATE_LIMITED, retryAfterMs);
    else retry(Kind.OFFLINE, retryAfterMs);
  }

  /**
   * Hides the chat and tries to resume the session with the current cookie. If no user was ready on this session, there
   * is nothing to resume, because the server already reads the session twice.
   */
  private void check(Reason reason) {
    drop();
    if (resume != null) {
      tryAgain(true);
      return;
    }
    if (user == null) {
      end(reason, true);
      return;
    }
    resume = new Resume(reason, loop.now() + RESUME_MS);
    announce(reason);
    listener.hide();
    enter(ConnectionState.checking(reason));
    saying = loop.later(SAY_MS, () -> enter(ConnectionState.ended(reason, loginUrl)));
    tryAgain(false);
  }

  /**
   * Schedules the next attempt to resume, the last one at the end of the time limit.
   *
   * @param isOver whether the server confirmed in the last attempt that the user is not logged in; false if it was
   *     unreachable or could not read sessions
   */
  private void tryAgain(boolean isOver) {
    resume.isOver = isOver;
    long left = resume.until - loop.now();
    if (left <= 0 || resume.tries > RESUME_PAUSES.length) {
      end(resume.reason, isOver);
      return;
    }
    long pause = resume.tries < RESUME_PAUSES.length ? RESUME_PAUSES[resume.tries] : left;
    resume.tries++;
    schedule(Math.min(pause, left));
  }

  private void refuse(Refusal refusal) {
    close();
    user = null;
    announced = null;
    listener.hide();
    enter(ConnectionState.refused(refusal));
  }

  private void retry(Kind kind, long atLeast) {
    if (looking) {
      close();
      return;
    }
    if (resume != null) {
      tryAgain(false);
      return;
    }
    // The delay grows from 1 to 30 s. It is random, so that clients do not all reconnect at once after a server
    // restart.
    double grown = Math.min(15_000, 1000 * Math.pow(2, failures++)) * (1 + random.nextDouble());
    long pause = Math.max(atLeast, (long) grown);
    enter(ConnectionState.lost(kind, System.currentTimeMillis() + pause));
    schedule(pause);
  }

  /** The server closed the connection because the cookie changed. Reconnects at once. */
  private void connectAnew() {
    enter(ConnectionState.lost(Kind.OFFLINE, System.currentTimeMillis()));
    begin();
  }

  private void tryOther() {
    triedOther = true;
    pollingFirst = !pollingFirst;
    connect();
  }

  private void tryNow() {
    if (attempt != null) {
      // An attempt that started before the network came back would keep hanging.
      if (loop.now() - attemptBegan < PROBE_MS) return;
      drop();
    }
    begin();
  }

  /** Checks once whether the user logged in again. */
  private void look() {
    if (state.reason == Reason.KICKED || state.reason == Reason.USER_CHANGED) return;
    if (resume != null || looking || loop.now() - lookedAt < LOOK_MS) return;
    looking = true;
    lookedAt = loop.now();
    user = null;
    begin();
  }

  private void probe() {
    if (probing || loop.now() - link.heardAt() < HEARD_MS) return;
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
    request("room:list", Wire.payload("limit", 1), reply, PROBE_MS);
  }

  private void end(Reason reason, boolean isCertain) {
    boolean said = state.kind == Kind.SESSION_ENDED && state.reason == reason;
    close();
    user = null;
    announce(reason);
    if (!said) {
      listener.hide();
      enter(ConnectionState.ended(reason, loginUrl));
    }
    if (isCertain) certain();
  }

  /** Keeps an earlier reason, which is more specific than {@code unauthorized}. */
  private void announce(Reason reason) {
    if (announced == null || reason != Reason.UNAUTHORIZED) announced = reason;
  }

  /** Reports that the session is over. */
  private void certain() {
    Reason reason = announced;
    announced = null;
    if (reason != null) listener.over(reason);
  }

  private void schedule(long pause) {
    Loop.cancel(timer);
    timer = loop.later(pause, this::begin);
  }

  /** Starts a round of attempts, one per transport. */
  private void begin() {
    triedOther = false;
    pollingFirst = pollingWorked;
    connect();
  }

  private void connect() {
    Loop.cancel(timer);
    drop();
    attemptBegan = loop.now();
    began.addLast(attemptBegan);
    if (began.size() > MOST_ATTEMPTS && attemptBegan - began.removeFirst() < PAUSE_MS) {
      began.clear();
      enter(ConnectionState.lost(Kind.OFFLINE, System.currentTimeMillis() + PAUSE_MS));
      schedule(PAUSE_MS);
      return;
    }
    boolean otherLeft = !triedOther && session == null;
    attempt = loop.later(otherLeft ? FIRST_ATTEMPT_MS : ATTEMPT_MS, this::abandon);
    // Read for each attempt, because the ID may have changed.
    String id = session == null ? null : session.current();
    Map<String, String> auth = session == null ? null : Collections.singletonMap("session", id == null ? "" : id);
    link = new Link(loop, server, http, auth, pollingFirst, this);
    link.connect();
  }

  /** The server did not respond. Some networks let a WebSocket hang. */
  private void abandon() {
    drop();
    if (!triedOther && session == null) tryOther();
    else retry(Kind.OFFLINE, 0);
  }

  private void close() {
    reset();
    drop();
  }

  /** Drops the connection or the current attempt, and fails pending requests. */
  private void drop() {
    Loop.cancel(attempt);
    attempt = null;
    ready = false;
    if (link != null) link.close();
    link = null;
    for (Pending one : new ArrayList<>(pending)) {
      if (!pending.remove(one)) continue;
      Loop.cancel(one.timer);
      one.reply.failed(new ChatError(ChatError.OFFLINE));
    }
  }

  private void reset() {
    Loop.cancel(timer);
    Loop.cancel(saying);
    Loop.cancel(attempt);
    attempt = null;
    failures = 0;
    triedOther = false;
    resume = null;
    looking = false;
  }

  private void enter(ConnectionState state) {
    this.state = state;
    listener.state(state);
  }
}
