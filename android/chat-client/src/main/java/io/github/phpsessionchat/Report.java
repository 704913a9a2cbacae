package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A message that a user has reported to the moderators. */
public final class Report {
  /** The reason of a report. */
  public enum Reason {
    /** Advertising or repeated messages. */
    SPAM,
    /** An attack on a user. */
    ABUSE,
    /** Anything else. */
    OTHER
  }

  /** The action that closed the report. */
  public enum Done {
    /** The message was deleted. */
    DELETED,
    /** Its author was muted in the room. */
    MUTED,
    /** Its author was banned from the room. */
    BANNED,
    /** No action. */
    NOTHING
  }

  /** How a report was closed. */
  public static final class Closed {
    /** The moderator. */
    public final User by;
    /** The action. */
    public final Done done;
    /** The time, in milliseconds since 1970 by the server's clock. */
    public final long at;

    Closed(User by, Done done, long at) {
      this.by = by;
      this.done = done;
      this.at = at;
    }

    @Override
    public String toString() {
      return "closed: " + done;
    }
  }

  /** The report ID. */
  public final String id;
  /** The room ID. */
  public final String room;
  /** The message at the time of the report; once the report is closed, its current state. */
  public final Message message;
  /** The user who reported it. */
  public final User by;
  /** The reason. */
  public final Reason reason;
  /** The reporter's text, or null. */
  public final @Nullable String text;
  /** When the report was made, in milliseconds since 1970 by the server's clock. */
  public final long at;
  /** How the report was closed; null while it is open. */
  public final @Nullable Closed closed;

  Report(
      String id,
      String room,
      Message message,
      User by,
      Reason reason,
      @Nullable String text, long at,
      @Nullable Closed closed) {
    this.id = id;
    this.room = room;
    this.message = message;
    this.by = by;
    this.reason = reason;
    this.text = text;
    this.at = at;
    this.closed = closed;
  }

  @Override
  public String toString() {
    return "report " + id;
  }
}
