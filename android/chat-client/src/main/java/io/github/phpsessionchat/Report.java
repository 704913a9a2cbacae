package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A message that a user has reported to the moderators. */
public final class Report {
  /** The reason of a report. */
  public enum Reason {
    /** Advertising, or the same again and again. */
    SPAM,
    /** Against somebody. */
    ABUSE,
    /** All else. */
    OTHER
  }

  /** The action of a moderator. */
  public enum Done {
    /** The message was deleted. */
    DELETED,
    /** Its author was muted in the room. */
    MUTED,
    /** Its author was banned from the room. */
    BANNED,
    /** Nothing was to be done. */
    NOTHING
  }

  /** The end of a report. */
  public static final class Closed {
    /** By whom. */
    public final User by;
    /** The action. */
    public final Done done;
    /** When, in milliseconds since 1970 by the server's clock. */
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

  /** The server's id of it. */
  public final String id;
  /** The id of the room. */
  public final String room;
  /** The message as it was when it was reported; once the report is closed, as it is. */
  public final Message message;
  /** The user who has reported it. */
  public final User by;
  /** The reason. */
  public final Reason reason;
  /** The text of the report; null: none. */
  public final @Nullable String text;
  /** When it was reported, in milliseconds since 1970 by the server's clock. */
  public final long at;
  /** Null while it is open. */
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
