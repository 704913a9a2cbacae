package io.github.phpsessionchat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The room to which an invite link leads. */
public final class InvitedRoom {
  /** The user who has made the link. */
  public final User by;
  /** The name of the room. */
  public final String name;
  /** Null: it has none. */
  public final @Nullable String topic;
  /** The number of members. */
  public final int members;
  /** The number of members who are present. */
  public final int present;
  /** Some of the members. */
  public final List<User> people;
  /** The id of the room; null: the user is no member of it. */
  public final @Nullable String room;

  InvitedRoom(
      User by,
      String name,
      @Nullable String topic,
      int members,
      int present,
      List<User> people,
      @Nullable String room) {
    this.by = by;
    this.name = name;
    this.topic = topic;
    this.members = members;
    this.present = present;
    this.people = people;
    this.room = room;
  }

  @Override
  public String toString() {
    return "invitation by " + by.id;
  }
}
