package io.github.phpsessionchat;

import java.util.Set;

/** Who is connected, and what the operator's settings allow. */
public final class Identity {
  /** What a user is on the whole site. */
  public enum SiteRole {
    /** Has all rights in public rooms and rooms of which he is a member. */
    ADMIN,
    /** Has those of a room's moderator there. */
    MODERATOR
  }

  /** Oneself. */
  public final User user;
  /** One's roles on the whole site. */
  public final Set<SiteRole> roles;
  /** Whether one may create public rooms. */
  public final boolean canCreatePublic;
  /** Whether one may create private rooms. */
  public final boolean canCreatePrivate;
  /** Whether one may write to a single user. */
  public final boolean canOpenDirect;
  /** Whether one may look for people. */
  public final boolean canFindPeople;
  /** The address of a user's picture with <code>{id}</code> for the percent-encoded user id; null: none. */
  public final String avatarTemplate;
  /** The address of a user's page with <code>{id}</code> for the percent-encoded user id; null: none. */
  public final String profileTemplate;
  /** So many characters (code points) a message may have. */
  public final int textLimit;
  /** The room to show to who has not chosen one; null: the first of one's own. */
  public final String firstRoom;

  Identity(
      User user,
      Set<SiteRole> roles,
      boolean canCreatePublic,
      boolean canCreatePrivate,
      boolean canOpenDirect,
      boolean canFindPeople,
      String avatarTemplate,
      String profileTemplate,
      int textLimit,
      String firstRoom) {
    this.user = user;
    this.roles = roles;
    this.canCreatePublic = canCreatePublic;
    this.canCreatePrivate = canCreatePrivate;
    this.canOpenDirect = canOpenDirect;
    this.canFindPeople = canFindPeople;
    this.avatarTemplate = avatarTemplate;
    this.profileTemplate = profileTemplate;
    this.textLimit = textLimit;
    this.firstRoom = firstRoom;
  }
}
