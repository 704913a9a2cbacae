package io.github.phpsessionchat;

/** A pinned message of a room, as it is now. */
public final class PinnedMessage {
  /** The message, as a list of rooms shows it. */
  public final RoomSummary.Last message;
  /** The user who has pinned it. */
  public final User by;
  /** When, in milliseconds since 1970 by the server's clock. */
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
