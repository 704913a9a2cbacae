package io.github.phpsessionchat;

/** The reason for a {@link Removal}. */
public enum RemovalReason {
  /** The user left. */
  LEFT,
  /** A moderator or owner removed the user. */
  REMOVED,
  /** The user was banned from the room. */
  BANNED,
  /** The site removed the user. */
  SITE,
  /** The room was deleted. */
  DELETED,
  /** The room is no longer accessible, for an unknown reason. */
  UNKNOWN
}
