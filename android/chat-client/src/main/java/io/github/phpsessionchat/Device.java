package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A browser or an app of the user that gets pushes. */
public final class Device {
  /** The kind of a device. */
  public enum Kind {
    /** By Web Push. */
    BROWSER,
    /** By Firebase Cloud Messaging. */
    APP
  }

  /** The server's id of it. */
  public final String id;
  /** A browser or an app. */
  public final Kind kind;
  /** Its own name; null if it has given none. */
  public final @Nullable String name;
  /** When it was registered last, in milliseconds since 1970 by the server's clock. */
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
