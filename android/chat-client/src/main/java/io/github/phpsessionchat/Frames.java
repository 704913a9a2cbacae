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
   * proxy sends one every ten seconds, the client reconnects about once a day.
   */
  static final int MAX_PINGS = 10_000;

  private int pings;
  /** Number of header bytes read so far. */
  private int headerBytes;
  /** Unread bytes of the extended length. */
  private int lengthBytes;

  private boolean isControl;
  private boolean isContinuation;
  /** Payload bytes of the frame still to read, and bytes of the message so far. */
  private long remaining;

  private long messageBytes;

  private Frames(Source source) {
    super(source);
  }

  /**
   * Wraps the socket of an upgrade response. The server never compresses, so the extensions are removed: a compressed
   * message could exceed the limit after it is inflated.
   */
  static Response limitSize(Response response) {
    Socket socket = response.socket();
    if (socket == null) return response;
    Source frames = new Frames(socket.getSource());
    Socket limited =
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
    return response.newBuilder().removeHeader("Sec-WebSocket-Extensions").socket(limited).build();
  }

  @Override
  public long read(Buffer sink, long byteCount) throws IOException {
    long read = super.read(sink, byteCount);
    for (long at = sink.size() - read; read > 0 && at < sink.size(); ) {
      if (remaining > 0) {
        long skipped = Math.min(remaining, sink.size() - at);
        remaining -= skipped;
        at += skipped;
      } else {
        readHeaderByte(sink.getByte(at++) & 0xff);
      }
    }
    return read;
  }

  /** Reads one byte of a frame header. OkHttp itself rejects masked frames. */
  private void readHeaderByte(int next) throws IOException {
    if (headerBytes == 0) {
      if ((next & 0x0f) == 0x9 && ++pings > MAX_PINGS) throw new IOException("the server sent too many pings");
      isControl = (next & 0x08) != 0;
      isContinuation = (next & 0x0f) == 0;
      headerBytes = 1;
    } else if (headerBytes == 1) {
      int length = next & 0x7f;
      lengthBytes = length == 127 ? 8 : length == 126 ? 2 : 0;
      remaining = 0;
      headerBytes = 2;
      if (lengthBytes == 0) startPayload(length);
    } else {
      // Until the length is complete, `remaining` stays 0.
      length = length << 8 | next;
      if (--lengthBytes == 0) startPayload(length);
    }
  }

  private long length;

  private void startPayload(long length) throws IOException {
    this.length = 0;
    headerBytes = 0;
    remaining = length;
    if (isControl) return;
    messageBytes = (isContinuation ? messageBytes : 0) + length;
    if (length < 0 || messageBytes > Packets.MAX_LENGTH) {
      throw new IOException("the WebSocket message exceeds the size limit");
    }
  }
}
