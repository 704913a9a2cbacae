package io.github.phpsessionchat;

import io.github.phpsessionchat.Answers.Created;
import io.github.phpsessionchat.Answers.Found;
import io.github.phpsessionchat.Answers.Invited;
import io.github.phpsessionchat.Answers.Members;
import io.github.phpsessionchat.Answers.Page;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collection;
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
 * The chat of one user: the connection to a chat server, the rooms, and the messages of open rooms.
 *
 * <p>All methods can be called on any thread and return immediately. Results of requests go to their {@link Callback},
 * everything else to the {@link ChatListener}. Both run on the app's executor; on Android, use the main looper. The
 * client reconnects after a network or server failure, and after a change of the session ID.
 */
public final class Chat implements AutoCloseable {
  /** The version of the wire protocol that this library speaks ({@code docs/protocol.md}). */
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

  /** Rooms that the app shows, and whether each has been joined since it was opened. */
  private final Map<String, Boolean> openRooms = new LinkedHashMap<>();
  /** Callbacks waiting for a room to open. */
  private final Map<String, List<Callback<RoomSummary>>> pendingOpens = new HashMap<>();
  /** Open rooms with changes that are not reported yet. */
  private final Set<String> changedRooms = new LinkedHashSet<>();

  private boolean listChanged;
  /** Whether the last reported list of rooms was up to date. */
  private boolean roomListUpToDate;
  private boolean isReportScheduled;
  /** The last user, and the rooms open when the user's session ended. They open again for the same user. */
  private @Nullable String lastUser;

  private Map<String, Boolean> lastOpenRooms = Collections.emptyMap();
  /** Whether a user has logged in since the last session ended. If so, the open rooms belong to that user. */
  private boolean hasUser;
  private @Nullable Delivery delivery;
  private volatile boolean closed;

  // The last reported state, readable from all threads.
  private volatile ConnectionState state = ConnectionState.of(ConnectionState.Kind.STOPPED);
  private volatile @Nullable Identity me;
  private volatile List<RoomSummary> roomList = Collections.emptyList();
  private final Map<String, List<Entry>> messages = new ConcurrentHashMap<>();

  private Chat(Builder builder) {
    callbacks = new Callbacks(builder.executor);
    listener = builder.listener;
    outbox = builder.outbox;
    connection =
        new Connection(
            loop,
            builder.server,
            builder.http,
            builder.session,
            builder.tickets,
            builder.guest,
            new ConnectionEvents());
    tasks = new Tasks(loop, connection);
    rooms = new Rooms(tasks, new RoomEvents());
    sync = new RoomSync(connection, tasks, new SyncEvents());
    typing = new Typing(loop, connection, (room, users) -> postForUser(() -> listener.onTyping(room, users)));
    marks = new ReadMarks(loop, connection, rooms.byId);
    blocks = new Blocks(tasks, this::blocksChanged);
    addresses = addresses(builder, connection);
    uploads = new Uploads(loop, addresses, builder.http, new UploadPort());
  }

  private static FileAddresses addresses(Builder builder, Connection connection) {
    if (builder.tickets != null)
      return new FileAddresses(builder.server, builder.origin, "Ticket", connection::ticket, null);
    SessionId session = builder.session;
    return new FileAddresses(
        builder.server,
        builder.origin,
        "Session",
        session == null ? null : session::current,
        builder.guest == null ? null : connection::fileAccess);
  }

  /**
   * Creates a builder.
   *
   * @param server the address of the chat server, such as {@code https://www.example.org/chat/}
   * @param executor runs all callbacks; must run them one at a time. While it is busy, the client soon stops reading
   *     from the server
   * @param listener receives events
   * @return a builder
   */
  public static Builder builder(String server, Executor executor, ChatListener listener) {
    return new Builder(server, executor, listener);
  }

  /** Builds a chat. */
  public static final class Builder {
    private final HttpUrl server;
    private final Executor executor;
    private final ChatListener listener;
    private @Nullable OkHttpClient http;
    private @Nullable SessionId session;
    private @Nullable TicketSource tickets;
    private @Nullable Map<String, String> guest;
    private Outbox outbox = new MemoryOutbox();
    private @Nullable String origin;

    private Builder(String server, Executor executor, ChatListener listener) {
      this.server = HttpUrl.get(Objects.requireNonNull(server, "server"));
      this.executor = Objects.requireNonNull(executor, "executor");
      this.listener = Objects.requireNonNull(listener, "listener");
    }

    /**
     * Sets the client whose cookies identify the user: the client that the app uses for the site. Each HTTP request
     * reads the cookie from its jar.
     *
     * @param http a client with a cookie jar
     * @return this builder
     */
    public Builder http(OkHttpClient http) {
      this.http = Objects.requireNonNull(http, "http");
      return this;
    }

    /**
     * Identifies the user by session ID instead of a cookie. This works over WebSocket only.
     *
     * @param session provides the ID
     * @return this builder
     */
    public Builder session(SessionId session) {
      this.session = Objects.requireNonNull(session, "session");
      return this;
    }

    /**
     * Identifies the user by tickets of the site instead of a cookie or session ID. This works over WebSocket only.
     *
     * @param source provides the tickets
     * @return this builder
     */
    public Builder tickets(TicketSource source) {
      tickets = Objects.requireNonNull(source, "source");
      return this;
    }

    /**
     * Connects as a guest if the user is not logged in. This works over WebSocket only, and not together with a session
     * ID or tickets.
     *
     * @param secret 32 random bytes in base64url without padding, which the app creates once and stores. Anyone who has
     *     them can use the chat as this guest
     * @param name the name that the user chose; empty if guests only read
     * @return this builder
     */
    public Builder guest(String secret, String name) {
      Map<String, String> auth = new HashMap<>();
      auth.put("guest", Objects.requireNonNull(secret, "secret"));
      auth.put("name", Objects.requireNonNull(name, "name"));
      guest = auth;
      return this;
    }

    /**
     * Sets where unsent messages are stored, by default in a {@link MemoryOutbox}.
     *
     * @param outbox the storage
     * @return this builder
     */
    public Builder outbox(Outbox outbox) {
      this.outbox = Objects.requireNonNull(outbox, "outbox");
      return this;
    }

    /**
     * Sets the origin to send with uploads. The default is the chat server's origin. Required if the chat server has
     * its own host that {@code CHAT_ORIGINS} does not list.
     *
     * @param site the address or origin of the site, as listed in {@code CHAT_ORIGINS}
     * @return this builder
     */
    public Builder origin(String site) {
      origin = FileAddresses.originOf(HttpUrl.get(Objects.requireNonNull(site, "site")));
      return this;
    }

    /**
     * Builds the chat. It does not connect until {@link Chat#start}.
     *
     * @return the chat
     * @throws IllegalStateException without a client with a cookie jar, session, tickets or guest, or if a guest is
     *     combined with a session or tickets
     */
    public Chat build() {
      boolean cookies = http != null && http.cookieJar() != CookieJar.NO_COOKIES;
      if (!cookies && session == null && tickets == null && guest == null) {
        throw new IllegalStateException(
            "call http() with a client that has a cookie jar, session(), tickets() or guest()");
      }
      if (guest != null && (session != null || tickets != null)) {
        throw new IllegalStateException("call guest() without session() and tickets()");
      }
      if (http == null) http = new OkHttpClient();
      return new Chat(this);
    }
  }

  // Connection

  /**
   * Lists the rooms of an earlier process, and lets their user write in them before the first connection. Messages wait
   * in the outbox. If another user logs in, the rooms and messages are deleted. Does nothing after the first connection
   * or the end of the session.
   *
   * @param copy the rooms
   */
  public void restore(OfflineCopy copy) {
    Objects.requireNonNull(copy, "copy");
    run(
        () -> {
          boolean isEnded = state.kind == ConnectionState.Kind.SESSION_ENDED || state.kind == ConnectionState.Kind.REFUSED;
          if (me != null || lastUser != null || isEnded) return;
          me = copy.me;
          lastUser = copy.me.user.id;
          hasUser = true;
          rooms.restore(copy.rooms);
          delivery = new Delivery(loop, outbox, lastUser, new DeliveryPort());
          for (String room : openRooms.keySet()) showOffline(room);
          listChanged();
        });
  }

  /**
   * Connects and stays connected. On Android, call it in {@code onStart}. Call it again after the user logs in again.
   * Rooms opened since the end of the session then open for the new user. Rooms opened earlier open again only for the
   * same user.
   */
  public void start() {
    run(connection::start);
  }

  /**
   * Disconnects. On Android, call it in {@code onStop}. Rooms and messages stay in memory for {@link #start}, and
   * uploads in progress continue. Unsent messages wait for the next connection.
   */
  public void stop() {
    run(connection::stop);
  }

  /**
   * Disconnects, and deletes the user's unsent messages, uploads, rooms and messages from this device. Call it when the
   * user logs out in the app. Then delete the login, such as the cookie, and call {@link #start}.
   */
  public void forgetUser() {
    run(
        () -> {
          connection.forgetUser();
          for (String room : new ArrayList<>(pendingOpens.keySet())) failOpening(room, new ChatError(ChatError.OFFLINE));
          openRooms.clear();
          lastOpenRooms = Collections.emptyMap();
          lastUser = null;
          hasUser = false;
          clearUnsent();
        });
  }

  /**
   * Checks the connection, or reconnects at once. Call it when the app returns to the foreground or the network is
   * back.
   */
  public void wake() {
    run(connection::wake);
  }

  /**
   * Disconnects permanently and ends the chat's thread. Afterwards {@link #start} does nothing and requests fail with
   * {@code offline}.
   */
  @Override
  public void close() {
    run(
        () -> {
          closed = true;
          connection.stop();
          for (String room : new ArrayList<>(pendingOpens.keySet())) failOpening(room, new ChatError(ChatError.OFFLINE));
          if (delivery != null) delivery.close();
          marks.stop();
          uploads.clear();
          // Leaves time for the last packets of the connection.
          loop.later(2000, loop::end);
        });
  }

  /**
   * Returns the connection state.
   *
   * @return the last reported state
   */
  public ConnectionState state() {
    return state;
  }

  /**
   * Returns the logged-in user.
   *
   * @return the user; null before the first connection or {@link #restore}, and after {@link ChatListener#onHide} until
   *     the next connection
   */
  public @Nullable Identity me() {
    return me;
  }

  /**
   * Returns all known rooms.
   *
   * @return the user's rooms, newest message first, then public rooms to join, by name
   */
  public List<RoomSummary> rooms() {
    return roomList;
  }

