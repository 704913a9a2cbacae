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

/**
 * The shapes of the protocol, between JSON and Java. Only what Android's own {@code org.json} has is used: there it takes
 * the place of the library of that name.
 */
final class Wire {
  static final long LONGEST_PAUSE_MS = 3_600_000;

  private Wire() {}

  /** Of names and values in turn; what is null is left out. */
  static JSONObject payload(Object... namesAndValues) {
    JSONObject json = new JSONObject();
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

  /** Null where there is none. */
  static String text(JSONObject json, String name) {
    return json.isNull(name) ? null : json.optString(name);
  }

  static <E extends Enum<E>> String name(E value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  /** The usual value stands for all that this version does not know. */
  static <E extends Enum<E>> E named(Class<E> type, String name, E usual) {
    if (name == null) return usual;
    try {
      return Enum.valueOf(type, name.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      return usual;
    }
  }

  static User user(JSONObject json) {
    return new User(json.optString("id"), json.optString("name"));
  }

  static Message message(JSONObject json) {
    return new Message(
        json.optString("id"),
        json.optString("room"),
        json.optLong("seq"),
        json.optLong("rev"),
        json.optString("clientId"),
        user(object(json, "user")),
        json.optString("text"),
        json.optLong("sentAt"),
        json.optLong("editedAt"),
        json.optLong("deletedAt"),
        named(Message.DeletedBy.class, text(json, "deletedBy"), null),
        json.optLong("replyTo"),
        mentions(json.optJSONArray("mentions")));
  }

  private static List<Mention> mentions(JSONArray json) {
    if (json == null) return Collections.emptyList();
    List<Mention> found = new ArrayList<>();
    for (int i = 0; i < json.length(); i++) {
      JSONObject mention = json.optJSONObject(i);
      if (mention == null) continue;
      User user = user(object(mention, "user"));
      found.add(new Mention(user, mention.optInt("start"), mention.optInt("length")));
    }
    return Collections.unmodifiableList(found);
  }

  static RoomSummary.Last last(JSONObject json) {
    return new RoomSummary.Last(
        json.optLong("seq"),
        user(object(json, "user")),
        json.optString("text"),
        json.optLong("sentAt"),
        json.optLong("deletedAt"));
  }

  static RoomSummary room(JSONObject json) {
    RoomSummary.Draft draft = new RoomSummary.Draft();
    draft.id = json.optString("id");
    draft.name = json.optString("name");
    draft.topic = text(json, "topic");
    draft.kind = named(RoomSummary.Kind.class, text(json, "kind"), RoomSummary.Kind.PRIVATE);
    draft.member = json.optBoolean("member");
    draft.members = json.optInt("members");
    draft.role = named(RoomSummary.Role.class, text(json, "role"), null);
    draft.may = named(RoomSummary.Right.class, json.optJSONArray("may"));
    draft.with = json.has("with") ? user(object(json, "with")) : null;
    draft.present = json.optBoolean("present");
    draft.head = json.optLong("head");
    draft.lastSeq = json.optLong("lastSeq");
    draft.readSeq = json.optLong("readSeq");
    draft.last = json.has("last") ? last(object(json, "last")) : null;
    draft.notify = named(RoomSummary.Notify.class, text(json, "notify"), RoomSummary.Notify.ALL);
    return draft.done();
  }

  static RoomMember member(JSONObject json) {
    RoomSummary.Role role = named(RoomSummary.Role.class, text(json, "role"), RoomSummary.Role.MEMBER);
    return new RoomMember(user(object(json, "user")), role, json.optBoolean("present"));
  }

  /** Of {@code session:ready}; and of {@code session:changed}, which says nothing of limits and rooms. */
  static Identity identity(JSONObject json, Identity before) {
    int textLimit = before == null ? Integer.MAX_VALUE : before.textLimit;
    String firstRoom = before == null ? null : before.firstRoom;
    JSONObject can = object(json, "can");
    JSONObject profile = object(json, "profile");
    return new Identity(
        user(object(json, "user")),
        Collections.unmodifiableSet(named(Identity.SiteRole.class, json.optJSONArray("roles"))),
        can.optBoolean("createPublic"),
        can.optBoolean("createPrivate"),
        can.optBoolean("direct"),
        can.optBoolean("findPeople"),
        text(profile, "avatar"),
        text(profile, "url"),
        json.has("limits") ? object(json, "limits").optInt("text", textLimit) : textLimit,
        json.has("firstRoom") ? text(json, "firstRoom") : firstRoom);
  }

  static Timeline.Changes joined(JSONObject answer) {
    JSONObject room = object(answer, "room");
    return changes(answer, room.optLong("head"), room.optLong("lastSeq"));
  }

  static Timeline.Changes synced(JSONObject answer) {
    return changes(answer, answer.optLong("head"), 0);
  }

  private static Timeline.Changes changes(JSONObject answer, long head, long lastSeq) {
    List<Message> messages = list(answer, "messages", Wire::message);
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
        current == null ? null : message(current));
  }

  /** Never longer than an hour, whatever it says: by then one may ask again. */
  static long retryAfterMs(JSONObject error) {
    return Math.max(0, Math.min(LONGEST_PAUSE_MS, error.optLong("retryAfterMs")));
  }

  /** The user ids and error codes of {@code failed}. */
  static Map<String, String> failed(JSONObject answer) {
    Map<String, String> failed = new LinkedHashMap<>();
    for (JSONObject one : list(answer, "failed", json -> json)) {
      failed.put(one.optString("user"), one.optString("code"));
    }
    return Collections.unmodifiableMap(failed);
  }

  interface Reader<T> {
    T read(JSONObject json);
  }

  /** What is no object is left out. */
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

  /** An empty object where there is none. */
  static JSONObject object(JSONObject json, String name) {
    JSONObject object = json.optJSONObject(name);
    return object == null ? new JSONObject() : object;
  }

  /** Any JSON in Java's own types. */
  static Object plain(Object json) {
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

  private static <E extends Enum<E>> Set<E> named(Class<E> type, JSONArray names) {
    Set<E> set = EnumSet.noneOf(type);
    for (int i = 0; names != null && i < names.length(); i++) {
      E value = named(type, names.optString(i), null);
      if (value != null) set.add(value);
    }
    return set;
  }
}
