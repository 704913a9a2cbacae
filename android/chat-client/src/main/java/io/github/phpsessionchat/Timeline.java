package io.github.phpsessionchat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The known history of one room: ordering and deduplication, without any input or output. The rules are those of
 * the browser client, and {@code test/vectors} holds both to them.
 *
 * <p>{@code seq} orders, {@code rev} tells what is known: every change up to {@code head} is. Answers and events may
 * come in any order, late, or twice; of each message the newest state wins.
 *
 * <p>What is known are the newest messages without a gap. Somebody who reads far back sees a window: another piece
 * without a gap, which becomes one with the newest as soon as it reaches them.
 */
final class Timeline {
  /** No such number. */
  static final long NONE = -1;

  private static final long END = Long.MAX_VALUE;
  /** Live events kept while something older is fetched; what is beyond comes with the next sync. */
  private static final int HELD = 1000;
  /** The number of messages that stay in memory, and of the newest while the user reads further back than that. */
  private static final int KEPT = 2000;

  private static final int KEPT_NEWEST = 100;
  /** The list grows up to so many, as long as the app does not say that somebody has read its end. */
  static final int KEPT_UNREAD = 4000;
  /** A tenth is dropped at once: to build the list again costs the same for one. */
  private static final double SLACK = 1.1;

  private static final Comparator<Message> BY_SEQ = (a, b) -> Long.compare(a.seq, b.seq);

  /** An answer that says what has changed: of {@code room:join} or {@code room:sync}. */
  static final class Changes {
    final long head;
    /** Of the room, with {@code room:join}. */
    final long lastSeq;

    final List<Message> messages;
    final boolean complete;
    final boolean reset;

    Changes(long head, long lastSeq, List<Message> messages, boolean complete, boolean reset) {
      this.head = head;
      this.lastSeq = lastSeq;
      this.messages = messages;
      this.complete = complete;
      this.reset = reset;
    }
  }

  /** By {@code seq}. May hold messages of neither piece: quoted ones, and changes to what is not loaded. */
  private final Map<Long, Message> messages = new HashMap<>();
  /** Live events that cannot be applied yet, by {@code rev}. */
  private final Map<Long, Change> held = new HashMap<>();
  /** The newest changes to what is not loaded: a page that is on its way may not have them. */
  private final Deque<Change> late = new ArrayDeque<>();

  private String me = "";

  private long head = NONE;
  private long seen;
  /** Up to here an answer that was not complete has left out states which later changes of the same messages replace. */
  private long partly;
  /** Where the piece that reaches to the end begins. */
  private long first = END;

  private boolean complete;
  private boolean windowed;
  private long windowFirst;
  private long windowLast;
  /** Messages before this are too old, and gone. */
  private long oldest = 1;

  private int epoch;
  private boolean joining;
  private @Nullable List<Message> sorted;

  /** Every change up to this {@code rev} is known; NONE before the first join. */
  long head() {
    return head;
  }

  /** Set when something was missed: the {@code since} to ask with; else NONE. */
  long syncFrom() {
    return !joining && head != NONE && seen > head ? head : NONE;
  }

  /** The oldest {@code seq} of the list: the {@code before} of the next page. */
  long first() {
    return windowed ? windowFirst : first;
  }

  /** The newest {@code seq} of the list, and the {@code after} of the next page where it does not reach the end. */
  long last() {
    if (windowed) return windowLast;
    List<Message> list = list();
    return list.isEmpty() ? 0 : list.get(list.size() - 1).seq;
  }

  /** The list reaches the end, and grows with each new message. */
  boolean attached() {
    return !windowed;
  }

  /** Nothing older than the list is left. */
  boolean complete() {
    return windowed ? windowFirst <= oldest : complete;
  }

  /** Changes when the list starts again: a page asked for earlier no longer fits. */
  int epoch() {
    return epoch;
  }

