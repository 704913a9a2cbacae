package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.json.JSONObject;

/** The users whom this user has blocked. The server says so in its answers, and leaves it to clients in its events. */
final class Blocks {
  /** Notices that wait at most: more would help nobody. */
  private static final int MOST_WAITING = 100;

  private final Tasks tasks;
  private final Runnable changed;
  private final Set<String> users = new HashSet<>();
  /** Asked for since the session began. */
  private boolean known;
  /** Asked for over this connection, too: somebody may have been blocked since the one before. */
  private boolean current;
  /** Notices of new messages that wait until then, the newest ones. */
  private List<Runnable> waiting = new ArrayList<>();

  Blocks(Tasks tasks, Runnable changed) {
    this.tasks = tasks;
    this.changed = changed;
  }

  /** Over a new connection: they may have changed meanwhile. */
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

          /** A server that refuses it never says who they are. */
          @Override
          void refused(ChatError error) {
            goOn();
          }
        });
  }

  /** Gives the notices that wait. */
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

  /** Gives notice of a message, unless its author is blocked: that may be known only later. */
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

  /** False if that is nothing new. */
  boolean set(String user, boolean blocked) {
    boolean news = blocked ? users.add(user) : users.remove(user);
    if (news) changed.run();
    return news;
  }

  /** As it is to be shown now, however long ago it was read. */
  Message shown(Message message) {
    return known ? message.hidden(has(message.user.id)) : message;
  }

  List<Message> shown(List<Message> messages) {
    List<Message> shown = new ArrayList<>(messages.size());
    for (Message message : messages) shown.add(shown(message));
    return shown;
  }

  /** The direct room with such a user has no unread messages. */
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
