package io.github.phpsessionchat;

/** A pinned message of a room, in its current state. */
public final class PinnedMessage {
  /** The message as in a {@link RoomSummary}. */
  public final RoomSummary.Last message;
  /** The user who pinned it. */
  public final User by;
  /** When it was pinned, in milliseconds since 1970 by the server's clock. */
  public final long at;
  /** The {@code seq} of the newest message at that time; a line such as “Bob pinned a message” belongs below it. */
  public final long after;

  PinnedMessage(RoomSummary.Last message, User by, long at, long after) {
    this.message = message;
    this.by = by;
    this.at = at;
    this.after = after;
  }

  PinnedMessage with(RoomSummary.Last message) {
    return message == this.message ? this : new PinnedMessage(message, by, at, after);
  }

  @Override
  public String toString() {
    return "pinned: " + message;
  }
}
