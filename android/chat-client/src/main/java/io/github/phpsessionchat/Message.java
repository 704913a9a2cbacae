package io.github.phpsessionchat;

import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The current state of a stored message. Order messages by {@link #seq}; times are only for display.
 *
 * <p>{@code toString} omits the text, to keep it out of logs.
 */
public final class Message {
  /** Who deleted a message. */
  public enum DeletedBy {
    /** The author. */
    AUTHOR,
    /** A user with {@link RoomSummary.Right#MODERATE}. */
    MODERATOR
  }

  /** A kind of content, for lists and searches. */
  public enum Content {
    /** Pictures: files with a {@link ChatFile#image}. */
    PICTURES,
    /** Other files. */
    FILES,
    /** Links that start with {@code http://}, {@code https://} or {@code www.}. */
    LINKS
  }

  /** The message ID. */
  public final String id;
  /** The room ID. */
  public final String room;
  /** The message's number in the room: 1, 2, 3 … without gaps. */
  public final long seq;
  /** The number of the message's last change, counted per room. */
  public final long rev;
  /** The ID set by the sending client. */
  public final String clientId;
  /** The author, with the name at the time of sending. */
  public final User user;
  /** The text; empty if the message was deleted or has only files. */
  public final String text;
  /** When it was stored, in milliseconds since 1970 by the server's clock. */
  public final long sentAt;
  /** When it was last edited; 0: not edited. */
  public final long editedAt;
  /** When it was deleted; 0: not deleted. */
  public final long deletedAt;
  /** Who deleted it; null if it is not deleted, or was deleted with its author's data. */
  public final @Nullable DeletedBy deletedBy;
  /** The {@code seq} of the message that it replies to; 0: no reply. */
  public final long replyTo;
  /** The thread of a reply: the {@code seq} of the first message, which may have expired; 0: no reply. */
  public final long thread;
  /** Whether to show the reply in its thread, and not among the messages of the room. */
  public final boolean threadOnly;
  /** The mentions, in the order of the text. Unmodifiable. */
  public final List<Mention> mentions;
  /** The files, in display order. Unmodifiable. */
  public final List<ChatFile> files;
  /** A preview of the first link in the text, or null. */
  public final @Nullable LinkPreview preview;
  /** Whether the message is a copy of another message. */
  public final boolean forwarded;
  /** The author of the original message; null if this is not a copy, or the original was not in a public room. */
  public final @Nullable User forwardedFrom;
  /** The reactions, in the order in which they were first used, then the votes by option. Unmodifiable. */
  public final List<Reaction> reactions;
  /** The poll or event, or null. */
  public final @Nullable Poll poll;
  /** The reference of a card of the site, or null. {@link Chat#card} gets the card. */
  public final @Nullable String card;
  /** Whether the reader blocked the author. Hide the message, or show it only on request. */
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
    threadOnly = draft.threadOnly;
    mentions = draft.mentions;
    files = draft.files;
    preview = draft.preview;
    forwarded = draft.forwarded;
    forwardedFrom = draft.forwardedFrom;
    reactions = Collections.unmodifiableList(draft.reactions);
    poll = draft.poll;
    card = draft.card;
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
   * Returns the text with the current name of each mentioned user. A typed {@code @} stays.
   *
   * @return the text for display
   */
  public String textWithNames() {
    return Mention.replaceNames(text, mentions);
  }

  /**
   * Returns whether the message mentions a user or all members.
   *
   * @param user the user ID
   * @return whether the user is mentioned
   */
  public boolean mentions(String user) {
    for (Mention mention : mentions) {
      if (mention.user.id.equals(user) || mention.user.id.equals(Mention.EVERYBODY)) return true;
    }
    return false;
  }

  /**
   * Returns the votes for an option of the {@link #poll}.
   *
   * @param option the number of the option, from 1
   * @return the votes; null if there are none
   */
  public @Nullable Reaction votes(int option) {
    if (poll == null) return null;
    for (Reaction reaction : reactions) if (reaction.emoji.equals(poll.key(option))) return reaction;
    return null;
  }

  /**
   * Returns whether the message was deleted. A deleted message stays in the list.
   *
   * @return whether it was deleted
   */
  public boolean isDeleted() {
    return deletedAt != 0;
  }

  /**
   * Returns whether the message was edited.
   *
   * @return whether it was edited
   */
  public boolean isEdited() {
    return editedAt != 0;
  }

  @Override
  public String toString() {
    return "message " + seq + " in " + room;
  }

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
    boolean threadOnly;
    List<Mention> mentions;
    List<ChatFile> files;
    @Nullable LinkPreview preview;
    boolean forwarded;
    @Nullable User forwardedFrom;
    List<Reaction> reactions;
    @Nullable Poll poll;
    @Nullable String card;
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
      threadOnly = from.threadOnly;
      mentions = from.mentions;
      files = from.files;
      preview = from.preview;
      forwarded = from.forwarded;
      forwardedFrom = from.forwardedFrom;
      reactions = from.reactions;
      poll = from.poll;
      card = from.card;
      hidden = from.hidden;
    }

    Message done() {
      return new Message(this);
    }
  }
}
