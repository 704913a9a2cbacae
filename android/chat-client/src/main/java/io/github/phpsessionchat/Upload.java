package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** The state of a file upload. */
public final class Upload {
  /** The source could not be opened, failed while reading, or has a different size than specified. */
  public static final String UNREADABLE = "unreadable";

  /** The key returned by {@link Chat#upload}. */
  public final String key;
  /** The ID of the room whose messages may contain the file. */
  public final String room;
  /** The file name. */
  public final String name;
  /** The size in bytes. */
  public final long size;
  /** The number of bytes sent in this attempt. After the last byte, the server examines the file. */
  public final long sent;
  /** The stored file; null until it is stored. */
  public final @Nullable ChatFile file;
  /**
   * The error code if the upload failed: a code of the protocol, such as {@code too_large}, {@code file_type},
   * {@code rate_limited} or {@code storage_full}; {@link #UNREADABLE}; or {@link ChatError#OFFLINE} if the connection
   * broke repeatedly, or no user is logged in. Otherwise null.
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
