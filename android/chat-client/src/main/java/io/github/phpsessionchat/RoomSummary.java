package io.github.phpsessionchat;

import java.util.Collections;
import java.util.Set;

/** A room as its reader sees it now. */
public final class RoomSummary {
  /** Who may read a room. */
  public enum Kind {
    /** Everybody. */
    PUBLIC,
    /** Its members. */
    PRIVATE,
    /** Two users. */
    DIRECT
  }

  /** What a member is in a room. */
  public enum Role {
    /** Has all rights. */
    OWNER,
    /** May change the room, remove people and delete messages of others. */
    MODERATOR,
    /** Everybody else. */
    MEMBER
  }

  /** What a user may do in a room. */
  public enum Right {
    /** To write, to edit one's own messages, to show that one types. */
    SEND,
    /** To add people. */
    INVITE,
    /** To change name and topic. */
    UPDATE,
    /** To remove people. */
    REMOVE,
    /** To delete messages of others. */
    MODERATE,
    /** To give roles and to hand the room over. */
    ROLES,
    /** To delete the room. */
    DELETE,
    /** To leave it. */
    LEAVE
  }

  /** What the user wants to be told of. */
  public enum Notify {
    /** All messages. */
    ALL,
    /** Messages that name the user. */
    MENTIONS,
    /** Nothing: the room counts in no sum of unread messages. */
    NONE
  }

  /** The newest message of a room as it is now. */
  public static final class Last {
    /** Its number in the room. */
    public final long seq;
    /** Who wrote it. */
    public final User user;
    /** Its text, cut to 120 characters; empty if it was deleted. */
    public final String text;
    /** When it was stored, in milliseconds since 1970 by the server's clock. */
    public final long sentAt;
    /** When it was deleted; 0: it was not. */
    public final long deletedAt;

    Last(long seq, User user, String text, long sentAt, long deletedAt) {
      this.seq = seq;
      this.user = user;
      this.text = text;
      this.sentAt = sentAt;
      this.deletedAt = deletedAt;
    }
  }

  /** The id: {@code [A-Za-z0-9_-]{1,64}}. */
  public final String id;
  /** The name; of a direct room that of the other user. */
  public final String name;
  /** Null: none. */
  public final String topic;
  /** Who may read it. */
  public final Kind kind;
  /** Whether the reader is a member. */
  public final boolean member;
  /** How many members it has. */
  public final int members;
  /** The reader's own role; null for who is no member. */
  public final Role role;
  /** What the reader may do in it. */
  public final Set<Right> may;
  /** The other user of a direct room; null in other rooms. */
  public final User with;
  /** Whether the other user of a direct room is connected to the chat now. */
  public final boolean present;
  /** The number of the room's last change. */
  public final long head;
  /** The {@code seq} of the newest message; 0: none. */
  public final long lastSeq;
  /** Up to here the reader has read. */
  public final long readSeq;
  /** How many messages the reader has not read; 0 for who is no member. */
  public final long unread;
  /** Null: there is no message. */
  public final Last last;
  /** What the reader wants to be told of. */
  public final Notify notify;

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
    readSeq = draft.readSeq;
    unread = draft.member ? Math.max(0, draft.lastSeq - draft.readSeq) : 0;
    last = draft.last;
    notify = draft.notify;
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
    String topic;
    Kind kind;
    boolean member;
    int members;
    Role role;
    Set<Right> may;
    User with;
    boolean present;
    long head;
    long lastSeq;
    long readSeq;
    Last last;
    Notify notify;

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
      readSeq = from.readSeq;
      last = from.last;
      notify = from.notify;
    }

    RoomSummary done() {
      return new RoomSummary(this);
    }
  }
}
