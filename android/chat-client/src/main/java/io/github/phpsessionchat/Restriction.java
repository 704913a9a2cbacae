package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A user may do less in a room than others. */
public final class Restriction {
  /** The forbidden action. */
  public enum Kind {
    /** To write. */
    MUTED,
    /** To join the room, to read and to find it. */
    BANNED
  }

  /** The user. */
  public final User user;
  /** The forbidden action; null: this version does not know it. */
  public final @Nullable Kind kind;
  /** When it ends, in milliseconds since 1970 by the server's clock; 0: it does not. */
  public final long until;
  /** Why; null: nobody has said why. */
  public final @Nullable String reason;
  /** The user who has ordered it. */
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
