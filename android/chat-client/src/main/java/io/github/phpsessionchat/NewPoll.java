package io.github.phpsessionchat;

import java.util.List;
import org.json.JSONArray;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** A poll or an event for {@link Chat#sendPoll}. */
public final class NewPoll {
  /** Maximum number of options. */
  public static final int MAX_OPTIONS = 10;
  /** Maximum length of an option in code points. */
  public static final int MAX_OPTION_LENGTH = 100;
  /** Maximum length of a place in code points. */
  public static final int MAX_PLACE_LENGTH = 250;

  private final JSONObject json;

  private NewPoll(JSONObject json) {
    this.json = json;
  }

  /**
   * Creates a poll.
   *
   * @param options 2 to {@link #MAX_OPTIONS} different lines
   * @return the poll
   */
  public static NewPoll of(List<String> options) {
    return new NewPoll(Wire.payload("options", new JSONArray(options)));
  }

  /**
   * Creates an event, which users answer with coming, not coming or maybe.
   *
   * @param start when it starts, in milliseconds since 1970
   * @param end when it ends; 0: unknown
   * @param place the place, or null
   * @return the event
   */
  public static NewPoll event(long start, long end, @Nullable String place) {
    JSONObject event = Wire.payload("start", start, "end", end == 0 ? null : end, "place", place);
    return new NewPoll(Wire.payload("event", event));
  }

  /**
   * Lets users choose several options.
   *
   * @return this poll
   */
  public NewPoll multiple() {
    json.put("multiple", true);
    return this;
  }

  /**
   * Hides who voted.
   *
   * @return this poll
   */
  public NewPoll anonymous() {
    json.put("anonymous", true);
    return this;
  }

  /**
   * Sets when the poll ends.
   *
   * @param time the end, as Unix time in milliseconds
   * @return this poll
   */
  public NewPoll until(long time) {
    json.put("until", time);
    return this;
  }

  /** Returns a copy, because another thread sends it. */
  JSONObject toJson() {
    return new JSONObject(json.toString());
  }

  @Override
  public String toString() {
    return json.has("event") ? "new event" : "new poll";
  }
}
