package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.json.JSONObject;

/** A room as this client sees it. */
final class Room {
  /** As long as the server cuts the newest message of a room, in code points. */
  private static final int PREVIEW = 120;

  final Timeline timeline = new Timeline();
  RoomSummary summary;
  /** The app shows it. */
  boolean open;
  /** Joined over the connection that is open now. */
  boolean joined;
  /** At most 100 of those who are here, and how many they are. */
  List<User> present = Collections.emptyList();

  int presentCount;
  /** Where the room stands among the others, in milliseconds: the later, the further above. */
  double at;
  /** Up to here the server knows that one has read. */
  long marked;
  /** The user has marked messages as unread: they stay so until the room is opened again. */
  boolean keptUnread;
  /** Up to here the app knows that something was written. */
  long told;

  Room(RoomSummary summary) {
    this.summary = summary;
    told = summary.lastSeq;
    marked = summary.readSeq;
  }

  String id() {
    return summary.id;
  }

  boolean muted() {
    return summary.notify == RoomSummary.Notify.NONE;
  }

  /**
   * Takes the newest state from the server. Messages that were read here stay read, unless the history starts again, or the
   * server knew that and the mark was moved back since.
   */
  void update(RoomSummary now, boolean anew) {
    timeline.expire(now.firstSeq);
    boolean keeps = !anew && summary.member && now.member && summary.readSeq > marked;
    marked = Math.min(now.readSeq, now.lastSeq);
    RoomSummary.Draft draft = new RoomSummary.Draft(now);
    draft.readSeq = Math.min(keeps ? Math.max(now.readSeq, summary.readSeq) : now.readSeq, now.lastSeq);
    summary = draft.done();
    told = summary.lastSeq;
  }

  /** {@code room:activity}: what goes on in a room that is not joined. */
  void activity(JSONObject activity) {
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
      draft.last = activity.has("last") ? Wire.last(Wire.object(activity, "last")) : null;
      told = draft.lastSeq;
    }
    summary = draft.done();
  }

  /** A new or changed message: it may count as unread; one's own (from any device) marks as read up to it. */
  void note(Message message, User me) {
    boolean own = message.user.id.equals(me.id);
    RoomSummary.Last last = summary.last;
    told = Math.max(told, message.seq);
    boolean changed = last != null && message.seq == last.seq && message.rev > summary.head;
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    if (message.seq > summary.lastSeq || changed) draft.last = preview(message);
    draft.head = Math.max(summary.head, message.rev);
    draft.lastSeq = Math.max(summary.lastSeq, message.seq);
    if (message.seq > summary.lastSeq && !own && !message.hidden && message.mentions(me.id)) draft.mentions++;
    if (own) {
      keptUnread = false;
      marked = Math.max(marked, message.seq);
      draft.readSeq = Math.max(summary.readSeq, message.seq);
    }
    summary = draft.done();
  }

  /** Of a message that mentions one, and that was not told of before: what else of it is new comes with what goes on. */
  void mentioned(long seq) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.lastSeq = Math.max(summary.lastSeq, seq);
    // An edit may mention the user in a message that was read before.
    if (seq > summary.readSeq) draft.mentions++;
    summary = draft.done();
  }

  /** The server says how many unread messages mention the user. */
  void mentions(long count) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.mentions = count;
    summary = draft.done();
  }

  void reports(int open) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.reports = open;
    summary = draft.done();
  }

  /** The mark was moved back: messages after it are unread again, and so many mentions. */
  void unreadAfter(long seq, long mentions) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.readSeq = seq;
    draft.mentions = mentions;
    summary = draft.done();
    marked = seq;
  }

  boolean readUpTo(long seq) {
    if (keptUnread || summary.readSeq >= seq) return false;
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.readSeq = seq;
    summary = draft.done();
    return true;
  }

  void members(int count) {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.members = count;
    summary = draft.done();
  }

  /** The user is no member any more, but may join again. */
  void left() {
    RoomSummary.Draft draft = new RoomSummary.Draft(summary);
    draft.member = false;
    draft.role = null;
    draft.reports = 0;
    draft.may = Collections.singleton(RoomSummary.Right.SEND);
    draft.readSeq = 0;
    draft.notify = RoomSummary.Notify.MENTIONS;
    summary = draft.done();
    marked = 0;
    keptUnread = false;
    joined = false;
    open = false;
  }

  /** {@code presence:changed}; false if it says nothing about who is here. */
  boolean presence(List<User> came, List<String> left, int count) {
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
    if (text.codePointCount(0, text.length()) > PREVIEW) text = text.substring(0, text.offsetByCodePoints(0, PREVIEW));
    int files = message.files.size();
    ChatFile.Audio sound = files == 0 ? null : message.files.get(0).audio;
    long voice = sound == null || sound.peaks == null ? -1 : sound.duration;
    return new RoomSummary.Last(
        message.seq, message.user, text, message.sentAt, message.deletedAt, files, voice, message.hidden);
  }
}
