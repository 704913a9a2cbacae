package io.github.phpsessionchat;

import java.io.IOException;
import okhttp3.Response;
import okio.Buffer;
import okio.ForwardingSource;
import okio.Sink;
import okio.Socket;
import okio.Source;

/** Limits the size of WebSocket messages. OkHttp itself buffers a message of any length. */
final class Frames extends ForwardingSource {
  /**
   * OkHttp buffers an unlimited number of pongs that the server does not read. The chat server sends no pings. If a
   * proxy sends one every few seconds, the client reconnects about once a day.
   */
  static final int MOST_PINGS = 10_000;

  private int pings;
  /** Number of header bytes read so far. */
  private int head;
  /** Unread bytes of the extended length. */
  private int lengthBytes;

  private boolean isControl;
  private boolean continues;
  /** Payload bytes of the frame still to read, and bytes of the message so far. */
  private long left;

  private long message;

  private Frames(Source source) {
    super(source);
  }

  /**
   * Wraps the socket of an upgrade response. The server never compresses, so the extensions are removed: a compressed
   * message could exceed the limit after it is inflated.
   */
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

  /** Reads one byte of a frame header. OkHttp itself rejects masked frames. */
  private void head(int next) throws IOException {
    if (head == 0) {
      if ((next & 0x0f) == 0x9 && ++pings > MOST_PINGS) throw new IOException("the server sent too many pings");
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
      // Until the length is complete, `left` stays 0.
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
    if (length < 0 || message > Packets.LONGEST) throw new IOException("the WebSocket message exceeds the size limit");
  }
}
