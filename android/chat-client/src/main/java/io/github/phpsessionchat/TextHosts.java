package io.github.phpsessionchat;

import java.net.IDN;
import java.text.Normalizer;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/** Hosts as programs request them and as users see them. */
final class TextHosts {
  static final int MAX_LENGTH = 253;
  /** A host in ASCII. OkHttp rejects some that browsers accept, such as {@code xn--1}. */
  private static final Pattern NAMES = Pattern.compile("[A-Za-z0-9_\\-]{1,63}(?:\\.[A-Za-z0-9_\\-]{1,63})*");
  /**
   * A label in Latin letters with visible marks, in characters of East Asia, or in Cyrillic letters, of which one looks
   * unlike Latin, digits and {@code -}.
   */
  private static final Pattern CLEAR =
      Pattern.compile(
          "(?!.*[ıĸŀŉ])[a-z0-9ß-öø-ž\\-]+"
              + "|(?![〇一ノー0-9\\-]+$)[\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}ー가-힣0-9\\-]+"
              + "|(?=.*[джийлфцшщъыэюя])[\\p{sc=Cyrl}0-9\\-]+");
  private static final Pattern CYRILLIC = Pattern.compile("[\\p{sc=Cyrl}0-9.\\-]+");
  /** The hosts in an address for mails, which may have several recipients, also after {@code ?}. */
  private static final Pattern MAIL_HOST = Pattern.compile("(@|%40)([\\p{L}\\p{M}\\p{N}_\\-]+(?:\\.[\\p{L}\\p{M}\\p{N}_\\-]+)*)");
  private static final String PUNYCODE = "xn--";
  private static final int BYTE = 256;
  private static final long MAX_IP = 0xffffffffL;

  private TextHosts() {}

  /** Returns a host as programs request it, or null if it is invalid or too long. IPv6 addresses are in brackets. */
  static @Nullable String ascii(String host) {
    if (host.length() > MAX_LENGTH) return null;
    String ascii = canonical(host);
    if (ascii == null || host.startsWith("[")) return ascii;
    for (String label : host.split("\\.", -1)) {
      if (!isValid(label)) return null;
    }
    return endsInNumber(ascii) ? ipv4(ascii) : ascii;
  }

