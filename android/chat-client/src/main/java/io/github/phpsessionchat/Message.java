package io.github.phpsessionchat;

import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A stored message as it is now. Its place is given by {@link #seq} alone: times are for display.
 *
 * <p>{@code toString} leaves out the text, so that it gets into no log.
 */
public final class Message {
  /** The kind of user who deleted a message. */
  public enum DeletedBy {
    /** Its author. */
    AUTHOR,
    /** Somebody with the right {@link RoomSummary.Right#MODERATE}. */
    MODERATOR
  }

  /** A list of a room in which a message may be. */
  public enum Content {
    /** Messages with pictures: files that have a {@link ChatFile#image}. */
    PICTURES,
    /** Messages with other files. */
    FILES,
    /** Messages with an address that begins with {@code http://}, {@code https://} or {@code www.}. */
    LINKS
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
  /** Its author, with the name of that time. */
  public final User user;
  /** Empty if it was deleted, and where there are files alone. */
  public final String text;
  /** When it was stored, in milliseconds since 1970 by the server's clock. */
  public final long sentAt;
  /** When it was last edited; 0: never. */
  public final long editedAt;
  /** When it was deleted; 0: it was not. */
  public final long deletedAt;
  /** Null if it was not deleted. */
  public final @Nullable DeletedBy deletedBy;
  /** The {@code seq} of the message that it answers; 0: none. */
  public final long replyTo;
  /** Of a reply, the number of its thread: the {@code seq} of the first message, which may have expired; 0: it is none. */
  public final long thread;
  /** Its mentions, by their places. Unmodifiable. */
  public final List<Mention> mentions;
  /** Its files, in the order in which they are shown. Unmodifiable. */
  public final List<ChatFile> files;
  /** The page of the first link in its text; null: none. */
  public final @Nullable LinkPreview preview;
  /** Whether it is a copy of another message, with the words and files of that. */
  public final boolean forwarded;
  /** Of a copy, the author of the other message, if that was in a public room; null: not said. */
  public final @Nullable User forwardedFrom;
  /** With what it was answered, the emoji that was used first first. Unmodifiable. */
  public final List<Reaction> reactions;
  /** Whether the reader has blocked its author: not to be shown, or only when asked for. */
  public final boolean hidden;

  private Message(Draft draft) {
    id = draft.id;
    room = draft.room;
    seq = draft.seq;
    rev = draft.rev;
    clientId = draft.clientId;
    user = draft.user;
    text = draft.text;
    sentAt = draft.sentAt;
    editedAt = draft.editedAt;
    deletedAt = draft.deletedAt;
    deletedBy = draft.deletedBy;
    replyTo = draft.replyTo;
    thread = draft.thread;
    mentions = draft.mentions;
    files = draft.files;
    preview = draft.preview;
    forwarded = draft.forwarded;
    forwardedFrom = draft.forwardedFrom;
    reactions = Collections.unmodifiableList(draft.reactions);
    hidden = draft.hidden;
  }

  Message with(List<Reaction> reactions, long rev) {
    Draft draft = new Draft(this);
    draft.reactions = reactions;
    draft.rev = rev;
    return draft.done();
  }

  Message hidden(boolean hidden) {
    if (this.hidden == hidden) return this;
    Draft draft = new Draft(this);
    draft.hidden = hidden;
    return draft.done();
  }

  /**
   * Its text as it is to be read now: in place of each mention the name that its user has by now, with an {@code @} before
   * it where one stands in the text.
   *
   * @return the text with those names
   */
  public String textWithNames() {
    return Mention.named(text, mentions);
  }

  /**
   * Whether it names a user, or everybody in the room.
   *
   * @param user a user id
   * @return whether that user is meant
   */
  public boolean mentions(String user) {
    for (Mention mention : mentions) {
      if (mention.user.id.equals(user) || mention.user.id.equals(Mention.EVERYBODY)) return true;
    }
    return false;
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

  /** A message in the making. */
  static final class Draft {
    String id;
    String room;
    long seq;
    long rev;
    String clientId;
    User user;
    String text;
    long sentAt;
    long editedAt;
    long deletedAt;
    @Nullable DeletedBy deletedBy;
    long replyTo;
    long thread;
    List<Mention> mentions;
    List<ChatFile> files;
    @Nullable LinkPreview preview;
    boolean forwarded;
    @Nullable User forwardedFrom;
    List<Reaction> reactions;
    boolean hidden;

    Draft() {}

    Draft(Message from) {
      id = from.id;
      room = from.room;
      seq = from.seq;
      rev = from.rev;
      clientId = from.clientId;
      user = from.user;
      text = from.text;
      sentAt = from.sentAt;
      editedAt = from.editedAt;
      deletedAt = from.deletedAt;
      deletedBy = from.deletedBy;
      replyTo = from.replyTo;
      thread = from.thread;
      mentions = from.mentions;
      files = from.files;
      preview = from.preview;
      forwarded = from.forwarded;
      forwardedFrom = from.forwardedFrom;
      reactions = from.reactions;
      hidden = from.hidden;
    }

    Message done() {
      return new Message(this);
    }
  }
}
