package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileOutboxTest {
  private static final String ALICE = "alice@example.org/..\\:李";

  @TempDir Path temporary;
  private File folder;
  private FileOutbox outbox;

  @BeforeEach
  void open() {
    folder = temporary.resolve("outbox").toFile();
    outbox = new FileOutbox(folder);
  }

  @Test
  void whatWasPutIsThereForTheNextProcess() throws IOException {
    outbox.put(ALICE, message("a", "我十点到 👩‍🌾\n\"x\" \\ \u0000", null));
    outbox.put(ALICE, message("b", "two", "too_long"));
    List<String> kept = shown(new FileOutbox(folder).load(ALICE));
    assertEquals(
        Arrays.asList("a in lobby to 7 at 1234: 我十点到 👩‍🌾\n\"x\" \\ \u0000 null", "b in lobby to 7 at 1234: two too_long"),
        kept);
  }

  @Test
  void theSameClientIdTakesThePlaceOfTheOneBefore() throws IOException {
    outbox.put(ALICE, message("a", "one", null));
    outbox.put(ALICE, message("a", "one", "muted"));
    assertEquals(Collections.singletonList("a in lobby to 7 at 1234: one muted"), shown(outbox.load(ALICE)));
    outbox.remove(ALICE, "a");
    outbox.remove(ALICE, "a");
    assertEquals(Collections.emptyList(), outbox.load(ALICE));
  }

  @Test
  void usersDoNotSeeEachOthersMessagesAndTheNextUserFindsNothing() throws IOException {
    outbox.put(ALICE, message("a", "of Alice", null));
    outbox.put("bob", message("b", "of Bob", null));
    assertEquals(1, outbox.load("bob").size());
    outbox.keepOnly("bob");
    assertEquals(Collections.emptyList(), outbox.load(ALICE));
    assertEquals(1, outbox.load("bob").size());
    outbox.keepOnly(null);
    assertEquals(0, folder.list().length);
  }

  @Test
  void whatWasHalfWrittenWhenTheProcessEndedIsForgotten() throws IOException {
    outbox.put(ALICE, message("a", "whole", null));
    Path own = folder.listFiles()[0].toPath();
    Path half = own.resolve("b.new");
    Files.write(half, "{\"clientId\":\"b\",\"te".getBytes());
    assertEquals(1, new FileOutbox(folder).load(ALICE).size());
    assertFalse(Files.exists(half));
  }

  @Test
  void aFileThatIsNoMessageHidesNoOther() throws IOException {
    outbox.put(ALICE, message("a", "whole", null));
    Files.write(folder.listFiles()[0].toPath().resolve("b.json"), "{}".getBytes());
    assertEquals(1, new FileOutbox(folder).load(ALICE).size());
  }

  @Test
  void whatCannotBeKeptIsAnErrorAndLeavesNothingBehind() throws IOException {
    assertTrue(folder.createNewFile());
    assertThrows(IOException.class, () -> outbox.put(ALICE, message("a", "one", null)));
  }

  @Test
  void theMemoryOutboxKeepsTheSameRules() {
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

  private static PendingMessage message(String clientId, String text, String failed) {
    return new PendingMessage(clientId, "lobby", text, 1234, 7, failed);
  }

  private static List<String> shown(List<PendingMessage> messages) {
    List<String> lines = new ArrayList<>();
    for (PendingMessage m : messages) {
      lines.add(m.clientId + " in " + m.room + " to " + m.replyTo + " at " + m.writtenAt + ": " + m.text + " " + m.failed);
    }
    Collections.sort(lines);
    return lines;
  }
}
