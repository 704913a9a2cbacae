package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.Arrays;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.Test;

/** An app logs what it is given. */
class ValuesTest {
  @Test
  void theyNameThemselvesAndShowNoText() {
    JSONObject user = new JSONObject().put("id", "42").put("name", "Bob");
    JSONObject file = new JSONObject().put("id", "f1").put("name", "secret").put("alt", "secret");
    JSONObject json =
        new JSONObject()
            .put("id", "m1").put("room", "lobby").put("seq", 7).put("user", user).put("text", "secret")
            .put("reason", "secret").put("kind", "muted").put("role", "owner").put("by", user)
            .put("files", new JSONArray().put(file));
    json.put("message", new JSONObject(json.toString())).put("last", new JSONObject(json.toString()));
    List<Object> values =
        Arrays.asList(
            Wire.message(json), Wire.last(json), Wire.room(json), Wire.report(json), Wire.restriction(json),
            Wire.removal(json), Wire.member(json), Wire.file(file), Wire.identity(json, null),
            Wire.page(new JSONObject().put("messages", new JSONArray().put(json)), "messages", Wire::message),
            new PendingFile("k1", "secret", 5, "secret", null), new HistoryView(true, false, true));
    for (Object value : values) {
      assertFalse(value.toString().contains("secret"), value::toString);
      assertFalse(value.toString().matches(".*@[0-9a-f]+"), value::toString);
    }
    assertEquals("42 is MUTED", Wire.restriction(json).toString());
  }
}
