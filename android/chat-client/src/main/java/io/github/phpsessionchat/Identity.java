package io.github.phpsessionchat;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The logged-in user, with permissions and limits from the operator's settings. */
public final class Identity {
  /** The role of a user on the site. */
  public enum SiteRole {
    /** Has all rights in public rooms and in rooms where the user is a member. */
    ADMIN,
    /** Has the rights of a room moderator in the same rooms. */
    MODERATOR,
    /** A visitor without a login: {@link Chat.Builder#guest}. */
    GUEST,
    /** A guest who may not write. */
    READER
  }

  /** The user. */
  public final User user;
  /** The user's roles on the whole site. */
  public final Set<SiteRole> roles;
  /** Whether the user may create public rooms. */
  public final boolean canCreatePublic;
  /** Whether the user may create private rooms. */
  public final boolean canCreatePrivate;
  /** Whether the user may open direct rooms. */
  public final boolean canOpenDirect;
  /** Whether the user may search for other users. */
  public final boolean canFindPeople;
  /** Whether the user may upload files. */
  public final boolean canSendFiles;
  /** Whether the operator allows previews of links. */
  public final boolean canShowPreviews;
  /** Whether the user may request read receipts: {@link Chat#seenBy}. */
  public final boolean canAskWhoHasSeen;
  /** Whether the user may report messages. */
  public final boolean canReport;
  /** The address of a user's picture, with <code>{id}</code> for the percent-encoded user ID, or null. */
  public final @Nullable String avatarTemplate;
  /** The address of a user's profile page, with <code>{id}</code> for the percent-encoded user ID, or null. */
  public final @Nullable String profileTemplate;
  /** Maximum length of a message in code points. */
  public final int textLimit;
  /** Maximum number of mentions in a message. */
  public final int mentionsLimit;
  /** Maximum size of a file in bytes. */
  public final long fileLimit;
  /** Maximum number of files in a message. */
  public final int filesLimit;
  /** The ID of the room to open first; null: the first of the user's rooms. */
  public final @Nullable String firstRoom;
  /** The name of the site, or null. */
  public final @Nullable String siteName;
  /** The accent colour of the site, such as {@code #a3420b}, or null. */
  public final @Nullable String siteAccent;
  /** The path of the site's logo on the chat server, without the first slash, or null. */
  public final @Nullable String siteLogo;

  Identity(Draft draft) {
    user = draft.user;
    roles = draft.roles;
    canCreatePublic = draft.canCreatePublic;
    canCreatePrivate = draft.canCreatePrivate;
    canOpenDirect = draft.canOpenDirect;
    canFindPeople = draft.canFindPeople;
    canSendFiles = draft.canSendFiles;
    canShowPreviews = draft.canShowPreviews;
    canAskWhoHasSeen = draft.canAskWhoHasSeen;
    canReport = draft.canReport;
    avatarTemplate = draft.avatarTemplate;
    profileTemplate = draft.profileTemplate;
    textLimit = draft.textLimit;
    mentionsLimit = draft.mentionsLimit;
    fileLimit = draft.fileLimit;
    filesLimit = draft.filesLimit;
    firstRoom = draft.firstRoom;
    siteName = draft.siteName;
    siteAccent = draft.siteAccent;
    siteLogo = draft.siteLogo;
  }

  /** The error code if the server would reject the file, or null. */
  @Nullable String refusalOf(NewFile file) {
    if (!canSendFiles) return "forbidden";
    return file.size > fileLimit ? "too_large" : null;
  }

  @Override
  public String toString() {
    return "user " + user.id + " with " + roles;
  }

  static final class Draft {
    User user;
    Set<SiteRole> roles;
    boolean canCreatePublic;
    boolean canCreatePrivate;
    boolean canOpenDirect;
    boolean canFindPeople;
    boolean canSendFiles;
    boolean canShowPreviews;
    boolean canAskWhoHasSeen;
    boolean canReport;
    @Nullable String avatarTemplate;
    @Nullable String profileTemplate;
    int textLimit = Integer.MAX_VALUE;
    int mentionsLimit;
    long fileLimit;
    int filesLimit;
    @Nullable String firstRoom;
    @Nullable String siteName;
    @Nullable String siteAccent;
    @Nullable String siteLogo;
  }
}
