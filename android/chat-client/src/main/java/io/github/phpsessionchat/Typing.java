package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** The users who type, by room: the others, and oneself for the others to see. */
final class Typing {
  interface Port {
    void changed(String room, List<User> users);
  }

  private static final class Typist {
    User user;
    @Nullable Future<?> ends;
  }

  /** Somebody of whom nothing more is heard has stopped. */
  private static final long OTHERS_MS = 6000;
  /** The server hears this often that the user still types. */
  private static final long REPEAT_MS = 3000;

  private static final long STOP_MS = 5000;

  private final Loop loop;
  private final Connection connection;
  private final Port port;
  private final Map<String, Map<String, Typist>> rooms = new LinkedHashMap<>();
  /** Where the others believe that one types oneself, and when they were told so. */
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
    // A user who goes on keeps the place.
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

  /** Forgets that room. */
  void forget(String room) {
    Map<String, Typist> users = rooms.remove(room);
    if (users == null || users.isEmpty()) return;
    for (Typist typist : users.values()) Loop.cancel(typist.ends);
    port.changed(room, Collections.<User>emptyList());
  }

  /** The connection is gone, and what the others believe with it. */
  void forget() {
    for (String room : new ArrayList<>(rooms.keySet())) forget(room);
    Loop.cancel(ends);
    toldRoom = null;
  }

  /** Something was typed in that room. */
  void typed(String room) {
    if (toldRoom != null && !toldRoom.equals(room)) stop();
    Loop.cancel(ends);
    ends = loop.later(STOP_MS, this::stop);
    if (toldRoom != null && loop.now() - toldAt < REPEAT_MS) return;
    toldRoom = room;
    toldAt = loop.now();
    say(room, true);
  }

  /** After a pause, when the field is left, and when the message is sent. */
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

          // Not worth a second attempt: it is over by then.
          @Override
          public void failed(ChatError error) {}
        });
  }
}
