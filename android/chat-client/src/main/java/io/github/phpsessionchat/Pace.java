package io.github.phpsessionchat;

/**
 * Backpressure: the connection reads no faster than the app handles events. No queue on the way to the app is bounded,
 * so a flood of events would fill the memory. A marker follows each piece of input, and at most one more piece is read
 * until the marker returns.
 */
final class Pace {
  /** Calls {@code passed} after all earlier work is done. */
  interface Queue {
    void sendMarker(Runnable passed);
  }

  /** Size of a piece in characters. */
  private static final int PIECE_LENGTH = 1 << 18;
  /** Added per WebSocket message or poll response, for its overhead. */
  private static final int PACKET_OVERHEAD = 200;

  private final Queue queue;
  private int read;
  private boolean isMarkerPending;
  private boolean isEnded;

  Pace(Queue queue) {
    this.queue = queue;
  }

  synchronized void read(int packets, int characters) {
    read += packets * PACKET_OVERHEAD + characters;
  }

  /** Blocks the reading thread until there is room for more input. */
  synchronized void await() {
    if (read < PIECE_LENGTH) return;
    try {
      while (isMarkerPending && !isEnded) wait();
    } catch (InterruptedException e) {
      // The app shut down its client's threads.
      Thread.currentThread().interrupt();
    }
    if (isEnded) return;
    read = 0;
    isMarkerPending = true;
    queue.sendMarker(this::markerPassed);
  }

  /** Releases waiting threads. */
  synchronized void end() {
    isEnded = true;
    notifyAll();
  }

  private synchronized void markerPassed() {
    isMarkerPending = false;
    notifyAll();
  }
}