  /**
   * Returns the messages of an open room.
   *
   * @param room the room ID
   * @return the stored messages in order, then the unsent messages
   */
  public List<Entry> messages(String room) {
    Objects.requireNonNull(room, "room");
    List<Entry> entries = messages.get(room);
    return entries == null ? Collections.<Entry>emptyList() : entries;
  }

  /**
   * Returns uploads that are in progress, failed, or not yet part of a message.
   *
   * @return the uploads, in the order in which they were added
   */
  public List<Upload> uploads() {
    return uploads.list();
  }

  // Open rooms

  /**
   * Loads the current state of a room without joining it, also of a room that is not listed. {@link #rooms} may be older
   * while the list is not up to date.
   *
   * @param room the room ID
   * @param callback gets the room; fails with {@code unknown_room} if the user may not read it
   */
  public void loadRoom(String room, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    // With `seq` 0 this moves no marker, and it requires only the right to read.
    sendRequest("read:mark", Wire.payload("room", room, "seq", 0), this::putRoom, callback);
  }

  /**
   * Opens a room, see {@link #openRoom(String, Callback)}.
   *
   * @param room the room ID
   */
  public void openRoom(String room) {
    openRoom(room, null);
  }

  /**
   * Opens a room: {@link ChatListener#onMessages} reports its messages until {@link #closeRoom}, also after a
   * reconnect. The user joins a public room. Open only the rooms on screen, since {@link ChatListener#onRooms} covers
   * the others.
   *
   * @param room the room ID, listed or not
   * @param callback gets the room once it is joined, which may need the next connection; {@code offline} if the room is
   *     closed or the session ends before; may be null
   */
  public void openRoom(String room, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    if (closed) {
      failOffline(callback);
      return;
    }
    loop.run(
        () -> {
          if (closed) {
            failOffline(callback);
            return;
          }
          if (!openRooms.containsKey(room)) openRooms.put(room, false);
          Room existing = rooms.byId.get(room);
          if (existing != null) existing.isKeptUnread = false;
          if (existing != null && existing.open && existing.joined) {
            if (callback != null) answer(callback, blocks.apply(existing.summary));
            changed(existing);
            return;
          }
          if (callback != null) {
            if (!pendingOpens.containsKey(room)) pendingOpens.put(room, new ArrayList<>());
            pendingOpens.get(room).add(callback);
          }
          if (connection.ready()) enter(room);
          else showOffline(room);
        });
  }

  /** Reports the messages of a known room, at least the unsent ones, until a connection joins it. */
  private void showOffline(String id) {
    Room room = rooms.byId.get(id);
    if (room == null) return;
    room.open = true;
    changed(room);
  }

  private void failOffline(@Nullable Callback<RoomSummary> callback) {
    if (callback != null) post(() -> callback.failed(new ChatError(ChatError.OFFLINE)));
  }

  /**
   * Reads a room without joining it. Later events of the room are not reported; {@link #openRoom} joins it.
   *
   * @param room the room ID
   * @param cursor {@link Page#next} of the previous page; null: the newest messages
   * @param callback gets a page of messages, oldest first; the next page is older
   */
  public void lookAtRoom(String room, @Nullable String cursor, @Nullable Callback<Page<Message>> callback) {
    Objects.requireNonNull(room, "room");
    Long before = cursor == null ? null : Long.valueOf(cursor);
    sendRequest(
        "message:history",
        Wire.payload("room", room, "before", before),
        data -> Wire.historyPage(data, json -> blocks.apply(Message.fromJson(json))),
        callback);
  }

  /**
   * Closes a room. The user stays a member.
   *
   * @param room the room ID
   */
  public void closeRoom(String room) {
    Objects.requireNonNull(room, "room");
    run(
        () -> {
          openRooms.remove(room);
          failOpening(room, new ChatError(ChatError.OFFLINE));
          messages.remove(room);
          Room existing = rooms.byId.get(room);
          if (existing == null) return;
          existing.open = false;
          existing.timeline.showEnd();
          existing.timeline.trim();
          leaveIdleRooms();
        });
  }

  /**
   * Loads older messages of an open room.
   *
   * @param room the room ID
   */
  public void loadOlder(String room) {
    Objects.requireNonNull(room, "room");
    withRoom(room, sync::older);
  }

  /**
   * Loads newer messages of an open room, if its list does not end with the newest message.
   *
   * @param room the room ID
   */
  public void loadNewer(String room) {
    Objects.requireNonNull(room, "room");
    withRoom(room, sync::newer);
  }

  /**
   * Shows a message, such as a search result or a quoted message, and the messages around it, instead of the newest
   * messages.
   *
   * @param room the ID of an open room
   * @param seq the message
   */
  public void jumpTo(String room, long seq) {
    Objects.requireNonNull(room, "room");
    withRoom(room, open -> sync.showAround(open, seq));
  }

  /**
   * Shows the newest messages of an open room again.
   *
   * @param room the room ID
   */
  public void jumpToEnd(String room) {
    Objects.requireNonNull(room, "room");
    withRoom(
        room,
        open -> {
          open.timeline.showEnd();
          changed(open);
        });
  }

  /**
   * Marks all messages of an open room as read on all devices. Call it while the newest message is visible.
   *
   * @param room the room ID
   */
  public void markRead(String room) {
    Objects.requireNonNull(room, "room");
    withRoom(
        room,
        open -> {
          // At the end of the list, older messages can be dropped.
          open.timeline.trim();
          if (!open.readUpTo(open.summary.lastSeq)) return;
          listChanged();
          marks.schedule();
        });
  }

  /**
   * Marks a message and all earlier ones as read on all devices, also in a room that is not open.
   *
   * @param room the room ID
   * @param seq the last read message
   * @param callback gets the room
   */
  public void markReadUpTo(String room, long seq, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    sendRequest("read:mark", Wire.payload("room", room, "seq", seq), this::putRoom, callback);
  }

  /**
   * Marks a message and all later ones as unread on all devices of the user. In an open room {@link #markRead} has no
   * effect until {@link #openRoom} is called again, the user writes there, or reads there on another device.
   *
   * @param room the room ID, open or not
   * @param seq the first unread message
   * @param callback gets the room
   */
  public void markUnread(String room, long seq, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    // Set before the response, because a read marker sent in between would undo the request.
    run(() -> keepUnread(room, true));
    sendRequest(
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
    room.isKeptUnread = keep;
    marks.schedule();
  }

  /**
   * Tells other members that the user is typing. Call it for each change of the text.
   *
   * @param room the ID of an open room
   */
  public void typed(String room) {
    Objects.requireNonNull(room, "room");
    withRoom(room, open -> typing.typed(room));
  }

  /**
   * Tells other members that the user stopped typing. Call it when the text is cleared or the field loses focus.
   * Sending a message does this automatically.
   */
  public void stoppedTyping() {
    run(typing::stop);
  }

  // Messages

  /**
   * Sends a message, see {@link #send(String, String, long)}.
   *
   * @param room the room ID
   * @param text 1 to {@link Identity#textLimit} characters
   * @return the {@code clientId} of the message
   */
  public String send(String room, String text) {
    return send(room, text, 0);
  }

  /**
   * Stores a message in the outbox and repeats sending until the server acknowledges it. A room's messages are sent in
   * the order of the calls. The message is listed immediately. {@link ChatListener#onUnsent} reports a message that the
   * server rejects, that the outbox cannot store ({@code not_kept}), or that has no known author ({@code offline}:
   * before the first connection or {@link #restore}, and after a session has ended).
   *
   * @param room the room ID, open or not
   * @param text 1 to {@link Identity#textLimit} characters
   * @param replyTo the {@code seq} of the message to reply to; 0: no reply
   * @return the {@code clientId} of the message
   */
  public String send(String room, String text, long replyTo) {
    return send(room, NewMessage.of(text).replyTo(replyTo));
  }

  /**
   * Sends a message with mentions and files, see {@link #send(String, String, long)}. It waits until its files are
   * uploaded, and later messages overtake it. If an upload fails, or the process ends first, the message fails with
   * {@code not_uploaded}. {@link #retry} then uploads again the files whose source still exists, and omits the others.
   *
   * @param room the room ID, open or not
   * @param message the message
   * @return the {@code clientId} of the message
   */
  public String send(String room, NewMessage message) {
    Objects.requireNonNull(room, "room");
    NewMessage written = Objects.requireNonNull(message, "message").copy();
    String clientId = newClientId();
    boolean wellFormed = isWellFormed(written.draft.text);
    for (String alt : written.files.values()) wellFormed &= alt == null || isWellFormed(alt);
    // An unpaired surrogate would arrive as a question mark.
    if (!wellFormed) fail(clientId, room, written, "bad_request");
    else if (closed) fail(clientId, room, written, ChatError.OFFLINE);
    else {
      loop.run(
          () -> {
            if (delivery == null || closed) {
              fail(clientId, room, written, ChatError.OFFLINE);
              return;
            }
            typing.stop();
            Room existing = rooms.byId.get(room);
            if (existing != null) existing.timeline.showEnd();
            delivery.add(clientId, room, written);
          });
    }
    return clientId;
  }

  // Scheduled messages

  /**
   * Stores a message on the server, which sends it at a chosen time, even if this app is closed then. If the callback
   * fails with {@link ChatError#OFFLINE} or {@link ChatError#TIMEOUT}, call {@link #scheduled} before a repetition,
   * because the server may have stored it.
   *
   * @param room the room ID, of a room where the user is a member
   * @param message the message, without files
   * @param at milliseconds since 1970, at most 366 days ahead; a past time sends it at once
   * @param callback fails with {@code limit_reached} if the user has too many scheduled messages
   * @throws IllegalArgumentException if the message has files
   */
  public void schedule(String room, NewMessage message, long at, @Nullable Callback<ScheduledMessage> callback) {
    Objects.requireNonNull(room, "room");
    if (!message.files.isEmpty()) throw new IllegalArgumentException("a scheduled message cannot have files");
    JSONObject payload = Wire.put(message.toUnsent(newClientId(), room).done().toRequest(), "at", at);
    sendRequest("scheduled:add", payload, data -> ScheduledMessage.fromJson(Wire.object(data, "scheduled")), callback);
  }

  /**
   * Lists the user's scheduled messages in all rooms, and those that could not be sent.
   *
   * @param callback gets the messages, by time
   */
  public void scheduled(@Nullable Callback<List<ScheduledMessage>> callback) {
    sendRequest("scheduled:list", new JSONObject(), data -> Wire.list(data, "scheduled", ScheduledMessage::fromJson), callback);
  }

  /**
   * Changes the content and the time of a scheduled message.
   *
   * @param message the message as the user saw it
   * @param edit the new content, without files of an {@link Upload}
   * @param at the new time, as for {@link #schedule}
   * @param callback fails with {@code conflict} if it was edited on another device, and {@code unknown_message} if it
   *     was sent or deleted
   */
  public void editScheduled(
      ScheduledMessage message, MessageEdit edit, long at, @Nullable Callback<ScheduledMessage> callback) {
    JSONObject payload = edit.addTo(Wire.payload("id", message.id, "rev", message.rev, "at", at));
    // With a text, the server replaces the mentions.
    if (edit.mentions.isEmpty() && edit.text.equals(message.text)) payload.remove("text");
    sendRequest("scheduled:edit", payload, data -> ScheduledMessage.fromJson(Wire.object(data, "scheduled")), callback);
  }

  /**
   * Sends a scheduled message now.
   *
   * @param message the message
   * @param callback called with null; if it fails, the message stays scheduled
   */
  public void sendScheduled(ScheduledMessage message, @Nullable Callback<@Nullable Void> callback) {
    sendRequest("scheduled:send", Wire.payload("id", message.id), data -> null, callback);
  }

  /**
   * Deletes a scheduled message.
   *
   * @param message the message
   * @param callback called with null, also if it was sent already
   */
  public void deleteScheduled(ScheduledMessage message, @Nullable Callback<@Nullable Void> callback) {
    sendRequest("scheduled:delete", Wire.payload("id", message.id), data -> null, callback);
  }

  /**
   * Sets the time of the user's reminder of a message, or moves it.
   *
   * @param room the room ID
   * @param seq the number of the message
   * @param at when it is due, in milliseconds since 1970; at most 366 days ahead
   * @param callback gets the reminder; fails with {@code limit_reached} if the user has too many
   */
  public void remind(String room, long seq, long at, @Nullable Callback<Reminder> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room, "seq", seq, "at", at);
    sendRequest("reminder:set", payload, data -> Reminder.fromJson(Wire.object(data, "reminder")), callback);
  }