  private static @Nullable String canonical(String host) {
    if (NAMES.matcher(host).matches()) return host.toLowerCase(Locale.ROOT);
    try {
      String canonical = new HttpUrl.Builder().scheme("http").host(lowerCase(host)).build().host();
      if (!host.startsWith("[")) return canonical;
      return "[" + (canonical.indexOf(':') < 0 ? mapped(canonical) : canonical) + "]";
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  /**
   * Returns the host in small letters, because OkHttp rejects some capitals that browsers accept, such as {@code Ӏ}.
   * Unlike {@code toLowerCase}, this keeps {@code İ}, and {@code Σ} becomes {@code σ} at the end of a word too.
   */
  private static String lowerCase(String host) {
    StringBuilder lower = new StringBuilder(host);
    for (int i = 0; i < host.length(); i++) {
      if (host.charAt(i) != 'İ') lower.setCharAt(i, Character.toLowerCase(host.charAt(i)));
    }
    return lower.toString();
  }

  /** Returns an address as users see it. Unless no other host looks the same, its host is in ASCII. */
  static String shown(String scheme, String host, String ascii, String rest) {
    return scheme + shown(host, ascii) + rest;
  }

  /** Returns an address for mails as users see it. */
  static String shownMail(String address) {
    StringBuilder shown = new StringBuilder();
    int done = 0;
    Matcher matcher = MAIL_HOST.matcher(address);
    while (matcher.find()) {
      String host = matcher.group(2);
      String ascii = ascii(host);
      shown.append(address, done, matcher.start(2)).append(shown(host, ascii == null ? host : ascii));
      done = matcher.end();
    }
    return shown.append(address, done, address.length()).toString();
  }

  private static String shown(String host, String ascii) {
    String typed = host.toLowerCase(Locale.ROOT);
    return isClear(typed, ascii) ? typed : ascii;
  }

  private static boolean isClear(String host, String ascii) {
    if (host.equals(ascii)) return true;
    if (!ascii.contains(PUNYCODE)) return false;
    if (CYRILLIC.matcher(host).matches()) return true;
    for (String label : host.split("\\.", -1)) {
      if (!CLEAR.matcher(label).matches()) return false;
    }
    return true;
  }

  /** Writes an IPv4 address as the end of an IPv6 address. OkHttp replaces such IPv6 addresses. */
  private static String mapped(String ipv4) {
    String[] parts = ipv4.split("\\.");
    int[] bytes = new int[parts.length];
    for (int i = 0; i < parts.length; i++) bytes[i] = Integer.parseInt(parts[i]);
    return "::ffff:" + Integer.toHexString(bytes[0] * BYTE + bytes[1]) + ":" + Integer.toHexString(bytes[2] * BYTE + bytes[3]);
  }

  /** Whether a label starts with no mark, and has a clear direction by RFC 5893. OkHttp accepts other labels too. */
  private static boolean isValid(String typed) {
    String label = Normalizer.normalize(typed, Normalizer.Form.NFKC).toLowerCase(Locale.ROOT);
    if (label.startsWith(PUNYCODE)) {
      if (!NAMES.matcher(typed).matches()) return false;
      label = IDN.toUnicode(label, IDN.ALLOW_UNASSIGNED);
    }
    if (label.isEmpty() || TextCharacters.isMark(label.codePointAt(0))) return false;
    boolean isRightToLeft = false;
    boolean hasDigits = false;
    boolean hasArabicDigits = false;
    boolean hasLeftToRight = false;
    boolean isEnd = false;
    for (int i = 0; i < label.length(); i += Character.charCount(label.codePointAt(i))) {
      byte direction = Character.getDirectionality(label.codePointAt(i));
      boolean isLetter = isRightToLeft(direction);
      boolean isDigit = direction == Character.DIRECTIONALITY_EUROPEAN_NUMBER;
      boolean isArabicDigit = direction == Character.DIRECTIONALITY_ARABIC_NUMBER;
      isRightToLeft |= isLetter || isArabicDigit;
      hasDigits |= isDigit;
      hasArabicDigits |= isArabicDigit;
      hasLeftToRight |= direction == Character.DIRECTIONALITY_LEFT_TO_RIGHT;
      if (direction != Character.DIRECTIONALITY_NONSPACING_MARK) isEnd = isLetter || isDigit || isArabicDigit;
    }
    return !isRightToLeft
        || isRightToLeft(Character.getDirectionality(label.codePointAt(0)))
            && !hasLeftToRight
            && !(hasDigits && hasArabicDigits)
            && isEnd;
  }

  private static boolean isRightToLeft(byte direction) {
    return direction == Character.DIRECTIONALITY_RIGHT_TO_LEFT || direction == Character.DIRECTIONALITY_RIGHT_TO_LEFT_ARABIC;
  }

  /** Browsers parse such a host as an IPv4 address: {@code 0x7f.1} is 127.0.0.1. */
  private static boolean endsInNumber(String ascii) {
    String last = ascii.substring(ascii.lastIndexOf('.') + 1);
    return hasOnlyDigits(last, 10) || last.startsWith("0x") && hasOnlyDigits(last.substring(2), 16);
  }

  private static boolean hasOnlyDigits(String text, int radix) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.digit(text.charAt(i), radix) < 0) return false;
    }
    return true;
  }

  private static @Nullable String ipv4(String ascii) {
    String[] parts = ascii.split("\\.", -1);
    if (parts.length > 4) return null;
    long address = 0;
    for (int i = 0; i < parts.length; i++) {
      long number = number(parts[i]);
      boolean isLast = i == parts.length - 1;
      long limit = isLast ? MAX_IP >> 8 * i : BYTE - 1;
      if (number < 0 || number > limit) return null;
      address += isLast ? number : number << 8 * (3 - i);
    }
    return (address >> 24) + "." + (address >> 16 & 0xff) + "." + (address >> 8 & 0xff) + "." + (address & 0xff);
  }

  /** Returns a decimal, octal or hexadecimal number, or -1 if it is invalid or too large. */
  private static long number(String part) {
    boolean isHex = part.startsWith("0x");
    boolean isOctal = !isHex && part.length() > 1 && part.startsWith("0");
    int radix = isHex ? 16 : isOctal ? 8 : 10;
    String digits = part.substring(isHex ? 2 : isOctal ? 1 : 0);
    if (part.isEmpty() || !hasOnlyDigits(digits, radix)) return -1;
    long number = 0;
    for (int i = 0; i < digits.length(); i++) {
      number = number * radix + Character.digit(digits.charAt(i), radix);
      if (number > MAX_IP) return -1;
    }
    return number;
  }
}
