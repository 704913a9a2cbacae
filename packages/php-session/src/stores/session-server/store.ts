import { decodePercent } from '../../encodings.ts';
import { decodePhpSerialize } from '../../formats/php-serialize.ts';
import { FormatError, isRecord, PhpBytes } from '../../formats/value.ts';
import type { StoreKind } from '../../source.ts';
import { maxSessionBytes, SessionBusyError, type SessionStore, SessionTooLargeError } from '../../store.ts';
import { LargeSessionQueue } from '../lookups.ts';
import { Pipeline, type ReadReply } from '../pipeline.ts';
import { type Line, readAddress, type SessionServer, sessionServerProtocol } from './connection.ts';
import { subscribeSessionServer } from './notifications.ts';

/** The IDs that a session server accepts. Other characters could end the command. */
const possibleId = /^[A-Za-z0-9,_-]{1,128}$/;
/** A percent-encoded byte of a session takes up to three bytes. The rest is for the other keys of the array. */
const maxReplyBytes = 3 * maxSessionBytes + 4096;
/** After the first read, larger sessions are read over a separate connection. */
const maxSmallBytes = 64 * 1024;

/** Replies to `ttl ID`: seconds, 0 without expiry; no such session, or a server that needs an open one; a failure. */
const ttlReply = /^(?:ok (\d{1,12})|err (?:No such session|No session opened)\.|(err Could not get .*))$/;

/** The start of a session that has only the empty key, as PHP's session handler writes it. */
const emptyKeyOnly = /^a:1:\{s:0:"";s:(\d{1,9}):"/;

/**
 * `session-server://HOST[:PORT]` reads from this project's session server (default port 9090), and
 * `session-server:///run/sessions.sock` over a Unix socket. Options:
 * - `auth_file=FILE` with the server's token;
 * - `tls=on`, and `ca=FILE` with the certificate of the site's own authority;
 * - `timeout=` of one reply (default 250ms).
 */
export const sessionServerStore: StoreKind = (url) => {
  const server = readAddress(url);
  const timeoutMs = url.options.timeout();
  return { format: 'php', open: () => openSessionServer(server, timeoutMs) };
};

/** Reads by `peek`, which neither waits for a lock nor renews the TTL. */
function openSessionServer(server: SessionServer, timeoutMs: number): SessionStore {
  const protocol = sessionServerProtocol(server, maxReplyBytes, 'encoding percent');
  const small = new Pipeline(protocol, timeoutMs);
  const large = new Pipeline(protocol, timeoutMs);
  const largeSessions = new LargeSessionQueue(timeoutMs, server.name);

  async function peek(id: string, connection: Pipeline<Line>): Promise<Buffer | null> {
    const session = await connection.query(
      `peek ${id}\r\n`,
      readPeek(server, (replyBytes) => largeSessions.record(id, replyBytes > maxSmallBytes)),
    );
    return session && readPhpData(session);
  }

  return {
    async get(id) {
      if (!possibleId.test(id)) return null;
      return largeSessions.has(id) ? largeSessions.run(() => peek(id, large)) : peek(id, small);
    },
    async ttl(id) {
      if (!possibleId.test(id)) return null;
      return small.query(`ttl ${id}\r\n`, (line) => {
        const [reply, seconds, failure] = ttlReply.exec(line?.toString('latin1') ?? '') ?? [];
        if (reply === undefined) return undefined;
        if (failure !== undefined) throw unreadable(server);
        if (seconds === undefined) return null;
        return seconds === '0' ? Number.POSITIVE_INFINITY : Number(seconds) * 1000;
      });
    },
    /** Renews with the server's own TTL, as a page view does. */
    async touch(id) {
      if (!possibleId.test(id)) return;
      // Opening for reading renews the TTL, and neither waits for a lock nor creates a session.
      const opened = small.query(`open ${id} r\r\n`, readOkOr('err Could not open session.'));
      await Promise.all([opened, small.query('close\r\n', readOkOr('err No session opened.'))]);
    },
    subscribe: (listener) => subscribeSessionServer(server, timeoutMs, listener),
    close() {
      small.close();
      large.close();
    },
  };
}

const readOkOr =
  (error: string): ReadReply<Line, boolean> =>
  (line) => {
    const reply = line?.toString('latin1');
    return reply === 'ok' || (reply === error ? false : undefined);
  };

const replies = {
  session: Buffer.from('ok '),
  none: Buffer.from('err No such session.'),
  failure: Buffer.from('err Could not get session data.'),
};

function readPeek(
  server: SessionServer,
  onSize: (replyBytes: number) => void,
): ReadReply<Line, Buffer | null> {
  return (line) => {
    onSize(line === null ? maxReplyBytes : line.length);
    if (line === null) throw new SessionTooLargeError();
    if (line.equals(replies.none)) return null;
    if (line.equals(replies.failure)) throw unreadable(server);
    const { length } = replies.session;
    if (!line.subarray(0, length).equals(replies.session)) return undefined;
    return decodePercent(line.subarray(length)) ?? undefined;
  };
}

function unreadable({ name }: SessionServer): SessionBusyError {
  return new SessionBusyError(`${name} cannot read a session`);
}

/**
 * Returns the value of the empty key, which contains the data of PHP's session handler. Empty without that key.
 * @param session an array in serialize() format
 * @throws FormatError
 */
function readPhpData(session: Buffer): Buffer {
  const [head = '', length] = emptyKeyOnly.exec(session.toString('latin1', 0, 40)) ?? [];
  const end = head.length + Number(length);
  // Most sessions have only this key, so decoding can be skipped.
  if (session.length === end + 3 && session.toString('latin1', end) === '";}')
    return session.subarray(head.length, end);

  const keys = decodePhpSerialize(session);
  if (!isRecord(keys)) throw new FormatError('expected an array at byte 0');
  const value = keys[''] ?? '';
  if (value instanceof PhpBytes) return value.bytes;
  if (typeof value === 'string') return Buffer.from(value);
  throw new FormatError('the value under the empty key is not a string');
}
