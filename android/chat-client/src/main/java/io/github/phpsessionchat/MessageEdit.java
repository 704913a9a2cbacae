package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** New content for {@link Chat#edit(Message, MessageEdit, Callback)}. */
public final class MessageEdit {
  final String text;
  final List<Mention> mentions = new ArrayList<>();
  /** Null: unchanged. */
  @Nullable List<ChatFile> files;

  private MessageEdit(String text) {
    this.text = Objects.requireNonNull(text, "text");
  }

  /**
   * Creates an edit that leaves the files unchanged. If no mention is added, an unchanged text keeps its mentions, and
   * a different text has none.
   *
   * @param text the text; may be empty if the message has files
   * @return the edit
   */
  public static MessageEdit of(String text) {
    return new MessageEdit(text);
  }

  /**
   * Marks a part of the text as a mention.
   *
   * @param user the mentioned user
   * @param begin start of the name, as in {@link String#substring}
   * @param end end of the name
   * @return this edit
   */
  public MessageEdit mention(User user, int begin, int end) {
    mentions.add(Mention.in(text, user, begin, end));
    return this;
  }

  /**
   * Replaces the files of the message. The server deletes all others.
   *
   * @param files existing files of the message, with a new text by {@link ChatFile#describedAs}, and files of an
   *     {@link Upload}
   * @return this edit
   */
  public MessageEdit files(List<ChatFile> files) {
    this.files = new ArrayList<>(Objects.requireNonNull(files, "files"));
    return this;
  }
}
