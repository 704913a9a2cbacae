package io.github.phpsessionchat;

import java.util.Collections;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The current state of a room as the reader sees it. */
public final class RoomSummary {
  /** Who can read a room. */
  public enum Kind {
    /** All users. */
    PUBLIC,
    /** The members. */
    PRIVATE,
    /** Two users. */
    DIRECT
  }

  /** The role of a member in a room. */
  public enum Role {
    /** Has all rights. */
    OWNER,
    /** May change the room, remove members and delete messages of others. */
    MODERATOR,
    /** Has no special rights. */
    MEMBER
  }

  /** A right of a user in a room. */
  public enum Right {
    /** Write, edit the user's own messages, and show typing. */
    SEND,
    /** Add members. */
    INVITE,
    /** Change name, topic and the settings of {@link RoomChange}. */
    UPDATE,
    /** Remove members. */
    REMOVE,
    /** Delete messages of others, mute and ban users, see and close reports. */
    MODERATE,
    /** Pin and unpin messages. */
    PIN,
    /** Assign roles and transfer ownership. */
    ROLES,
    /** Delete the room. */
    DELETE,
    /** Leave the room. */
    LEAVE
  }

  /** Which messages of a room the user is notified of. */
  public enum Notify {
    /** All messages. */
    ALL,
    /** Messages that mention the user or all members, and replies in followed threads. */
    MENTIONS,
    /** No messages. Do not count the room in totals of unread messages. */
    NONE
  }

  /** Who can write in a room. */
  public enum Write {
    /** All users who can read the room. */
    ALL,
    /** The owner and moderators. */
    MODERATORS
  }

  /** The colour of a room's icon. */
  public enum Color {
    /** Red. */
    RED,
    /** Orange. */
    ORANGE,
    /** Yellow. */
    YELLOW,
    /** Green. */
    GREEN,
    /** Teal. */
    TEAL,
    /** Blue. */
    BLUE,
    /** Purple. */
    PURPLE,
    /** Pink. */
    PINK
  }

  /** The newest message of a room, in its current state. */
  public static final class Last {
    /** The message's number in the room. */
    public final long seq;
    /** The author. */
    public final User user;
    /** The text, cut to 120 characters; empty if the message was deleted. */
    public final String text;
    /** When it was stored, in milliseconds since 1970 by the server's clock. */
    public final long sentAt;
    /** When it was deleted; 0: not deleted. */
    public final long deletedAt;
    /** The number of files. */
    public final int files;
    /** The duration of a voice message (the first file) in milliseconds, 0 if unknown; -1 if there is none. */
    public final long voice;
    /** Whether the reader blocked the author. */
    public final boolean hidden;

    Last(
        long seq, User user, String text, long sentAt, long deletedAt, int files, long voice, boolean hidden) {
      this.seq = seq;
      this.user = user;
      this.text = text;
      this.sentAt = sentAt;
      this.deletedAt = deletedAt;
      this.files = files;
      this.voice = voice;
      this.hidden = hidden;
    }

    Last hidden(boolean hidden) {
      return this.hidden == hidden ? this : new Last(seq, user, text, sentAt, deletedAt, files, voice, hidden);
    }

    @Override
    public String toString() {
      return "message " + seq;
    }
  }

  /** The room ID: {@code [A-Za-z0-9_-]{1,64}}. */
  public final String id;
  /** The name; in a direct room, the name of the other user. */
  public final String name;
  /** The topic, or null. */
  public final @Nullable String topic;
  /** Who can read the room. */
  public final Kind kind;
  /** Whether the reader is a member. */
  public final boolean member;
  /** The number of members. */
  public final int members;
  /** The reader's role; null if the reader is not a member. */
  public final @Nullable Role role;
  /** The reader's rights. */
  public final Set<Right> may;
  /** The other user of a direct room; null in other rooms. */
  public final @Nullable User with;
  /** Whether the other user of a direct room is online. */
  public final boolean present;
  /** The number of the room's last change. */
  public final long head;
  /** The {@code seq} of the newest message; 0: none. */
  public final long lastSeq;
  /** The {@code seq} of the oldest message that has not expired; 1 if none has expired. */
  public final long firstSeq;
  /** The {@code seq} of the last message read by the reader. */
  public final long readSeq;
  /**
   * The number of unread messages, without deleted ones; 0 if the reader is not a member, and in a direct room with a blocked user. Counts
   * {@link Message#threadOnly} replies only if they are among the {@link #mentions}.
   */
  public final long unread;
  /** The number of unread messages that mention the reader or all members, or reply in a followed thread. */
  public final long mentions;
  /** The newest message; null if the room is empty. */
  public final @Nullable Last last;
  /** Which messages the reader is notified of, except until {@link #quietUntil}. */
  public final Notify notify;
  /**
   * Until when no message of the room notifies the reader, in milliseconds since 1970 by this machine's clock; 0: no
   * timed mute.
   */
  public final long quietUntil;
  /** The position among the reader's favourites; -1: not a favourite. Show favourites first, in this order. */
  public final long favourite;
  /** Whether the room is in the reader's archive. */
  public final boolean archived;
  /** Who can write. */
  public final Write write;
  /** Minimum interval in seconds between two messages of a user who is not a moderator; 0: none. */
  public final int slow;
  /**
   * Whether links in new messages get previews, if the site's operator allows it. In a direct room, both users must
   * turn them on: see {@link Chat#setPreviews}.
   */
  public final boolean previews;
  /** Whether authors get read receipts, if the site's operator allows it. */
  public final boolean seen;
  /**
   * Until when the reader is muted, in milliseconds since 1970 by this machine's clock; {@link Long#MAX_VALUE}:
   * permanently; 0: not muted. {@link ChatListener#onRooms} reports the end.
   */
  public final long mutedUntil;
  /** Why the reader is muted; null: no reason given. */
  public final @Nullable String mutedReason;
  /** The number of open reports, for readers with {@link Right#MODERATE}; otherwise 0. */
  public final int reports;
  /** The number of pinned messages. */
  public final int pins;
  /** The colour of the room's icon; null: the app chooses one. */
  public final @Nullable Color color;
  /** The emoji of the room's icon, or null. */
  public final @Nullable String emoji;
  /** The picture of the room's icon, shown instead of the emoji, or null. Load it with {@link Chat#fileRequest}. */
  public final @Nullable ChatFile picture;

