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

/** The messages of one user on their way: kept until the server has acknowledged them, and sent in order. */
final class Delivery {
  interface Port {
    /** Connected, and the room joined. */
    boolean canSend(String room);

    void send(PendingMessage item, Reply reply);

    void sent(Message message);

    /**
     * Discards a message that waits for a moderator, or was rejected.
     *
     * @param discarded called when the server has acknowledged that; not if the connection ends before
     */
    void discardHeld(String id, Runnable discarded);

    void failed(PendingMessage item);

    /** Null: nobody sends that file any more, in this process. */
    @Nullable Upload upload(String key);

    /** Once more, from its source. */
    void uploadAgain(String key);

    /** No message needs it any more. */
    void forgetUpload(String key);

    void changed(String room);

    /** Messages wait, for the reason {@code code}; null: none waits any more. */
    void paused(@Nullable String code, long ms);
  }

  /** There is no room for a message where it would be kept: it is not sent. */
  static final String NOT_KEPT = "not_kept";
  /** A file of a message is not there, and nobody sends it any more. */
  static final String NOT_UPLOADED = "not_uploaded";

  /** A message waits for a moderator, or one has rejected it. */
  static final String HELD = ChatError.HELD;
  static final String REJECTED = "rejected";
  /** The user has discarded such a message, and the server, which may still publish it, has yet to acknowledge that. */
  static final String DISCARDED = "discarded";

  /** The same message again would be refused again: only the user can decide. */
  private static final Set<String> FINAL =
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

  private static final long LONGEST_PAUSE_MS = 30_000;
  /** In place of a room's id, which has no such characters. */
  private static final String OUTBOX = "(outbox)";

  private final Loop loop;
  private final Outbox outbox;
  private final String user;
  private final Port port;
  /** By {@code clientId}. */
  private final Map<String, PendingMessage> items = new LinkedHashMap<>();

  /** The ids of messages that wait for a moderator, or were rejected, by {@code clientId}, as far as the server has said them. */
  private final Map<String, String> held = new HashMap<>();

  private final Set<String> sending = new HashSet<>();
  /** Where a refusal that passes has paused sending: by room, or OUTBOX. */
  private final Map<String, Future<?>> pauses = new HashMap<>();
  /** How often in a row; as long as there is one, the app knows that something waits. */
  private final Map<String, Integer> tries = new HashMap<>();
  /** The work that the outbox could not do yet. */
  private boolean cleared;

  private boolean loaded;
  private final Set<String> forgotten = new LinkedHashSet<>();
  private boolean closed;

  Delivery(Loop loop, Outbox outbox, String user, Port port) {
    this.loop = loop;
    this.outbox = outbox;
    this.user = user;
    this.port = port;
    settle();
  }

