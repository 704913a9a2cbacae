package io.github.phpsessionchat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/** Sends the messages of one user in order, and stores them until the server has acknowledged them. */
final class Delivery {
  interface Port {
    /** Whether the client is connected and has joined the room. */
    boolean canSend(String room);

    void send(UnsentMessage item, Reply reply);

    void sent(Message message);

    /**
     * Withdraws a message that is pending approval or was rejected.
     *
     * @param discarded called when the server has acknowledged that, but not if the connection ends first
     */
    void discardHeld(String id, Runnable discarded);

    void failed(UnsentMessage item);

    /** Returns null if no upload with this key exists in this process. */
    @Nullable Upload upload(String key);

    /** Uploads the file again from its source. */
    void uploadAgain(String key);

    /** Removes an upload after its message is stored or discarded. */
    void forgetUpload(String key);

    void changed(String room);

    /** Reports that sending is paused because of {@code code}, or has resumed if {@code code} is null. */
    void paused(@Nullable String code, long ms);
  }

  /** The outbox could not store the message, so it is not sent. */
  static final String NOT_KEPT = "not_kept";
  /** A file of the message is missing and is not being uploaded. */
  static final String NOT_UPLOADED = "not_uploaded";

  /** The message is pending approval, or was rejected, by a moderator. */
  static final String HELD = ChatError.HELD;
  static final String REJECTED = "rejected";
  /**
   * The user discarded a held or rejected message. The server has not acknowledged that, so it may still publish the
   * message.
   */
  static final String DISCARDED = "discarded";

  /** Errors that the same message would cause again, so only the user can retry. */
  private static final Set<String> FINAL_ERRORS =
      new HashSet<>(
          Arrays.asList(
              "forbidden",
              "too_long",
              "unknown_room",
              "unknown_message",
              "unknown_user",
              "unknown_file",
              "muted",
              "limit_reached",
              "bad_request",
              "unknown_event",
              "conflict"));

  private static final long MAX_DELAY_MS = 30_000;
  /** The key for pauses of the outbox. Room IDs have no parentheses. */
  private static final String OUTBOX_KEY = "(outbox)";

  private final Loop loop;
  private final Outbox outbox;
  private final String user;
  private final Port port;
  private final Map<String, UnsentMessage> items = new LinkedHashMap<>();

  /** The server's IDs of pending and rejected messages, by {@code clientId}. Missing until the server sends them. */
  private final Map<String, String> held = new HashMap<>();

  private final Set<String> sending = new HashSet<>();
  /** Timers of pauses after temporary errors, by room or OUTBOX_KEY. */
  private final Map<String, Future<?>> pauses = new HashMap<>();
  /**
   * Consecutive failed attempts by room or OUTBOX_KEY. While there is an entry, the app knows that sending is paused.
   */
  private final Map<String, Integer> attempts = new HashMap<>();
  /** Which calls of the outbox succeeded. Failed calls are repeated. */
  private boolean cleared;

  private boolean loaded;
  private final Set<String> pendingRemovals = new LinkedHashSet<>();
  private boolean closed;

  Delivery(Loop loop, Outbox outbox, String user, Port port) {
    this.loop = loop;
    this.outbox = outbox;
    this.user = user;
    this.port = port;
    runOutboxWork();
  }

  /** Runs the pending work of the outbox. A failure is reported once and retried with growing delays. */
  private void runOutboxWork() {
    boolean failed = false;
    try {
      if (!cleared) outbox.keepOnly(user);
      cleared = true;
    } catch (IOException | RuntimeException e) {
      failed = true;
    }
    try {
      if (!loaded) load();
      loaded = true;
    } catch (IOException | RuntimeException e) {
      // New messages can still be sent.
      failed = true;
    }
    for (String clientId : new ArrayList<>(pendingRemovals)) {
      try {
        outbox.remove(user, clientId);
        pendingRemovals.remove(clientId);
      } catch (IOException | RuntimeException e) {
        failed = true;
      }
    }
    if (failed && !pauses.containsKey(OUTBOX_KEY)) {
      pause(OUTBOX_KEY, new ChatError("storage_unavailable"), this::runOutboxWork);
    } else if (!failed) {
      endPause(OUTBOX_KEY);
    }
  }

