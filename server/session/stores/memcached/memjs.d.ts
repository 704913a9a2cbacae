/** The parts of memjs 1.3.2 that this project uses; the package ships no types. */
declare module 'memjs' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  interface Response {
    header: { opcode: number; opaque: number };
  }

  export class Server extends EventEmitter {
    constructor(host: string, port: number);
    host: string;
    port: number;
    username: string | undefined;
    password: string | undefined;
    sock(sasl: boolean, go: (socket: Socket) => void): void;
    write(blob: Buffer): void;
    respond(response: Response): void;
    error(error: Error): void;
  }

  export class Client {
    constructor(servers: Server[], options: object);
    seq: number;
    incrSeq(): void;
    get(
      key: string,
      callback: (error: Error | null, value: Buffer | null, flags: Buffer | null) => void,
    ): void;
    get(key: string): Promise<{ value: Buffer | null; flags: Buffer | null }>;
  }

  export const Utils: { parseMessage(buffer: Buffer): Response | false };
}
