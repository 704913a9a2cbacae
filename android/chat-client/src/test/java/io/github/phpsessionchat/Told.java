package io.github.phpsessionchat;

import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The calls that an app got, in their order. */
class Told implements ChatListener {
  private final BlockingQueue<String> told = new LinkedBlockingQueue<>();

  void told(String what) {
    told.add(what);
  }

  /** Waits until that is told; what was told before it is passed over, and given back. */
  String until(String what) throws InterruptedException {
    StringBuilder before = new StringBuilder();
    for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20); ; ) {
      String next = told.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
      if (next == null) throw new AssertionError("not told: " + what + "; but:" + before);
      if (next.equals(what)) return before.toString();
      before.append('\n').append(next);
    }
  }

  /** Is told as well, under that name. */
  <T> Callback<T> answer(String name) {
    return new Callback<T>() {
      @Override
      public void done(T answer) {
        told.add(name);
      }

      @Override
      public void failed(ChatError error) {
        told.add(name + ": " + error.code);
      }
    };
  }

  @Override
  public void onState(ConnectionState state) {
    told.add(state.toString());
  }

  @Override
  public void onIdentity(Identity me) {
    told.add("I am " + me.user.id);
  }

  @Override
  public void onHide() {
    told.add("hide");
  }

  @Override
  public void onMessages(String room, List<Entry> entries, HistoryView view) {
    told.add("messages of " + room + ": " + entries.size());
  }

  @Override
  public void onNewMessage(RoomSummary room, RoomSummary.Last message) {
    told.add("new: " + message.text);
  }

  @Override
  public void onMention(RoomSummary room, Message message) {
    told.add("mention: " + message.text);
  }

  @Override
  public void onReplies(String room, List<Replies> threads) {
    told.add(threads + " of " + room);
  }

  @Override
  public void onFollowed(String room, long thread, boolean following) {
    told.add((following ? "follows " : "leaves ") + room + " " + thread);
  }

  @Override
  public void onSendingPaused(String code, long ms) {
    told.add(code == null ? "sending" : "paused " + code);
  }

  @Override
  public void onUpload(Upload upload) {
    if (upload.file != null) told.add(upload.name + " is " + upload.file.type);
    if (upload.failed != null) told.add(upload.name + " failed: " + upload.failed);
  }

  @Override
  public void onUnsent(PendingMessage message) {
    told.add("unsent " + message.text + ": " + message.failed);
  }
}
