package io.github.phpsessionchat;

/** A member of a room. */
public final class RoomMember {
  /** The user. */
  public final User user;
  /** The role of the member in the room. */
  public final RoomSummary.Role role;
  /** Whether the member is online. */
  public final boolean present;

  RoomMember(User user, RoomSummary.Role role, boolean present) {
    this.user = user;
    this.role = role;
    this.present = present;
  }

  @Override
  public String toString() {
    return user.id + " is " + role;
  }
}
