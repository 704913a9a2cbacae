package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
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
  private static final int MAX_QUEUED = 100;

  private final Tasks tasks;
  private final Runnable changed;
  private final Set<String> users = new HashSet<>();
  /** Whether the list was loaded in this session. */
  private boolean isLoaded;
  /** Whether the request for the list was answered over this connection. Another device may have changed the list. */
  private boolean isCurrent;
  /** Notifications of new messages that wait for the list. */
  private List<Runnable> queued = new ArrayList<>();

  Blocks(Tasks tasks, Runnable changed) {
    this.tasks = tasks;
    this.changed = changed;
  }

  /** Loads the list after each connect. */
  void ready() {
    isCurrent = false;
    tasks.once(
        "blocked",
        new Tasks.Task("user:blocked") {
          @Override
          JSONObject payload() {
            return new JSONObject();
          }

          @Override
          void handleResponse(JSONObject data) {
            try {
              List<String> now = new ArrayList<>();
              for (User user : Wire.list(data, "users", User::fromJson)) now.add(user.id);
              boolean isUnchanged = isLoaded && users.size() == now.size() && users.containsAll(now);
              isLoaded = true;
              users.clear();
              users.addAll(now);
              if (!isUnchanged) changed.run();
            } finally {
              flush();
            }
          }

          /** The previous list stays in use. At first it is empty. */
          @Override
          void handleRejection(ChatError error) {
            flush();
          }
        });
  }

  /** Runs the queued notifications. */
  private void flush() {
    isCurrent = true;
    List<Runnable> notices = queued;
    queued = new ArrayList<>();
    for (Runnable notice : notices) notice.run();
  }

  void clear() {
    users.clear();
    isLoaded = false;
    queued.clear();
  }

  /** Runs the notification unless the author is blocked, once the list is loaded. */
  void announce(String author, Runnable notice) {
    if (isCurrent) {
      if (!isBlocked(author)) notice.run();
      return;
    }
    if (queued.size() == MAX_QUEUED) queued.remove(0);
    queued.add(() -> announce(author, notice));
  }

  boolean isBlocked(String user) {
    return users.contains(user);
  }

  /** @return whether this is a change */
  boolean set(String user, boolean blocked) {
    boolean isChange = blocked ? users.add(user) : users.remove(user);
    if (isChange) changed.run();
    return isChange;
  }

  /** Marks the message as hidden or visible by the current list. */
  Message apply(Message message) {
    return isLoaded ? message.hidden(isBlocked(message.user.id)) : message;
  }

  List<Message> apply(List<Message> messages) {
    List<Message> updated = new ArrayList<>(messages.size());
    for (Message message : messages) updated.add(apply(message));
    return updated;
  }

  /** Marks the pinned messages as hidden or visible by the current list. */
  List<PinnedMessage> applyToPins(List<PinnedMessage> pins) {
    List<PinnedMessage> updated = new ArrayList<>(pins.size());
    for (PinnedMessage pin : pins) {
      updated.add(isLoaded ? pin.with(pin.message.hidden(isBlocked(pin.message.user.id))) : pin);
    }
    return Collections.unmodifiableList(updated);
  }

  /** Updates a room by the current list. A direct room with a blocked user has no unread messages. */
  RoomSummary apply(RoomSummary room) {
    boolean quiet = room.with != null && isBlocked(room.with.id);
    boolean hidden = room.last != null && (isBlocked(room.last.user.id) || (!isLoaded && room.last.hidden));
    if (room.quiet == quiet && (room.last == null || room.last.hidden == hidden)) return room;
    RoomSummary.Draft draft = new RoomSummary.Draft(room);
    draft.quiet = quiet;
    if (room.last != null) draft.last = room.last.hidden(hidden);
    return draft.done();
  }
}
