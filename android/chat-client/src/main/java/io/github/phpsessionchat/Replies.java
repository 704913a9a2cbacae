package io.github.phpsessionchat;

import java.util.List;

/**
 * The replies of a thread: of all messages whose chain of replies ends at the same message. Deleted ones do not count, nor
 * do those of users whom the reader has blocked.
 */
public final class Replies {
  /** The number of the thread: {@link Message#thread} of the replies. */
  public final long thread;
  /** The {@code seq} of its first message that is left: they are shown under it. */
  public final long root;
  /** How many there are; 0: none any more. */
  public final int count;
  /** The last authors, at most three, the last first. Unmodifiable. */
  public final List<User> authors;
  /** When the last one was stored, in milliseconds since 1970 by the server's clock; 0: there is none. */
  public final long lastAt;
  /** How many the reader had not read when they were asked for, up to 100; 0 in all later changes. */
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
