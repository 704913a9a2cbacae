package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A browser or app of the user that gets pushes. */
public final class Device {
  /** The kind of a device. */
  public enum Kind {
    /** A browser, by Web Push. */
    BROWSER,
    /** An app, by Firebase Cloud Messaging. */
    APP
  }

  /** The device ID. */
  public final String id;
  /** The kind. */
  public final Kind kind;
  /** The name, or null. */
  public final @Nullable String name;
  /** The last registration, in milliseconds since 1970 by the server's clock. */
  public final long at;

  Device(String id, Kind kind, @Nullable String name, long at) {
    this.id = id;
    this.kind = kind;
    this.name = name;
    this.at = at;
  }

  @Override
  public String toString() {
    return Wire.name(kind) + " " + id;
  }
}
