package io.github.phpsessionchat;

import io.github.phpsessionchat.Answers.Created;
import io.github.phpsessionchat.Answers.Found;
import io.github.phpsessionchat.Answers.Invited;
import io.github.phpsessionchat.Answers.Members;
import io.github.phpsessionchat.Answers.Page;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TimeZone;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import okhttp3.CookieJar;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import org.json.JSONArray;
import org.json.JSONObject;
import org.jspecify.annotations.Nullable;

/**
 * The chat of one user: the connection to a chat server, the rooms, and the messages of those rooms that are open.
 *
 * <p>All methods may be called on any thread, and return at once. The result of a request comes to its
 * {@link Callback}, everything else to the {@link ChatListener}; both are called on the executor that the app has given,
 * on Android that of its main looper. Connecting, and coming back when the network, the server or the session has
 * changed, is done without the app.
 */
public final class Chat {
  /** The version of the wire protocol ({@code docs/protocol.md}) that this library speaks. */
  public static final int PROTOCOL = 1;

  private static final SecureRandom RANDOM = new SecureRandom();

  private final Loop loop = new Loop();
  private final Callbacks callbacks;
  private final ChatListener listener;
  private final Outbox outbox;
  private final Connection connection;
  private final Tasks tasks;
  private final Rooms rooms;
  private final RoomSync sync;
  private final Typing typing;
  private final ReadMarks marks;
  private final Blocks blocks;
  private final FileAddresses addresses;
  private final Uploads uploads;

  /** Which rooms the app shows, and whether one was a member when one was there last. */
  private final Map<String, Boolean> opened = new LinkedHashMap<>();
  /** Callbacks that wait for a room to be open. */
  private final Map<String, List<Callback<RoomSummary>>> opening = new HashMap<>();
  /** Rooms whose change the listener has yet to get. */
  private final Set<String> changedRooms = new LinkedHashSet<>();

  private boolean listChanged;
  private boolean tellingSoon;
  /** The last user, and what the app showed when that session ended: the same user goes on there. */
  private @Nullable String lastUser;

  private Map<String, Boolean> lastOpened = Collections.emptyMap();
  /** Somebody was, since a session has ended last: what is open belongs to that user, not to whoever comes next. */
  private boolean letIn;
  private @Nullable Delivery delivery;
  private volatile boolean closed;

  // The last state that the listener got, for all threads.
  private volatile ConnectionState state = ConnectionState.of(ConnectionState.Kind.STOPPED);
  private volatile @Nullable Identity me;
  private volatile List<RoomSummary> roomList = Collections.emptyList();
  private final Map<String, List<Entry>> messages = new ConcurrentHashMap<>();

  private Chat(Builder builder) {
    callbacks = new Callbacks(builder.executor);
    listener = builder.listener;
    outbox = builder.outbox;
    connection = new Connection(loop, builder.server, builder.http, builder.session, new Connected());
    tasks = new Tasks(loop, connection);
    rooms = new Rooms(tasks, new Listed());
    sync = new RoomSync(connection, tasks, new Synced());
    typing = new Typing(loop, connection, (room, users) -> tellOfUser(() -> listener.onTyping(room, users)));
    marks = new ReadMarks(loop, connection, rooms.byId);
    blocks = new Blocks(tasks, this::blocksChanged);
    addresses = new FileAddresses(builder.server, builder.origin, builder.session);
    uploads = new Uploads(loop, addresses, builder.http, new Uploading());
  }

  /**
   * @param server the address of the chat server, such as {@code https://www.example.org/chat/}
   * @param executor where all callbacks are called; it has to call them one after the other. While
   *     it does not, the client reads no more from the server
   * @param listener is told everything that is not the answer to a request
   * @return a chat in the making
   */
  public static Builder builder(String server, Executor executor, ChatListener listener) {
    return new Builder(server, executor, listener);
  }

  /** Makes a chat. */
  public static final class Builder {
    private final HttpUrl server;
    private final Executor executor;
    private final ChatListener listener;
    private @Nullable OkHttpClient http;
    private @Nullable SessionId session;
    private Outbox outbox = new MemoryOutbox();
    private @Nullable String origin;

    private Builder(String server, Executor executor, ChatListener listener) {
      this.server = HttpUrl.get(Objects.requireNonNull(server, "server"));
      this.executor = Objects.requireNonNull(executor, "executor");
      this.listener = Objects.requireNonNull(listener, "listener");
    }

    /**
     * @param http whose cookies tell the chat server who one is: the client with which the app talks to the site. The
     *     cookie is taken from its jar for each request, so a renewed one counts at once
     * @return this builder
     */
    public Builder http(OkHttpClient http) {
      this.http = Objects.requireNonNull(http, "http");
      return this;
    }

    /**
     * @param session tells who one is in place of a cookie. It works over WebSocket alone
     * @return this builder
     */
    public Builder session(SessionId session) {
      this.session = Objects.requireNonNull(session, "session");
      return this;
    }

    /**
     * @param outbox keeps what is not sent yet; without it a {@link MemoryOutbox} does
     * @return this builder
     */
    public Builder outbox(Outbox outbox) {
      this.outbox = Objects.requireNonNull(outbox, "outbox");
      return this;
    }

    /**
     * @param site the address of the site, or its origin, as {@code CHAT_ORIGINS} of the server names it. Needed for files
     *     to be sent where the chat server has a host of its own, which is not named there
     * @return this builder
     */
    public Builder origin(String site) {
      origin = FileAddresses.originOf(HttpUrl.get(Objects.requireNonNull(site, "site")));
      return this;
    }

    /** @return the chat, which {@link Chat#start} connects */
    public Chat build() {
      boolean cookies = http != null && http.cookieJar() != CookieJar.NO_COOKIES;
      if (!cookies && session == null) throw new IllegalStateException("needs http() with a cookie jar, or session()");
      if (http == null) http = new OkHttpClient();
      return new Chat(this);
    }
  }

  // The connection

  /**
   * Connects, and stays connected. Also after a new login, when the session had ended: rooms that were opened meanwhile
   * are for whoever has logged in, and those of before are open again if it is the same user. On Android: {@code
   * onStart}.
   */
  public void start() {
    run(connection::start);
  }

  /**
   * Disconnects. It keeps what is known, and {@link #start} goes on there. On Android: {@code onStop}. The
   * outbox is sent when it goes on; an upload that is under way comes to its end.
   */
  public void stop() {
    run(connection::stop);
  }

  /** Somebody looks at the app again, or the network is back: does not wait for the next attempt. */
  public void wake() {
    run(connection::wake);
  }

  /**
   * Disconnects for good, and ends the chat's thread. Nothing can be done with this chat any more: {@link #start} does
   * nothing, a request fails with {@code offline}.
   */
  public void close() {
    run(
        () -> {
          closed = true;
          connection.stop();
          for (String room : new ArrayList<>(opening.keySet())) giveUp(room, new ChatError(ChatError.OFFLINE));
          if (delivery != null) delivery.close();
          marks.stop();
          uploads.clear();
          // The last word of the connection is under way.
          loop.later(2000, loop::end);
        });
  }

  /** @return how it stands with the connection */
  public ConnectionState state() {
    return state;
  }

  /** @return who one is; null before the first connection and after the end of the session */
  public @Nullable Identity me() {
    return me;
  }

  /** @return one's own rooms, the newest message first; then public ones that one may join, by name */
  public List<RoomSummary> rooms() {
    return roomList;
  }

  /**
   * @param room the id of an open room
   * @return its messages, then those that wait to be sent
   */
  public List<Entry> messages(String room) {
    Objects.requireNonNull(room, "room");
    List<Entry> entries = messages.get(room);
    return entries == null ? Collections.<Entry>emptyList() : entries;
  }

  /** @return files that are on their way, or there and in no message yet, in the order of the calls */
  public List<Upload> uploads() {
    return uploads.list();
  }

  // Rooms that are shown

  /** @param room the id of a room that is shown from now on, see {@link #openRoom(String, Callback)} */
  public void openRoom(String room) {
    openRoom(room, null);
  }

