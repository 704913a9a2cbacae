package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** An invite link to a private room. */
public final class Invite {
  /** The ID of the link. */
  public final String id;
  /** The user who created it. */
  public final User by;
  /** When it was created, in milliseconds since 1970 by the server's clock. */
  public final long at;
  /** When it expires, in milliseconds since 1970 by the server's clock; 0: never. */
  public final long until;
  /** The maximum number of users who can join; 0: unlimited. */
  public final int uses;
  /** The number of users who have joined. */
  public final int used;
  /**
   * The secret, for {@code #join=} in the address of the chat's page. Null except in the response to
   * {@link Chat#createInvite}.
   */
  public final @Nullable String token;

  Invite(String id, User by, long at, long until, int uses, int used, @Nullable String token) {
    this.id = id;
    this.by = by;
    this.at = at;
    this.until = until;
    this.uses = uses;
    this.used = used;
    this.token = token;
  }

  @Override
  public String toString() {
    return "invite " + id;
  }
}
