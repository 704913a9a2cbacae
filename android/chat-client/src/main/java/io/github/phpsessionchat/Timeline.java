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
 * The loaded history of one room: ordering and deduplication, without I/O. It follows the same rules as the browser
 * client; {@code test/vectors} tests both.
 *
 * <p>{@code seq} is the order. {@code rev} counts changes, and all changes up to {@code head} are known. Responses and
 * events may arrive late, twice or in any order; the newest state of each message wins.
 *
 * <p>The newest messages are loaded without a gap. A user who reads far back sees a window. This second range also has
 * no gaps, and is merged with the newest messages when it reaches them.
 */
final class Timeline {
  /** Stands for a missing number. */
  static final long NONE = -1;

  private static final long END = Long.MAX_VALUE;
  /** Limit for events that wait for an older change. The next sync loads the changes beyond it. */
  private static final int MAX_HELD = 1000;
  /** Number of messages kept in memory, and of the newest messages kept while the user reads further back. */
  private static final int MAX_MESSAGES = 2000;

  private static final int MAX_NEWEST = 100;
  /** Limit for an open room until the app reports that the user has read its end. */
  static final int MAX_UNREAD = 4000;
  /** Trims a tenth at a time, because removing one message also rebuilds the whole list. */
  private static final double SLACK = 1.1;

  private static final Comparator<Message> BY_SEQ = (a, b) -> Long.compare(a.seq, b.seq);

  /** A {@code room:join} or {@code room:sync} response. */
  static final class Changes {
    final long head;
    /** Set only for {@code room:join}. */
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

  /** By {@code seq}. Also contains quoted and changed messages outside both ranges. */
  private final Map<Long, Message> messages = new HashMap<>();
  /** Events that wait for an older change, by {@code rev}. */
  private final Map<Long, Change> heldChanges = new HashMap<>();
  /** The latest changes to messages that are not loaded. A page in flight may be older. */
  private final Deque<Change> unloadedChanges = new ArrayDeque<>();

  private String me = "";

  private long head = NONE;
  private long latestRev;
  /** The {@code head} of an incomplete response, which omits states that later changes replaced. */
  private long incompleteHead;
  /** The first {@code seq} of the range of newest messages. */
  private long first = END;

  private boolean complete;
  private boolean windowed;
  private long windowFirst;
  private long windowLast;
  /** Messages before this have expired. */
  private long oldest = 1;

  private int epoch;
  private boolean joining;
  private @Nullable List<Message> sorted;

  /** All changes up to this {@code rev} are known; NONE before the first join. */
  long head() {
    return head;
  }

  /** The {@code since} of the sync that is needed to fill a gap, or NONE. */
  long syncFrom() {
    return !joining && head != NONE && latestRev > head ? head : NONE;
  }

  /** The oldest {@code seq} in the list, for {@code before} of the next page. */
  long first() {
    return windowed ? windowFirst : first;
  }

  /** The newest {@code seq} in the list, for {@code after} of the next page if the list does not reach the end. */
  long last() {
    if (windowed) return windowLast;
    List<Message> list = list();
    return list.isEmpty() ? 0 : list.get(list.size() - 1).seq;
  }

  /** Whether the list reaches the end and grows with each new message. */
  boolean attached() {
    return !windowed;
  }

  /** Whether no older messages exist. */
  boolean complete() {
    return windowed ? windowFirst <= oldest : complete;
  }

  /** Changes when the list is rebuilt. Pages requested in an earlier epoch are dropped. */
  int epoch() {
    return epoch;
  }

  /** The stored messages, ordered by {@code seq}. */
  List<Message> list() {
    if (sorted == null) {
      sorted = Collections.unmodifiableList(windowed ? between(windowFirst, windowLast) : between(first, END));
    }
    return sorted;
  }

  @Nullable Message get(long seq) {
    return messages.get(seq);
  }

