package io.github.phpsessionchat;

import io.github.phpsessionchat.MessageText.Block;
import io.github.phpsessionchat.MessageText.Piece;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Parses the formats of a message, like {@code server/text/format.ts}. */
final class TextFormats {
  private static final int MAX_LANGUAGE = 20;
  private static final int MAX_NUMBER_DIGITS = 3;

  private TextFormats() {}

  static List<Block> blocks(String text) {
    List<Block> found = new ArrayList<>();
    int done = 0;
    int opening = -1;
    for (int fence = fence(text, 0); fence >= 0; fence = fence(text, fence + 3)) {
      String fenced = opening < 0 ? "" : text.substring(opening + 3, fence);
      int language = languageEnd(fenced);
      String code = fenced.substring(language);
      if (code.endsWith("\n")) code = code.substring(0, code.length() - 1);
      if (opening < 0 || TextCharacters.trim(code).isEmpty()) {
        opening = fence;
        continue;
      }
      addBetween(text.substring(done, opening), done > 0, true, found);
      found.add(Block.code(code, language > 1 ? fenced.substring(0, language - 1) : null));
      done = fence + 3;
      opening = -1;
    }
    addBetween(text.substring(done), done > 0, false, found);
    return found;
  }

  /** Returns the index of the next three backticks that are not part of a longer run, or -1. */
  private static int fence(String text, int from) {
    int i = from;
    while (i < text.length()) {
      if (text.charAt(i) != '`') {
        i++;
        continue;
      }
      int end = i;
      while (end < text.length() && text.charAt(end) == '`') end++;
      if (end - i == 3) return i;
      i = end;
    }
    return -1;
  }

  /** Returns the end of the line with the name of a language, or 0 if there is none. */
  private static int languageEnd(String fenced) {
    int i = 0;
    while (i < fenced.length() && i < MAX_LANGUAGE && isOfLanguage(fenced.charAt(i))) i++;
    return i < fenced.length() && fenced.charAt(i) == '\n' ? i + 1 : 0;
  }

  private static boolean isOfLanguage(char c) {
    return TextCharacters.isAsciiLetter(c) || TextCharacters.isAsciiDigit(c) || "+#.-".indexOf(c) >= 0;
  }

  /** Parses the text between blocks of code, without the line breaks that belong to the fences. */
  private static void addBetween(String text, boolean after, boolean before, List<Block> found) {
    int start = after && text.startsWith("\n") ? 1 : 0;
    int end = before && text.length() > start && text.endsWith("\n") ? text.length() - 1 : text.length();
    String words = text.substring(start, end);
    if (!words.isEmpty() || !(after || before)) new Lines().addAll(words, found);
  }

  /** Splits a text into paragraphs, quotations and lists. */
  private static final class Lines {
    private final List<Block> found = new ArrayList<>();
    private List<String> paragraph = new ArrayList<>();
    private List<String> quoted = new ArrayList<>();
    private @Nullable List<List<Piece>> items;
    private int start;

    void addAll(String text, List<Block> blocks) {
      for (String line : text.split("\n", -1)) add(line);
      endBlock();
      endParagraph(true);
      blocks.addAll(found);
    }

    private void add(String line) {
      Sign sign = Sign.of(line);
      boolean isQuote = sign != null && sign.isQuote;
      if (isQuote || !quoted.isEmpty() && TextCharacters.trimEnd(line).equals(">")) {
        if (quoted.isEmpty()) endBlock();
        endParagraph(false);
        quoted.add(sign == null ? "" : sign.words);
      } else if (sign != null) {
        if (!quoted.isEmpty() || !continues(sign.number)) endBlock();
        endParagraph(false);
        if (items == null) {
          items = new ArrayList<>();
          start = sign.number;
        }
        items.add(new Inline(sign.words).parse());
      } else {
        endBlock();
        paragraph.add(withoutEscape(line));
      }
    }

    /** Whether an item continues the list. Its number must be the next one or the first one again. */
    private boolean continues(int number) {
      if (items == null) return false;
      if (start == Block.NO_NUMBERS || number == Block.NO_NUMBERS) return start == number;
      return number == start || number == start + items.size();
    }

