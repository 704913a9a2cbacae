package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.json.JSONObject;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileOutboxTest {
  private static final String ALICE = "alice@example.org/..\\:李";

  @TempDir Path temporary;
  private static final String SERVER = "https://www.example.org/chat/";
  private File folder;
  private FileOutbox outbox;

  @BeforeEach
  void open() {
    folder = temporary.resolve("outbox").toFile();
    outbox = new FileOutbox(folder, SERVER);
  }

  @Test
  void nextProcessFindsStoredMessages() throws IOException {
    outbox.put(ALICE, message("a", "我十点到 👩‍🌾\n\"x\" \\ \u0000", null));
    outbox.put(ALICE, message("b", "two", "too_long"));
    List<String> kept = shown(new FileOutbox(folder, SERVER).load(ALICE));
    assertEquals(
        Arrays.asList("a in lobby to 7 at 1234: 我十点到 👩‍🌾\n\"x\" \\ \u0000 null", "b in lobby to 7 at 1234: two too_long"),
        kept);
  }

  @Test
  void keepsMentionsAndFilesAndReadsTheOldFormat() throws IOException {
    Mention mention = Mention.in("@李 hi", new User("李/\"1\"", "李"), 0, 2);
    ChatFile there =
        file("'id':'0123456789abcdef','name':'a.png','type':'image/png','size':7,'image':{'width':640,'height':480,'blur':'LEHV6nWB2yk8pyo0adR*.7kCMdnj'}");
    UnsentFile done = file("k1", "a \u202E.png", 9, "a cat", there);
    ChatFile said = file("'id':'0123456789abcde0','audio':{'duration':1500,'peaks':'0v'}");
    ChatFile seen = file("'id':'0123456789abcde1','video':{'width':640,'height':360}");
    UnsentFile lost = file("k2", "b", 1L << 40, null, null);
    UnsentMessage.Draft message = NewMessage.of("@李 hi").replyTo(4).threadOnly().withoutPreview().card("order:1").toUnsent("a", "lobby");
    message.mentions = Collections.singletonList(mention);
    message.files = Arrays.asList(done, lost, file("k3", "v", 7, null, said), file("k4", "f", 7, null, seen));
    outbox.put(
        ALICE,
        message.done());
    UnsentMessage read = new FileOutbox(folder, SERVER).load(ALICE).get(0);
    assertEquals("李/\"1\" 李 0 2", read.mentions.get(0).user.id + " " + read.mentions.get(0).user + " " + read.mentions.get(0).start + " " + read.mentions.get(0).length);
    assertTrue(read.withoutPreview);
    assertEquals("order:1", read.card);
    assertTrue(read.threadOnly);
    UnsentFile first = read.files.get(0);
    assertEquals("k1 a \u202E.png 9 a cat", first.key + " " + first.name + " " + first.size + " " + first.alt);
    ChatFile file = first.file;
    assertEquals("0123456789abcdef a.png image/png 7 null", file.id + " " + file.name + " " + file.type + " " + file.size + " " + file.alt);
    assertEquals("640 480 LEHV6nWB2yk8pyo0adR*.7kCMdnj", file.image.width + " " + file.image.height + " " + file.image.blur);
    ChatFile.Audio heard = read.files.get(2).file.audio;
    assertEquals("1500 ms 0v", heard + " " + heard.peaks);
    assertEquals("640 x 360, 0 ms", read.files.get(3).file.video.toString());
    assertEquals(1L << 40, read.files.get(1).size);
    assertEquals(null, read.files.get(1).file);
    Files.write(own().resolve("b.json"), "{\"clientId\":\"b\",\"room\":\"r\",\"text\":\"t\",\"writtenAt\":2,\"replyTo\":0}".getBytes());
    assertEquals(2, outbox.load(ALICE).size());
  }

  @Test
  void replacesMessageWithTheSameClientId() throws IOException {
    outbox.put(ALICE, message("a", "one", null));
    outbox.put(ALICE, message("a", "one", "muted"));
    assertEquals(Collections.singletonList("a in lobby to 7 at 1234: one muted"), shown(outbox.load(ALICE)));
    outbox.remove(ALICE, "a");
    outbox.remove(ALICE, "a");
    assertEquals(Collections.emptyList(), outbox.load(ALICE));
  }

  @Test
  void separatesUsersAndClearsTheOthers() throws IOException {
    outbox.put(ALICE, message("a", "of Alice", null));
    outbox.put("bob", message("b", "of Bob", null));
    assertEquals(1, outbox.load("bob").size());
    outbox.keepOnly("bob");
    assertEquals(Collections.emptyList(), outbox.load(ALICE));
    assertEquals(1, outbox.load("bob").size());
    outbox.keepOnly(null);
    assertEquals(0, folder.listFiles()[0].list().length);
  }

  @Test
  void removesHalfWrittenFiles() throws IOException {
    outbox.put(ALICE, message("a", "whole", null));
    Path own = own();
    Path half = own.resolve("b.new");
    Files.write(half, "{\"clientId\":\"b\",\"te".getBytes());
    assertEquals(1, new FileOutbox(folder, SERVER).load(ALICE).size());
    assertFalse(Files.exists(half));
  }

  @Test
  void ignoresInvalidFiles() throws IOException {
    outbox.put(ALICE, message("a", "whole", null));
    Files.write(own().resolve("b.json"), "{}".getBytes());
    assertEquals(1, new FileOutbox(folder, SERVER).load(ALICE).size());
  }

  @Test
  void throwsIfItCannotStoreAMessage() throws IOException {
    assertTrue(folder.createNewFile());
    assertThrows(IOException.class, () -> outbox.put(ALICE, message("a", "one", null)));
  }

  @Test
  void acceptsUserIdsOfMaximumLength() throws IOException {
    String longest = String.join("", Collections.nCopies(64, "李"));
    outbox.put(longest, message("a", "one", null));
    assertEquals(1, outbox.load(longest).size());
    assertEquals(Collections.emptyList(), outbox.load(longest.substring(1)));
  }

  @Test
  void separatesServers() throws IOException {
    outbox.put(ALICE, message("a", "one", null));
    FileOutbox other = new FileOutbox(folder, "https://test.example.org/chat/");
    assertEquals(Collections.emptyList(), other.load(ALICE));
    other.keepOnly(null);
    assertEquals(1, outbox.load(ALICE).size());
  }

  @Test
  void foldersAreAccessibleOnlyToTheOwner() throws IOException {
    outbox.put(ALICE, message("a", "one", null));
    for (Path one : Arrays.asList(folder.toPath(), own().getParent(), own())) {
      assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(one)));
    }
  }

  @Test
  void keepsForeignFiles() throws IOException {
    outbox.put(ALICE, message("a", "one", null));
    Files.createDirectory(own().resolve("b.json"));
    Files.write(own().resolve("c.json"), new byte[2_000_000]);
    Files.write(own().resolve("notes.txt"), new byte[1]);
    Files.move(own().resolve("a.json"), own().resolve("d.json"));
    assertEquals(Collections.emptyList(), outbox.load(ALICE));
    outbox.put(ALICE, message("a", "two", null));
    assertEquals(1, outbox.load(ALICE).size());
    Files.delete(own().resolve("b.json"));
    Files.write(own().getParent().resolve("notes.txt"), new byte[1]);
    outbox.keepOnly(null);
    assertEquals(Arrays.asList("notes.txt"), Arrays.asList(own().toFile().list()));
    assertTrue(Files.exists(own().getParent().resolve("notes.txt")));
  }

  @Test
  void followsNoLinks() throws IOException {
    Path elsewhere = Files.createDirectory(temporary.resolve("elsewhere"));
    Path file = Files.write(elsewhere.resolve("x.json"), "{}".getBytes());
    outbox.put(ALICE, message("a", "one", null));
    Files.createSymbolicLink(own().resolve("b.json"), file);
    Files.createSymbolicLink(own().resolve("c.new"), file);
    assertEquals(1, outbox.load(ALICE).size());
    outbox.put(ALICE, message("c", "two", null));
    assertEquals("{}", new String(Files.readAllBytes(file)));

    outbox.keepOnly(null);
    Path link = own(ALICE);
    Files.createSymbolicLink(link, elsewhere);
    assertThrows(IOException.class, () -> outbox.put(ALICE, message("a", "one", null)));
    assertThrows(IOException.class, () -> outbox.load(ALICE));
    outbox.keepOnly(null);
    assertTrue(Files.exists(file));
  }

  @Test
  void rejectsPathsAsClientIds() {
    assertThrows(IOException.class, () -> outbox.put(ALICE, message("../a", "one", null)));
    assertThrows(IOException.class, () -> outbox.remove(ALICE, "../a"));
  }

  @Test
  void memoryOutboxFollowsTheSameRules() {
    MemoryOutbox memory = new MemoryOutbox();
    memory.put(ALICE, message("a", "one", null));
    memory.put(ALICE, message("a", "one", "muted"));
    memory.put("bob", message("b", "two", null));
    assertEquals("muted", memory.load(ALICE).get(0).failed);
    memory.keepOnly("bob");
    assertEquals(0, memory.load(ALICE).size());
    memory.remove("bob", "b");
    assertEquals(0, memory.load("bob").size());
  }

  /** The folder of the only user. */
  private Path own() {
    return folder.listFiles()[0].listFiles(File::isDirectory)[0].toPath();
  }

  private Path own(String user) throws IOException {
    outbox.put(user, message("a", "one", null));
    Path own = own();
    outbox.keepOnly(null);
    return own;
  }

  private static UnsentFile file(String key, String name, long size, String alt, ChatFile uploaded) {
    UnsentFile.Draft file = new UnsentFile.Draft();
    file.key = key;
    file.name = name;
    file.size = size;
    file.alt = alt;
    file.file = uploaded;
    return file.done();
  }

  private static ChatFile file(String json) {
    return ChatFile.fromJson(new JSONObject("{" + json + "}"));
  }

  private static UnsentMessage message(String clientId, String text, String failed) {
    UnsentMessage.Draft message = NewMessage.of(text).replyTo(7).toUnsent(clientId, "lobby");
    message.writtenAt = 1234;
    message.failed = failed;
    return message.done();
  }

  private static List<String> shown(List<UnsentMessage> messages) {
    List<String> lines = new ArrayList<>();
    for (UnsentMessage m : messages) {
      lines.add(m.clientId + " in " + m.room + " to " + m.replyTo + " at " + m.writtenAt + ": " + m.text + " " + m.failed);
    }
    Collections.sort(lines);
    return lines;
  }
}
