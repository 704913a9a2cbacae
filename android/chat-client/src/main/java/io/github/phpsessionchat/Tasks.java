package io.github.phpsessionchat;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.json.JSONObject;

/** Requests that the client makes by itself: each thing once at a time, and again if it failed for a passing cause. */
final class Tasks {
  /** The same request may succeed later, on the same connection. */
  private static final Set<String> PASSING =
      new HashSet<>(Arrays.asList("rate_limited", "storage_unavailable", "storage_full", "internal"));
  /** The connection is over, or about to be: over the next one all is asked for again. */
  private static final Set<String> OVER =
      new HashSet<>(Arrays.asList(ChatError.OFFLINE, ChatError.TIMEOUT, "server_draining"));

  private static final long FIRST_PAUSE_MS = 1000;
  private static final long LONGEST_PAUSE_MS = 30_000;

  /** One thing to be asked for. */
  abstract static class Task {
    final String request;

    Task(String request) {
      this.request = request;
    }

    /** Made again for each attempt. */
    abstract JSONObject payload();

    abstract void answered(JSONObject data);

    void refused(ChatError error) {}
  }

  private final Loop loop;
  private final Connection connection;
  /** Counts connections: what is under way on an earlier one no longer matters. */
  private int turn;

  private final Set<String> busy = new HashSet<>();

  Tasks(Loop loop, Connection connection) {
    this.loop = loop;
    this.connection = connection;
  }

  /** A new connection, or none any more. */
  void restart() {
    turn++;
    busy.clear();
  }

  /** Does nothing if a task of that name is under way. */
  void once(String name, Task task) {
    if (busy.add(name)) attempt(name, task, turn, FIRST_PAUSE_MS);
  }

  private void attempt(String name, Task task, int turn, long pause) {
    if (turn != this.turn) return;
    connection.request(
        task.request,
        task.payload(),
        new Reply() {
          @Override
          public void ok(JSONObject data) {
            if (turn != Tasks.this.turn) return;
            busy.remove(name);
            task.answered(data);
          }

          @Override
          public void failed(ChatError error) {
            if (turn != Tasks.this.turn) return;
            if (PASSING.contains(error.code)) {
              long longer = Math.min(LONGEST_PAUSE_MS, pause * 2);
              loop.later(Math.max(pause, error.retryAfterMs), () -> attempt(name, task, turn, longer));
              return;
            }
            busy.remove(name);
            if (!OVER.contains(error.code)) task.refused(error);
          }
        });
  }
}
