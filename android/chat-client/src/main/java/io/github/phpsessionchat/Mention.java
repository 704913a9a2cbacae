package io.github.phpsessionchat;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A mention of a user in the text of a {@link Message}. */
public final class Mention {
  /** The ID of {@link #user} if all members of the room are mentioned. */
  public static final String EVERYBODY = "*";
  /** {@code @} and a name, in code points. */
  private static final int MAX_NAME_LENGTH = 65;

  /**
   * The user, with the name at the time when the message was read. {@link Message#textWithNames()} inserts the name. If
   * the name is unknown, it is the ID, and the mention keeps the text that its author typed.
   */
  public final User user;
  /** The start in code points; convert it by {@link String#offsetByCodePoints}. */
  public final int start;
  /** The length in code points. */
  public final int length;

  Mention(User user, int start, int length) {
    this.user = user;
    this.start = start;
    this.length = length;
  }

  /** Creates a mention from indexes in UTF-16 units. */
  static Mention in(String text, User user, int begin, int end) {
    Objects.requireNonNull(user, "user");
    if (begin < 0 || end <= begin || end > text.length()) {
      throw new IndexOutOfBoundsException("invalid range " + begin + " to " + end + " in a text of length " + text.length());
    }
    return new Mention(user, text.codePointCount(0, begin), text.codePointCount(begin, end));
  }

  /**
   * Returns the text with current names. Mentions that are out of range or overlap are ignored. A mention keeps its
   * typed text if that cannot be a name, because a name would hide the words, or if the name is unknown.
   */
  static String replaceNames(String text, List<Mention> mentions) {
    return replaceNames(text, mentions, null);
  }

  /** @param names if set, gets the words of each mention, and the text gets a sign of {@link NamedText} instead */
  static String replaceNames(String text, List<Mention> mentions, @Nullable List<String> names) {
    StringBuilder result = new StringBuilder();
    int done = 0;
    int doneCharacters = 0;
    int characters = text.codePointCount(0, text.length());
    for (Mention mention : mentions) {
      if (mention.start < doneCharacters || mention.length < 1 || mention.length > characters - mention.start) continue;
      int begin = text.offsetByCodePoints(done, mention.start - doneCharacters);
      int end = text.offsetByCodePoints(begin, mention.length);
      result.append(text, done, begin);
      boolean hasName = !mention.user.id.equals(EVERYBODY) && !mention.user.id.equals(mention.user.name);
      boolean isName = mention.length <= MAX_NAME_LENGTH && text.substring(begin, end).indexOf('\n') < 0;
      String typed = text.substring(begin, end);
      String words = hasName && isName ? (typed.startsWith("@") ? "@" : "") + mention.user.name : typed;
      if (names == null || names.size() == NamedText.MAX_SIGNS) result.append(words);
      else {
        result.append(NamedText.sign(names.size()));
        names.add(words);
      }
      done = end;
      doneCharacters = mention.start + mention.length;
    }
    return result.append(text, done, text.length()).toString();
  }

  @Override
  public String toString() {
    return "mention of " + user.id;
  }
}
