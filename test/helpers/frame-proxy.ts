import type { Socket } from 'node:net';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** Starts a WebSocket proxy that drops the server's text frames for which `drop` is true. */
export function startFrameProxy(target: number, drop: (text: string) => boolean): Promise<TcpProxy> {
  const rest = new WeakMap<Socket, { upgraded: boolean; bytes: Buffer }>();
  return startTcpProxy(target, (piece, client) => {
    const state = rest.get(client) ?? { upgraded: false, bytes: Buffer.alloc(0) };
    rest.set(client, state);
    state.bytes = Buffer.concat([state.bytes, piece]);
    if (!state.upgraded) {
      const end = state.bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      state.upgraded = true;
      client.write(state.bytes.subarray(0, end + 4));
      state.bytes = state.bytes.subarray(end + 4);
    }
    for (;;) {
      const frame = firstFrame(state.bytes);
      if (frame === null) return;
      state.bytes = state.bytes.subarray(frame.length);
      if (!drop(frame.text)) client.write(frame.bytes);
    }
  });
}

/** Parses a frame as in RFC 6455, section 5.2. A server's frames are not masked. */
function firstFrame(bytes: Buffer): { bytes: Buffer; length: number; text: string } | null {
  if (bytes.length < 2) return null;
  const short = (bytes[1] as number) & 0x7f;
  const head = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < head) return null;
  const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const length = head + size;
  if (bytes.length < length) return null;
  return { bytes: bytes.subarray(0, length), length, text: bytes.subarray(head, length).toString() };
}
