package io.github.phpsessionchat;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.json.JSONArray;
import org.json.JSONObject;

/**
 * An app without a screen, for tests with a real site, server and browser ({@code test/android}). One process can run
 * several independent apps. Each input line is a command, {@code {app, id, do, …}}; the first one of an app creates it.
 * Each output line is a result, {@code {app, id, ok}} or {@code {app, id, error}}, or a callback,
 * {@code {app, told, …}}.
 */
public final class Robot implements ChatListener {
  private final PrintStream out;
  private final int app;
  private final SessionCookies cookies = new SessionCookies();
  private final OkHttpClient http = new OkHttpClient.Builder().cookieJar(cookies).build();
  /** Like the main thread of an Android app. */
  private final ExecutorService main = Executors.newSingleThreadExecutor(task -> new Thread(task, "main of the app"));

  /** Pauses an upload. */
  private final Semaphore held = new Semaphore(0);

  private Chat chat;
  /** The messages that the test read last. */
  private List<Entry> seen;

  private Robot(PrintStream out, int app) {
    this.out = out;
    this.app = app;
  }

  public static void main(String[] args) throws IOException {
    PrintStream out = new PrintStream(System.out, true, "UTF-8");
    Map<Integer, Robot> apps = new HashMap<>();
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      JSONObject command = new JSONObject(line);
      Robot robot = apps.computeIfAbsent(command.getInt("app"), app -> new Robot(out, app));
      try {
        robot.perform(command);
      } catch (SiteLogin.Refused e) {
        robot.answer(command, "error", new JSONObject().put("status", e.status).put("retryAfterMs", e.retryAfterMs));
      } catch (IOException | RuntimeException e) {
        robot.answer(command, "error", new JSONObject().put("message", e.toString()));
      }
    }
    System.exit(0);
  }

  private void perform(JSONObject c) throws IOException {
    String room = c.optString("room");
    switch (c.getString("do")) {
      case "logIn":
        new SiteLogin(http, c.getString("page")).logIn(c.getString("user"), c.getString("password"));
        answer(c, "ok", cookies.get(c.getString("page"), "PHPSESSID"));
        return;
      case "end":
        if (chat != null) chat.close();
        break;
      case "visit":
        answer(c, "ok", visit(c.getString("page")));
        return;
      case "setCookie":
        cookies.set(c.getString("page"), "PHPSESSID", c.getString("value"));
        break;
      case "chat":
        Chat.Builder builder = Chat.builder(c.getString("server"), main, this);
        if (c.has("session")) builder.session(() -> c.getString("session"));
        else if (c.has("tickets")) builder.tickets(ticketsAt(c.getString("tickets")));
        else builder.http(http);
        if (c.has("guest")) builder.guest(c.getString("guest"), c.getString("name"));
        if (c.has("origin")) builder.origin(c.getString("origin"));
        if (c.has("outbox")) builder.outbox(new FileOutbox(new File(c.getString("outbox")), c.getString("server")));
        chat = builder.build();
        break;
      case "start":
        chat.start();
        break;
      case "stop":
        chat.stop();
        break;
      case "wake":
        chat.wake();
        break;
      case "open":
        chat.openRoom(room, answering(c));
        return;
      case "close":
        chat.closeRoom(room);
        break;
      case "messages":
        seen = chat.messages(room);
        answer(c, "ok", json(seen));
        return;
      case "content":
        answer(c, "ok", message(c.getLong("seq")).toJsonObject());
        return;
      case "rooms":
        answer(c, "ok", json(chat.rooms()));
        return;
      case "older":
        chat.loadOlder(room);
        break;
      case "newer":
        chat.loadNewer(room);
        break;
      case "jumpTo":
        chat.jumpTo(room, c.getLong("seq"));
        break;
      case "jumpToEnd":
        chat.jumpToEnd(room);
        break;
      case "markRead":
        chat.markRead(room);
        break;
      case "markUnread":
        chat.markUnread(room, c.getLong("seq"), answering(c));
        return;
      case "typed":
        chat.typed(room);
        break;
      case "stoppedTyping":
        chat.stoppedTyping();
        break;
      case "send":
        NewMessage written = NewMessage.of(c.getString("text")).replyTo(c.optLong("replyTo"));
        for (JSONObject one : Wire.list(c, "mentions", json -> json)) {
          written.mention(new User(one.getString("user"), "?"), one.getInt("begin"), one.getInt("end"));
        }
        for (JSONObject one : Wire.list(c, "files", json -> json)) {
          written.file(one.getString("upload"), Wire.text(one, "alt"));
        }
        if (c.optBoolean("threadOnly")) written.threadOnly();
        if (c.has("card")) written.card(c.getString("card"));
        if (c.optBoolean("important")) written.important();
        if (c.has("poll")) {
          NewPoll poll = NewPoll.of(Wire.texts(c.getJSONObject("poll"), "options"));
          chat.sendPoll(room, c.getString("text"), poll, c.getString("clientId"), answering(c));
          return;
        }
        answer(c, "ok", chat.send(room, written));
        return;
      case "upload":
        answer(c, "ok", chat.upload(room, file(c)));
        return;
      case "release":
        held.release();
        break;
      case "retryUpload":
        chat.retryUpload(c.getString("upload"));
        break;
      case "cancelUpload":
        chat.cancelUpload(c.getString("upload"));
        break;
      case "uploads":
        answer(c, "ok", json(chat.uploads()));
        return;
      case "download":
        ChatFile wanted = c.has("pictureOf") ? pictureOf(c.getString("pictureOf")) : message(c.getLong("seq")).files.get(c.getInt("index"));
        answer(c, "ok", download(c.optBoolean("preview") ? chat.previewRequest(wanted) : chat.fileRequest(wanted)));
        return;
      case "retry":
        chat.retry(c.getString("clientId"));
        break;
      case "discard":
        chat.discard(c.getString("clientId"));
        break;
      case "edit":
        MessageEdit edit = MessageEdit.of(c.getString("text"));
        for (JSONObject one : Wire.list(c, "mentions", json -> json)) {
          edit.mention(new User(one.getString("user"), "?"), one.getInt("begin"), one.getInt("end"));
        }
        if (c.has("important")) edit.important(c.getBoolean("important"));
        if (c.has("kept")) {
          // Existing files, by index.
          List<ChatFile> kept = new ArrayList<>();
          for (String at : Wire.texts(c, "kept")) {
            kept.add(message(c.getLong("seq")).files.get(Integer.parseInt(at)).describedAs(Wire.text(c, "alt")));
          }
          for (Upload upload : chat.uploads()) if (Wire.texts(c, "added").contains(upload.key)) kept.add(upload.file);
          edit.files(kept);
        }
        chat.edit(message(c.getLong("seq")), edit, answering(c));
        return;
      case "delete":
        chat.delete(message(c.getLong("seq")), Wire.text(c, "reason"), answering(c));
        return;
      case "search":
        Search search = new Search();
        if (c.has("text")) search.text(c.getString("text"));
        if (c.has("room")) search.room(room);
        if (c.has("from")) search.from(c.getString("from"));
        if (c.has("has")) search.has(Message.Content.valueOf(c.getString("has")));
        if (c.has("sentFrom")) search.sentFrom(c.getLong("sentFrom"));
        if (c.has("sentBefore")) search.sentBefore(c.getLong("sentBefore"));
        chat.search(search, Wire.text(c, "cursor"), answering(c));
        return;
      case "files":
        chat.files(room, Message.Content.valueOf(c.getString("content")), Wire.text(c, "cursor"), answering(c));
        return;
      case "loadRoom":
        chat.loadRoom(room, answering(c));
        return;
      case "listRooms":
        chat.listRooms(c.getBoolean("own"), Wire.text(c, "query"), Wire.text(c, "cursor"), answering(c));
        return;
      case "createRoom":
        NewRoom made =
            c.has("members")
                ? NewRoom.privateRoom(c.getString("name"), Wire.texts(c, "members"))
                : NewRoom.publicRoom(c.getString("name"));
        chat.createRoom(c.has("topic") ? made.topic(c.getString("topic")) : made, answering(c));
        return;
      case "updateRoom":
        RoomChange change = new RoomChange();
        if (c.has("name")) change.name(c.getString("name"));
        if (c.has("topic")) change.topic(c.getString("topic"));
        if (c.has("write")) change.write(RoomSummary.Write.valueOf(c.getString("write")));
        if (c.has("slow")) change.slow(c.getInt("slow"));
        if (c.has("previews")) change.previews(c.getBoolean("previews"));
        if (c.has("seen")) change.seen(c.getBoolean("seen"));
        if (c.has("color")) change.color(RoomSummary.Color.valueOf(c.getString("color")));
        if (c.has("emoji")) change.emoji(c.getString("emoji"));
        if (c.has("picture")) {
          String key = Wire.text(c, "picture");
          change.picture(chat.uploads().stream().filter(one -> one.key.equals(key)).findFirst().map(one -> one.file).orElse(null));
        }
        chat.updateRoom(room, change, answering(c));
        return;
      case "setPreviews":
        chat.setPreviews(room, c.getBoolean("on"), answering(c));
        return;
      case "react":
        chat.react(message(c.getLong("seq")), c.getString("emoji"), c.getBoolean("on"), answering(c));
        return;
      case "vote":
        List<Integer> options = new ArrayList<>();
        for (Object option : c.getJSONArray("choice")) options.add((Integer) option);
        chat.vote(message(c.getLong("seq")), options, answering(c));
        return;
      case "endPoll":
        chat.endPoll(message(c.getLong("seq")), answering(c));
        return;
      case "reactions":
        chat.reactions(message(c.getLong("seq")), c.getString("emoji"), Wire.text(c, "cursor"), answering(c));
        return;
      case "pin":
        chat.pin(room, c.getLong("seq"), c.getBoolean("pinned"), answering(c));
        return;
      case "markImportant":
        chat.markImportant(message(c.getLong("seq")), c.getBoolean("important"), answering(c));
        return;
      case "pinned":
        chat.pinned(room, answering(c));
        return;
      case "forward":
        chat.forward(message(c.getLong("seq")), c.getString("to"), c.getString("clientId"), answering(c));
        return;
      case "seenBy":
        chat.seenBy(message(c.getLong("seq")), answering(c));
        return;
      case "about":
        chat.about(room, c.getString("user"), answering(c));
        return;
      case "hide":
        chat.hide(c.getBoolean("hidden"), answering(c));
        return;
      case "registerDevice":
        chat.registerDevice(c.getString("token"), Wire.text(c, "name"), answering(c));
        return;
      case "removeDevice":
        chat.removeDevice(c.getString("device"), answering(c));
        return;
      case "devices":
        chat.devices(answering(c));
        return;
      case "notices":
        chat.notices(answering(c));
        return;
      case "setNotices":
        NoticesChange notices = new NoticesChange();
        if (c.has("mail")) notices.mail(c.getInt("mail"));
        if (c.has("push")) notices.push(c.getBoolean("push"));
        JSONObject quiet = c.optJSONObject("quiet");
        if (quiet != null) {
          notices.quiet(new Notices.Quiet(quiet.getString("from"), quiet.getString("to"), Wire.text(quiet, "zone")));
        } else if (c.has("quiet")) {
          notices.quiet(null);
        }
        if (c.has("text")) notices.text(Notices.Shown.valueOf(c.getString("text")));
        if (c.has("language")) notices.language(c.getString("language"));
        chat.setNotices(notices, answering(c));
        return;
      case "active":
        chat.active();
        break;
      case "report":
        chat.report(
            message(c.getLong("seq")), Report.Reason.valueOf(c.getString("reason")), Wire.text(c, "text"), answering(c));
        return;
      case "reports":
        chat.reports(Wire.text(c, "cursor"), answering(c));
        return;
      case "closeReport":
        Report.Done done = Report.Done.valueOf(c.getString("done"));
        Report closing = Report.fromJson(c.getJSONObject("report"));
        String why = Wire.text(c, "reason");
        chat.closeReport(closing, done, c.optLong("seconds"), why, c.optBoolean("all"), answering(c));
        return;
      case "held":
        chat.held(Wire.text(c, "cursor"), answering(c));
        return;
      case "approve":
        chat.approve(HeldMessage.fromJson(c.getJSONObject("message")), answering(c));
        return;
      case "reject":
        chat.reject(HeldMessage.fromJson(c.getJSONObject("message")), Wire.text(c, "reason"), answering(c));
        return;
      case "team":
        chat.team(answering(c));
        return;
      case "askTeam":
        chat.askTeam(c.getString("text"), c.getString("clientId"), answering(c));
        return;
      case "openQuestion":
        chat.openQuestion(room, answering(c));
        return;
      case "takeQuestion":
        chat.takeQuestion(room, answering(c));
        return;
      case "closeQuestion":
        chat.closeQuestion(room, answering(c));
        return;
      case "mute":
        chat.mute(room, c.getString("user"), c.optLong("seconds"), Wire.text(c, "reason"), answering(c));
        return;
      case "unmute":
        chat.unmute(room, c.getString("user"), answering(c));
        return;
      case "ban":
        chat.ban(room, c.getString("user"), c.optLong("seconds"), Wire.text(c, "reason"), answering(c));
        return;
      case "unban":
        chat.unban(room, c.getString("user"), answering(c));
        return;
      case "restricted":
        chat.restricted(room, Wire.text(c, "cursor"), answering(c));
        return;
      case "block":
        chat.block(c.getString("user"), c.getBoolean("blocked"), answering(c));
        return;
      case "blocked":
        chat.blocked(answering(c));
        return;
      case "deleteRoom":
        chat.deleteRoom(room, answering(c));
        return;
      case "leaveRoom":
        chat.leaveRoom(room, answering(c));
        return;
      case "removeMember":
        chat.removeMember(room, c.getString("user"), answering(c));
        return;
      case "createInvite":
        chat.createInvite(room, c.getLong("seconds"), c.getInt("uses"), answering(c));
        return;
      case "invites":
        chat.invites(room, answering(c));
        return;
      case "revokeInvite":
        chat.revokeInvite(room, c.getString("invite"), answering(c));
        return;
      case "lookAtRoom":
        chat.lookAtRoom(room, Wire.text(c, "cursor"), answering(c));
        return;
      case "lookAtInvite":
        chat.lookAtInvite(c.getString("token"), answering(c));
        return;
      case "acceptInvite":
        chat.acceptInvite(c.getString("token"), answering(c));
        return;
      case "invite":
        chat.invite(room, Wire.texts(c, "users"), answering(c));
        return;
      case "setRole":
        chat.setRole(room, c.getString("user"), RoomSummary.Role.valueOf(c.getString("role")), answering(c));
        return;
      case "members":
        Boolean present = c.has("present") ? c.getBoolean("present") : null;
        chat.members(room, Wire.text(c, "query"), present, Wire.text(c, "cursor"), answering(c));
        return;
      case "setNotify":
        chat.setNotify(room, RoomSummary.Notify.valueOf(c.getString("notify")), c.optLong("quietMs"), answering(c));
        return;
      case "setFavourite":
        chat.setFavourite(room, c.isNull("position") ? null : c.getLong("position"), answering(c));
        return;
      case "setArchived":
        chat.setArchived(room, c.getBoolean("archived"), answering(c));
        return;
      case "openDirect":
        chat.openDirect(c.getString("user"), answering(c));
        return;
      case "findUsers":
        chat.findUsers(c.getString("query"), Wire.text(c, "room"), answering(c));
        return;
      default:
        throw new IllegalArgumentException(c.toString());
    }
    answer(c, "ok", null);
  }

  /**
   * A local file, or the letters a to z repeated. The source pauses at {@code hold} until it is released, and fails at
   * {@code breaks}.
   */
  private ChatFile pictureOf(String room) {
    return chat.rooms().stream().filter(one -> one.id.equals(room)).findFirst().orElseThrow(AssertionError::new).picture;
  }

  private NewFile file(JSONObject c) {
    if (c.has("path")) {
      NewFile file = NewFile.of(new File(c.getString("path")));
      return c.optBoolean("isRoomPicture") ? file.asRoomPicture() : file;
    }
    int size = c.getInt("size");
    int hold = c.optInt("hold", -1);
    int breaks = c.optInt("breaks", -1);
    return NewFile.of(
        c.getString("name"),
        c.optInt("said", size),
        () ->
            new InputStream() {
              private int at;

              @Override
              public int read() throws IOException {
                if (at == hold) held.acquireUninterruptibly();
                if (at == breaks) throw new IOException("gone");
                return at == size ? -1 : 'a' + at++ % 26;
              }

              @Override
              public int read(byte[] bytes, int from, int length) throws IOException {
                int n = 0;
                for (; n < length && (n == 0 || (at != hold && at != breaks)); n++) {
                  int one = read();
                  if (one < 0) return n == 0 ? -1 : n;
                  bytes[from + n] = (byte) one;
                }
                return n;
              }
            });
  }

  private JSONObject download(Request request) throws IOException {
    try (Response response = http.newCall(request).execute()) {
      byte[] bytes = response.body().bytes();
      JSONObject answer = new JSONObject().put("status", response.code()).put("type", response.header("Content-Type"));
      return answer.put("base64", Base64.getEncoder().encodeToString(bytes));
    }
  }

  private int visit(String page) throws IOException {
    try (Response response = http.newCall(new Request.Builder().url(page).build()).execute()) {
      return response.code();
    }
  }

  /** Returns a source that reports each result to the test. */
  private TicketSource ticketsAt(String page) {
    TicketUrl site = new TicketUrl(http, page);
    return () -> {
      try {
        String ticket = site.fetch();
        told("ticket", "issued", ticket != null);
        return ticket;
      } catch (IOException e) {
        told("ticket", "error", e.getMessage());
        throw e;
      }
    };
  }

  private Message message(long seq) {
    for (Entry entry : seen) {
      if (entry.message != null && entry.message.seq == seq) return entry.message;
    }
    throw new IllegalArgumentException("not listed: " + seq);
  }

  private <T> Callback<T> answering(JSONObject command) {
    return new Callback<T>() {
      @Override
      public void done(T answer) {
        answer(command, "ok", json(answer));
      }

      @Override
      public void failed(ChatError error) {
        answer(command, "error", new JSONObject().put("code", error.code).put("current", json((Object) error.current)));
      }
    };
  }

  private void answer(JSONObject command, String how, Object what) {
    say(new JSONObject().put("id", command.get("id")).put(how, what == null ? JSONObject.NULL : what));
  }

  private void say(JSONObject line) {
    synchronized (out) {
      out.println(line.put("app", app));
    }
  }

  /** Writes a callback with the name of its thread. */
  private void told(String name, Object... namesAndValues) {
    JSONObject line = new JSONObject().put("told", name).put("thread", Thread.currentThread().getName());
    for (int i = 0; i < namesAndValues.length; i += 2) line.put((String) namesAndValues[i], json(namesAndValues[i + 1]));
    say(line);
  }

  @Override
  public void onState(ConnectionState state) {
    Object ban = state.ban == null ? null : new JSONObject().put("until", state.ban.until).put("reason", state.ban.reason);
    told("state", "kind", state.kind, "reason", state.reason, "refusal", state.refusal, "ban", ban, "loginUrl", state.loginUrl);
  }

  @Override
  public void onIdentity(Identity me) {
    JSONObject limits = new JSONObject().put("text", me.textLimit).put("mentions", me.mentionsLimit);
    limits.put("file", me.fileLimit).put("files", me.filesLimit);
    JSONObject can = new JSONObject().put("sendFiles", me.canSendFiles).put("report", me.canReport).put("ask", me.canAsk);
    told("identity", "user", me.user, "limits", limits, "can", can, "firstRoom", me.firstRoom, "roles", me.roles);
  }

  @Override
  public void onHide() {
    told("hide");
  }

  @Override
  public void onRooms(List<RoomSummary> rooms, boolean upToDate) {
    told("rooms", "rooms", rooms, "upToDate", upToDate);
  }

  /** Omits the entries, because a list can have thousands. The command {@code messages} reads them. */
  @Override
  public void onMessages(String room, List<Entry> entries, HistoryView view) {
    int unsent = 0;
    for (Entry entry : entries) if (entry.unsent != null) unsent++;
    String last = entries.isEmpty() ? "" : entries.get(entries.size() - 1).text;
    told(
        "messages",
        "room", room,
        "count", entries.size(),
        "unsent", unsent,
        "last", last,
        "atBeginning", view.atBeginning,
        "atEnd", view.atEnd,
        "upToDate", view.upToDate);
  }

  @Override
  public void onNewMessage(RoomSummary room, RoomSummary.Last message) {
    told("newMessage", "room", room.id, "user", message.user, "text", message.text);
  }

  @Override
  public void onMention(RoomSummary room, Message message) {
    told("mention", "room", room, "message", message);
  }

  @Override
  public void onUnsent(UnsentMessage message) {
    told("unsent", "message", message);
  }

  @Override
  public void onUpload(Upload upload) {
    told("upload", "upload", upload);
  }

  @Override
  public void onSendingPaused(String code, long ms) {
    told("sendingPaused", "code", code, "ms", ms);
  }

  @Override
  public void onRoomRemoved(RoomSummary room, Removal removal) {
    told(
        "roomRemoved",
        "room", room.id,
        "reason", removal.reason,
        "readable", removal.readable,
        "text", removal.text,
        "until", removal.until);
  }

  @Override
  public void onPresent(String room, List<User> users, int count) {
    told("present", "room", room, "users", users, "count", count);
  }

  @Override
  public void onMembers(String room, List<RoomMember> changed, List<User> gone, boolean partial) {
    told("members", "room", room, "changed", changed, "gone", gone);
  }

  @Override
  public void onPins(String room, List<PinnedMessage> pins) {
    told("pins", "room", room, "pins", pins);
  }

  @Override
  public void onTyping(String room, List<User> users) {
    told("typing", "room", room, "users", users);
  }

  @Override
  public void onReadByOther(String room, long seq) {
    told("readByOther", "room", room, "seq", seq);
  }

  @Override
  public void onSeenBy(String room, long seq, Answers.SeenBy seen) {
    told("seenBy", "room", room, "seq", seq, "users", seen.users, "total", seen.total);
  }

  @Override
  public void onHeld(String room) {
    told("held", "room", room);
  }

  @Override
  public void onQuestion(Question question) {
    told("question", "question", question);
  }

  @Override
  public void onReport(Report report, int open) {
    told("report", "report", report, "open", open);
  }

  @Override
  public void onBlocked(String user, boolean blocked) {
    told("blocked", "user", user, "blocked", blocked);
  }

  @Override
  public void onPush(String name, Object data) {
    told("push", "name", name, "data", data);
  }

  /** Converts values to JSON for the test. */
  private static Object json(Object value) {
    if (value instanceof Collection) {
      JSONArray array = new JSONArray();
      for (Object item : (Collection<?>) value) array.put(json(item));
      return array;
    }
    if (value instanceof Map) return new JSONObject((Map<?, ?>) value);
    if (value instanceof Enum) return ((Enum<?>) value).name();
    if (value instanceof User) return ((User) value).id;
    if (value instanceof PinnedMessage) {
      PinnedMessage pinned = (PinnedMessage) value;
      return new JSONObject()
          .put("seq", pinned.message.seq)
          .put("text", pinned.message.text)
          .put("by", pinned.by.id);
    }
    if (value instanceof Presence) {
      Presence presence = (Presence) value;
      return new JSONObject()
          .put("role", json(presence.role))
          .put("present", presence.present)
          .put("known", presence.lastHere > 0)
          .put("hidden", presence.hidden);
    }
    if (value instanceof RoomMember) {
      RoomMember member = (RoomMember) value;
      return new JSONObject()
          .put("user", member.user.id)
          .put("role", member.role.name())
          .put("present", member.present);
    }
    if (value instanceof Message) return json((Message) value);
    if (value instanceof Upload) {
      Upload upload = (Upload) value;
      return new JSONObject()
          .put("key", upload.key)
          .put("name", upload.name)
          .put("size", upload.size)
          .put("sent", upload.sent)
          .put("file", json(upload.file))
          .put("failed", upload.failed);
    }
    if (value instanceof ChatFile) {
      ChatFile file = (ChatFile) value;
      return new JSONObject()
          .put("name", file.name)
          .put("type", file.type)
          .put("size", file.size)
          .put("alt", file.alt)
          .put("width", file.image == null ? null : file.image.width)
          .put("blur", file.image == null ? null : file.image.blur);
    }
    if (value instanceof UnsentFile) {
      UnsentFile file = (UnsentFile) value;
      return new JSONObject().put("key", file.key).put("name", file.name).put("there", file.file != null);
    }
    if (value instanceof Report) {
      Report report = (Report) value;
      return new JSONObject()
          .put("id", report.id)
          .put("room", report.room)
          .put("message", json(report.message))
          .put("by", report.by.id)
          .put("reason", report.reason.name())
          .put("text", report.text)
          .put("done", report.closed == null ? null : report.closed.done.name());
    }
    if (value instanceof HeldMessage) {
      HeldMessage message = (HeldMessage) value;
      return new JSONObject()
          .put("id", message.id)
          .put("room", message.room)
          .put("user", message.user.id)
          .put("seq", message.seq)
          .put("text", message.textWithNames());
    }
    if (value instanceof Question) {
      Question question = (Question) value;
      return new JSONObject()
          .put("room", question.room)
          .put("name", question.name)
          .put("state", question.state.name())
          .put("asker", question.asker.id)
          .put("by", json(question.by))
          .put("opened", question.openedAt > 0)
          .put("waits", question.waitingSince > 0)
          .put("answered", question.answeredAt > 0)
          .put("closed", question.closedAt > 0)
          .put("last", question.last == null ? null : question.last.text);
    }
    if (value instanceof Device) {
      Device device = (Device) value;
      return new JSONObject().put("id", device.id).put("kind", device.kind.name()).put("name", device.name).put("at", device.at);
    }
    if (value instanceof Notices) {
      Notices notices = (Notices) value;
      Notices.Quiet quiet = notices.quiet;
      return new JSONObject()
          .put("mail", notices.mail)
          .put("push", notices.push)
          .put("quiet", quiet == null ? null : quiet.from + " " + quiet.to + " " + quiet.zone)
          .put("text", notices.text.name());
    }
    if (value instanceof Invite) {
      Invite invite = (Invite) value;
      return new JSONObject()
          .put("id", invite.id)
          .put("by", invite.by.id)
          .put("lasts", invite.until == 0 ? 0 : invite.until - invite.at)
          .put("uses", invite.uses)
          .put("used", invite.used)
          .put("token", invite.token);
    }
    if (value instanceof InvitedRoom) {
      InvitedRoom invited = (InvitedRoom) value;
      return new JSONObject()
          .put("by", invited.by.id)
          .put("name", invited.name)
          .put("topic", invited.topic)
          .put("members", invited.members)
          .put("people", invited.people.size())
          .put("room", invited.room);
    }
    if (value instanceof Restriction) {
      Restriction one = (Restriction) value;
      return new JSONObject()
          .put("user", one.user.id)
          .put("kind", one.kind.name())
          .put("until", one.until)
          .put("reason", one.reason)
          .put("by", one.by.id);
    }
    if (value instanceof UnsentMessage) {
      UnsentMessage item = (UnsentMessage) value;
      return new JSONObject()
          .put("clientId", item.clientId)
          .put("room", item.room)
          .put("text", item.text)
          .put("files", json(item.files))
          .put("failed", item.failed);
    }
    if (value instanceof Entry) {
      Entry entry = (Entry) value;
      return entry.message != null ? json(entry.message) : json(entry.unsent);
    }
    if (value instanceof RoomSummary) return json((RoomSummary) value);
    if (value instanceof Answers.Members) {
      Answers.Members members = (Answers.Members) value;
      return new JSONObject().put("items", json(members.items)).put("count", members.count);
    }
    if (value instanceof Answers.Page) {
      Answers.Page<?> page = (Answers.Page<?>) value;
      return new JSONObject().put("items", json(page.items)).put("next", page.next);
    }
    if (value instanceof Answers.Team) {
      Answers.Team team = (Answers.Team) value;
      return new JSONObject()
          .put("members", json(team.members))
          .put("answeredInMs", team.answeredInMs)
          .put("text", team.text);
    }
    if (value instanceof Answers.SeenBy) {
      Answers.SeenBy seen = (Answers.SeenBy) value;
      return new JSONObject().put("users", json(seen.users)).put("total", seen.total);
    }
    if (value instanceof Answers.Created) {
      Answers.Created created = (Answers.Created) value;
      return new JSONObject().put("room", json(created.room)).put("failed", json(created.failed));
    }
    if (value instanceof Answers.Invited) {
      Answers.Invited invited = (Answers.Invited) value;
      return new JSONObject().put("added", json(invited.added)).put("failed", json(invited.failed));
    }
    if (value instanceof Answers.Found) {
      Answers.Found found = (Answers.Found) value;
      return new JSONObject().put("users", json(found.users)).put("inRoom", json(found.inRoom));
    }
    return value;
  }

  private static JSONObject json(Message message) {
    return new JSONObject()
        .put("seq", message.seq)
        .put("rev", message.rev)
        .put("clientId", message.clientId)
        .put("user", message.user.id)
        .put("text", message.text)
        .put("replyTo", message.replyTo)
        .put("forwarded", message.forwarded != null)
        .put("forwardedFrom", message.forwarded == null || message.forwarded.user == null ? null : message.forwarded.user.id)
        .put("edited", message.isEdited())
        .put("hidden", message.hidden)
        .put("important", message.important ? true : null)
        .put("files", message.files.isEmpty() ? null : json(message.files))
        .put("shown", message.textWithNames())
        .put("reactions", message.reactions.isEmpty() ? null : new JSONArray(reactions(message)))
        .put("deletedBy", message.deletedBy == null ? null : message.deletedBy.name());
  }

  private static List<String> reactions(Message message) {
    List<String> shown = new ArrayList<>();
    for (Reaction one : message.reactions) shown.add(one + (one.mine ? " mine " : " ") + one.users);
    return shown;
  }

  private static JSONObject json(RoomSummary.QuestionState question) {
    return new JSONObject()
        .put("state", question.state.name())
        .put("asker", question.asker.id)
        .put("by", json((Object) question.by));
  }

  private static JSONObject json(RoomSummary room) {
    List<String> may = new ArrayList<>();
    for (RoomSummary.Right right : room.may) may.add(right.name());
    return new JSONObject()
        .put("id", room.id)
        .put("name", room.name)
        .put("topic", room.topic)
        .put("kind", room.kind.name())
        .put("member", room.member)
        .put("members", room.members)
        .put("role", room.role == null ? null : room.role.name())
        .put("may", new JSONArray(may))
        .put("with", room.with == null ? null : room.with.id)
        .put("unread", room.unread)
        .put("mentions", room.mentions)
        .put("firstSeq", room.firstSeq)
        .put("last", room.last == null ? null : room.last.text)
        .put("lastFiles", room.last == null ? 0 : room.last.files)
        .put("lastHidden", room.last != null && room.last.hidden)
        .put("notify", room.notify.name())
        .put("quiet", room.isQuiet())
        .put("favourite", room.favourite)
        .put("archived", room.archived)
        .put("previews", room.previews)
        .put("seen", room.seen)
        .put("write", room.write.name())
        .put("slow", room.slow)
        .put("color", room.color == null ? null : room.color.name())
        .put("emoji", room.emoji)
        .put("question", room.question == null ? null : json(room.question))
        .put("picture", room.picture == null ? null : room.picture.id)
        .put("mutedUntil", room.mutedUntil)
        .put("mutedReason", room.mutedReason)
        .put("reports", room.reports);
  }
}
