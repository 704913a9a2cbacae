package io.github.phpsessionchat;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Response types with more than one value. */
public final class Answers {
  private Answers() {}

  /**
   * One page of a list.
   *
   * @param <T> the item type
   */
  public static class Page<T> {
    /** The items. The list may be empty although more pages follow. */
    public final List<T> items;
    /** The cursor of the next page; null on the last page. */
    public final @Nullable String next;

    Page(List<T> items, @Nullable String next) {
      this.items = items;
      this.next = next;
    }

    @Override
    public String toString() {
      return items + (next == null ? "" : " and more");
    }
  }

  /** A page of a room's members, by name. */
  public static final class Members extends Page<RoomMember> {
    /** The room's member count. */
    public final int count;

    Members(List<RoomMember> items, @Nullable String next, int count) {
      super(items, next);
      this.count = count;
    }
  }

  /** The members of a room who saw a message of the user. */
  public static final class SeenBy {
    /** The members that the user may know about, by name. */
    public final List<User> users;
    /** The number of other members in the room. */
    public final int total;

    SeenBy(List<User> users, int total) {
      this.users = users;
      this.total = total;
    }

    @Override
    public String toString() {
      return users.size() + " of " + total + ": " + users;
    }
  }

  /** What a visitor who asks the team of the site can expect. */
  public static final class Team {
    /** Up to three members of the team. */
    public final List<User> members;
    /** The usual time to the first answer, in milliseconds; 0: unknown. */
    public final long answeredInMs;
    /** What the site says about it, to show instead of {@link #answeredInMs}; or null. */
    public final @Nullable String text;

    Team(List<User> members, long answeredInMs, @Nullable String text) {
      this.members = members;
      this.answeredInMs = answeredInMs;
      this.text = text;
    }

    @Override
    public String toString() {
      return "team: " + members;
    }
  }

  /** A new room. */
  public static final class Created {
    /** The room. */
    public final RoomSummary room;
    /** Users who could not be added: an error code by user ID. */
    public final Map<String, String> failed;

    Created(RoomSummary room, Map<String, String> failed) {
      this.room = room;
      this.failed = failed;
    }

    @Override
    public String toString() {
      return room + ", not added: " + failed;
    }
  }

  /** The result of an invitation. */
  public static final class Invited {
    /** IDs of the users who are now members. */
    public final List<String> added;
    /** Users who could not be added: an error code by user ID. */
    public final Map<String, String> failed;

    Invited(List<String> added, Map<String, String> failed) {
      this.added = added;
      this.failed = failed;
    }

    @Override
    public String toString() {
      return "added: " + added + ", not added: " + failed;
    }
  }

  /** Users found by a search. */
  public static final class Found {
    /** The users. Users who share a private room with the searching user come first. */
    public final List<User> users;
    /** IDs of the users who are members of the given room. */
    public final List<String> inRoom;

    Found(List<User> users, List<String> inRoom) {
      this.users = users;
      this.inRoom = inRoom;
    }

    @Override
    public String toString() {
      return users.toString();
    }
  }
}
