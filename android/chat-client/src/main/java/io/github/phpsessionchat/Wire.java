package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/**
 * Converts between JSON and Java types. Uses only methods of Android's {@code org.json}, which replaces the library on
 * Android.
 */
final class Wire {
  static final long MAX_RETRY_AFTER_MS = 3_600_000;
  /** JavaScript's largest safe integer stands for an unlimited time. */
  private static final long UNLIMITED = (1L << 53) - 1;

  private Wire() {}

  /** Builds an object from alternating names and values. Null values are omitted. */
  static JSONObject payload(@Nullable Object... namesAndValues) {
    return put(new JSONObject(), namesAndValues);
  }

  /** Adds alternating names and values. Null values are omitted. */
  static JSONObject put(JSONObject json, @Nullable Object... namesAndValues) {
    try {
      for (int i = 0; i < namesAndValues.length; i += 2) {
        Object value = namesAndValues[i + 1];
        if (value != null) json.put((String) namesAndValues[i], value);
      }
    } catch (JSONException e) {
      throw new IllegalArgumentException(e);
    }
    return json;
  }

  /** Returns null if the value is missing. */
  static @Nullable String text(JSONObject json, String name) {
    return json.isNull(name) ? null : json.optString(name);
  }

  /**
   * Returns 0 if the value is not a number. Strings are not converted, because the JSON library would spend minutes on
   * a very long one.
   */
  static long number(JSONObject json, String name) {
    Object value = json.opt(name);
    if (value instanceof Long || value instanceof Integer) return ((Number) value).longValue();
    return value instanceof Number ? (long) ((Number) value).doubleValue() : 0;
  }

