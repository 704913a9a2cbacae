package io.github.phpsessionchat;

import org.jspecify.annotations.Nullable;

/** A link by which people become members of a private room. */
public final class Invite {
  /** The server's id of it. */
  public final String id;
  /** The user who has made it. */
  public final User by;
  /** When it was made, in milliseconds since 1970 by the server's clock. */
  public final long at;
  /** When it expires, in milliseconds since 1970 by the server's clock; 0: it does not. */
  public final long until;
  /** The number of people whom it lets in; 0: any number. */
  public final int uses;
  /** The number of people who have joined by it. */
  public final int used;
  /** Opens it: behind {@code #join=} in the address of the chat's page. Null except in the answer to {@link Chat#createInvite}. */
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
