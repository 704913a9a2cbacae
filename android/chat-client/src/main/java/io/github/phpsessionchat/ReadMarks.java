package io.github.phpsessionchat;

import java.util.Map;
import java.util.concurrent.Future;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** Sends read markers to the server. A marker that was not acknowledged is sent again after a reconnect. */
final class ReadMarks {
  /** Minimum interval between two markers. */
  private static final long PAUSE_MS = 1000;

  private final Loop loop;
  private final Connection connection;
  private final Map<String, Room> rooms;
  private @Nullable Future<?> timer;
  private long notBefore;

  ReadMarks(Loop loop, Connection connection, Map<String, Room> rooms) {
    this.loop = loop;
    this.connection = connection;
    this.rooms = rooms;
    notBefore = loop.now();
  }

  /** Schedules a marker. Call it after a marker moves, and after each reconnect. */
  void changed() {
    if (timer == null) timer = loop.later(Math.max(0, notBefore - loop.now()), this::tell);
  }

  void stop() {
    Loop.cancel(timer);
    timer = null;
  }

  private void tell() {
    timer = null;
    Room room = next();
    if (room == null) return;
    notBefore = loop.now() + PAUSE_MS;
    long seq = room.summary.readSeq;
    connection.request(
        "read:mark",
        Wire.payload("room", room.id(), "seq", seq),
        new Reply() {
          @Override
          public void ok(JSONObject data) {
            JSONObject now = Wire.object(data, "room");
            room.marked = Math.max(room.marked, Wire.number(now, "readSeq"));
            room.mentions(Wire.number(now, "mentions"));
            changed();
          }

          @Override
          public void failed(ChatError error) {
            // If the connection was lost, the marker stays pending until the reconnect. Any other error is final.
            if (error.code.equals("rate_limited")) notBefore += Math.max(PAUSE_MS, error.retryAfterMs);
            else if (connection.ready()) room.marked = seq;
            if (connection.ready()) changed();
          }
        });
  }

  private @Nullable Room next() {
    for (Room room : rooms.values()) {
      RoomSummary summary = room.summary;
      if (room.keptUnread) continue;
      if (summary.member && Math.min(summary.readSeq, summary.lastSeq) > room.marked) return room;
    }
    return null;
  }
}
