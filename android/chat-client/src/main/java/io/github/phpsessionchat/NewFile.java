package io.github.phpsessionchat;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A file for {@link Chat#upload}. */
public final class NewFile {
  /** Provides the content. For a content URI on Android: {@code () -> resolver.openInputStream(uri)}. */
  public interface Source {
    /**
     * Called on an upload thread, once per attempt. The client reads the stream in pieces and closes it.
     *
     * @return the content from the first byte
     * @throws IOException if the content cannot be read
     */
    InputStream open() throws IOException;
  }

  /** The name that others see. */
  public final String name;
  /** The size in bytes. */
  public final long size;
  /** Provides the content. */
  public final Source source;

  /** The loudness of a voice message; null for other files. */
  final @Nullable String peaks;
  /** Whether this is the picture of a room. */
  final boolean isRoomPicture;

  private NewFile(String name, long size, Source source, @Nullable String peaks, boolean isRoomPicture) {
    this.name = Objects.requireNonNull(name, "name");
    if (size < 0) throw new IllegalArgumentException("size must not be negative: " + size);
    this.size = size;
    this.source = Objects.requireNonNull(source, "source");
    this.peaks = peaks;
    this.isRoomPicture = isRoomPicture;
  }

  /**
   * Creates a file from a source.
   *
   * @param name the name that others see; on Android {@code OpenableColumns.DISPLAY_NAME}
   * @param size the exact number of bytes; on Android {@code OpenableColumns.SIZE}. If it is unknown, copy the content
   *     to a file first
   * @param source provides the content
   * @return the file
   */
  public static NewFile of(String name, long size, Source source) {
    return new NewFile(name, size, source, null, false);
  }

  /**
   * Creates a file with the name and current length of a local file.
   *
   * @param file the local file
   * @return the file
   */
  public static NewFile of(File file) {
    return new NewFile(file.getName(), file.length(), () -> new FileInputStream(file), null, false);
  }

  /**
   * Returns this sound as a voice message.
   *
   * @param peaks the loudness in {@link ChatFile.Audio#PEAKS} equal steps, each a digit from {@code 0} to {@code v}
   * @return the voice message
   */
  public NewFile asVoice(String peaks) {
    if (!peaks.matches("[0-9a-v]{" + ChatFile.Audio.PEAKS + "}")) {
      throw new IllegalArgumentException("peaks must be " + ChatFile.Audio.PEAKS + " digits from 0 to v: " + peaks);
    }
    return new NewFile(name, size, source, peaks, false);
  }

  /**
   * Returns this picture as one for {@link RoomChange#picture}. The server stores a small copy, which no message can
   * have. Requires {@link RoomSummary.Right#UPDATE}. After the change, {@link Chat#cancelUpload} removes the upload from
   * {@link Chat#uploads}.
   *
   * @return the picture of a room
   */
  public NewFile asRoomPicture() {
    return new NewFile(name, size, source, null, true);
  }

  @Override
  public String toString() {
    return "file of " + size + " bytes";
  }
}
