package io.github.phpsessionchat;

import java.util.regex.Pattern;

/** Unicode properties of code points, which Java and Android lack or name differently. */
final class TextCharacters {
  /** Marks that belong to any script are Inherited. */
  private static final Pattern LATIN_OR_INHERITED = Pattern.compile("[\\p{sc=Latn}\\p{sc=Zinh}]");
  private static final Pattern UNSPACED =
      Pattern.compile(
          "[\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}ー\\p{sc=Bopo}\\p{sc=Yiii}\\p{sc=Thai}\\p{sc=Laoo}\\p{sc=Khmr}\\p{sc=Mymr}\\p{sc=Tibt}]");
  /** The ranges of the property Default_Ignorable_Code_Point, first and last. */
  private static final int[] IGNORABLE = {
    0xad, 0xad, 0x34f, 0x34f, 0x61c, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b, 0x180f, 0x200b, 0x200f, 0x202a, 0x202e,
    0x2060, 0x206f, 0x3164, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xfeff, 0xffa0, 0xffa0, 0xfff0, 0xfff8, 0x1bca0, 0x1bca3,
    0x1d173, 0x1d17a, 0xe0000, 0xe0fff,
  };
  /** Characters that are blank without such a property: a pattern of Braille, a note without a head. */
  private static final int[] BLANK = {0x2800, 0x1d159};

  private TextCharacters() {}

  static boolean isBlank(String text) {
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      if (!isSpace(c) && !isInvisible(c) && Character.getType(c) != Character.CONTROL && !isBlank(c)) return false;
    }
    return true;
  }

  private static boolean isBlank(int c) {
    for (int blank : BLANK) {
      if (c == blank) return true;
    }
    return false;
  }

  /** Whether a character is a blank, as {@code \s} in JavaScript. */
  static boolean isSpace(int c) {
    switch (c) {
      case 0x20:
      case 0xa0:
      case 0x1680:
      case 0x2028:
      case 0x2029:
      case 0x202f:
      case 0x205f:
      case 0x3000:
      case 0xfeff:
        return true;
      default:
        return c >= 9 && c <= 13 || c >= 0x2000 && c <= 0x200a;
    }
  }

  /** Removes blanks at both ends, as {@code trim} in JavaScript. */
  static String trim(String text) {
    int start = 0;
    String trimmed = trimEnd(text);
    while (start < trimmed.length() && isSpace(trimmed.charAt(start))) start++;
    return trimmed.substring(start);
  }

  static String trimEnd(String text) {
    int end = text.length();
    while (end > 0 && isSpace(text.charAt(end - 1))) end--;
    return text.substring(0, end);
  }

  static boolean isInvisible(int c) {
    if (c < IGNORABLE[0]) return false;
    if (Character.getType(c) == Character.FORMAT) return true;
    for (int i = 0; i < IGNORABLE.length; i += 2) {
      if (c >= IGNORABLE[i] && c <= IGNORABLE[i + 1]) return true;
    }
    return false;
  }

  /** Whether no address contains a character: a blank, a control or invisible character, or half of a character. */
  static boolean endsAddress(int c) {
    int type = Character.getType(c);
    return isSpace(c) || type == Character.CONTROL || type == Character.SURROGATE || isInvisible(c);
  }

  static boolean isLetter(int c) {
    return Character.isLetter(c);
  }

  static boolean isLetterOrNumber(int c) {
    return isLetter(c) || isNumber(c);
  }

  static boolean isLetterOrMark(int c) {
    return isLetter(c) || isMark(c);
  }

  static boolean isLetterMarkOrNumber(int c) {
    return isLetterOrMark(c) || isNumber(c);
  }

  static boolean isMark(int c) {
    int type = Character.getType(c);
    return type == Character.NON_SPACING_MARK || type == Character.ENCLOSING_MARK || type == Character.COMBINING_SPACING_MARK;
  }

  static boolean isNumber(int c) {
    int type = Character.getType(c);
    return type == Character.DECIMAL_DIGIT_NUMBER || type == Character.LETTER_NUMBER || type == Character.OTHER_NUMBER;
  }

  static boolean isCasedLetterOrNumber(int c) {
    int type = Character.getType(c);
    return type == Character.UPPERCASE_LETTER
        || type == Character.LOWERCASE_LETTER
        || type == Character.TITLECASE_LETTER
        || isNumber(c);
  }

  /** Whether a character is punctuation other than a dash or a low line: an opening or closing one, or another one. */
  static boolean isBracketQuoteOrPoint(int c) {
    int type = Character.getType(c);
    return type == Character.START_PUNCTUATION
        || type == Character.END_PUNCTUATION
        || type == Character.INITIAL_QUOTE_PUNCTUATION
        || type == Character.FINAL_QUOTE_PUNCTUATION
        || type == Character.OTHER_PUNCTUATION;
  }

  static boolean isPunctuation(int c) {
    int type = Character.getType(c);
    return isBracketQuoteOrPoint(c) || type == Character.DASH_PUNCTUATION || type == Character.CONNECTOR_PUNCTUATION;
  }

  static boolean isLatin(int c) {
    return c < 0x80 ? isAsciiLetter(c) : isIn(LATIN_OR_INHERITED, c) && !isMark(c);
  }

  /** Whether no address starts after a character. */
  static boolean isLatinMarkOrNumber(int c) {
    return isNumber(c) || (c < 0x80 ? isAsciiLetter(c) : isIn(LATIN_OR_INHERITED, c));
  }

  /** Whether a character belongs to a script that puts no blanks between words. */
  static boolean isUnspaced(int c) {
    return c >= 0x80 && isIn(UNSPACED, c);
  }

  static boolean isAsciiLetter(int c) {
    return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
  }

  static boolean isAsciiDigit(int c) {
    return c >= '0' && c <= '9';
  }

  private static boolean isIn(Pattern pattern, int c) {
    return pattern.matcher(new String(Character.toChars(c))).matches();
  }
}
