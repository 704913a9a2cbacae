package io.github.phpsessionchat;

import java.util.List;

/**
 * The replies of a thread: all messages whose chain of replies ends at the same message. Deleted messages and messages
 * of blocked users are not counted.
 */
public final class Replies {
  /** The thread number: {@link Message#thread} of the replies. */
  public final long thread;
  /** The {@code seq} of the thread's first message that still exists. Show the replies there. */
  public final long root;
  /** The number of replies; 0 if all were removed. */
  public final int count;
  /** The latest authors, at most three, newest first. Unmodifiable. */
  public final List<User> authors;
  /** When the latest reply was stored, in milliseconds since 1970 by the server's clock; 0 without a reply. */
  public final long lastAt;
  /** The number of unread replies at the time of the request, up to 100. Events set 0. */
  public final int unread;

  Replies(long thread, long root, int count, List<User> authors, long lastAt, int unread) {
    this.thread = thread;
    this.root = root;
    this.count = count;
    this.authors = authors;
    this.lastAt = lastAt;
    this.unread = unread;
  }

  @Override
  public String toString() {
    return count + " replies in thread " + thread;
  }
}