  /** Changes that the outbox has yet to keep. The listener learns of them once; they are tried again with growing pauses. */
  private void settle() {
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
      // Messages written from now on are sent all the same.
      failed = true;
    }
    for (String clientId : new ArrayList<>(forgotten)) {
      try {
        outbox.remove(user, clientId);
        forgotten.remove(clientId);
      } catch (IOException | RuntimeException e) {
        failed = true;
      }
    }
    if (failed && !pauses.containsKey(OUTBOX)) pause(OUTBOX, new ChatError("storage_unavailable"), this::settle);
    else if (!failed) goesOn(OUTBOX);
  }

  private void load() throws IOException {
    for (PendingMessage item : outbox.load(user)) {
      if (items.containsKey(item.clientId) || forgotten.contains(item.clientId)) continue;
      items.put(item.clientId, item);
      port.changed(item.room);
      for (PendingFile file : item.files) {
        if (file.file != null) continue;
        Upload upload = port.upload(file.key);
        if (upload == null) uploadGone(file.key);
        else uploaded(upload);
      }
    }
    for (String room : waiting()) drain(room);
  }

  /** Oldest first. */
  List<PendingMessage> list(String room) {
    List<PendingMessage> list = new ArrayList<>();
    for (PendingMessage item : items.values()) {
      if (item.room.equals(room) && !DISCARDED.equals(item.failed)) list.add(item);
    }
    Collections.sort(
        list,
        (a, b) ->
            a.writtenAt == b.writtenAt ? a.clientId.compareTo(b.clientId) : Long.compare(a.writtenAt, b.writtenAt));
    return list;
  }

  /** Rooms into which something waits to be sent. */
  Set<String> waiting() {
    Set<String> rooms = new LinkedHashSet<>();
    for (PendingMessage item : items.values()) if (item.failed == null) rooms.add(item.room);
    return rooms;
  }

  void add(String clientId, String room, NewMessage message) {
    List<PendingMessage> before = list(room);
    long last = before.isEmpty() ? 0 : before.get(before.size() - 1).writtenAt;
    // Two messages of the same millisecond, or a clock set back, keep their order.
    long at = Math.max(System.currentTimeMillis(), last + 1);
    List<PendingFile> files = new ArrayList<>();
    String failed = null;
    for (Map.Entry<String, String> one : message.files.entrySet()) {
      Upload upload = port.upload(one.getKey());
      if (upload == null || upload.failed != null || !upload.room.equals(room)) failed = NOT_UPLOADED;
      if (upload == null) continue;
      PendingFile file = new PendingFile(upload.key, upload.name, upload.size, one.getValue(), null);
      files.add(upload.file == null ? file : file.as(upload.file));
    }
    List<Mention> mentions = new ArrayList<>(message.mentions);
    PendingMessage item =
        new PendingMessage(
            clientId, room, message.text, at, message.replyTo, mentions, files, message.withoutPreview, failed);
    if (put(item) && failed != null) port.failed(item);
  }

  /** A file has come to its end, the one or the other. */
  void uploaded(Upload upload) {
    if (upload.failed != null) uploadGone(upload.key);
    if (upload.file == null) return;
    for (PendingMessage item : new ArrayList<>(items.values())) {
      List<PendingFile> files = new ArrayList<>();
      boolean mine = false;
      for (PendingFile file : item.files) {
        boolean same = file.file == null && file.key.equals(upload.key);
        mine |= same;
        files.add(same ? file.as(upload.file) : file);
      }
      if (!mine) continue;
      PendingMessage now = item.with(files);
      items.put(now.clientId, now);
      // Where that cannot be kept, it is known until the process ends.
      keep(now);
      port.changed(now.room);
      drain(now.room);
    }
  }

  /** Nobody sends that file any more. */
  void uploadGone(String key) {
    for (PendingMessage item : new ArrayList<>(items.values())) {
      for (PendingFile file : item.files) {
        if (item.failed == null && file.file == null && file.key.equals(key)) refuse(item, NOT_UPLOADED);
      }
    }
  }

  /**
   * A refused message again, as it is or, where its id was already used for another text, as a new one. Files of which
   * there is nothing any more are left out.
   */
  void retry(String clientId) {
    PendingMessage item = items.get(clientId);
    if (item == null || item.failed == null || item.failed.equals(HELD) || item.failed.equals(DISCARDED)) return;
    boolean unknown = item.failed.equals("unknown_file");
    List<PendingFile> files = new ArrayList<>();
    List<String> again = new ArrayList<>();
    for (PendingFile file : item.files) {
      if ((file.file == null || unknown) && port.upload(file.key) != null) {
        again.add(file.key);
        files.add(file.as(null));
      } else if (file.file != null) {
        files.add(file);
      }
    }
    if (files.isEmpty() && !item.files.isEmpty() && Chat.isBlank(item.text)) {
      discard(clientId);
      return;
    }
    boolean used = item.failed.equals("conflict") || item.failed.equals(REJECTED);
    PendingMessage now = item.failed(null).with(files);
    boolean kept = put(used ? now.as(Chat.newClientId()) : now);
    // The new one has its files.
    if (used && kept && isHeld(item)) discardHeld(item.with(Collections.<PendingFile>emptyList()));
    else if (used && kept) forget(item);
    for (String key : again) port.uploadAgain(key);
  }

  /** Files that could not be sent over the connection before are sent now; what cannot go as a whole is left to the user. */
  void uploadsGoOn() {
    for (PendingMessage item : new ArrayList<>(items.values())) {
      boolean goesOn = NOT_UPLOADED.equals(item.failed);
      for (PendingFile file : item.files) {
        if (file.file != null) continue;
        Upload upload = port.upload(file.key);
        goesOn &= upload != null && upload.failed == null;
      }
      if (goesOn) retry(item.clientId);
    }
  }

  /** The user does not want it any more. */
  void discard(String clientId) {
    PendingMessage item = items.get(clientId);
    if (item != null && isHeld(item)) discardHeld(item);
    else done(clientId);
  }

  /** Where the connection ends before the acknowledgement, or the id is not known, {@link #compareHeld} goes on with it. */
  private void discardHeld(PendingMessage item) {
    PendingMessage discarded = item.failed(DISCARDED);
    items.put(item.clientId, discarded);
    // Where that cannot be kept, it waits again after the next start, and can be discarded again.
    keep(discarded);
    port.changed(item.room);
    String id = held.get(item.clientId);
    if (id != null) port.discardHeld(id, () -> done(item.clientId));
  }

  /** It is stored, or gone. */
  private void done(String clientId) {
    held.remove(clientId);
    PendingMessage item = items.get(clientId);
    if (item == null) return;
    for (PendingFile file : item.files) port.forgetUpload(file.key);
    forget(item);
  }

  private void forget(PendingMessage item) {
    items.remove(item.clientId);
    forget(item.clientId);
    port.changed(item.room);
    if (next(item.room) == null) goesOn(item.room);
  }

  /** A message of one's own was seen stored: its acknowledgement may have been lost. */
  void confirm(Message message) {
    PendingMessage item = items.get(message.clientId);
    // Other words under the same id: the server answers `conflict` when they are sent, so nothing is lost silently.
    if (item == null || !item.room.equals(message.room)) return;
    if (message.isEdited() || message.isDeleted() || item.text.equals(message.text)) done(item.clientId);
  }

  /** The {@code clientId} of each message that waits for a moderator, or was rejected. */
  Set<String> allHeld() {
    Set<String> all = new HashSet<>();
    for (PendingMessage item : items.values()) if (isHeld(item)) all.add(item.clientId);
    return all;
  }

  private static boolean isHeld(PendingMessage item) {
    return HELD.equals(item.failed) || REJECTED.equals(item.failed) || DISCARDED.equals(item.failed);
  }

  /** The server says what has become of a message that waits. */
  void decided(String id, boolean isThere, boolean isRejected) {
    for (Map.Entry<String, String> one : new ArrayList<>(held.entrySet())) {
      if (!one.getValue().equals(id)) continue;
      PendingMessage item = items.get(one.getKey());
      if (!isThere) done(one.getKey());
      else if (isRejected && item != null && HELD.equals(item.failed)) refuse(item, REJECTED);
    }
  }

  /**
   * @param before {@link #allHeld} when the server was asked: its answer says nothing about later ones
   * @param ids of the messages that wait and those that were rejected, by {@code clientId}
   * @param rejected the ids of the rejected ones
   */
  void compareHeld(Set<String> before, Map<String, String> ids, Set<String> rejected) {
    for (PendingMessage item : new ArrayList<>(items.values())) {
      if (!isHeld(item)) continue;
      String id = ids.get(item.clientId);
      if (id == null) {
        if (before.contains(item.clientId)) done(item.clientId);
        continue;
      }
      held.put(item.clientId, id);
      if (DISCARDED.equals(item.failed)) discardHeld(item);
      else decided(id, true, rejected.contains(id));
    }
  }

  /** Nothing more can be sent to that room. */
  void refuse(String room, String code) {
    for (PendingMessage item : list(room)) if (item.failed == null) refuse(item, code);
    goesOn(room);
  }

  /** Another connection, or none any more: no refusal of the one before counts. */
  void wake() {
    for (String paused : new ArrayList<>(tries.keySet())) if (!paused.equals(OUTBOX)) goesOn(paused);
    settle();
    for (String room : waiting()) drain(room);
  }

  /** Sends no more: the session may be over, and another one goes on with what is kept. */
  void close() {
    closed = true;
    for (Future<?> pause : pauses.values()) Loop.cancel(pause);
    pauses.clear();
  }

  /** Sends what waits in that room, unless that is paused. */
  void drain(String room) {
    if (closed || sending.contains(room) || pauses.containsKey(room) || !port.canSend(room)) return;
    PendingMessage item = next(room);
    if (item == null) return;
    sending.add(room);
    port.send(
        item,
        new Reply() {
          @Override
          public void ok(JSONObject data) {
            sending.remove(room);
            if (closed) return;
            goesOn(room);
            if (data.has("held")) {
              held.put(item.clientId, Wire.heldId(data));
              // Discarded meanwhile.
              if (!items.containsKey(item.clientId)) discardHeld(item);
              else refuse(item, HELD);
            } else {
              done(item.clientId);
              port.sent(Wire.message(Wire.object(data, "message")));
            }
            drain(room);
          }

          @Override
          public void failed(ChatError error) {
            sending.remove(room);
            if (closed) return;
            if (FINAL.contains(error.code)) {
              goesOn(room);
              refuse(item, error.code);
              drain(room);
            } else if (port.canSend(room)) {
              pause(room, error, () -> drain(room));
            }
          }
        });
  }

  private void pause(String what, ChatError error, Runnable then) {
    int before = tries.containsKey(what) ? tries.get(what) : 0;
    tries.put(what, before + 1);
    long growing = Math.min(LONGEST_PAUSE_MS, 1000L << Math.min(before, 5));
    long ms = error.retryAfterMs > 0 ? error.retryAfterMs : growing;
    if (before == 0 || !what.equals(OUTBOX)) port.paused(error.code, ms);
    pauses.put(
        what,
        loop.later(
            ms,
            () -> {
              pauses.remove(what);
              then.run();
            }));
  }

  /** The listener learns that nothing waits any more when the last pause ends. */
  private void goesOn(String what) {
    Loop.cancel(pauses.remove(what));
    if (tries.remove(what) != null && tries.isEmpty()) port.paused(null, 0);
  }

  private @Nullable PendingMessage next(String room) {
    for (PendingMessage item : list(room)) if (item.failed == null && item.isWhole()) return item;
    return null;
  }

  /** False: it is kept in memory alone, as refused, for the user to send again or discard. */
  private boolean put(PendingMessage item) {
    boolean kept = keep(item);
    PendingMessage now = kept ? item : item.failed(NOT_KEPT);
    items.put(item.clientId, now);
    port.changed(item.room);
    if (kept) drain(item.room);
    else port.failed(now);
    return kept;
  }

  private void refuse(PendingMessage item, String code) {
    // Discarded meanwhile.
    if (!items.containsKey(item.clientId)) return;
    PendingMessage failed = item.failed(code);
    items.put(item.clientId, failed);
    // Where that cannot be kept, it is sent again after the next start, and refused again.
    keep(failed);
    port.changed(item.room);
    port.failed(failed);
  }

  private boolean keep(PendingMessage item) {
    try {
      outbox.put(user, item);
      forgotten.remove(item.clientId);
      return true;
    } catch (IOException | RuntimeException e) {
      return false;
    }
  }

  private void forget(String clientId) {
    forgotten.add(clientId);
    settle();
  }
}
