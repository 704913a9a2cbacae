package io.github.phpsessionchat;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Iterates over the tags of a page in linear time. Regular expressions could recurse or backtrack on large or broken
 * pages.
 */
final class HtmlTags {
  private final String html;
  private int at;
  private String name;
  private Map<String, String> attributes;

  HtmlTags(String html) {
    this.html = html;
  }

  /** The tag name in lower case. An end tag starts with a slash. */
  String name() {
    return name;
  }

  /** Unescaped values by lower-case attribute name. */
  Map<String, String> attributes() {
    return attributes;
  }

  /** Moves to the next complete tag. Returns false at the end. */
  boolean next() {
    // These elements contain text only.
    if (name != null && (name.equals("script") || name.equals("style") || name.equals("textarea"))) skipTo("</" + name);
    while (true) {
      skipTo("<");
      if (at >= html.length()) return false;
      if (html.startsWith("<!--", at)) {
        at += 4;
        skipTo("-->");
      } else if (isLetter(at + 1) || (html.startsWith("</", at) && isLetter(at + 2))) {
        return read();
      } else {
        at++;
      }
    }
  }

  private boolean read() {
    int from = ++at;
    at++;
    while (at < html.length() && !isSpace() && !is('/') && !is('>')) at++;
    name = html.substring(from, Math.min(at, html.length())).toLowerCase(Locale.ROOT);
    attributes = new HashMap<>();
    while (at < html.length()) {
      if (is('>')) {
        at++;
        return true;
      }
      if (isSpace() || is('/')) at++;
      else readAttribute();
    }
    return false;
  }

  private void readAttribute() {
    int from = at++;
    while (at < html.length() && !isSpace() && !is('/') && !is('>') && !is('=')) at++;
    String attribute = html.substring(from, at).toLowerCase(Locale.ROOT);
    skipSpaces();
    String value = "";
    if (at < html.length() && is('=')) {
      at++;
      skipSpaces();
      value = value();
    }
    if (!attributes.containsKey(attribute)) attributes.put(attribute, value);
  }

  private String value() {
    if (at >= html.length()) return "";
    char quote = html.charAt(at);
    int from = at;
    if (quote == '"' || quote == '\'') {
      from = ++at;
      int to = html.indexOf(quote, at);
      at = to < 0 ? html.length() : to + 1;
      return to < 0 ? "" : html.substring(from, to);
    }
    while (at < html.length() && !isSpace() && !is('>')) at++;
    return html.substring(from, at);
  }

  private void skipSpaces() {
    while (at < html.length() && isSpace()) at++;
  }

  /** Moves to the text, compared without case, or to the end. */
  private void skipTo(String text) {
    if (text.length() == 1) {
      int found = html.indexOf(text, at);
      at = found < 0 ? html.length() : found;
      return;
    }
    while (at < html.length() && !html.regionMatches(true, at, text, 0, text.length())) at++;
  }

  private boolean is(char c) {
    return html.charAt(at) == c;
  }

  private boolean isSpace() {
    return " \t\n\r\f".indexOf(html.charAt(at)) >= 0;
  }

  private boolean isLetter(int i) {
    return i < html.length() && (html.charAt(i) | 0x20) >= 'a' && (html.charAt(i) | 0x20) <= 'z';
  }
}
