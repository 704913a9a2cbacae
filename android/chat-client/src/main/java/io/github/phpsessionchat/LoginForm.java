package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The form on a page that contains a password field. */
final class LoginForm {
  private static final Pattern ENTITY = Pattern.compile("&(?:#(\\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(\\w+));");

  /** The target as written in the form. */
  final String action;

  private final List<Map<String, String>> inputs;
  private final int userAt;
  private final int passwordAt;

  private LoginForm(String action, List<Map<String, String>> inputs, int userAt, int passwordAt) {
    this.action = action;
    this.inputs = inputs;
    this.userAt = userAt;
    this.passwordAt = passwordAt;
  }

  /** Returns the first login form, or null. */
  static @Nullable LoginForm in(String html) {
    HtmlTags tags = new HtmlTags(html);
    String action = null;
    List<Map<String, String>> inputs = new ArrayList<>();
    int userAt = -1;
    int passwordAt = -1;
    while (tags.next()) {
      Map<String, String> attributes = tags.attributes();
      if (tags.name().equals("form") && action == null) {
        action = attributes.containsKey("action") ? unescaped(attributes.get("action")) : "";
        inputs.clear();
        userAt = -1;
        passwordAt = -1;
      } else if (tags.name().equals("/form")) {
        if (userAt >= 0 && passwordAt >= 0) break;
        action = null;
      } else if (tags.name().equals("input") && action != null) {
        if (!attributes.containsKey("name") || attributes.containsKey("disabled")) continue;
        String type = type(attributes);
        if (passwordAt < 0 && type.equals("password")) passwordAt = inputs.size();
        else if (passwordAt < 0 && (type.equals("text") || type.equals("email") || type.equals("tel"))) {
          userAt = inputs.size();
        }
        inputs.add(attributes);
      }
    }
    return action == null || userAt < 0 || passwordAt < 0 ? null : new LoginForm(action, inputs, userAt, passwordAt);
  }

  /** Returns names and values as a browser would send them. */
  List<String[]> filled(String user, String password) {
    List<String[]> fields = new ArrayList<>();
    boolean submitted = false;
    for (int i = 0; i < inputs.size(); i++) {
      Map<String, String> input = inputs.get(i);
      String type = type(input);
      String value = input.containsKey("value") ? unescaped(input.get("value")) : "";
      if (i == userAt) value = user;
      else if (i == passwordAt) value = password;
      else if (type.equals("checkbox") || type.equals("radio")) {
        if (!input.containsKey("checked")) continue;
        if (!input.containsKey("value")) value = "on";
      } else if (type.equals("submit")) {
        // The enter key presses the first button.
        if (submitted) continue;
        submitted = true;
      } else if (type.equals("button") || type.equals("reset") || type.equals("image") || type.equals("file")) {
        continue;
      }
      fields.add(new String[] {unescaped(input.get("name")), value});
    }
    return fields;
  }

  private static String type(Map<String, String> input) {
    String type = input.get("type");
    return type == null || type.isEmpty() ? "text" : type.toLowerCase(Locale.ROOT);
  }

  private static String unescaped(String text) {
    Matcher entities = ENTITY.matcher(text);
    StringBuffer plain = new StringBuffer();
    while (entities.find()) entities.appendReplacement(plain, Matcher.quoteReplacement(character(entities)));
    return entities.appendTail(plain).toString();
  }

  private static String character(Matcher entity) {
    if (entity.group(3) == null) {
      int point = entity.group(1) != null ? Integer.parseInt(entity.group(1)) : Integer.parseInt(entity.group(2), 16);
      return Character.isValidCodePoint(point) ? new String(Character.toChars(point)) : entity.group();
    }
    switch (entity.group(3)) {
      case "amp":
        return "&";
      case "lt":
        return "<";
      case "gt":
        return ">";
      case "quot":
        return "\"";
      case "apos":
        return "'";
      default:
        return entity.group();
    }
  }
}
