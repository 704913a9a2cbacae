import { decodePercent } from '../../encodings.ts';
import { decodePhpSerialize } from '../../formats/php-serialize.ts';
import { FormatError, isRecord, PhpBytes } from '../../formats/value.ts';
import type { StoreKind } from '../../source.ts';
import { maxSessionBytes, SessionBusyError, type SessionStore, SessionTooLargeError } from '../../store.ts';
import { LargeLookups } from '../lookups.ts';
import { Pipeline, type ReadReply } from '../pipeline.ts';
import { type Line, readAddress, type SessionServer, sessionServerProtocol } from './connection.ts';
import { subscribeSessionServer } from './notifications.ts';

/** The ids that a session server accepts. No session has another id, which could end the command. */
const possibleId = /^[A-Za-z0-9,_-]{1,128}$/;
/** A byte of a session takes up to three bytes in a line (`%0A`); the rest is for other keys. */
const maxReplyBytes = 3 * maxSessionBytes + 4096;
/** Sessions of more bytes are asked for over a connection of their own, from the second time on. */
const maxSmallBytes = 64 * 1024;

/** To `ttl ID`: seconds, or 0 for no expiry; no such session, or a server that knows it of open sessions only. */
const ttlReply = /^(?:ok (\d{1,12})|err (?:No such session|No session opened)\.|(err Could not get .*))$/;

/** The start of a session whose only key is the empty one, as PHP's session handler writes it. */
const onlyKey = /^a:1:\{s:0:"";s:(\d{1,9}):"/;

/**
 * `session-server://HOST[:PORT]` reads from the session server of this project (default port 9090);
 * `session-server:///run/sessions.sock` does so over a unix socket. Options:
 * - `auth_file=FILE` with the server's token;
 * - `tls=on`, and `ca=FILE` with the certificate of the site's own authority;
 * - `timeout=` of one answer (default 250ms).
 */
export const sessionServerStore: StoreKind = (url) => {
  const server = readAddress(url);
  const timeout = url.options.timeout();
  return { format: 'php', open: () => openSessionServer(server, timeout) };
};

/** Sessions in a session server. `peek` neither waits for a lock nor renews a TTL. */
function openSessionServer(server: SessionServer, timeout: number): SessionStore {
  const protocol = sessionServerProtocol(server, maxReplyBytes, 'encoding percent');
  const open = () => new Pipeline(protocol, timeout);
  const [connection, forLarge] = [open(), open()];
  const large = new LargeLookups(timeout, server.name);

  async function peek(id: string, on: Pipeline<Line>): Promise<Buffer | null> {
    const text = await on.ask(
      `peek ${id}\r\n`,
      readPeek(server, (length) => large.note(id, length > maxSmallBytes)),
    );
    return text && valueOfPhp(text);
  }

  return {
    async get(id) {
      if (!possibleId.test(id)) return null;
      return large.has(id) ? large.oneAtATime(() => peek(id, forLarge)) : peek(id, connection);
    },
    async ttl(id) {
      if (!possibleId.test(id)) return null;
      return connection.ask(`ttl ${id}\r\n`, (line) => {
        const [reply, seconds, failure] = ttlReply.exec(line?.toString('latin1') ?? '') ?? [];
        if (reply === undefined) return undefined;
        if (failure !== undefined) throw unreadable(server);
        if (seconds === undefined) return null;
        return seconds === '0' ? Number.POSITIVE_INFINITY : Number(seconds) * 1000;
      });
    },
    /** The session server gives the session its own TTL, as for a page view. */
    async touch(id) {
      if (!possibleId.test(id)) return;
      // Opening for reading neither waits for a lock nor creates a session, and counts as a use.
      const opened = connection.ask(`open ${id} r\r\n`, okOr('err Could not open session.'));
      await Promise.all([opened, connection.ask('close\r\n', okOr('err No session opened.'))]);
    },
    subscribe: (listener) => subscribeSessionServer(server, timeout, listener),
    close() {
      connection.close();
      forLarge.close();
    },
  };
}

const okOr =
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

/** @param onLength is called with the size of the reply in bytes */
function readPeek(server: SessionServer, onLength: (bytes: number) => void): ReadReply<Line, Buffer | null> {
  return (line) => {
    onLength(line === null ? maxReplyBytes : line.length);
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
 * The value under the empty key, where PHP's session handler keeps its data; no bytes if there is none.
 * @param session all keys, as serialize() writes an array
 * @throws FormatError
 */
function valueOfPhp(session: Buffer): Buffer {
  const [begin = '', length] = onlyKey.exec(session.toString('latin1', 0, 40)) ?? [];
  const end = begin.length + Number(length);
  // Most sessions: nothing else has to be decoded.
  if (session.length === end + 3 && session.toString('latin1', end) === '";}')
    return session.subarray(begin.length, end);

  const keys = decodePhpSerialize(session);
  if (!isRecord(keys)) throw new FormatError('expected an array at byte 0');
  const value = keys[''] ?? '';
  if (value instanceof PhpBytes) return value.bytes;
  if (typeof value === 'string') return Buffer.from(value);
  throw new FormatError('the value under the empty key is no string');
}