  /**
   * Shows a room: {@link ChatListener#onMessages} tells its messages from now on, over all connections, until
   * {@link #closeRoom}. A user who opens a public room becomes a member. Open the rooms that are shown, and no others:
   * what goes on in the rest is told by {@link ChatListener#onRooms}.
   *
   * @param room the id of a room, listed or not
   * @param callback called when the room is there, at the latest with the next connection; {@code offline} if it is
   *     closed, or the session ends, before; may be null
   */
  public void openRoom(String room, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    if (closed && callback != null) tell(() -> callback.failed(new ChatError(ChatError.OFFLINE)));
    run(
        () -> {
          if (!opened.containsKey(room)) opened.put(room, false);
          Room known = rooms.byId.get(room);
          if (known != null) known.keptUnread = false;
          if (known != null && known.open && known.joined) {
            if (callback != null) answer(callback, blocks.shown(known.summary));
            changed(known);
            return;
          }
          if (callback != null) {
            if (!opening.containsKey(room)) opening.put(room, new ArrayList<>());
            opening.get(room).add(callback);
          }
          if (connection.ready()) enter(room);
        });
  }

  /**
   * Reads a room without joining it: a user who looks at a public room does not become a member. No
   * later event of it comes; {@link #openRoom} joins it.
   *
   * @param room the id of a room
   * @param cursor {@link Page#next} of the page before; null: the newest messages
   * @param callback a page of its messages, the oldest first; the next page is older
   */
  public void lookAtRoom(String room, @Nullable String cursor, @Nullable Callback<Page<Message>> callback) {
    Objects.requireNonNull(room, "room");
    Long before = cursor == null ? null : Long.valueOf(cursor);
    ask(
        "message:history",
        Wire.payload("room", room, "before", before),
        data -> Wire.historyPage(data, json -> blocks.shown(Wire.message(json))),
        callback);
  }

  /** @param room the id of a room that is not shown any more; one stays a member */
  public void closeRoom(String room) {
    Objects.requireNonNull(room, "room");
    run(
        () -> {
          opened.remove(room);
          giveUp(room, new ChatError(ChatError.OFFLINE));
          messages.remove(room);
          Room known = rooms.byId.get(room);
          if (known == null) return;
          known.open = false;
          known.timeline.toEnd();
          known.timeline.trim();
          tidy();
        });
  }

  /** @param room the id of an open room whose older messages are to be listed as well */
  public void loadOlder(String room) {
    Objects.requireNonNull(room, "room");
    withRoom(room, sync::older);
  }

  /** @param room the id of an open room, whose newer messages are to be listed where the list does not reach the end */
  public void loadNewer(String room) {
    Objects.requireNonNull(room, "room");
    withRoom(room, sync::newer);
  }

  /**
   * Lists a message and those around it, in place of the newest: one that was found or is quoted.
   *
   * @param room the id of an open room
   * @param seq of the message
   */
  public void jumpTo(String room, long seq) {
    Objects.requireNonNull(room, "room");
    withRoom(room, known -> sync.reach(known, seq));
  }

  /** @param room the id of an open room whose newest messages are to be listed again */
  public void jumpToEnd(String room) {
    Objects.requireNonNull(room, "room");
    withRoom(
        room,
        known -> {
          known.timeline.toEnd();
          changed(known);
        });
  }

  /** @param room the id of an open room whose newest message is in sight: all in it counts as read, on all devices */
  public void markRead(String room) {
    Objects.requireNonNull(room, "room");
    withRoom(
        room,
        known -> {
          // A user at the end needs no more than a list to scroll through.
          known.timeline.trim();
          if (!known.readUpTo(known.summary.lastSeq)) return;
          listChanged();
          marks.changed();
        });
  }

  /**
   * Marks a message and all after it as unread, on all devices of the user. In an open room they stay so, whatever
   * {@link #markRead} is called for, until {@link #openRoom} is called again, the user writes there, or reads there on
   * another device.
   *
   * @param room the id of a room, open or not
   * @param seq of the first message that is to be unread
   * @param callback the room
   */
  public void markUnread(String room, long seq, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    // From now on, not from the answer on: what is read meanwhile would undo it.
    run(() -> keepUnread(room, true));
    ask(
        "read:mark",
        Wire.payload("room", room, "seq", seq - 1, "unread", true),
        this::unread,
        new Callback<RoomSummary>() {
          @Override
          public void done(RoomSummary now) {
            if (callback != null) callback.done(now);
          }

          @Override
          public void failed(ChatError error) {
            run(() -> keepUnread(room, false));
            if (callback != null) callback.failed(error);
          }
        });
  }

  private void keepUnread(String id, boolean keep) {
    Room room = rooms.byId.get(id);
    if (room == null) return;
    room.keptUnread = keep;
    marks.changed();
  }

  /** @param room the id of an open room in which something was typed; call it for each change of the text */
  public void typed(String room) {
    Objects.requireNonNull(room, "room");
    withRoom(room, known -> typing.typed(room));
  }

  /** The text was left or deleted: others no longer see that one types. Sending says so by itself. */
  public void stoppedTyping() {
    run(typing::stop);
  }

  // Messages

  /**
   * @param room the id of a room
   * @param text what is written
   * @return see {@link #send(String, String, long)}
   */
  public String send(String room, String text) {
    return send(room, text, 0);
  }

  /**
   * Takes a message over into the outbox, and sends it until the server has stored it; in the order of the calls. It is
   * listed at once. If the server refuses it, or it cannot be kept ({@code not_kept}), or it is not known whose message it
   * is ({@code offline}: before the first connection, and after the end of a session), {@link ChatListener#onUnsent} is
   * told.
   *
   * @param room the id of a room, open or not
   * @param text 1 to {@link Identity#textLimit} characters
   * @param replyTo the {@code seq} of the message that it answers; 0: none
   * @return its {@code clientId}
   */
  public String send(String room, String text, long replyTo) {
    return send(room, NewMessage.of(text).replyTo(replyTo));
  }

  /**
   * As {@link #send(String, String, long)}, with mentions and files. It waits for its files, and later messages overtake
   * it meanwhile. If a file cannot be sent, or the process ends before it is there, the message is refused ({@code
   * not_uploaded}): {@link #retry} then sends again what there is a source of, and leaves the rest out.
   *
   * @param room the id of a room, open or not
   * @param message what is to be sent
   * @return its {@code clientId}
   */
  public String send(String room, NewMessage message) {
    Objects.requireNonNull(room, "room");
    NewMessage written = Objects.requireNonNull(message, "message").copy();
    String clientId = newClientId();
    boolean wellFormed = isWellFormed(written.text);
    for (String alt : written.files.values()) wellFormed &= alt == null || isWellFormed(alt);
    // Half a surrogate pair cannot be sent: on its way it would become a question mark.
    if (!wellFormed) refuse(clientId, room, written, "bad_request");
    else if (closed) refuse(clientId, room, written, ChatError.OFFLINE);
    else {
      loop.run(
          () -> {
            if (delivery == null || closed) {
              refuse(clientId, room, written, ChatError.OFFLINE);
              return;
            }
            typing.stop();
            Room known = rooms.byId.get(room);
            if (known != null) known.timeline.toEnd();
            delivery.add(clientId, room, written);
          });
    }
    return clientId;
  }

  private void refuse(String clientId, String room, NewMessage message, String code) {
    PendingMessage unsent =
        new PendingMessage(
            clientId,
            room,
            message.text,
            System.currentTimeMillis(),
            message.replyTo,
            new ArrayList<>(message.mentions),
            Collections.<PendingFile>emptyList(),
            message.withoutPreview,
            code);
    tell(() -> listener.onUnsent(unsent));
  }

  /** @param clientId of a message that was refused, and that is to be sent again */
  public void retry(String clientId) {
    Objects.requireNonNull(clientId, "clientId");
    run(
        () -> {
          if (delivery != null) delivery.retry(clientId);
        });
  }

  /** @param clientId of a message that waits or was refused, and is to be forgotten */
  public void discard(String clientId) {
    Objects.requireNonNull(clientId, "clientId");
    run(
        () -> {
          if (delivery != null) delivery.discard(clientId);
        });
  }

  /**
   * @param message one's own, as it was seen
   * @param text the new text
   * @param callback {@code conflict} if the text has changed meanwhile: {@link ChatError#current} has it
   */
  public void edit(Message message, String text, @Nullable Callback<Message> callback) {
    edit(message, MessageEdit.of(text), callback);
  }

