package io.github.phpsessionchat;

import io.socket.parser.IOParser;
import io.socket.parser.Parser;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/**
 * Keeps packets from the stock client that it cannot take. It throws on its own threads at what it
 * does not expect (a proxy's page, bytes, an event without a name), and on Android that ends the app.
 */
final class Packets {
  /** Far more than the server sends at once: it ends answers at 256 KiB. */
  static final int LONGEST = 16 << 20;

  private static final int LONGEST_HANDSHAKE = 10_000;
  /** Android reads JSON by recursion, and so does this library. */
  private static final int DEEPEST = 200;
  /** Far more than any number needs: of millions of digits the library of JSON would make a number for hours. */
  private static final int MOST_DIGITS = 100;

  /** It would log the packet that it cannot read, and a packet may hold somebody's text. */
  private static final Logger STOCK_LOGGER = Logger.getLogger(IOParser.class.getName());

  static {
    STOCK_LOGGER.setLevel(Level.OFF);
  }

  private Packets() {}

  /** All packets of one answer to a poll; {@code first}: the answer to the request that opens the connection. */
  static boolean isPayload(String payload, boolean first) {
    boolean opens = first;
    int from = 0;
    for (int to = payload.indexOf('\u001e'); to >= 0; to = payload.indexOf('\u001e', from)) {
      if (!isPacket(payload.substring(from, to), opens)) return false;
      opens = false;
      from = to + 1;
    }
    return isPacket(payload.substring(from), opens);
  }

  /** A packet of Engine.IO as text. The first opens the connection, no other does. Bytes are not sent in this chat. */
  static boolean isPacket(String packet, boolean first) {
    if (packet.isEmpty() || packet.length() > LONGEST) return false;
    char type = packet.charAt(0);
    if (first || type == '0') return first && type == '0' && isHandshake(packet.substring(1));
    return type == '4' ? packet.length() > 1 : type >= '1' && type <= '6';
  }

  private static boolean isHandshake(String json) {
    if (json.length() > LONGEST_HANDSHAKE || !isReadable(json)) return false;
    try {
      JSONObject handshake = new JSONObject(json);
      JSONArray upgrades = handshake.getJSONArray("upgrades");
      int webSockets = 0;
      for (int i = 0; i < upgrades.length(); i++) {
        String upgrade = upgrades.getString(i);
        if (upgrade.equals("polling")) return false;
        if (upgrade.equals("websocket")) webSockets++;
      }
      boolean timed = handshake.getLong("pingInterval") > 0 && handshake.getLong("pingTimeout") > 0;
      return timed && webSockets <= 1 && !handshake.getString("sid").isEmpty();
    } catch (JSONException e) {
      return false;
    }
  }

  /** Whether JSON, or what shall be JSON, is nested no deeper than can be read, and has no number that is longer. */
  static boolean isReadable(String json) {
    int depth = 0;
    int digits = 0;
    boolean quoted = false;
    for (int i = 0; i < json.length(); i++) {
      char c = json.charAt(i);
      if (c == '"') quoted = !quoted;
      else if (quoted) i += c == '\\' ? 1 : 0;
      else if (c == '[' || c == '{') depth++;
      else if (c == ']' || c == '}') depth--;
      digits = !quoted && c >= '0' && c <= '9' ? digits + 1 : 0;
      if (depth > DEEPEST || digits > MOST_DIGITS) return false;
    }
    return true;
  }

  /** Socket.IO's packets, as the stock client reads them; after one that it cannot read, it is given no more. */
  static final class Decoder implements Parser.Decoder {
    private final Parser.Decoder stock = new IOParser.Decoder();
    private final Runnable broken;
    private boolean failed;

    Decoder(Runnable broken) {
      this.broken = broken;
    }

    @Override
    public void add(String packet) {
      if (failed) return;
      // After an event or an acknowledgement with bytes it would wait for these.
      boolean hasBytes = packet.startsWith("5") || packet.startsWith("6");
      if (hasBytes || !isReadable(packet)) {
        fail();
        return;
      }
      try {
        // The stock client handles the packet in here as well.
        stock.add(packet);
      } catch (RuntimeException e) {
        fail();
      }
    }

    @Override
    public void add(byte[] bytes) {
      if (!failed) fail();
    }

    @Override
    public void destroy() {
      stock.destroy();
    }

    @Override
    public void onDecoded(Callback callback) {
      stock.onDecoded(callback);
    }

    private void fail() {
      failed = true;
      broken.run();
    }
  }
}
