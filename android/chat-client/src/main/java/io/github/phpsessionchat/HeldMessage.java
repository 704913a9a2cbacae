package io.github.phpsessionchat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A message, or an edit of a message, that waits for a decision of this user.
 *
 * <p>{@code toString} omits the text, to keep it out of logs.
 */
public final class HeldMessage {
  /** The ID for the decision. */
  public final String id;
  /** The room ID. */
  public final String room;
  /** The author. */
  public final User user;
  /** The message that would change; 0: a new message. */
  public final long seq;
  /** The text, or the new text. */
  public final String text;
  /** The {@code seq} of the message that it replies to; 0: no reply. */
  public final long replyTo;
  /** The mentions, in the order of the text. Unmodifiable. */
  public final List<Mention> mentions;
  /** The files, in display order. Unmodifiable. */
  public final List<ChatFile> files;
  /** A preview of the first link in the text, or null. */
  public final @Nullable LinkPreview preview;
  /** When the author sent it, in milliseconds since 1970 by the server's clock. */
  public final long at;

  HeldMessage(
      String id,
      String room,
      User user,
      long seq,
      String text,
      long replyTo,
      List<Mention> mentions,
      List<ChatFile> files,
      @Nullable LinkPreview preview,
      long at) {
    this.id = id;
    this.room = room;
    this.user = user;
    this.seq = seq;
    this.text = text;
    this.replyTo = replyTo;
    this.mentions = mentions;
    this.files = files;
    this.preview = preview;
    this.at = at;
  }

  /**
   * Returns the text with the current name of each mentioned user.
   *
   * @return the text for display
   */
  public String textWithNames() {
    return Mention.replaceNames(text, mentions);
  }

  @Override
  public String toString() {
    return "held message " + id + " in " + room;
  }
}
