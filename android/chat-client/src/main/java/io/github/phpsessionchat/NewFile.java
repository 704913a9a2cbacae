package io.github.phpsessionchat;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;

/** A file to be sent: {@link Chat#upload}. */
public final class NewFile {
  /** Where its bytes come from. On Android, of a content URI: {@code () -> resolver.openInputStream(uri)}. */
  public interface Source {
    /**
     * Called on a thread of the upload, again for each attempt. The stream is read piece by piece, and closed.
     *
     * @return the bytes from the first on
     * @throws IOException they cannot be had
     */
    InputStream open() throws IOException;
  }

  final String name;
  final long size;
  final Source source;

  private NewFile(String name, long size, Source source) {
    this.name = Objects.requireNonNull(name, "name");
    if (size < 0) throw new IllegalArgumentException("size: " + size);
    this.size = size;
    this.source = Objects.requireNonNull(source, "source");
  }

  /**
   * @param name as others see it; on Android {@code OpenableColumns.DISPLAY_NAME}
   * @param size how many bytes the source gives; on Android {@code OpenableColumns.SIZE}. Where that is not
   *     known, copy it into a file first
   * @param source gives the bytes
   * @return the file
   */
  public static NewFile of(String name, long size, Source source) {
    return new NewFile(name, size, source);
  }

  /**
   * @param file with its own name, and as long as it is now
   * @return the file
   */
  public static NewFile of(File file) {
    return new NewFile(file.getName(), file.length(), () -> new FileInputStream(file));
  }
}
