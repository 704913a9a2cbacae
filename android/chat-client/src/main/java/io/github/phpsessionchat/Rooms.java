package io.github.phpsessionchat;

import java.text.Collator;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.json.JSONArray;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/**
 * All known rooms: the user's rooms and public rooms to join. {@code session:ready} has the first hundred. The user's
 * other rooms are loaded immediately, because each may have unread messages.
 */
final class Rooms {
  interface Port {
    /** The room was removed, or the user is no longer a member. */
    void removed(Room room, RoomSummary before, Removal removal);

    void changed();
  }

  /** Maximum page size of {@code room:list}. */
  private static final int PAGE_SIZE = 200;
  /** Sorts a room without a message just below the previous one. */
  private static final double SORT_STEP = 0.001;
  /** The name of the tag in {@link RoomSummary#tagged}. */
  static final String TAG = "tag";

  final Map<String, Room> byId = new LinkedHashMap<>();
  /** The rooms of the last {@code session:ready} by tag. The server omits those that have not changed since. */
  private Map<String, JSONObject> tagged = Collections.emptyMap();
  private final Tasks tasks;
  private final Port port;
  /** Difference between the server's clock and this machine's, in milliseconds. */
  private long clockOffsetMs;
  /** Whether the list of this connection is complete. */
  private boolean upToDate;
  /** Rooms of earlier connections that this one has not confirmed. */
  private final Set<String> unchecked = new HashSet<>();

  Rooms(Tasks tasks, Port port) {
    this.tasks = tasks;
    this.port = port;
  }

  /** Returns the user's rooms, newest message first, then the others by name. */
  List<RoomSummary> list() {
    List<Room> own = new ArrayList<>();
    List<Room> others = new ArrayList<>();
    for (Room room : byId.values()) (room.summary.member ? own : others).add(room);
    Collections.sort(own, (a, b) -> a.sortKey == b.sortKey ? a.id().compareTo(b.id()) : Double.compare(b.sortKey, a.sortKey));
    Collator collator = Collator.getInstance();
    Collections.sort(others, (a, b) -> collator.compare(a.summary.name, b.summary.name));
    List<RoomSummary> list = new ArrayList<>(byId.size());
    for (Room room : own) list.add(room.summary);
    for (Room room : others) list.add(room.summary);
    return Collections.unmodifiableList(list);
  }

  /** Adds rooms of an earlier process. The next connection checks them. */
  void restore(List<RoomSummary> stored) {
    put(stored, new HashSet<>());
    tagged = new LinkedHashMap<>();
    for (RoomSummary room : stored) if (room.tagged != null) tagged.put(room.tagged.optString(TAG), room.tagged);
  }

  /** Returns the tags of the known rooms, as {@code auth.tags}. */
  String tags() {
    StringBuilder tags = new StringBuilder();
    for (String tag : tagged.keySet()) tags.append(tags.length() == 0 ? "" : ",").append(tag);
    return tags.toString();
  }

  boolean upToDate() {
    return upToDate;
  }

  /** Called when the connection ends. Returns whether {@link #upToDate} changed. */
  boolean disconnected() {
    boolean before = upToDate;
    upToDate = false;
    return before;
  }

  /** Returns all rooms that {@code session:ready} lists, with those that the server omitted because of {@link #tags}. */
  List<JSONObject> listed(JSONObject ready) {
    List<JSONObject> sent = Wire.list(ready, "rooms", json -> json);
    JSONArray tags = ready.optJSONArray("tags");
    if (tags == null) return sent;
    Iterator<JSONObject> next = sent.iterator();
    List<JSONObject> listed = new ArrayList<>();
    for (int i = 0; i < tags.length(); i++) {
      String tag = tags.optString(i);
      JSONObject known = tagged.get(tag);
      if (known != null) listed.add(known);
      else if (next.hasNext()) listed.add(Wire.put(next.next(), TAG, tag));
    }
    return listed;
  }

  /** Updates the rooms after a connect. @param listed see {@link #listed} */
  void ready(JSONObject ready, List<JSONObject> listed) {
    upToDate = false;
    clockOffsetMs = Wire.number(ready, "serverTime") - System.currentTimeMillis();
    Set<String> missing = new HashSet<>(byId.keySet());
    List<RoomSummary> summaries = new ArrayList<>();
    for (JSONObject json : listed) summaries.add(RoomSummary.fromJson(json));
    put(summaries, missing);
    tagged = new LinkedHashMap<>();
    for (JSONObject json : listed) {
      if (!json.has(TAG)) continue;
      tagged.put(json.optString(TAG), json);
      Room room = byId.get(json.optString("id"));
      // A higher read marker of this client stays.
      if (room != null && room.summary.readSeq == Wire.number(json, "readSeq")) room.summary.tagged = json;
    }
    if (ready.optBoolean("more")) fetchRest(null, missing);
    else checkMissing(missing);
  }

