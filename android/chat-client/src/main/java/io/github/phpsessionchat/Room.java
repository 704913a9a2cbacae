package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** The client's state of a room. */
final class Room {
  /** Length at which the server cuts the text of a room's newest message, in code points. */
  private static final int PREVIEW_LENGTH = 120;

  final Timeline timeline = new Timeline();
  RoomSummary summary;
  /** Whether the app shows the room. */
  boolean open;
  /** Whether the room is joined over the current connection. */
  boolean joined;
  /** Connected users, not all if the room was joined with more than 100; and the number of all connected users. */
  List<User> present = Collections.emptyList();

  int presentCount;
  /** The pinned messages, latest pin first; null until they are loaded. */
  @Nullable List<PinnedMessage> pins;
  /** Counts changes of the pinned messages, since a response may be older than an event. */
  int pinChanges;
  /** Sort key in milliseconds; rooms with a higher value come first. */
  double sortKey;
  /** The read marker that the server has acknowledged. */
  long acknowledgedSeq;
  /** Whether the user marked messages as unread, see {@link Chat#markUnread}. */
  boolean isKeptUnread;
  /** Messages up to this {@code seq} are not reported as new. */
  long reportedSeq;

  Room(RoomSummary summary) {
    this.summary = summary;
    reportedSeq = summary.lastSeq;
    acknowledgedSeq = summary.readSeq;
  }

  String id() {
    return summary.id;
  }

  boolean muted() {
    return summary.isQuiet();
  }

  /**
   * Applies the server's state. A higher read marker that the server has not acknowledged stays, unless the history
   * restarts.
   *
   * @param isRestart whether the history restarts
   */
  void update(RoomSummary now, boolean isRestart) {
    timeline.expire(now.firstSeq);
    boolean keeps = !isRestart && summary.member && now.member && summary.readSeq > acknowledgedSeq;
    acknowledgedSeq = Math.min(now.readSeq, now.lastSeq);
    RoomSummary.Draft draft = new RoomSummary.Draft(now);
    draft.readSeq = Math.min(keeps ? Math.max(now.readSeq, summary.readSeq) : now.readSeq, now.lastSeq);
    summary = draft.done();
    reportedSeq = summary.lastSeq;
  }

