package io.github.phpsessionchat;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** Everything that an app is told, on its own executor. */
final class Callbacks {
  private final Executor executor;
  /** What was not told yet, by what it is about. Guarded by itself. */
  private final Map<String, Runnable> newest = new HashMap<>();

  Callbacks(Executor executor) {
    this.executor = executor;
  }

  void tell(Runnable callback) {
    try {
      executor.execute(callback);
    } catch (RejectedExecutionException e) {
      // The app has ended its executor, and wants to hear nothing more.
    }
  }

  /** In place of what was not told yet about the same: an app that is slow is told the last state alone. */
  void tellNewest(String about, Runnable callback) {
    synchronized (newest) {
      if (newest.put(about, callback) != null) return;
    }
    tell(
        () -> {
          Runnable last;
          synchronized (newest) {
            last = newest.remove(about);
          }
          if (last != null) last.run();
        });
  }

  /** What was not told yet is not told any more. */
  void forget() {
    synchronized (newest) {
      newest.clear();
    }
  }
}