  /**
   * Lists the user's reminders in all rooms, by time.
   *
   * @param callback gets the reminders
   */
  public void reminders(@Nullable Callback<List<Reminder>> callback) {
    sendRequest("reminder:list", new JSONObject(), data -> Wire.list(data, "reminders", Reminder::fromJson), callback);
  }

  /**
   * Deletes a reminder.
   *
   * @param reminder the reminder
   * @param callback called with null when it is deleted
   */
  public void deleteReminder(Reminder reminder, @Nullable Callback<@Nullable Void> callback) {
    sendRequest("reminder:delete", Wire.payload("id", reminder.id), data -> null, callback);
  }

  private void fail(String clientId, String room, NewMessage message, String code) {
    UnsentMessage.Draft draft = message.toUnsent(clientId, room);
    draft.writtenAt = System.currentTimeMillis();
    draft.failed = code;
    UnsentMessage unsent = draft.done();
    post(() -> listener.onUnsent(unsent));
  }

  /**
   * Sends a failed message again.
   *
   * @param clientId the message
   */
  public void retry(String clientId) {
    Objects.requireNonNull(clientId, "clientId");
    run(
        () -> {
          if (delivery != null) delivery.retry(clientId);
        });
  }

  /**
   * Discards an unsent message.
   *
   * @param clientId the message, waiting or failed
   */
  public void discard(String clientId) {
    Objects.requireNonNull(clientId, "clientId");
    run(
        () -> {
          if (delivery != null) delivery.discard(clientId);
        });
  }

  /**
   * Changes the text of a message, see {@link #edit(Message, MessageEdit, Callback)}.
   *
   * @param message the user's message, as it is shown
   * @param text the new text
   * @param callback gets the edited message
   */
  public void edit(Message message, String text, @Nullable Callback<Message> callback) {
    edit(message, MessageEdit.of(text), callback);
  }

  /**
   * Changes the content of a message.
   *
   * @param message the user's message, as it is shown
   * @param edit the new content
   * @param callback gets the edited message; {@code conflict} if the text changed since, with the current message in
   *     {@link ChatError#current}; {@link ChatError#HELD} if the edit is pending approval, which leaves the message
   *     unchanged until then
   */
  public void edit(Message message, MessageEdit edit, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(edit, "edit");
    JSONObject payload = edit.addTo(Wire.payload("room", message.room, "seq", message.seq, "rev", message.rev));
    Wire.Reader<@Nullable Message> edited = data -> data.has("held") ? null : acknowledged(data);
    Callback<@Nullable Message> wrapped =
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
    sendRequest("message:edit", payload, edited, wrapped);
  }

  /**
   * Deletes a message.
   *
   * @param message the user's message, or any message with {@link RoomSummary.Right#MODERATE}
   * @param reason sent to the author, or null
   * @param callback gets the message without its text
   */
  public void delete(Message message, @Nullable String reason, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    JSONObject payload = Wire.payload("room", message.room, "seq", message.seq, "reason", reason);
    sendRequest("message:delete", payload, this::acknowledged, callback);
  }

  /**
   * Marks a message of another user as important, or removes the mark. Requires {@link RoomSummary.Right#MODERATE}, in a
   * room where only moderators may write. Authors use {@link #edit(Message, MessageEdit, Callback)}.
   *
   * @param message the message
   * @param important the new {@link Message#important}
   * @param callback gets the message
   */
  public void markImportant(Message message, boolean important, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    JSONObject payload = Wire.payload("room", message.room, "seq", message.seq, "important", important);
    sendRequest("message:mark", payload, this::acknowledged, callback);
  }

  /**
   * Searches messages.
   *
   * @param search the criteria, in the user's rooms or one room
   * @param cursor {@link Page#next} of the previous page; null: the first page
   * @param callback gets the newest matches first; a page may be empty although more pages follow
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
    sendRequest("message:search", payload, data -> Wire.page(data, "messages", Message::fromJson), callback);
  }

  /**
   * Lists the messages of a room that contain pictures, other files or links, or are important.
   *
   * @param room the room ID
   * @param content what the messages contain
   * @param cursor {@link Page#next} of the previous page; null: the first page
   * @param callback gets the messages, newest first
   */
  public void files(
      String room, Message.Content content, @Nullable String cursor, @Nullable Callback<Page<Message>> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(content, "content");
    Long before = cursor == null ? null : Long.valueOf(cursor);
    JSONObject payload = Wire.payload("room", room, "what", Wire.name(content), "before", before);
    sendRequest("room:files", payload, Wire::filesPage, callback);
  }

  // Files

