package io.github.phpsessionchat;

import java.util.List;
import org.json.JSONObject;

/** Keeps the rooms' timelines up to date: joins, asks for what was missed, fetches other pages. */
final class RoomSync {
  interface Port {
    /** Messages came with an answer, not as an event. */
    void arrived(Room room, List<Message> messages);

    /** These have come with an answer. */
    void replies(Room room, List<Replies> threads);

    void joined(Room room);

    /** There is no such room any more. */
    void gone(Room room);

    void changed(Room room);
  }

  /** More missed changes than this are not fetched: the room starts again with its newest messages. */
  private static final int MISSED = 2000;
  /** The most that {@code room:sync} gives at once. */
  private static final int SYNC_PAGE = 500;
  /** On either side of a message that is looked for. */
  private static final int AROUND = 25;

  private final Connection connection;
  private final Tasks tasks;
  private final Port port;

  RoomSync(Connection connection, Tasks tasks, Port port) {
    this.connection = connection;
    this.tasks = tasks;
    this.port = port;
  }

  /** A request about one room; a room that cannot be read is gone. */
  private abstract class About extends Tasks.Task {
    final Room room;

    About(String request, Room room) {
      super(request);
      this.room = room;
    }

    @Override
    void refused(ChatError error) {
      if (error.code.equals("unknown_room")) port.gone(room);
    }
  }

  void join(Room room) {
    join(room, false);
  }

  /** Nothing that is known of it counts any more, and is shown until the answer is there. */
  void joinAnew(Room room) {
    join(room, true);
  }

  private void join(Room room, boolean anew) {
    Timeline timeline = room.timeline;
    tasks.once(
        "join " + room.id(),
        new About("room:join", room) {
          long since;

          @Override
          JSONObject payload() {
            long head = timeline.head();
            if (head != Timeline.NONE && room.summary.head - head > MISSED) timeline.forget();
            long known = timeline.join();
            since = anew ? Timeline.NONE : known;
            return Wire.payload("room", room.id(), "since", since == Timeline.NONE ? null : since);
          }

          @Override
          void answered(JSONObject data) {
            Timeline.Changes changes = Wire.joined(data);
            timeline.joined(changes, since);
            room.update(Wire.room(Wire.object(data, "room")), changes.reset);
            room.present = Wire.list(data, "present", Wire::user);
            room.presentCount = Wire.count(data, "presentCount");
            room.joined = true;
            port.arrived(room, changes.messages);
            replies(room, data);
            port.joined(room);
            sync(room);
          }
        });
  }

  /** The room is no longer shown. */
  void leave(Room room) {
    room.joined = false;
    connection.request(
        "room:leave",
        Wire.payload("room", room.id()),
        new Reply() {
          @Override
          public void ok(JSONObject data) {}

          // The connection is being lost, which says the same.
          @Override
          public void failed(ChatError error) {}
        });
  }

  /** Asks for what was missed, if anything was. */
  void sync(Room room) {
    Timeline timeline = room.timeline;
    if (timeline.syncFrom() == Timeline.NONE) {
      if (room.joined && timeline.head() == Timeline.NONE) join(room);
      return;
    }
    tasks.once(
        "sync " + room.id(),
        new About("room:sync", room) {
          long since;

          @Override
          JSONObject payload() {
            since = timeline.syncFrom();
            // A live event may have closed the gap while this waited: asking then brings nothing, and harms nothing.
            if (since == Timeline.NONE) since = Math.max(0, timeline.head());
            return Wire.payload("room", room.id(), "since", since, "limit", SYNC_PAGE);
          }

          @Override
          void answered(JSONObject data) {
            Timeline.Changes changes = Wire.synced(data);
            timeline.synced(changes, since);
            port.arrived(room, changes.messages);
            replies(room, data);
            // An answer that leads no further would be asked for for ever; the next event asks again.
            if (timeline.head() != since) sync(room);
          }
        });
  }

  /** The next older page. */
  void older(Room room) {
    Timeline timeline = room.timeline;
    if (timeline.complete() || timeline.head() == Timeline.NONE) return;
    long before = timeline.first();
    int epoch = timeline.epoch();
    tasks.once(
        "older " + room.id(),
        new About("message:history", room) {
          @Override
          JSONObject payload() {
            return Wire.payload("room", room.id(), "before", before);
          }

          @Override
          void answered(JSONObject data) {
            timeline.older(messages(data), data.optBoolean("complete"), before, epoch);
            replies(room, data);
            port.changed(room);
          }
        });
  }

  /** The next newer page, where the list does not reach the end. */
  void newer(Room room) {
    Timeline timeline = room.timeline;
    if (timeline.attached()) return;
    long after = timeline.last();
    int epoch = timeline.epoch();
    tasks.once(
        "newer " + room.id(),
        new About("message:history", room) {
          @Override
          JSONObject payload() {
            return Wire.payload("room", room.id(), "after", after);
          }

          @Override
          void answered(JSONObject data) {
            timeline.newer(messages(data), epoch);
            replies(room, data);
            port.changed(room);
          }
        });
  }

  /** Shows that message and those around it, instead of the end. */
  void reach(Room room, long seq) {
    Timeline timeline = room.timeline;
    if (timeline.head() == Timeline.NONE) return;
    if (!timeline.attached() && seq > timeline.last()) timeline.toEnd();
    port.changed(room);
    if (seq >= timeline.first() && seq <= timeline.last()) return;
    int epoch = timeline.epoch();
    tasks.once(
        "around " + room.id() + " " + seq,
        new About("message:history", room) {
          @Override
          JSONObject payload() {
            return Wire.payload("room", room.id(), "after", Math.max(0, seq - 1 - AROUND), "limit", 2 * AROUND);
          }

          @Override
          void answered(JSONObject data) {
            timeline.window(messages(data), epoch);
            replies(room, data);
            port.changed(room);
          }
        });
  }

  private void replies(Room room, JSONObject data) {
    List<Replies> threads = Wire.list(data, "threads", Wire::replies);
    if (!threads.isEmpty()) port.replies(room, threads);
  }

  private static List<Message> messages(JSONObject data) {
    return Wire.list(data, "messages", Wire::message);
  }
}
