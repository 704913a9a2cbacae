package io.github.phpsessionchat;

import java.util.List;

/**
 * A stored message as it is now. Its place is given by {@link #seq} alone: times are for display.
 *
 * <p>{@code toString} leaves out the text, so that it gets into no log.
 */
public final class Message {
  /** Who deleted a message. */
  public enum DeletedBy {
    /** Its author. */
    AUTHOR,
    /** Somebody with the right {@link RoomSummary.Right#MODERATE}. */
    MODERATOR
  }

  /** The server's id of it. */
  public final String id;
  /** The id of its room. */
  public final String room;
  /** Its number in the room: 1, 2, 3 … without a gap. */
  public final long seq;
  /** The number of its last change in the room. */
  public final long rev;
  /** The id that the sending client gave it. */
  public final String clientId;
  /** Who wrote it, with the name of that time. */
  public final User user;
  /** Empty if it was deleted. */
  public final String text;
  /** When it was stored, in milliseconds since 1970 by the server's clock. */
  public final long sentAt;
  /** When it was last edited; 0: never. */
  public final long editedAt;
  /** When it was deleted; 0: it was not. */
  public final long deletedAt;
  /** Null if it was not deleted. */
  public final DeletedBy deletedBy;
  /** The {@code seq} of the message that it answers; 0: none. */
  public final long replyTo;
  /** Whom it mentions, by their places. Unmodifiable. */
  public final List<Mention> mentions;

  Message(
      String id,
      String room,
      long seq,
      long rev,
      String clientId,
      User user,
      String text,
      long sentAt,
      long editedAt,
      long deletedAt,
      DeletedBy deletedBy,
      long replyTo,
      List<Mention> mentions) {
    this.id = id;
    this.room = room;
    this.seq = seq;
    this.rev = rev;
    this.clientId = clientId;
    this.user = user;
    this.text = text;
    this.sentAt = sentAt;
    this.editedAt = editedAt;
    this.deletedAt = deletedAt;
    this.deletedBy = deletedBy;
    this.replyTo = replyTo;
    this.mentions = mentions;
  }

  /** The same after a change of what is not shown here. */
  Message at(long rev) {
    return new Message(
        id, room, seq, rev, clientId, user, text, sentAt, editedAt, deletedAt, deletedBy, replyTo, mentions);
  }

  /** @return whether it was deleted; it keeps its place in the list */
  public boolean isDeleted() {
    return deletedAt != 0;
  }

  /** @return whether its text is another one than it was sent with */
  public boolean isEdited() {
    return editedAt != 0;
  }

  @Override
  public String toString() {
    return "message " + seq + " in " + room;
  }
}
