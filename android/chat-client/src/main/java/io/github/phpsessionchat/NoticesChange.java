package io.github.phpsessionchat;

import java.util.Objects;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** The changes to the {@link Notices} of the user. All else stays. */
public final class NoticesChange {
  final JSONObject payload = new JSONObject();

  /**
   * Sets when mails come.
   *
   * @param mail {@link Notices#OFF}, {@link Notices#DAILY}, or 5, 15 or 60 minutes after a message
   * @return this change
   */
  public NoticesChange mail(int mail) {
    return put("mail", mail == Notices.OFF ? "off" : mail == Notices.DAILY ? "daily" : (Object) mail);
  }

  /**
   * Sets whether devices get pushes.
   *
   * @param push for all devices of the user
   * @return this change
   */
  public NoticesChange push(boolean push) {
    return put("push", push);
  }

  /**
   * Sets the hours without mails and pushes.
   *
   * @param quiet null: none
   * @return this change
   */
  public NoticesChange quiet(Notices.@Nullable Quiet quiet) {
    if (quiet == null) return put("quiet", JSONObject.NULL);
    return put("quiet", Wire.payload("from", quiet.from, "to", quiet.to, "zone", quiet.zone));
  }

  /**
   * Sets how much of a message notices show.
   *
   * @param text of each message
   * @return this change
   */
  public NoticesChange text(Notices.Shown text) {
    Objects.requireNonNull(text, "text");
    return put("text", Wire.name(text));
  }

  /**
   * Sets the language of mails and pushes.
   *
   * @param tag such as {@code pt-BR}
   * @return this change
   */
  public NoticesChange language(String tag) {
    Objects.requireNonNull(tag, "tag");
    return put("lang", tag);
  }

  private NoticesChange put(String name, Object value) {
    payload.put(name, value);
    return this;
  }
}
