import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A proxy of a real server that can be cut or silenced without changing the server. */
export interface Gate {
  readonly port: number;
  /** Accepts connections and forwards nothing until `end()`. Then it forwards the held data. */
  readonly silence: { begin(): void; end(): void };
  /** Forwards each piece of a response `ms` late, until `end()`. */
  readonly delay: {
    begin(ms: number): void;
    /** The number of pieces that were forwarded late. */
    readonly late: number;
    end(): void;
  };
  /** Rejects connections and cuts the open ones. */
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
  close(): Promise<void>;
}

/** @param target a port of this machine, or the path of a unix socket */
export async function startGate(target: number | string): Promise<Gate> {
  const open = new Set<Socket>();
  let silent = false;
  let delay = 0;
  let late = 0;
  const server = createServer((client) => {
    const upstream = typeof target === 'number' ? connect(target, '127.0.0.1') : connect(target);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.setNoDelay(true);
      if (silent) socket.pause();
      socket.on('data', (piece) => {
        if (delay === 0 || socket === client) return void other.write(piece);
        setTimeout(() => {
          late++;
          other.write(piece);
        }, delay).unref();
      });
      if (silent) socket.pause();
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
  });
  const shut = async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of open) socket.destroy();
    await closed;
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    silence: {
      begin() {
        silent = true;
        for (const socket of open) socket.pause();
      },
      end() {
        silent = false;
        for (const socket of open) socket.resume();
      },
    },
    delay: {
      begin(ms) {
        delay = ms;
      },
      get late() {
        return late;
      },
      end() {
        delay = 0;
      },
    },
    outage: {
      begin: shut,
      async end() {
        server.listen(port, '127.0.0.1');
        await once(server, 'listening');
      },
    },
    async close() {
      if (server.listening) await shut();
    },
  };
}
