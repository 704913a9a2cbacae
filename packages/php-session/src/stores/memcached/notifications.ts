import { connect } from 'node:net';
import { decodePercent } from '../../encodings.ts';
import { markerPrefix } from '../../logout-marker.ts';
import { type SessionName, StoreError, type StoreListener } from '../../store.ts';
import { keepSubscribed, type Sink } from '../subscription.ts';
import { addressOf, nameOf } from './connection.ts';
import type { MemcachedServer } from './servers.ts';

/** More than the longest line, which has a key of 250 bytes with three characters for each byte. */
const maxLineBytes = 4096;
const lineEnd = 0x0a;
const blank = ' ';
/** The system probes a connection that was silent for so many milliseconds, ten times in ten seconds. */
const probeAfter = 20_000;
const visible = /^[\x21-\x7e]+$/;
const marker = /^[0-9a-f]{32}$/;
/** Newer versions report deletions too. 1.6.18 answers the first command with an error, and accepts the second. */
const commands = ['watch mutations deletions', 'watch mutations'];

/**
 * Subscribes to what each memcached logs of its items: that PHP has locked a session, that a session was stored, and
 * the logout marker of MemcachedHandler.php. 1.6.18 does not log deletions. No version logs everything when it has
 * much to log.
 */
export function subscribeMemcached(
  servers: readonly MemcachedServer[],
  prefix: string,
  listener: StoreListener,
): () => void {
  const lost = new Map<MemcachedServer, StoreError>();
  const begun = new Set<MemcachedServer>();
  let active: boolean | undefined;
  const ends = servers.map((server) =>
    keepSubscribed((sink) => listen(server, prefix, sink), {
      changed: (session) => listener.changed(session),
      opened: (session) => listener.opened(session),
      lost(reason) {
        begun.add(server);
        if (reason === null) lost.delete(server);
        else lost.set(server, reason);
        const now = lost.size === 0;
        // The notifications are active when each server has agreed to send them.
        if (now === active || (now && begun.size < servers.length)) return;
        active = now;
        listener.lost(reason);
      },
    }),
  );
  return () => {
    for (const end of ends) end();
  };
}

function listen(server: MemcachedServer, prefix: string, sink: Sink): Promise<() => Promise<void>> {
  const name = nameOf(server);
  return new Promise((resolve, reject) => {
    const socket = connect({ ...addressOf(server), keepAlive: true, keepAliveInitialDelay: probeAfter });
    const failed = (error: StoreError) => {
      reject(error);
      sink.failed(error);
    };
    sink.signal.addEventListener('abort', () => {
      socket.destroy();
      reject(new StoreError('the subscription has ended'));
    });
    const left = [...commands];
    const askNext = () => socket.write(`${left.shift()}\r\n`);
    const notify = notifier(prefix, sink);
    let subscribed = false;
    let rest: Buffer = Buffer.alloc(0);
    socket.on('connect', askNext);
    socket.on('data', (chunk: Buffer) => {
      const received = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let from = 0;
      if (!subscribed) {
        from = received.indexOf(lineEnd) + 1;
        const answer = received.toString('latin1', 0, from).trimEnd();
        if (answer === 'OK') {
          subscribed = true;
          // The connection answers nothing more, not even `version`: the system's probes have to do.
          resolve(async () => {});
        } else if (answer === 'ERROR' && left.length > 0) askNext();
        else if (from > 0) return failed(new StoreError(`${name} sends no notifications${refusal(answer)}`));
      }
      const end = received.lastIndexOf(lineEnd) + 1;
      if (subscribed) notify(received.subarray(from, end));
      // A copy: the few bytes left over would keep a large piece in memory.
      rest = Buffer.from(received.subarray(end));
      if (rest.length > maxLineBytes)
        failed(new StoreError(`${name} sent something that is not a notification`));
    });
    socket.on('error', (error) => failed(StoreError.unreachable(name, error)));
    socket.on('close', () => failed(new StoreError(`${name} closed the connection of the subscription`)));
  });
}

/** Anything that is not like a message of memcached's could hold anything. */
function refusal(answer: string): string {
  return /^[A-Z][A-Za-z_ ]{1,80}$/.test(answer) ? `: ${answer}` : '';
}

/**
 * Finds sessions and markers in whole lines such as `ts=… gid=… type=item_store key=KEY status=stored cmd=set …`. There
 * may be tens of thousands of other lines in a second, so it searches for the bytes before a name.
 */
function notifier(prefix: string, sink: Sink): (lines: Buffer) => void {
  const beforeMarker = Buffer.from(` key=${markerPrefix}`);
  const beforeName = Buffer.from(` key=${asWritten(prefix)}`);
  return (lines) => {
    for (const name of namesAfter(beforeMarker, lines)) if (marker.test(name)) sink.changed({ marker: name });
    for (const name of namesAfter(beforeName, lines)) {
      // The lock of ext-memcached and of our handlers, then that of ext-memcache.
      const locked = name.startsWith('lock.')
        ? name.slice(5)
        : name.endsWith('.lock')
          ? name.slice(0, -5)
          : null;
      const id = decodePercent(Buffer.from(locked ?? name, 'latin1'))?.toString('latin1') ?? '';
      if (!visible.test(id)) continue;
      const session: SessionName = { id };
      if (locked === null) sink.changed(session);
      else sink.opened(session);
    }
  };
}

function* namesAfter(start: Buffer, lines: Buffer): Generator<string> {
  for (let at = lines.indexOf(start); at !== -1; at = lines.indexOf(start, at)) {
    at += start.length;
    const end = lines.indexOf(blank, at);
    if (end === -1) return;
    yield lines.toString('latin1', at, end);
  }
}

/** memcached percent-encodes everything but letters, digits and `-._~` (`uriencode` in its util.c). */
function asWritten(key: string): string {
  return key.replace(
    /[^A-Za-z0-9._~-]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
