package io.github.phpsessionchat;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import okhttp3.HttpUrl;
import org.jspecify.annotations.Nullable;

/**
 * An {@link Outbox} in a folder, which survives the end of the process and a usual restart: a folder for each server, in
 * it one for each user, in that a file for each message. Every file is written beside its place, brought to the disk,
 * and renamed, so that there is never half a message. After a loss of power the last messages may be missing, and those
 * removed last may be there again, since Java cannot bring the names in a folder to the disk on Android before API level
 * 26. Other files, and links, are left alone.
 */
public final class FileOutbox implements Outbox {
  private static final Charset UTF_8 = Charset.forName("UTF-8");
  private static final String KEPT = ".json";
  private static final String UNFINISHED = ".new";
  /** Far more than a message takes. */
  private static final int LONGEST = 1_000_000;

  private final File base;
  private final File folder;

  /**
   * @param folder created with the first message, for this user of the machine alone. On Android a folder below {@code
   *     context.getFilesDir()}, which no other app can read
   * @param server the address of the chat server: what was written for one is not sent to another
   */
  public FileOutbox(File folder, String server) {
    base = Objects.requireNonNull(folder, "folder");
    this.folder = new File(folder, hash(HttpUrl.get(Objects.requireNonNull(server, "server")).toString()));
  }

  @Override
  public List<PendingMessage> load(String user) throws IOException {
    List<PendingMessage> messages = new ArrayList<>();
    for (File file : list(of(user))) {
      String name = file.getName();
      if (!isOwn(name) || !isPlain(file)) continue;
      // A file left half written at the end of the process was never taken over.
      if (name.endsWith(UNFINISHED)) {
        delete(file);
        continue;
      }
      PendingMessage message = read(file);
      if (message != null && name.equals(message.clientId + KEPT)) messages.add(message);
    }
    return messages;
  }

  @Override
  public void put(String user, PendingMessage message) throws IOException {
    File own = of(user);
    byte[] bytes = message.toJson().getBytes(UTF_8);
    if (bytes.length > LONGEST) throw new IOException("too long to be kept");
    create(base);
    create(folder);
    create(own);
    if (isLink(folder) || isLink(own)) throw new IOException("is a link: " + own);
    File unfinished = file(own, message.clientId, UNFINISHED);
    // It may be a link, which would be written through.
    delete(unfinished);
    try {
      try (FileOutputStream out = new FileOutputStream(unfinished)) {
        out.write(bytes);
        out.getFD().sync();
      }
      File file = file(own, message.clientId, KEPT);
      if (!unfinished.renameTo(file)) throw new IOException("cannot write " + file);
    } catch (IOException e) {
      unfinished.delete();
      throw e;
    }
  }

  @Override
  public void remove(String user, String clientId) throws IOException {
    delete(file(of(user), clientId, KEPT));
  }

  @Override
  public void keepOnly(@Nullable String user) throws IOException {
    for (File other : list(folder)) {
      if ((user != null && other.equals(of(user))) || !other.getName().matches("[0-9a-f]{64}")) continue;
      if (isLink(other) || !other.isDirectory()) continue;
      for (File file : list(other)) if (isOwn(file.getName())) delete(file);
      // Unless something else lies in it.
      other.delete();
    }
  }

  /** User ids may hold any characters, and more of them than the name of a folder. */
  private File of(String user) {
    return new File(folder, hash(user));
  }

  private static File file(File own, String clientId, String ending) throws IOException {
    if (!isOwn(clientId + ending)) throw new IOException("not a clientId");
    return new File(own, clientId + ending);
  }

  private static boolean isOwn(String name) {
    return name.matches("[A-Za-z0-9_-]{1,64}\\.(json|new)");
  }

  private static boolean isPlain(File file) throws IOException {
    return file.isFile() && !isLink(file);
  }

  /** {@code java.nio.file} would know, which Android has from API level 26 on. */
  private static boolean isLink(File file) throws IOException {
    File parent = file.getAbsoluteFile().getParentFile();
    return !file.getCanonicalFile().equals(new File(parent.getCanonicalFile(), file.getName()));
  }

  /** For this user of the machine alone, where the file system knows users. */
  private static void create(File folder) throws IOException {
    if (folder.isDirectory()) return;
    if (!folder.mkdirs() && !folder.isDirectory()) throw new IOException("cannot create " + folder);
    folder.setReadable(false, false);
    folder.setWritable(false, false);
    folder.setExecutable(false, false);
    folder.setReadable(true, true);
    folder.setWritable(true, true);
    folder.setExecutable(true, true);
  }

  private static List<File> list(File folder) throws IOException {
    List<File> files = new ArrayList<>();
    if (!folder.exists()) return files;
    if (isLink(folder)) throw new IOException("is a link: " + folder);
    File[] found = folder.listFiles();
    if (found == null) throw new IOException("cannot read " + folder);
    for (File file : found) files.add(file);
    return files;
  }

  private static void delete(File file) throws IOException {
    if (!file.delete() && file.exists()) throw new IOException("cannot delete " + file);
  }

  private static String hash(String text) {
    try {
      StringBuilder hex = new StringBuilder();
      for (byte b : MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8))) {
        hex.append(String.format("%02x", b));
      }
      return hex.toString();
    } catch (NoSuchAlgorithmException e) {
      // Every Java and every Android has it.
      throw new IllegalStateException(e);
    }
  }

  /** Null: somebody else has written it, or the disk has lost it. It stays there, and hides no other. */
  private static @Nullable PendingMessage read(File file) {
    if (file.length() > LONGEST) return null;
    byte[] bytes = new byte[(int) file.length()];
    try (InputStream in = new FileInputStream(file)) {
      for (int at = 0; at < bytes.length; ) {
        int n = in.read(bytes, at, bytes.length - at);
        if (n < 0) return null;
        at += n;
      }
      return PendingMessage.fromJson(new String(bytes, UTF_8));
    } catch (IOException | IllegalArgumentException e) {
      return null;
    }
  }
}
