package io.github.phpsessionchat;

/**
 * Backpressure: the connection reads no faster than the app handles events. No queue on the way to the app is bounded,
 * so a flood of events would fill the memory. A marker follows each piece of input, and at most one more piece is read
 * until the marker returns.
 */
final class Pace {
  /** Calls {@code passed} after all earlier work is done. */
  interface Way {
    void mark(Runnable passed);
  }

  /** Size of a piece in characters. */
  private static final int PIECE = 1 << 18;
  /** Added per packet for its overhead. */
  private static final int PACKET = 200;

  private final Way way;
  private int read;
  private boolean marked;
  private boolean over;

  Pace(Way way) {
    this.way = way;
  }

  synchronized void read(int characters) {
    read += PACKET + characters;
  }

  /** Blocks the reading thread until there is room for more input. */
  synchronized void await() {
    if (read < PIECE) return;
    try {
      while (marked && !over) wait();
    } catch (InterruptedException e) {
      // The app shut down its client's threads.
      Thread.currentThread().interrupt();
    }
    if (over) return;
    read = 0;
    marked = true;
    way.mark(this::passed);
  }

  /** Releases waiting threads. */
  synchronized void end() {
    over = true;
    notifyAll();
  }

  private synchronized void passed() {
    marked = false;
    notifyAll();
  }
}
