package io.github.phpsessionchat.cli;

import io.github.phpsessionchat.Answers;
import io.github.phpsessionchat.Callback;
import io.github.phpsessionchat.Chat;
import io.github.phpsessionchat.ChatError;
import io.github.phpsessionchat.ChatFile;
import io.github.phpsessionchat.ChatListener;
import io.github.phpsessionchat.ConnectionState;
import io.github.phpsessionchat.Entry;
import io.github.phpsessionchat.HistoryView;
import io.github.phpsessionchat.Identity;
import io.github.phpsessionchat.Message;
import io.github.phpsessionchat.NewFile;
import io.github.phpsessionchat.NewMessage;
import io.github.phpsessionchat.Removal;
import io.github.phpsessionchat.RoomMember;
import io.github.phpsessionchat.RoomSummary;
import io.github.phpsessionchat.Search;
import io.github.phpsessionchat.SessionCookies;
import io.github.phpsessionchat.SiteLogin;
import io.github.phpsessionchat.UnsentMessage;
import io.github.phpsessionchat.Upload;
import io.github.phpsessionchat.User;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import okhttp3.Call;
import okhttp3.OkHttpClient;
import okhttp3.Response;

/** A command-line chat: an example app, and a way to try the client without a phone. */
public final class Cli implements ChatListener {
  private static final String USAGE =
      "usage: npm run android:cli -- USER [PASSWORD] [--site URL] [--chat URL] [--room ID]\n"
          + "  PASSWORD  default: the user name, as on the sample site\n"
          + "  --site    the login page; default: http://localhost:8080/\n"
          + "  --chat    the chat server; default: http://localhost:7070/\n"
          + "  --room    the room to open; default: the first room";
  private static final String HELP =
      "Type a text to send it. /rooms  /open ROOM  /older  /who  /reply SEQ TEXT  /edit SEQ TEXT  /delete SEQ\n"
          + "/mention USER TEXT  /file PATH [DESCRIPTION]  /save SEQ FOLDER  /react SEQ EMOJI\n/search TEXT  /find NAME  /direct USER  /leave  /quit";

  private final PrintStream out;
  /** Runs all callbacks and commands. On Android, use the main looper instead. */
  private final ExecutorService main = Executors.newSingleThreadExecutor();

  private final OkHttpClient http;
  private final Chat chat;
  /** The current room. Like the fields below, used only on the executor. */
  private String room;

  private boolean greeted;
  /** The last printed text of each line, by key. */
  private final Map<String, String> shown = new HashMap<>();

  private Cli(PrintStream out, OkHttpClient http, String server, String room) {
    this.out = out;
    this.room = room;
    this.http = http;
    chat = Chat.builder(server, main, this).http(http).build();
  }

  /**
   * Chats until the input ends.
   *
   * @param args see the usage
   * @throws IOException if the terminal fails
   */
  public static void main(String[] args) throws IOException {
    Map<String, String> options = new HashMap<>();
    options.put("--site", "http://localhost:8080/");
    options.put("--chat", "http://localhost:7070/");
    String user = null;
    String password = null;
    for (int i = 0; i < args.length; i++) {
      if (args[i].matches("--(site|chat|room)") && i + 1 < args.length) options.put(args[i], args[++i]);
      else if (!args[i].startsWith("-") && user == null) user = args[i];
      else if (!args[i].startsWith("-") && password == null) password = args[i];
      else user = null;
    }
    if (user == null) {
      System.err.println(USAGE);
      System.exit(64);
    }
    OkHttpClient http = new OkHttpClient.Builder().cookieJar(new SessionCookies()).build();
    try {
      new SiteLogin(http, options.get("--site")).logIn(user, password == null ? user : password);
    } catch (IOException e) {
      System.err.println(e.getMessage());
      System.exit(1);
    }
    PrintStream out = new PrintStream(System.out, true, "UTF-8");
    new Cli(out, http, options.get("--chat"), options.get("--room")).talk();
    System.exit(0);
  }

