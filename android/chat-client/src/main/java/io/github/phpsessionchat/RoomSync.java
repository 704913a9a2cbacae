package io.github.phpsessionchat;

import java.util.List;
import org.json.JSONObject;

/** Keeps timelines up to date: joins rooms, loads missed changes and other pages. */
final class RoomSync {
  interface Port {
    /** Messages of a response, not of an event. */
    void arrived(Room room, List<Message> messages);

    /** Threads of a response. */
    void replies(Room room, List<Replies> threads);

    void joined(Room room);

    /** The room does not exist or cannot be read. */
    void gone(Room room);

    void changed(Room room);
  }

  /** After more missed changes, the room restarts with its newest messages. */
  private static final int MAX_MISSED = 2000;
  /** Maximum page size of {@code room:sync}. */
  private static final int SYNC_PAGE_SIZE = 500;
  /** Number of messages to load on each side of the target. */
  private static final int CONTEXT_SIZE = 25;

  private final Connection connection;
  private final Tasks tasks;
  private final Port port;

  RoomSync(Connection connection, Tasks tasks, Port port) {
    this.connection = connection;
    this.tasks = tasks;
    this.port = port;
  }

  /** A request for one room. {@code unknown_room} removes the room. */
  private abstract class RoomTask extends Tasks.Task {
    final Room room;

    RoomTask(String request, Room room) {
      super(request);
      this.room = room;
    }

    @Override
    void handleRejection(ChatError error) {
      if (error.code.equals("unknown_room")) port.gone(room);
    }
  }

  void join(Room room) {
    join(room, false);
  }

  /** Joins as if nothing was loaded. The current messages stay visible until the response. */
  void rejoin(Room room) {
    join(room, true);
  }

  private void join(Room room, boolean isRejoin) {
    Timeline timeline = room.timeline;
    tasks.once(
        "join " + room.id(),
        new RoomTask("room:join", room) {
          long since;

          @Override
          JSONObject payload() {
            long head = timeline.head();
            if (head != Timeline.NONE && room.summary.head - head > MAX_MISSED) timeline.forget();
            long joinSince = timeline.join();
            since = isRejoin ? Timeline.NONE : joinSince;
            return Wire.payload("room", room.id(), "since", since == Timeline.NONE ? null : since);
          }

          @Override
          void handleResponse(JSONObject data) {
            Timeline.Changes changes = Wire.joined(data);
            timeline.joined(changes, since);
            room.update(RoomSummary.fromJson(Wire.object(data, "room")), changes.reset);
            room.present = Wire.list(data, "present", User::fromJson);
            room.presentCount = Wire.count(data, "presentCount");
            room.joined = true;
            port.arrived(room, changes.messages);
            replies(room, data);
            port.joined(room);
            sync(room);
          }
        });
  }

  void leave(Room room) {
    room.joined = false;
    connection.request(
        "room:leave",
        Wire.payload("room", room.id()),
        new Reply() {
          @Override
          public void ok(JSONObject data) {}

          // A lost connection also leaves the room. After another error, the client only receives unneeded events.
          @Override
          public void failed(ChatError error) {}
        });
  }

  /** Requests missed changes, if any. */
  void sync(Room room) {
    Timeline timeline = room.timeline;
    if (timeline.syncFrom() == Timeline.NONE) {
      if (room.joined && timeline.head() == Timeline.NONE) join(room);
      return;
    }
    tasks.once(
        "sync " + room.id(),
        new RoomTask("room:sync", room) {
          long since;

          @Override
          JSONObject payload() {
            since = timeline.syncFrom();
            // Events may close the gap while this waits. The request is then harmless.
            if (since == Timeline.NONE) since = Math.max(0, timeline.head());
            return Wire.payload("room", room.id(), "since", since, "limit", SYNC_PAGE_SIZE);
          }

          @Override
          void handleResponse(JSONObject data) {
            Timeline.Changes changes = Wire.synced(data);
            timeline.synced(changes, since);
            port.arrived(room, changes.messages);
            replies(room, data);
            // Without progress, this would loop forever. The next event triggers another request.
            if (timeline.head() != since) sync(room);
          }
        });
  }

  /** Loads the next older page. */
  void older(Room room) {
    Timeline timeline = room.timeline;
    if (timeline.complete() || timeline.head() == Timeline.NONE) return;
    long before = timeline.first();
    int epoch = timeline.epoch();
    tasks.once(
        "older " + room.id(),
        new RoomTask("message:history", room) {
          @Override
          JSONObject payload() {
            return Wire.payload("room", room.id(), "before", before);
          }

          @Override
          void handleResponse(JSONObject data) {
            timeline.older(messages(data), data.optBoolean("complete"), before, epoch);
            replies(room, data);
            port.changed(room);
          }
        });
  }

  /** Loads the next newer page if the list does not reach the end. */
  void newer(Room room) {
    Timeline timeline = room.timeline;
    if (timeline.attached()) return;
    long after = timeline.last();
    int epoch = timeline.epoch();
    tasks.once(
        "newer " + room.id(),
        new RoomTask("message:history", room) {
          @Override
          JSONObject payload() {
            return Wire.payload("room", room.id(), "after", after);
          }

          @Override
          void handleResponse(JSONObject data) {
            timeline.newer(messages(data), epoch);
            replies(room, data);
            port.changed(room);
          }
        });
  }

  /** Shows a message and the messages around it. */
  void showAround(Room room, long seq) {
    Timeline timeline = room.timeline;
    if (timeline.head() == Timeline.NONE) return;
    if (!timeline.attached() && seq > timeline.last()) timeline.showEnd();
    port.changed(room);
    if (seq >= timeline.first() && seq <= timeline.last()) return;
    int epoch = timeline.epoch();
    tasks.once(
        "around " + room.id() + " " + seq,
        new RoomTask("message:history", room) {
          @Override
          JSONObject payload() {
            return Wire.payload("room", room.id(), "after", Math.max(0, seq - 1 - CONTEXT_SIZE), "limit", 2 * CONTEXT_SIZE);
          }

          @Override
          void handleResponse(JSONObject data) {
            timeline.window(messages(data), epoch);
            replies(room, data);
            port.changed(room);
          }
        });
  }

  private void replies(Room room, JSONObject data) {
    List<Replies> threads = Wire.list(data, "threads", Replies::fromJson);
    if (!threads.isEmpty()) port.replies(room, threads);
  }

  private static List<Message> messages(JSONObject data) {
    return Wire.list(data, "messages", Message::fromJson);
  }
}
