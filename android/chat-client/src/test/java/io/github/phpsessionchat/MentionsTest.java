package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.json.JSONObject;
import org.junit.jupiter.api.Test;

class MentionsTest {
  private static Message read(String mentions) {
    String user = "\"user\":{\"id\":\"2\",\"name\":\"Bob\"}";
    String text = "\uD83D\uDC4B @Alice";
    return Wire.message(new JSONObject("{\"seq\":1,\"rev\":2," + user + ",\"text\":\"" + text + "\"" + mentions + "}"));
  }

  @Test
  void areReadWithTheNamesOfNowAndStayWithAMessageWhoseReactionsChange() {
    String alice = "{\"user\":{\"id\":\"1\",\"name\":\"Alicia\"},\"start\":2,\"length\":6}";
    Message message = read(",\"mentions\":[" + alice + "]").at(3);
    assertEquals(1, message.mentions.size());
    Mention mention = message.mentions.get(0);
    assertEquals("1 Alicia", mention.user.id + " " + mention.user.name);
    int start = message.text.offsetByCodePoints(0, mention.start);
    int end = message.text.offsetByCodePoints(start, mention.length);
    assertEquals("@Alice", message.text.substring(start, end));
  }

  @Test
  void areNoneWhereAServerSaysNothingOrNonsense() {
    assertTrue(read("").mentions.isEmpty());
    assertTrue(read(",\"mentions\":[1,null]").mentions.isEmpty());
  }
}
