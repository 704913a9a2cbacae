package io.github.phpsessionchat;

import java.io.IOException;
import okhttp3.Response;
import okio.Buffer;
import okio.ForwardingSource;
import okio.Sink;
import okio.Socket;
import okio.Source;

/** The bytes that come over a WebSocket. OkHttp keeps a message until it is whole, however long it is; here it ends. */
final class Frames extends ForwardingSource {
  /**
   * OkHttp keeps the answers to pings until the server takes them, however many they are. The chat server sends none; a
   * proxy that sends one every few seconds reaches this after a day, and the client connects again.
   */
  static final int MOST_PINGS = 10_000;

  private int pings;
  /** Bytes of the frame's head that have come. */
  private int head;
  /** Bytes of its length, after the first two; and those that are yet to come. */
  private int lengthBytes;

  private boolean isControl;
  private boolean continues;
  /** Bytes of the frame that are yet to come, and those of the message so far. */
  private long left;

  private long message;

  private Frames(Source source) {
    super(source);
  }

  /** The answer that has opened a WebSocket. The server never compresses: what is short on the way stays short. */
  static Response bounded(Response response) {
    Socket socket = response.socket();
    if (socket == null) return response;
    Source frames = new Frames(socket.getSource());
    Socket bounded =
        new Socket() {
          @Override
          public Source getSource() {
            return frames;
          }

          @Override
          public Sink getSink() {
            return socket.getSink();
          }

          @Override
          public void cancel() {
            socket.cancel();
          }
        };
    return response.newBuilder().removeHeader("Sec-WebSocket-Extensions").socket(bounded).build();
  }

  @Override
  public long read(Buffer sink, long byteCount) throws IOException {
    long read = super.read(sink, byteCount);
    for (long at = sink.size() - read; read > 0 && at < sink.size(); ) {
      if (left > 0) {
        long passed = Math.min(left, sink.size() - at);
        left -= passed;
        at += passed;
      } else {
        head(sink.getByte(at++) & 0xff);
      }
    }
    return read;
  }

  /** A byte of the head of a frame. A mask, which no server may send, OkHttp refuses. */
  private void head(int next) throws IOException {
    if (head == 0) {
      if ((next & 0x0f) == 0x9 && ++pings > MOST_PINGS) throw new IOException("the server sends too many pings");
      isControl = (next & 0x08) != 0;
      continues = (next & 0x0f) == 0;
      head = 1;
    } else if (head == 1) {
      int length = next & 0x7f;
      lengthBytes = length == 127 ? 8 : length == 126 ? 2 : 0;
      left = 0;
      head = 2;
      if (lengthBytes == 0) begin(length);
    } else {
      // While the length is read it counts as none that is left.
      length = length << 8 | next;
      if (--lengthBytes == 0) begin(length);
    }
  }

  private long length;

  private void begin(long length) throws IOException {
    this.length = 0;
    head = 0;
    left = length;
    if (isControl) return;
    message = (continues ? message : 0) + length;
    if (length < 0 || message > Packets.LONGEST) throw new IOException("a message of the chat server is too long");
  }
}
