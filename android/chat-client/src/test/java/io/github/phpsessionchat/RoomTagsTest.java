package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import okhttp3.OkHttpClient;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Rooms that the server omits, because the client sent their tags. */
class RoomTagsTest {
  private final ExecutorService main = Executors.newSingleThreadExecutor();
  private final EventRecorder events =
      new EventRecorder() {
        @Override
        public void onRooms(List<RoomSummary> rooms, boolean upToDate) {
          if (upToDate) record("rooms " + names(rooms));
        }
      };
  private ScriptedServer server;
  private Chat chat;

  @BeforeEach
  void begin() throws IOException {
    server = new ScriptedServer(true);
    chat = chat();
  }

  private Chat chat() {
    OkHttpClient http = new OkHttpClient.Builder().cookieJar(new SessionCookies()).build();
    return Chat.builder(server.url(), main, events).http(http).build();
  }

  @AfterEach
  void end() {
    chat.close();
    server.close();
    main.shutdownNow();
  }

  private static List<String> names(List<RoomSummary> rooms) {
    List<String> names = new ArrayList<>();
    for (RoomSummary room : rooms) names.add(room.name);
    Collections.sort(names);
    return names;
  }

  private static JSONObject room(String id, String name) {
    return ScriptedServer.room(id).put("name", name).put("may", new JSONArray().put("send").put("moderate"));
  }

  /** Lets the next connections list these tags, and send only these rooms. */
  private void list(String user, List<String> tags, JSONObject... rooms) {
    JSONObject ready = new JSONObject(((String) ScriptedServer.welcome(user).get(2)).replaceAll("^42\\[\"session:ready\",|]$", ""));
    ready.put("rooms", new JSONArray(rooms)).put("tags", new JSONArray(tags));
    List<Object> packets = ScriptedServer.welcome(user);
    packets.set(2, "42" + new JSONArray().put("session:ready").put(ready));
    server.setPackets(packets);
  }

  private static List<String> tags(String... tags) {
    return Arrays.asList(tags);
  }

  @Test
  void aReconnectSendsTheTagsAndListsTheOmittedRooms() throws Exception {
    list("alice", tags("l1", "g1"), room("lobby", "Lobby"), room("garden", "Garden"));
    chat.start();
    events.await("rooms [Garden, Lobby]");
    assertEquals("", server.awaitAuth().getString("tags"));
    list("alice", tags("l1", "g2"), room("garden", "New garden"));
    chat.stop();
    chat.start();
    events.await("rooms [Lobby, New garden]");
    assertEquals("l1,g1", server.awaitAuth().getString("tags"));
    list("alice", tags("l1", "g2"));
    // The tag stands for the room as the server sent it, whatever happened since.
    server.event("room:changed", room("lobby", "Renamed"));
    events.await("rooms [New garden, Renamed]");
    chat.stop();
    chat.start();
    events.await("rooms [Lobby, New garden]");
    assertEquals("l1,g2", server.awaitAuth().getString("tags"));
  }

  @Test
  void roomsOfAnEarlierProcessKeepTheirTags() throws Exception {
    list("alice", tags("l1", "g1"), room("lobby", "Lobby"), room("garden", "Garden"));
    chat.start();
    events.await("rooms [Garden, Lobby]");
    server.event("room:changed", room("garden", "Changed garden"));
    events.await("rooms [Changed garden, Lobby]");
    String stored = OfflineCopy.writeRooms(chat.me().user, chat.rooms(), 10);
    chat.close();
    server.awaitAuth();

    OfflineCopy copy = OfflineCopy.readRooms(stored);
    assertEquals("[Changed garden, Lobby]", names(copy.rooms).toString());
    for (RoomSummary room : copy.rooms) assertFalse(room.may(RoomSummary.Right.MODERATE));
    chat = chat();
    chat.restore(copy);
    list("alice", tags("l1", "g2"), room("garden", "New garden"));
    chat.start();
    events.await("rooms [Lobby, New garden]");
    assertEquals("l1", server.awaitAuth().getString("tags"));
    for (RoomSummary room : chat.rooms()) assertTrue(room.may(RoomSummary.Right.MODERATE));
  }

  @Test
  void anotherUserWithTheSameRoomSeesItsNextRoomsToo() throws Exception {
    list("alice", tags("l1"), room("lobby", "Lobby"));
    chat.start();
    events.await("rooms [Lobby]");
    OfflineCopy copy = OfflineCopy.readRooms(OfflineCopy.writeRooms(chat.me().user, chat.rooms(), 10));
    chat.close();
    chat = chat();
    chat.restore(copy);
    list("bob", tags("l1", "d1"), room("den", "Den"));
    chat.start();
    events.await("rooms [Den, Lobby]");
  }

  @Test
  void theEndOfASessionForgetsTheTags() throws Exception {
    list("alice", tags("l1"), room("lobby", "Lobby"));
    chat.start();
    events.await("rooms [Lobby]");
    server.awaitAuth();
    server.event("session:ended", new JSONObject().put("reason", "logout"));
    assertEquals("", server.awaitAuth().getString("tags"));
  }

  @Test
  void aRoomOfABlockedUserIsStoredWithoutItsText() throws Exception {
    JSONObject user = new JSONObject().put("id", "2").put("name", "Bob");
    JSONObject last = new JSONObject().put("seq", 1).put("user", user).put("text", "secret").put("hidden", true);
    list("alice", tags("l1"), room("lobby", "Lobby").put("last", last));
    chat.start();
    events.await("rooms [Lobby]");
    assertFalse(OfflineCopy.writeRooms(chat.me().user, chat.rooms(), 10).contains("secret"));
  }
}
