package io.github.phpsessionchat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** A message of this user that the server sends at a chosen time, or could not send. Other users do not see it. */
public final class ScheduledMessage {
  /** The ID of the scheduled message. */
  public final String id;
  /** The room ID. The user may have lost the room. */
  public final String room;
  /** Rises by one with each edit. */
  public final long rev;
  /** The text. */
  public final String text;
  /** The {@code seq} of the message to reply to; 0: no reply. */
  public final long replyTo;
  /** The files. */
  public final List<ChatFile> files;
  /** When it is sent, in milliseconds since 1970 by the server's clock. */
  public final long at;
  /**
   * The error code if it could not be sent, such as {@code muted} or {@code unknown_room}; null while it waits. A new
   * time makes it wait again.
   */
  public final @Nullable String failed;

  ScheduledMessage(
      String id,
      String room,
      long rev,
      String text,
      long replyTo,
      List<ChatFile> files,
      long at,
      @Nullable String failed) {
    this.id = id;
    this.room = room;
    this.rev = rev;
    this.text = text;
    this.replyTo = replyTo;
    this.files = files;
    this.at = at;
    this.failed = failed;
  }

  @Override
  public String toString() {
    return id + (failed == null ? "" : ": " + failed);
  }
}