  /** The list, by {@code seq}, without pending messages. */
  List<Message> list() {
    if (sorted == null) {
      sorted = Collections.unmodifiableList(windowed ? between(windowFirst, windowLast) : between(first, END));
    }
    return sorted;
  }

  /** The message of that {@code seq}, if it is known. */
  @Nullable Message get(long seq) {
    return messages.get(seq);
  }

  /** Before asking to join: the {@code since} to ask with, or NONE. Until the answer all live events are held back. */
  long join() {
    joining = true;
    held.clear();
    // A history restored from a backup counts from lower revs again: what was seen says nothing now.
    seen = 0;
    return head;
  }

  void joined(Changes answer, long since) {
    joining = false;
    if (since == NONE || since != head || answer.reset) {
      forget();
      complete = answer.complete;
      first = answer.messages.isEmpty() ? answer.lastSeq + 1 : answer.messages.get(0).seq;
      head = answer.head;
      putAll(answer.messages);
      settle();
    } else {
      merge(answer);
    }
  }

  void synced(Changes answer, long since) {
    if (answer.reset) forget();
    else if (head != NONE && since <= head) merge(answer);
  }

  /** Takes an event, as the user {@code me} hears it. */
  void live(Change change, String me) {
    this.me = me;
    seen = Math.max(seen, change.rev);
    if (held.size() < HELD) held.put(change.rev, change);
    settle();
  }

  /** The message of an ack: known at once, but it proves nothing about what came before it. */
  void stored(Message message) {
    if (head == NONE) return;
    put(message);
    if (message.rev == head + 1 && !joining) {
      head = message.rev;
      settle();
    }
  }

  /** An older page of {@code message:history}, as asked for with {@code before} when the epoch was this one's. */
  void older(List<Message> page, boolean answerComplete, long before, int epoch) {
    if (epoch != this.epoch) return;
    putAll(page);
    long oldest = page.isEmpty() ? before : page.get(0).seq;
    if (windowed) windowFirst = Math.min(windowFirst, oldest);
    else first = Math.min(first, oldest);
    if (answerComplete && !windowed) complete = true;
    sorted = null;
    detach();
  }

  /** A newer page, as asked for with {@code after}. */
  void newer(List<Message> page, int epoch) {
    if (epoch != this.epoch || !windowed) return;
    putAll(page);
    if (!page.isEmpty()) windowLast = Math.max(windowLast, page.get(page.size() - 1).seq);
    if (windowLast - windowFirst >= KEPT * SLACK) {
      windowFirst = windowLast - KEPT + 1;
      this.epoch++;
      sweep();
    }
    sorted = null;
    attach();
  }

  /** A piece of the history, without a gap, is shown instead of the end. */
  void window(List<Message> page, int epoch) {
    if (epoch != this.epoch || page.isEmpty()) return;
    putAll(page);
    this.epoch++;
    windowed = true;
    windowFirst = page.get(0).seq;
    windowLast = page.get(page.size() - 1).seq;
    sorted = null;
    attach();
  }

  /** The end is shown again. */
  void toEnd() {
    if (!windowed) return;
    windowed = false;
    epoch++;
    sweep();
    sorted = null;
  }

  /** A single message, for a quote. */
  void quoted(Message message, int epoch) {
    if (epoch == this.epoch) put(message);
  }

  void trim() {
    trim(KEPT);
  }

  /** Drops the oldest, as long as the end is shown; not at each new message, since the list is built again. */
  void trim(int kept) {
    if (messages.size() <= kept * SLACK) return;
    List<Message> newest = windowed ? between(first, END) : list();
    if (newest.size() <= kept * SLACK) return;
    // As in the browser, where nothing to keep keeps everything.
    if (kept > 0) first = newest.get(newest.size() - kept).seq;
    else first = newest.get(0).seq;
    complete = false;
    if (!windowed) epoch++;
    sweep();
    sorted = null;
  }

