/** The parts of memjs 1.3.2 that this project uses; the package ships no types. */
declare module 'memjs' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  interface Response {
    header: { magic: number; opcode: number; status: number; totalBodyLength: number; opaque: number };
    key: Buffer;
    extras: Buffer;
    val: Buffer;
  }

  export class Server extends EventEmitter {
    constructor(host: string, port: number, username?: string, password?: string, options?: object);
    host: string;
    port: number;
    username: string | undefined;
    password: string | undefined;
    responseCallbacks: Record<string, ((response: Response) => void) | undefined>;
    errorCallbacks: Record<string, ((error: Error) => void) | undefined>;
    sock(sasl: boolean, go: (socket: Socket) => void): void;
    write(blob: Buffer): void;
    respond(response: Response): void;
    error(error: Error): void;
    close(): void;
  }

  export class Client {
    constructor(servers: Server[], options?: object);
    seq: number;
    incrSeq(): void;
    get(key: string): Promise<{ value: Buffer | null; flags: Buffer | null }>;
  }

  export const Utils: { parseMessage(buffer: Buffer): Response | false };
}
