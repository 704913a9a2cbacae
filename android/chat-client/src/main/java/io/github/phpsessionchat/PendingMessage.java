package io.github.phpsessionchat;

import java.util.Objects;

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
  /** Why it is not sent: an error code of the protocol, {@code not_kept} or {@code offline}; null: it will be sent. */
  public final String failed;

  /**
   * @param clientId 1 to 64 of {@code A-Z a-z 0-9 _ -}
   * @param room the id of its room
   * @param text its text
   * @param writtenAt in milliseconds since 1970
   * @param replyTo a {@code seq}, or 0
   * @param failed an error code, or null
   */
  public PendingMessage(
      String clientId, String room, String text, long writtenAt, long replyTo, String failed) {
    this.clientId = Objects.requireNonNull(clientId, "clientId");
    this.room = Objects.requireNonNull(room, "room");
    this.text = Objects.requireNonNull(text, "text");
    this.writtenAt = writtenAt;
    this.replyTo = replyTo;
    this.failed = failed;
  }

  PendingMessage failed(String code) {
    return new PendingMessage(clientId, room, text, writtenAt, replyTo, code);
  }

  @Override
  public String toString() {
    return "pending message " + clientId + " in " + room;
  }
}
