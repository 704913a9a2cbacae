package io.github.phpsessionchat;

import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The single thread of a chat. Because all state is used only there, no locks are needed. */
final class Loop {
  private final ScheduledThreadPoolExecutor thread;

  Loop() {
    thread =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread made = new Thread(task, "php-chat");
              made.setDaemon(true);
              return made;
            },
            // Tasks after the end are dropped.
            new ThreadPoolExecutor.DiscardPolicy());
    thread.setRemoveOnCancelPolicy(true);
  }

  void run(Runnable task) {
    thread.execute(guarded(task));
  }

  Future<?> later(long ms, Runnable task) {
    return thread.schedule(guarded(task), Math.max(0, ms), TimeUnit.MILLISECONDS);
  }

  static void cancel(@Nullable Future<?> timer) {
    if (timer != null) timer.cancel(false);
  }

  /** Milliseconds of a monotonic clock. */
  long now() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
  }

  void end() {
    thread.shutdownNow();
  }

  /** An executor would swallow exceptions. This reports them to the uncaught exception handler. */
  private static Runnable guarded(Runnable task) {
    return () -> {
      try {
        task.run();
      } catch (RuntimeException | Error e) {
        Thread here = Thread.currentThread();
        here.getUncaughtExceptionHandler().uncaughtException(here, e);
      }
    };
  }
}
