package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** The user's notification settings. */
public final class Notices {
  /** {@link #mail}: no mails. */
  public static final int OFF = -1;
  /** {@link #mail}: daily at 9:00. */
  public static final int DAILY = 0;

  /** What a notification shows of a message. */
  public enum Shown {
    /** Author and text. */
    TEXT,
    /** The author only. */
    NAME,
    /** Neither. */
    NOTHING
  }

  /** A daily period without notifications, in the user's time zone. */
  public static final class Quiet {
    /** The start, such as {@code 22:00}. */
    public final String from;
    /** The end, such as {@code 07:00}. */
    public final String to;
    /** The time zone, such as {@code Europe/Paris}; null to use the zone that the server has stored for the user. */
    public final @Nullable String zone;

    /**
     * Creates a period. It may end on the next day.
     *
     * @param from the start, such as {@code 22:00}
     * @param to the end, such as {@code 07:00}
     * @param zone the time zone; null: the zone that the server has stored for the user
     */
    public Quiet(String from, String to, @Nullable String zone) {
      this.from = from;
      this.to = to;
      this.zone = zone;
    }

    @Override
    public String toString() {
      return from + " to " + to;
    }
  }

  /** When mails are sent: {@link #OFF}, {@link #DAILY}, or the delay in minutes. */
  public final int mail;
  /** Whether the user's devices get pushes. */
  public final boolean push;
  /** The period without mails and pushes, or null. */
  public final @Nullable Quiet quiet;
  /** What mails and pushes show of a message. */
  public final Shown text;
  /** The address for mails; null if the site has no address or sends the mails itself. */
  public final @Nullable String mailTo;
  /** Whether mails reach the user: false if the site has no address of the user. */
  public final boolean canMail;
  /**
   * When the user turned mails off by the link in a mail, in milliseconds since 1970 by the server's clock; 0: never.
   */
  public final long mailStoppedAt;

  Notices(
      int mail,
      boolean push,
      @Nullable Quiet quiet,
      Shown text,
      @Nullable String mailTo,
      boolean canMail,
      long mailStoppedAt) {
    this.mail = mail;
    this.push = push;
    this.quiet = quiet;
    this.text = text;
    this.mailTo = mailTo;
    this.canMail = canMail;
    this.mailStoppedAt = mailStoppedAt;
  }

  @Override
  public String toString() {
    return "mail: " + mail + ", push: " + push;
  }
}
