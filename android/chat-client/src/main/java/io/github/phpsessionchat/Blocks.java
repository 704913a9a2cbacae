package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.json.JSONObject;

/**
 * The user IDs that this user blocked. Responses mark their messages as hidden, but events do not, so the client hides
 * those.
 */
final class Blocks {
  /** Limit for queued notifications; the oldest are dropped. */
  private static final int MOST_WAITING = 100;

  private final Tasks tasks;
  private final Runnable changed;
  private final Set<String> users = new HashSet<>();
  /** Whether the list was loaded in this session. */
  private boolean known;
  /** Whether the list was loaded over this connection. Another device may have changed it before. */
  private boolean current;
  /** Notifications of new messages that wait for the list. */
  private List<Runnable> waiting = new ArrayList<>();

  Blocks(Tasks tasks, Runnable changed) {
    this.tasks = tasks;
    this.changed = changed;
  }

  /** Loads the list after each connect. */
  void ready() {
    current = false;
    tasks.once(
        "blocked",
        new Tasks.Task("user:blocked") {
          @Override
          JSONObject payload() {
            return new JSONObject();
          }

          @Override
          void answered(JSONObject data) {
            try {
              List<String> now = new ArrayList<>();
              for (User user : Wire.list(data, "users", Wire::user)) now.add(user.id);
              boolean same = known && users.size() == now.size() && users.containsAll(now);
              known = true;
              users.clear();
              users.addAll(now);
              if (!same) changed.run();
            } finally {
              goOn();
            }
          }

          /** Without a list, no user counts as blocked. */
          @Override
          void refused(ChatError error) {
            goOn();
          }
        });
  }

  /** Sends the queued notifications. */
  private void goOn() {
    current = true;
    List<Runnable> due = waiting;
    waiting = new ArrayList<>();
    for (Runnable notice : due) notice.run();
  }

  void clear() {
    users.clear();
    known = false;
    waiting.clear();
  }

  /** Runs the notification unless the author is blocked, once the list is loaded. */
  void announce(String author, Runnable notice) {
    if (current) {
      if (!has(author)) notice.run();
      return;
    }
    if (waiting.size() == MOST_WAITING) waiting.remove(0);
    waiting.add(() -> announce(author, notice));
  }

  boolean has(String user) {
    return users.contains(user);
  }

  /** @return whether this is a change */
  boolean set(String user, boolean blocked) {
    boolean news = blocked ? users.add(user) : users.remove(user);
    if (news) changed.run();
    return news;
  }

  /** Marks the message as hidden or visible by the current list. */
  Message shown(Message message) {
    return known ? message.hidden(has(message.user.id)) : message;
  }

  List<Message> shown(List<Message> messages) {
    List<Message> shown = new ArrayList<>(messages.size());
    for (Message message : messages) shown.add(shown(message));
    return shown;
  }

  /** Updates a room by the current list. A direct room with a blocked user has no unread messages. */
  RoomSummary shown(RoomSummary room) {
    boolean quiet = room.with != null && has(room.with.id);
    boolean hidden = room.last != null && (has(room.last.user.id) || (!known && room.last.hidden));
    if (room.quiet == quiet && (room.last == null || room.last.hidden == hidden)) return room;
    RoomSummary.Draft draft = new RoomSummary.Draft(room);
    draft.quiet = quiet;
    if (room.last != null) draft.last = room.last.hidden(hidden);
    return draft.done();
  }
}
