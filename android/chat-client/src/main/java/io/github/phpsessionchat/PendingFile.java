package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A file of a {@link PendingMessage}. */
public final class PendingFile {
  /** The key of its {@link Upload}, which ends with the process. */
  public final String key;
  /** The file name. */
  public final String name;
  /** The size in bytes. */
  public final long size;
  /** The alternative text, or null. */
  public final @Nullable String alt;
  /** The uploaded file; null if the upload is not complete. */
  public final @Nullable ChatFile file;

  PendingFile(String key, String name, long size, @Nullable String alt, @Nullable ChatFile file) {
    this.key = key;
    this.name = name;
    this.size = size;
    this.alt = alt;
    this.file = file;
  }

  PendingFile as(@Nullable ChatFile file) {
    return new PendingFile(key, name, size, alt, file);
  }

  @Override
  public String toString() {
    return "file of upload " + key;
  }
}
