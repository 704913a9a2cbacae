package io.github.phpsessionchat;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.json.JSONObject;

/** Runs the client's own requests, one at a time per name. A request that fails temporarily is repeated. */
final class Tasks {
  /** Errors after which the same request may succeed on this connection. */
  private static final Set<String> TEMPORARY =
      new HashSet<>(Arrays.asList("rate_limited", "storage_unavailable", "storage_full", "internal"));
  /** Errors of a connection that has ended or is about to. After the reconnect, everything is requested again. */
  private static final Set<String> CONNECTION_LOST =
      new HashSet<>(Arrays.asList(ChatError.OFFLINE, ChatError.TIMEOUT, "server_draining"));

  private static final long FIRST_DELAY_MS = 1000;
  private static final long MAX_DELAY_MS = 30_000;

  abstract static class Task {
    final String request;

    Task(String request) {
      this.request = request;
    }

    /** Called for each attempt. */
    abstract JSONObject payload();

    abstract void handleResponse(JSONObject data);

    void handleRejection(ChatError error) {}
  }

  private final Loop loop;
  private final Connection connection;
  /** The number of the current connection. Requests of earlier connections are ignored. */
  private int connectionNumber;

  private final Set<String> busy = new HashSet<>();

  Tasks(Loop loop, Connection connection) {
    this.loop = loop;
    this.connection = connection;
  }

  /** Called when a connection starts, or the session may have ended. */
  void restart() {
    connectionNumber++;
    busy.clear();
  }

  /** Does nothing if a task of this name is in progress. */
  void once(String name, Task task) {
    if (busy.add(name)) attempt(name, task, connectionNumber, FIRST_DELAY_MS);
  }

  private void attempt(String name, Task task, int connectionNumber, long delayMs) {
    if (connectionNumber != this.connectionNumber) return;
    connection.request(
        task.request,
        task.payload(),
        new Reply() {
          @Override
          public void ok(JSONObject data) {
            if (connectionNumber != Tasks.this.connectionNumber) return;
            busy.remove(name);
            task.handleResponse(data);
          }

          @Override
          public void failed(ChatError error) {
            if (connectionNumber != Tasks.this.connectionNumber) return;
            if (TEMPORARY.contains(error.code)) {
              long nextDelayMs = Math.min(MAX_DELAY_MS, delayMs * 2);
              loop.later(Math.max(delayMs, error.retryAfterMs), () -> attempt(name, task, connectionNumber, nextDelayMs));
              return;
            }
            busy.remove(name);
            if (!CONNECTION_LOST.contains(error.code)) task.handleRejection(error);
          }
        });
  }
}
