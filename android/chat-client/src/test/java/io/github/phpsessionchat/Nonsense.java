package io.github.phpsessionchat;

import java.util.Random;
import org.json.JSONArray;
import org.json.JSONObject;

/** Random objects with fields of the protocol and valid or invalid values. */
final class Nonsense {
  static final String[] EVENTS = {
    "session:changed", "message:new", "message:changed", "message:reacted", "mention", "room:activity", "room:added",
    "room:changed", "room:removed", "room:reset", "members:changed", "presence:changed", "typing:changed",
    "read:changed", "seen:changed", "report:changed", "blocked:changed", "push", "of:later"
  };

  private static final String[] TEXTS = {
    "room", "id", "name", "text", "clientId", "kind", "role", "reason", "emoji", "type", "blur", "alt", "code", "next",
    "deletedBy", "avatar", "url", "notify", "topic", "about", "user", "by", "firstRoom", "done"
  };
  private static final String[] NUMBERS = {
    "seq", "rev", "head", "lastSeq", "firstSeq", "readSeq", "mentions", "count", "members", "sentAt", "editedAt",
    "deletedAt", "replyTo", "start", "length", "size", "width", "height", "until", "at", "open", "limit", "retryAfterMs",
    "presentCount", "unread", "reports", "slow"
  };
  private static final String[] TRUTHS = {
    "complete", "reset", "member", "present", "gone", "partial", "typing", "blocked", "own", "readable", "hidden"
  };
  private static final String[] OBJECTS = {
    "user", "room", "message", "last", "with", "file", "can", "limits", "profile", "report", "closed", "current", "by",
    "totals", "data"
  };
  private static final String[] LISTS = {
    "messages", "mentions", "files", "reactions", "users", "rooms", "changed", "joined", "left", "members", "present",
    "reports", "restricted", "may", "roles", "failed", "blocked"
  };
  private static final Object[] ANYTHING = {
    JSONObject.NULL, true, false, 0, -1, 1.5, 1e300, Long.MAX_VALUE, Long.MIN_VALUE, (1L << 53) + 1, "", " ", "lobby",
    "alice", "\ud83d", "\u0000", "__proto__", "9007199254740993", new JSONArray(), new JSONObject(),
    new JSONArray().put(JSONObject.NULL).put(1).put("x").put(new JSONArray())
  };

  private Nonsense() {}

  static JSONObject object(Random random, int depth) {
    JSONObject object = new JSONObject();
    for (String name : TEXTS) put(object, random, name, text(random));
    for (String name : NUMBERS) put(object, random, name, random.nextInt(60));
    for (String name : TRUTHS) put(object, random, name, random.nextBoolean());
    if (depth > 0) {
      for (String name : OBJECTS) if (random.nextInt(3) == 0) put(object, random, name, object(random, depth - 2));
      for (String name : LISTS) {
        if (random.nextInt(3) != 0) continue;
        JSONArray list = new JSONArray();
        for (int i = random.nextInt(3); i > 0; i--) list.put(random.nextInt(5) == 0 ? text(random) : object(random, depth - 2));
        put(object, random, name, list);
      }
    }
    return object;
  }

  private static void put(JSONObject object, Random random, String name, Object right) {
    int chance = random.nextInt(8);
    if (chance < 5) object.put(name, right);
    else if (chance == 5) object.put(name, ANYTHING[random.nextInt(ANYTHING.length)]);
  }

  private static String text(Random random) {
    String[] texts = {"lobby", "garden", "elsewhere", "alice", "bob", "public", "direct", "owner", "a\ud83d\ude00b", "*"};
    return texts[random.nextInt(texts.length)];
  }
}
