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
 * An {@link Outbox} in a folder. It survives the end of the process and a normal restart.
 *
 * <p>There is a folder per server, in it one per user, and in that a file per message. Each file is written under a
 * temporary name, synced and renamed, so a message is never half written. After a power loss, the latest messages may
 * be missing and the latest removed ones may return, because Java cannot sync a folder on Android before API level 26.
 * Other files and links are left alone.
 */
public final class FileOutbox implements Outbox {
  private static final Charset UTF_8 = Charset.forName("UTF-8");
  private static final String STORED_SUFFIX = ".json";
  private static final String TEMPORARY_SUFFIX = ".new";
  /** Maximum size of a stored message. Larger files are ignored. */
  private static final int MAX_BYTES = 1_000_000;

  private final File base;
  private final File folder;

  /**
   * Creates an outbox.
   *
   * @param folder created with the first message, accessible only to this system user. On Android, use a folder in
   *     {@code context.getFilesDir()}, which other apps cannot read
   * @param server the address of the chat server. Messages for one server are not sent to another
   */
  public FileOutbox(File folder, String server) {
    base = Objects.requireNonNull(folder, "folder");
    this.folder = new File(folder, hash(HttpUrl.get(Objects.requireNonNull(server, "server")).toString()));
  }

  @Override
  public List<UnsentMessage> load(String user) throws IOException {
    List<UnsentMessage> messages = new ArrayList<>();
    for (File file : list(userFolderOf(user))) {
      String name = file.getName();
      if (!isMessageFile(name) || !isRegularFile(file)) continue;
      // The process ended while writing it, so it was never accepted.
      if (name.endsWith(TEMPORARY_SUFFIX)) {
        delete(file);
        continue;
      }
      UnsentMessage message = read(file);
      if (message != null && name.equals(message.clientId + STORED_SUFFIX)) messages.add(message);
    }
    return messages;
  }

  @Override
  public void put(String user, UnsentMessage message) throws IOException {
    File userFolder = userFolderOf(user);
    byte[] bytes = message.toJson().getBytes(UTF_8);
    if (bytes.length > MAX_BYTES) throw new IOException("the message is too large for the outbox");
    create(base);
    create(folder);
    create(userFolder);
    if (isLink(folder) || isLink(userFolder)) throw new IOException("must not be a symbolic link: " + userFolder);
    File temporary = file(userFolder, message.clientId, TEMPORARY_SUFFIX);
    // A link here would be followed when writing.
    delete(temporary);
    try {
      try (FileOutputStream out = new FileOutputStream(temporary)) {
        out.write(bytes);
        out.getFD().sync();
      }
      File file = file(userFolder, message.clientId, STORED_SUFFIX);
      if (!temporary.renameTo(file)) throw new IOException("cannot write " + file);
    } catch (IOException e) {
      temporary.delete();
      throw e;
    }
  }

  @Override
  public void remove(String user, String clientId) throws IOException {
    delete(file(userFolderOf(user), clientId, STORED_SUFFIX));
  }

  @Override
  public void keepOnly(@Nullable String user) throws IOException {
    for (File other : list(folder)) {
      if ((user != null && other.equals(userFolderOf(user))) || !other.getName().matches("[0-9a-f]{64}")) continue;
      if (isLink(other) || !other.isDirectory()) continue;
      for (File file : list(other)) if (isMessageFile(file.getName())) delete(file);
      // Fails if the folder contains other files.
      other.delete();
    }
  }

  /** User IDs may contain any characters and be too long for a folder name. */
  private File userFolderOf(String user) {
    return new File(folder, hash(user));
  }

  private static File file(File userFolder, String clientId, String suffix) throws IOException {
    if (!isMessageFile(clientId + suffix)) throw new IOException("the clientId is not a valid file name");
    return new File(userFolder, clientId + suffix);
  }

  private static boolean isMessageFile(String name) {
    return name.matches("[A-Za-z0-9_-]{1,64}\\.(json|new)");
  }

  private static boolean isRegularFile(File file) throws IOException {
    return file.isFile() && !isLink(file);
  }

  /** {@code java.nio.file} requires Android API level 26. */
  private static boolean isLink(File file) throws IOException {
    File parent = file.getAbsoluteFile().getParentFile();
    return !file.getCanonicalFile().equals(new File(parent.getCanonicalFile(), file.getName()));
  }

  /** Creates a folder that only this system user can access, if the file system supports that. */
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
    if (isLink(folder)) throw new IOException("must not be a symbolic link: " + folder);
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
      // All Java and Android versions have SHA-256.
      throw new IllegalStateException(e);
    }
  }

  /** Reads a message. Returns null for a foreign or damaged file, which is left in place. */
  private static @Nullable UnsentMessage read(File file) {
    if (file.length() > MAX_BYTES) return null;
    byte[] bytes = new byte[(int) file.length()];
    try (InputStream in = new FileInputStream(file)) {
      for (int at = 0; at < bytes.length; ) {
        int n = in.read(bytes, at, bytes.length - at);
        if (n < 0) return null;
        at += n;
      }
      return UnsentMessage.fromJson(new String(bytes, UTF_8));
    } catch (IOException | IllegalArgumentException e) {
      return null;
    }
  }
}
