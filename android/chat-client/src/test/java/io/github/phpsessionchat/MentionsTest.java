package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.phpsessionchat.MessageText.Piece;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.Test;

class MentionsTest {
  private static Message read(String mentions) {
    String user = "\"user\":{\"id\":\"2\",\"name\":\"Bob\"}";
    String text = "\uD83D\uDC4B @Alice";
    return Message.fromJson(new JSONObject("{\"seq\":1,\"rev\":2," + user + ",\"text\":\"" + text + "\"" + mentions + "}"));
  }

  @Test
  void showCurrentNamesAndSurviveReactionChanges() {
    String alice = "{\"user\":{\"id\":\"1\",\"name\":\"Alicia\"},\"start\":2,\"length\":6}";
    Message message = read(",\"mentions\":[" + alice + "]").with(Collections.emptyList(), 3);
    assertEquals(1, message.mentions.size());
    Mention mention = message.mentions.get(0);
    assertEquals("1 Alicia", mention.user.id + " " + mention.user.name);
    int start = message.text.offsetByCodePoints(0, mention.start);
    int end = message.text.offsetByCodePoints(start, mention.length);
    assertEquals("@Alice", message.text.substring(start, end));
    assertEquals("\uD83D\uDC4B @Alicia", message.textWithNames());
    assertTrue(message.mentions("1"));
    assertFalse(message.mentions("2"));
  }

  @Test
  void areEmptyIfMissingOrInvalid() {
    assertTrue(read("").mentions.isEmpty());
    assertTrue(read(",\"mentions\":[1,null]").mentions.isEmpty());
  }

  @Test
  void areIgnoredIfOutOfRangeOrOverlapping() {
    for (String place : new String[] {"-1,\"length\":2", "2,\"length\":7", "2,\"length\":0", "9,\"length\":1", "2147483647,\"length\":2147483647"}) {
      assertEquals("\uD83D\uDC4B @Alice", read(",\"mentions\":[" + mention("1", place) + "]").textWithNames());
    }
    String all = mention("1", "2,\"length\":6") + "," + mention("2", "3,\"length\":2");
    assertEquals("\uD83D\uDC4B @Name of 1", read(",\"mentions\":[" + all + "]").textWithNames());
  }

  @Test
  void ofAllMembersKeepTheTypedTextAndMatchEachUser() {
    Message message = read(",\"mentions\":[" + mention("*", "2,\"length\":6") + "]");
    assertEquals("\uD83D\uDC4B @Alice", message.textWithNames());
    assertTrue(message.mentions("anybody"));
  }

  @Test
  void keepTheTypedTextIfItCannotBeReplacedByAName() {
    String nobody = "{\"user\":{\"id\":\"buy pallets\",\"name\":\"buy pallets\"},\"start\":2,\"length\":6}";
    assertEquals("\uD83D\uDC4B @Alice", read(",\"mentions\":[" + nobody + "]").textWithNames());
    Mention all = new Mention(new User("1", "Alice"), 0, 66);
    String text = String.join("", Collections.nCopies(66, "x"));
    assertEquals(text, Mention.replaceNames(text, Collections.singletonList(all)));
    Mention lines = new Mention(new User("1", "Alice"), 0, 3);
    assertEquals("a\nb", Mention.replaceNames("a\nb", Collections.singletonList(lines)));
  }

  @Test
  void areNeverFormatted() {
    JSONObject bob = new JSONObject().put("id", "2").put("name", "*Bob* `K` https://a.example/");
    JSONObject unknown = new JSONObject().put("id", "_3_").put("name", "_3_");
    JSONArray mentions = new JSONArray();
    mentions.put(new JSONObject().put("user", bob).put("start", 6).put("length", 4));
    mentions.put(new JSONObject().put("user", unknown).put("start", 12).put("length", 3));
    JSONObject json = new JSONObject().put("text", "*Ask* @Bob, _x_ or **_@Al_**").put("mentions", mentions);
    Entry entry = Entry.of(Message.fromJson(json));
    assertEquals("Ask @*Bob* `K` https://a.example/, _x_ or @Al", entry.plainText());
    List<Piece> pieces = entry.blocks().get(0).pieces;
    assertEquals(Arrays.asList(Piece.Kind.ITALIC, Piece.Kind.TEXT, Piece.Kind.BOLD), kinds(pieces));
    json.put("text", "- *a* @Bob\n```\n_x_\n```").put("mentions", new JSONArray().put(mentions.getJSONObject(0)));
    assertEquals("a @*Bob* `K` https://a.example/\n_x_", Entry.of(Message.fromJson(json)).plainText());
  }

  @Test
  void keepTheTypedTextNextToANoncharacter() {
    JSONObject mention = new JSONObject(mention("1", "2,\"length\":4"));
    JSONObject json = new JSONObject().put("text", "\ufdd0 @Bob").put("mentions", new JSONArray().put(mention));
    assertEquals("\ufdd0 @Bob", Entry.of(Message.fromJson(json)).plainText());
  }

  private static List<Piece.Kind> kinds(List<Piece> pieces) {
    List<Piece.Kind> kinds = new ArrayList<>();
    for (Piece piece : pieces) kinds.add(piece.kind);
    return kinds;
  }

  private static String mention(String user, String place) {
    return "{\"user\":{\"id\":\"" + user + "\",\"name\":\"Name of " + user + "\"},\"start\":" + place + "}";
  }
}
