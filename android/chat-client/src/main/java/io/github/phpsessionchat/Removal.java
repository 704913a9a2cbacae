package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** The end of a user's membership in a room, or of the user's access to it. */
public final class Removal {
  /** The reason. */
  public final RemovalReason reason;
  /** Whether the room is public and the user may join again. */
  public final boolean readable;
  /** The reason given for a ban, or null. */
  public final @Nullable String text;
  /** The end of a ban, in milliseconds since 1970 by the server's clock; 0 if it is permanent or this is not a ban. */
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
