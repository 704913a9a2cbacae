package io.github.phpsessionchat;

/**
 * Lets a connection read no faster than the app takes what is read: a flood of events would else fill the memory. On the
 * way to the app no queue has a bound of its own. So a mark is sent after the events, and no more is read than one piece
 * until the mark has come through.
 */
final class Pace {
  /** Calls {@code passed} when all is done that came before. */
  interface Way {
    void mark(Runnable passed);
  }

  /** In characters. */
  private static final int PIECE = 1 << 18;
  /** The cost of an event besides its text. */
  private static final int PACKET = 200;

  private final Way way;
  private int read;
  private boolean marked;
  private boolean over;

  Pace(Way way) {
    this.way = way;
  }

  /** Counts what was read. */
  synchronized void read(int characters) {
    read += PACKET + characters;
  }

  /** Waits until there is room for more; on a thread that reads. */
  synchronized void await() {
    if (read < PIECE) return;
    try {
      while (marked && !over) wait();
    } catch (InterruptedException e) {
      // The app has ended the threads of its client.
      Thread.currentThread().interrupt();
    }
    if (over) return;
    read = 0;
    marked = true;
    way.mark(this::passed);
  }

  /** Nobody waits any more. */
  synchronized void end() {
    over = true;
    notifyAll();
  }

  private synchronized void passed() {
    marked = false;
    notifyAll();
  }
}
