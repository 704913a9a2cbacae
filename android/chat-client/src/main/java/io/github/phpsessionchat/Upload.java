package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** How it stands with a file that is sent to the server, for a message that is written or waits for it. */
public final class Upload {
  /** The source could not be opened, broke off, or has not as many bytes as was said. */
  public static final String UNREADABLE = "unreadable";

  /** The key that {@link Chat#upload} has given. */
  public final String key;
  /** The id of the room in which a message may have it. */
  public final String room;
  /** Its name. */
  public final String name;
  /** How many bytes it has. */
  public final long size;
  /** How many of them are sent; an attempt that breaks begins again. When all are, the server examines the file. */
  public final long sent;
  /** The stored file; null: it is not there yet. */
  public final @Nullable ChatFile file;
  /**
   * Why it is not there, and will not be: an error code of the protocol, such as {@code too_large}, {@code file_type},
   * {@code rate_limited} and {@code storage_full}, {@link #UNREADABLE}, or {@link ChatError#OFFLINE} if the connection
   * broke again and again. Null: it is there, or on its way.
   */
  public final @Nullable String failed;

  Upload(String key, String room, String name, long size, long sent, @Nullable ChatFile file, @Nullable String failed) {
    this.key = key;
    this.room = room;
    this.name = name;
    this.size = size;
    this.sent = sent;
    this.file = file;
    this.failed = failed;
  }

  @Override
  public String toString() {
    return "upload " + key;
  }
}
