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
  private int position;
  private String name;
  private Map<String, String> attributes;

  HtmlTags(String html) {
    this.html = html;
  }

  /** The tag name in lower case. An end tag starts with a slash. */
  String name() {
    return name;
  }

  /** Raw values, with entities, by lower-case attribute name. */
  Map<String, String> attributes() {
    return attributes;
  }

  /** Moves to the next complete tag. Returns false at the end. */
  boolean next() {
    // These elements contain text only.
    if (name != null && (name.equals("script") || name.equals("style") || name.equals("textarea"))) skipTo("</" + name);
    while (true) {
      skipTo("<");
      if (position >= html.length()) return false;
      if (html.startsWith("<!--", position)) {
        position += 4;
        skipTo("-->");
      } else if (isLetter(position + 1) || (html.startsWith("</", position) && isLetter(position + 2))) {
        return read();
      } else {
        position++;
      }
    }
  }

  private boolean read() {
    int from = ++position;
    position++;
    while (position < html.length() && !isSpace() && !is('/') && !is('>')) position++;
    name = html.substring(from, Math.min(position, html.length())).toLowerCase(Locale.ROOT);
    attributes = new HashMap<>();
    while (position < html.length()) {
      if (is('>')) {
        position++;
        return true;
      }
      if (isSpace() || is('/')) position++;
      else readAttribute();
    }
    return false;
  }

  private void readAttribute() {
    int from = position++;
    while (position < html.length() && !isSpace() && !is('/') && !is('>') && !is('=')) position++;
    String attribute = html.substring(from, position).toLowerCase(Locale.ROOT);
    skipSpaces();
    String value = "";
    if (position < html.length() && is('=')) {
      position++;
      skipSpaces();
      value = value();
    }
    if (!attributes.containsKey(attribute)) attributes.put(attribute, value);
  }

  private String value() {
    if (position >= html.length()) return "";
    char quote = html.charAt(position);
    int from = position;
    if (quote == '"' || quote == '\'') {
      from = ++position;
      int to = html.indexOf(quote, position);
      position = to < 0 ? html.length() : to + 1;
      return to < 0 ? "" : html.substring(from, to);
    }
    while (position < html.length() && !isSpace() && !is('>')) position++;
    return html.substring(from, position);
  }

  private void skipSpaces() {
    while (position < html.length() && isSpace()) position++;
  }

  /** Moves to the text, compared without case, or to the end. */
  private void skipTo(String text) {
    if (text.length() == 1) {
      int found = html.indexOf(text, position);
      position = found < 0 ? html.length() : found;
      return;
    }
    while (position < html.length() && !html.regionMatches(true, position, text, 0, text.length())) position++;
  }

  private boolean is(char c) {
    return html.charAt(position) == c;
  }

  private boolean isSpace() {
    return " \t\n\r\f".indexOf(html.charAt(position)) >= 0;
  }

  private boolean isLetter(int i) {
    return i < html.length() && (html.charAt(i) | 0x20) >= 'a' && (html.charAt(i) | 0x20) <= 'z';
  }
}
