package io.github.phpsessionchat;

/** Why the user has left a room, or lost it. */
public enum RemovalReason {
  /** The user has left it. */
  LEFT,
  /** Removed by somebody of the room. */
  REMOVED,
  /** Banned from it. */
  BANNED,
  /** The site has taken the user out of it. */
  SITE,
  /** It was deleted. */
  DELETED,
  /** It is not there any more, and nobody has said why. */
  UNKNOWN
}
