package io.github.phpsessionchat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Receives events from a {@link Chat}. All methods are called on its executor, one at a time. Lists are unmodifiable
 * and do not change later. If state changes repeatedly, a slow app may get only the latest state.
 */
public interface ChatListener {
  /**
   * The connection state changed. Every change is reported, in order.
   *
   * @param state the new state
   */
  default void onState(ConnectionState state) {}

  /**
   * Called after each connection, and when the user's name, roles or rights change.
   *
   * @param me the logged-in user
   */
  default void onIdentity(Identity me) {}

  /**
   * The session may have ended. Hide everything until {@link #onIdentity}. All lists are now empty and will be sent
   * again.
   */
  default void onHide() {}

  /**
   * The list of rooms changed, or is now up to date.
   *
   * @param rooms the user's rooms, newest message first, then public rooms to join, by name
   * @param upToDate whether the current connection has loaded the whole list; false without a connection and while the
   *     list is loaded
   */
  default void onRooms(List<RoomSummary> rooms, boolean upToDate) {}

  /**
   * The messages of an open room changed.
   *
   * @param room the room ID
   * @param entries the stored messages in order, then the unsent messages
   * @param view which part of the history the list covers
   */
  default void onMessages(String room, List<Entry> entries, HistoryView view) {}

  /**
   * Another user sent a message; use it for a sound or notification. For rooms that are not open, only the newest
   * message is reported, about once a second, unless the user chose {@link RoomSummary.Notify#NONE}. Messages of
   * blocked users are not reported.
   *
   * @param room the room
   * @param message the message; the text is cut to 120 characters if the room is not open
   */
  default void onNewMessage(RoomSummary room, RoomSummary.Last message) {}

  /**
   * A message mentions the user or all members; use it for a notification. For rooms that are not open here, replies in
   * followed threads are also reported, and nothing is reported while the room is open on another device of the user.
   * Not called if the user chose {@link RoomSummary.Notify#NONE}.
   *
   * @param room the room, with the new mention counted
   * @param message the message; in a room that is not open, the mention may come from an edit
   */
  default void onMention(RoomSummary room, Message message) {}

  /**
   * Threads of an open room gained or lost replies, or were loaded with messages.
   *
   * @param room the room ID
   * @param threads the current state of these threads
   */
  default void onReplies(String room, List<Replies> threads) {}

  /**
   * The user started or stopped following a thread, by {@link Chat#follow} or by a reply.
   *
   * @param room the room ID
   * @param thread the thread number
   * @param following whether the user now follows the thread
   */
  default void onFollowed(String room, long thread, boolean following) {}

  /**
   * A message failed, or is pending approval.
   *
   * @param message the message; {@link UnsentMessage#failed} contains the reason
   */
  default void onUnsent(UnsentMessage message) {}

  /**
   * An upload progressed, finished or failed.
   *
   * @param upload the current state
   */
  default void onUpload(Upload upload) {}

  /**
   * Sending is paused, or the outbox cannot be read. The client retries automatically.
   *
   * @param code the reason, such as {@code rate_limited}, {@code storage_unavailable} or {@code storage_full}; null
   *     when sending resumes
   * @param ms milliseconds until the next attempt
   */
  default void onSendingPaused(@Nullable String code, long ms) {}

  /**
   * The user left the room or lost access to it. An open room is closed.
   *
   * @param room the last known state of the room
   * @param removal the reason
   */
  default void onRoomRemoved(RoomSummary room, Removal removal) {}

  /**
   * The connected users of an open room changed.
   *
   * @param room the room ID
   * @param users connected users; some are missing if the room was joined with more than 100
   * @param count the number of connected users
   */
  default void onPresent(String room, List<User> users, int count) {}

  /**
   * The members of an open room changed.
   *
   * @param room the room ID
   * @param changed members who joined, or whose role or name changed
   * @param gone users who are no longer members
   * @param partial whether changes are missing here; {@link Chat#members} returns all members
   */
  default void onMembers(String room, List<RoomMember> changed, List<User> gone, boolean partial) {}

  /**
   * The pinned messages of an open room changed, or were loaded.
   *
   * @param room the room ID
   * @param pins the pinned messages, the latest pin first
   */
  default void onPins(String room, List<PinnedMessage> pins) {}

  /**
   * A button of a card was clicked in an open room. If the card is on the screen, request it again with
   * {@link Chat#card}.
   *
   * @param room the room ID
   * @param card the reference, as in {@link Message#card}
   */
  default void onCardChanged(String room, String card) {}

  /**
   * The users who are typing in an open room changed.
   *
   * @param room the room ID
   * @param users other users, in the order in which they started to type
   */
  default void onTyping(String room, List<User> users) {}

  /**
   * The other user of a direct room read messages.
   *
   * @param room the room ID
   * @param seq the last message read
   */
  default void onReadByOther(String room, long seq) {}

  /**
   * Another member saw the message of the latest {@link Chat#seenBy} request in an open room.
   *
   * @param room the room ID
   * @param seq the message
   * @param seen the members who saw it
   */
  default void onSeenBy(String room, long seq, Answers.SeenBy seen) {}

  /**
   * A message was reported or a report was closed, in a room where the user has {@link RoomSummary.Right#MODERATE}.
   *
   * @param report the report
   * @param open the number of open reports in the room
   */
  default void onReport(Report report, int open) {}

  /**
   * A message in a room now waits for approval, or no longer waits. Called only for its author, and for users
   * who may approve it. Call {@link Chat#held} for the current list.
   *
   * @param room the room ID
   */
  default void onHeld(String room) {}

  /**
   * A question was asked, assigned, answered, closed or opened again. Called only for the team:
   * {@link Identity.SiteRole#TEAM}.
   *
   * @param question the question
   */
  default void onQuestion(Question question) {}

  /**
   * A scheduled message of this user was added, changed, sent or deleted, here or on another device, or could not be
   * sent. Call {@link Chat#scheduled} for the current list.
   *
   * @param failed the error code if a message could not be sent, otherwise null
   */
  default void onScheduled(@Nullable String failed) {}

  /**
   * A reminder of this user was set or deleted, here or on another device, or is due. Call {@link Chat#reminders} for
   * the current list.
   *
   * @param due whether it is due
   */
  default void onReminder(boolean due) {}

  /**
   * The user blocked or unblocked another user on another device.
   *
   * @param user the ID of that user
   * @param blocked whether that user is now blocked
   */
  default void onBlocked(String user, boolean blocked) {}

  /**
   * The PHP application or the server sent the user an event.
   *
   * @param name the event name; the server itself sends {@code deleted} when a moderator deletes the user's message
   *     (data: {@code room}, {@code seq}, {@code reason})
   * @param data the data as String, Long, Double, Boolean, List, Map or null
   */
  default void onPush(String name, @Nullable Object data) {}
}
