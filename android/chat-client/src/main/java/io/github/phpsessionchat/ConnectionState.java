package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** How it stands with the connection to the chat server. */
public final class ConnectionState {
  /** The states that an app has to tell apart. */
  public enum Kind {
    /** Not started, or stopped by the app. */
    STOPPED,
    /** The first attempt, of which nothing has been heard yet. */
    CONNECTING,
    /** Connected, and logged in. */
    ONLINE,
    /** No connection. The next attempt is made by itself at {@link ConnectionState#retryAt}. */
    OFFLINE,
    /** The server cannot read sessions just now. That says nothing about the login; it is tried again by itself. */
    STORE_UNAVAILABLE,
    /** Too many connections. It is tried again by itself. */
    RATE_LIMITED,
    /**
     * The session seems over ({@link ConnectionState#reason}), or has only got a new id: it is tried with the cookie
     * that is there now. Nothing may be shown meanwhile. {@link #ONLINE} or {@link #SESSION_ENDED} comes within about
     * a second.
     */
    CHECKING_SESSION,
    /**
     * The user has to log in again, and the app then calls {@link Chat#start}. After {@link #CHECKING_SESSION} it is
     * still tried in silence for four seconds: {@link #ONLINE} may follow by itself.
     */
    SESSION_ENDED,
    /** The server lets this user or this app in no more: {@link ConnectionState#refusal}. */
    REFUSED
  }

  /** Why a session is over. */
  public enum Reason {
    /** The user has logged out of the site. */
    LOGOUT,
    /** The session was too old. */
    EXPIRED,
    /** Another user is logged in now. */
    USER_CHANGED,
    /** The session cannot be read any more. */
    INVALID,
    /** Closed by the site's operator. */
    KICKED,
    /** Nobody is logged in: the app has no session, or an old one. */
    UNAUTHORIZED
  }

  /** Why the server does not let the client in. */
  public enum Refusal {
    /** The site has banned the user. */
    BANNED,
    /** The session cannot be read as the server is configured: a matter for the site's operator. */
    INVALID_SESSION,
    /** The server takes no native clients ({@code CHAT_NATIVE_CLIENTS}). */
    ORIGIN
  }

  /** What it is. */
  public final Kind kind;
  /** With CHECKING_SESSION and SESSION_ENDED; else null. */
  public final @Nullable Reason reason;
  /** With REFUSED; else null. */
  public final @Nullable Refusal refusal;
  /** With SESSION_ENDED: where the server says that one logs in, or null. */
  public final @Nullable String loginUrl;
  /** With OFFLINE, STORE_UNAVAILABLE and RATE_LIMITED: the next attempt, in milliseconds since 1970; else 0. */
  public final long retryAt;

  private ConnectionState(
      Kind kind, @Nullable Reason reason, @Nullable Refusal refusal, @Nullable String loginUrl, long retryAt) {
    this.kind = kind;
    this.reason = reason;
    this.refusal = refusal;
    this.loginUrl = loginUrl;
    this.retryAt = retryAt;
  }

  static ConnectionState of(Kind kind) {
    return new ConnectionState(kind, null, null, null, 0);
  }

  static ConnectionState lost(Kind kind, long retryAt) {
    return new ConnectionState(kind, null, null, null, retryAt);
  }

  static ConnectionState checking(Reason reason) {
    return new ConnectionState(Kind.CHECKING_SESSION, reason, null, null, 0);
  }

  static ConnectionState ended(Reason reason, @Nullable String loginUrl) {
    return new ConnectionState(Kind.SESSION_ENDED, reason, null, loginUrl, 0);
  }

  static ConnectionState refused(Refusal refusal) {
    return new ConnectionState(Kind.REFUSED, null, refusal, null, 0);
  }

  @Override
  public String toString() {
    return kind + (reason == null ? "" : " " + reason) + (refusal == null ? "" : " " + refusal);
  }
}
