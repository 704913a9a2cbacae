package io.github.phpsessionchat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONObject;

/** Reads {@code test/vectors}, which the clients of all languages share. */
final class Vectors {
  private Vectors() {}

  /** Resolves a file of the project. Tests run in this module's folder. */
  static Path project(String path) {
    return Paths.get("../..").resolve(path);
  }

  static List<JSONObject> read(String name) throws IOException {
    byte[] bytes = Files.readAllBytes(project("test/vectors/" + name + ".json"));
    List<JSONObject> vectors = new ArrayList<>();
    for (Object one : new JSONArray(new String(bytes, StandardCharsets.UTF_8))) vectors.add((JSONObject) one);
    return vectors;
  }

  /** Builds a message. Vectors contain only what affects ordering and deduplication. */
  static Message message(JSONObject json) {
    User user = new User(json.getString("user"), "User " + json.getString("user"));
    JSONObject whole = new JSONObject(json.toString());
    whole.put("user", new JSONObject().put("id", user.id).put("name", user.name));
    return Message.fromJson(whole.put("id", "m" + json.getLong("seq")).put("room", "r").put("sentAt", json.getLong("seq")));
  }

  static ChatFile file(String name) {
    return ChatFile.fromJson(new JSONObject().put("id", "0123456789abcdef").put("name", name));
  }

  static List<Message> messages(JSONObject json, String name) {
    List<Message> messages = new ArrayList<>();
    for (Object one : json.getJSONArray(name)) messages.add(message((JSONObject) one));
    return messages;
  }

  /** Formats messages for readable comparisons. */
  static List<String> shown(List<Message> messages) {
    List<String> lines = new ArrayList<>();
    for (Message m : messages) {
      lines.add(
          m.seq + " rev " + m.rev + " by " + m.user.id + " " + m.clientId + ": " + m.text
              + (m.isEdited() ? " edited " + m.editedAt : "") + (m.isDeleted() ? " deleted " + m.deletedAt : "")
              + reactions(m));
    }
    return lines;
  }

  private static String reactions(Message message) {
    StringBuilder shown = new StringBuilder();
    for (Reaction one : message.reactions) {
      shown.append(' ').append(one).append(" of ").append(one.users).append(one.mine ? " mine" : "");
    }
    return shown.toString();
  }
}
