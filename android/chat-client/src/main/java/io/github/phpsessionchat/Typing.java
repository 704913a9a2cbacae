package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** Users who are typing, by room, and the typing state that this user sends. */
final class Typing {
  interface Port {
    void changed(String room, List<User> users);
  }

  private static final class Typist {
    User user;
    @Nullable Future<?> timer;
  }

  /** A user without a new event stopped typing after this time. */
  private static final long TYPIST_TIMEOUT_MS = 6000;
  /** Interval for repeating that the user is typing. */
  private static final long REPEAT_INTERVAL_MS = 3000;

  private static final long STOP_AFTER_MS = 5000;

  private final Loop loop;
  private final Connection connection;
  private final Port port;
  private final Map<String, Map<String, Typist>> rooms = new LinkedHashMap<>();
  /** The room where others see this user typing, and when that was last sent. */
  private @Nullable String sentRoom;

  private long sentAt;
  private @Nullable Future<?> timer;

  Typing(Loop loop, Connection connection, Port port) {
    this.loop = loop;
    this.connection = connection;
    this.port = port;
  }

  void update(String room, User user, boolean typing) {
    if (!typing) {
      stopped(room, user.id);
      return;
    }
    Map<String, Typist> users = rooms.get(room);
    if (users == null) rooms.put(room, users = new LinkedHashMap<>());
    // A user who continues to type keeps the position in the list.
    Typist typist = users.get(user.id);
    if (typist == null) users.put(user.id, typist = new Typist());
    Loop.cancel(typist.timer);
    typist.user = user;
    typist.timer = loop.later(TYPIST_TIMEOUT_MS, () -> stopped(room, user.id));
    report(room);
  }

  void stopped(String room, String user) {
    Map<String, Typist> users = rooms.get(room);
    Typist typist = users == null ? null : users.remove(user);
    if (typist == null) return;
    Loop.cancel(typist.timer);
    report(room);
  }

  void forget(String room) {
    Map<String, Typist> users = rooms.remove(room);
    if (users == null || users.isEmpty()) return;
    for (Typist typist : users.values()) Loop.cancel(typist.timer);
    port.changed(room, Collections.<User>emptyList());
  }

  /** The connection was lost, and others no longer see this user typing. */
  void forget() {
    for (String room : new ArrayList<>(rooms.keySet())) forget(room);
    Loop.cancel(timer);
    sentRoom = null;
  }

  /** Called for each change of the text. */
  void typed(String room) {
    if (sentRoom != null && !sentRoom.equals(room)) stop();
    Loop.cancel(timer);
    timer = loop.later(STOP_AFTER_MS, this::stop);
    if (sentRoom != null && loop.now() - sentAt < REPEAT_INTERVAL_MS) return;
    sentRoom = room;
    sentAt = loop.now();
    send(room, true);
  }

  /** Called after a pause, when the field loses focus, and when the message is sent. */
  void stop() {
    Loop.cancel(timer);
    String room = sentRoom;
    sentRoom = null;
    if (room != null) send(room, false);
  }

  private void report(String room) {
    List<User> users = new ArrayList<>();
    for (Typist typist : rooms.get(room).values()) users.add(typist.user);
    port.changed(room, Collections.unmodifiableList(users));
  }

  private void send(String room, boolean typing) {
    connection.request(
        "typing:set",
        Wire.payload("room", room, "typing", typing),
        new Reply() {
          @Override
          public void ok(JSONObject data) {}

          // Not repeated, because the state would be outdated.
          @Override
          public void failed(ChatError error) {}
        });
  }
}
