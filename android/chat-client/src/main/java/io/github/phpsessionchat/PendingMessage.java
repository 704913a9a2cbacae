package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** An unsent message of the user, or one that is pending approval or was rejected. An {@link Outbox} stores it. */
public final class PendingMessage {
  /** The same in every attempt, so that the server detects duplicates. */
  public final String clientId;
  /** The room ID. */
  public final String room;
  /** The text. */
  public final String text;
  /** When it was written, in milliseconds since 1970 by this machine's clock. Messages are sent in this order. */
  public final long writtenAt;
  /** The {@code seq} of the message that it replies to; 0: no reply. */
  public final long replyTo;
  /** Whether the reply is shown only in its thread: {@link NewMessage#threadOnly}. */
  public final boolean threadOnly;
  /** The mentions. Unmodifiable. */
  public final List<Mention> mentions;
  /** The files. The message is sent when all are uploaded. Unmodifiable. */
  public final List<PendingFile> files;
  /** Whether the message is sent without a link preview: {@link NewMessage#withoutPreview}. */
  public final boolean withoutPreview;
  /** The reference of a card of the site, or null. */
  public final @Nullable String card;
  /**
   * Null: the message will be sent. Otherwise the reason why not: an error code of the protocol, {@code not_kept},
   * {@code not_uploaded} or {@code offline}; {@code held}: pending approval by a moderator; {@code rejected}: a
   * moderator rejected it; {@code discarded}: the user discarded it and the server has not acknowledged that.
   */
  public final @Nullable String failed;

  PendingMessage(
      String clientId,
      String room,
      String text,
      long writtenAt,
      long replyTo,
      boolean threadOnly,
      List<Mention> mentions,
      List<PendingFile> files,
      boolean withoutPreview,
      @Nullable String card,
      @Nullable String failed) {
    this.clientId = clientId;
    this.room = room;
    this.text = text;
    this.writtenAt = writtenAt;
    this.replyTo = replyTo;
    this.threadOnly = threadOnly;
    this.mentions = Collections.unmodifiableList(mentions);
    this.files = Collections.unmodifiableList(files);
    this.withoutPreview = withoutPreview;
    this.card = card;
    this.failed = failed;
  }

  PendingMessage failed(@Nullable String code) {
    return new PendingMessage(clientId, room, text, writtenAt, replyTo, threadOnly, mentions, files, withoutPreview, card, code);
  }

  PendingMessage with(List<PendingFile> files) {
    return new PendingMessage(clientId, room, text, writtenAt, replyTo, threadOnly, mentions, files, withoutPreview, card, failed);
  }

  PendingMessage as(String clientId) {
    return new PendingMessage(clientId, room, text, writtenAt, replyTo, threadOnly, mentions, files, withoutPreview, card, failed);
  }

  /** Whether all files are uploaded. */
  boolean isWhole() {
    for (PendingFile file : files) if (file.file == null) return false;
    return true;
  }

  /**
   * Serializes the message for an outbox.
   *
   * @return JSON for {@link #fromJson}
   */
  public String toJson() {
    JSONArray named = new JSONArray();
    for (Mention mention : mentions) {
      JSONObject user = Wire.payload("id", mention.user.id, "name", mention.user.name);
      named.put(Wire.payload("user", user, "start", mention.start, "length", mention.length));
    }
    JSONArray sent = new JSONArray();
    for (PendingFile one : files) {
      JSONObject file = one.file == null ? null : one.file.toJsonObject();
      sent.put(Wire.payload("key", one.key, "name", one.name, "size", one.size, "alt", one.alt, "file", file));
    }
    return Wire.payload(
            "clientId", clientId,
            "room", room,
            "text", text,
            "writtenAt", writtenAt,
            "replyTo", replyTo,
            "threadOnly", threadOnly ? true : null,
            "mentions", mentions.isEmpty() ? null : named,
            "files", files.isEmpty() ? null : sent,
            "withoutPreview", withoutPreview ? true : null,
            "card", card,
            "failed", failed)
        .toString();
  }

  /**
   * Restores a message.
   *
   * @param json the result of {@link #toJson}
   * @return the message
   * @throws IllegalArgumentException if the JSON is not a message
   */
  public static PendingMessage fromJson(String json) {
    try {
      JSONObject read = new JSONObject(json);
      List<PendingFile> files = new ArrayList<>();
      for (JSONObject one : Wire.list(read, "files", file -> file)) {
        ChatFile file = Wire.optional(one, "file", ChatFile::fromJson);
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
          read.optBoolean("threadOnly"),
          Wire.list(read, "mentions", Wire::mention),
          files,
          read.optBoolean("withoutPreview"),
          Wire.text(read, "card"),
          Wire.text(read, "failed"));
    } catch (JSONException e) {
      throw new IllegalArgumentException("not the JSON of a pending message", e);
    }
  }

  @Override
  public String toString() {
    return "pending message " + clientId + " in " + room;
  }
}
