package io.github.phpsessionchat;

import io.github.phpsessionchat.MessageText.Link;
import io.github.phpsessionchat.MessageText.Piece;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Finds links, like {@code server/text/links.ts}. It uses no large regular expressions, which overflow Java's stack. */
final class TextLinks {
  private static final String HTTP = "http://";
  private static final String HTTPS = "https://";
  private static final String MAILTO = "mailto:";
  private static final String WWW = "www.";
  /** Signs that may stand between letters of a word. */
  private static final String INSIDE_WORDS = "’·・״׳་";
  private static final String JOINERS = "\u200c\u200d";
  private static final String BARS = "｜＜＞";
  private static final String OPENING = "([{";
  private static final String CLOSING = ")]}";
  private static final String TAIL = ".,;:!?'*~\\";
  private static final int MAX_MAIL_NAME = 64;
  private static final int MAX_MAILTO_NAME = 1000;
  /** The maximum number of nested brackets, because each address is scanned for the counterparts. */
  private static final int MAX_BRACKETS = 32;
  private static final int MAX_PORT_DIGITS = 5;
  private static final int MAX_PORT = 65535;
  private static final int HTTP_PORT = 80;
  private static final int HTTPS_PORT = 443;

  private TextLinks() {}

  /** Splits a text into plain text and links. */
  static List<Piece> split(String text) {
    List<Piece> pieces = new ArrayList<>();
    int done = 0;
    int italic = Integer.MIN_VALUE;
    int at = 0;
    Characters characters = new Characters(text);
    while (at < text.length()) {
      int end = candidateEnd(text, at, characters);
      if (end < 0) {
        at += Character.charCount(text.codePointAt(at));
        continue;
      }
      String candidate = text.substring(at, end);
      if (italic == Integer.MIN_VALUE) italic = italicStart(text);
      Link link = link(address(candidate, italic < at));
      if (link == null) {
        // The host of a refused address would look like the address of another host.
        at += refusedLength(candidate);
        continue;
      }
      if (at > done) pieces.add(Piece.text(text.substring(done, at)));
      pieces.add(Piece.link(link));
      at += link.text.length();
      done = at;
    }
    if (done < text.length()) pieces.add(Piece.text(text.substring(done)));
    return pieces;
  }

  /** Whether {@code _} may start a format after a character. Elsewhere it is a letter, as in names of files. */
  static boolean opensAfter(int c) {
    return TextCharacters.isSpace(c)
        || "\"'*_~".indexOf(c) >= 0
        || Character.getType(c) == Character.START_PUNCTUATION
        || Character.getType(c) == Character.INITIAL_QUOTE_PUNCTUATION
        || Character.getType(c) == Character.OTHER_LETTER
        || c > '~' && TextCharacters.isPunctuation(c);
  }

