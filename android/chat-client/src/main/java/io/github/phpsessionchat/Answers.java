package io.github.phpsessionchat;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The answers to some requests. */
public final class Answers {
  private Answers() {}

  /**
   * A part of a list.
   *
   * @param <T> what it is a list of
   */
  public static class Page<T> {
    /** May be empty although there is more. */
    public final List<T> items;
    /** To ask for the next part with; null: this is the last. */
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

  /** A part of a room's members, by name. */
  public static final class Members extends Page<RoomMember> {
    /** How many members the room has. */
    public final int count;

    Members(List<RoomMember> items, @Nullable String next, int count) {
      super(items, next);
      this.count = count;
    }
  }

  /** The members of a room who have seen an own message. */
  public static final class SeenBy {
    /** As far as one may know them, by name. */
    public final List<User> users;
    /** How many other members the room has. */
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

  /** A room that was created. */
  public static final class Created {
    /** The room. */
    public final RoomSummary room;
    /** The users who could not be added: the user id, and an error code. */
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
    /** The ids of those who are members now. */
    public final List<String> added;
    /** The users who could not be added: the user id, and an error code. */
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

  /** People that were looked for. */
  public static final class Found {
    /** People who share a private room with the user come first. */
    public final List<User> users;
    /** The ids of those who are members of the room that was named. */
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
