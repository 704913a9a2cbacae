package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A file of a {@link PendingMessage}. */
public final class PendingFile {
  /** Of its {@link Upload}, which is known in this process alone. */
  public final String key;
  /** Its name. */
  public final String name;
  /** How many bytes it has. */
  public final long size;
  /** A text for people who do not see it; null: none. */
  public final @Nullable String alt;
  /** The file that is there already; null: it is on its way, or was, when the process ended. */
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