  private void load() throws IOException {
    for (UnsentMessage item : outbox.load(user)) {
      if (items.containsKey(item.clientId) || pendingRemovals.contains(item.clientId)) continue;
      items.put(item.clientId, item);
      port.changed(item.room);
      for (UnsentFile file : item.files) {
        if (file.file != null) continue;
        Upload upload = port.upload(file.key);
        if (upload == null) failUpload(file.key);
        else handleUpload(upload);
      }
    }
    for (String room : roomsToSend()) sendNext(room);
  }

  /** Returns the messages of a room except discarded ones, oldest first. */
  List<UnsentMessage> list(String room) {
    List<UnsentMessage> list = new ArrayList<>();
    for (UnsentMessage item : items.values()) {
      if (item.room.equals(room) && !DISCARDED.equals(item.failed)) list.add(item);
    }
    Collections.sort(
        list,
        (a, b) ->
            a.writtenAt == b.writtenAt ? a.clientId.compareTo(b.clientId) : Long.compare(a.writtenAt, b.writtenAt));
    return list;
  }

  /** Returns the rooms with messages to send. */
  Set<String> roomsToSend() {
    Set<String> rooms = new LinkedHashSet<>();
    for (UnsentMessage item : items.values()) if (item.failed == null) rooms.add(item.room);
    return rooms;
  }

  void add(String clientId, String room, NewMessage message) {
    List<UnsentMessage> before = list(room);
    long last = before.isEmpty() ? 0 : before.get(before.size() - 1).writtenAt;
    // Keeps the order of messages from the same millisecond or after the clock is set back.
    long at = Math.max(System.currentTimeMillis(), last + 1);
    List<UnsentFile> files = new ArrayList<>();
    String failed = null;
    for (Map.Entry<String, String> one : message.files.entrySet()) {
      Upload upload = port.upload(one.getKey());
      if (upload == null || upload.failed != null || !upload.room.equals(room)) failed = NOT_UPLOADED;
      if (upload == null) continue;
      UnsentFile.Draft file = new UnsentFile.Draft();
      file.key = upload.key;
      file.name = upload.name;
      file.size = upload.size;
      file.alt = one.getValue();
      file.file = upload.file;
      files.add(file.done());
    }
    UnsentMessage.Draft draft = message.toUnsent(clientId, room);
    draft.writtenAt = at;
    draft.files = files;
    draft.failed = failed;
    UnsentMessage item = draft.done();
    if (put(item) && failed != null) port.failed(item);
  }

  /** Called for each change of an upload. */
  void handleUpload(Upload upload) {
    if (upload.failed != null) failUpload(upload.key);
    if (upload.file == null) return;
    for (UnsentMessage item : new ArrayList<>(items.values())) {
      List<UnsentFile> files = new ArrayList<>();
      boolean isAffected = false;
      for (UnsentFile file : item.files) {
        boolean isMatch = file.file == null && file.key.equals(upload.key);
        isAffected |= isMatch;
        files.add(isMatch ? file.as(upload.file) : file);
      }
      if (!isAffected) continue;
      UnsentMessage now = item.with(files);
      items.put(now.clientId, now);
      // If the outbox fails, the file is lost when the process ends.
      store(now);
      port.changed(now.room);
      sendNext(now.room);
    }
  }

  /** Fails the messages that wait for a cancelled or failed upload. */
  void failUpload(String key) {
    for (UnsentMessage item : new ArrayList<>(items.values())) {
      for (UnsentFile file : item.files) {
        if (item.failed == null && file.file == null && file.key.equals(key)) fail(item, NOT_UPLOADED);
      }
    }
  }

  /**
   * Sends a failed message again. It gets a new ID if a moderator rejected it, or the server stored another message
   * under the old ID. Files that no longer exist are omitted.
   */
  void retry(String clientId) {
    UnsentMessage item = items.get(clientId);
    if (item == null || item.failed == null || item.failed.equals(HELD) || item.failed.equals(DISCARDED)) return;
    boolean isFileUnknown = item.failed.equals("unknown_file");
    List<UnsentFile> files = new ArrayList<>();
    List<String> reuploads = new ArrayList<>();
    for (UnsentFile file : item.files) {
      if ((file.file == null || isFileUnknown) && port.upload(file.key) != null) {
        reuploads.add(file.key);
        files.add(file.as(null));
      } else if (file.file != null) {
        files.add(file);
      }
    }
    if (files.isEmpty() && !item.files.isEmpty() && MessageText.isBlank(item.text)) {
      discard(clientId);
      return;
    }
    boolean needsNewId = item.failed.equals("conflict") || item.failed.equals(REJECTED);
    UnsentMessage now = item.failed(null).with(files);
    boolean kept = put(needsNewId ? now.as(Chat.newClientId()) : now);
    // Discards the old message without its files, because they now belong to the new message.
    if (needsNewId && kept && isHeld(item)) discardHeld(item.with(Collections.<UnsentFile>emptyList()));
    else if (needsNewId && kept) forget(item);
    for (String key : reuploads) port.uploadAgain(key);
  }

