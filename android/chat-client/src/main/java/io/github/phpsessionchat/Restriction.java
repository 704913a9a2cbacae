package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A mute or ban of a user in a room. */
public final class Restriction {
  /** The kind of restriction. */
  public enum Kind {
    /** The user cannot write. */
    MUTED,
    /** The user cannot join, read or find the room. */
    BANNED
  }

  /** The user. */
  public final User user;
  /** The kind; null if this version does not know it. */
  public final @Nullable Kind kind;
  /** The end, in milliseconds since 1970 by the server's clock; 0: permanent. */
  public final long until;
  /** The reason, or null. */
  public final @Nullable String reason;
  /** The user who set the restriction. */
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