  /** Messages before this are too old. */
  void expire(long oldest) {
    if (oldest <= this.oldest) return;
    this.oldest = oldest;
    if (first <= oldest) {
      first = oldest;
      complete = true;
    }
    if (windowed) {
      windowFirst = Math.max(windowFirst, oldest);
      if (windowLast < oldest) toEnd();
    }
    for (Iterator<Long> seqs = messages.keySet().iterator(); seqs.hasNext(); ) {
      if (seqs.next() < oldest) seqs.remove();
    }
    epoch++;
    sorted = null;
  }

  /** Everything is gone; the room has to be joined again. */
  void forget() {
    messages.clear();
    late.clear();
    partly = 0;
    head = NONE;
    first = END;
    complete = false;
    windowed = false;
    epoch++;
    sorted = null;
  }

  private void merge(Changes answer) {
    putAll(answer.messages);
    // An answer that is not complete and yet empty would be asked for for ever.
    boolean whole = answer.complete || answer.messages.isEmpty();
    long reached = whole ? answer.head : answer.messages.get(answer.messages.size() - 1).rev;
    head = Math.max(head, reached);
    if (!answer.complete) {
      seen = Math.max(seen, answer.head);
      partly = answer.head;
    }
    settle();
  }

  /** Applies what is held as far as it follows without a gap. */
  private void settle() {
    if (head == NONE || joining) return;
    for (Change next = held.get(head + 1); next != null; next = held.get(head + 1)) {
      Message known = messages.get(next.seq);
      // The rest of the answer has the whole message: an event has only what is different, and never what is one's own.
      if (next.rev <= partly && (known == null || next.whole() == null)) break;
      if (known != null) put(next.after(known, me));
      else if (next.whole() != null && next.seq >= first) put(next.whole());
      else {
        // No page is on its way for so long.
        if (late.size() == HELD) late.removeFirst();
        late.addLast(next);
      }
      head = next.rev;
    }
    for (Iterator<Long> revs = held.keySet().iterator(); revs.hasNext(); ) {
      if (revs.next() <= head) revs.remove();
    }
  }

  private List<Message> between(long from, long to) {
    List<Message> list = new ArrayList<>();
    for (Message message : messages.values()) {
      if (message.seq >= from && message.seq <= to) list.add(message);
    }
    Collections.sort(list, BY_SEQ);
    return list;
  }

  /** A user who has read back too far to keep the whole sees a window from now on. */
  private void detach() {
    if (windowed) {
      if (windowLast - windowFirst < KEPT * SLACK) return;
      windowLast = windowFirst + KEPT - 1;
    } else {
      List<Message> list = list();
      if (list.size() < KEPT * SLACK) return;
      windowed = true;
      windowFirst = list.get(0).seq;
      windowLast = list.get(KEPT - 1).seq;
      first = list.get(list.size() - KEPT_NEWEST).seq;
      complete = false;
    }
    epoch++;
    sweep();
    sorted = null;
  }

  /** A window that has reached the newest is one piece with them. */
  private void attach() {
    if (!windowed || windowLast < first - 1) return;
    complete = windowFirst <= oldest || (complete && first <= windowFirst);
    first = Math.min(first, windowFirst);
    windowed = false;
    sorted = null;
  }

  /** Forgets what belongs to no piece. */
  private void sweep() {
    for (Iterator<Long> seqs = messages.keySet().iterator(); seqs.hasNext(); ) {
      long seq = seqs.next();
      boolean shown = windowed && seq >= windowFirst && seq <= windowLast;
      if (seq < first && !shown) seqs.remove();
    }
  }

  private void putAll(List<Message> all) {
    for (Message message : all) put(message);
  }

  /** Of one {@code rev}, an answer says more than events: what is one's own. */
  private void put(Message message) {
    Message known = messages.get(message.seq);
    if (known != null && known.rev > message.rev) return;
    Message now = message;
    for (Change change : late) if (change.seq == message.seq) now = change.after(now, me);
    messages.put(message.seq, now);
    sorted = null;
  }
}
