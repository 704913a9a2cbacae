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

/** The one connection, and what is tried when it breaks. */
final class Connection implements Link.Listener {
  interface Listener {
    void state(ConnectionState state);

    void ready(JSONObject ready);

    /** The session may be over: nothing may be shown until {@code ready}. */
    void hide();

    /** The session has ended for good: the server has said so. The listener learned of its end before, perhaps long ago. */
    void over(Reason reason);

    /** Every event but those of the session, which are the connection's own. */
    void event(String name, JSONObject payload);

    /** Calls {@code passed} when the app has taken all that it was told before. */
    void mark(Runnable passed);
  }

  /** PHP's answer with a renewed cookie may still be on its way: so long, and so often, one tries to be let in again. */
  private static final long RESUME_MS = 5000;

  private static final long[] RESUME_PAUSES = {50, 250, 500, 1000};
  /** After this it is said that the session has ended, whatever becomes of the other attempts. */
  private static final long SAY_MS = 1000;
  /** A request without an answer by then is lost, and with it the connection. */
  private static final long REQUEST_MS = 10_000;
  /** From opening a connection until the server says who one is; shorter where the other transport can be tried. */
  private static final long ATTEMPT_MS = 12_000;

  private static final long FIRST_ATTEMPT_MS = 6000;
  /** Whether the connection still lives, asked when somebody looks at the app again. */
  private static final long PROBE_MS = 3000;
  /** A client that has just heard of the server need not ask. */
  private static final long HEARD_MS = 1000;
  /** Between two looks at a session that had ended. */
  private static final long LOOK_MS = 2000;

  /**
   * The number of attempts within that time, and the pause after them: a server that ends each connection as soon as it has let
   * one in would else be asked without end.
   */
  static final int MOST_ATTEMPTS = 20;

  static final long PAUSE_MS = 10_000;

  private static final Set<Kind> LOST = EnumSet.of(Kind.OFFLINE, Kind.STORE_UNAVAILABLE, Kind.RATE_LIMITED);

  /** The session seems over: since when, and how often it was tried to be let in again. */
  private static final class Resume {
    final Reason reason;
    final long until;
    int tries;
    /** Whether the server has answered the last attempt, and said that nobody is logged in. */
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
  /** The next attempt. */
  private @Nullable Future<?> timer;
  /** Ends the attempt that is under way, and that nothing has been heard of. */
  private @Nullable Future<?> attempt;

  private long attemptBegan;
  /** When the newest attempts began. */
  private final Deque<Long> began = new ArrayDeque<>();
  /** A network may block WebSocket: the transport that has worked last begins each round of attempts. */
  private boolean pollingWorked;

  private boolean pollingFirst;
  /** In this round of attempts. */
  private boolean triedOther;

  private int failures;
  private @Nullable String user;
  private @Nullable Resume resume;
  private @Nullable Future<?> saying;
  /** The end of a session that the server has announced, while the same user may still be let in again. */
  private @Nullable Reason announced;
  /** After the end of a session, a look whether there is another one, of which nothing is shown. */
  private boolean looking;

  private long lookedAt = Long.MIN_VALUE / 2;
  private @Nullable String loginUrl;
  private boolean probing;

  /** @param session gives the session id for {@code auth.session}; null: the client's cookies tell who one is */
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

  /** Begins, or begins again after {@link #stop}, the end of a session or a refusal. */
  void start() {
    if (state.kind != Kind.STOPPED && state.kind != Kind.SESSION_ENDED && state.kind != Kind.REFUSED) return;
    // After a login the user starts afresh; after a pause the same user goes on.
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

  /** The app knows that the session has ended: nobody tries any more to be let in again. */
  private void giveUp() {
    if (state.kind != Kind.SESSION_ENDED || resume == null) return;
    boolean isOver = resume.isOver;
    resume = null;
    user = null;
    if (isOver) certain();
  }

  /** Somebody looks at the app again, or the network is back. */
  void wake() {
    if (ready) probe();
    else if (state.kind == Kind.SESSION_ENDED) look();
    else if (LOST.contains(state.kind)) tryNow();
  }

  void request(String name, JSONObject payload, Reply reply) {
    request(name, payload, reply, REQUEST_MS);
  }

  /** Never buffered: what Socket.IO keeps while offline it would send before the rooms are joined again. */
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

  /** A server that does not answer is lost, even where the connection to it still stands. */
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
    // The server disconnects like this only when a session is over.
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
   * Hides everything at once, and tries for a while to be let in again with the cookie that is held then. A user who was never
   * let in has nothing to go on with: the server has looked twice for the session.
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
   * Tries once more, the last time when the time is over.
   *
   * @param isOver whether the server has said to the last attempt that nobody is logged in; false if that attempt has not
   *     reached the server, or the server cannot read sessions just now
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
    // From 1 s to 30 s, spread: after a restart of the server everybody comes back.
    double grown = Math.min(15_000, 1000 * Math.pow(2, failures++)) * (1 + random.nextDouble());
    long pause = Math.max(atLeast, (long) grown);
    enter(ConnectionState.lost(kind, System.currentTimeMillis() + pause));
    schedule(pause);
  }

  /** The cookie has become another one, which closes the connection: nothing is wrong. */
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
      // An attempt that hangs since before the network came back would go on hanging.
      if (loop.now() - attemptBegan < PROBE_MS) return;
      drop();
    }
    begin();
  }

  /** After the end of a session somebody may have logged in again. */
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
    // Any answer will do, and none is what `request` sees to.
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

  /** {@code unauthorized} says less than the reason that the server has given before. */
  private void announce(Reason reason) {
    if (announced == null || reason != Reason.UNAUTHORIZED) announced = reason;
  }

  /** No session follows the one whose end was announced. */
  private void certain() {
    Reason reason = announced;
    announced = null;
    if (reason != null) listener.over(reason);
  }

  private void schedule(long pause) {
    Loop.cancel(timer);
    timer = loop.later(pause, this::begin);
  }

  /** A round of attempts: with the one transport, then the other. */
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
    // Asked for each time: it may have been renewed.
    String id = session == null ? null : session.current();
    Map<String, String> auth = session == null ? null : Collections.singletonMap("session", id == null ? "" : id);
    link = new Link(loop, server, http, auth, pollingFirst, this);
    link.connect();
  }

  /** The server is silent: some networks let a WebSocket hang. */
  private void abandon() {
    drop();
    if (!triedOther && session == null) tryOther();
    else retry(Kind.OFFLINE, 0);
  }

  private void close() {
    reset();
    drop();
  }

  /** The connection is no more, or the attempt. */
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
