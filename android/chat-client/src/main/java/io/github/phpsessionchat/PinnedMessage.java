package io.github.phpsessionchat;

/** A pinned message of a room, in its current state. */
public final class PinnedMessage {
  /** The message as in a {@link RoomSummary}. */
  public final RoomSummary.Last message;
  /** The user who pinned it. */
  public final User by;
  /** When it was pinned, in milliseconds since 1970 by the server's clock. */
  public final long at;

  PinnedMessage(RoomSummary.Last message, User by, long at) {
    this.message = message;
    this.by = by;
    this.at = at;
  }

  @Override
  public String toString() {
    return "pinned: " + message;
  }
}
