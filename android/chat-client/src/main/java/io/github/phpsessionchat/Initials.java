package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The letters in the picture of a user, as in {@code server/wire/avatar.ts}. */
public final class Initials {
  private static final Pattern BETWEEN_WORDS = Pattern.compile("[\\s\\p{Z}\\ufeff\\p{P}]+");
  private static final Pattern VISIBLE = Pattern.compile("[\\p{L}\\p{N}\\p{S}]");
  private static final Pattern CJK = Pattern.compile("[\\p{sc=Hani}\\p{sc=Hira}\\p{sc=Kana}\\p{sc=Hang}]");
  /** A flag, or a character with its marks and joined emoji. Java 8 lacks {@code \X}. */
  private static final Pattern LETTER =
      Pattern.compile(
          "[\\x{1f1e6}-\\x{1f1ff}]{2}|(?s:.)[\\p{M}\\x{1f3fb}-\\x{1f3ff}]*(?:\\u200d(?s:.)[\\p{M}\\x{1f3fb}-\\x{1f3ff}]*)*");
  /** No script needs more marks, and more would cover neighbouring text. */
  private static final Pattern TOO_MANY_MARKS = Pattern.compile("(\\p{M}{3})\\p{M}+");

  private Initials() {}

  /**
   * Returns the first letters of the first and last word, without words that begin with a digit if there are others.
   * Chinese, Japanese and Korean names get a single letter.
   *
   * @param name of a user or a room
   * @return the letters, as capitals
   */
  public static String of(String name) {
    List<String> words = new ArrayList<>();
    List<String> spelled = new ArrayList<>();
    for (String word : BETWEEN_WORDS.split(name)) {
      if (!VISIBLE.matcher(word).find()) continue;
      words.add(word);
      if (!isDigit(word.codePointAt(0))) spelled.add(word);
    }
    List<String> chosen = spelled.isEmpty() && !words.isEmpty() ? words.subList(0, 1) : spelled;
    if (chosen.isEmpty()) return letter(name);
    String first = letter(chosen.get(0));
    boolean isSingle = chosen.size() == 1 || CJK.matcher(first).find();
    return isSingle ? first : first + letter(chosen.get(chosen.size() - 1));
  }

  private static boolean isDigit(int c) {
    int type = Character.getType(c);
    return type == Character.DECIMAL_DIGIT_NUMBER || type == Character.LETTER_NUMBER || type == Character.OTHER_NUMBER;
  }

  private static String letter(String word) {
    Matcher letter = LETTER.matcher(word);
    if (!letter.lookingAt()) return "";
    return TOO_MANY_MARKS.matcher(letter.group().toUpperCase(Locale.getDefault())).replaceAll("$1");
  }
}
