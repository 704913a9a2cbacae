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
    @Nullable Future<?> ends;
  }

  /** A user without a new event stopped typing after this time. */
  private static final long OTHERS_MS = 6000;
  /** Interval for repeating that the user is typing. */
  private static final long REPEAT_MS = 3000;

  private static final long STOP_MS = 5000;

  private final Loop loop;
  private final Connection connection;
  private final Port port;
  private final Map<String, Map<String, Typist>> rooms = new LinkedHashMap<>();
  /** The room where others see this user typing, and when that was last sent. */
  private @Nullable String toldRoom;

  private long toldAt;
  private @Nullable Future<?> ends;

  Typing(Loop loop, Connection connection, Port port) {
    this.loop = loop;
    this.connection = connection;
    this.port = port;
  }

  void heard(String room, User user, boolean typing) {
    if (!typing) {
      stopped(room, user.id);
      return;
    }
    Map<String, Typist> users = rooms.get(room);
    if (users == null) rooms.put(room, users = new LinkedHashMap<>());
    // A user who continues keeps the position.
    Typist typist = users.get(user.id);
    if (typist == null) users.put(user.id, typist = new Typist());
    Loop.cancel(typist.ends);
    typist.user = user;
    typist.ends = loop.later(OTHERS_MS, () -> stopped(room, user.id));
    tell(room);
  }

  void stopped(String room, String user) {
    Map<String, Typist> users = rooms.get(room);
    Typist typist = users == null ? null : users.remove(user);
    if (typist == null) return;
    Loop.cancel(typist.ends);
    tell(room);
  }

  void forget(String room) {
    Map<String, Typist> users = rooms.remove(room);
    if (users == null || users.isEmpty()) return;
    for (Typist typist : users.values()) Loop.cancel(typist.ends);
    port.changed(room, Collections.<User>emptyList());
  }

  /** The connection was lost, and others no longer see this user typing. */
  void forget() {
    for (String room : new ArrayList<>(rooms.keySet())) forget(room);
    Loop.cancel(ends);
    toldRoom = null;
  }

  /** Called for each change of the text. */
  void typed(String room) {
    if (toldRoom != null && !toldRoom.equals(room)) stop();
    Loop.cancel(ends);
    ends = loop.later(STOP_MS, this::stop);
    if (toldRoom != null && loop.now() - toldAt < REPEAT_MS) return;
    toldRoom = room;
    toldAt = loop.now();
    say(room, true);
  }

  /** Called after a pause, when the field loses focus, and when the message is sent. */
  void stop() {
    Loop.cancel(ends);
    String room = toldRoom;
    toldRoom = null;
    if (room != null) say(room, false);
  }

  private void tell(String room) {
    List<User> users = new ArrayList<>();
    for (Typist typist : rooms.get(room).values()) users.add(typist.user);
    port.changed(room, Collections.unmodifiableList(users));
  }

  private void say(String room, boolean typing) {
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
