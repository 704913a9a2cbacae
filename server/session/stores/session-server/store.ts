import { FormatError } from '../../formats/value.ts';
import type { StoreKind } from '../../source.ts';
import { maxSessionBytes, SessionBusyError, type SessionStore } from '../../store.ts';
import { LargeSessions } from '../large-sessions.ts';
import { readAddress, type SessionServer } from './address.ts';
import { SessionServerConnection } from './connection.ts';
import type { ReadReply } from './greeting.ts';
import { watchSessionServer } from './notifications.ts';
import { decodePercent, valueOfPhp } from './value.ts';

/** What a session server takes; others could be more than an ID on its line. No such session can exist. */
const possibleId = /^[A-Za-z0-9,_-]{1,128}$/;
/** A byte of a session takes up to three in a line (`%0A`); and something for the other keys. */
const maxReplyBytes = 3 * maxSessionBytes + 4096;
/** In bytes. A session of more than that is asked for over a connection for those alone from then on. */
const maxSmallBytes = 64 * 1024;

/** To `ttl ID`: seconds, 0 for no end; there is none; or this server tells it only of a session that is open. */
const lifeReply = /^(?:ok (\d{1,12})|err (?:No such session|No session opened)\.|(err Could not get .*))$/;

/**
 * `session-server://HOST[:PORT]` for the session server of this project (default port 9090), or over a unix socket
 * `session-server:///run/sessions.sock`. Options: `auth_file=FILE` with the server's token, `tls=on`, with `ca=FILE` for
 * the certificate of an authority of one's own, `timeout=` of one answer (default 250ms).
 */
export const sessionServerStore: StoreKind = (url) => {
  const server = readAddress(url);
  const timeout = url.options.timeout();
  return { format: 'php', open: () => openSessionServer(server, timeout) };
};

/** Sessions in a session server. They are peeked at, which neither waits for a lock nor lets them live on. */
function openSessionServer(server: SessionServer, timeout: number): SessionStore {
  const open = () => new SessionServerConnection(server, timeout, maxReplyBytes);
  const [connection, forLarge] = [open(), open()];
  const large = new LargeSessions(timeout, server.name);

  async function peek(id: string, on: SessionServerConnection): Promise<Buffer | null> {
    const text = await on.ask(
      `peek ${id}`,
      readPeek(server, (length) => large.note(id, length > maxSmallBytes)),
    );
    return text && valueOfPhp(text);
  }

  return {
    async get(id) {
      if (!possibleId.test(id)) return null;
      return large.has(id) ? large.inTurn(() => peek(id, forLarge)) : peek(id, connection);
    },
    async remaining(id) {
      if (!possibleId.test(id)) return null;
      return connection.ask(`ttl ${id}`, (line) => {
        const [reply, seconds, failure] = lifeReply.exec(line?.toString('latin1') ?? '') ?? [];
        if (reply === undefined) return undefined;
        if (failure !== undefined) throw unreadable(server);
        if (seconds === undefined) return null;
        return seconds === '0' ? Number.POSITIVE_INFINITY : Number(seconds) * 1000;
      });
    },
    /** To the time that the session server itself gives it, which is what a page view does. */
    async touch(id) {
      if (!possibleId.test(id)) return;
      // To read waits for no lock and takes none, makes no session, and counts as a use of the one that is there.
      const opened = connection.ask(`open ${id} r`, okOr('err Could not open session.'));
      await Promise.all([opened, connection.ask('close', okOr('err No session opened.'))]);
    },
    watch: (watcher) => watchSessionServer(server, timeout, watcher),
    close() {
      connection.close();
      forLarge.close();
    },
  };
}

const okOr =
  (error: string): ReadReply<boolean> =>
  (line) => {
    const reply = line?.toString('latin1');
    return reply === 'ok' || (reply === error ? false : undefined);
  };

const replies = {
  session: Buffer.from('ok '),
  none: Buffer.from('err No such session.'),
  failure: Buffer.from('err Could not get session data.'),
};

/** @param onLength hears of how many bytes the reply had */
function readPeek(server: SessionServer, onLength: (bytes: number) => void): ReadReply<Buffer | null> {
  return (line) => {
    onLength(line === null ? maxReplyBytes : line.length);
    if (line === null) throw new FormatError(`larger than ${maxSessionBytes} bytes`);
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