  /**
   * Uploads a file, at most two at a time. {@link ChatListener#onUpload} reports the progress. A broken upload
   * restarts, if necessary over the next connection. Attach the file to a message by {@link NewMessage#file}, or set it as
   * the room's picture by {@link RoomChange#picture}; otherwise the server deletes it after {@code CHAT_FILES_ORPHANS}. An upload in progress is lost when the process ends, the
   * user logs out or another user logs in.
   *
   * @param room the room ID
   * @param file at most {@link Identity#fileLimit} bytes
   * @return the key of the {@link Upload}
   */
  public String upload(String room, NewFile file) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(file, "file");
    String key = newClientId();
    if (closed) fail(key, room, file);
    else {
      loop.run(
          () -> {
            if (me == null || closed) fail(key, room, file);
            else uploads.add(key, room, file, me.refusalOf(file));
          });
    }
    return key;
  }

  private void fail(String key, String room, NewFile file) {
    Upload rejected = new Upload(key, room, file.name, file.size, 0, null, ChatError.OFFLINE);
    post(() -> listener.onUpload(rejected));
  }

  /**
   * Starts a failed upload again.
   *
   * @param upload the key of the upload
   */
  public void retryUpload(String upload) {
    Objects.requireNonNull(upload, "upload");
    run(
        () -> {
          Upload existing = uploads.get(upload);
          if (existing != null && existing.failed != null) uploads.retry(upload);
        });
  }

  /**
   * Cancels an upload. A message that waits for it fails.
   *
   * @param upload the key of the upload
   */
  public void cancelUpload(String upload) {
    Objects.requireNonNull(upload, "upload");
    run(
        () -> {
          uploads.cancel(upload);
          if (delivery != null) delivery.failUpload(upload);
        });
  }

  /**
   * Returns a request for a file. Run it with the {@link Builder#http} client, whose cookies identify the user, or with
   * an image loader that uses this client. With {@link Builder#session} or {@link Builder#tickets}, any client works,
   * until the current ticket ends. The server responds with 404 if the user may not read the message or room. Other users
   * choose name and content: show pictures, sound and video only, and offer anything else as a download.
   *
   * @param file the file of a message, or the picture of a room
   * @return a request for this session
   */
  public Request fileRequest(ChatFile file) {
    return addresses.download(Objects.requireNonNull(file, "file"), false);
  }

  /**
   * Returns a request for a WebP preview of a picture, at most 1,280 pixels on each side. See {@link #fileRequest}.
   *
   * @param file a file with {@link ChatFile#image}
   * @return a request for this session
   */
  public Request previewRequest(ChatFile file) {
    return addresses.download(Objects.requireNonNull(file, "file"), true);
  }

  // Rooms

  /**
   * Lists rooms.
   *
   * @param own true: the user's rooms, newest message first; false: public rooms to join, by name
   * @param query part of the name; null: all
   * @param cursor {@link Page#next} of the previous page; null: the first page
   * @param callback gets the rooms
   */
  public void listRooms(
      boolean own, @Nullable String query, @Nullable String cursor, @Nullable Callback<Page<RoomSummary>> callback) {
    JSONObject payload = Wire.payload("member", own, "query", query, "cursor", cursor);
    sendRequest("room:list", payload, data -> Wire.page(data, "rooms", RoomSummary::fromJson), callback);
  }

  /**
   * Creates a room, without opening it.
   *
   * @param room the new room
   * @param callback gets the room and the users who could not be added
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
    sendRequest("room:create", payload, data -> new Created(putRoom(data), Wire.failed(data)), callback);
  }

  /**
   * Changes a room. Requires {@link RoomSummary.Right#UPDATE}.
   *
   * @param room the room ID
   * @param change the changes
   * @param callback gets the room
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
            "seen", change.seen,
            "color", change.color,
            "emoji", change.emoji,
            "picture", change.picture);
    sendRequest("room:update", payload, this::putRoom, callback);
  }

  /**
   * Deletes a room with all its messages.
   *
   * @param room the room ID
   * @param callback called with null
   */
  public void deleteRoom(String room, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room);
    sendRequest("room:delete", payload, data -> removed(room, Removal.of(RemovalReason.DELETED, false)), callback);
  }

  /**
   * Leaves a room.
   *
   * @param room the room ID
   * @param callback called with null
   */
  public void leaveRoom(String room, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    Identity self = me;
    JSONObject payload = Wire.payload("room", room, "user", self == null ? "" : self.user.id);
    sendRequest("room:remove", payload, data -> removed(room, Removal.of(RemovalReason.LEFT, isPublic(room))), callback);
  }

  /**
   * Removes a member from a room.
   *
   * @param room the room ID
   * @param user the member's ID
   * @param callback called with null
   */
  public void removeMember(String room, String user, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(user, "user");
    sendRequest("room:remove", Wire.payload("room", room, "user", user), data -> null, callback);
  }

  /**
   * Adds users to a private room.
   *
   * @param room the room ID
   * @param users 1 to 100 user IDs
   * @param callback gets the added users, and an error code for each other user
   */
  public void invite(String room, List<String> users, @Nullable Callback<Invited> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(users, "users");
    JSONObject payload = Wire.payload("room", room, "users", new JSONArray(users));
    sendRequest("room:invite", payload, data -> new Invited(Wire.texts(data, "added"), Wire.failed(data)), callback);
  }

  /**
   * Creates an invite link. Requires {@link RoomSummary.Right#INVITE}.
   *
   * @param room the ID of a private room
   * @param seconds how long the link is valid; 0: unlimited
   * @param uses how many users can join by it; 0: unlimited
   * @param callback gets the link with its token
   */
  public void createInvite(String room, long seconds, int uses, @Nullable Callback<Invite> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room, "seconds", seconds, "uses", uses);
    sendRequest(
        "invite:create",
        payload,
        data -> Invite.fromJson(Wire.put(Wire.object(data, "invite"), "token", Wire.text(data, "token"))),
        callback);
  }

  /**
   * Lists invite links of a private room.
   *
   * @param room the room ID
   * @param callback gets the user's links, or all links for moderators, newest first
   */
  public void invites(String room, @Nullable Callback<List<Invite>> callback) {
    Objects.requireNonNull(room, "room");
    sendRequest(
        "invite:list",
        Wire.payload("room", room),
        data -> Wire.list(data, "invites", Invite::fromJson),
        callback);
  }

  /**
   * Revokes an invite link.
   *
   * @param room the ID of a private room
   * @param id the {@link Invite#id} of the link
   * @param callback called with null
   */
  public void revokeInvite(String room, String id, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(id, "id");
    sendRequest("invite:revoke", Wire.payload("room", room, "id", id), data -> null, callback);
  }

  /**
   * Reads an invite link without joining the room.
   *
   * @param token {@link ChatLink#token}
   * @param callback gets the room of the link; {@code unknown_invite} if the link does not admit the user
   */
  public void lookAtInvite(String token, @Nullable Callback<InvitedRoom> callback) {
    Objects.requireNonNull(token, "token");
    sendRequest("invite:look", Wire.payload("token", token), InvitedRoom::fromJson, callback);
  }

  /**
   * Joins a room by an invite link. Call it after the user agrees.
   *
   * @param token {@link ChatLink#token}
   * @param callback gets the room; {@code unknown_invite} if the link does not admit the user
   */
  public void acceptInvite(String token, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(token, "token");
    sendRequest("invite:accept", Wire.payload("token", token), this::putRoom, callback);
  }

  /**
   * Changes the role of a member.
   *
   * @param room the room ID
   * @param user the member's ID
   * @param role the new role; {@link RoomSummary.Role#OWNER} transfers ownership
   * @param callback called with null
   */
  public void setRole(String room, String user, RoomSummary.Role role, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(user, "user");
    Objects.requireNonNull(role, "role");
    sendRequest("room:role", Wire.payload("room", room, "user", user, "role", Wire.name(role)), data -> null, callback);
  }

  /**
   * Lists the members of a room.
   *
   * @param room the room ID
   * @param query the beginning of a name, of a word in it, or of an ID; null: all
   * @param present true: connected members; false: other members; null: all
   * @param cursor {@link Page#next} of the previous page; null: the first page
   * @param callback gets the members, by name
   */
  public void members(
      String room,
      @Nullable String query,
      @Nullable Boolean present,
      @Nullable String cursor,
      @Nullable Callback<Members> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room, "query", query, "present", present, "cursor", cursor);
    sendRequest(
        "room:members",
        payload,
        data ->
            new Members(Wire.list(data, "members", RoomMember::fromJson), Wire.text(data, "next"), Wire.count(data, "count")),
        callback);
  }

  /**
   * Changes the notification level of a room, and ends a timed mute.
   *
   * @param room the room ID
   * @param notify the messages to be notified of
   * @param callback gets the room
   */
  public void setNotify(String room, RoomSummary.Notify notify, @Nullable Callback<RoomSummary> callback) {
    setNotify(room, notify, 0, callback);
  }

  /**
   * Changes the notification level of a room, and mutes the room for a time.
   *
   * @param room the room ID
   * @param notify the messages to be notified of after the mute
   * @param quietMs the duration of the mute in milliseconds, at most a year; 0: no mute
   * @param callback gets the room
   */
  public void setNotify(
      String room, RoomSummary.Notify notify, long quietMs, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(notify, "notify");
    Long quietForMs = quietMs == 0 ? null : quietMs;
    JSONObject payload = Wire.payload("room", room, "notify", Wire.name(notify), "quietForMs", quietForMs);
    sendRequest("room:notify", payload, this::putRoom, callback);
  }

  /**
   * Makes a room a favourite on all of the user's devices, or removes it from the favourites. A favourite is not
   * archived.
   *
   * @param room the room ID
   * @param position favourites are shown in the order of their positions; null: not a favourite
   * @param callback gets the room
   */
  public void setFavourite(String room, @Nullable Long position, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    Object favourite = position == null ? JSONObject.NULL : position;
    sendRequest("room:arrange", Wire.payload("room", room, "favourite", favourite), this::putRoom, callback);
  }

  /**
   * Archives a room on all of the user's devices, or takes it out of the archive. It returns by itself with a mention,
   * in a direct room with a message, unless it is muted.
   *
   * @param room the room ID
   * @param archived whether to archive it
   * @param callback gets the room
   */
  public void setArchived(String room, boolean archived, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    sendRequest("room:arrange", Wire.payload("room", room, "archived", archived), this::putRoom, callback);
  }

  /**
   * Turns link previews in a direct room on or off. They appear only if both users turn them on.
   *
   * @param room the ID of a direct room
   * @param on whether this user wants previews
   * @param callback gets the room
   */
  public void setPreviews(String room, boolean on, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(room, "room");
    sendRequest("room:previews", Wire.payload("room", room, "previews", on ? "on" : "off"), this::putRoom, callback);
  }

  // Reactions

  /**
   * Adds or removes a reaction. The message changes after the server stores it.
   *
   * @param message the message
   * @param emoji one emoji
   * @param on true: add; false: remove
   * @param callback gets the message; {@code limit_reached} if the message has the maximum number of different
   *     reactions
   */
  public void react(Message message, String emoji, boolean on, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(emoji, "emoji");
    JSONObject payload = Wire.payload("room", message.room, "seq", message.seq, "emoji", emoji, "on", on);
    sendRequest("message:react", payload, this::acknowledged, callback);
  }

  /**
   * Lists the users of a reaction.
   *
   * @param message the message
   * @param emoji one of {@link Message#reactions}
   * @param cursor {@link Page#next} of the previous page; null: the first page
   * @param callback gets the users, in the order of their reactions
   */
  public void reactions(
      Message message, String emoji, @Nullable String cursor, @Nullable Callback<Page<User>> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(emoji, "emoji");
    JSONObject payload = Wire.payload("room", message.room, "seq", message.seq, "emoji", emoji, "cursor", cursor);
    sendRequest("message:reactions", payload, data -> Wire.page(data, "users", User::fromJson), callback);
  }

  /**
   * Chooses options of a {@link Poll}. They replace the user's earlier choice.
   *
   * @param message a message with a poll
   * @param options the numbers of the options, from 1; none: withdraws the choice
   * @param callback gets the message; {@code forbidden} if the poll has ended
   */
  public void vote(Message message, Collection<Integer> options, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    JSONObject payload = Wire.payload("room", message.room, "seq", message.seq, "choice", new JSONArray(options));
    sendRequest("poll:vote", payload, this::acknowledged, callback);
  }

  /**
   * Sends a poll or an event to an open room. It does not wait in the outbox.
   *
   * @param room the room ID
   * @param question the question, or the name of the event
   * @param poll the poll
   * @param clientId up to 64 letters, digits, {@code _} and {@code -}; the same until there is an answer, so that it is
   *     sent once
   * @param callback gets the message; {@code forbidden} if it would need approval
   */
  public void sendPoll(
      String room, String question, NewPoll poll, String clientId, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room, "text", question, "clientId", clientId, "poll", poll.toJson());
    sendRequest("message:send", payload, this::acknowledged, callback);
  }

  /**
   * Ends a poll or the answers to an event. The author may do this, and users with {@link RoomSummary.Right#MODERATE}.
   *
   * @param message a message with a poll
   * @param callback gets the message
   */
  public void endPoll(Message message, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    sendRequest("poll:end", Wire.payload("room", message.room, "seq", message.seq), this::acknowledged, callback);
  }

  /**
   * Forwards a copy of a message with its files.
   *
   * @param message a message that the user can read
   * @param room the ID of the target room, where the user is a member
   * @param clientId an ID of {@link #newClientId}; after a failure, reuse it so that the copy is not sent twice
   * @param callback gets the copy; {@code unknown_message} if the message was deleted
   */
  public void forward(Message message, String room, String clientId, @Nullable Callback<Message> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(clientId, "clientId");
    JSONObject from = Wire.payload("room", message.room, "seq", message.seq);
    sendRequest(
        "message:forward",
        Wire.payload("room", room, "from", from, "clientId", clientId),
        this::acknowledged,
        callback);
  }

  /**
   * Reads which members have seen a message of the user, in a room of at most 50 members that is not direct. In an open
   * room, {@link ChatListener#onSeenBy} reports later changes.
   *
   * @param message the user's message
   * @param callback gets the members that the user may know about
   */
  public void seenBy(Message message, @Nullable Callback<Answers.SeenBy> callback) {
    Objects.requireNonNull(message, "message");
    sendRequest("message:seen", Wire.payload("room", message.room, "seq", message.seq), Wire::seenBy, callback);
  }

  // Threads

  /**
   * Loads replies of a thread.
   *
   * @param room the room ID
   * @param thread the {@code seq} of any message in the thread
   * @param before load replies before this {@code seq}; 0: the latest replies
   * @param callback gets a page of the thread; {@code unknown_message} if no message of the thread is left
   */
  public void replies(String room, long thread, long before, @Nullable Callback<RepliesPage> callback) {
    Objects.requireNonNull(room, "room");
    sendRequest(
        "thread:get",
        Wire.payload("room", room, "thread", thread, "before", before == 0 ? null : before),
        data ->
            new RepliesPage(
                blocks.apply(Message.fromJson(Wire.object(data, "root"))),
                Replies.fromJson(Wire.object(data, "thread")),
                data.optBoolean("following"),
                Wire.list(data, "messages", json -> blocks.apply(Message.fromJson(json))),
                data.optBoolean("complete")),
        callback);
  }

  /**
   * Follows or unfollows a thread. Replies in a followed thread count like mentions. A user also follows a thread by
   * replying or by having written its first message, unless the user unfollowed it before.
   *
   * @param room the ID of a room where the user is a member
   * @param thread the {@code seq} of any message in the thread
   * @param following true: follow; false: unfollow
   * @param callback called with null; fails with {@code limit_reached} if the thread has the maximum number of
   *     followers
   */
  public void follow(String room, long thread, boolean following, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    sendRequest(
        "thread:follow",
        Wire.payload("room", room, "thread", thread, "following", following),
        data -> null,
        callback);
  }

  // Pinned messages

  /**
   * Pins or unpins a message. Requires {@link RoomSummary.Right#PIN}.
   *
   * @param room the ID of an open room
   * @param seq the message
   * @param pinned true: pin; false: unpin
   * @param callback called with null; fails with {@code limit_reached} if the room has the maximum number of pins
   */
  public void pin(String room, long seq, boolean pinned, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room, "seq", seq);
    sendRequest(pinned ? "message:pin" : "message:unpin", payload, data -> null, callback);
  }

  /**
   * Lists the pinned messages of a room. For an open room, {@link ChatListener#onPins} reports them.
   *
   * @param room the room ID
   * @param callback gets the messages, the latest pin first
   */
  public void pinned(String room, @Nullable Callback<List<PinnedMessage>> callback) {
    Objects.requireNonNull(room, "room");
    sendRequest("room:pins", Wire.payload("room", room), data -> Wire.list(data, "pins", PinnedMessage::fromJson), callback);
  }

  /**
   * Removes the link preview of a message for all readers.
   *
   * @param message a message of an open room: the user's own, or any with {@link RoomSummary.Right#MODERATE}
   * @param callback called with null
   */
  public void removePreview(Message message, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(message, "message");
    sendRequest("message:unpreview", Wire.payload("room", message.room, "seq", message.seq), data -> null, callback);
  }

  // Users

  /**
   * Reads the role and last visit of a user.
   *
   * @param room the ID of a room that the user can read
   * @param user the ID of a user there, or the user's own ID
   * @param callback gets what the user may know
   */
  public void about(String room, String user, @Nullable Callback<Presence> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(user, "user");
    sendRequest("user:about", Wire.payload("room", room, "user", user), Presence::fromJson, callback);
  }

  /**
   * Hides the user's last visit and read receipts from others, or shows them again.
   *
   * @param hidden whether they are hidden
   * @param callback called with null
   */
  public void hide(boolean hidden, @Nullable Callback<@Nullable Void> callback) {
    sendRequest("user:hide", Wire.payload("hidden", hidden), data -> null, callback);
  }

  // Notifications

  /**
   * Registers this app for pushes by Firebase Cloud Messaging to the logged-in user. Call it after each connection and
   * when the token changes; {@code docs/android.md} has an example.
   *
   * @param token the registration token of the app
   * @param name the name in the user's list of devices, or null
   * @param callback gets the device ID for {@link #removeDevice}; {@code forbidden} if the site does not send such
   *     pushes
   */
  public void registerDevice(String token, @Nullable String name, @Nullable Callback<String> callback) {
    Objects.requireNonNull(token, "token");
    sendRequest("device:register", Wire.payload("token", token, "name", name), data -> data.optString("id"), callback);
  }

  /**
   * Stops pushes to a device. Call it for this device before a logout.
   *
   * @param id the ID of a device of the user
   * @param callback called with null
   */
  public void removeDevice(String id, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(id, "id");
    sendRequest("device:remove", Wire.payload("id", id), data -> null, callback);
  }

  /**
   * Lists the user's devices that get pushes.
   *
   * @param callback gets the devices, the latest registration first
   */
  public void devices(@Nullable Callback<List<Device>> callback) {
    sendRequest("device:list", new JSONObject(), data -> Wire.list(data, "devices", Device::fromJson), callback);
  }

  /**
   * Reads the notification settings.
   *
   * @param callback gets the settings; {@code forbidden} if the site does not send notifications
   */
  public void notices(@Nullable Callback<Notices> callback) {
    sendRequest("notify:get", new JSONObject(), Notices::fromJson, callback);
  }

  /**
   * Changes the notification settings.
   *
   * @param change the changes
   * @param callback gets the new settings; {@code forbidden} if the site does not send notifications
   */
  public void setNotices(NoticesChange change, @Nullable Callback<Notices> callback) {
    Objects.requireNonNull(change, "change");
    // Copied, because the app may change the object later.
    sendRequest("notify:set", new JSONObject(change.payload.toString()), Notices::fromJson, callback);
  }

  /**
   * Suppresses pushes to all devices of the user for two minutes. Call it on a touch or key press while the chat is
   * visible, at most every 30 s. Messages, edits and reactions count as activity automatically.
   */
  public void active() {
    String zone = TimeZone.getDefault().getID();
    Locale locale = Locale.getDefault();
    String language = locale.getLanguage().isEmpty() ? null : locale.getLanguage();
    String country = locale.getCountry().isEmpty() ? "" : "-" + locale.getCountry();
    // The server rejects the request if it does not know the zone, such as Java's GMT+02:00.
    JSONObject payload =
        Wire.payload("zone", zone.contains("/") ? zone : null, "lang", language == null ? null : language + country);
    sendRequest("client:active", payload, data -> null, null);
  }

  // Moderation

  /**
   * Reports a message to the moderators. The author is not notified.
   *
   * @param message a message of another user
   * @param reason the kind of problem
   * @param text up to 500 characters, or null
   * @param callback called with null
   */
  public void report(
      Message message, Report.Reason reason, @Nullable String text, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(reason, "reason");
    JSONObject payload =
        Wire.payload("room", message.room, "seq", message.seq, "reason", Wire.name(reason), "text", text);
    sendRequest("message:report", payload, data -> null, callback);
  }

  /**
   * Lists open reports.
   *
   * @param cursor {@link Page#next} of the previous page; null: the first page
   * @param callback gets the reports, newest first, of rooms where the user has {@link RoomSummary.Right#MODERATE}; of
   *     all rooms for a moderator or admin of the site
   */
  public void reports(@Nullable String cursor, @Nullable Callback<Page<Report>> callback) {
    sendRequest("report:list", Wire.payload("cursor", cursor), data -> Wire.page(data, "reports", Report::fromJson), callback);
  }

  /**
   * Closes a report with an action. If the report is already closed, nothing happens.
   *
   * @param report the report
   * @param done deletes the message, or mutes or bans its author
   * @param seconds the duration of a mute or ban; 0: permanent
   * @param reason up to 250 characters, shown to the author, or null
   * @param all closes all open reports of the message
   * @param callback gets the closed report; {@link Report#closed} contains who closed it, and the action
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
    sendRequest("report:close", payload, data -> Report.fromJson(Wire.object(data, "report")), callback);
  }

  /**
   * Lists messages of other users that wait for a decision of this user.
   *
   * @param cursor {@link Page#next} of the previous page; null: the first page
   * @param callback gets the messages, newest first; fails with {@code forbidden} if the user decides in no room
   */
  public void held(@Nullable String cursor, @Nullable Callback<Page<HeldMessage>> callback) {
    sendRequest("held:list", Wire.payload("cursor", cursor), data -> Wire.page(data, "held", HeldMessage::fromJson), callback);
  }

  /**
   * Publishes a message that waits. The preview of a link is published only if {@link HeldMessage#preview} shows it.
   *
   * @param message the message as the user saw it
   * @param callback called with null; fails with {@code unknown_message} if it no longer waits, and {@code forbidden} or
   *     {@code muted} if the author may no longer write there
   */
  public void approve(HeldMessage message, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(message, "message");
    JSONObject payload = Wire.payload("id", message.id, "preview", message.preview == null ? false : null);
    sendRequest("held:approve", payload, data -> null, callback);
  }

  /**
   * Rejects a message that waits.
   *
   * @param message the message
   * @param reason up to 250 characters, shown to the author, or null
   * @param callback called with null; fails with {@code unknown_message} if it no longer waits
   */
  public void reject(HeldMessage message, @Nullable String reason, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(message, "message");
    sendRequest("held:reject", Wire.payload("id", message.id, "reason", reason), data -> null, callback);
  }

  /**
   * Mutes a user in a room: the user can read but not write. Requires {@link RoomSummary.Right#MODERATE}.
   *
   * @param room the room ID
   * @param user the ID of a user, member or not
   * @param seconds the duration, up to 31,536,000; 0: permanent
   * @param reason up to 250 characters, shown to the user, or null
   * @param callback called with null
   */
  public void mute(
      String room, String user, long seconds, @Nullable String reason, @Nullable Callback<@Nullable Void> callback) {
    restrict("room:mute", room, user, seconds == 0 ? null : seconds, reason, callback);
  }

  /**
   * Ends the mute of a user.
   *
   * @param room the room ID
   * @param user the user's ID
   * @param callback called with null
   */
  public void unmute(String room, String user, @Nullable Callback<@Nullable Void> callback) {
    restrict("room:mute", room, user, 0L, null, callback);
  }

  /**
   * Bans a user from a room: the user can neither read nor find it. Requires {@link RoomSummary.Right#MODERATE}.
   *
   * @param room the room ID
   * @param user the ID of a user, member or not
   * @param seconds the duration, up to 31,536,000; 0: permanent
   * @param reason up to 250 characters, shown to the user, or null
   * @param callback called with null
   */
  public void ban(
      String room, String user, long seconds, @Nullable String reason, @Nullable Callback<@Nullable Void> callback) {
    restrict("room:ban", room, user, seconds == 0 ? null : seconds, reason, callback);
  }

  /**
   * Ends the ban of a user.
   *
   * @param room the room ID
   * @param user the user's ID
   * @param callback called with null
   */
  public void unban(String room, String user, @Nullable Callback<@Nullable Void> callback) {
    restrict("room:ban", room, user, 0L, null, callback);
  }

  private void restrict(
      String event,
      String room,
      String user,
      @Nullable Long seconds,
      @Nullable String reason,
      @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(user, "user");
    JSONObject payload = Wire.payload("room", room, "user", user, "seconds", seconds, "reason", reason);
    sendRequest(event, payload, data -> null, callback);
  }

  /**
   * Lists muted and banned users of a room. Requires {@link RoomSummary.Right#MODERATE}.
   *
   * @param room the room ID
   * @param cursor {@link Page#next} of the previous page; null: the first page
   * @param callback gets the users, by ID
   */
  public void restricted(String room, @Nullable String cursor, @Nullable Callback<Page<Restriction>> callback) {
    Objects.requireNonNull(room, "room");
    JSONObject payload = Wire.payload("room", room, "cursor", cursor);
    sendRequest("room:restricted", payload, data -> Wire.page(data, "users", Restriction::fromJson), callback);
  }

  /**
   * Blocks or unblocks a user for this user. Messages of a blocked user are {@link Message#hidden}, and direct messages
   * are rejected. The blocked user is not notified.
   *
   * @param user the ID of the other user
   * @param blocked true: block; false: unblock
   * @param callback called with null
   */
  public void block(String user, boolean blocked, @Nullable Callback<@Nullable Void> callback) {
    Objects.requireNonNull(user, "user");
    sendRequest(
        "user:block",
        Wire.payload("user", user, "blocked", blocked),
        data -> {
          blocks.set(user, blocked);
          return null;
        },
        callback);
  }

  /**
   * Lists blocked users.
   *
   * @param callback gets the users, the latest block first
   */
  public void blocked(@Nullable Callback<List<User>> callback) {
    sendRequest("user:blocked", new JSONObject(), data -> Wire.list(data, "users", User::fromJson), callback);
  }


  /**
   * Finds or creates the direct room with another user. {@link #openRoom} shows it.
   *
   * @param user the ID of the other user
   * @param callback gets the room
   */
  public void openDirect(String user, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(user, "user");
    sendRequest("direct:open", Wire.payload("user", user), this::putRoom, callback);
  }

  /**
   * Searches users.
   *
   * @param query the beginning of a name, of a word in it, or of an ID
   * @param room the ID of a room whose members are marked in the result, or null
   * @param callback gets at most 20 users
   */
  public void findUsers(String query, @Nullable String room, @Nullable Callback<Found> callback) {
    Objects.requireNonNull(query, "query");
    JSONObject payload = Wire.payload("query", query, "room", room);
    sendRequest(
        "user:find",
        payload,
        data -> new Found(Wire.list(data, "users", User::fromJson), Wire.texts(data, "inRoom")),
        callback);
  }

  // Questions to the team of the site

  /**
   * Reads what a visitor who asks the team can expect.
   *
   * @param callback gets it; {@code forbidden} without a team
   */
  public void team(@Nullable Callback<Answers.Team> callback) {
    sendRequest("question:about", new JSONObject(), Wire::team, callback);
  }

  /**
   * Asks the team, if {@link Identity#canAsk}. A user has one question: this continues it, or opens it again. {@link
   * #openRoom} shows its room.
   *
   * @param text 1 to {@link Identity#textLimit} characters
   * @param clientId an ID of {@link #newClientId}; after a failure, reuse it so that the text is not sent twice
   * @param callback gets the room of the question; {@code forbidden} if the user is banned from it
   */
  public void askTeam(String text, String clientId, @Nullable Callback<RoomSummary> callback) {
    Objects.requireNonNull(text, "text");
    Objects.requireNonNull(clientId, "clientId");
    sendRequest("question:ask", Wire.payload("text", text, "clientId", clientId), this::putRoom, callback);
  }

  /**
   * Reads a question, and makes the user a member of its room. For the team: {@link Identity.SiteRole#TEAM}. {@link
   * ChatListener#onQuestion} reports later changes.
   *
   * @param room the ID of the room
   * @param callback gets the question
   */
  public void openQuestion(String room, @Nullable Callback<Question> callback) {
    question("question:open", room, callback);
  }

  /**
   * Assigns a question to the user. For the team. The members of the team who did not write in it leave its room.
   *
   * @param room the ID of the room
   * @param callback gets the question; {@code conflict} if another member of the team has it
   */
  public void takeQuestion(String room, @Nullable Callback<Question> callback) {
    question("question:take", room, callback);
  }

  /**
   * Closes a question, until its asker writes again. For the team.
   *
   * @param room the ID of the room
   * @param callback gets the question
   */
  public void closeQuestion(String room, @Nullable Callback<Question> callback) {
    question("question:close", room, callback);
  }

  private void question(String name, String room, @Nullable Callback<Question> callback) {
    JSONObject payload = Wire.payload("question", Objects.requireNonNull(room, "room"));
    sendRequest(name, payload, data -> Question.fromJson(Wire.object(data, "question")), callback);
  }

  // Cards of the site

  /**
   * Requests the card of a message, as the site shows it to this user. Do this when the message is shown.
   *
   * @param message a message with a {@link Message#card}
   * @param language the language of the app, such as {@code pt-BR}, or null
   * @param callback gets the card, or null if it is not available to this user; {@code site_unavailable} if the site
   *     does not answer
   */
  public void card(Message message, @Nullable String language, @Nullable Callback<@Nullable Card> callback) {
    Objects.requireNonNull(message, "message");
    JSONObject payload = Wire.payload("room", message.room, "seq", message.seq, "lang", language);
    sendRequest("card:get", payload, Chat::shownCard, callback);
  }

  /**
   * Runs a button of a card. The site answers with the card that replaces the old one.
   *
   * @param message the message with the card
   * @param button the ID of one of {@link Card#buttons}
   * @param clientId up to 64 letters, digits, {@code _} and {@code -}; the same until there is an answer, so that the
   *     button runs once
   * @param language the language of the app, or null
   * @param callback gets the new card, or null if it is not available to this user; after {@code site_unavailable},
   *     the button may have run
   */
  public void pressCard(
      Message message,
      String button,
      String clientId,
      @Nullable String language,
      @Nullable Callback<@Nullable Card> callback) {
    Objects.requireNonNull(message, "message");
    Objects.requireNonNull(button, "button");
    Objects.requireNonNull(clientId, "clientId");
    JSONObject payload =
        Wire.payload(
            "room", message.room, "seq", message.seq, "button", button, "clientId", clientId, "lang", language);
    sendRequest("card:press", payload, Chat::shownCard, callback);
  }

  /**
   * Lists the cards that the site suggests for a message.
   *
   * @param room the room ID
   * @param query the typed words; may be empty
   * @param language the language of the app, or null
   * @param callback gets up to 8 cards
   */
  public void findCards(
      String room, String query, @Nullable String language, @Nullable Callback<List<Card>> callback) {
    Objects.requireNonNull(room, "room");
    Objects.requireNonNull(query, "query");
    JSONObject payload = Wire.payload("room", room, "query", query, "lang", language);
    sendRequest("card:find", payload, data -> Wire.list(data, "cards", Card::fromJson), callback);
  }

  private static @Nullable Card shownCard(JSONObject data) {
    JSONObject card = data.optJSONObject("card");
    return card == null ? null : Card.fromJson(card);
  }

  // Events from the connection

  private final class ConnectionEvents implements Connection.Listener {
    @Override
    public void state(ConnectionState now) {
      if (now.kind != ConnectionState.Kind.ONLINE) {
        for (Room room : rooms.byId.values()) {
          if (room.joined && room.open) changed(room);
          room.joined = false;
        }
        if (rooms.disconnected()) listChanged();
        typing.forget();
        if (delivery != null) delivery.wake();
      }
      boolean ended = now.kind == ConnectionState.Kind.SESSION_ENDED || now.kind == ConnectionState.Kind.REFUSED;
      // Rooms opened after this belong to the next user.
      if (ended && hasUser) {
        hasUser = false;
        lastOpenRooms = new LinkedHashMap<>(openRooms);
        openRooms.clear();
        for (String room : new ArrayList<>(pendingOpens.keySet())) failOpening(room, new ChatError(ChatError.OFFLINE));
      }
      state = now;
      post(() -> listener.onState(now));
    }

    @Override
    public String tags() {
      return rooms.tags();
    }

    @Override
    public void ready(ConnectionState online, JSONObject ready) {
      String user = Wire.object(ready, "user").optString("id");
      // Before `forgetRestored`, which forgets the rooms that the server omitted.
      List<JSONObject> listed = rooms.listed(ready);
      if (me != null && !me.user.id.equals(user)) forgetRestored();
      tasks.restart();
      me = Identity.fromJson(ready);
      state(online);
      setIdentity(me);
      // Rooms of a different user stay closed.
      if (user.equals(lastUser)) {
        for (Map.Entry<String, Boolean> entry : lastOpenRooms.entrySet()) openRooms.put(entry.getKey(), entry.getValue());
      }
      lastOpenRooms = Collections.emptyMap();
      lastUser = user;
      hasUser = true;
      rooms.ready(ready, listed);
      uploads.ready(user);
      if (delivery == null) delivery = new Delivery(loop, outbox, user, new DeliveryPort());
      for (String id : new ArrayList<>(openRooms.keySet())) enter(id);
      delivery.wake();
      delivery.retryUploads();
      compareHeld(delivery);
      joinForDelivery();
      marks.schedule();
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
      roomListUpToDate = false;
      messages.clear();
      callbacks.forget();
      post(listener::onHide);
    }

    /** Another user has logged in since the rooms were stored. */
    private void forgetRestored() {
      for (String room : new ArrayList<>(pendingOpens.keySet())) failOpening(room, new ChatError(ChatError.OFFLINE));
      openRooms.clear();
      hide();
    }

    @Override
    public void sessionEnded(ConnectionState.Reason reason) {
      if (reason == ConnectionState.Reason.LOGOUT || reason == ConnectionState.Reason.USER_CHANGED) clearUnsent();
    }

    @Override
    public void event(String name, JSONObject payload) {
      Room room = rooms.byId.get(payload.optString("room"));
      switch (name) {
        case "session:changed":
          setIdentity(me.changed(payload));
          break;
        case "message:new":
        case "message:changed":
          if (room != null) handleMessage(room, blocks.apply(Message.fromJson(payload)));
          break;
        case "message:reacted":
          if (room == null) break;
          room.timeline.applyEvent(Wire.reacted(payload), me.user.id);
          if (room.joined) sync.sync(room);
          changed(room);
          break;
        case "mention":
          handleMention(Message.fromJson(Wire.object(payload, "message")));
          break;
        case "thread:changed":
          if (room != null) reportReplies(room, Wire.list(payload, "threads", Replies::fromJson));
          break;
        case "thread:followed":
          String threadRoom = payload.optString("room");
          long thread = Wire.number(payload, "thread");
          boolean following = payload.optBoolean("following");
          postForUser(() -> listener.onFollowed(threadRoom, thread, following));
          break;
        case "room:activity":
          handleActivity(payload, room);
          break;
        case "room:added":
        case "room:changed":
          changed(rooms.put(RoomSummary.fromJson(payload)));
          listChanged();
          break;
        case "room:removed":
          removed(payload.optString("room"), Removal.fromJson(payload));
          break;
        case "room:reset":
          if (room == null) break;
          if (room.joined) sync.rejoin(room);
          else room.timeline.forget();
          changed(room);
          break;
        case "members:changed":
          if (room != null) membersChanged(room, payload);
          break;
        case "presence:changed":
          if (room != null) presenceChanged(room, payload);
          break;
        case "pin:changed":
          if (room != null) pinChanged(room, payload);
          break;
        case "card:changed":
          String cardRoom = payload.optString("room");
          String card = payload.optString("card");
          postForUser(() -> listener.onCardChanged(cardRoom, card));
          break;
        case "typing:changed":
          User typist = User.fromJson(Wire.object(payload, "user"));
          if (!blocks.isBlocked(typist.id)) typing.update(payload.optString("room"), typist, payload.optBoolean("typing"));
          break;
        case "read:changed":
          if (room != null) readChanged(room, payload);
          break;
        case "seen:changed":
          String seenRoom = payload.optString("room");
          long message = Wire.number(payload, "seq");
          Answers.SeenBy seen = Wire.seenBy(payload);
          postForUser(() -> listener.onSeenBy(seenRoom, message, seen));
          break;
        case "report:changed":
          handleReport(Report.fromJson(Wire.object(payload, "report")), Wire.count(payload, "open"));
          break;
        case "held:changed":
          String decision = payload.optString("is");
          boolean exists = decision.equals("held") || decision.equals("rejected");
          if (delivery != null) delivery.applyDecision(payload.optString("id"), exists, decision.equals("rejected"));
          String heldIn = payload.optString("room");
          postForUser(() -> listener.onHeld(heldIn));
          break;
        case "reminder:changed":
          boolean due = "due".equals(Wire.text(payload, "is"));
          postForUser(() -> listener.onReminder(due));
          break;
        case "scheduled:changed":
          String failure = Wire.text(payload, "code");
          postForUser(() -> listener.onScheduled(failure));
          break;
        case "question:changed":
          Question question = Question.fromJson(Wire.object(payload, "question"));
          postForUser(() -> listener.onQuestion(question));
          break;
        case "blocked:changed":
          String user = payload.optString("user");
          boolean blocked = payload.optBoolean("blocked");
          if (blocks.set(user, blocked)) postForUser(() -> listener.onBlocked(user, blocked));
          break;
        case "push":
          postForUser(() -> listener.onPush(payload.optString("name"), Wire.plain(payload.opt("data"))));
          break;
        default:
          // Not used by this client, or from a newer protocol version.
      }
    }

    @Override
    public void sendMarker(Runnable passed) {
      callbacks.sendMarker(passed);
    }
  }

  private void setIdentity(Identity now) {
    me = now;
    postForUser(() -> listener.onIdentity(now));
  }

  private void handleMessage(Room room, Message message) {
    boolean isNew = message.seq > room.reportedSeq && !message.user.id.equals(me.user.id);
    room.timeline.applyEvent(Change.to(message), me.user.id);
    addMessages(room, Collections.singletonList(message));
    typing.stopped(room.id(), message.user.id);
    if (room.updatePin(message)) reportPins(room);
    if (isNew) {
      if (!message.threadOnly) reportMessage(room, Room.preview(message), message.text);
      if (message.mentions(me.user.id)) blocks.announce(message.user.id, () -> reportMention(room, message));
      rooms.refreshPeer(room, message.user);
    }
    if (room.joined) sync.sync(room);
    changed(room);
  }

  private void reportMessage(Room room, RoomSummary.Last last, String text) {
    RoomSummary summary = room.summary;
    RoomSummary.Last.Draft draft = new RoomSummary.Last.Draft(last);
    draft.text = text;
    draft.hidden = false;
    RoomSummary.Last full = draft.done();
    blocks.announce(last.user.id, () -> postForUser(() -> listener.onNewMessage(summary, full)));
  }

  private void handleMention(Message message) {
    Room room = rooms.byId.get(message.room);
    if (room == null) {
      rooms.reload(message.room);
      return;
    }
    room.addMention(message.seq);
    listChanged();
    reportMention(room, message);
  }

  private void reportReplies(Room room, List<Replies> threads) {
    String id = room.id();
    postForUser(() -> listener.onReplies(id, threads));
  }

  private void reportMention(Room room, Message message) {
    RoomSummary summary = blocks.apply(room.summary);
    if (!room.muted()) postForUser(() -> listener.onMention(summary, message));
  }

  private void handleReport(Report report, int open) {
    Room room = rooms.byId.get(report.room);
    if (room != null) room.setReports(open);
    listChanged();
    postForUser(() -> listener.onReport(report, open));
  }

  /** Reports all rooms again, because messages are now hidden or visible. */
  private void blocksChanged() {
    for (Room room : rooms.byId.values()) {
      changed(room);
      reportPins(room);
    }
    listChanged();
  }

  private void handleActivity(JSONObject activity, @Nullable Room room) {
    if (room == null) {
      rooms.reload(activity.optString("room"));
      return;
    }
    long before = room.reportedSeq;
    room.applyActivity(activity);
    rooms.updateSortKey(room);
    if (room.expirePins()) reportPins(room);
    changed(room);
    listChanged();
    RoomSummary.Last last = room.summary.last;
    if (last == null || last.seq <= before || last.user.id.equals(me.user.id)) return;
    if (!room.muted()) reportMessage(room, last, last.text);
    rooms.refreshPeer(room, last.user);
  }

  private void membersChanged(Room room, JSONObject change) {
    room.setMembers(Wire.count(change, "count"));
    List<RoomMember> changed = new ArrayList<>();
    List<User> gone = new ArrayList<>();
    for (JSONObject entry : Wire.list(change, "changed", json -> json)) {
      if (entry.optBoolean("gone")) gone.add(User.fromJson(Wire.object(entry, "user")));
      else changed.add(RoomMember.fromJson(entry));
    }
    boolean partial = change.optBoolean("partial");
    postForUser(
        () ->
            listener.onMembers(
                room.id(), Collections.unmodifiableList(changed), Collections.unmodifiableList(gone), partial));
    listChanged();
  }

  private void pinChanged(Room room, JSONObject change) {
    JSONObject pin = change.optJSONObject("pin");
    room.pin(Wire.number(change, "seq"), pin == null ? null : PinnedMessage.fromJson(pin), Wire.count(change, "count"));
    listChanged();
    if (room.pins == null) return;
    reportPins(room);
    // An event was missed.
    if (room.pins.size() != room.summary.pins) loadPins(room);
  }

  private void loadPins(Room room) {
    tasks.once(
        "pins of " + room.id(),
        new Tasks.Task("room:pins") {
          private int changes;

          @Override
          JSONObject payload() {
            changes = room.pinChanges;
            return Wire.payload("room", room.id());
          }

          @Override
          void handleResponse(JSONObject data) {
            room.pins = Wire.list(data, "pins", PinnedMessage::fromJson);
            reportPins(room);
            if (room.pinChanges != changes) loadPins(room);
          }
        });
  }

  private void reportPins(Room room) {
    if (!room.open || room.pins == null) return;
    List<PinnedMessage> pins = blocks.applyToPins(room.pins);
    callbacks.postLatest("pins of " + room.id(), () -> listener.onPins(room.id(), pins));
  }

  private void presenceChanged(Room room, JSONObject change) {
    if (room.applyPresence(Wire.list(change, "joined", User::fromJson), Wire.texts(change, "left"), Wire.count(change, "count"))) {
      reportPresent(room);
    }
    if (room.summary.with != null) listChanged();
  }

  private void reportPresent(Room room) {
    List<User> users = room.present;
    int count = room.presentCount;
    if (room.open) callbacks.postLatest("present " + room.id(), () -> listener.onPresent(room.id(), users, count));
  }

  private void readChanged(Room room, JSONObject read) {
    long seq = Wire.number(read, "seq");
    if (read.optString("user").equals(me.user.id)) {
      if (read.has("mentions")) {
        unread(room, seq, Wire.number(read, "mentions"));
        return;
      }
      room.isKeptUnread = false;
      room.readUpTo(seq);
      room.acknowledgedSeq = Math.max(room.acknowledgedSeq, seq);
      if (room.summary.mentions > 0) countMentions(room);
      listChanged();
    } else {
      postForUser(() -> listener.onReadByOther(room.id(), seq));
    }
  }

  /**
   * Requests the number of unread mentions. After some messages were read on another device, only the server knows it.
   */
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
          void handleResponse(JSONObject data) {
            room.setMentions(Wire.number(Wire.object(data, "room"), "mentions"));
            listChanged();
            if (room.summary.readSeq > upTo) countMentions(room);
          }
        });
  }

  // Events from the rooms

  private final class RoomEvents implements Rooms.Port {
    @Override
    public void removed(Room room, RoomSummary before, Removal removal) {
      room.joined = false;
      room.open = false;
      openRooms.remove(room.id());
      failOpening(room.id(), new ChatError("unknown_room"));
      messages.remove(room.id());
      typing.forget(room.id());
      if (delivery != null) delivery.fail(room.id(), "unknown_room");
      postForUser(() -> listener.onRoomRemoved(before, removal));
      listChanged();
    }

    @Override
    public void changed() {
      listChanged();
    }
  }

  private final class SyncEvents implements RoomSync.Port {
    @Override
    public void arrived(Room room, List<Message> messages) {
      addMessages(room, messages);
    }

    @Override
    public void replies(Room room, List<Replies> threads) {
      reportReplies(room, threads);
    }

    @Override
    public void joined(Room room) {
      if (room.open) {
        openRooms.put(room.id(), true);
        reportPresent(room);
        if (room.summary.pins > 0) {
          loadPins(room);
        } else {
          room.pins = Collections.emptyList();
          reportPins(room);
        }
      }
      List<Callback<RoomSummary>> openCallbacks = pendingOpens.remove(room.id());
      if (openCallbacks != null) {
        for (Callback<RoomSummary> callback : openCallbacks) answer(callback, blocks.apply(room.summary));
      }
      if (delivery != null) delivery.sendNext(room.id());
      leaveIdleRooms();
      Chat.this.changed(room);
      listChanged();
    }

    @Override
    public void gone(Room room) {
      rooms.removed(room.id(), Removal.of(RemovalReason.UNKNOWN, false));
    }

    @Override
    public void changed(Room room) {
      Chat.this.changed(room);
    }
  }

  private final class DeliveryPort implements Delivery.Port {
    @Override
    public boolean canSend(String room) {
      Room existing = rooms.byId.get(room);
      return connection.ready() && existing != null && existing.joined;
    }

    @Override
    public void send(UnsentMessage item, Reply reply) {
      connection.request(
          "message:send",
          item.toRequest(),
          new Reply() {
            @Override
            public void ok(JSONObject data) {
              reply.ok(data);
            }

            @Override
            public void failed(ChatError error) {
              Room existing = rooms.byId.get(item.room);
              if (existing != null && error.code.equals("not_joined")) {
                existing.joined = false;
                sync.join(existing);
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
            void handleResponse(JSONObject data) {
              discarded.run();
            }
          });
    }

    @Override
    public void failed(UnsentMessage item) {
      postForUser(() -> listener.onUnsent(item));
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
      Room existing = rooms.byId.get(room);
      if (existing != null) Chat.this.changed(existing);
      // A room with unsent messages must be joined. Other closed rooms can be left.
      loop.run(Chat.this::joinForDelivery);
      loop.run(Chat.this::leaveIdleRooms);
    }

    @Override
    public void paused(@Nullable String code, long ms) {
      postForUser(() -> listener.onSendingPaused(code, ms));
    }
  }

  private final class UploadPort implements Uploads.Port {
    @Override
    public boolean ready() {
      return connection.ready();
    }

    @Override
    public void changed(Upload upload) {
      callbacks.postLatest("upload " + upload.key, () -> listener.onUpload(upload));
      if (delivery != null) delivery.handleUpload(upload);
    }
  }

  // Actions

  /** Joins an open room. */
  private void enter(String id) {
    Room room = rooms.byId.get(id);
    if (room != null) {
      enter(room);
      return;
    }
    rooms.fetch(
        "open " + id,
        id,
        new Rooms.RoomCallback() {
          @Override
          public void loaded(Room room) {
            if (openRooms.containsKey(id)) enter(room);
          }

          @Override
          public void handleRejection(ChatError error) {
            openRooms.remove(id);
            failOpening(id, error);
          }
        });
  }

  private void enter(Room room) {
    // The user was removed from this public room while offline. Joining would undo that.
    if (Boolean.TRUE.equals(openRooms.get(room.id())) && !room.summary.member) {
      rooms.removed(room.id(), Removal.of(RemovalReason.UNKNOWN, true));
      return;
    }
    room.open = true;
    changed(room);
    if (!room.joined) sync.join(room);
    else loop.run(() -> reportOpened(room));
  }

  private void reportOpened(Room room) {
    if (room.joined && rooms.byId.get(room.id()) == room) new SyncEvents().joined(room);
  }

  private void failOpening(String id, ChatError error) {
    List<Callback<RoomSummary>> openCallbacks = pendingOpens.remove(id);
    if (openCallbacks != null) for (Callback<RoomSummary> entry : openCallbacks) post(() -> entry.failed(error));
  }

  /** Leaves closed rooms that have no unsent messages. */
  private void leaveIdleRooms() {
    Set<String> unsent = delivery == null ? Collections.<String>emptySet() : delivery.roomsToSend();
    for (Room room : rooms.byId.values()) {
      if (!room.joined || room.open || unsent.contains(room.id())) continue;
      sync.leave(room);
      typing.forget(room.id());
    }
  }

  /** Joins rooms that have unsent messages. */
  private void joinForDelivery() {
    if (!connection.ready() || delivery == null) return;
    for (String id : delivery.roomsToSend()) {
      Room room = rooms.byId.get(id);
      if (room != null && room.joined) continue;
      if (room != null) {
        sync.join(room);
        continue;
      }
      rooms.fetch(
          "deliver to " + id,
          id,
          new Rooms.RoomCallback() {
            @Override
            public void loaded(Room room) {
              if (!room.joined) sync.join(room);
            }

            @Override
            public void handleRejection(ChatError error) {
              if (delivery != null) delivery.fail(id, error.code);
            }
          });
    }
  }

  /** Updates counters from new messages, and confirms the user's own. */
  private void addMessages(Room room, List<Message> arrived) {
    if (me == null) return;
    for (Message message : arrived) {
      room.addMessage(message, me.user);
      if (message.user.id.equals(me.user.id) && delivery != null) delivery.confirm(message);
    }
    // The user may be reading the oldest messages of the list.
    if (room.open && room.timeline.attached()) room.timeline.trim(Timeline.MAX_UNREAD);
    else room.timeline.trim();
    rooms.updateSortKey(room);
    changed(room);
    listChanged();
  }

  private void stored(Message message) {
    Room room = rooms.byId.get(message.room);
    if (room == null) return;
    room.timeline.stored(message);
    addMessages(room, Collections.singletonList(message));
  }

  /** Asks the server for the state of messages that are pending approval. */
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
          void handleResponse(JSONObject data) {
            Map<String, String> ids = new HashMap<>();
            Set<String> rejected = new HashSet<>();
            for (HeldMessage message : Wire.list(data, "held", HeldMessage::fromJson)) {
              if (message.clientId != null) ids.put(message.clientId, message.id);
              if (message.rejected != null) rejected.add(message.id);
            }
            if (delivery == asking) asking.compareHeld(before, ids, rejected);
          }
        });
  }

  private Message acknowledged(JSONObject data) {
    Message message = Message.fromJson(Wire.object(data, "message"));
    uploads.removeAttached(message.files);
    stored(message);
    return message;
  }

  private RoomSummary putRoom(JSONObject data) {
    Room room = rooms.put(RoomSummary.fromJson(Wire.object(data, "room")));
    listChanged();
    return blocks.apply(room.summary);
  }

  private RoomSummary unread(JSONObject data) {
    RoomSummary now = RoomSummary.fromJson(Wire.object(data, "room"));
    Room room = rooms.byId.get(now.id);
    if (room == null) return putRoom(data);
    unread(room, now.readSeq, now.mentions);
    return blocks.apply(room.summary);
  }

  private void unread(Room room, long seq, long mentions) {
    room.isKeptUnread = room.open;
    room.unreadAfter(seq, mentions);
    listChanged();
  }

  private @Nullable Void removed(String room, Removal removal) {
    rooms.removed(room, removal);
    return null;
  }

  private boolean isPublic(String room) {
    Room existing = rooms.byId.get(room);
    return existing != null && existing.summary.kind == RoomSummary.Kind.PUBLIC;
  }

  /** Clears the outbox, because the next user of this device must not find unsent messages. */
  private void clearUnsent() {
    uploads.clear();
    try {
      outbox.keepOnly(null);
    } catch (IOException | RuntimeException e) {
      // The next user's `Delivery` clears it before anything else.
    }
  }

  // Calls from the app

  private interface WithRoom {
    void run(Room room);
  }

  /** Runs the task on the chat's thread, unless the chat is closed. */
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

  private <T extends @Nullable Object> void sendRequest(
      String name, JSONObject payload, Wire.Reader<T> reader, @Nullable Callback<T> callback) {
    // After close() the thread may have ended, so the error is reported from here.
    String errorCode = closed ? ChatError.OFFLINE : isWellFormed(payload.toString()) ? null : "bad_request";
    if (errorCode != null) {
      if (callback != null) post(() -> callback.failed(new ChatError(errorCode)));
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
                    if (callback != null) post(() -> callback.failed(error));
                  }
                }));
  }

  private <T extends @Nullable Object> void answer(Callback<T> callback, T answer) {
    reportChanges();
    post(() -> callback.done(answer));
  }

  private void changed(Room room) {
    if (room.open) changedRooms.add(room.id());
    scheduleReport();
  }

  private void listChanged() {
    listChanged = true;
    scheduleReport();
  }

  /** Reports after all queued events, so that a burst of messages is one change. */
  private void scheduleReport() {
    if (isReportScheduled) return;
    isReportScheduled = true;
    loop.run(
        () -> {
          isReportScheduled = false;
          reportChanges();
        });
  }

  private void reportChanges() {
    if (me == null) return;
    if (listChanged) {
      listChanged = false;
      List<RoomSummary> list = new ArrayList<>();
      for (RoomSummary room : rooms.list()) list.add(blocks.apply(room));
      reportRooms(Collections.unmodifiableList(list), rooms.upToDate());
    }
    for (String id : changedRooms) {
      Room room = rooms.byId.get(id);
      if (room == null || !room.open) continue;
      Timeline timeline = room.timeline;
      List<UnsentMessage> unsent =
          delivery == null || !timeline.attached() ? Collections.<UnsentMessage>emptyList() : delivery.list(id);
      List<Entry> entries = Entry.list(blocks.apply(timeline.list()), unsent, me.user);
      boolean upToDate = room.joined && timeline.syncFrom() == Timeline.NONE;
      HistoryView view = new HistoryView(timeline.complete(), timeline.attached(), upToDate);
      messages.put(id, entries);
      callbacks.postLatest("messages " + id, () -> listener.onMessages(id, entries, view));
    }
    changedRooms.clear();
  }

  /** Does not report the same list again. The list of blocked users, which arrives after the rooms, often changes none. */
  private void reportRooms(List<RoomSummary> list, boolean upToDate) {
    // A changed room is a new object.
    if (list.equals(roomList) && upToDate == roomListUpToDate) return;
    roomList = list;
    roomListUpToDate = upToDate;
    callbacks.postLatest("rooms", () -> listener.onRooms(list, upToDate));
  }

  private void post(Runnable callback) {
    callbacks.post(callback);
  }

  private void postForUser(Runnable callback) {
    callbacks.postForUser(callback);
  }

  /**
   * Returns an ID for a request that must run only once, such as {@link #forward}.
   *
   * @return 128 random bits in hexadecimal digits
   */
  public static String newClientId() {
    byte[] bytes = new byte[16];
    RANDOM.nextBytes(bytes);
    StringBuilder id = new StringBuilder();
    for (byte b : bytes) id.append(String.format("%02x", b));
    return id.toString();
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
