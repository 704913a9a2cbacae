package io.github.phpsessionchat;

import java.util.Collections;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A room as its reader sees it now. */
public final class RoomSummary {
  /** The readers of a room. */
  public enum Kind {
    /** Everybody. */
    PUBLIC,
    /** Its members. */
    PRIVATE,
    /** Two users. */
    DIRECT
  }

  /** The role of a member in a room. */
  public enum Role {
    /** Has all rights. */
    OWNER,
    /** May change the room, remove people and delete messages of others. */
    MODERATOR,
    /** Everybody else. */
    MEMBER
  }

  /** A right of a user in a room. */
  public enum Right {
    /** To write, to edit one's own messages, to show that one types. */
    SEND,
    /** To add people. */
    INVITE,
    /** To change name and topic, and the rules of the room: see {@link RoomChange}. */
    UPDATE,
    /** To remove people. */
    REMOVE,
    /** To delete messages of others, to mute and ban people, to see and close reports. */
    MODERATE,
    /** To pin messages and to unpin them. */
    PIN,
    /** To give roles and to hand the room over. */
    ROLES,
    /** To delete the room. */
    DELETE,
    /** To leave it. */
    LEAVE
  }

  /** The messages that the user wants to be notified of. */
  public enum Notify {
    /** All messages. */
    ALL,
    /** Messages that name the user. */
    MENTIONS,
    /** Nothing: the room counts in no sum of unread messages. */
    NONE
  }

  /** The users who may write in a room. */
  public enum Write {
    /** Everybody who may read it. */
    ALL,
    /** The owner and moderators. */
    MODERATORS
  }

  /** The newest message of a room as it is now. */
  public static final class Last {
    /** Its number in the room. */
    public final long seq;
    /** Its author. */
    public final User user;
    /** Its text, cut to 120 characters; empty if it was deleted. */
    public final String text;
    /** When it was stored, in milliseconds since 1970 by the server's clock. */
    public final long sentAt;
    /** When it was deleted; 0: it was not. */
    public final long deletedAt;
    /** How many files it has. */
    public final int files;
    /** Milliseconds of a voice message, which is its first file, 0 if that is unknown; -1: there is none. */
    public final long voice;
    /** Whether the reader has blocked its author. */
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

  /** The id: {@code [A-Za-z0-9_-]{1,64}}. */
  public final String id;
  /** The name; of a direct room that of the other user. */
  public final String name;
  /** Null: none. */
  public final @Nullable String topic;
  /** The readers. */
  public final Kind kind;
  /** Whether the reader is a member. */
  public final boolean member;
  /** How many members it has. */
  public final int members;
  /** The reader's own role; null for who is no member. */
  public final @Nullable Role role;
  /** The reader's rights in it. */
  public final Set<Right> may;
  /** The other user of a direct room; null in other rooms. */
  public final @Nullable User with;
  /** Whether the other user of a direct room is connected to the chat now. */
  public final boolean present;
  /** The number of the room's last change. */
  public final long head;
  /** The {@code seq} of the newest message; 0: none. */
  public final long lastSeq;
  /** The {@code seq} of the oldest message that is left; what came before it was too old. 1: none is gone. */
  public final long firstSeq;
  /** Up to here the reader has read. */
  public final long readSeq;
  /** How many messages the reader has not read; 0 for who is no member, and in a direct room with a blocked user. */
  public final long unread;
  /** How many of them mention the reader, or everybody. */
  public final long mentions;
  /** Null: there is no message. */
  public final @Nullable Last last;
  /** The messages that the reader wants to be notified of. */
  public final Notify notify;
  /** The users who may write. */
  public final Write write;
  /** The seconds that have to pass between two messages of one user, but for moderators; 0: none. */
  public final int slow;
  /**
   * Whether links of new messages have previews, if the site's operator has switched them on; in a direct room when both
   * want it: see {@link Chat#setPreviews}.
   */
  public final boolean previews;
  /** Whether authors learn who has seen a message, unless the site's operator has switched it off. */
  public final boolean seen;
  /**
   * Until then the reader may not write here, in milliseconds since 1970 by this machine's clock; {@link Long#MAX_VALUE}:
   * for good; 0: the reader may. Its end is told by {@link ChatListener#onRooms}.
   */
  public final long mutedUntil;
  /** Why the reader may not write here; null: nobody has said why. */
  public final @Nullable String mutedReason;
  /** How many reports are open, for who has the right {@link Right#MODERATE}; else 0. */
  public final int reports;

  /** The reader has blocked the other user of this direct room. */
  final boolean quiet;

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
    unread = counts ? Math.max(0, draft.lastSeq - Math.max(draft.readSeq, draft.firstSeq - 1)) : 0;
    mentions = Math.min(draft.mentions, unread);
    last = draft.last;
    notify = draft.notify;
    write = draft.write;
    slow = draft.slow;
    previews = draft.previews;
    seen = draft.seen;
    mutedUntil = draft.mutedUntil;
    mutedReason = draft.mutedReason;
    reports = draft.reports;
  }

  /**
   * @param right one of the rights
   * @return whether the reader has it
   */
  public boolean may(Right right) {
    return may.contains(right);
  }

  @Override
  public String toString() {
    return "room " + id;
  }

  /** A summary in the making. */
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
    Write write;
    int slow;
    boolean previews = true;
    boolean seen = true;
    long mutedUntil;
    @Nullable String mutedReason;
    int reports;
    boolean quiet;

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
      write = from.write;
      slow = from.slow;
      previews = from.previews;
      seen = from.seen;
      mutedUntil = from.mutedUntil;
      mutedReason = from.mutedReason;
      reports = from.reports;
      quiet = from.quiet;
    }

    RoomSummary done() {
      return new RoomSummary(this);
    }
  }
}
