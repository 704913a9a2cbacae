package io.github.phpsessionchat;

import java.util.List;
import java.util.Objects;

/** A user who is named in the text of a {@link Message}, and where. */
public final class Mention {
  /** The id of {@link #user} where everybody in the room is mentioned. */
  public static final String EVERYBODY = "*";
  /** {@code @} and a name, in characters. */
  private static final int LONGEST = 65;

  /**
   * With the name of the time when the message was read. {@link Message#textWithNames()} has it in place of what was typed. If
   * there is no name, this is the id, which may be any words of the author's.
   */
  public final User user;
  /** Where it begins, in characters of the text: {@link String#offsetByCodePoints} finds the place. */
  public final int start;
  /** How many characters it has. */
  public final int length;

  Mention(User user, int start, int length) {
    this.user = user;
    this.start = start;
    this.length = length;
  }

  /** Of a place as Java counts. */
  static Mention in(String text, User user, int begin, int end) {
    Objects.requireNonNull(user, "user");
    if (begin < 0 || end <= begin || end > text.length()) {
      throw new IndexOutOfBoundsException("from " + begin + " to " + end + " in a text of " + text.length());
    }
    return new Mention(user, text.codePointCount(0, begin), text.codePointCount(begin, end));
  }

  /**
   * The text with the names of now. Mentions outside the text, or in the midst of another, are left out. The typed words stay
   * where it can be no name, or there is none: a mention must not hide words, or show any that nobody has typed.
   */
  static String named(String text, List<Mention> mentions) {
    StringBuilder named = new StringBuilder();
    int done = 0;
    int doneCharacters = 0;
    int characters = text.codePointCount(0, text.length());
    for (Mention mention : mentions) {
      if (mention.start < doneCharacters || mention.length < 1 || mention.length > characters - mention.start) continue;
      int begin = text.offsetByCodePoints(done, mention.start - doneCharacters);
      int end = text.offsetByCodePoints(begin, mention.length);
      named.append(text, done, begin);
      boolean hasName = !mention.user.id.equals(EVERYBODY) && !mention.user.id.equals(mention.user.name);
      boolean isName = mention.length <= LONGEST && text.substring(begin, end).indexOf('\n') < 0;
      if (!hasName || !isName) named.append(text, begin, end);
      else named.append(text.charAt(begin) == '@' ? "@" : "").append(mention.user.name);
      done = end;
      doneCharacters = mention.start + mention.length;
    }
    return named.append(text, done, text.length()).toString();
  }

  @Override
  public String toString() {
    return "mention of " + user.id;
  }
}
