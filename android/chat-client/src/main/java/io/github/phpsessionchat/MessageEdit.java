package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The new content of a message: {@link Chat#edit(Message, MessageEdit, Callback)}. */
public final class MessageEdit {
  final String text;
  final List<Mention> mentions = new ArrayList<>();
  /** Null: as they are. */
  @Nullable List<ChatFile> files;

  private MessageEdit(String text) {
    this.text = Objects.requireNonNull(text, "text");
  }

  /**
   * @param text the new text, or the same; with files it may be empty
   * @return an edit in the making. It leaves the files as they are; another text mentions nobody, and the same text those
   *     whom it did
   */
  public static MessageEdit of(String text) {
    return new MessageEdit(text);
  }

  /**
   * @param user whom the text names
   * @param begin where the name begins, as in {@link String#substring}
   * @param end where it ends
   * @return this edit
   */
  public MessageEdit mention(User user, int begin, int end) {
    mentions.add(Mention.in(text, user, begin, end));
    return this;
  }

  /**
   * @param files all that it is to have from now on: its own, and those of an {@link Upload}; {@link ChatFile#describedAs}
   *     tells them otherwise. The server deletes the others
   * @return this edit
   */
  public MessageEdit files(List<ChatFile> files) {
    this.files = new ArrayList<>(Objects.requireNonNull(files, "files"));
    return this;
  }
}
