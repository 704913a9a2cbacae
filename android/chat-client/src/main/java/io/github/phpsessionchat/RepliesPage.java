package io.github.phpsessionchat;

import java.util.List;

/** A page of replies in a thread. */
public final class RepliesPage {
  /** The first message of the thread that still exists. It may be marked as deleted. */
  public final Message root;
  /** The number and authors of all replies. */
  public final Replies replies;
  /** Whether the user follows the thread. */
  public final boolean following;
  /** The replies on this page, oldest first. Unmodifiable. */
  public final List<Message> messages;
  /** Whether this page contains the first reply. */
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
