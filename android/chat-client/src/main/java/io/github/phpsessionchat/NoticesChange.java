package io.github.phpsessionchat;

import java.util.Objects;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** Changes to {@link Notices}. Settings that are not set here stay unchanged. */
public final class NoticesChange {
  final JSONObject payload = new JSONObject();

  /** Creates a change that changes nothing yet. */
  public NoticesChange() {}

  /**
   * Sets when mails are sent.
   *
   * @param mail {@link Notices#OFF}, {@link Notices#DAILY}, or a delay of 5, 15 or 60 minutes
   * @return this change
   */
  public NoticesChange mail(int mail) {
    return put("mail", mail == Notices.OFF ? "off" : mail == Notices.DAILY ? "daily" : (Object) mail);
  }

  /**
   * Turns pushes on or off.
   *
   * @param push whether the user's devices get pushes
   * @return this change
   */
  public NoticesChange push(boolean push) {
    return put("push", push);
  }

  /**
   * Sets the period without mails and pushes.
   *
   * @param quiet the period, or null
   * @return this change
   */
  public NoticesChange quiet(Notices.@Nullable Quiet quiet) {
    return put("quiet", quiet == null ? JSONObject.NULL : quiet.toJsonObject());
  }

  /**
   * Sets what notifications show of a message.
   *
   * @param text the parts shown
   * @return this change
   */
  public NoticesChange text(Notices.Shown text) {
    Objects.requireNonNull(text, "text");
    return put("text", Wire.name(text));
  }

  /**
   * Sets the language of mails and pushes.
   *
   * @param tag the language tag, such as {@code pt-BR}
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