  /** Returns the index of the first {@code _} that may start a format, or that of its backslashes. */
  private static int italicStart(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) != '_' && text.charAt(i) != '\\') continue;
      if (i > 0 && (text.charAt(i - 1) == '_' || !opensAfter(text.codePointBefore(i)))) continue;
      int sign = i;
      while (sign < text.length() && text.charAt(sign) == '\\') sign++;
      if (sign + 1 >= text.length() || text.charAt(sign) != '_') continue;
      char next = text.charAt(sign + 1);
      if (next != '_' && !TextCharacters.isSpace(next)) return i;
    }
    return Integer.MAX_VALUE;
  }

  /** Returns the end of the possible address at an index, or -1. */
  private static int candidateEnd(String text, int at, Characters characters) {
    int c = text.codePointAt(at);
    if (!TextCharacters.isLetterOrNumber(c)) return -1;
    int before = at == 0 ? -1 : text.codePointBefore(at);
    String scheme = startsWith(text, at, HTTP) ? HTTP : startsWith(text, at, HTTPS) ? HTTPS : startsWith(text, at, MAILTO) ? MAILTO : "";
    if (!scheme.isEmpty() && !isWord(before)) {
      int end = characters.end(at + scheme.length());
      if (end > at + scheme.length()) return end;
    }
    if (startsWith(text, at, WWW) && "@./-".indexOf(before) < 0 && !isWord(before)) {
      int end = characters.end(at + WWW.length());
      if (end > at + WWW.length()) return end;
    }
    return "._%+/@-".indexOf(before) >= 0 || isWord(before) ? -1 : mailEnd(text, at);
  }

  private static boolean isWord(int before) {
    return before >= 0 && TextCharacters.isLatinMarkOrNumber(before);
  }

  private static boolean startsWith(String text, int at, String start) {
    if (text.length() - at < start.length()) return false;
    for (int i = 0; i < start.length(); i++) {
      char c = text.charAt(at + i);
      if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != start.charAt(i)) return false;
    }
    return true;
  }

  private static boolean startsWith(String text, String start) {
    return startsWith(text, 0, start);
  }

  /** Finds the end of the characters of an address. Scans each character once. */
  private static final class Characters {
    private final String text;
    private int scanned;

    Characters(String text) {
      this.text = text;
    }

    int end(int start) {
      int i = Math.max(start, scanned);
      while (i < text.length()) {
        int c = text.codePointAt(i);
        if (!isOfAddress(c) && !isInsideWord(text, i, c) && !isJoiner(text, i, c)) break;
        i += Character.charCount(c);
      }
      scanned = i;
      return i;
    }
  }

  private static boolean isOfAddress(int c) {
    if (c < 0x80) return c > ' ' && c < 0x7f && "<>\"`".indexOf(c) < 0;
    return !TextCharacters.endsAddress(c) && !TextCharacters.isBracketQuoteOrPoint(c) && BARS.indexOf(c) < 0;
  }

  private static boolean isInsideWord(String text, int at, int c) {
    return INSIDE_WORDS.indexOf(c) >= 0
        && at + 1 < text.length()
        && TextCharacters.isLetterMarkOrNumber(text.codePointBefore(at))
        && TextCharacters.isLetterMarkOrNumber(text.codePointAt(at + 1));
  }

  private static boolean isJoiner(String text, int at, int c) {
    if (JOINERS.indexOf(c) < 0) return false;
    int before = text.codePointBefore(at);
    return TextCharacters.isLetterOrMark(before) && !TextCharacters.isLatin(before);
  }

  private static int mailEnd(String text, int at) {
    int i = at;
    for (int count = 0; count < MAX_MAIL_NAME && i < text.length(); count++) {
      int c = text.codePointAt(i);
      boolean isOfName = TextCharacters.isLetterMarkOrNumber(c) || "._%+-".indexOf(c) >= 0;
      if (!isOfName || TextCharacters.isUnspaced(c) || TextCharacters.endsAddress(c)) break;
      i += Character.charCount(c);
    }
    if (i == at || i >= text.length() || text.charAt(i) != '@') return -1;
    int label = labelEnd(text, i + 1);
    if (label == i + 1 || label >= text.length() || text.charAt(label) != '.') return -1;
    int end = namesEnd(text, label + 1);
    return end > label + 1 ? end : -1;
  }

  private static int labelEnd(String text, int start) {
    int i = start;
    while (i < text.length()) {
      int c = text.codePointAt(i);
      boolean isOfLabel = TextCharacters.isLetterMarkOrNumber(c) && !TextCharacters.endsAddress(c) || c == '_' || c == '-';
      if (!isOfLabel && !(c == '·' && isL(text, i - 1) && isL(text, i + 1))) break;
      i += Character.charCount(c);
    }
    return i;
  }

  private static boolean isL(String text, int at) {
    return at >= 0 && at < text.length() && (text.charAt(at) == 'l' || text.charAt(at) == 'L');
  }

  /** Returns the end of labels with dots in between, or the start if there is none. */
  private static int namesEnd(String text, int start) {
    int end = labelEnd(text, start);
    while (end > start && end < text.length() && text.charAt(end) == '.') {
      int next = labelEnd(text, end + 1);
      if (next == end + 1) break;
      end = next;
    }
    return end;
  }

  private static int refusedLength(String candidate) {
    int i = schemeLength(candidate);
    while (i < candidate.length() && "/?#".indexOf(candidate.charAt(i)) < 0) i++;
    return i == 0 ? candidate.length() : i;
  }

  private static int schemeLength(String address) {
    return startsWith(address, HTTP) ? HTTP.length() : startsWith(address, HTTPS) ? HTTPS.length() : 0;
  }

  private static boolean isWeb(String address) {
    return schemeLength(address) > 0 || startsWith(address, WWW);
  }

  /** The parts of an address before its path, by their ends. */
  private static final class Beginning {
    final int scheme;
    final int host;
    final int port;

    Beginning(String address) {
      scheme = schemeLength(address);
      int c = scheme < address.length() ? address.codePointAt(scheme) : -1;
      host = c == '[' ? bracketEnd(address, scheme) : TextCharacters.isLetterOrNumber(c) ? namesEnd(address, scheme) : scheme;
      int digits = host + 1;
      while (digits < address.length() && TextCharacters.isAsciiDigit(address.charAt(digits))) digits++;
      boolean hasPort = host < address.length() && address.charAt(host) == ':';
      int count = digits - host - 1;
      port = hasPort && count > 0 && count <= MAX_PORT_DIGITS ? digits : host;
    }

    private static int bracketEnd(String address, int start) {
      int i = start + 1;
      while (i < address.length() && (".:".indexOf(address.charAt(i)) >= 0 || Character.digit(address.charAt(i), 16) >= 0 && address.charAt(i) < 0x80)) {
        i++;
      }
      return i > start + 1 && i < address.length() && address.charAt(i) == ']' ? i + 1 : start;
    }
  }

  /** Returns the address at the start of a candidate. Empty if there is none. */
  private static String address(String candidate, boolean afterItalic) {
    if (!isWeb(candidate)) return mailAddress(candidate, afterItalic);
    Beginning parts = new Beginning(candidate);
    String host = candidate.substring(parts.scheme, parts.host);
    int rest = parts.port;
    boolean isRefused = false;
    while (rest < candidate.length() && "/?#".indexOf(candidate.charAt(rest)) < 0) {
      // The host of https://bank.example@other.example is other.example.
      isRefused |= "@%".indexOf(candidate.charAt(rest)) >= 0;
      rest++;
    }
    if (host.isEmpty() || host.length() > TextHosts.MAX_LENGTH || isRefused) return "";
    if (parts.scheme == 0 && host.split("\\.", -1).length < 3) return "";
    int end = mixedEnd(host);
    if (end >= 0) return trimmed(candidate.substring(0, parts.scheme + end));
    if (rest > parts.port) return trimmed(candidate.substring(0, parts.port));
    // Checked before the path, which may be long and have more candidates.
    boolean hasPath = candidate.length() > parts.port;
    if (hasPath && (TextHosts.ascii(host) == null || port(candidate, parts) > MAX_PORT)) return "";
    return trimmed(candidate, parts.port, afterItalic);
  }

  private static String mailAddress(String candidate, boolean afterItalic) {
    // No mail address. Checked first, because the rest may be long and have more candidates.
    if (startsWith(candidate, MAILTO + "/")) return "";
    int at = 0;
    int most = MAX_MAILTO_NAME + (startsWith(candidate, MAILTO) ? MAILTO.length() : 0);
    while (at < candidate.length() && at < most && candidate.charAt(at) != '@' && candidate.charAt(at) != '?') at++;
    int end = at < candidate.length() && candidate.charAt(at) == '@' ? namesEnd(candidate, at + 1) : 0;
    if (end == at + 1) end = 0;
    String host = end == 0 ? "" : candidate.substring(at + 1, end);
    if (host.length() > TextHosts.MAX_LENGTH) return "";
    int mixed = mixedEnd(host);
    if (mixed >= 0) return trimmed(candidate.substring(0, at + 1 + mixed));
    String address = trimmed(candidate, end, afterItalic);
    boolean isScheme = address.length() <= MAILTO.length() && startsWith(address, "mailto");
    return isScheme ? "" : address;
  }

  /** Returns the index in the last label where its letters are no longer in ASCII, or -1. No such name exists. */
  private static int mixedEnd(String host) {
    int start = host.lastIndexOf('.') + 1;
    int i = start;
    while (i < host.length() && isOfAsciiName(host.charAt(i))) i++;
    return start > 0 && i > start && i < host.length() && host.charAt(i) >= 0x80 ? i : -1;
  }

  private static boolean isOfAsciiName(char c) {
    return TextCharacters.isAsciiLetter(c) || TextCharacters.isAsciiDigit(c) || c == '-';
  }

  private static String trimmed(String host) {
    return trimmed(host, host.length(), false);
  }

  /** Ends an address before a bracket that has no counterpart in it, and before the punctuation of the sentence. */
  private static String trimmed(String address, int pathStart, boolean afterItalic) {
    List<Integer> open = new ArrayList<>();
    int end = pathStart;
    for (; end < address.length(); end++) {
      char sign = address.charAt(end);
      if (OPENING.indexOf(sign) >= 0) {
        open.add(end);
        if (open.size() > MAX_BRACKETS) break;
      } else if (CLOSING.indexOf(sign) >= 0) {
        int last = open.size() - 1;
        if (last < 0 || OPENING.indexOf(address.charAt(open.get(last))) != CLOSING.indexOf(sign)) break;
        open.remove(last);
      }
    }
    if (!open.isEmpty()) end = Math.min(end, open.get(0));
    while (end > 0 && belongsToSentence(address.charAt(end - 1), end > pathStart, afterItalic)) end--;
    return address.substring(0, end);
  }

  private static boolean belongsToSentence(char sign, boolean isInPath, boolean afterItalic) {
    if (TAIL.indexOf(sign) >= 0) return true;
    if (sign == '_') return !isInPath || afterItalic;
    return sign == '-' ? !isInPath : Character.getType(sign) == Character.DASH_PUNCTUATION;
  }

  private static @Nullable Link link(String text) {
    if (text.isEmpty()) return null;
    if (isWeb(text)) return webLink(text);
    String shown = TextHosts.shownMail(text);
    boolean hasScheme = startsWith(text, MAILTO);
    String host = hasScheme ? shown.substring(MAILTO.length()) : shown;
    return new Link(mailHref(hasScheme ? text.substring(MAILTO.length()) : text), host, text, shown);
  }

  private static @Nullable Link webLink(String text) {
    Beginning parts = new Beginning(text);
    String host = text.substring(parts.scheme, parts.host);
    String ascii = TextHosts.ascii(host);
    if (ascii == null) return null;
    boolean isHttp = startsWith(text, HTTP);
    int usual = isHttp ? HTTP_PORT : HTTPS_PORT;
    int number = parts.port > parts.host ? port(text, parts) : usual;
    if (number > MAX_PORT) return null;
    String port = number == usual ? "" : ":" + number;
    String href = (isHttp ? HTTP : HTTPS) + ascii + port + pathHref(text.substring(parts.port));
    String shown = TextHosts.shown(text.substring(0, parts.scheme), host, ascii, text.substring(parts.host));
    return new Link(href, ascii + port, text, shown);
  }

  /** Returns the number of the port, or 0 if there is none. */
  private static int port(String address, Beginning parts) {
    return parts.port == parts.host ? 0 : Integer.parseInt(address.substring(parts.host + 1, parts.port));
  }

  private static String mailHref(String address) {
    int hash = indexOf(address, '#');
    int query = Math.min(indexOf(address, '?'), hash);
    return MAILTO
        + encoded(address.substring(0, query), "")
        + encoded(address.substring(query, hash), "\"<>")
        + encoded(address.substring(hash), "\"<>`");
  }

  private static String pathHref(String rest) {
    int hash = indexOf(rest, '#');
    int query = Math.min(indexOf(rest, '?'), hash);
    return path(rest.substring(0, query)) + encoded(rest.substring(query, hash), "\"<>'") + encoded(rest.substring(hash), "\"<>`");
  }

  private static int indexOf(String text, char sign) {
    int at = text.indexOf(sign);
    return at < 0 ? text.length() : at;
  }

  /** Resolves {@code .} and {@code ..} in a path, as browsers do. */
  private static String path(String path) {
    List<String> segments = new ArrayList<>();
    String[] parts = path.isEmpty() ? new String[] {""} : path.substring(1).split("[/\\\\]", -1);
    for (int i = 0; i < parts.length; i++) {
      String dots = parts[i].replace("%2e", ".").replace("%2E", ".");
      boolean isDots = dots.equals(".") || dots.equals("..");
      if (dots.equals("..") && !segments.isEmpty()) segments.remove(segments.size() - 1);
      if (!isDots) segments.add(encoded(parts[i], "\"<>`{}^"));
      else if (i == parts.length - 1) segments.add("");
    }
    StringBuilder result = new StringBuilder();
    for (String segment : segments) result.append('/').append(segment);
    return result.toString();
  }

  private static String encoded(String text, String signs) {
    StringBuilder result = new StringBuilder();
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      if (b > ' ' && b < 0x7f && signs.indexOf(b) < 0) result.append((char) b);
      else result.append('%').append(hex(b >> 4)).append(hex(b));
    }
    return result.toString();
  }

  private static char hex(int bits) {
    return "0123456789ABCDEF".charAt(bits & 0xf);
  }
}
