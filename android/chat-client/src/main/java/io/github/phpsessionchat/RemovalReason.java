package io.github.phpsessionchat;

/** Why one is in a room no more. */
public enum RemovalReason {
  /** One has left it oneself. */
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
