package io.github.phpsessionchat;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The user who is connected, with what the operator's settings allow. */
public final class Identity {
  /** The role of a user on the whole site. */
  public enum SiteRole {
    /** Has all rights in public rooms and rooms of which he is a member. */
    ADMIN,
    /** Has those of a room's moderator there. */
    MODERATOR
  }

  /** Oneself. */
  public final User user;
  /** The user's roles on the whole site. */
  public final Set<SiteRole> roles;
  /** Whether one may create public rooms. */
  public final boolean canCreatePublic;
  /** Whether one may create private rooms. */
  public final boolean canCreatePrivate;
  /** Whether one may write to a single user. */
  public final boolean canOpenDirect;
  /** Whether one may look for people. */
  public final boolean canFindPeople;
  /** Whether one may send files. */
  public final boolean canSendFiles;
  /** Whether one may ask who has seen an own message. */
  public final boolean canAskWhoHasSeen;
  /** Whether one may report messages to the moderators. */
  public final boolean canReport;
  /** The address of a user's picture with <code>{id}</code> for the percent-encoded user id; null: none. */
  public final @Nullable String avatarTemplate;
  /** The address of a user's page with <code>{id}</code> for the percent-encoded user id; null: none. */
  public final @Nullable String profileTemplate;
  /** The most characters (code points) of a message. */
  public final int textLimit;
  /** The most users that a message may mention. */
  public final int mentionsLimit;
  /** The most bytes of a file. */
  public final long fileLimit;
  /** The most files of a message. */
  public final int filesLimit;
  /** The room to show to who has not chosen one; null: the first of one's own. */
  public final @Nullable String firstRoom;

  Identity(Draft draft) {
    user = draft.user;
    roles = draft.roles;
    canCreatePublic = draft.canCreatePublic;
    canCreatePrivate = draft.canCreatePrivate;
    canOpenDirect = draft.canOpenDirect;
    canFindPeople = draft.canFindPeople;
    canSendFiles = draft.canSendFiles;
    canAskWhoHasSeen = draft.canAskWhoHasSeen;
    canReport = draft.canReport;
    avatarTemplate = draft.avatarTemplate;
    profileTemplate = draft.profileTemplate;
    textLimit = draft.textLimit;
    mentionsLimit = draft.mentionsLimit;
    fileLimit = draft.fileLimit;
    filesLimit = draft.filesLimit;
    firstRoom = draft.firstRoom;
  }

  /** Null: none is known of. */
  @Nullable String refusalOf(NewFile file) {
    if (!canSendFiles) return "forbidden";
    return file.size > fileLimit ? "too_large" : null;
  }

  @Override
  public String toString() {
    return "user " + user.id + " with " + roles;
  }

  /** An identity in the making. */
  static final class Draft {
    User user;
    Set<SiteRole> roles;
    boolean canCreatePublic;
    boolean canCreatePrivate;
    boolean canOpenDirect;
    boolean canFindPeople;
    boolean canSendFiles;
    boolean canAskWhoHasSeen;
    boolean canReport;
    @Nullable String avatarTemplate;
    @Nullable String profileTemplate;
    int textLimit = Integer.MAX_VALUE;
    int mentionsLimit;
    long fileLimit;
    int filesLimit;
    @Nullable String firstRoom;
  }
}
