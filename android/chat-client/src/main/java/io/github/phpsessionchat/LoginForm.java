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
  private final int userIndex;
  private final int passwordIndex;

  private LoginForm(String action, List<Map<String, String>> inputs, int userIndex, int passwordIndex) {
    this.action = action;
    this.inputs = inputs;
    this.userIndex = userIndex;
    this.passwordIndex = passwordIndex;
  }

  /** Returns the first login form, or null. */
  static @Nullable LoginForm parse(String html) {
    HtmlTags tags = new HtmlTags(html);
    String action = null;
    List<Map<String, String>> inputs = new ArrayList<>();
    int userIndex = -1;
    int passwordIndex = -1;
    while (tags.next()) {
      Map<String, String> attributes = tags.attributes();
      if (tags.name().equals("form") && action == null) {
        action = attributes.containsKey("action") ? unescape(attributes.get("action")) : "";
        inputs.clear();
        userIndex = -1;
        passwordIndex = -1;
      } else if (tags.name().equals("/form")) {
        if (userIndex >= 0 && passwordIndex >= 0) break;
        action = null;
      } else if (tags.name().equals("input") && action != null) {
        if (!attributes.containsKey("name") || attributes.containsKey("disabled")) continue;
        String type = type(attributes);
        if (passwordIndex < 0 && type.equals("password")) passwordIndex = inputs.size();
        else if (passwordIndex < 0 && (type.equals("text") || type.equals("email") || type.equals("tel"))) {
          userIndex = inputs.size();
        }
        inputs.add(attributes);
      }
    }
    return action == null || userIndex < 0 || passwordIndex < 0 ? null : new LoginForm(action, inputs, userIndex, passwordIndex);
  }

  /** Returns names and values as a browser would send them. */
  List<String[]> fill(String user, String password) {
    List<String[]> fields = new ArrayList<>();
    boolean hasSubmit = false;
    for (int i = 0; i < inputs.size(); i++) {
      Map<String, String> input = inputs.get(i);
      String type = type(input);
      String value = input.containsKey("value") ? unescape(input.get("value")) : "";
      if (i == userIndex) value = user;
      else if (i == passwordIndex) value = password;
      else if (type.equals("checkbox") || type.equals("radio")) {
        if (!input.containsKey("checked")) continue;
        if (!input.containsKey("value")) value = "on";
      } else if (type.equals("submit")) {
        // The enter key presses the first button.
        if (hasSubmit) continue;
        hasSubmit = true;
      } else if (type.equals("button") || type.equals("reset") || type.equals("image") || type.equals("file")) {
        continue;
      }
      fields.add(new String[] {unescape(input.get("name")), value});
    }
    return fields;
  }

  private static String type(Map<String, String> input) {
    String type = input.get("type");
    return type == null || type.isEmpty() ? "text" : type.toLowerCase(Locale.ROOT);
  }

  private static String unescape(String text) {
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
