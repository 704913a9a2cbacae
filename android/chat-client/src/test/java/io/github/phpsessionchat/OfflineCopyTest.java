package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.Test;

class OfflineCopyTest {
  /** Larger than an int. */
  private static final long NOW = 1_800_000_000_000L;
  private static final User ALICE = new User("1", "Alice");

  private static final JSONObject BOB = new JSONObject().put("id", "2").put("name", "Bob");
  private static final JSONObject IMAGE =
      new JSONObject().put("id", "i1").put("width", 4).put("height", 3).put("blur", "LKO2");

  private static JSONObject message(int seq) {
    JSONObject file =
        new JSONObject().put("id", "f1").put("name", "a.m4a").put("type", "audio/mp4").put("size", 1L << 40).put("alt", "Birds")
            .put("image", IMAGE).put("audio", new JSONObject().put("duration", 1500).put("peaks", "0v"))
            .put("video", new JSONObject().put("width", 4).put("height", 3).put("duration", 7));
    return new JSONObject()
        .put("id", "m" + seq).put("room", "lobby").put("seq", seq).put("rev", 2).put("clientId", "c" + seq).put("user", BOB)
        .put("text", "Hello @Alice").put("sentAt", NOW).put("editedAt", NOW + 1).put("deletedAt", NOW + 2)
        .put("deletedBy", "moderator").put("replyTo", 4).put("thread", 5).put("threadOnly", true)
        .put("mentions", new JSONArray().put(new JSONObject().put("user", BOB).put("start", 6).put("length", 6)))
        .put("files", new JSONArray().put(file))
        .put("preview", new JSONObject().put("url", "https://a.example/").put("title", "A").put("description", "B").put("image", IMAGE))
        .put("forwarded", new JSONObject().put("user", BOB))
        .put("reactions", new JSONArray().put(
            new JSONObject().put("emoji", "👍").put("count", 2).put("mine", true).put("users", new JSONArray().put("Bob"))))
        .put("poll", new JSONObject().put("event", new JSONObject().put("start", NOW + 5).put("end", NOW + 6).put("place", "Park"))
            .put("multiple", true).put("anonymous", true).put("until", NOW + 7).put("endedAt", NOW + 8))
        .put("card", "order:4711").put("important", true);
  }

  private static JSONObject room() {
    return new JSONObject()
        .put("id", "lobby").put("name", "Lobby").put("topic", "All").put("kind", "public").put("member", true)
        .put("members", 3).put("with", BOB).put("head", 30).put("lastSeq", 20).put("firstSeq", 2).put("readSeq", 15)
        .put("mentions", 1).put("notify", "mentions")
        .put("last", new JSONObject().put("seq", 20).put("user", BOB).put("text", "Hi").put("sentAt", 1000)
            .put("deletedAt", 2000).put("files", 1).put("pictures", 1).put("voice", 900).put("card", true));
  }

  private static List<Entry> entries(Message... messages) {
    return Entry.list(Arrays.asList(messages), Collections.<UnsentMessage>emptyList(), ALICE);
  }

  /** Returns all public fields of a value, with those of its parts. */
  private static Object fields(Object value) throws IllegalAccessException {
    if (value instanceof Collection) {
      JSONArray all = new JSONArray();
      for (Object item : (Collection<?>) value) all.put(fields(item));
      return all;
    }
    if (value == null || value.getClass().getPackage() != OfflineCopy.class.getPackage() || value instanceof Enum) return "" + value;
    JSONObject all = new JSONObject();
    for (Field field : value.getClass().getFields()) {
      if (!Modifier.isStatic(field.getModifiers())) all.put(field.getName(), fields(field.get(value)));
    }
    return all;
  }

  @Test
  void keepsAllOfAMessage() throws Exception {
    Message message = Message.fromJson(message(1));
    Message copy = OfflineCopy.readMessages(OfflineCopy.writeMessages(entries(message), 10)).get(0).message;
    assertEquals(NOW + 5, copy.poll.event.start);
    JSONObject written = (JSONObject) fields(copy);
    assertEquals(((JSONObject) fields(message)).toString(2), written.toString(2));
    // Each field of the sample differs from a missing one.
    JSONObject empty = (JSONObject) fields(Message.fromJson(new JSONObject()));
    Set<String> missing = new TreeSet<>();
    for (String name : written.keySet()) if (written.get(name).toString().equals(empty.get(name).toString())) missing.add(name);
    assertEquals(Collections.singleton("hidden"), missing);
  }

  @Test
  void keepsRoomsWithoutRightsOtherThanToWrite() throws Exception {
    RoomSummary room = RoomSummary.fromJson(room());
    OfflineCopy copy = OfflineCopy.readRooms(OfflineCopy.writeRooms(ALICE, Arrays.asList(room, room, room), 2));
    assertEquals(ALICE, copy.me.user);
    assertFalse(copy.me.canSendFiles);
    assertEquals(2, copy.rooms.size());
    assertEquals(fields(room).toString(), fields(copy.rooms.get(0)).toString());
    assertEquals(5, copy.rooms.get(0).unread);
    RoomSummary writable = RoomSummary.fromJson(room().put("may", new JSONArray().put("send").put("moderate")).put("role", "owner"));
    RoomSummary read = OfflineCopy.readRooms(OfflineCopy.writeRooms(ALICE, Collections.singletonList(writable), 2)).rooms.get(0);
    assertTrue(read.may(RoomSummary.Right.SEND));
    assertFalse(read.may(RoomSummary.Right.MODERATE));
  }

  @Test
  void keepsTheLastMessagesWithoutThoseOfBlockedUsers() {
    List<Entry> all = entries(Message.fromJson(message(1)), Message.fromJson(message(2)), Message.fromJson(message(3)).hidden(true), Message.fromJson(message(4)));
    String text = OfflineCopy.writeMessages(all, 2);
    List<Entry> read = OfflineCopy.readMessages(text);
    assertEquals(2, read.size());
    assertEquals(2, read.get(0).message.seq);
    assertEquals(4, read.get(1).message.seq);
  }

  @Test
  void damagedTextIsNotRead() {
    String rooms = OfflineCopy.writeRooms(ALICE, Collections.singletonList(RoomSummary.fromJson(room())), 10);
    String messages = OfflineCopy.writeMessages(entries(Message.fromJson(message(1))), 10);
    for (int length = 0; length < rooms.length(); length++) assertNull(OfflineCopy.readRooms(rooms.substring(0, length)));
    for (int length = 0; length < messages.length(); length++) assertNull(OfflineCopy.readMessages(messages.substring(0, length)));
    assertNull(OfflineCopy.readRooms("{}"));
    assertNull(OfflineCopy.readMessages("{}"));
  }
}
