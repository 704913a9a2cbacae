package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** The state of the connection to the chat server. */
public final class ConnectionState {
  /** The kinds of states. */
  public enum Kind {
    /** Not started yet, or stopped by the app. */
    STOPPED,
    /** The first attempt is in progress. */
    CONNECTING,
    /** Connected and logged in. */
    ONLINE,
    /**
     * Not connected, or the {@link TicketSource} failed. The client retries at {@link ConnectionState#retryAt}.
     */
    OFFLINE,
    /** The server cannot read sessions, so the login may still be valid. The client retries automatically. */
    STORE_UNAVAILABLE,
    /** Too many connections. The client retries automatically. */
    RATE_LIMITED,
    /**
     * The session may have ended ({@link ConnectionState#reason}), or only its ID changed, so the client reconnects
     * with the current cookie. Hide the chat. {@link #ONLINE} or {@link #SESSION_ENDED} follows within about a second.
     */
    CHECKING_SESSION,
    /**
     * The user must log in again; then call {@link Chat#start}. After {@link #CHECKING_SESSION} the client keeps trying
     * for four more seconds, so {@link #ONLINE} may still follow.
     */
    SESSION_ENDED,
    /** The server rejects this user or app; see {@link ConnectionState#refusal}. */
    REFUSED
  }

  /** The reason why a session ended. */
  public enum Reason {
    /** The user logged out of the site. */
    LOGOUT,
    /** The session expired. */
    EXPIRED,
    /** Another user logged in to the same session. */
    USER_CHANGED,
    /** The session can no longer be read. */
    INVALID,
    /** The site closed the connection, or banned the user. */
    KICKED,
    /** Not logged in: the app has no session, or an outdated one. */
    UNAUTHORIZED
  }

  /** The reason why the server rejects the client. */
  public enum Refusal {
    /** The user is banned from the site. */
    BANNED,
    /** The server's configuration does not fit the session format or the tickets. Only the site's operator can fix this. */
    INVALID_SESSION,
    /** The server does not accept native clients ({@code CHAT_NATIVE_CLIENTS}). */
    ORIGIN
  }

  /** The kind of state. */
  public final Kind kind;
  /** The reason, for CHECKING_SESSION and SESSION_ENDED; otherwise null. */
  public final @Nullable Reason reason;
  /** The reason, for REFUSED; otherwise null. */
  public final @Nullable Refusal refusal;
  /** The end and the reason of the ban, for BANNED; null if the ban is in the session. */
  public final @Nullable SiteBan ban;
  /** The login page, for SESSION_ENDED; null if the server does not provide it. */
  public final @Nullable String loginUrl;
  /** The next attempt in milliseconds since 1970, for OFFLINE, STORE_UNAVAILABLE and RATE_LIMITED; otherwise 0. */
  public final long retryAt;

  private ConnectionState(
      Kind kind,
      @Nullable Reason reason,
      @Nullable Refusal refusal,
      @Nullable SiteBan ban,
      @Nullable String loginUrl,
      long retryAt) {
    this.kind = kind;
    this.reason = reason;
    this.refusal = refusal;
    this.ban = ban;
    this.loginUrl = loginUrl;
    this.retryAt = retryAt;
  }

  static ConnectionState of(Kind kind) {
    return new ConnectionState(kind, null, null, null, null, 0);
  }

  static ConnectionState disconnected(Kind kind, long retryAt) {
    return new ConnectionState(kind, null, null, null, null, retryAt);
  }

  static ConnectionState checking(Reason reason) {
    return new ConnectionState(Kind.CHECKING_SESSION, reason, null, null, null, 0);
  }

  static ConnectionState ended(Reason reason, @Nullable String loginUrl) {
    return new ConnectionState(Kind.SESSION_ENDED, reason, null, null, loginUrl, 0);
  }

  static ConnectionState ofRefusal(Refusal refusal, @Nullable SiteBan ban) {
    return new ConnectionState(Kind.REFUSED, null, refusal, ban, null, 0);
  }

  @Override
  public String toString() {
    return kind + (reason == null ? "" : " " + reason) + (refusal == null ? "" : " " + refusal);
  }
}
