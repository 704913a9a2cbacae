package io.github.phpsessionchat;

import java.util.Map;
import java.util.concurrent.Future;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** Tells the server what was read. A mark that did not arrive goes over the next connection. */
final class ReadMarks {
  /** At most one mark in this time. */
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

  /** Something was read, or can be told again. */
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
            // A mark refused for another cause stays as it is; over the next connection it is tried again.
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
