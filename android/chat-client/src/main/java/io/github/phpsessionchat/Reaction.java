package io.github.phpsessionchat;

import java.util.List;

/** An emoji that users added to a {@link Message}. */
public final class Reaction {
  /** The emoji. */
  public final String emoji;
  /** The number of users. */
  public final int count;
  /**
   * IDs of the first ten users at most, in the order of their reactions; {@link Chat#reactions} lists all.
   * Unmodifiable.
   */
  public final List<String> users;
  /** Whether the reader is one of the users. */
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
