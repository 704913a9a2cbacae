package io.github.phpsessionchat;

import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Records the callbacks of a chat in order. */
class EventRecorder implements ChatListener {
  private final BlockingQueue<String> events = new LinkedBlockingQueue<>();

  void record(String event) {
    events.add(event);
  }

  /** Waits for an event. Returns the events before it. */
  String await(String event) throws InterruptedException {
    StringBuilder before = new StringBuilder();
    for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20); ; ) {
      String next = events.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
      if (next == null) throw new AssertionError("missing event: " + event + "; got:" + before);
      if (next.equals(event)) return before.toString();
      before.append('\n').append(next);
    }
  }

  /** Returns a callback that is recorded under this name. */
  <T> Callback<T> callback(String name) {
    return new Callback<T>() {
      @Override
      public void done(T answer) {
        events.add(name);
      }

      @Override
      public void failed(ChatError error) {
        events.add(name + ": " + error.code);
      }
    };
  }

  @Override
  public void onState(ConnectionState state) {
    events.add(state.toString());
  }

  @Override
  public void onIdentity(Identity me) {
    events.add("I am " + me.user.id);
  }

  @Override
  public void onHide() {
    events.add("hide");
  }

  @Override
  public void onMessages(String room, List<Entry> entries, HistoryView view) {
    events.add("messages of " + room + ": " + entries.size());
  }

  @Override
  public void onNewMessage(RoomSummary room, RoomSummary.Last message) {
    events.add("new: " + message.text);
  }

  @Override
  public void onMention(RoomSummary room, Message message) {
    events.add("mention: " + message.text);
  }

  @Override
  public void onReplies(String room, List<Replies> threads) {
    events.add(threads + " of " + room);
  }

  @Override
  public void onFollowed(String room, long thread, boolean following) {
    events.add((following ? "follows " : "leaves ") + room + " " + thread);
  }

  @Override
  public void onPins(String room, List<PinnedMessage> pins) {
    StringBuilder list = new StringBuilder("pins of " + room + ":");
    for (PinnedMessage pin : pins) {
      String text = pin.message.hidden ? "hidden" : pin.message.text;
      list.append(" ").append(pin.message.seq).append(" ").append(text);
    }
    events.add(list.toString());
  }

  @Override
  public void onCardChanged(String room, String card) {
    events.add("changed: " + card + " in " + room);
  }

  @Override
  public void onSendingPaused(String code, long ms) {
    events.add(code == null ? "sending" : "paused " + code);
  }

  @Override
  public void onUpload(Upload upload) {
    if (upload.file != null) events.add(upload.name + " is " + upload.file.type);
    if (upload.failed != null) events.add(upload.name + " failed: " + upload.failed);
  }

  @Override
  public void onReminder(boolean due) {
    events.add("reminder: " + due);
  }

  @Override
  public void onScheduled(String failed) {
    events.add("scheduled: " + failed);
  }

  @Override
  public void onUnsent(UnsentMessage message) {
    events.add("unsent " + message.text + ": " + message.failed);
  }
}
