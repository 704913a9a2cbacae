package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.github.phpsessionchat.MessageText.Block;
import io.github.phpsessionchat.MessageText.Piece;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class TextVectorsTest {
  @TestFactory
  Stream<DynamicTest> findsLinks() throws IOException {
    return tests("links", text -> addresses(MessageText.links(text)));
  }

  @TestFactory
  Stream<DynamicTest> showsHosts() throws IOException {
    return tests("hosts", text -> {
      String shown = MessageText.plain("see " + text + " .");
      return shown.substring("see ".length(), shown.length() - " .".length());
    });
  }

  @TestFactory
  Stream<DynamicTest> formats() throws IOException {
    return tests("formats", TextVectorsTest::shapes);
  }

  @TestFactory
  Stream<DynamicTest> detectsBlankTexts() throws IOException {
    return tests("blank", MessageText::isBlank);
  }

  @TestFactory
  Stream<DynamicTest> abbreviatesNames() throws IOException {
    return tests("initials", Initials::of);
  }

  @TestFactory
  Stream<DynamicTest> parsesRandomTextsLikeTheServer() throws IOException {
    return tests("recorded", text -> Arrays.asList(links(text), shapes(text)));
  }

  @Test
  void hasManyCases() throws IOException {
    for (String file : Arrays.asList("links", "formats")) assertTrue(tests(file, text -> "").count() >= 200, file);
    assertTrue(tests("recorded", text -> "").count() >= 2000);
  }

  @Test
  void parsesLongTextsWithoutDeepRecursion() {
    int length = 100_000;
    for (String part : Arrays.asList("a", "é", "(", "a.", "*a ", "\\", "`", "> ", "\n", "a@", "·", "_", "https://a.b/(")) {
      String text = "https://a.example/" + new String(new char[length / part.length()]).replace("\0", part);
      assertTrue(MessageText.blocks(text).size() > 0, part);
    }
  }

  /** Each group has cases of a text and what is expected of it. */
  private static Stream<DynamicTest> tests(String file, Function<String, Object> actual) throws IOException {
    return Vectors.read("text/" + file).stream().flatMap(group -> {
      JSONArray cases = group.getJSONArray("cases");
      List<DynamicTest> tests = new ArrayList<>();
      for (int i = 0; i < cases.length(); i++) {
        JSONArray one = cases.getJSONArray(i);
        String text = one.getString(0);
        tests.add(dynamicTest(group.getString("about") + ": " + JSONObject.quote(text), () ->
            assertEquals(JSONObject.valueToString(one.get(1)), JSONObject.valueToString(actual.apply(text)))));
      }
      return tests.stream();
    });
  }

  private static List<String> addresses(List<Piece> pieces) {
    List<String> found = new ArrayList<>();
    for (Piece piece : pieces) {
      if (piece.link != null) found.add(piece.link.text);
    }
    return found;
  }

  /** The links of a message and those of its text without formats. */
  private static List<List<String>> links(String text) {
    List<List<String>> all = new ArrayList<>();
    for (Piece piece : MessageText.links(text)) {
      if (piece.link != null) all.add(Arrays.asList(piece.link.text, piece.link.href, piece.link.host, piece.link.shown));
    }
    return all;
  }

  private static List<Object> shapes(String text) {
    List<Object> shapes = new ArrayList<>();
    for (Block block : MessageText.blocks(text)) {
      switch (block.kind) {
        case CODE:
          shapes.add(Arrays.asList("`", block.code));
          break;
        case LIST:
          List<Object> items = new ArrayList<>();
          items.add(block.start == Block.NO_NUMBERS ? "-" : (Object) block.start);
          for (List<Piece> item : block.items) items.add(shape(item));
          shapes.add(items);
          break;
        case QUOTE:
          shapes.add(Arrays.asList(">", shape(block.pieces)));
          break;
        default:
          shapes.add(shape(block.pieces));
      }
    }
    return shapes;
  }

  /** Writes pieces as text: code in angle brackets, bold in square ones, italic in braces. */
  private static String shape(List<Piece> pieces) {
    StringBuilder shape = new StringBuilder();
    for (Piece piece : pieces) {
      switch (piece.kind) {
        case CODE:
          shape.append('<').append(piece.text).append('>');
          break;
        case BOLD:
          shape.append('[').append(shape(piece.pieces)).append(']');
          break;
        case ITALIC:
          shape.append('{').append(shape(piece.pieces)).append('}');
          break;
        default:
          shape.append(piece.link == null ? piece.text : piece.link.text);
      }
    }
    return shape.toString();
  }
}
