package io.github.phpsessionchat;

import java.util.List;

/** A page of a thread. */
public final class RepliesPage {
  /** The first message of the thread that is left. It may be deleted. */
  public final Message root;
  /** How many replies there are, and by whom. */
  public final Replies replies;
  /** Whether the user follows the thread. */
  public final boolean following;
  /** The replies of this page, the oldest first. Unmodifiable. */
  public final List<Message> messages;
  /** Whether there are none before these. */
  public final boolean complete;

  RepliesPage(Message root, Replies replies, boolean following, List<Message> messages, boolean complete) {
    this.root = root;
    this.replies = replies;
    this.following = following;
    this.messages = messages;
    this.complete = complete;
  }

  @Override
  public String toString() {
    return replies + ", " + messages.size() + " of them";
  }
}
