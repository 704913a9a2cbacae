package io.github.phpsessionchat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The room of an invite link. */
public final class InvitedRoom {
  /** The user who created the link. */
  public final User by;
  /** The name of the room. */
  public final String name;
  /** The topic, or null. */
  public final @Nullable String topic;
  /** The number of members. */
  public final int members;
  /** The number of members who are online. */
  public final int present;
  /** Some of the members. */
  public final List<User> people;
  /** The room ID; null if the user is not a member. */
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
