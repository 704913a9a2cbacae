package io.github.phpsessionchat;

/** A user who is named in the text of a {@link Message}, and where. */
public final class Mention {
  /** The id of {@link #user} where everybody in the room is mentioned. */
  public static final String EVERYBODY = "*";

  /** With the name of the time when the message was read: show it in place of what stands in the text. */
  public final User user;
  /** Where it begins, in characters of the text: {@link String#offsetByCodePoints} finds the place. */
  public final int start;
  /** How many characters it has. */
  public final int length;

  Mention(User user, int start, int length) {
    this.user = user;
    this.start = start;
    this.length = length;
  }
}
