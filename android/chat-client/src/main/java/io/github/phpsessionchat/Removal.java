package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** The user has left a room, or lost it. */
public final class Removal {
  /** Why. */
  public final RemovalReason reason;
  /** Whether it is a public room, which one may join again. */
  public final boolean readable;
  /** The text of a ban; else null. */
  public final @Nullable String text;
  /** When a ban ends, in milliseconds since 1970 by the server's clock; 0: it does not, or it is no ban. */
  public final long until;

  Removal(RemovalReason reason, boolean readable, @Nullable String text, long until) {
    this.reason = reason;
    this.readable = readable;
    this.text = text;
    this.until = until;
  }

  Removal(RemovalReason reason, boolean readable) {
    this(reason, readable, null, 0);
  }

  @Override
  public String toString() {
    return "removed: " + reason;
  }
}
