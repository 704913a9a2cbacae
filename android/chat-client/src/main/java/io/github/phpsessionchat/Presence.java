package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** The facts that one may know about a person in a room. */
public final class Presence {
  /** Null for people who are not members. */
  public final RoomSummary.@Nullable Role role;
  /** Whether the person is here now, as far as one may know. */
  public final boolean present;
  /** The end of the last visit, in milliseconds since 1970 and in steps of five minutes; 0 if one may not know it. */
  public final long lastHere;
  /** Of oneself: whether others do not get {@link #lastHere}, nor are shown what one has seen in rooms. */
  public final boolean hidden;

  Presence(RoomSummary.@Nullable Role role, boolean present, long lastHere, boolean hidden) {
    this.role = role;
    this.present = present;
    this.lastHere = lastHere;
    this.hidden = hidden;
  }

  @Override
  public String toString() {
    return present ? "here" : "last here: " + lastHere;
  }
}