  /**
   * @param message one's own, as it was seen
   * @param edit what it is to be
   * @param callback {@code conflict} if the text has changed meanwhile: {@link ChatError#current} has it; {@link
   *     ChatError#HELD} if the edit waits for a moderator: the message stays as it is until then
   */
  public void edit(Message message, MessageEdit edit, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(edit, "edit");
    JSONArray files = null;
    if (edit.files != null) {
      files = new JSONArray();
      for (ChatFile file : edit.files) files.put(Wire.payload("id", file.id, "alt", file.alt));
    }
    JSONObject payload =
        Wire.payload(
            "room", message.room,
            "seq", message.seq,
            "rev", message.rev,
            "text", edit.text,
            "mentions", Wire.mentions(edit.mentions),
            "files", files);
    Wire.Reader<@Nullable Message> edited = data -> data.has("held") ? null : acknowledged(data);
    Callback<@Nullable Message> answered =
        new Callback<@Nullable Message>() {
          @Override
          public void done(@Nullable Message now) {
            if (callback == null) return;
            if (now == null) callback.failed(new ChatError(ChatError.HELD));
            else callback.done(now);
          }

          @Override
          public void failed(ChatError error) {
            if (callback != null) callback.failed(error);
          }
        };
    ask("message:edit", payload, edited, answered);
  }

  /**
   * @param message one's own, or another's with the right {@link RoomSummary.Right#MODERATE}
   * @param reason told to its author; null: none
   * @param callback the message without its text
   */
  public void delete(Message message, @Nullable String reason, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    JSONObject payload = Wire.payload("room", message.room, "seq", message.seq, "reason", reason);
    ask("message:delete", payload, this::acknowledged, callback);
  }

  /**
   * @param search what to search for, in one's own rooms or in one room
   * @param cursor {@link Page#next} of the page before; null: the first
   * @param callback the newest first; a page may be empty although there is more
   */
  public void search(Search search, @Nullable String cursor, @Nullable Callback<Page<Message>> callback) {
    Objects.requireNonNull(search, "search");
    JSONObject payload =
        Wire.payload(
            "query", search.text,
            "room", search.room,
            "from", search.from,
            "has", search.has == null ? null : Wire.name(search.has),
            "sentFrom", search.sentFrom,
            "sentBefore", search.sentBefore,
            "cursor", cursor);
    ask("message:search", payload, data -> Wire.page(data, "messages", Wire::message), callback);
  }

  /**
   * @param room the id of a room
   * @param content pictures, other files, or links
   * @param cursor {@link Page#next} of the page before; null: the first
   * @param callback the messages of that room that have them, the newest first
   */
  public void files(
      String room, Message.Content content, @Nullable String cursor, @Nullable Callback<Page<Message>> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(content, "content");
    Long before = cursor == null ? null : Long.valueOf(cursor);
    JSONObject payload = Wire.payload("room", room, "what", Wire.name(content), "before", before);
    ask("room:files", payload, Wire::filesPage, callback);
  }

  // Files

