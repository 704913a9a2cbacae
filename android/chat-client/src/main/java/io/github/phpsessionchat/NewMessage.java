package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A message to be sent: {@link Chat#send(String, NewMessage)}. */
public final class NewMessage {
  final String text;
  final List<Mention> mentions = new ArrayList<>();
  /** Texts for people who do not see a file, by the keys of the uploads. */
  final Map<String, @Nullable String> files = new LinkedHashMap<>();

  long replyTo;
  boolean withoutPreview;

  private NewMessage(String text) {
    this.text = Objects.requireNonNull(text, "text");
  }

  /** As it is now: it is sent on another thread. */
  NewMessage copy() {
    NewMessage copy = new NewMessage(text).replyTo(replyTo);
    copy.mentions.addAll(mentions);
    copy.files.putAll(files);
    copy.withoutPreview = withoutPreview;
    return copy;
  }

  /**
   * @param text 1 to {@link Identity#textLimit} characters; with files it may be empty
   * @return a message in the making
   */
  public static NewMessage of(String text) {
    return new NewMessage(text);
  }

  /**
   * @param seq of the message that it answers
   * @return this message
   */
  public NewMessage replyTo(long seq) {
    replyTo = seq;
    return this;
  }

  /**
   * Names somebody in the text, up to {@link Identity#mentionsLimit} times. Readers see the name that the user has by
   * then. Somebody who may not read the room is not told of it.
   *
   * @param user whom; with the id {@link Mention#EVERYBODY}, everybody in the room, for who may moderate there
   * @param begin where the name begins, as in {@link String#substring}: at an {@code @}, if there is one
   * @param end where it ends
   * @return this message
   */
  public NewMessage mention(User user, int begin, int end) {
    mentions.add(Mention.in(text, user, begin, end));
    return this;
  }

  /**
   * Adds a file, up to {@link Identity#filesLimit}. The message is sent when all its files are there.
   *
   * @param upload what {@link Chat#upload} has given for the same room
   * @param alt up to 250 characters for who does not see it; null: nothing
   * @return this message
   */
  public NewMessage file(String upload, @Nullable String alt) {
    files.put(Objects.requireNonNull(upload, "upload"), alt);
    return this;
  }

  /**
   * Sends it without the page of its link, in a room whose links have previews.
   *
   * @return this message
   */
  public NewMessage withoutPreview() {
    withoutPreview = true;
    return this;
  }
}