  private void talk() throws IOException {
    out.println(HELP);
    chat.start();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
    for (String line = lines.readLine(); line != null && !line.equals("/quit"); line = lines.readLine()) {
      String typed = line;
      if (!typed.isEmpty()) main.execute(() -> perform(typed));
    }
    chat.close();
  }

  private void perform(String line) {
    String[] words = line.split(" ", 3);
    String one = words.length > 1 ? words[1] : "";
    String rest = line.substring(Math.min(line.length(), words[0].length() + 1));
    boolean needsRoom = !line.startsWith("/") || words[0].matches("/(older|who|reply|edit|delete|mention|file|save|react|leave)");
    if (needsRoom && room == null) {
      out.println("* no room is open");
      return;
    }
    switch (words[0]) {
      case "/rooms":
        for (RoomSummary each : chat.rooms()) {
          String news = each.unread > 0 ? "  (" + each.unread + " new" + (each.mentions > 0 ? ", @" : "") + ")" : "";
          out.println("  " + each.id + "  " + each.name + news);
        }
        break;
      case "/open":
        open(one);
        break;
      case "/older":
        chat.loadOlder(room);
        break;
      case "/who":
        chat.members(room, null, true, null, answer(this::printMembers));
        break;
      case "/reply":
        if (words.length == 3 && find(one) != null) chat.send(room, words[2], find(one).seq);
        break;
      case "/edit":
        if (words.length == 3 && find(one) != null) chat.edit(find(one), words[2], answer(message -> {}));
        break;
      case "/delete":
        if (find(one) != null) chat.delete(find(one), null, answer(message -> {}));
        break;
      case "/mention":
        if (words.length == 3) mention(one, words[2]);
        break;
      case "/file":
        String upload = chat.upload(room, NewFile.of(new File(one)));
        chat.send(room, NewMessage.of("").file(upload, words.length == 3 ? words[2] : null));
        break;
      case "/save":
        Message from = words.length == 3 ? find(one) : null;
        if (from != null) for (ChatFile file : from.files) save(file, new File(words[2]));
        break;
      case "/react":
        if (words.length == 3 && find(one) != null) chat.react(find(one), words[2], true, answer(message -> {}));
        break;
      case "/search":
        chat.search(new Search().text(rest), null, answer(page -> page.items.forEach(this::printFound)));
        break;
      case "/find":
        chat.findUsers(rest, null, answer(found -> found.users.forEach(user -> out.println("  " + user.id + "  " + user))));
        break;
      case "/direct":
        chat.openDirect(one, answer(direct -> open(direct.id)));
        break;
      case "/leave":
        chat.leaveRoom(room, answer(nothing -> {}));
        break;
      default:
        if (line.startsWith("/")) out.println(HELP);
        else chat.send(room, line);
    }
  }

  private void open(String id) {
    if (room != null && !room.equals(id)) chat.closeRoom(room);
    room = id;
    shown.clear();
    chat.openRoom(id, answer(opened -> out.println("* " + opened.name + ", " + opened.members + " members")));
  }

  /** Returns the listed message with this number, or null. */
  private Message find(String seq) {
    for (Entry entry : chat.messages(room)) {
      if (entry.message != null && String.valueOf(entry.message.seq).equals(seq)) return entry.message;
    }
    out.println("* message " + seq + " is not listed");
    return null;
  }

  /** The text contains the ID; readers see the name. */
  private void mention(String id, String text) {
    String name = "@" + id;
    chat.send(room, NewMessage.of(name + " " + text).mention(new User(id, id), 0, name.length()));
  }

