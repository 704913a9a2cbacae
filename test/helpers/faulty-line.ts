import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * How a call fails. `cut before`: it never arrives. `cut after`: it is carried out, and the answer is lost. `refused`: the
 * service itself answers with an error. `garbage`: the answer is no answer. `silence`: the connection stays open, the service
 * keeps what it holds for it, and nothing comes through any more.
 */
export const faults = ['cut before', 'cut after', 'refused', 'garbage', 'silence'] as const;
export type Fault = (typeof faults)[number];

/** What makes a service refuse a call, by its protocol: the call that it gets instead; null where there is none. */
export type Refusing = (call: Buffer, nth: number) => Buffer | null;

/** Something of which one call fails. */
export interface Faulty<Kind = string> {
  /** The names of all calls so far. */
  calls(): string[];
  /** The nth call from now on fails so, or the next one of that name. */
  fail(which: number | string, fault: Kind): void;
  /** What has failed; null if nothing has, and then nothing does any more. */
  failed(): string | null;
}

/** The name of all calls over a line. */
export const lineCall = 'a call';

/** A way to a real service. What a client writes at once is one call. */
export interface FaultyLine extends Faulty<Fault> {
  readonly port: number;
  /** @param then is called when it comes to pass */
  fail(which: number | string, fault: Fault, then?: () => void): void;
  close(): Promise<void>;
}

/** No protocol has such an answer; the second one is what another program at that port may say. */
const garbage = [
  Buffer.from(Array.from({ length: 64 }, (_, n) => (n * 151 + 7) & 0xff)),
  Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
  Buffer.from([0x45, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
];

export async function startFaultyLine(target: number, refusing: Refusing = () => null): Promise<FaultyLine> {
  let calls = 0;
  let failed = 0;
  let next: { at: number; fault: Fault; then: (() => void) | undefined } | undefined;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    let silent = false;
    /** The answer that comes next is lost. */
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
        // Beyond a line that is silent the service learns of no end.
        if (!silent) other.destroy();
      });
    }
    client.on('data', (call: Buffer) => {
      if (silent) return;
      if (++calls !== next?.at) return void upstream.write(call);
      const { fault, then } = next;
      next = undefined;
      then?.();
      const nth = failed++;
      const refused = fault === 'refused' ? refusing(call, nth) : null;
      if (refused !== null) return void upstream.write(refused);
      if (fault === 'silence') {
        silent = true;
      } else if (fault === 'cut after') {
        lost = true;
        // With an end in place of a reset: the service reads all of it first.
        upstream.end(call);
      } else if (fault === 'garbage') {
        client.write(garbage[nth % garbage.length] as Buffer);
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
    calls: () => Array<string>(calls).fill(lineCall),
    fail(which, fault, then) {
      next = { at: calls + (typeof which === 'number' ? which : 1), fault, then };
    },
    failed() {
      const has = next === undefined;
      next = undefined;
      return has ? lineCall : null;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const int32 = (n: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n);
  return bytes;
};
const packet = (type: string, ...parts: (string | Buffer)[]) => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
};

/** The last statement of the call fails, as with a serialization failure, a full disk, or a damaged page. */
export const postgresRefusing: Refusing = (call, nth) => {
  const state = ['40001', '53100', 'XX001'][nth % 3];
  const statement = `DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '${state}'; END$$`;
  let begin = 0;
  let last: { from: number; simple: boolean } | undefined;
  for (let at = 0; at < call.length; ) {
    if (at + 5 > call.length) return null;
    const type = String.fromCharCode(call[at] as number);
    at += 1 + call.readInt32BE(at + 1);
    if (at > call.length || !'QPBDESCH'.includes(type)) return null;
    if (type !== 'Q' && type !== 'S') continue;
    last = { from: begin, simple: type === 'Q' };
    begin = at;
  }
  if (last === undefined || begin !== call.length) return null;
  const instead = last.simple
    ? packet('Q', statement, '\0')
    : Buffer.concat([
        packet('P', '\0', statement, '\0\0\0'),
        packet('B', '\0\0\0\0\0\0\0\0'),
        packet('D', 'P\0'),
        packet('E', '\0', int32(0)),
        packet('S'),
      ]);
  return Buffer.concat([call.subarray(0, last.from), instead]);
};

/** As of a deadlock, a full disk, or a damaged table. */
export const mariadbRefusing: Refusing = (call, nth) => {
  // The first packet of an exchange, and a statement.
  if (call[3] !== 0 || call[4] !== 3) return null;
  const number = [1213, 1021, 1034][nth % 3];
  const body = Buffer.from(`\x03SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = ${number}`);
  return Buffer.concat([Buffer.from([body.length, 0, 0, 0]), body]);
};

/** Each of the commands is one that Redis does not know. */
export const redisRefusing: Refusing = (call) => {
  const commands = call.toString('latin1').match(/(?<=^|\n)\*\d+\r\n\$/g) ?? [];
  return commands.length === 0 ? null : Buffer.from('*1\r\n$6\r\nREFUSE\r\n'.repeat(commands.length));
};
