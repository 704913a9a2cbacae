package io.github.phpsessionchat;

import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** A ban of the user from the site. */
public final class SiteBan {
  /** The end in milliseconds since 1970; 0 if the ban is permanent. */
  public final long until;
  /** The reason, from the site. Null if there is none. */
  public final @Nullable String reason;

  private SiteBan(long until, @Nullable String reason) {
    this.until = until;
    this.reason = reason;
  }

  static SiteBan fromJson(JSONObject json) {
    return new SiteBan(Wire.number(json, "until"), Wire.text(json, "reason"));
  }

  @Override
  public String toString() {
    return until == 0 ? "permanent ban" : "ban until " + until;
  }
}