  /**
   * Retries messages whose files could not be uploaded over the last connection, unless an upload is lost or still
   * failed.
   */
  void retryUploads() {
    for (UnsentMessage item : new ArrayList<>(items.values())) {
      boolean canRetry = NOT_UPLOADED.equals(item.failed);
      for (UnsentFile file : item.files) {
        if (file.file != null) continue;
        Upload upload = port.upload(file.key);
        canRetry &= upload != null && upload.failed == null;
      }
      if (canRetry) retry(item.clientId);
    }
  }

  void discard(String clientId) {
    UnsentMessage item = items.get(clientId);
    if (item != null && isHeld(item)) discardHeld(item);
    else remove(clientId);
  }

  /** If the ID is unknown or the connection ends first, {@link #compareHeld} repeats this after a reconnect. */
  private void discardHeld(UnsentMessage item) {
    UnsentMessage discarded = item.failed(DISCARDED);
    items.put(item.clientId, discarded);
    // If the outbox fails, the message is held again after a restart and can be discarded again.
    store(discarded);
    port.changed(item.room);
    String id = held.get(item.clientId);
    if (id != null) port.discardHeld(id, () -> remove(item.clientId));
  }

  /** Removes a message that was stored or withdrawn. */
  private void remove(String clientId) {
    held.remove(clientId);
    UnsentMessage item = items.get(clientId);
    if (item == null) return;
    for (UnsentFile file : item.files) port.forgetUpload(file.key);
    forget(item);
  }

  private void forget(UnsentMessage item) {
    items.remove(item.clientId);
    forget(item.clientId);
    port.changed(item.room);
    if (findNext(item.room) == null) endPause(item.room);
  }

  /** Removes an unsent message that was received as stored, because its acknowledgement may have been lost. */
  void confirm(Message message) {
    UnsentMessage item = items.get(message.clientId);
    if (item == null || !item.room.equals(message.room)) return;
    // A message with a different text stays. Sending it fails with `conflict`, so it is not lost silently.
    if (message.isEdited() || message.isDeleted() || item.text.equals(message.text)) remove(item.clientId);
  }

  /** Returns the {@code clientId} of each held or rejected message. */
  Set<String> allHeld() {
    Set<String> all = new HashSet<>();
    for (UnsentMessage item : items.values()) if (isHeld(item)) all.add(item.clientId);
    return all;
  }

  private static boolean isHeld(UnsentMessage item) {
    return HELD.equals(item.failed) || REJECTED.equals(item.failed) || DISCARDED.equals(item.failed);
  }

  /** Applies a moderator's decision, or the removal of a held message. */
  void applyDecision(String id, boolean exists, boolean isRejected) {
    for (Map.Entry<String, String> one : new ArrayList<>(held.entrySet())) {
      if (!one.getValue().equals(id)) continue;
      UnsentMessage item = items.get(one.getKey());
      if (!exists) remove(one.getKey());
      else if (isRejected && item != null && HELD.equals(item.failed)) fail(item, REJECTED);
    }
  }

  /**
   * Applies a {@code held:list} response.
   *
   * @param before {@link #allHeld} at the time of the request, because the response does not cover later messages
   * @param ids held and rejected messages: IDs by {@code clientId}
   * @param rejected IDs of rejected messages
   */
  void compareHeld(Set<String> before, Map<String, String> ids, Set<String> rejected) {
    for (UnsentMessage item : new ArrayList<>(items.values())) {
      if (!isHeld(item)) continue;
      String id = ids.get(item.clientId);
      if (id == null) {
        if (before.contains(item.clientId)) remove(item.clientId);
        continue;
      }
      held.put(item.clientId, id);
      if (DISCARDED.equals(item.failed)) discardHeld(item);
      else applyDecision(id, true, rejected.contains(id));
    }
  }

