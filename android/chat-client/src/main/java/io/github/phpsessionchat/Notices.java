package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** How the user learns of messages while away. */
public final class Notices {
  /** {@link #mail}: never. */
  public static final int OFF = -1;
  /** {@link #mail}: at 9:00 of each day. */
  public static final int DAILY = 0;

  /** The part of a message that a notice shows. */
  public enum Shown {
    /** The author and the text. */
    TEXT,
    /** The author alone. */
    NAME,
    /** Neither. */
    NOTHING
  }

  /** Hours without notices, in the user's time zone. */
  public static final class Quiet {
    /** The beginning, such as {@code 22:00}. */
    public final String from;
    /** The end, such as {@code 07:00}. */
    public final String to;
    /** The name of the time zone, such as {@code Europe/Paris}; null, when they are set: that which the server knows. */
    public final @Nullable String zone;

    /**
     * Hours from a beginning to an end, which may be on the next day.
     *
     * @param from such as {@code 22:00}
     * @param to such as {@code 07:00}
     * @param zone the name of a time zone; null: that which the server knows
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

  /** Mails: {@link #OFF}, {@link #DAILY}, or after so many minutes. */
  public final int mail;
  /** Whether devices get pushes. */
  public final boolean push;
  /** Hours without mails and pushes; null: none. */
  public final @Nullable Quiet quiet;
  /** The part of a message that they show. */
  public final Shown text;
  /** The address for mails; null if the site has none, or sends the mails itself. */
  public final @Nullable String mailTo;

  Notices(int mail, boolean push, @Nullable Quiet quiet, Shown text, @Nullable String mailTo) {
    this.mail = mail;
    this.push = push;
    this.quiet = quiet;
    this.text = text;
    this.mailTo = mailTo;
  }

  @Override
  public String toString() {
    return "mail: " + mail + ", push: " + push;
  }
}