  /** Saves the file under its ID, because another user chose its name. */
  private void save(ChatFile file, File folder) {
    http.newCall(chat.fileRequest(file))
        .enqueue(
            new okhttp3.Callback() {
              @Override
              public void onResponse(Call call, Response response) throws IOException {
                try (Response answer = response) {
                  if (!answer.isSuccessful()) throw new IOException("HTTP " + answer.code());
                  File target = new File(folder, file.id);
                  Files.copy(answer.body().byteStream(), target.toPath());
                  out.println("* " + file.name + " is in " + target);
                }
              }

              @Override
              public void onFailure(Call call, IOException error) {
                out.println("* " + file.name + ": " + error.getMessage());
              }
            });
  }

  private void printMembers(Answers.Members members) {
    for (RoomMember member : members.items) out.println("  " + member.user.id + "  " + member.user);
  }

  private void printFound(Message message) {
    out.println("  " + message.room + " " + message.seq + "  " + message.user + ": " + message.text);
  }

  private interface Done<T> {
    void done(T answer);
  }

  private <T> Callback<T> answer(Done<T> done) {
    return new Callback<T>() {
      @Override
      public void done(T answer) {
        done.done(answer);
      }

      @Override
      public void failed(ChatError error) {
        out.println("* " + error.code + ": " + error.getMessage());
      }
    };
  }

  @Override
  public void onState(ConnectionState state) {
    out.println("* " + state);
  }

  @Override
  public void onIdentity(Identity me) {
    // After a reconnect, the chat opens its rooms itself.
    if (greeted) return;
    greeted = true;
    out.println("* hello " + me.user);
    String first = room == null ? me.firstRoom : room;
    if (first != null) open(first);
  }

  @Override
  public void onHide() {
    shown.clear();
  }

  @Override
  public void onMessages(String id, List<Entry> entries, HistoryView view) {
    if (!id.equals(room)) return;
    for (Entry entry : entries) {
      Message message = entry.message;
      if (message == null) continue;
      String text = message.isDeleted() ? "(deleted)" : message.textWithNames() + (message.isEdited() ? " (edited)" : "");
      for (ChatFile file : message.files) {
        text += " [" + file.name + ", " + file.size + " bytes" + (file.alt == null ? "" : ": " + file.alt) + "]";
      }
      if (message.hidden) text = "(from a blocked user)";
      if (!message.reactions.isEmpty()) text += "  " + message.reactions;
      if (text.equals(shown.put(entry.key, text))) continue;
      String to = message.replyTo == 0 ? "" : " to " + message.replyTo;
      out.println(message.seq + to + "  " + message.user + ": " + text);
    }
    if (view.atEnd) chat.markRead(id);
  }

  @Override
  public void onNewMessage(RoomSummary where, RoomSummary.Last message) {
    String files = message.files == 0 ? "" : " [" + message.files + " files]";
    if (!where.id.equals(room)) out.println("* " + where.name + ": " + message.user + " writes: " + message.text + files);
  }

  @Override
  public void onMention(RoomSummary where, Message message) {
    if (where.id.equals(room)) return;
    out.println("* " + where.name + ": " + message.user + " mentions you: " + message.textWithNames());
  }

  @Override
  public void onTyping(String id, List<User> users) {
    if (id.equals(room) && !users.isEmpty()) out.println("* " + users + " …");
  }

  @Override
  public void onUnsent(UnsentMessage message) {
    out.println("* not sent (" + message.failed + "): " + message.text);
  }

  @Override
  public void onUpload(Upload upload) {
    if (upload.failed != null) out.println("* " + upload.name + " was not uploaded (" + upload.failed + ")");
    else if (upload.file == null) out.println("* " + upload.name + ": " + upload.sent + " of " + upload.size);
  }

  @Override
  public void onSendingPaused(String code, long ms) {
    if (code != null) out.println("* " + code + ", retrying in " + ms + " ms");
  }

  @Override
  public void onRoomRemoved(RoomSummary where, Removal removal) {
    out.println("* " + where.name + ": you are no longer a member (" + removal.reason + ")");
    if (where.id.equals(room)) room = null;
  }
}
