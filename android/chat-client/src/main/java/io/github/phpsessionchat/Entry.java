package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A line in a room: a stored message or an unsent message of the user. */
public final class Entry {
  /** An ID for list views. It stays the same when an unsent message is stored. */
  public final String key;
  /** The author. */
  public final User user;
  /** The text. */
  public final String text;
  /** When the message was stored, or written if it is unsent, in milliseconds since 1970. */
  public final long sentAt;
  /** The {@code seq} of the message that it replies to; 0: no reply. */
  public final long replyTo;
  /** The stored message; null if unsent. */
  public final @Nullable Message message;
  /** The unsent message; null if stored. */
  public final @Nullable UnsentMessage unsent;

  private Entry(Message message) {
    key = message.user.id + "/" + message.clientId;
    user = message.user;
    text = message.text;
    sentAt = message.sentAt;
    replyTo = message.replyTo;
    this.message = message;
    unsent = null;
  }

  private Entry(String key, User me, UnsentMessage unsent) {
    this.key = key;
    user = me;
    text = unsent.text;
    sentAt = unsent.writtenAt;
    replyTo = unsent.replyTo;
    message = null;
    this.unsent = unsent;
  }

  /**
   * Creates the line of a stored message, such as a reply of a thread.
   *
   * @param message the message
   * @return the line
   */
  public static Entry of(Message message) {
    return new Entry(message);
  }

  /** Returns the stored messages in order, then the unsent ones, without duplicates. */
  static List<Entry> list(List<Message> stored, List<UnsentMessage> unsent, @Nullable User me) {
    List<Entry> list = new ArrayList<>(stored.size() + unsent.size());
    Set<String> known = new HashSet<>();
    for (Message message : stored) {
      Entry entry = new Entry(message);
      list.add(entry);
      known.add(entry.key);
    }
    if (me != null) {
      for (UnsentMessage item : unsent) {
        String key = me.id + "/" + item.clientId;
        // After `conflict`, a different message is stored under the same ID. Both are listed.
        boolean other = "conflict".equals(item.failed);
        if (other || !known.contains(key)) list.add(new Entry(other ? key + "/conflict" : key, me, item));
      }
    }
    return Collections.unmodifiableList(list);
  }

  /**
   * Parses the text. Mentions have the current names, which are never formatted.
   *
   * @return its paragraphs, quotations, lists and blocks of code, in order
   */
  public List<MessageText.Block> blocks() {
    return NamedText.blocks(text, message == null ? unsent.mentions : message.mentions);
  }

  /**
   * Returns the words of the text without the signs of its formats. Mentions have the current names.
   *
   * @return the words
   */
  public String plainText() {
    return MessageText.plain(blocks());
  }

  @Override
  public String toString() {
    return message == null ? unsent.toString() : message.toString();
  }
}
