package io.github.phpsessionchat;

import java.util.List;

/** An emoji with which users have answered a {@link Message}. */
public final class Reaction {
  /** The emoji. */
  public final String emoji;
  /** How many users it is from. */
  public final int count;
  /** The ids of at most ten of them, the first by time; {@link Chat#reactions} has them all. Unmodifiable. */
  public final List<String> users;
  /** Whether one of them is the reader. */
  public final boolean mine;

  Reaction(String emoji, int count, List<String> users, boolean mine) {
    this.emoji = emoji;
    this.count = count;
    this.users = users;
    this.mine = mine;
  }

  @Override
  public String toString() {
    return emoji + " " + count;
  }
}
