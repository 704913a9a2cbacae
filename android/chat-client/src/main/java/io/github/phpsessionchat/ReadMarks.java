package io.github.phpsessionchat;

import java.util.Map;
import java.util.concurrent.Future;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** Sends read markers to the server. A marker that was not acknowledged is sent again after a reconnect. */
final class ReadMarks {
  /** Minimum interval between two markers. */
  private static final long MIN_INTERVAL_MS = 1000;

  private final Loop loop;
  private final Connection connection;
  private final Map<String, Room> rooms;
  private @Nullable Future<?> timer;
  private long earliestSendAt;

  ReadMarks(Loop loop, Connection connection, Map<String, Room> rooms) {
    this.loop = loop;
    this.connection = connection;
    this.rooms = rooms;
    earliestSendAt = loop.now();
  }

  /** Schedules a marker. Call it after a marker moves, and after each reconnect. */
  void schedule() {
    if (timer == null) timer = loop.later(Math.max(0, earliestSendAt - loop.now()), this::send);
  }

  void stop() {
    Loop.cancel(timer);
    timer = null;
  }

  private void send() {
    timer = null;
    Room room = findPending();
    if (room == null) return;
    earliestSendAt = loop.now() + MIN_INTERVAL_MS;
    long seq = room.summary.readSeq;
    connection.request(
        "read:mark",
        Wire.payload("room", room.id(), "seq", seq),
        new Reply() {
          @Override
          public void ok(JSONObject data) {
            JSONObject now = Wire.object(data, "room");
            room.acknowledgedSeq = Math.max(room.acknowledgedSeq, Wire.number(now, "readSeq"));
            room.setMentions(Wire.number(now, "mentions"));
            schedule();
          }

          @Override
          public void failed(ChatError error) {
            // The marker stays pending after `rate_limited` or a lost connection. Other errors are final.
            if (error.code.equals("rate_limited")) earliestSendAt += Math.max(MIN_INTERVAL_MS, error.retryAfterMs);
            else if (connection.ready()) room.acknowledgedSeq = seq;
            if (connection.ready()) schedule();
          }
        });
  }

  private @Nullable Room findPending() {
    for (Room room : rooms.values()) {
      RoomSummary summary = room.summary;
      if (room.isKeptUnread) continue;
      if (summary.member && Math.min(summary.readSeq, summary.lastSeq) > room.acknowledgedSeq) return room;
    }
    return null;
  }
}
