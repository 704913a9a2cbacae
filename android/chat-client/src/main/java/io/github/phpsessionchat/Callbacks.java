package io.github.phpsessionchat;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** Everything that an app is told, on its own executor. */
final class Callbacks {
  private final Executor executor;
  /** What was not told yet, by what it is about; another map for each user. Guarded by itself, the field by this. */
  private Map<String, Runnable> newest = new HashMap<>();

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

  /** Unless it is forgotten before. */
  void tellOfUser(Runnable callback) {
    Map<String, Runnable> mine = mine();
    tell(
        () -> {
          if (mine == mine()) callback.run();
        });
  }

  /** In place of what was not told yet about the same: an app that is slow is told the last state alone. */
  void tellNewest(String about, Runnable callback) {
    Map<String, Runnable> mine = mine();
    synchronized (mine) {
      if (mine.put(about, callback) != null) return;
    }
    tellOfUser(
        () -> {
          Runnable last;
          synchronized (mine) {
            last = mine.remove(about);
          }
          last.run();
        });
  }

  /** What was not told yet of this user is not told any more: the next one may come before it would be. */
  synchronized void forget() {
    newest = new HashMap<>();
  }

  private synchronized Map<String, Runnable> mine() {
    return newest;
  }
}
