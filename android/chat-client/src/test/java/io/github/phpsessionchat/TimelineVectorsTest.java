package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class TimelineVectorsTest {
  @TestFactory
  Stream<DynamicTest> followsTheRules() throws IOException {
    return tests("timeline");
  }

  @TestFactory
  Stream<DynamicTest> replaysRecordedRuns() throws IOException {
    return tests("timeline-recorded");
  }

  @Test
  void hasRecordedRuns() throws IOException {
    assertTrue(Vectors.read("timeline-recorded").size() >= 50);
  }

  private static Stream<DynamicTest> tests(String file) throws IOException {
    return Vectors.read(file).stream()
        .map(vector -> dynamicTest(vector.getString("name"), () -> new Run().all(vector.getJSONArray("steps"))));
  }

  private static final class Run {
    final Timeline timeline = new Timeline();
    /** The timeline's epoch at the time of each page request. */
    final Map<Integer, Integer> epochs = new HashMap<>();

    void all(JSONArray steps) {
      for (Object step : steps) perform((JSONObject) step);
    }

    void perform(JSONObject step) {
      JSONObject answer = step.optJSONObject("answer");
      switch (step.getString("do")) {
        case "join":
          assertEquals(number(step, "since"), timeline.join(), "since");
          break;
        case "joined":
          JSONObject room = answer.getJSONObject("room");
          timeline.joined(changes(answer, room.getLong("head"), room.getLong("lastSeq")), number(step, "since"));
          break;
        case "event":
          timeline.applyEvent(Change.to(Vectors.message(step.getJSONObject("message"))), "1");
          break;
        case "reacted":
          timeline.applyEvent(Wire.reacted(step.getJSONObject("event")), step.getString("me"));
          break;
        case "reset":
          timeline.join();
          break;
        case "expire":
          timeline.expire(step.getLong("firstSeq"));
          break;
        case "ack":
          timeline.stored(Vectors.message(step.getJSONObject("message")));
          break;
        case "synced":
          timeline.synced(changes(answer, answer.getLong("head"), 0), number(step, "since"));
          break;
        case "ask":
          epochs.put(step.getInt("id"), timeline.epoch());
          break;
        case "older":
          timeline.older(page(answer), answer.getBoolean("complete"), step.getLong("before"), epochOf(step));
          break;
        case "newer":
          timeline.newer(page(answer), epochOf(step));
          break;
        case "window":
          timeline.window(page(answer), epochOf(step));
          break;
        case "quoted":
          timeline.quoted(Vectors.message(step.getJSONObject("message")), epochOf(step));
          break;
        case "toEnd":
          timeline.showEnd();
          break;
        case "trim":
          timeline.trim(step.getInt("kept"));
          break;
        case "expect":
          assertEquals(Vectors.shown(Vectors.messages(step, "list")), Vectors.shown(timeline.list()), "list");
          assertEquals(number(step, "head"), timeline.head(), "head");
          assertEquals(number(step, "syncFrom"), timeline.syncFrom(), "syncFrom");
          assertEquals(step.getBoolean("attached"), timeline.attached(), "attached");
          if (step.has("complete")) assertEquals(step.getBoolean("complete"), timeline.complete(), "complete");
          break;
        default:
          throw new AssertionError("no such step: " + step);
      }
    }

    int epochOf(JSONObject step) {
      return epochs.getOrDefault(step.getInt("asked"), -1);
    }

    static long number(JSONObject step, String name) {
      return step.isNull(name) ? Timeline.NONE : step.getLong(name);
    }

    static List<Message> page(JSONObject answer) {
      return Vectors.messages(answer, "messages");
    }

    static Timeline.Changes changes(JSONObject answer, long head, long lastSeq) {
      return new Timeline.Changes(
          head, lastSeq, page(answer), answer.getBoolean("complete"), answer.optBoolean("reset"));
    }
  }
}