    private void endBlock() {
      if (!quoted.isEmpty()) found.add(Block.quote(new Inline(TextCharacters.trimEnd(join(quoted))).parse()));
      if (items != null) found.add(Block.list(start, items));
      quoted = new ArrayList<>();
      items = null;
    }

    private void endParagraph(boolean isLast) {
      int first = 0;
      int end = paragraph.size();
      // Empty lines next to a quotation or a list are dropped, because these have a margin anyway.
      while (!found.isEmpty() && first < end && TextCharacters.trim(paragraph.get(first)).isEmpty()) first++;
      while (!isLast && end > first && TextCharacters.trim(paragraph.get(end - 1)).isEmpty()) end--;
      if (end > first) found.add(Block.text(new Inline(join(paragraph.subList(first, end))).parse()));
      paragraph = new ArrayList<>();
    }
  }

  private static String join(List<String> lines) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < lines.size(); i++) text.append(i == 0 ? "" : "\n").append(lines.get(i));
    return text.toString();
  }

  /** The sign at the start of a line in a quotation or a list, and the text of the line. */
  private static final class Sign {
    final boolean isQuote;
    final int number;
    final String words;

    private Sign(boolean isQuote, int number, String words) {
      this.isQuote = isQuote;
      this.number = number;
      this.words = words;
    }

    static @Nullable Sign of(String line) {
      int digits = digits(line);
      boolean isNumber = digits > 0 && digits < line.length() && line.charAt(digits) == '.';
      boolean isQuote = line.startsWith(">");
      if (!isNumber && !isQuote && !line.startsWith("-")) return null;
      int words = wordsStart(line, isNumber ? digits + 1 : 1);
      if (words < 0) return null;
      for (int i = words; i < line.length(); i++) {
        if ("\r\u2028\u2029".indexOf(line.charAt(i)) >= 0) return null;
      }
      return new Sign(isQuote, isNumber ? Integer.parseInt(line.substring(0, digits)) : Block.NO_NUMBERS, line.substring(words));
    }
  }

  private static int digits(String line) {
    int i = 0;
    while (i < line.length() && i < MAX_NUMBER_DIGITS && TextCharacters.isAsciiDigit(line.charAt(i))) i++;
    return i;
  }

  /** Returns the start of the words after at least one space, or -1. */
  private static int wordsStart(String line, int from) {
    int i = from;
    while (i < line.length() && line.charAt(i) == ' ') i++;
    return i > from && i < line.length() && !TextCharacters.isSpace(line.charAt(i)) ? i : -1;
  }

  /** Removes a backslash that keeps a line from being a quotation or an item. */
  private static String withoutEscape(String line) {
    int at = line.startsWith("\\") ? 0 : digits(line);
    if (at + 1 >= line.length() || line.charAt(at) != '\\') return line;
    boolean isSign = (at == 0 ? ">-" : ".").indexOf(line.charAt(at + 1)) >= 0;
    return isSign && wordsStart(line, at + 2) >= 0 ? line.substring(0, at) + line.substring(at + 1) : line;
  }

  /** Parses the links, code, bold and italic parts of a text. */
  private static final class Inline {
    private static final int MAX_DEPTH = 3;
    /** Each closing sign is searched among the open ones. */
    private static final int MAX_OPEN = 100;

    private final String text;
    private final List<Piece> found = new ArrayList<>();
    /** Signs that may start a format. */
    private final List<Opening> open = new ArrayList<>();
    private int done;

    Inline(String text) {
      this.text = text;
    }

    List<Piece> parse() {
      int from = 0;
      for (int start = codeStart(from); start >= 0; start = codeStart(from)) {
        int end = codeEnd(start);
        from = end + 1;
        String code = text.substring(start + 1, end);
        if (TextCharacters.trim(code).isEmpty()) continue;
        int backslashes = backslashesBefore(start);
        if (backslashes % 2 == 1) {
          addBacktick(start, backslashes);
          from = done;
          int more = backslashesBefore(end);
          // Its counterpart, unless that may start code itself.
          if (more % 2 == 1 && !startsCode(end)) addBacktick(end, more);
        } else {
          addWords(start - backslashes);
          addText(repeated(backslashes / 2));
          found.add(Piece.code(code));
          done = end + 1;
        }
      }
      addWords(text.length());
      return joined(found);
    }

    private int codeStart(int from) {
      for (int i = from; i < text.length(); i++) {
        if (startsCode(i)) return i;
      }
      return -1;
    }

    private boolean startsCode(int at) {
      if (text.charAt(at) != '`' || at > 0 && text.charAt(at - 1) == '`') return false;
      int end = codeEnd(at);
      return end > at + 1
          && end < text.length()
          && text.charAt(end) == '`'
          && (end + 1 == text.length() || text.charAt(end + 1) != '`');
    }

    /** Returns the index of the next backtick or line break after one. */
    private int codeEnd(int start) {
      int i = start + 1;
      while (i < text.length() && text.charAt(i) != '`' && text.charAt(i) != '\n') i++;
      return i;
    }

    private int backslashesBefore(int at) {
      int first = at;
      while (first > 0 && text.charAt(first - 1) == '\\') first--;
      return at - first;
    }

    /** Adds a backtick that its backslash keeps from being code. */
    private void addBacktick(int at, int backslashes) {
      addWords(at - backslashes);
      addText(repeated(backslashes / 2) + "`");
      done = at + 1;
    }

    private void addText(String words) {
      found.add(Piece.text(words));
    }

    private void addWords(int to) {
      if (to <= done) return;
      for (Piece piece : TextLinks.split(text.substring(done, to))) {
        if (piece.link == null) addSigned(done + piece.text.length());
        else {
          found.add(piece);
          done += piece.link.text.length();
        }
      }
    }

    /** Adds a text without links. */
    private void addSigned(int to) {
      int i = done;
      while (i < to) {
        int end = signEnd(i, to);
        if (end < 0) {
          i++;
          continue;
        }
        if (i > done) addText(text.substring(done, i));
        done = i;
        addSign(end);
        done = end;
        i = end;
      }
      if (to > done) addText(text.substring(done, to));
      done = to;
    }

    /** Returns the end of signs that may format, after backslashes, or of an empty line, or -1. */
    private int signEnd(int at, int to) {
      char c = text.charAt(at);
      int i = at;
      if (c == '\n') {
        do i++;
        while (i < to && text.charAt(i) != '\n' && TextCharacters.isSpace(text.charAt(i)));
        return i < to && text.charAt(i) == '\n' ? i + 1 : -1;
      }
      if (c == '\\' && at > done && text.charAt(at - 1) == '\\') return -1;
      while (i < to && text.charAt(i) == '\\') i++;
      if (i == to || "*_".indexOf(text.charAt(i)) < 0) return -1;
      char sign = text.charAt(i);
      while (i < to && text.charAt(i) == sign) i++;
      return i;
    }

    private void addSign(int end) {
      int start = done;
      while (text.charAt(start) == '\\') start++;
      String run = text.substring(start, end);
      char before = done == 0 ? ' ' : text.charAt(done - 1);
      char after = end == text.length() ? ' ' : text.charAt(end);
      boolean opens = mayOpen(run, before, after);
      boolean closes = mayClose(run, before, after);
      int backslashes = start - done;
      if (!run.equals("***")) {
        addSign(run, backslashes, backslashes, opens, closes);
        return;
      }
      // It is bold and italic. The format that was opened last is closed first.
      boolean isBoldFirst = !open.isEmpty() && open.get(open.size() - 1).sign.equals("**");
      addSign(isBoldFirst ? "**" : "*", backslashes, backslashes, opens, closes);
      addSign(isBoldFirst ? "*" : "**", backslashes % 2, 0, opens, closes);
    }

    private void addSign(String sign, int backslashes, int written, boolean opens, boolean closes) {
      if (closes && close(sign, backslashes)) return;
      if (opens && (sign.equals("*") || sign.equals("**") || sign.equals("_"))) {
        open.add(new Opening(sign, backslashes, found.size()));
        if (open.size() > MAX_OPEN) open.remove(0);
      }
      // A format cannot span an empty line. Signs that are still open stay plain text.
      if (sign.startsWith("\n")) open.clear();
      addText(repeated(written) + sign);
    }

    /**
     * Ends the format that this sign started last. Returns false if there is none, or if it would be nested too deeply.
     * Signs that were opened in between stay as they are, and so do both signs if one of them is escaped, or if they
     * enclose only signs.
     */
    private boolean close(String sign, int backslashes) {
      int n = open.size() - 1;
      while (n >= 0 && !open.get(n).sign.equals(sign)) n--;
      if (n < 0) return false;
      Opening opening = open.get(n);
      List<Piece> inside = new ArrayList<>(found.subList(opening.at + 1, found.size()));
      // Formats around it would be nested even deeper.
      boolean isDeep = depth(inside) >= MAX_DEPTH;
      if (isDeep) open.clear();
      else open.subList(n, open.size()).clear();
      if (isDeep) return false;
      if (!sign.equals("**") && hasOnlySigns(inside)) {
        addText(repeated(backslashes) + sign);
        return true;
      }
      String before = repeated(opening.backslashes / 2);
      String after = repeated(backslashes / 2);
      if (opening.backslashes % 2 == 1 || backslashes % 2 == 1) {
        found.set(opening.at, Piece.text(before + sign));
        addText(after + sign);
      } else {
        found.subList(opening.at, found.size()).clear();
        inside.add(Piece.text(after));
        addText(before);
        found.add(sign.equals("**") ? Piece.bold(joined(inside)) : Piece.italic(joined(inside)));
      }
      return true;
    }
  }

  /** A sign that may start a format, at its index among the pieces. An odd number of backslashes escapes it. */
  private static final class Opening {
    final String sign;
    final int backslashes;
    final int at;

    Opening(String sign, int backslashes, int at) {
      this.sign = sign;
      this.backslashes = backslashes;
      this.at = at;
    }
  }

  private static boolean mayOpen(String sign, char before, char after) {
    if (TextCharacters.isSpace(after) || Character.getType(after) == Character.END_PUNCTUATION) return false;
    return sign.equals("_") ? TextLinks.opensAfter(before) : !TextCharacters.isCasedLetterOrNumber(before);
  }

  private static boolean mayClose(String sign, char before, char after) {
    if (TextCharacters.isSpace(before) || Character.getType(before) == Character.START_PUNCTUATION) return false;
    return sign.equals("_") ? closesBefore(after) : !TextCharacters.isCasedLetterOrNumber(after);
  }

  private static boolean closesBefore(char c) {
    return TextCharacters.isSpace(c)
        || "\"'*_~.,;:!?".indexOf(c) >= 0
        || Character.getType(c) == Character.END_PUNCTUATION
        || Character.getType(c) == Character.FINAL_QUOTE_PUNCTUATION
        || Character.getType(c) == Character.OTHER_LETTER
        || c > '~' && TextCharacters.isPunctuation(c);
  }

  private static boolean hasOnlySigns(List<Piece> pieces) {
    for (Piece piece : pieces) {
      if (piece.kind != Piece.Kind.TEXT) return false;
      for (int i = 0; i < piece.text.length(); i += Character.charCount(piece.text.codePointAt(i))) {
        int c = piece.text.codePointAt(i);
        int type = Character.getType(c);
        boolean isSymbol = type == Character.CURRENCY_SYMBOL || type == Character.MODIFIER_SYMBOL || type == Character.MATH_SYMBOL;
        if (!isSymbol && !TextCharacters.isPunctuation(c) && !TextCharacters.isSpace(c)) return false;
      }
    }
    return true;
  }

  private static int depth(List<Piece> pieces) {
    int most = 0;
    for (Piece piece : pieces) {
      boolean isFormat = piece.kind == Piece.Kind.BOLD || piece.kind == Piece.Kind.ITALIC;
      if (isFormat) most = Math.max(most, 1 + depth(piece.pieces));
    }
    return most;
  }

  private static String repeated(int backslashes) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < backslashes; i++) text.append('\\');
    return text.toString();
  }

  /** Merges neighbouring texts. */
  private static List<Piece> joined(List<Piece> pieces) {
    List<Piece> all = new ArrayList<>();
    StringBuilder words = new StringBuilder();
    for (Piece piece : pieces) {
      if (piece.kind == Piece.Kind.TEXT) {
        words.append(piece.text);
        continue;
      }
      if (words.length() > 0) all.add(Piece.text(words.toString()));
      words.setLength(0);
      all.add(piece);
    }
    if (words.length() > 0) all.add(Piece.text(words.toString()));
    return all;
  }
}
