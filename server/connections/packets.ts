import type { Socket as EngineSocket } from 'engine.io';
import { Decoder, type Packet } from 'socket.io-parser';

/** What has attachments, which come in packets of their own. */
const inParts = /^[56]/;

/**
 * Reads Socket.IO's packets from what Engine.IO delivers. One decoder reads for all connections, but for a packet in parts:
 * Socket.IO's server keeps a client, a socket and a decoder for each connection, 2 KB of memory.
 */
export class Packets {
  readonly #decoder = new Decoder();
  #decoded: Packet | undefined;
  /** What waits for attachments. */
  readonly #parts = new WeakMap<EngineSocket, Decoder>();

  constructor() {
    this.#decoder.on('decoded', (packet) => {
      this.#decoded = packet;
    });
  }

  /**
   * @returns the packet that is now complete; undefined if attachments are missing
   * @throws Error if this is no packet, or none that may come now
   */
  read(conn: EngineSocket, data: unknown): Packet | undefined {
    const begun = this.#parts.get(conn);
    if (begun === undefined && !(typeof data === 'string' && inParts.test(data))) {
      this.#decoder.add(data);
      return this.#taken();
    }
    const decoder = begun ?? this.#decoderOf(conn);
    decoder.add(data);
    const packet = this.#taken();
    if (packet !== undefined) this.#parts.delete(conn);
    return packet;
  }

  #decoderOf(conn: EngineSocket): Decoder {
    const decoder = new Decoder();
    decoder.on('decoded', (packet) => {
      this.#decoded = packet;
    });
    this.#parts.set(conn, decoder);
    return decoder;
  }

  #taken(): Packet | undefined {
    const packet = this.#decoded;
    this.#decoded = undefined;
    return packet;
  }
}
