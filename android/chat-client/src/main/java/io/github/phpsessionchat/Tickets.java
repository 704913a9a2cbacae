package io.github.phpsessionchat;

import java.io.IOException;
import java.util.concurrent.Future;
import okio.ByteString;
import org.json.JSONException;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** Fetches tickets on a background thread, and renews them while the client is connected. */
final class Tickets {
  /** Called on the chat's thread. */
  interface Listener {
    void onTicket(String ticket);

    /** No user is logged in to the site. */
    void onLoggedOut();

    void onTicketFailure();
  }

  /** The next ticket is fetched this long before the current one ends, or at half of its lifetime if that is later. */
  private static final long RENEW_BEFORE_END_MS = 60_000;
  /** A ticket with less time left is not used for a new connection. */
  private static final long MIN_REMAINING_MS = 10_000;
  /** Delay of the next attempt to renew, if the source failed. */
  private static final long RETRY_DELAY_MS = 5000;

  private static final class Ticket {
    final String text;
    final long renewAt;
    final long endsAt;
    /** Whether the server accepted it. */
    boolean isAccepted;

    Ticket(String text, long fetchedAt) {
      this.text = text;
      // The clock of the device may be wrong, so only the difference counts.
      long lifetimeMs = lifetimeMs(text);
      renewAt = fetchedAt + renewalDelayMs(lifetimeMs);
      endsAt = fetchedAt + lifetimeMs;
    }
  }

  private final Loop loop;
  private final TicketSource source;
  private final Listener listener;
  /** The latest ticket, for HTTP requests on any thread. */
  private volatile @Nullable String latest;
  /** The ticket for the next connection. */
  private @Nullable Ticket ticket;
  /** Runs the source. */
  private @Nullable Thread fetching;

  private boolean isRenewing;
  private @Nullable Future<?> timer;

  Tickets(Loop loop, TicketSource source, Listener listener) {
    this.loop = loop;
    this.source = source;
    this.listener = listener;
  }

  /** Returns the latest ticket, even if it has ended. Can be called on any thread. */
  @Nullable String latest() {
    return latest;
  }

  /** Returns null if a new ticket must be fetched before connecting. */
  @Nullable String forConnection() {
    return ticket != null && loop.now() < ticket.endsAt - MIN_REMAINING_MS ? ticket.text : null;
  }

  /** Fetches a ticket for the listener, unless a call of the source is in progress. */
  void fetch() {
    if (fetching != null) return;
    Thread thread = new Thread(this::runSource, "php-chat-ticket");
    thread.setDaemon(true);
    fetching = thread;
    thread.start();
  }

  private void runSource() {
    Thread thread = Thread.currentThread();
    long startedAt = loop.now();
    boolean hasFailed = true;
    Ticket fetched = null;
    try {
      String text = source.fetch();
      if (text != null) fetched = new Ticket(text, startedAt);
      hasFailed = false;
    } catch (IOException | RuntimeException e) {
      // The fetch is retried. To log the error, the app catches it in its source.
    } finally {
      boolean isFailure = hasFailed;
      Ticket result = fetched;
      loop.run(() -> handleResult(thread, result, isFailure));
    }
  }

  private void handleResult(Thread thread, @Nullable Ticket fetched, boolean isFailure) {
    if (fetching != thread) return;
    fetching = null;
    if (isFailure) {
      // The source may work again before the ticket ends.
      if (isRenewing) fetchLater(RETRY_DELAY_MS);
      listener.onTicketFailure();
      return;
    }
    ticket = fetched;
    latest = fetched == null ? null : fetched.text;
    if (fetched == null) {
      listener.onLoggedOut();
    } else {
      if (isRenewing) fetchLater(fetched.renewAt - loop.now());
      listener.onTicket(fetched.text);
    }
  }

  private void fetchLater(long ms) {
    Loop.cancel(timer);
    timer = loop.later(ms, this::fetch);
  }

  /** Renews the ticket of a new connection until {@link #disconnected}. */
  void connected(String text) {
    isRenewing = true;
    accepted(text);
    fetchLater(ticket == null ? 0 : ticket.renewAt - loop.now());
    // Another ticket was fetched while the client was connecting.
    if (ticket != null && !ticket.text.equals(text)) listener.onTicket(ticket.text);
  }

  void accepted(String text) {
    if (ticket != null && ticket.text.equals(text)) ticket.isAccepted = true;
  }

  void disconnected() {
    isRenewing = false;
    Loop.cancel(timer);
  }

  /**
   * Makes the next connection fetch a new ticket.
   *
   * @return whether the server accepted the discarded ticket before, so that it may accept a new one
   */
  boolean discard() {
    boolean wasAccepted = ticket != null && ticket.isAccepted;
    ticket = null;
    return wasAccepted;
  }

  /** Discards the ticket and a call in progress, because another user may have logged in. */
  void restart() {
    discard();
    if (fetching != null) fetching.interrupt();
    fetching = null;
  }

  /** Called when the login has ended. */
  void clear() {
    restart();
    latest = null;
  }

  static long renewalDelayMs(long lifetimeMs) {
    return Math.max(lifetimeMs - RENEW_BEFORE_END_MS, lifetimeMs / 2);
  }

  /** Returns 0 for a text that is not a ticket. The server rejects it with a reason. */
  private static long lifetimeMs(String text) {
    String[] parts = text.split("\\.");
    ByteString payload = parts.length == 3 ? ByteString.decodeBase64(parts[1]) : null;
    if (payload == null || !Packets.isReadable(payload.utf8())) return 0;
    try {
      JSONObject claims = new JSONObject(payload.utf8());
      return (long) ((claims.getDouble("exp") - claims.getDouble("iat")) * 1000);
    } catch (JSONException e) {
      return 0;
    }
  }
}
