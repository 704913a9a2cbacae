package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A message for {@link Chat#send(String, NewMessage)}. */
public final class NewMessage {
  final String text;
  final List<Mention> mentions = new ArrayList<>();
  /** Alternative texts by upload key. */
  final Map<String, @Nullable String> files = new LinkedHashMap<>();

  long replyTo;
  boolean threadOnly;
  boolean withoutPreview;
  @Nullable String card;

  private NewMessage(String text) {
    this.text = Objects.requireNonNull(text, "text");
  }

  /** Returns a copy, because another thread sends it. */
  NewMessage copy() {
    NewMessage copy = new NewMessage(text).replyTo(replyTo);
    copy.mentions.addAll(mentions);
    copy.files.putAll(files);
    copy.threadOnly = threadOnly;
    copy.withoutPreview = withoutPreview;
    copy.card = card;
    return copy;
  }

  /**
   * Creates a message.
   *
   * @param text 1 to {@link Identity#textLimit} characters; may be empty if the message has files
   * @return the message
   */
  public static NewMessage of(String text) {
    return new NewMessage(text);
  }

  /**
   * Makes the message a reply.
   *
   * @param seq the message to reply to
   * @return this message
   */
  public NewMessage replyTo(long seq) {
    replyTo = seq;
    return this;
  }

  /**
   * Shows the reply only in its thread, and not among the messages of the room. Needs {@link #replyTo}. In a direct
   * room, it is an ordinary reply.
   *
   * @return this message
   */
  public NewMessage threadOnly() {
    threadOnly = true;
    return this;
  }

  /**
   * Marks a part of the text as a mention, up to {@link Identity#mentionsLimit} times. Readers see the user's current
   * name there. A user who cannot read the room is not notified.
   *
   * @param user the user; with the ID {@link Mention#EVERYBODY}, all members, which only moderators of the room may
   *     mention
   * @param begin start of the name, as in {@link String#substring}; include a leading {@code @}
   * @param end end of the name
   * @return this message
   */
  public NewMessage mention(User user, int begin, int end) {
    mentions.add(Mention.in(text, user, begin, end));
    return this;
  }

  /**
   * Attaches a file, up to {@link Identity#filesLimit} times. The message is sent when all files are uploaded.
   *
   * @param upload the key returned by {@link Chat#upload} for the same room
   * @param alt alternative text, up to 250 characters, or null
   * @return this message
   */
  public NewMessage file(String upload, @Nullable String alt) {
    files.put(Objects.requireNonNull(upload, "upload"), alt);
    return this;
  }

  /**
   * Sends the message without a link preview.
   *
   * @return this message
   */
  public NewMessage withoutPreview() {
    withoutPreview = true;
    return this;
  }

  /**
   * Attaches a card of the site, if the site has cards. The text must not be empty: if the user writes nothing, use the
   * reference, and do not show a text that equals {@link Message#card}.
   *
   * @param about the reference: {@link Card#about}
   * @return this message
   */
  public NewMessage card(String about) {
    card = Objects.requireNonNull(about, "about");
    return this;
  }
}
