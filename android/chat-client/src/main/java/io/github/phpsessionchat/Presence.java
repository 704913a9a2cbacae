package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** What the reader may know about a user in a room. */
public final class Presence {
  /** The role; null if the user is not a member. */
  public final RoomSummary.@Nullable Role role;
  /** Whether the user is online, if the reader may know it. */
  public final boolean present;
  /**
   * The end of the last visit, in milliseconds since 1970, rounded to five minutes; 0 if the reader may not know it.
   */
  public final long lastHere;
  /** Whether the reader hides {@link #lastHere} and read receipts from others. Set only for the reader. */
  public final boolean hidden;

  Presence(RoomSummary.@Nullable Role role, boolean present, long lastHere, boolean hidden) {
    this.role = role;
    this.present = present;
    this.lastHere = lastHere;
    this.hidden = hidden;
  }

  @Override
  public String toString() {
    return present ? "online" : "last seen: " + lastHere;
  }
}
