package io.github.phpsessionchat;

import java.util.List;

/** An emoji that users added to a {@link Message}, or their votes for an option of its {@link Poll}. */
public final class Reaction {
  /** The emoji; see {@link #isVote}. */
  public final String emoji;
  /** The number of users. */
  public final int count;
  /**
   * IDs of the first ten users at most, in the order of their reactions; {@link Chat#reactions} lists all. Empty in an
   * anonymous poll. Unmodifiable.
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

  /**
   * Returns whether this counts votes. Show it with the poll, by {@link Message#votes}, not as an emoji.
   *
   * @return whether this counts votes
   */
  public boolean isVote() {
    char last = emoji.isEmpty() ? ' ' : emoji.charAt(emoji.length() - 1);
    return last >= '0' && last <= '9';
  }

  @Override
  public String toString() {
    return emoji + " " + count;
  }
}
