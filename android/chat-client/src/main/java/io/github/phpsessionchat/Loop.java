package io.github.phpsessionchat;

import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The one thread on which everything of a chat is done, so that nothing in it needs a lock. */
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
            // After the end nothing is done any more.
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

  /** In milliseconds, of a clock that nobody sets. */
  long now() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
  }

  void end() {
    thread.shutdownNow();
  }

  /** An executor keeps to itself what a task throws. A mistake in this library is to be seen. */
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
