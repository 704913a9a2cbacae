package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Typical login forms. */
class LoginFormTest {
  @Test
  void fillsInNameAndPasswordAndKeepsOtherFields() {
    String html =
        "<form action=/search><input name=q></form>"
            + "<form method=\"post\" action=\"/login?a=1&amp;b=2\">"
            + "<input type=\"hidden\" name=\"csrf\" value=\"a&quot;b&#39;&#x1F33B;\">"
            + "<input id='u' name='username' value='old' required>"
            + "<input name=\"password\" type=\"PASSWORD\">"
            + "<input type=checkbox name=remember><input type=checkbox name=tos checked>"
            + "<input type=submit name=go value=\"Log in\"><input type=submit name=cancel></form>";
    assertEquals("/login?a=1&b=2", LoginForm.parse(html).action);
    assertEquals(
        Arrays.asList("csrf=a\"b'🌻", "username=alice", "password=s€cret", "tos=on", "go=Log in"),
        filled(html));
  }

  @Test
  void usesTheLastTextFieldBeforeThePasswordAsTheName() {
    String html =
        "<form><input name=company type=text><input type=email name=log /><input name=pwd type=password></form>";
    assertEquals(Arrays.asList("company=", "log=alice", "pwd=s€cret"), filled(html));
  }

  @Test
  void ignoresCommentedFormsAndFormsWithoutPassword() {
    assertNull(LoginForm.parse("<!-- <form><input name=u><input name=p type=password></form> --> <form><input name=q></form>"));
    assertNull(LoginForm.parse(""));
  }

  @Test
  void readsLargeAndBrokenPagesInLinearTime() {
    String form = "<form><input name=u><input name=p type=password></form>";
    for (String piece : Arrays.asList("<form ", "<form>", "<!--", "<a \"", "<input a='b' ", "x='", "<", "</", "&a", "<script>")) {
      String page = String.join("", Collections.nCopies(1_000_000 / piece.length(), piece));
      assertTimeoutPreemptively(Duration.ofSeconds(5), () -> LoginForm.parse(page), piece);
      assertTimeoutPreemptively(Duration.ofSeconds(5), () -> LoginForm.parse(page + form), piece);
    }
    String attributes = String.join("", Collections.nCopies(100_000, " a='>' b=\">\""));
    assertEquals(
        Arrays.asList("u=alice", "p=s€cret"), filled(form.replace("<form", "<form" + attributes)));
  }

  @Test
  void ignoresFormsInScripts() {
    String html =
        "<script>var form = '<form><input name=x><input name=y type=password></form>';</SCRIPT>"
            + "<FORM ACTION='/in'><INPUT NAME=u><INPUT NAME=p TYPE=password>";
    assertEquals("/in", LoginForm.parse(html).action);
    assertEquals(Arrays.asList("u=alice", "p=s€cret"), filled(html));
  }

  private static List<String> filled(String html) {
    List<String> fields = new ArrayList<>();
    for (String[] field : LoginForm.parse(html).fill("alice", "s€cret")) fields.add(field[0] + "=" + field[1]);
    return fields;
  }
}
