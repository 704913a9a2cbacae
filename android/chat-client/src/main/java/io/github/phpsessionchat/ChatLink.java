package io.github.phpsessionchat;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A link on the chat's page to a room, a message or an invitation. */
public final class ChatLink {
  private static final Pattern MESSAGE = Pattern.compile("m=([A-Za-z0-9_-]{1,64})(?:/([1-9][0-9]{0,14}))?");
  private static final Pattern INVITE = Pattern.compile("join=([A-Za-z0-9_-]{1,128})");

  /** The room ID; null for an invite link. */
  public final @Nullable String room;
  /** The message's number in the room; 0 if the link has none. */
  public final long seq;
  /** The token of an invite link, for {@link Chat#lookAtInvite}; otherwise null. */
  public final @Nullable String token;

  private ChatLink(@Nullable String room, long seq, @Nullable String token) {
    this.room = room;
    this.seq = seq;
    this.token = token;
  }

  /**
   * Parses a link. Only the part after {@code #} is checked, so check yourself whether the page belongs to the chat.
   *
   * @param address the address
   * @return the link, or null if that part is not a chat link
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

  /** Omits the token, because anyone can join with it. */
  @Override
  public String toString() {
    return token != null ? "invite link" : "link to " + room + (seq == 0 ? "" : "/" + seq);
  }
}
