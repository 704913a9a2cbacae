package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** A message of one's own that is not known to be stored. An {@link Outbox} keeps it. */
public final class PendingMessage {
  /** The same in every attempt: by it the server knows a repeat. */
  public final String clientId;
  /** The id of its room. */
  public final String room;
  /** Its text. */
  public final String text;
  /** When it was written, in milliseconds since 1970 by this machine's clock; it gives the order of sending. */
  public final long writtenAt;
  /** The {@code seq} of the message that it answers; 0: none. */
  public final long replyTo;
  /** Its mentions. Unmodifiable. */
  public final List<Mention> mentions;
  /** Its files. It is sent when all of them are there. Unmodifiable. */
  public final List<PendingFile> files;
  /** Whether it goes without the page of its link: {@link NewMessage#withoutPreview}. */
  public final boolean withoutPreview;
  /**
   * Why it is not sent: an error code of the protocol, {@code not_kept}, {@code not_uploaded} or {@code offline}; {@code
   * held}: it waits for a moderator; {@code rejected}: one has rejected it; {@code discarded}: it is no longer shown, and
   * the server has yet to discard it; null: it will be sent.
   */
  public final @Nullable String failed;

  PendingMessage(
      String clientId,
      String room,
      String text,
      long writtenAt,
      long replyTo,
      List<Mention> mentions,
      List<PendingFile> files,
      boolean withoutPreview,
      @Nullable String failed) {
    this.clientId = clientId;
    this.room = room;
    this.text = text;
    this.writtenAt = writtenAt;
    this.replyTo = replyTo;
    this.mentions = Collections.unmodifiableList(mentions);
    this.files = Collections.unmodifiableList(files);
    this.withoutPreview = withoutPreview;
    this.failed = failed;
  }

  PendingMessage failed(@Nullable String code) {
    return new PendingMessage(clientId, room, text, writtenAt, replyTo, mentions, files, withoutPreview, code);
  }

  PendingMessage with(List<PendingFile> files) {
    return new PendingMessage(clientId, room, text, writtenAt, replyTo, mentions, files, withoutPreview, failed);
  }

  PendingMessage as(String clientId) {
    return new PendingMessage(clientId, room, text, writtenAt, replyTo, mentions, files, withoutPreview, failed);
  }

  /** Whether all its files are there. */
  boolean isWhole() {
    for (PendingFile file : files) if (file.file == null) return false;
    return true;
  }

  /**
   * The whole message, for an outbox to keep.
   *
   * @return JSON, which {@link #fromJson} reads
   */
  public String toJson() {
    JSONArray named = new JSONArray();
    for (Mention mention : mentions) {
      JSONObject user = Wire.payload("id", mention.user.id, "name", mention.user.name);
      named.put(Wire.payload("user", user, "start", mention.start, "length", mention.length));
    }
    JSONArray sent = new JSONArray();
    for (PendingFile one : files) {
      JSONObject file = one.file == null ? null : Wire.file(one.file);
      sent.put(Wire.payload("key", one.key, "name", one.name, "size", one.size, "alt", one.alt, "file", file));
    }
    return Wire.payload(
            "clientId", clientId,
            "room", room,
            "text", text,
            "writtenAt", writtenAt,
            "replyTo", replyTo,
            "mentions", mentions.isEmpty() ? null : named,
            "files", files.isEmpty() ? null : sent,
            "withoutPreview", withoutPreview ? true : null,
            "failed", failed)
        .toString();
  }

  /**
   * @param json what {@link #toJson} has given
   * @return the same message
   * @throws IllegalArgumentException that is something else
   */
  public static PendingMessage fromJson(String json) {
    try {
      JSONObject read = new JSONObject(json);
      List<PendingFile> files = new ArrayList<>();
      for (JSONObject one : Wire.list(read, "files", file -> file)) {
        ChatFile file = one.has("file") ? Wire.file(Wire.object(one, "file")) : null;
        files.add(
            new PendingFile(
                one.getString("key"), one.getString("name"), one.getLong("size"), Wire.text(one, "alt"), file));
      }
      return new PendingMessage(
          read.getString("clientId"),
          read.getString("room"),
          read.getString("text"),
          read.getLong("writtenAt"),
          read.getLong("replyTo"),
          Wire.list(read, "mentions", Wire::mention),
          files,
          read.optBoolean("withoutPreview"),
          Wire.text(read, "failed"));
    } catch (JSONException e) {
      throw new IllegalArgumentException("not a message that waits", e);
    }
  }

  @Override
  public String toString() {
    return "pending message " + clientId + " in " + room;
  }
}