  /** Fails all waiting messages of a room. */
  void fail(String room, String code) {
    for (UnsentMessage item : list(room)) if (item.failed == null) fail(item, code);
    endPause(room);
  }

  /** Called when the connection starts or ends. Pauses of the previous connection no longer apply. */
  void wake() {
    for (String paused : new ArrayList<>(attempts.keySet())) if (!paused.equals(OUTBOX_KEY)) endPause(paused);
    runOutboxWork();
    for (String room : roomsToSend()) sendNext(room);
  }

  /** Stops sending. The next {@link Delivery} continues with the stored messages. */
  void close() {
    closed = true;
    for (Future<?> pause : pauses.values()) Loop.cancel(pause);
    pauses.clear();
  }

  /** Sends the next message of a room, unless sending there is paused. */
  void sendNext(String room) {
    if (closed || sending.contains(room) || pauses.containsKey(room) || !port.canSend(room)) return;
    UnsentMessage item = findNext(room);
    if (item == null) return;
    sending.add(room);
    port.send(
        item,
        new Reply() {
          @Override
          public void ok(JSONObject data) {
            sending.remove(room);
            if (closed) return;
            endPause(room);
            if (data.has("held")) {
              held.put(item.clientId, Wire.heldId(data));
              // The user discarded it while it was being sent.
              if (!items.containsKey(item.clientId)) discardHeld(item);
              else fail(item, HELD);
            } else {
              remove(item.clientId);
              port.sent(Message.fromJson(Wire.object(data, "message")));
            }
            sendNext(room);
          }

          @Override
          public void failed(ChatError error) {
            sending.remove(room);
            if (closed) return;
            if (FINAL_ERRORS.contains(error.code)) {
              endPause(room);
              fail(item, error.code);
              sendNext(room);
            } else if (port.canSend(room)) {
              pause(room, error, () -> sendNext(room));
            }
          }
        });
  }

  private void pause(String key, ChatError error, Runnable then) {
    int before = attempts.containsKey(key) ? attempts.get(key) : 0;
    attempts.put(key, before + 1);
    long backoffMs = Math.min(MAX_DELAY_MS, 1000L << Math.min(before, 5));
    long ms = error.retryAfterMs > 0 ? error.retryAfterMs : backoffMs;
    if (before == 0 || !key.equals(OUTBOX_KEY)) port.paused(error.code, ms);
    pauses.put(
        key,
        loop.later(
            ms,
            () -> {
              pauses.remove(key);
              then.run();
            }));
  }

  /** Ends a pause. After the last one, the app is notified. */
  private void endPause(String key) {
    Loop.cancel(pauses.remove(key));
    if (attempts.remove(key) != null && attempts.isEmpty()) port.paused(null, 0);
  }

  private @Nullable UnsentMessage findNext(String room) {
    for (UnsentMessage item : list(room)) if (item.failed == null && item.isWhole()) return item;
    return null;
  }

  /**
   * Stores and sends a message. If the outbox fails, the message stays in memory as failed, and the user can retry or
   * discard it.
   *
   * @return whether it was stored
   */
  private boolean put(UnsentMessage item) {
    boolean kept = store(item);
    UnsentMessage now = kept ? item : item.failed(NOT_KEPT);
    items.put(item.clientId, now);
    port.changed(item.room);
    if (kept) sendNext(item.room);
    else port.failed(now);
    return kept;
  }

  private void fail(UnsentMessage item, String code) {
    // The user discarded it while it was being sent.
    if (!items.containsKey(item.clientId)) return;
    UnsentMessage failed = item.failed(code);
    items.put(item.clientId, failed);
    // If the outbox fails, the message is sent and rejected again after a restart.
    store(failed);
    port.changed(item.room);
    port.failed(failed);
  }

  private boolean store(UnsentMessage item) {
    try {
      outbox.put(user, item);
      pendingRemovals.remove(item.clientId);
      return true;
    } catch (IOException | RuntimeException e) {
      return false;
    }
  }

  private void forget(String clientId) {
    pendingRemovals.add(clientId);
    runOutboxWork();
  }
}
