package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import okhttp3.HttpUrl;
import okhttp3.Request;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FileAddressesTest {
  private static final String SERVER = "https://www.example.org:8443/chat/";

  private static FileAddresses at(String server, String origin, FileAddresses.Credentials session) {
    return new FileAddresses(HttpUrl.get(server), origin, "Session", session, null);
  }

  private static NewFile file(String name) {
    return NewFile.of(name, 0, () -> new ByteArrayInputStream(new byte[0]));
  }

  private static String download(String name) {
    ChatFile file = Vectors.file(name);
    return at(SERVER, null, null).download(file, false).url().toString();
  }

  @ParameterizedTest
  @CsvSource({"cat.png,cat.png", "..,file", ".,file", "'',file", "%2e%2e,%252e%252e", "a/b?c#d,a%2Fb%3Fc%23d", "größe 💐,gr%C3%B6%C3%9Fe%20%F0%9F%92%90"})
  void escapesFileNames(String name, String segment) {
    assertEquals("https://www.example.org:8443/chat/files/0123456789abcdef/" + segment, download(name));
  }

  @Test
  void previewHasASizeParameter() {
    ChatFile file = Vectors.file("a");
    String url = at("http://[::1]", null, null).download(file, true).url().toString();
    assertEquals("http://[::1]/files/0123456789abcdef/a?size=preview", url);
  }

  @Test
  void sendsEitherOriginOrSessionId() {
    Request own = at(SERVER, null, null).upload("den", file("a b&c")).build();
    assertEquals("https://www.example.org:8443", own.header("Origin"));
    assertNull(own.header("Authorization"));
    assertEquals("room=den&name=a%20b%26c", own.url().encodedQuery());
    Request other = at(SERVER, "https://site.example", null).upload("den", file("a")).build();
    assertEquals("https://site.example", other.header("Origin"));
    Request session = at(SERVER, null, () -> "abc").upload("den", file("a")).build();
    assertEquals("Session abc", session.header("Authorization"));
    assertNull(session.header("Origin"));
    for (String id : new String[] {null, "", "a b", "ä", "a\n"}) {
      Request none = at(SERVER, null, () -> id).upload("den", file("a")).build();
      assertNull(none.header("Authorization"));
      assertEquals("https://www.example.org:8443", none.header("Origin"));
    }
  }

  @Test
  void picturesOfRoomsHaveAUse() {
    Request request = at(SERVER, null, null).upload("den", file("a").asRoomPicture()).build();
    assertEquals("room=den&name=a&use=picture", request.url().encodedQuery());
  }

  @Test
  void voiceMessagesHavePeaks() {
    String peaks = "0123456789abcdefghijklmnopqrstuv00000000000000";
    assertEquals("room=den&name=a&peaks=" + peaks, at(SERVER, null, null).upload("den", file("a").asVoice(peaks)).build().url().encodedQuery());
    for (String wrong : new String[] {"", "0", peaks + "0", peaks.replace('v', 'w')}) {
      assertThrows(IllegalArgumentException.class, () -> file("a").asVoice(wrong));
    }
  }

  @Test
  void formatsOriginsLikeABrowser() {
    assertEquals("https://www.example.org", FileAddresses.originOf(HttpUrl.get("https://u:p@www.example.org:443/chat?a#b")));
    assertEquals("http://[::1]:7070", FileAddresses.originOf(HttpUrl.get("http://[::1]:7070/")));
  }
}
