package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/**
 * The rooms and messages of a user as text. Store it to show them after a restart without a connection, see
 * {@link Chat#restore}, and delete it when the user logs out. Messages of blocked users are left out.
 */
public final class OfflineCopy {
  /** The user, without rights. */
  public final Identity me;
  /** The rooms, without rights other than {@link RoomSummary.Right#SEND}. */
  public final List<RoomSummary> rooms;

  private OfflineCopy(Identity me, List<RoomSummary> rooms) {
    this.me = me;
    this.rooms = rooms;
  }

  /**
   * Writes the first rooms of a list.
   *
   * @param me the user
   * @param rooms the rooms, see {@link Chat#rooms}
   * @param limit maximum number of rooms
   * @return the text, for {@link #readRooms}
   */
  public static String writeRooms(User me, List<RoomSummary> rooms, int limit) {
    JSONArray written = new JSONArray();
    for (RoomSummary room : rooms.subList(0, Math.min(limit, rooms.size()))) written.put(writeRoom(room));
    return Wire.payload("user", me.toJsonObject(), "rooms", written).toString();
  }

  /**
   * Reads the text of {@link #writeRooms}.
   *
   * @param text the text
   * @return the user and rooms; null if the text is damaged
   */
  public static @Nullable OfflineCopy readRooms(String text) {
    JSONObject json = parse(text);
    if (json == null || !json.has("user")) return null;
    return new OfflineCopy(Identity.fromJson(json), Wire.list(json, "rooms", OfflineCopy::readRoom));
  }

  private static RoomSummary readRoom(JSONObject json) {
    RoomSummary room = RoomSummary.fromJson(json);
    if (!json.has(Rooms.TAG)) return room;
    RoomSummary restricted = RoomSummary.fromJson(restricted(room));
    restricted.tagged = json;
    return restricted;
  }

  /**
   * Writes the last stored messages of a room.
   *
   * @param entries the messages, see {@link Chat#messages}
   * @param limit maximum number of messages
   * @return the text, for {@link #readMessages}
   */
  public static String writeMessages(List<Entry> entries, int limit) {
    List<JSONObject> written = new ArrayList<>();
    for (int i = entries.size() - 1; i >= 0 && written.size() < limit; i--) {
      Message message = entries.get(i).message;
      if (message != null && !message.hidden) written.add(message.toJsonObject());
    }
    Collections.reverse(written);
    return Wire.payload("messages", array(written)).toString();
  }

  /**
   * Reads the text of {@link #writeMessages}.
   *
   * @param text the text
   * @return the messages; null if the text is damaged
   */
  public static @Nullable List<Entry> readMessages(String text) {
    JSONObject json = parse(text);
    if (json == null || !json.has("messages")) return null;
    return Entry.list(Wire.list(json, "messages", Message::fromJson), Collections.<UnsentMessage>emptyList(), null);
  }

  private static @Nullable JSONObject parse(String text) {
    try {
      return new JSONObject(text);
    } catch (JSONException e) {
      return null;
    }
  }

  /** A room with a tag is written as the server sent it, so that the next connection need not load it again. */
  private static JSONObject writeRoom(RoomSummary room) {
    boolean isHidden = room.last != null && room.last.hidden;
    return room.tagged == null || isHidden ? restricted(room) : room.tagged;
  }

  private static JSONObject restricted(RoomSummary room) {
    return Wire.payload(
        "id", room.id,
        "name", room.name,
        "topic", room.topic,
        "kind", Wire.name(room.kind),
        "member", room.member,
        "may", room.may(RoomSummary.Right.SEND) ? new JSONArray().put(Wire.name(RoomSummary.Right.SEND)) : null,
        "members", room.members,
        "with", room.with == null ? null : room.with.toJsonObject(),
        "head", room.head,
        "lastSeq", room.lastSeq,
        "firstSeq", room.firstSeq,
        "readSeq", room.lastSeq - room.unread,
        "mentions", room.mentions,
        "last", room.last == null ? null : last(room.last),
        "notify", Wire.name(room.notify));
  }

  private static JSONObject last(RoomSummary.Last last) {
    return Wire.put(last.toJsonObject(), "text", last.hidden ? "" : last.text);
  }

  private static JSONArray array(List<JSONObject> items) {
    JSONArray array = new JSONArray();
    for (JSONObject item : items) array.put(item);
    return array;
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "copy of %d rooms", rooms.size());
  }
}
