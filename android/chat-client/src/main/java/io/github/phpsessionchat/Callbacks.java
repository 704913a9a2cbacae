package io.github.phpsessionchat;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** Runs the app's callbacks on the app's executor. */
final class Callbacks {
  private final Executor executor;
  /**
   * The latest callback per key that has not run yet. Each user gets a new map. The map is guarded by itself, the field
   * by this object.
   */
  private Map<String, Runnable> latest = new HashMap<>();

  Callbacks(Executor executor) {
    this.executor = executor;
  }

  void post(Runnable callback) {
    try {
      executor.execute(callback);
    } catch (RejectedExecutionException e) {
      // The app shut down its executor, so it expects no more callbacks.
    }
  }

  /** Runs {@code passed} after all earlier callbacks, or immediately if the executor rejects it. */
  void sendMarker(Runnable passed) {
    try {
      executor.execute(passed);
    } catch (RejectedExecutionException e) {
      passed.run();
    }
  }

  /** Runs the callback unless {@link #forget} is called first. */
  void postForUser(Runnable callback) {
    Map<String, Runnable> latestOfUser = latest();
    post(
        () -> {
          if (latestOfUser == latest()) callback.run();
        });
  }

  /** Replaces a queued callback with the same key, so a slow app gets only the latest state. */
  void postLatest(String key, Runnable callback) {
    Map<String, Runnable> latestOfUser = latest();
    synchronized (latestOfUser) {
      if (latestOfUser.put(key, callback) != null) return;
    }
    postForUser(
        () -> {
          Runnable last;
          synchronized (latestOfUser) {
            last = latestOfUser.remove(key);
          }
          last.run();
        });
  }

  /** Drops queued callbacks of the current user, so they do not run after a user switch. */
  synchronized void forget() {
    latest = new HashMap<>();
  }

  private synchronized Map<String, Runnable> latest() {
    return latest;
  }
}
