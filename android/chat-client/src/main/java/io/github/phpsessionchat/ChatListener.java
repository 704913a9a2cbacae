package io.github.phpsessionchat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The app gets notified by this. All methods are called on the executor of the {@link Chat}, one after the other. Lists are
 * whole, new and unmodifiable; of several changes in a row an app may be told the last state alone.
 */
public interface ChatListener {
  /** @param state how it stands with the connection; each change is told, in its order */
  default void onState(ConnectionState state) {}

  /** @param me who one is; told at each connection, and whenever name, roles or rights change */
  default void onIdentity(Identity me) {}

  /**
   * The session may be over: nothing may be shown any more, until {@link #onIdentity}. The lists are empty from now on
   * and come again.
   */
  default void onHide() {}

  /** @param rooms one's own, the newest message first; then public ones that one may join, by name */
  default void onRooms(List<RoomSummary> rooms) {}

  /**
   * An open room's messages have changed.
   *
   * @param room the room's id
   * @param entries the messages by their order, then those that wait to be sent
   * @param view which part of the history they are
   */
  default void onMessages(String room, List<Entry> entries, HistoryView view) {}

  /**
   * Somebody else has written something new: for a sound or a notification. Of rooms that are not open, the newest
   * message of about a second is told, and nothing where the user wants none ({@link RoomSummary.Notify#NONE}). It is not
   * called for people whom the user has blocked.
   *
   * @param room the room
   * @param message the message, its text cut to 120 characters where the room is not open
   */
  default void onNewMessage(RoomSummary room, RoomSummary.Last message) {}

  /**
   * Somebody names this user, or everybody, or replies in a thread that the user follows: for a notification. If the
   * room is not open here, it is called only if the room is open on no other device of the user either. It is not
   * called where the user wants nothing ({@link RoomSummary.Notify#NONE}).
   *
   * @param room the room, in which there is one unread mention more
   * @param message the message; of a room that is not open, an edit may have put the name in
   */
  default void onMention(RoomSummary room, Message message) {}

  /**
   * Threads have got replies or lost them, or have come with messages. Other threads have not changed.
   *
   * @param room the id of a room that is open
   * @param threads each as it is now
   */
  default void onReplies(String room, List<Replies> threads) {}

  /**
   * The user follows a thread, or no longer does: by {@link Chat#follow}, or because of a reply.
   *
   * @param room the id of the room
   * @param thread the number of the thread
   * @param following whether the user does
   */
  default void onFollowed(String room, long thread, boolean following) {}

  /** @param message was refused, or could not be kept: {@link PendingMessage#failed} says why */
  default void onUnsent(PendingMessage message) {}

  /** @param upload has come further, has ended or has failed */
  default void onUpload(Upload upload) {}

  /**
   * Something waits to be sent, or an outbox to be read; it is tried again by itself.
   *
   * @param code why: {@code rate_limited}, {@code storage_unavailable}, {@code storage_full} …; null: nothing waits any
   *     more
   * @param ms until the next attempt
   */
  default void onSendingPaused(@Nullable String code, long ms) {}

  /**
   * The user has left the room, or lost it. If it was open, it is closed.
   *
   * @param room the room as it was
   * @param removal why
   */
  default void onRoomRemoved(RoomSummary room, Removal removal) {}

  /**
   * The people who are connected, in an open room.
   *
   * @param room the room's id
   * @param users at most 100
   * @param count how many they are
   */
  default void onPresent(String room, List<User> users, int count) {}

  /**
   * The members of an open room have changed.
   *
   * @param room the room's id
   * @param changed who has come, or has another role or name
   * @param gone who is a member no more
   * @param partial there were more changes: {@link Chat#members} has them all
   */
  default void onMembers(String room, List<RoomMember> changed, List<User> gone, boolean partial) {}

  /**
   * The others who are typing in an open room.
   *
   * @param room the room's id
   * @param users who began first stands first
   */
  default void onTyping(String room, List<User> users) {}

  /**
   * The other user of a direct room has read.
   *
   * @param room the room's id
   * @param seq up to this message
   */
  default void onReadByOther(String room, long seq) {}

  /**
   * Somebody has seen an own message since {@link Chat#seenBy} was asked about it: the last one that it was asked about in
   * an open room.
   *
   * @param room the room's id
   * @param seq the message
   * @param seen the members who have seen it by now
   */
  default void onSeenBy(String room, long seq, Answers.SeenBy seen) {}

  /**
   * A message was reported, or a report was closed, in a room where one has the right {@link RoomSummary.Right#MODERATE}.
   *
   * @param report the report
   * @param open how many are open in its room
   */
  default void onReport(Report report, int open) {}

  /**
   * On another device of the user somebody was blocked, or is not any more.
   *
   * @param user the id of that user
   * @param blocked whether the user is blocked now
   */
  default void onBlocked(String user, boolean blocked) {}

  /**
   * The PHP application, or the server itself, tells this user something.
   *
   * @param name what it is about; {@code deleted} is the server's: why a moderator has deleted one's own message ({@code
   *     room}, {@code seq}, {@code reason})
   * @param data what it says, in Java's own types: String, Long, Double, Boolean, List, Map, or null
   */
  default void onPush(String name, @Nullable Object data) {}
}
