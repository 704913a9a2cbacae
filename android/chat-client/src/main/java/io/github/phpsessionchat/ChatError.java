package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** Why a request was not carried out. */
public final class ChatError extends Exception {
  private static final long serialVersionUID = 1;

  /** There is no connection, or it was lost before the answer came: then the server may have carried the request out. */
  public static final String OFFLINE = "offline";
  /** The server did not answer in time; the connection is given up and opened again. */
  public static final String TIMEOUT = "timeout";

  /** An edit waits for a moderator. */
  public static final String HELD = "held";

  /** An error code of the protocol, {@link #OFFLINE}, {@link #TIMEOUT} or {@link #HELD}. Unknown ones mean what {@code internal} means. */
  public final String code;
  /** With {@code rate_limited} and {@code muted}: when to try again, in milliseconds, at most an hour; else 0. */
  public final long retryAfterMs;
  /** With {@code conflict} of an edit: the message as it is now; else null. */
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
