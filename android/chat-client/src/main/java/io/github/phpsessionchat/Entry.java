package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A line of a room: a stored message, or a message of this user that waits. */
public final class Entry {
  /** The same from the moment of sending until the message is stored: for the ids of a list view. */
  public final String key;
  /** Who wrote it. */
  public final User user;
  /** Its text. */
  public final String text;
  /** When it was stored or, while it waits, written; in milliseconds since 1970. */
  public final long sentAt;
  /** The {@code seq} of the message that it answers; 0: none. */
  public final long replyTo;
  /** The stored message; null while it waits. */
  public final @Nullable Message message;
  /** The message that waits; null once it is stored. */
  public final @Nullable PendingMessage pending;

  private Entry(Message message) {
    key = message.user.id + "/" + message.clientId;
    user = message.user;
    text = message.text;
    sentAt = message.sentAt;
    replyTo = message.replyTo;
    this.message = message;
    pending = null;
  }

  private Entry(String key, User me, PendingMessage pending) {
    this.key = key;
    user = me;
    text = pending.text;
    sentAt = pending.writtenAt;
    replyTo = pending.replyTo;
    message = null;
    this.pending = pending;
  }

  /** The stored messages in their order, then what is on its way, each once. */
  static List<Entry> list(List<Message> stored, List<PendingMessage> pending, @Nullable User me) {
    List<Entry> list = new ArrayList<>(stored.size() + pending.size());
    Set<String> known = new HashSet<>();
    for (Message message : stored) {
      Entry entry = new Entry(message);
      list.add(entry);
      known.add(entry.key);
    }
    if (me != null) {
      for (PendingMessage item : pending) {
        String key = me.id + "/" + item.clientId;
        // Refused as `conflict`: the stored message of that id is another one, and both are shown.
        boolean other = "conflict".equals(item.failed);
        if (other || !known.contains(key)) list.add(new Entry(other ? key + "/conflict" : key, me, item));
      }
    }
    return Collections.unmodifiableList(list);
  }

  @Override
  public String toString() {
    return message == null ? pending.toString() : message.toString();
  }
}
