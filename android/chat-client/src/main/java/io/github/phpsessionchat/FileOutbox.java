package io.github.phpsessionchat;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.List;
import org.json.JSONException;
import org.json.JSONObject;

/**
 * An {@link Outbox} in a folder, which survives the end of the process and of the machine: a folder for each user, a file
 * for each message. Every file is written beside its place, brought to the disk, and renamed, so that there is never
 * half a message.
 */
public final class FileOutbox implements Outbox {
  private static final Charset UTF_8 = Charset.forName("UTF-8");
  private static final String KEPT = ".json";
  private static final String UNFINISHED = ".new";

  private final File folder;

  /**
   * @param folder of this outbox alone, one for each chat server; created with the first message. On Android a folder
   *     below {@code context.getFilesDir()}, which no other app can read
   */
  public FileOutbox(File folder) {
    this.folder = folder;
  }

  @Override
  public List<PendingMessage> load(String user) throws IOException {
    List<PendingMessage> messages = new ArrayList<>();
    for (File file : list(of(user))) {
      // What the end of the process has left half written was never taken over.
      if (file.getName().endsWith(UNFINISHED)) delete(file);
      if (!file.getName().endsWith(KEPT)) continue;
      PendingMessage message = read(file);
      if (message != null) messages.add(message);
    }
    return messages;
  }

  @Override
  public void put(String user, PendingMessage message) throws IOException {
    File own = of(user);
    if (!own.isDirectory() && !own.mkdirs()) throw new IOException("cannot create " + own);
    File unfinished = new File(own, message.clientId + UNFINISHED);
    try {
      try (FileOutputStream out = new FileOutputStream(unfinished)) {
        out.write(write(message).getBytes(UTF_8));
        out.getFD().sync();
      }
      File file = new File(own, message.clientId + KEPT);
      if (!unfinished.renameTo(file)) throw new IOException("cannot write " + file);
    } catch (IOException e) {
      unfinished.delete();
      throw e;
    }
  }

  @Override
  public void remove(String user, String clientId) throws IOException {
    delete(new File(of(user), clientId + KEPT));
  }

  @Override
  public void keepOnly(String user) throws IOException {
    for (File other : list(folder)) {
      if (user != null && other.equals(of(user))) continue;
      for (File file : list(other)) delete(file);
      delete(other);
    }
  }

  /** User ids may hold any characters: of a folder's name only those that all file systems take. */
  private File of(String user) {
    StringBuilder name = new StringBuilder("u");
    for (byte b : user.getBytes(UTF_8)) name.append(String.format("%02x", b));
    return new File(folder, name.toString());
  }

  private static List<File> list(File folder) throws IOException {
    List<File> files = new ArrayList<>();
    if (!folder.exists()) return files;
    File[] found = folder.listFiles();
    if (found == null) throw new IOException("cannot read " + folder);
    for (File file : found) files.add(file);
    return files;
  }

  private static void delete(File file) throws IOException {
    if (!file.delete() && file.exists()) throw new IOException("cannot delete " + file);
  }

  private static String write(PendingMessage message) {
    return Wire.payload(
            "clientId", message.clientId,
            "room", message.room,
            "text", message.text,
            "writtenAt", message.writtenAt,
            "replyTo", message.replyTo,
            "failed", message.failed)
        .toString();
  }

  /** Null: somebody else has written it, or the disk has lost it. */
  private static PendingMessage read(File file) throws IOException {
    byte[] bytes = new byte[(int) file.length()];
    try (InputStream in = new FileInputStream(file)) {
      for (int at = 0; at < bytes.length; ) {
        int n = in.read(bytes, at, bytes.length - at);
        if (n < 0) throw new IOException("cut off: " + file);
        at += n;
      }
    }
    try {
      JSONObject json = new JSONObject(new String(bytes, UTF_8));
      return new PendingMessage(
          json.getString("clientId"),
          json.getString("room"),
          json.getString("text"),
          json.getLong("writtenAt"),
          json.getLong("replyTo"),
          Wire.text(json, "failed"));
    } catch (JSONException e) {
      return null;
    }
  }
}
