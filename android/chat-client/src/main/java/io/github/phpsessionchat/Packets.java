package io.github.phpsessionchat;

import io.socket.parser.IOParser;
import io.socket.parser.Parser;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/**
 * Keeps malformed packets from Socket.IO's client, which throws on its own threads for a proxy's page, bytes or an
 * event without a name. On Android this would crash the app.
 */
final class Packets {
  /** Size limit in characters. The server limits a response to 256 KiB. */
  static final int MAX_LENGTH = 16 << 20;

  private static final int MAX_HANDSHAKE_LENGTH = 10_000;
  /** Nesting limit. Android and org.json parse JSON recursively. */
  private static final int MAX_DEPTH = 200;
  /** No valid number is this long. The JSON library would spend hours on one with millions of digits. */
  private static final int MAX_DIGITS = 100;

  /** Turned off, because it logs malformed packets, which may contain message text. */
  private static final Logger STOCK_LOGGER = Logger.getLogger(IOParser.class.getName());

  static {
    STOCK_LOGGER.setLevel(Level.OFF);
  }

  private Packets() {}

  /** Checks all packets of a poll response. {@code first} marks the response that opens the connection. */
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

  /** Returns the number of packets of a poll response. */
  static int count(String payload) {
    int count = 1;
    for (int i = payload.indexOf('\u001e'); i >= 0; i = payload.indexOf('\u001e', i + 1)) count++;
    return count;
  }

  /** Checks an Engine.IO text packet. Only the first packet opens a connection. The chat sends no binary packets. */
  static boolean isPacket(String packet, boolean first) {
    if (packet.isEmpty() || packet.length() > MAX_LENGTH) return false;
    char type = packet.charAt(0);
    if (first || type == '0') return first && type == '0' && isHandshake(packet.substring(1));
    return type == '4' ? packet.length() > 1 : type >= '1' && type <= '6';
  }

  private static boolean isHandshake(String json) {
    if (json.length() > MAX_HANDSHAKE_LENGTH || !isReadable(json)) return false;
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

  /** Whether the nesting and the numbers of this text are within the limits for the JSON library. */
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
      if (depth > MAX_DEPTH || digits > MAX_DIGITS) return false;
    }
    return true;
  }

  /** Decodes Socket.IO packets with the stock decoder. After a malformed packet, it ignores all others. */
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
      // After a binary event or acknowledgement, the decoder would wait for the bytes.
      boolean hasBytes = packet.startsWith("5") || packet.startsWith("6");
      if (hasBytes || !isReadable(packet)) {
        fail();
        return;
      }
      try {
        // Socket.IO's client also handles the packet inside this call.
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