  /** Whether the reader blocked the other user of this direct room. */
  final boolean quiet;
  /** The number of {@link Message#threadOnly} replies so far. */
  final long threadOnly;
  /** The number of unread ones among them. */
  final long unreadInThreads;
  /** Deleted messages, which are not unread, without those that are only in a thread. */
  final Runs deleted;

  private RoomSummary(Draft draft) {
    id = draft.id;
    name = draft.name;
    topic = draft.topic;
    kind = draft.kind;
    member = draft.member;
    members = draft.members;
    role = draft.role;
    may = Collections.unmodifiableSet(draft.may);
    with = draft.with;
    present = draft.present;
    head = draft.head;
    lastSeq = draft.lastSeq;
    firstSeq = draft.firstSeq;
    readSeq = draft.readSeq;
    quiet = draft.quiet;
    boolean counts = draft.member && !draft.quiet;
    threadOnly = draft.threadOnly;
    unreadInThreads = draft.unreadInThreads;
    deleted = draft.deleted;
    long all = draft.unreadWithThreads();
    // Replies in threads count if they concern the reader.
    unread = counts ? Math.min(all, Math.max(all - unreadInThreads, draft.mentions)) : 0;
    mentions = Math.min(draft.mentions, unread);
    last = draft.last;
    notify = draft.notify;
    quietUntil = draft.quietUntil;
    favourite = draft.favourite;
    archived = draft.archived;
    write = draft.write;
    slow = draft.slow;
    previews = draft.previews;
    seen = draft.seen;
    mutedUntil = draft.mutedUntil;
    mutedReason = draft.mutedReason;
    reports = draft.reports;
    pins = draft.pins;
    color = draft.color;
    emoji = draft.emoji;
    picture = draft.picture;
  }

  /**
   * Returns whether the reader has a right.
   *
   * @param right the right
   * @return whether the reader has it
   */
  public boolean may(Right right) {
    return may.contains(right);
  }

  /**
   * Returns whether no message of the room notifies the reader now, by {@link #notify} or a timed mute.
   *
   * @return whether the room is muted
   */
  public boolean isQuiet() {
    return notify == Notify.NONE || quietUntil > System.currentTimeMillis();
  }

  @Override
  public String toString() {
    return "room " + id;
  }

  static final class Draft {
    String id;
    String name;
    @Nullable String topic;
    Kind kind;
    boolean member;
    int members;
    @Nullable Role role;
    Set<Right> may;
    @Nullable User with;
    boolean present;
    long head;
    long lastSeq;
    long firstSeq;
    long readSeq;
    long mentions;
    @Nullable Last last;
    Notify notify;
    long quietUntil;
    long favourite = -1;
    boolean archived;
    Write write;
    int slow;
    boolean previews = true;
    boolean seen = true;
    long mutedUntil;
    @Nullable String mutedReason;
    int reports;
    int pins;
    @Nullable Color color;
    @Nullable String emoji;
    @Nullable ChatFile picture;
    boolean quiet;
    long threadOnly;
    long unreadInThreads;
    Runs deleted = Runs.NONE;

    Draft() {}

    Draft(RoomSummary from) {
      id = from.id;
      name = from.name;
      topic = from.topic;
      kind = from.kind;
      member = from.member;
      members = from.members;
      role = from.role;
      may = from.may;
      with = from.with;
      present = from.present;
      head = from.head;
      lastSeq = from.lastSeq;
      firstSeq = from.firstSeq;
      readSeq = from.readSeq;
      mentions = from.mentions;
      last = from.last;
      notify = from.notify;
      quietUntil = from.quietUntil;
      favourite = from.favourite;
      archived = from.archived;
      write = from.write;
      slow = from.slow;
      previews = from.previews;
      seen = from.seen;
      mutedUntil = from.mutedUntil;
      mutedReason = from.mutedReason;
      reports = from.reports;
      pins = from.pins;
      color = from.color;
      emoji = from.emoji;
      picture = from.picture;
      quiet = from.quiet;
      threadOnly = from.threadOnly;
      unreadInThreads = from.unreadInThreads;
      deleted = from.deleted;
    }

    /** Counts the unread messages, including those that are only in a thread. */
    long unreadWithThreads() {
      long after = Math.max(readSeq, firstSeq - 1);
      return Math.max(0, lastSeq - after - deleted.countAfter(after));
    }

    RoomSummary done() {
      return new RoomSummary(this);
    }
  }
}
