package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A reminder of a message. Other users do not see it. */
public final class Reminder {
  /** The ID of the reminder. */
  public final String id;
  /** The room ID. */
  public final String room;
  /** The number of the message in the room. */
  public final long seq;
  /** When it is due, in milliseconds since 1970 by the server's clock. */
  public final long at;
  /** Whether it was due. Delete it when the user has seen it. */
  public final boolean due;
  /** The message; null if the user can no longer see it. */
  public final @Nullable Message message;

  Reminder(String id, String room, long seq, long at, boolean due, @Nullable Message message) {
    this.id = id;
    this.room = room;
    this.seq = seq;
    this.at = at;
    this.due = due;
    this.message = message;
  }

  @Override
  public String toString() {
    return "reminder " + id;
  }
}
