package io.github.phpsessionchat;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.json.JSONObject;

/** Runs the client's own requests, one at a time per name. A request that fails temporarily is repeated. */
final class Tasks {
  /** Errors after which the same request may succeed on this connection. */
  private static final Set<String> PASSING =
      new HashSet<>(Arrays.asList("rate_limited", "storage_unavailable", "storage_full", "internal"));
  /** Errors of a connection that has ended or is about to. After the reconnect, everything is requested again. */
  private static final Set<String> OVER =
      new HashSet<>(Arrays.asList(ChatError.OFFLINE, ChatError.TIMEOUT, "server_draining"));

  private static final long FIRST_PAUSE_MS = 1000;
  private static final long LONGEST_PAUSE_MS = 30_000;

  /** A request. */
  abstract static class Task {
    final String request;

    Task(String request) {
      this.request = request;
    }

    /** Called for each attempt. */
    abstract JSONObject payload();

    abstract void answered(JSONObject data);

    void refused(ChatError error) {}
  }

  private final Loop loop;
  private final Connection connection;
  /** The number of the current connection. Requests of earlier connections are ignored. */
  private int turn;

  private final Set<String> busy = new HashSet<>();

  Tasks(Loop loop, Connection connection) {
    this.loop = loop;
    this.connection = connection;
  }

  /** Called when a connection starts or ends. */
  void restart() {
    turn++;
    busy.clear();
  }

  /** Does nothing if a task of this name is in progress. */
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