  /** Applies {@code room:activity}. */
  void applyActivity(JSONObject activity) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.name = activity.optString("name", summary.name);
    draft.topic = Wire.text(activity, "topic");
    draft.members = Wire.count(activity, "members");
    draft.firstSeq = Math.max(summary.firstSeq, Wire.number(activity, "firstSeq"));
    timeline.expire(draft.firstSeq);
    long head = Wire.number(activity, "head");
    if (head >= summary.head) {
      draft.head = head;
      draft.lastSeq = Wire.number(activity, "lastSeq");
      draft.threadOnly = Wire.number(activity, "threadOnly");
      draft.unreadInThreads = Math.max(0, summary.unreadInThreads + draft.threadOnly - summary.threadOnly);
      draft.deleted = Runs.of(activity, "deleted");
      draft.last = activity.has("last") ? RoomSummary.Last.fromJson(Wire.object(activity, "last")) : null;
      reportedSeq = draft.lastSeq;
    }
    summary = draft.done();
  }

  /** Updates counters for a new or changed message. A message of the user, from any device, moves the read marker. */
  void addMessage(Message message, User me) {
    boolean own = message.user.id.equals(me.id);
    RoomSummary.Last last = summary.last;
    reportedSeq = Math.max(reportedSeq, message.seq);
    boolean changed = last != null && message.seq == last.seq && message.rev > summary.head;
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    boolean isNew = message.seq > summary.lastSeq;
    boolean isInThread = isNew && message.threadOnly;
    if ((isNew && !isInThread) || changed) draft.last = preview(message);
    if (isInThread) draft.threadOnly++;
    if (isInThread && !own) draft.unreadInThreads++;
    draft.head = Math.max(summary.head, message.rev);
    draft.lastSeq = Math.max(summary.lastSeq, message.seq);
    if (isNew && !own && !message.hidden && message.mentions(me.id)) draft.mentions++;
    addDeleted(message, draft);
    if (own) {
      isKeptUnread = false;
      acknowledgedSeq = Math.max(acknowledgedSeq, message.seq);
      draft.readSeq = Math.max(summary.readSeq, message.seq);
      draft.unreadInThreads = threadOnlyAfter(draft.readSeq);
    }
    summary = draft.done();
  }

  /** Counts a mention that arrived before its message. The next {@code room:activity} updates the other fields. */
  void addMention(long seq) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.lastSeq = Math.max(summary.lastSeq, seq);
    // An edit may add a mention to a message that was already read.
    if (seq > summary.readSeq) draft.mentions++;
    summary = draft.done();
  }

  void setMentions(long count) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.mentions = count;
    summary = draft.done();
  }

  void setReports(int open) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.reports = open;
    summary = draft.done();
  }

  /** Applies {@code pin:changed}. @param pin null: the message was unpinned */
  void pin(long seq, @Nullable PinnedMessage pin, int count) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.pins = count;
    summary = draft.done();
    pinChanges++;
    if (pins == null) return;
    List<PinnedMessage> now = new ArrayList<>();
    if (pin != null) now.add(pin);
    for (PinnedMessage other : pins) if (other.message.seq != seq) now.add(other);
    pins = now;
  }

  /** Updates the pin of a changed message. Returns false if the message is not pinned. */
  boolean updatePin(Message message) {
    if (pins == null) return false;
    boolean isPinned = false;
    List<PinnedMessage> now = new ArrayList<>();
    for (PinnedMessage pin : pins) {
      boolean isMatch = pin.message.seq == message.seq;
      isPinned |= isMatch;
      now.add(isMatch ? pin.with(preview(message)) : pin);
    }
    pins = now;
    return isPinned;
  }

  /** Removes pins of expired messages. Returns whether there were any. */
  boolean expirePins() {
    if (pins == null) return false;
    List<PinnedMessage> now = new ArrayList<>();
    for (PinnedMessage pin : pins) if (pin.message.seq >= summary.firstSeq) now.add(pin);
    boolean isChange = now.size() < pins.size();
    pins = now;
    return isChange;
  }

  /** Moves the read marker back to {@code seq}, after which {@code mentions} mentions are unread. */
  void unreadAfter(long seq, long mentions) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.readSeq = seq;
    draft.mentions = mentions;
    draft.unreadInThreads = threadOnlyAfter(seq);
    for (Message message : timeline.list()) addDeleted(message, draft);
    summary = draft.done();
    acknowledgedSeq = seq;
  }

  /** Deleted messages are not unread. */
  private static void addDeleted(Message message, RoomSummary.Draft draft) {
    if (message.isDeleted() && !message.threadOnly && message.seq > draft.readSeq)
      draft.deleted = draft.deleted.with(message.seq);
  }

  boolean readUpTo(long seq) {
    if (isKeptUnread || summary.readSeq >= seq) return false;
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.readSeq = seq;
    draft.unreadInThreads = threadOnlyAfter(seq);
    summary = draft.done();
    return true;
  }

  private long threadOnlyAfter(long seq) {
    long count = 0;
    for (Message message : timeline.list()) if (message.threadOnly && message.seq > seq) count++;
    return count;
  }

  void setMembers(int count) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.members = count;
    summary = draft.done();
  }

  /** Applies that the user is no longer a member of this public room. */
  void left() {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.member = false;
    draft.role = null;
    draft.reports = 0;
    draft.may = Collections.singleton(RoomSummary.Right.SEND);
    draft.readSeq = 0;
    draft.notify = RoomSummary.Notify.MENTIONS;
    draft.quietUntil = 0;
    draft.favourite = -1;
    draft.archived = false;
    summary = draft.done();
    acknowledgedSeq = 0;
    isKeptUnread = false;
    joined = false;
    open = false;
  }

  /** Applies {@code presence:changed}. Returns whether the list of connected users changed. */
  boolean applyPresence(List<User> came, List<String> left, int count) {
    if (summary.with != null) {
      boolean here = false;
      for (User user : came) here |= user.id.equals(summary.with.id);
      if (here || left.contains(summary.with.id)) {
        RoomSummary.Draft draft = new RoomSummary.Draft(summary);
        draft.present = here;
        summary = draft.done();
      }
    }
    if (!joined) return false;
    Set<String> moved = new HashSet<>(left);
    for (User user : came) moved.add(user.id);
    List<User> now = new ArrayList<>();
    for (User user : present) if (!moved.contains(user.id)) now.add(user);
    now.addAll(came);
    present = Collections.unmodifiableList(now);
    presentCount = count;
    return true;
  }

  static RoomSummary.Last preview(Message message) {
    String text = message.text;
    if (text.codePointCount(0, text.length()) > PREVIEW_LENGTH) text = text.substring(0, text.offsetByCodePoints(0, PREVIEW_LENGTH));
    RoomSummary.Last.Draft last = new RoomSummary.Last.Draft();
    last.seq = message.seq;
    last.user = message.user;
    last.text = text;
    last.sentAt = message.sentAt;
    last.deletedAt = message.deletedAt;
    last.files = message.files.size();
    for (ChatFile file : message.files) if (file.image != null) last.pictures++;
    ChatFile.Audio sound = last.files == 0 ? null : message.files.get(0).audio;
    if (sound != null && sound.peaks != null) last.voice = sound.duration;
    last.card = message.text.equals(message.card);
    last.hidden = message.hidden;
    return last.done();
  }
}
