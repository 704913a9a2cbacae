package io.github.phpsessionchat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** A poll or an event. The text of its {@link Message} is the question or the title. */
public final class Poll {
  /** What an event asks about. */
  public static final class Event {
    /** When it starts, in milliseconds since 1970. */
    public final long start;
    /** When it ends, in milliseconds since 1970; 0: unknown. */
    public final long end;
    /** The place, or null. */
    public final @Nullable String place;

    Event(long start, long end, @Nullable String place) {
      this.start = start;
      this.end = end;
      this.place = place;
    }

    @Override
    public String toString() {
      return "event";
    }
  }

  private static final int EVENT_OPTIONS = 3;

  /** The options of a poll; empty for an event. Unmodifiable. */
  public final List<String> options;
  /** The event; null for a poll. Its options are 1: coming, 2: not coming, 3: maybe. */
  public final @Nullable Event event;
  /** Whether users may choose several options. */
  public final boolean multiple;
  /** Whether the votes name no users. */
  public final boolean anonymous;
  /** When it ends, in milliseconds since 1970 by the server's clock; 0: never. */
  public final long until;
  /** When the author or a moderator ended it; 0: not ended. */
  public final long endedAt;

  Poll(List<String> options, @Nullable Event event, boolean multiple, boolean anonymous, long until, long endedAt) {
    this.options = options;
    this.event = event;
    this.multiple = multiple;
    this.anonymous = anonymous;
    this.until = until;
    this.endedAt = endedAt;
  }

  /**
   * Returns the number of options, which are numbered from 1.
   *
   * @return the number of options
   */
  public int optionCount() {
    return event == null ? options.size() : EVENT_OPTIONS;
  }

  /**
   * Returns whether the server accepts no more votes.
   *
   * @param now the time, in milliseconds since 1970
   * @return whether it has ended
   */
  public boolean hasEnded(long now) {
    return endedAt != 0 || (until != 0 && until <= now);
  }

  @Override
  public String toString() {
    return event == null ? "poll" : "poll about an event";
  }

  /** Returns the {@link Reaction#emoji} of the votes for an option. */
  String key(int option) {
    return (anonymous ? "?" : "") + option;
  }
}
