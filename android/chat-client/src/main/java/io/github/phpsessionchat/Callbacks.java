package io.github.phpsessionchat;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** Everything that an app is told, on its own executor. */
final class Callbacks {
  private final Executor executor;
  /** Calls that the listener has yet to get, by what they are about; another map for each user. Guarded by itself, the field by this. */
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

  /** Calls it after all that the app was told before; also where the app wants to hear nothing more. */
  void mark(Runnable passed) {
    try {
      executor.execute(passed);
    } catch (RejectedExecutionException e) {
      passed.run();
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

  /** Drops the calls about this user that the listener has yet to get: the next user may come first. */
  synchronized void forget() {
    newest = new HashMap<>();
  }

  private synchronized Map<String, Runnable> mine() {
    return newest;
  }
}