  void clear() {
    upToDate = false;
    byId.clear();
    tagged = Collections.emptyMap();
  }

  /** Adds or updates a room. */
  Room put(RoomSummary summary) {
    Room room = byId.get(summary.id);
    boolean joined = room != null && !room.summary.member && summary.member;
    boolean known = room != null;
    if (known) room.update(summary, false);
    else byId.put(summary.id, room = new Room(summary));
    if (summary.last != null) room.sortKey = summary.last.sentAt;
    else if (!known || joined) room.sortKey = System.currentTimeMillis() + clockOffsetMs;
    return room;
  }

  /** Adds or updates rooms in the server's order. A room without a message goes just below the previous one. */
  private void put(List<RoomSummary> summaries, Set<String> missing) {
    double previousKey = System.currentTimeMillis() + clockOffsetMs;
    for (RoomSummary summary : summaries) {
      missing.remove(summary.id);
      Room room = put(summary);
      if (summary.last == null) room.sortKey = previousKey - SORT_STEP;
      previousKey = room.sortKey;
    }
  }

  /** Updates the sort key after the newest message changed. */
  void updateSortKey(Room room) {
    if (room.summary.last != null) room.sortKey = room.summary.last.sentAt;
  }

  /**
   * Reloads a direct room if the other user's name or presence is outdated. If this user may not find the other, no
   * event reports such a change.
   */
  void refreshPeer(Room room, User user) {
    User other = room.summary.with;
    if (other == null || !other.id.equals(user.id)) return;
    if (!other.name.equals(user.name) || !room.summary.present) reload(room.id());
  }

  void removed(String id, Removal removal) {
    Room room = byId.get(id);
    if (room == null) return;
    RoomSummary before = room.summary;
    if (removal.readable) room.left();
    else byId.remove(id);
    port.removed(room, before, removal);
  }

  /** Loads an unknown or outdated room. */
  void reload(String id) {
    fetch(
        "reload " + id,
        id,
        new RoomCallback() {
          @Override
          public void loaded(Room room) {}

          @Override
          public void handleRejection(ChatError error) {}
        });
  }

  interface RoomCallback {
    void loaded(Room room);

    void handleRejection(ChatError error);
  }

  /** Loads a room, listed or not. */
  void fetch(String task, String id, RoomCallback then) {
    tasks.once(
        task,
        // With `seq` 0 this moves no marker, and it requires only the right to read.
        new Tasks.Task("read:mark") {
          @Override
          JSONObject payload() {
            return Wire.payload("room", id, "seq", 0);
          }

          @Override
          void handleResponse(JSONObject data) {
            Room room = put(RoomSummary.fromJson(Wire.object(data, "room")));
            port.changed();
            then.loaded(room);
          }

          @Override
          void handleRejection(ChatError error) {
            then.handleRejection(error);
          }
        });
  }

  private void fetchRest(@Nullable String cursor, Set<String> missing) {
    tasks.once(
        "list own",
        new Tasks.Task("room:list") {
          @Override
          JSONObject payload() {
            return Wire.payload("limit", PAGE_SIZE, "cursor", cursor);
          }

          @Override
          void handleResponse(JSONObject data) {
            put(Wire.list(data, "rooms", RoomSummary::fromJson), missing);
            port.changed();
            String next = Wire.text(data, "next");
            // A cursor that does not change would be requested forever.
            if (next != null && !next.equals(cursor)) fetchRest(next, missing);
            else checkMissing(missing);
          }
        });
  }

  /** Checks rooms that are missing from the list. Only an `unknown_room` response removes them. */
  private void checkMissing(Set<String> missing) {
    unchecked.clear();
    unchecked.addAll(missing);
    endCheck();
    for (String id : missing) {
      fetch(
          "check " + id,
          id,
          new RoomCallback() {
            @Override
            public void loaded(Room room) {
              check(id);
            }

            @Override
            public void handleRejection(ChatError error) {
              if (error.code.equals("unknown_room")) removed(id, Removal.of(RemovalReason.UNKNOWN, false));
              check(id);
            }
          });
    }
  }

  private void check(String id) {
    unchecked.remove(id);
    endCheck();
  }

  private void endCheck() {
    if (!unchecked.isEmpty() || upToDate) return;
    upToDate = true;
    port.changed();
  }
}