  /** Returns the {@code since} for {@code room:join}, or NONE. Events are held back until the response. */
  long join() {
    joining = true;
    heldChanges.clear();
    // A history restored from a backup has lower revs, so earlier events no longer count.
    latestRev = 0;
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

  /** Applies an event for the user {@code me}. */
  void applyEvent(Change change, String me) {
    this.me = me;
    latestRev = Math.max(latestRev, change.rev);
    if (heldChanges.size() < MAX_HELD) heldChanges.put(change.rev, change);
    settle();
  }

  /** Adds the message of an acknowledgement. Earlier changes may still be missing. */
  void stored(Message message) {
    if (head == NONE) return;
    put(message);
    if (message.rev == head + 1 && !joining) {
      head = message.rev;
      settle();
    }
  }

  /** Adds a page of messages before {@code before}. Dropped if {@code epoch}, the epoch of its request, has passed. */
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

  /** Adds the page of messages after the window. Dropped if {@code epoch}, the epoch of its request, has passed. */
  void newer(List<Message> page, int epoch) {
    if (epoch != this.epoch || !windowed) return;
    putAll(page);
    if (!page.isEmpty()) windowLast = Math.max(windowLast, page.get(page.size() - 1).seq);
    if (windowLast - windowFirst >= MAX_MESSAGES * SLACK) {
      windowFirst = windowLast - MAX_MESSAGES + 1;
      this.epoch++;
      sweep();
    }
    sorted = null;
    attach();
  }

  /** Shows a range of the history instead of the newest messages. */
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

  /** Shows the newest messages again. */
  void showEnd() {
    if (!windowed) return;
    windowed = false;
    epoch++;
    sweep();
    sorted = null;
  }

  /** Adds a single message, for a quote. */
  void quoted(Message message, int epoch) {
    if (epoch == this.epoch) put(message);
  }

  void trim() {
    trim(MAX_MESSAGES);
  }

  /** Drops the oldest messages of the range that ends with the newest, see {@link #SLACK}. */
  void trim(int limit) {
    if (messages.size() <= limit * SLACK) return;
    List<Message> newest = windowed ? between(first, END) : list();
    if (newest.size() <= limit * SLACK) return;
    // Same as the browser client: 0 keeps all messages.
    if (limit > 0) first = newest.get(newest.size() - limit).seq;
    else first = newest.get(0).seq;
    complete = false;
    if (!windowed) epoch++;
    sweep();
    sorted = null;
  }

  void expire(long oldest) {
    if (oldest <= this.oldest) return;
    this.oldest = oldest;
    if (first <= oldest) {
      first = oldest;
      complete = true;
    }
    if (windowed) {
      windowFirst = Math.max(windowFirst, oldest);
      if (windowLast < oldest) showEnd();
    }
    for (Iterator<Long> seqs = messages.keySet().iterator(); seqs.hasNext(); ) {
      if (seqs.next() < oldest) seqs.remove();
    }
    epoch++;
    sorted = null;
  }

  /** Removes all messages. The room must be joined again. */
  void forget() {
    messages.clear();
    unloadedChanges.clear();
    incompleteHead = 0;
    head = NONE;
    first = END;
    complete = false;
    windowed = false;
    epoch++;
    sorted = null;
  }

  private void merge(Changes answer) {
    putAll(answer.messages);
    // Otherwise an incomplete but empty response would be requested forever.
    boolean whole = answer.complete || answer.messages.isEmpty();
    long reached = whole ? answer.head : answer.messages.get(answer.messages.size() - 1).rev;
    head = Math.max(head, reached);
    if (!answer.complete) {
      latestRev = Math.max(latestRev, answer.head);
      incompleteHead = answer.head;
    }
    settle();
  }

  /** Applies held events that follow without a gap. */
  private void settle() {
    if (head == NONE || joining) return;
    for (Change next = heldChanges.get(head + 1); next != null; next = heldChanges.get(head + 1)) {
      Message existing = messages.get(next.seq);
      // The next part of the response contains the whole message. An event may contain only what changed, and does not
      // mark the user's own reactions.
      if (next.rev <= incompleteHead && (existing == null || next.whole() == null)) break;
      if (existing != null) put(next.after(existing, me));
      else if (next.whole() != null && next.seq >= first) put(next.whole());
      else {
        // Assumes that a page in flight arrives within MAX_HELD such changes.
        if (unloadedChanges.size() == MAX_HELD) unloadedChanges.removeFirst();
        unloadedChanges.addLast(next);
      }
      head = next.rev;
    }
    for (Iterator<Long> revs = heldChanges.keySet().iterator(); revs.hasNext(); ) {
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

  /** Shortens a list that is too long: switches to a window, or cuts the end of the window. */
  private void detach() {
    if (windowed) {
      if (windowLast - windowFirst < MAX_MESSAGES * SLACK) return;
      windowLast = windowFirst + MAX_MESSAGES - 1;
    } else {
      List<Message> list = list();
      if (list.size() < MAX_MESSAGES * SLACK) return;
      windowed = true;
      windowFirst = list.get(0).seq;
      windowLast = list.get(MAX_MESSAGES - 1).seq;
      first = list.get(list.size() - MAX_NEWEST).seq;
      complete = false;
    }
    epoch++;
    sweep();
    sorted = null;
  }

  /** Merges the window with the newest messages once it reaches them. */
  private void attach() {
    if (!windowed || windowLast < first - 1) return;
    complete = windowFirst <= oldest || (complete && first <= windowFirst);
    first = Math.min(first, windowFirst);
    windowed = false;
    sorted = null;
  }

  /** Removes messages outside both ranges. */
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

  /** At the same {@code rev}, a response replaces an event because it marks the user's own reactions. */
  private void put(Message message) {
    Message existing = messages.get(message.seq);
    if (existing != null && existing.rev > message.rev) return;
    Message now = message;
    for (Change change : unloadedChanges) if (change.seq == message.seq) now = change.after(now, me);
    messages.put(message.seq, now);
    sorted = null;
  }
}
