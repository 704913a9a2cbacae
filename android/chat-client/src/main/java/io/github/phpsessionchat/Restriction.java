package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** That a user may do less in a room than others. */
public final class Restriction {
  /** What the user may not. */
  public enum Kind {
    /** To write. */
    MUTED,
    /** To join the room, to read and to find it. */
    BANNED
  }

  /** Whom it concerns. */
  public final User user;
  /** What the user may not; null: something that this version does not know. */
  public final @Nullable Kind kind;
  /** When it ends, in milliseconds since 1970 by the server's clock; 0: it does not. */
  public final long until;
  /** Why; null: nobody has said why. */
  public final @Nullable String reason;
  /** Who has ordered it. */
  public final User by;

  Restriction(User user, @Nullable Kind kind, long until, @Nullable String reason, User by) {
    this.user = user;
    this.kind = kind;
    this.until = until;
    this.reason = reason;
    this.by = by;
  }

  @Override
  public String toString() {
    return user.id + " is " + kind;
  }
}
