package io.github.phpsessionchat;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A link to the chat's page: to a room, to a message, or for joining a private room. */
public final class ChatLink {
  private static final Pattern MESSAGE = Pattern.compile("m=([A-Za-z0-9_-]{1,64})(?:/([1-9][0-9]{0,14}))?");
  private static final Pattern INVITE = Pattern.compile("join=([A-Za-z0-9_-]{1,128})");

  /** The id of the room; null: it is an invite link. */
  public final @Nullable String room;
  /** The number of the message in the room; 0: the link names none. */
  public final long seq;
  /** The token of an invite link, for {@link Chat#lookAtInvite}; null: it is none. */
  public final @Nullable String token;

  private ChatLink(@Nullable String room, long seq, @Nullable String token) {
    this.room = room;
    this.seq = seq;
    this.token = token;
  }

  /**
   * @param address an address, of whatever page: the app decides which pages are the chat's
   * @return null if the part behind {@code #} is none of the chat's
   */
  public static @Nullable ChatLink parse(String address) {
    String part = address.substring(address.indexOf('#') + 1);
    if (part.length() == address.length()) return null;
    Matcher invite = INVITE.matcher(part);
    if (invite.matches()) return new ChatLink(null, 0, invite.group(1));
    Matcher message = MESSAGE.matcher(part);
    if (!message.matches()) return null;
    String seq = message.group(2);
    return new ChatLink(message.group(1), seq == null ? 0 : Long.parseLong(seq), null);
  }

  /** Without the token, which lets people in. */
  @Override
  public String toString() {
    return token != null ? "invite link" : "link to " + room + (seq == 0 ? "" : "/" + seq);
  }
}
