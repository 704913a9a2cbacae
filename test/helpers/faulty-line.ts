import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * How a call fails. `cut before`: it never arrives. `cut after`: it is executed, and the response is lost. `refused`:
 * the service itself responds with an error. `garbage`: an invalid response arrives before the real one. `silence`: the
 * connection stays open and the service keeps its state, but nothing is forwarded.
 */
export type Fault = 'cut before' | 'cut after' | 'refused' | 'garbage' | 'silence';

/** A service or a disk of which a test makes single calls fail. */
export interface Faulty<Kind = string> {
  /** The names of all calls so far. */
  calls(): string[];
  /** Makes a later call fail. @param which the number of the call from now on, or the name of the next such call */
  fail(which: number | string, fault: Kind): void;
  /** Cancels a pending fault. @returns the name of the call that failed; null if none failed */
  failed(): string | null;
}

/** How to recognize the calls to a service. */
export interface Protocol {
  /** Returns the name of a call, given as one character per byte; undefined if it has none. */
  nameOf(call: string): string | undefined;
  /** Returns a call that is sent instead and that the service rejects; null if there is none. */
  refusing?(call: Buffer, nth: number): Buffer | null;
}

/** The name of calls that the protocol does not name, such as the second part of a long call. */
const nameless = 'a call';

/** A proxy of a real service. Data that a client writes at once is one call. */
export interface FaultyLine extends Faulty<Fault> {
  readonly port: number;
  /** @param then is called when the fault happens */
  fail(which: number | string, fault: Fault, then?: () => void): void;
  /** Closes all connections, so that the next calls open new ones. */
  cut(): void;
  close(): Promise<void>;
}

/** No protocol has such a response. The second one could come from another program at that port. */
const garbage = [
  Buffer.from(Array.from({ length: 64 }, (_, n) => (n * 151 + 7) & 0xff)),
  Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
  Buffer.from([0x45, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
];

/** @param only matches the names of the calls that are counted and may fail */
export async function startFaultyLine(target: number, protocol: Protocol, only = /^/): Promise<FaultyLine> {
  const calls: string[] = [];
  let next: { which: number | string; fault: Fault; then: (() => void) | undefined } | undefined;
  let failed: string | null = null;
  let faults = 0;
  const open = new Set<Socket>();
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    let silent = false;
    /** The next response is dropped. */
    let lost = false;
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        // While the line is silent, the service does not notice the end.
        if (!silent) other.destroy();
      });
    }
    client.on('data', (call: Buffer) => {
      if (silent) return;
      const name = protocol.nameOf(call.toString('latin1')) ?? nameless;
      if (!only.test(name)) return void upstream.write(call);
      const nth = calls.push(name);
      if (next === undefined || (next.which !== nth && next.which !== name)) return void upstream.write(call);
      const { fault, then } = next;
      next = undefined;
      failed = name;
      then?.();
      const refused = fault === 'refused' ? (protocol.refusing?.(call, faults) ?? null) : null;
      const answer = garbage[faults++ % garbage.length] as Buffer;
      if (refused !== null) return void upstream.write(refused);
      if (fault === 'silence') {
        silent = true;
      } else if (fault === 'cut after') {
        lost = true;
        // Ends the connection instead of resetting it, so that the service reads everything first.
        upstream.end(call);
      } else if (fault === 'garbage') {
        client.write(answer);
        upstream.write(call);
      } else client.destroy();
    });
    upstream.on('data', (answer: Buffer) => {
      if (lost) client.destroy();
      else if (!silent && !client.destroyed) client.write(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    calls: () => [...calls],
    fail(which, fault, then) {
      next = { which: typeof which === 'number' ? calls.length + which : which, fault, then };
      failed = null;
    },
    failed() {
      next = undefined;
      return failed;
    },
    cut,
    async close() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