  /**
   * Begins to send a file to the server, two at a time; {@link ChatListener#onUpload} tells how far it is. An upload that breaks is
   * sent again, over the next connection if there is none. A message has it by {@link NewMessage#file}; one that is in no
   * message after {@code CHAT_FILES_ORPHANS} is deleted there. An upload under way is forgotten with the process, and when
   * another user comes.
   *
   * @param room the id of the room
   * @param file with at most {@link Identity#fileLimit} bytes
   * @return the key of the {@link Upload}
   */
  public String upload(String room, NewFile file) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(file, "file");
    String key = newClientId();
    if (closed) refuse(key, room, file);
    else {
      loop.run(
          () -> {
            if (me == null || closed) refuse(key, room, file);
            else uploads.add(key, room, file, me.refusalOf(file));
          });
    }
    return key;
  }

  private void refuse(String key, String room, NewFile file) {
    Upload refused = new Upload(key, room, file.name, file.size, 0, null, ChatError.OFFLINE);
    tell(() -> listener.onUpload(refused));
  }

  /** @param upload the key of one that has failed, and is to be tried again */
  public void retryUpload(String upload) {
    Objects.requireNonNull(upload, "upload");
    run(
        () -> {
          Upload known = uploads.get(upload);
          if (known != null && known.failed != null) uploads.retry(upload);
        });
  }

  /** @param upload the key of one that is not to be sent any more; a message that waits for it is refused */
  public void cancelUpload(String upload) {
    Objects.requireNonNull(upload, "upload");
    run(
        () -> {
          uploads.cancel(upload);
          if (delivery != null) delivery.uploadGone(upload);
        });
  }

  /**
   * A request for a file, for the {@link Builder#http} client (its cookies say who asks) or a library that loads pictures
   * with that client. A user who may not read the message gets a 404. Its type and name are chosen by others: show pictures, and
   * hand all else to the user as a download.
   *
   * @param file of a message
   * @return a request, for this session
   */
  public Request fileRequest(ChatFile file) {
    return addresses.download(Objects.requireNonNull(file, "file"), false);
  }

  /**
   * The same for a smaller picture, of at most 1,280 pixels on each side, as WebP.
   *
   * @param file of a message, with a {@link ChatFile#image}
   * @return a request, for this session
   */
  public Request previewRequest(ChatFile file) {
    return addresses.download(Objects.requireNonNull(file, "file"), true);
  }

  // Rooms

  /**
   * @param own one's own, the newest message first; else public ones of which one is no member, by name
   * @param query a part of the name; null: all
   * @param cursor {@link Page#next} of the page before; null: the first
   * @param callback the rooms
   */
  public void listRooms(
      boolean own, @Nullable String query, @Nullable String cursor, @Nullable Callback<Page<RoomSummary>> callback) {
    JSONObject payload = Wire.payload("member", own, "query", query, "cursor", cursor);
    ask("room:list", payload, data -> Wire.page(data, "rooms", Wire::room), callback);
  }

  /**
   * @param room what is to be created
   * @param callback the room, which is not opened by itself
   */
  public void createRoom(NewRoom room, @Nullable Callback<Created> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload =
        Wire.payload(
            "name", room.name,
            "topic", room.topic,
            "kind", Wire.name(room.kind),
            "members", room.members.isEmpty() ? null : new JSONArray(room.members),
            "clientId", room.clientId);
    ask("room:create", payload, data -> new Created(putRoom(data), Wire.failed(data)), callback);
  }

  /**
   * @param room the id of a room
   * @param change what is to be different, with the right {@link RoomSummary.Right#UPDATE}
   * @param callback the room
   */
  public void updateRoom(String room, RoomChange change, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload =
        Wire.payload(
            "room", room,
            "name", change.name,
            "topic", change.topic,
            "write", change.write == null ? null : Wire.name(change.write),
            "slow", change.slow,
            "previews", change.previews,
            "seen", change.seen);
    ask("room:update", payload, this::putRoom, callback);
  }

  /**
   * @param room the id of a room that is to be deleted with all that is in it
   * @param callback no answer
   */
  public void deleteRoom(String room, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room);
    ask("room:delete", payload, data -> removed(room, new Removal(RemovalReason.DELETED, false)), callback);
  }

  /**
   * @param room the id of a room of which one is to be no member any more
   * @param callback no answer
   */
  public void leaveRoom(String room, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    Identity self = me;
    JSONObject payload = Wire.payload("room", room, "user", self == null ? "" : self.user.id);
    ask("room:remove", payload, data -> removed(room, new Removal(RemovalReason.LEFT, isPublic(room))), callback);
  }

  /**
   * @param room the id of a room
   * @param user the id of somebody who is to leave it
   * @param callback no answer
   */
  public void removeMember(String room, String user, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(user, "user");
    ask("room:remove", Wire.payload("room", room, "user", user), data -> null, callback);
  }

  /**
   * @param room the id of a private room
   * @param users ids of 1 to 100 users
   * @param callback who was added, and who was not
   */
  public void invite(String room, List<String> users, @Nullable Callback<Invited> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(users, "users");
    JSONObject payload = Wire.payload("room", room, "users", new JSONArray(users));
    ask("room:invite", payload, data -> new Invited(Wire.texts(data, "added"), Wire.failed(data)), callback);
  }

  /**
   * Makes a link by which people become members of a room, with the right {@link RoomSummary.Right#INVITE}.
   *
   * @param room the id of a private room
   * @param seconds for how long it works; 0: without an end
   * @param uses how many people it lets in; 0: any number
   * @param callback the link, with its token
   */
  public void createInvite(String room, long seconds, int uses, @Nullable Callback<Invite> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room, "seconds", seconds, "uses", uses);
    ask(
        "invite:create",
        payload,
        data -> Wire.invite(Wire.object(data, "invite"), Wire.text(data, "token")),
        callback);
  }

  /**
   * @param room the id of a private room
   * @param callback the user's own links, for moderators all of the room; the newest first
   */
  public void invites(String room, @Nullable Callback<List<Invite>> callback) {
    Objects.requireNonNull(room, "room");
    ask(
        "invite:list",
        Wire.payload("room", room),
        data -> Wire.list(data, "invites", json -> Wire.invite(json, null)),
        callback);
  }

  /**
   * @param room the id of a private room
   * @param id {@link Invite#id} of the link that is to let in nobody any more
   * @param callback no answer
   */
  public void revokeInvite(String room, String id, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(id, "id");
    ask("invite:revoke", Wire.payload("room", room, "id", id), data -> null, callback);
  }

  /**
   * @param token {@link ChatLink#token}
   * @param callback the room to which the link leads; fails with {@code unknown_invite} if it does not let the user in
   */
  public void lookAtInvite(String token, @Nullable Callback<InvitedRoom> callback) {
    Objects.requireNonNull(token, "token");
    ask("invite:look", Wire.payload("token", token), Wire::invitedRoom, callback);
  }

  /**
   * Makes the user a member, when the user has asked for that.
   *
   * @param token {@link ChatLink#token}
   * @param callback the room; fails with {@code unknown_invite} if the link does not let the user in
   */
  public void acceptInvite(String token, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(token, "token");
    ask("invite:accept", Wire.payload("token", token), this::putRoom, callback);
  }

  /**
   * @param room the id of a room
   * @param user the id of a member
   * @param role {@link RoomSummary.Role#OWNER} hands the room over
   * @param callback no answer
   */
  public void setRole(String room, String user, RoomSummary.Role role, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(user, "user");
    Objects.requireNonNull(role, "role");
    ask("room:role", Wire.payload("room", room, "user", user, "role", Wire.name(role)), data -> null, callback);
  }

  /**
   * @param room the id of a room
   * @param query how a name or an id begins; null: all
   * @param present those who are connected; null: all
   * @param cursor {@link Page#next} of the page before; null: the first
   * @param callback the members, by name
   */
  public void members(
      String room,
      @Nullable String query,
      @Nullable Boolean present,
      @Nullable String cursor,
      @Nullable Callback<Members> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room, "query", query, "present", present, "cursor", cursor);
    ask(
        "room:members",
        payload,
        data ->
            new Members(Wire.list(data, "members", Wire::member), Wire.text(data, "next"), Wire.count(data, "count")),
        callback);
  }

  /**
   * @param room the id of a room
   * @param notify what one wants to be told of
   * @param callback the room
   */
  public void setNotify(String room, RoomSummary.Notify notify, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(notify, "notify");
    ask("room:notify", Wire.payload("room", room, "notify", Wire.name(notify)), this::putRoom, callback);
  }

  /**
   * @param room the id of a direct room
   * @param on whether one wants previews of links there: they begin when the other one does, too
   * @param callback the room
   */
  public void setPreviews(String room, boolean on, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    ask("room:previews", Wire.payload("room", room, "previews", on ? "on" : "off"), this::putRoom, callback);
  }

  // Reactions

  /**
   * Gives a reaction, or takes it back. It is listed when the server has stored it.
   *
   * @param message as it was seen
   * @param emoji one emoji
   * @param on whether it is given
   * @param callback the message; {@code limit_reached} if it has as many different ones as one may have
   */
  public void react(Message message, String emoji, boolean on, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(emoji, "emoji");
    JSONObject payload = Wire.payload("room", message.room, "seq", message.seq, "emoji", emoji, "on", on);
    ask("message:react", payload, this::acknowledged, callback);
  }

  /**
   * @param message as it was seen
   * @param emoji one of its {@link Message#reactions}
   * @param cursor {@link Page#next} of the page before; null: the first
   * @param callback whom it is from, by time
   */
  public void reactions(
      Message message, String emoji, @Nullable String cursor, @Nullable Callback<Page<User>> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(emoji, "emoji");
    JSONObject payload = Wire.payload("room", message.room, "seq", message.seq, "emoji", emoji, "cursor", cursor);
    ask("message:reactions", payload, data -> Wire.page(data, "users", Wire::user), callback);
  }

  /**
   * Sends a copy of a message with its files.
   *
   * @param message one that the user may read
   * @param room the id of the room that gets the copy, of which the user is a member
   * @param clientId an id that the app makes for this copy: the same one again, after a failure, is the same copy
   * @param callback the copy; {@code unknown_message} if the message is gone
   */
  public void forward(Message message, String room, String clientId, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(clientId, "clientId");
    JSONObject from = Wire.payload("room", message.room, "seq", message.seq);
    ask("message:forward", Wire.payload("room", room, "from", from, "clientId", clientId), this::acknowledged, callback);
  }

  /**
   * @param message an own message in a room of at most 50 members that is not direct
   * @param callback the members who have seen it, as far as one may know that; later ones by {@link
   *     ChatListener#onSeenBy}, in an open room
   */
  public void seenBy(Message message, @Nullable Callback<Answers.SeenBy> callback) {
    Objects.requireNonNull(message, "message");
    ask("message:seen", Wire.payload("room", message.room, "seq", message.seq), Wire::seenBy, callback);
  }

  // Threads

  /**
   * @param room the id of a room
   * @param thread the {@code seq} of any message of the thread
   * @param before of the replies before this {@code seq}; 0: of the last ones
   * @param callback a page of the thread; {@code unknown_message} if nothing of it is left
   */
  public void replies(String room, long thread, long before, @Nullable Callback<RepliesPage> callback) {
    Objects.requireNonNull(room, "room");
    ask(
        "thread:get",
        Wire.payload("room", room, "thread", thread, "before", before == 0 ? null : before),
        data ->
            new RepliesPage(
                blocks.shown(Wire.message(Wire.object(data, "root"))),
                Wire.replies(Wire.object(data, "thread")),
                data.optBoolean("following"),
                Wire.list(data, "messages", json -> blocks.shown(Wire.message(json))),
                data.optBoolean("complete")),
        callback);
  }

  /**
   * Follows a thread, or no longer does. Its replies then count like mentions. A user also follows a thread by replying, and
   * by having written its first message, unless the user has unfollowed it before.
   *
   * @param room the id of a room of the user's
   * @param thread the {@code seq} of any message of the thread
   * @param following whether the user is to follow it
   * @param callback no answer; {@code limit_reached} if as many follow it as may
   */
  public void follow(String room, long thread, boolean following, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    ask("thread:follow", Wire.payload("room", room, "thread", thread, "following", following), data -> null, callback);
  }

  // Pinned messages

  /**
   * @param message as it was seen, in a room that is open and where one has the right {@link RoomSummary.Right#PIN}
   * @param pinned whether it is to be pinned
   * @param callback no answer; {@code limit_reached} if the room has as many as one may have
   */
  public void pin(Message message, boolean pinned, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(message, "message");
    JSONObject payload = Wire.payload("room", message.room, "seq", message.seq);
    ask(pinned ? "message:pin" : "message:unpin", payload, data -> null, callback);
  }

  /**
   * @param room the id of a room
   * @param callback its pinned messages, the one that was pinned last first
   */
  public void pinned(String room, @Nullable Callback<List<PinnedMessage>> callback) {
    Objects.requireNonNull(room, "room");
    ask("room:pins", Wire.payload("room", room), data -> Wire.list(data, "pins", Wire::pinned), callback);
  }

  /**
   * Removes the page of its link for everybody.
   *
   * @param message one's own, or where one has the right {@link RoomSummary.Right#MODERATE}; in a room that is open
   * @param callback no answer
   */
  public void removePreview(Message message, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(message, "message");
    ask("message:unpreview", Wire.payload("room", message.room, "seq", message.seq), data -> null, callback);
  }

  // People

  /**
   * @param room the id of a room that one may read
   * @param user the id of somebody there, or one's own
   * @param callback what one may know of that user
   */
  public void about(String room, String user, @Nullable Callback<Presence> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(user, "user");
    ask("user:about", Wire.payload("room", room, "user", user), Wire::presence, callback);
  }

  /**
   * @param hidden whether nobody learns from now on when one was last here, and what one has seen in rooms
   * @param callback no answer
   */
  public void hide(boolean hidden, @Nullable Callback<@Nullable Void> callback) {
    ask("user:hide", Wire.payload("hidden", hidden), data -> null, callback);
  }

  // Notices while the user is away

  /**
   * Has this app pushed to by Firebase Cloud Messaging, as the user who is logged in now. An app calls it after each
   * connection, and when its token has changed: {@code docs/android.md} shows it.
   *
   * @param token the registration token of the app
   * @param name what the device is called in the list of the user's devices; null: nothing
   * @param callback its id, for {@link #removeDevice}; {@code forbidden} if the site has no such pushes
   */
  public void registerDevice(String token, @Nullable String name, @Nullable Callback<String> callback) {
    Objects.requireNonNull(token, "token");
    ask("device:register", Wire.payload("token", token, "name", name), data -> data.optString("id"), callback);
  }

  /**
   * Ends the pushes to a device, such as to this one before a logout.
   *
   * @param id of one of the user's own devices
   * @param callback no answer
   */
  public void removeDevice(String id, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(id, "id");
    ask("device:remove", Wire.payload("id", id), data -> null, callback);
  }

  /** @param callback the user's own devices that get pushes, the last one registered first */
  public void devices(@Nullable Callback<List<Device>> callback) {
    ask("device:list", new JSONObject(), data -> Wire.list(data, "devices", Wire::device), callback);
  }

  /** @param callback how the user is notified; {@code forbidden} where nobody is */
  public void notices(@Nullable Callback<Notices> callback) {
    ask("notify:get", new JSONObject(), Wire::notices, callback);
  }

  /**
   * @param change what is to be different
   * @param callback the settings afterwards; {@code forbidden} where nobody is notified
   */
  public void setNotices(NoticesChange change, @Nullable Callback<Notices> callback) {
    Objects.requireNonNull(change, "change");
    // A copy: the app may go on to change it.
    ask("notify:set", new JSONObject(change.payload.toString()), Wire::notices, callback);
  }

  /**
   * The user has touched the app: for two minutes no device is pushed to. Call it for a touch or a key while the chat is
   * in sight, once in 30 s at most; messages, edits and reactions count by themselves.
   */
  public void active() {
    String zone = TimeZone.getDefault().getID();
    Locale locale = Locale.getDefault();
    String language = locale.getLanguage().isEmpty() ? null : locale.getLanguage();
    String country = locale.getCountry().isEmpty() ? "" : "-" + locale.getCountry();
    // Java has zones that others do not know, such as GMT+02:00, for which the server would refuse it all.
    JSONObject payload =
        Wire.payload("zone", zone.contains("/") ? zone : null, "lang", language == null ? null : language + country);
    ask("client:active", payload, data -> null, null);
  }

  // Order among people

  /**
   * Reports a message to the moderators; its author is not told.
   *
   * @param message of somebody else
   * @param reason what is wrong with it
   * @param text up to 500 characters; null: nothing
   * @param callback no answer
   */
  public void report(
      Message message, Report.Reason reason, @Nullable String text, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(reason, "reason");
    JSONObject payload =
        Wire.payload("room", message.room, "seq", message.seq, "reason", Wire.name(reason), "text", text);
    ask("message:report", payload, data -> null, callback);
  }

  /**
   * @param cursor {@link Page#next} of the page before; null: the first
   * @param callback the open reports, the newest first, of the rooms where one has the right {@link
   *     RoomSummary.Right#MODERATE}; for a moderator or admin of the site those of all rooms
   */
  public void reports(@Nullable String cursor, @Nullable Callback<Page<Report>> callback) {
    ask("report:list", Wire.payload("cursor", cursor), data -> Wire.page(data, "reports", Wire::report), callback);
  }

  /**
   * Closes a report, and does what it says. If somebody has closed it before, nothing happens.
   *
   * @param report as it was seen
   * @param done deletes the message, or mutes or bans its author
   * @param seconds how long the author is muted or banned; 0: for good
   * @param reason up to 250 characters, which the author sees; null: none
   * @param all closes all open reports of that message
   * @param callback the closed report: {@link Report#closed} says who has closed it, and how
   */
  public void closeReport(
      Report report,
      Report.Done done,
      long seconds,
      @Nullable String reason,
      boolean all,
      @Nullable Callback<Report> callback) {
    Objects.requireNonNull(report, "report");
    Objects.requireNonNull(done, "done");
    JSONObject payload =
        Wire.payload(
            "id", report.id,
            "done", Wire.name(done),
            "seconds", seconds == 0 ? null : seconds,
            "reason", reason,
            "all", all);
    ask("report:close", payload, data -> Wire.report(Wire.object(data, "report")), callback);
  }

  /**
   * Somebody may read a room, and not write there.
   *
   * @param room the id of a room where one has the right {@link RoomSummary.Right#MODERATE}
   * @param user the id of a user, member or not
   * @param seconds up to 31,536,000; 0: for good
   * @param reason up to 250 characters, which that user sees; null: none
   * @param callback no answer
   */
  public void mute(
      String room, String user, long seconds, @Nullable String reason, @Nullable Callback<@Nullable Void> callback) {
    restrict("room:mute", room, user, seconds == 0 ? null : seconds, reason, callback);
  }

  /**
   * @param room the id of a room
   * @param user the id of a user who may write there again
   * @param callback no answer
   */
  public void unmute(String room, String user, @Nullable Callback<@Nullable Void> callback) {
    restrict("room:mute", room, user, 0L, null, callback);
  }

  /**
   * For somebody a room is there no longer.
   *
   * @param room the id of a room where one has the right {@link RoomSummary.Right#MODERATE}
   * @param user the id of a user, member or not
   * @param seconds up to 31,536,000; 0: for good
   * @param reason up to 250 characters, which that user sees; null: none
   * @param callback no answer
   */
  public void ban(
      String room, String user, long seconds, @Nullable String reason, @Nullable Callback<@Nullable Void> callback) {
    restrict("room:ban", room, user, seconds == 0 ? null : seconds, reason, callback);
  }

  /**
   * @param room the id of a room
   * @param user the id of a user for whom it is there again
   * @param callback no answer
   */
  public void unban(String room, String user, @Nullable Callback<@Nullable Void> callback) {
    restrict("room:ban", room, user, 0L, null, callback);
  }

  private void restrict(
      String how,
      String room,
      String user,
      @Nullable Long seconds,
      @Nullable String reason,
      @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(user, "user");
    JSONObject payload = Wire.payload("room", room, "user", user, "seconds", seconds, "reason", reason);
    ask(how, payload, data -> null, callback);
  }

  /**
   * @param room the id of a room where one has the right {@link RoomSummary.Right#MODERATE}
   * @param cursor {@link Page#next} of the page before; null: the first
   * @param callback who is muted there or banned, by id
   */
  public void restricted(String room, @Nullable String cursor, @Nullable Callback<Page<Restriction>> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room, "cursor", cursor);
    ask("room:restricted", payload, data -> Wire.page(data, "users", Wire::restriction), callback);
  }

  /**
   * For oneself: messages of that user are {@link Message#hidden} from now on, and no direct ones come. Nobody is told.
   *
   * @param user the id of another user
   * @param blocked false: not any more
   * @param callback no answer
   */
  public void block(String user, boolean blocked, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(user, "user");
    ask(
        "user:block",
        Wire.payload("user", user, "blocked", blocked),
        data -> {
          blocks.set(user, blocked);
          return null;
        },
        callback);
  }

  /** @param callback whom one has blocked, the last one first */
  public void blocked(@Nullable Callback<List<User>> callback) {
    ask("user:blocked", new JSONObject(), data -> Wire.list(data, "users", Wire::user), callback);
  }

  // People

  /**
   * @param user the id of another user
   * @param callback the room of the two, which is not opened by itself
   */
  public void openDirect(String user, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(user, "user");
    ask("direct:open", Wire.payload("user", user), this::putRoom, callback);
  }

  /**
   * @param query how a name, a word of it or an id begins
   * @param room the id of a room, to learn who is a member of it; null: none
   * @param callback at most 20
   */
  public void findUsers(String query, @Nullable String room, @Nullable Callback<Found> callback) {
    Objects.requireNonNull(query, "query");
    JSONObject payload = Wire.payload("query", query, "room", room);
    ask(
        "user:find",
        payload,
        data -> new Found(Wire.list(data, "users", Wire::user), Wire.texts(data, "inRoom")),
        callback);
  }

  // From the connection

  private final class Connected implements Connection.Listener {
    @Override
    public void state(ConnectionState now) {
      if (now.kind != ConnectionState.Kind.ONLINE) {
        for (Room room : rooms.byId.values()) {
          if (room.joined && room.open) changed(room);
          room.joined = false;
        }
        typing.forget();
        if (delivery != null) delivery.wake();
      }
      boolean ended = now.kind == ConnectionState.Kind.SESSION_ENDED || now.kind == ConnectionState.Kind.REFUSED;
      // Rooms opened from now on are for the next user.
      if (ended && letIn) {
        letIn = false;
        lastOpened = new LinkedHashMap<>(opened);
        opened.clear();
        for (String room : new ArrayList<>(opening.keySet())) giveUp(room, new ChatError(ChatError.OFFLINE));
      }
      state = now;
      tell(() -> listener.onState(now));
    }

    @Override
    public void ready(JSONObject ready) {
      tasks.restart();
      identity(ready);
      String user = me.user.id;
      // Rooms that another user had open are nothing to this one.
      if (user.equals(lastUser)) {
        for (Map.Entry<String, Boolean> one : lastOpened.entrySet()) opened.put(one.getKey(), one.getValue());
      }
      lastOpened = Collections.emptyMap();
      lastUser = user;
      letIn = true;
      rooms.ready(ready);
      uploads.ready(user);
      if (delivery == null) delivery = new Delivery(loop, outbox, user, new Sending());
      for (String id : new ArrayList<>(opened.keySet())) enter(id);
      delivery.wake();
      delivery.uploadsGoOn();
      compareHeld(delivery);
      deliver();
      marks.changed();
      blocks.ready();
      listChanged();
    }

    @Override
    public void hide() {
      tasks.restart();
      if (delivery != null) delivery.close();
      delivery = null;
      uploads.pause();
      typing.forget();
      marks.stop();
      rooms.clear();
      blocks.clear();
      changedRooms.clear();
      listChanged = false;
      me = null;
      roomList = Collections.emptyList();
      messages.clear();
      callbacks.forget();
      tell(listener::onHide);
    }

    @Override
    public void over(ConnectionState.Reason reason) {
      forgetUnsent(reason);
    }

    @Override
    public void event(String name, JSONObject payload) {
      Room room = rooms.byId.get(payload.optString("room"));
      switch (name) {
        case "session:changed":
          identity(payload);
          break;
        case "message:new":
        case "message:changed":
          if (room != null) heard(room, blocks.shown(Wire.message(payload)));
          break;
        case "message:reacted":
          if (room == null) break;
          room.timeline.live(Wire.reacted(payload), me.user.id);
          if (room.joined) sync.sync(room);
          changed(room);
          break;
        case "mention":
          mentioned(Wire.message(Wire.object(payload, "message")));
          break;
        case "thread:changed":
          if (room != null) replied(room, Wire.list(payload, "threads", Wire::replies));
          break;
        case "thread:followed":
          String in = payload.optString("room");
          long thread = Wire.number(payload, "thread");
          boolean following = payload.optBoolean("following");
          tellOfUser(() -> listener.onFollowed(in, thread, following));
          break;
        case "room:activity":
          activity(payload, room);
          break;
        case "room:added":
        case "room:changed":
          changed(rooms.put(Wire.room(payload)));
          listChanged();
          break;
        case "room:removed":
          removed(payload.optString("room"), Wire.removal(payload));
          break;
        case "room:reset":
          if (room == null) break;
          if (room.joined) sync.joinAnew(room);
          else room.timeline.forget();
          changed(room);
          break;
        case "members:changed":
          if (room != null) membersChanged(room, payload);
          break;
        case "presence:changed":
          if (room != null) presenceChanged(room, payload);
          break;
        case "typing:changed":
          User typist = Wire.user(Wire.object(payload, "user"));
          if (!blocks.has(typist.id)) typing.heard(payload.optString("room"), typist, payload.optBoolean("typing"));
          break;
        case "read:changed":
          if (room != null) readChanged(room, payload);
          break;
        case "seen:changed":
          String seenIn = payload.optString("room");
          long message = Wire.number(payload, "seq");
          Answers.SeenBy seen = Wire.seenBy(payload);
          tellOfUser(() -> listener.onSeenBy(seenIn, message, seen));
          break;
        case "report:changed":
          reported(Wire.report(Wire.object(payload, "report")), Wire.count(payload, "open"));
          break;
        case "held:changed":
          String is = payload.optString("is");
          boolean there = is.equals("held") || is.equals("rejected");
          if (delivery != null) delivery.decided(payload.optString("id"), there, is.equals("rejected"));
          break;
        case "blocked:changed":
          String user = payload.optString("user");
          boolean blocked = payload.optBoolean("blocked");
          if (blocks.set(user, blocked)) tellOfUser(() -> listener.onBlocked(user, blocked));
          break;
        case "push":
          tellOfUser(() -> listener.onPush(payload.optString("name"), Wire.plain(payload.opt("data"))));
          break;
        default:
          // Of a later version.
      }
    }

    @Override
    public void mark(Runnable passed) {
      callbacks.mark(passed);
    }
  }

  private void identity(JSONObject json) {
    Identity now = Wire.identity(json, me);
    me = now;
    tellOfUser(() -> listener.onIdentity(now));
  }

  private void heard(Room room, Message message) {
    boolean fresh = message.seq > room.told && !message.user.id.equals(me.user.id);
    room.timeline.live(Change.to(message), me.user.id);
    note(room, Collections.singletonList(message));
    typing.stopped(room.id(), message.user.id);
    if (fresh) {
      arrived(room, Room.preview(message), message.text);
      if (message.mentions(me.user.id)) blocks.announce(message.user.id, () -> tellOfMention(room, message));
      rooms.heard(room, message.user);
    }
    if (room.joined) sync.sync(room);
    changed(room);
  }

  private void arrived(Room room, RoomSummary.Last last, String text) {
    RoomSummary summary = room.summary;
    RoomSummary.Last whole =
        new RoomSummary.Last(
            last.seq, last.user, text, last.sentAt, last.deletedAt, last.files, last.voice, false);
    blocks.announce(last.user.id, () -> tellOfUser(() -> listener.onNewMessage(summary, whole)));
  }

  private void mentioned(Message message) {
    Room room = rooms.byId.get(message.room);
    if (room == null) {
      rooms.meet(message.room);
      return;
    }
    room.mentioned(message.seq);
    listChanged();
    tellOfMention(room, message);
  }

  private void replied(Room room, List<Replies> threads) {
    String id = room.id();
    tellOfUser(() -> listener.onReplies(id, threads));
  }

  private void tellOfMention(Room room, Message message) {
    RoomSummary summary = blocks.shown(room.summary);
    if (!room.muted()) tellOfUser(() -> listener.onMention(summary, message));
  }

  private void reported(Report report, int open) {
    Room room = rooms.byId.get(report.room);
    if (room != null) room.reports(open);
    listChanged();
    tellOfUser(() -> listener.onReport(report, open));
  }

  /** Messages of a user are hidden now, or shown again. */
  private void blocksChanged() {
    for (Room room : rooms.byId.values()) changed(room);
    listChanged();
  }

  private void activity(JSONObject activity, @Nullable Room room) {
    if (room == null) {
      rooms.meet(activity.optString("room"));
      return;
    }
    long known = room.told;
    room.activity(activity);
    rooms.moved(room);
    changed(room);
    listChanged();
    RoomSummary.Last last = room.summary.last;
    if (last == null || last.seq <= known || last.user.id.equals(me.user.id)) return;
    if (!room.muted()) arrived(room, last, last.text);
    rooms.heard(room, last.user);
  }

  private void membersChanged(Room room, JSONObject change) {
    room.members(Wire.count(change, "count"));
    List<RoomMember> changed = new ArrayList<>();
    List<User> gone = new ArrayList<>();
    for (JSONObject one : Wire.list(change, "changed", json -> json)) {
      if (one.optBoolean("gone")) gone.add(Wire.user(Wire.object(one, "user")));
      else changed.add(Wire.member(one));
    }
    boolean partial = change.optBoolean("partial");
    tellOfUser(
        () ->
            listener.onMembers(
                room.id(), Collections.unmodifiableList(changed), Collections.unmodifiableList(gone), partial));
    listChanged();
  }

  private void presenceChanged(Room room, JSONObject change) {
    if (room.presence(Wire.list(change, "joined", Wire::user), Wire.texts(change, "left"), Wire.count(change, "count"))) {
      tellPresent(room);
    }
    if (room.summary.with != null) listChanged();
  }

  private void tellPresent(Room room) {
    List<User> users = room.present;
    int count = room.presentCount;
    if (room.open) callbacks.tellNewest("present " + room.id(), () -> listener.onPresent(room.id(), users, count));
  }

  private void readChanged(Room room, JSONObject read) {
    long seq = Wire.number(read, "seq");
    if (read.optString("user").equals(me.user.id)) {
      if (read.has("mentions")) {
        unread(room, seq, Wire.number(read, "mentions"));
        return;
      }
      room.keptUnread = false;
      room.readUpTo(seq);
      room.marked = Math.max(room.marked, seq);
      if (room.summary.mentions > 0) countMentions(room);
      listChanged();
    } else {
      tellOfUser(() -> listener.onReadByOther(room.id(), seq));
    }
  }

  /** Some of it was read on another device: only the server knows how many mentions are left. */
  private void countMentions(Room room) {
    tasks.once(
        "count mentions in " + room.id(),
        new Tasks.Task("read:mark") {
          private long upTo;

          @Override
          JSONObject payload() {
            upTo = room.summary.readSeq;
            return Wire.payload("room", room.id(), "seq", 0);
          }

          @Override
          void answered(JSONObject data) {
            room.mentions(Wire.number(Wire.object(data, "room"), "mentions"));
            listChanged();
            if (room.summary.readSeq > upTo) countMentions(room);
          }
        });
  }

  // From the rooms

  private final class Listed implements Rooms.Port {
    @Override
    public void removed(Room room, RoomSummary before, Removal removal) {
      room.joined = false;
      room.open = false;
      opened.remove(room.id());
      giveUp(room.id(), new ChatError("unknown_room"));
      messages.remove(room.id());
      typing.forget(room.id());
      if (delivery != null) delivery.refuse(room.id(), "unknown_room");
      tellOfUser(() -> listener.onRoomRemoved(before, removal));
      listChanged();
    }

    @Override
    public void changed() {
      listChanged();
    }
  }

  private final class Synced implements RoomSync.Port {
    @Override
    public void arrived(Room room, List<Message> messages) {
      note(room, messages);
    }

    @Override
    public void replies(Room room, List<Replies> threads) {
      replied(room, threads);
    }

    @Override
    public void joined(Room room) {
      if (room.open) {
        opened.put(room.id(), true);
        tellPresent(room);
      }
      List<Callback<RoomSummary>> waiting = opening.remove(room.id());
      if (waiting != null) for (Callback<RoomSummary> callback : waiting) answer(callback, blocks.shown(room.summary));
      if (delivery != null) delivery.drain(room.id());
      tidy();
      Chat.this.changed(room);
      listChanged();
    }

    @Override
    public void gone(Room room) {
      rooms.removed(room.id(), new Removal(RemovalReason.UNKNOWN, false));
    }

    @Override
    public void changed(Room room) {
      Chat.this.changed(room);
    }
  }

  private final class Sending implements Delivery.Port {
    @Override
    public boolean canSend(String room) {
      Room known = rooms.byId.get(room);
      return connection.ready() && known != null && known.joined;
    }

    @Override
    public void send(PendingMessage item, Reply reply) {
      JSONArray files = new JSONArray();
      for (PendingFile one : item.files) files.put(Wire.payload("id", one.file.id, "alt", one.alt));
      JSONObject payload =
          Wire.payload(
              "room", item.room,
              "text", item.text,
              "clientId", item.clientId,
              "replyTo", item.replyTo == 0 ? null : item.replyTo,
              "mentions", Wire.mentions(item.mentions),
              "files", item.files.isEmpty() ? null : files,
              "preview", item.withoutPreview ? false : null);
      connection.request(
          "message:send",
          payload,
          new Reply() {
            @Override
            public void ok(JSONObject data) {
              reply.ok(data);
            }

            @Override
            public void failed(ChatError error) {
              Room known = rooms.byId.get(item.room);
              if (known != null && error.code.equals("not_joined")) {
                known.joined = false;
                sync.join(known);
              }
              reply.failed(error);
            }
          });
    }

    @Override
    public void sent(Message message) {
      stored(message);
    }

    @Override
    public void discardHeld(String id, Runnable discarded) {
      tasks.once(
          "discard " + id,
          new Tasks.Task("held:discard") {
            @Override
            JSONObject payload() {
              return Wire.payload("id", id);
            }

            @Override
            void answered(JSONObject data) {
              discarded.run();
            }
          });
    }

    @Override
    public void failed(PendingMessage item) {
      tellOfUser(() -> listener.onUnsent(item));
    }

    @Override
    public @Nullable Upload upload(String key) {
      return uploads.get(key);
    }

    @Override
    public void uploadAgain(String key) {
      uploads.retry(key);
    }

    @Override
    public void forgetUpload(String key) {
      uploads.cancel(key);
    }

    @Override
    public void changed(String room) {
      Room known = rooms.byId.get(room);
      if (known != null) Chat.this.changed(known);
      // A message that waits is a reason to be joined, and the one that has gone may have been the last.
      loop.run(Chat.this::deliver);
      loop.run(Chat.this::tidy);
    }

    @Override
    public void paused(@Nullable String code, long ms) {
      tellOfUser(() -> listener.onSendingPaused(code, ms));
    }
  }

  private final class Uploading implements Uploads.Port {
    @Override
    public boolean ready() {
      return connection.ready();
    }

    @Override
    public void changed(Upload upload) {
      callbacks.tellNewest("upload " + upload.key, () -> listener.onUpload(upload));
      if (delivery != null) delivery.uploaded(upload);
    }
  }

  // Actions

  /** Joins a room that the app shows. */
  private void enter(String id) {
    Room room = rooms.byId.get(id);
    if (room != null) {
      enter(room);
      return;
    }
    rooms.fetch(
        "open " + id,
        id,
        new Rooms.Found() {
          @Override
          public void found(Room found) {
            if (opened.containsKey(id)) enter(found);
          }

          @Override
          public void refused(ChatError error) {
            opened.remove(id);
            giveUp(id, error);
          }
        });
  }

  private void enter(Room room) {
    // Joining would make one a member again of a public room that one was taken out of meanwhile.
    if (Boolean.TRUE.equals(opened.get(room.id())) && !room.summary.member) {
      rooms.removed(room.id(), new Removal(RemovalReason.UNKNOWN, true));
      return;
    }
    room.open = true;
    changed(room);
    if (!room.joined) sync.join(room);
    else loop.run(() -> openedAgain(room));
  }

  private void openedAgain(Room room) {
    if (room.joined && rooms.byId.get(room.id()) == room) new Synced().joined(room);
  }

  /** Fails all calls that wait for that room. */
  private void giveUp(String id, ChatError error) {
    List<Callback<RoomSummary>> waiting = opening.remove(id);
    if (waiting != null) for (Callback<RoomSummary> one : waiting) tell(() -> one.failed(error));
  }

  /** Leaves what is no longer shown, once nothing waits to be sent there. */
  private void tidy() {
    Set<String> waiting = delivery == null ? Collections.<String>emptySet() : delivery.waiting();
    for (Room room : rooms.byId.values()) {
      if (!room.joined || room.open || waiting.contains(room.id())) continue;
      sync.leave(room);
      typing.forget(room.id());
    }
  }

  /** Sends messages that wait for a room that is not shown, too: it is joined for as long as that takes. */
  private void deliver() {
    if (!connection.ready() || delivery == null) return;
    for (String id : delivery.waiting()) {
      Room room = rooms.byId.get(id);
      if (room != null && room.joined) continue;
      if (room != null) {
        sync.join(room);
        continue;
      }
      rooms.fetch(
          "deliver to " + id,
          id,
          new Rooms.Found() {
            @Override
            public void found(Room found) {
              if (!found.joined) sync.join(found);
            }

            @Override
            public void refused(ChatError error) {
              if (delivery != null) delivery.refuse(id, error.code);
            }
          });
    }
  }

  /** Takes from a message what counts as unread, and that a message of this user has arrived. */
  private void note(Room room, List<Message> arrived) {
    if (me == null) return;
    for (Message message : arrived) {
      room.note(message, me.user);
      if (message.user.id.equals(me.user.id) && delivery != null) delivery.confirm(message);
    }
    // Somebody may have read back to the oldest of the list.
    if (room.open && room.timeline.attached()) room.timeline.trim(Timeline.KEPT_UNREAD);
    else room.timeline.trim();
    rooms.moved(room);
    changed(room);
    listChanged();
  }

  private void stored(Message message) {
    Room room = rooms.byId.get(message.room);
    if (room == null) return;
    room.timeline.stored(message);
    note(room, Collections.singletonList(message));
  }

  /** Asks what has become of messages that wait for a moderator. */
  private void compareHeld(Delivery asking) {
    Set<String> before = asking.allHeld();
    if (before.isEmpty()) return;
    tasks.once(
        "held",
        new Tasks.Task("held:list") {
          @Override
          JSONObject payload() {
            return Wire.payload("mine", true);
          }

          @Override
          void answered(JSONObject data) {
            Map<String, String> ids = new HashMap<>();
            Set<String> rejected = new HashSet<>();
            for (JSONObject one : Wire.list(data, "held", json -> json)) {
              ids.put(one.optString("clientId"), one.optString("id"));
              if (one.has("rejected")) rejected.add(one.optString("id"));
            }
            if (delivery == asking) asking.compareHeld(before, ids, rejected);
          }
        });
  }

  private Message acknowledged(JSONObject data) {
    Message message = Wire.message(Wire.object(data, "message"));
    uploads.taken(message.files);
    stored(message);
    return message;
  }

  private RoomSummary putRoom(JSONObject data) {
    Room room = rooms.put(Wire.room(Wire.object(data, "room")));
    listChanged();
    return blocks.shown(room.summary);
  }

  private RoomSummary unread(JSONObject data) {
    RoomSummary now = Wire.room(Wire.object(data, "room"));
    Room room = rooms.byId.get(now.id);
    if (room == null) return putRoom(data);
    unread(room, now.readSeq, now.mentions);
    return blocks.shown(room.summary);
  }

  private void unread(Room room, long seq, long mentions) {
    room.keptUnread = room.open;
    room.unreadAfter(seq, mentions);
    listChanged();
  }

  private @Nullable Void removed(String room, Removal removal) {
    rooms.removed(room, removal);
    return null;
  }

  private boolean isPublic(String room) {
    Room known = rooms.byId.get(room);
    return known != null && known.summary.kind == RoomSummary.Kind.PUBLIC;
  }

  /** Privacy outranks unsent text: whoever comes next to this device must not find it. */
  private void forgetUnsent(ConnectionState.Reason reason) {
    if (reason != ConnectionState.Reason.LOGOUT && reason != ConnectionState.Reason.USER_CHANGED) return;
    uploads.clear();
    try {
      outbox.keepOnly(null);
    } catch (IOException | RuntimeException e) {
      // The next user's outbox forgets it, before anything else.
    }
  }

  // Calls of the app

  private interface WithRoom {
    void run(Room room);
  }

  /** On the chat's own thread. */
  private void run(Runnable task) {
    loop.run(
        () -> {
          if (!closed) task.run();
        });
  }

  private void withRoom(String id, WithRoom task) {
    run(
        () -> {
          Room room = rooms.byId.get(id);
          if (room != null && room.open) task.run(room);
        });
  }

  private <T extends @Nullable Object> void ask(
      String name, JSONObject payload, Wire.Reader<T> reader, @Nullable Callback<T> callback) {
    // Its thread may have ended: then nothing on it would answer.
    String refused = closed ? ChatError.OFFLINE : isWellFormed(payload.toString()) ? null : "bad_request";
    if (refused != null) {
      if (callback != null) tell(() -> callback.failed(new ChatError(refused)));
      return;
    }
    loop.run(
        () ->
            connection.request(
                name,
                payload,
                new Reply() {
                  @Override
                  public void ok(JSONObject data) {
                    T answer = reader.read(data);
                    if (callback != null) answer(callback, answer);
                  }

                  @Override
                  public void failed(ChatError error) {
                    if (callback != null) tell(() -> callback.failed(error));
                  }
                }));
  }

  private <T extends @Nullable Object> void answer(Callback<T> callback, T answer) {
    tellChanges();
    tell(() -> callback.done(answer));
  }

  private void changed(Room room) {
    if (room.open) changedRooms.add(room.id());
    tellSoon();
  }

  private void listChanged() {
    listChanged = true;
    tellSoon();
  }

  /** After everything that has arrived already, and before what comes then: a hundred messages are one change. */
  private void tellSoon() {
    if (tellingSoon) return;
    tellingSoon = true;
    loop.run(
        () -> {
          tellingSoon = false;
          tellChanges();
        });
  }

  private void tellChanges() {
    if (me == null) return;
    if (listChanged) {
      listChanged = false;
      List<RoomSummary> list = new ArrayList<>();
      for (RoomSummary room : rooms.list()) list.add(blocks.shown(room));
      list = Collections.unmodifiableList(list);
      roomList = list;
      List<RoomSummary> told = list;
      callbacks.tellNewest("rooms", () -> listener.onRooms(told));
    }
    for (String id : changedRooms) {
      Room room = rooms.byId.get(id);
      if (room == null || !room.open) continue;
      Timeline timeline = room.timeline;
      List<PendingMessage> pending =
          delivery == null || !timeline.attached() ? Collections.<PendingMessage>emptyList() : delivery.list(id);
      List<Entry> entries = Entry.list(blocks.shown(timeline.list()), pending, me.user);
      boolean upToDate = room.joined && timeline.syncFrom() == Timeline.NONE;
      HistoryView view = new HistoryView(timeline.complete(), timeline.attached(), upToDate);
      messages.put(id, entries);
      callbacks.tellNewest("messages " + id, () -> listener.onMessages(id, entries, view));
    }
    changedRooms.clear();
  }

  private void tell(Runnable callback) {
    callbacks.tell(callback);
  }

  private void tellOfUser(Runnable callback) {
    callbacks.tellOfUser(callback);
  }

  /** 128 random bits. */
  static String newClientId() {
    byte[] bytes = new byte[16];
    RANDOM.nextBytes(bytes);
    StringBuilder id = new StringBuilder();
    for (byte b : bytes) id.append(String.format("%02x", b));
    return id.toString();
  }

  /** Letters, signs and marks of which nothing is seen. */
  private static final String DRAWN_AS_NOTHING =
      "\u034F\u115F\u1160\u17B4\u17B5\u180B\u180C\u180D\u180F\u2065\u2800\u3164\uFFA0"
          + "\uFE00\uFE01\uFE02\uFE03\uFE04\uFE05\uFE06\uFE07"
          + "\uFE08\uFE09\uFE0A\uFE0B\uFE0C\uFE0D\uFE0E\uFE0F"
          + "\uFFF0\uFFF1\uFFF2\uFFF3\uFFF4\uFFF5\uFFF6\uFFF7\uFFF8";

  /** As the server looks at it: there is nothing to see in it. */
  static boolean isBlank(String text) {
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      int type = Character.getType(c);
      boolean unseen =
          Character.isWhitespace(c)
              || Character.isSpaceChar(c)
              || type == Character.CONTROL
              || type == Character.FORMAT
              || DRAWN_AS_NOTHING.indexOf(c) >= 0
              || c >= 0xE0000 && c <= 0xE0FFF;
      if (!unseen) return false;
    }
    return true;
  }

  private static boolean isWellFormed(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) i++;
      else if (Character.isSurrogate(c)) return false;
    }
    return true;
  }
}
