package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.json.JSONObject;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

class EntryVectorsTest {
  @TestFactory
  Stream<DynamicTest> mergesStoredAndUnsentMessages() throws IOException {
    return Vectors.read("unsent").stream().map(one -> dynamicTest(one.getString("name"), () -> check(one)));
  }

  private static void check(JSONObject vector) {
    List<UnsentMessage> unsent = new ArrayList<>();
    for (Object one : vector.getJSONArray("unsent")) {
      JSONObject item = (JSONObject) one;
      unsent.add(UnsentMessage.fromJson(new JSONObject(item.toString()).put("writtenAt", item.getLong("sentAt"))));
    }
    List<String> expected = new ArrayList<>();
    for (Object one : vector.getJSONArray("list")) {
      JSONObject line = (JSONObject) one;
      expected.add(
          line(line.getString("user"), line.getString("clientId"), line.getString("text"), line.getBoolean("unsent")));
    }
    List<String> shown = new ArrayList<>();
    Set<String> keys = new HashSet<>();
    User me = new User(vector.getString("me"), "Me");
    for (Entry entry : Entry.list(Vectors.messages(vector, "stored"), unsent, me)) {
      boolean waits = entry.unsent != null;
      String clientId = waits ? entry.unsent.clientId : entry.message.clientId;
      shown.add(line(entry.user.id, clientId, entry.text, waits));
      keys.add(entry.key);
    }
    assertEquals(expected, shown);
    assertEquals(shown.size(), keys.size(), "each line has a unique key");
  }

  private static String line(String user, String clientId, String text, boolean unsent) {
    return user + " " + clientId + " " + text + (unsent ? " unsent" : "");
  }
}
