package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** The reason why a request failed. */
public final class ChatError extends Exception {
  private static final long serialVersionUID = 1;

  /**
   * There is no connection, or it was lost before the response. In the second case, the server may have run the
   * request.
   */
  public static final String OFFLINE = "offline";
  /** The server did not respond in time. The client reconnects. */
  public static final String TIMEOUT = "timeout";

  /** The edit is pending approval by a moderator. */
  public static final String HELD = "held";

  /**
   * An error code of the protocol, {@link #OFFLINE}, {@link #TIMEOUT} or {@link #HELD}. Treat an unknown code like
   * {@code internal}.
   */
  public final String code;
  /**
   * Milliseconds until the request may be repeated, at most one hour. Set for {@code rate_limited} and {@code muted},
   * otherwise 0.
   */
  public final long retryAfterMs;
  /** The current message if an edit fails with {@code conflict}, otherwise null. */
  public final transient @Nullable Message current;

  ChatError(String code, String message, long retryAfterMs, @Nullable Message current) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.current = current;
  }

  ChatError(String code) {
    this(code, code, 0, null);
  }
}