  /** Like {@link #number}, limited to the range of int. */
  static int count(JSONObject json, String name) {
    return (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, number(json, name)));
  }

  static <E extends Enum<E>> String name(E value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  /** Returns {@code usual} for values that this version does not know. */
  static <E extends Enum<E>> E named(Class<E> type, @Nullable String name, E usual) {
    if (name == null) return usual;
    try {
      return Enum.valueOf(type, name.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      return usual;
    }
  }

  /** Reads the user of a mention. Messages that are pending or scheduled have only the ID. */
  static User mentioned(JSONObject mention) {
    JSONObject user = mention.optJSONObject("user");
    String id = mention.optString("user");
    return user == null ? new User(id, id) : User.fromJson(user);
  }

  static @Nullable ChatFile previewImage(@Nullable JSONObject json) {
    if (json == null) return null;
    return picture(json.optString("id"), "preview.webp", new ChatFile.Image(count(json, "width"), count(json, "height"), ""));
  }

  static @Nullable JSONObject previewImage(@Nullable ChatFile file) {
    if (file == null || file.image == null) return null;
    return payload("id", file.id, "width", file.image.width, "height", file.image.height);
  }

  static @Nullable ChatFile roomPicture(JSONObject json, String name) {
    String id = text(json, name);
    return id == null ? null : picture(id, "picture.webp", null);
  }

  /** A picture that the contract describes only by its ID and size. */
  private static ChatFile picture(String id, String name, ChatFile.@Nullable Image size) {
    ChatFile.Draft draft = new ChatFile.Draft();
    draft.id = id;
    draft.name = name;
    draft.type = "image/webp";
    draft.image = size;
    return draft.done();
  }

  /** Returns the mentions in the format of requests; null if there are no mentions. */
  static @Nullable JSONArray mentions(List<Mention> mentions) {
    JSONArray named = new JSONArray();
    for (Mention one : mentions) named.put(payload("user", one.user.id, "start", one.start, "length", one.length));
    return mentions.isEmpty() ? null : named;
  }

  static Change reacted(JSONObject json) {
    List<Change.Reacted> changes =
        list(
            json,
            "changes",
            one ->
                new Change.Reacted(
                    one.optString("emoji"), count(one, "count"), texts(one, "added"), texts(one, "removed")));
    return Change.reactions(number(json, "seq"), number(json, "rev"), changes);
  }

  static Answers.SeenBy seenBy(JSONObject json) {
    return new Answers.SeenBy(list(json, "users", User::fromJson), count(json, "total"));
  }

  static Answers.Team team(JSONObject json) {
    return new Answers.Team(list(json, "team", User::fromJson), number(json, "answeredInMs"), text(json, "text"));
  }

  /** Converts a remaining time to a time by this machine's clock; 0 if it is absent. */
  static long until(JSONObject json, String name) {
    if (!json.has(name)) return 0;
    long ms = number(json, name);
    return ms >= UNLIMITED ? Long.MAX_VALUE : System.currentTimeMillis() + Math.max(0, ms);
  }

  static Timeline.Changes joined(JSONObject answer) {
    JSONObject room = object(answer, "room");
    return changes(answer, number(room, "head"), number(room, "lastSeq"));
  }

  static Timeline.Changes synced(JSONObject answer) {
    return changes(answer, number(answer, "head"), 0);
  }

  private static Timeline.Changes changes(JSONObject answer, long head, long lastSeq) {
    List<Message> messages = list(answer, "messages", Message::fromJson);
    return new Timeline.Changes(
        head, lastSeq, messages, answer.optBoolean("complete"), answer.optBoolean("reset"));
  }

  static ChatError error(JSONObject error) {
    JSONObject current = error.optJSONObject("current");
    String code = error.optString("code", "internal");
    return new ChatError(
        code,
        error.optString("message", code),
        retryAfterMs(error),
        current == null ? null : Message.fromJson(current));
  }

  /** Returns at most one hour. */
  static long retryAfterMs(JSONObject error) {
    return Math.max(0, Math.min(MAX_RETRY_AFTER_MS, number(error, "retryAfterMs")));
  }

  /** Reads {@code failed}: error codes by user ID. */
  static Map<String, String> failed(JSONObject answer) {
    Map<String, String> failed = new LinkedHashMap<>();
    for (JSONObject one : list(answer, "failed", json -> json)) {
      failed.put(one.optString("user"), one.optString("code"));
    }
    return Collections.unmodifiableMap(failed);
  }

  interface Reader<T extends @Nullable Object> {
    T read(JSONObject json);
  }

  static String heldId(JSONObject answer) {
    return object(answer, "held").optString("id");
  }

  /** Returns null if the value is missing. */
  static <T> @Nullable T optional(JSONObject json, String name, Reader<T> reader) {
    JSONObject object = json.optJSONObject(name);
    return object == null ? null : reader.read(object);
  }

  /** Omits items that are not objects. */
  static <T> List<T> list(JSONObject json, String name, Reader<T> reader) {
    JSONArray array = json.optJSONArray(name);
    int length = array == null ? 0 : array.length();
    List<T> list = new ArrayList<>(length);
    for (int i = 0; i < length; i++) {
      JSONObject item = array.optJSONObject(i);
      if (item != null) list.add(reader.read(item));
    }
    return Collections.unmodifiableList(list);
  }

  interface Writer<T> {
    JSONObject write(T value);
  }

  static <T> JSONArray array(List<T> items, Writer<T> writer) {
    JSONArray array = new JSONArray();
    for (T item : items) array.put(writer.write(item));
    return array;
  }

  /** Returns an unmodifiable copy. */
  static <T> List<T> copy(List<T> items) {
    return items.isEmpty() ? Collections.emptyList() : Collections.unmodifiableList(new ArrayList<>(items));
  }

  static List<String> texts(JSONObject json, String name) {
    JSONArray array = json.optJSONArray(name);
    int length = array == null ? 0 : array.length();
    List<String> list = new ArrayList<>(length);
    for (int i = 0; i < length; i++) list.add(array.optString(i));
    return Collections.unmodifiableList(list);
  }

  static <T> Answers.Page<T> page(JSONObject json, String name, Reader<T> reader) {
    return new Answers.Page<>(list(json, name, reader), text(json, "next"));
  }

  /** The next page has the messages before the last one. */
  static Answers.Page<Message> filesPage(JSONObject json) {
    List<Message> messages = list(json, "messages", Message::fromJson);
    boolean last = messages.isEmpty() || json.optBoolean("complete");
    return new Answers.Page<>(messages, last ? null : String.valueOf(messages.get(messages.size() - 1).seq));
  }

  /** The next page has the messages before the first one. */
  static Answers.Page<Message> historyPage(JSONObject json, Reader<Message> reader) {
    List<Message> messages = list(json, "messages", reader);
    boolean last = messages.isEmpty() || json.optBoolean("complete");
    return new Answers.Page<>(messages, last ? null : String.valueOf(messages.get(0).seq));
  }

  /** Returns an empty object if the value is missing. */
  static JSONObject object(JSONObject json, String name) {
    JSONObject object = json.optJSONObject(name);
    return object == null ? new JSONObject() : object;
  }

  /** Converts JSON to Long, Double, Boolean, String, List, Map or null. */
  static @Nullable Object plain(@Nullable Object json) {
    if (json instanceof JSONObject) {
      Map<String, Object> map = new LinkedHashMap<>();
      JSONObject object = (JSONObject) json;
      for (Iterator<String> names = object.keys(); names.hasNext(); ) {
        String name = names.next();
        map.put(name, plain(object.opt(name)));
      }
      return Collections.unmodifiableMap(map);
    }
    if (json instanceof JSONArray) {
      JSONArray array = (JSONArray) json;
      List<Object> list = new ArrayList<>(array.length());
      for (int i = 0; i < array.length(); i++) list.add(plain(array.opt(i)));
      return Collections.unmodifiableList(list);
    }
    if (json instanceof Integer) return ((Integer) json).longValue();
    if (json instanceof Number && !(json instanceof Long)) return ((Number) json).doubleValue();
    return JSONObject.NULL.equals(json) ? null : json;
  }

  /** Omits values that this version does not know. */
  static <E extends Enum<E>> Set<E> names(Class<E> type, JSONObject json, String name) {
    Set<E> set = EnumSet.noneOf(type);
    for (String one : texts(json, name)) {
      E value = named(type, one, null);
      if (value != null) set.add(value);
    }
    return set;
  }
}
