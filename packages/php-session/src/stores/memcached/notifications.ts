import { connect } from 'node:net';
import { decodePercent } from '../../encodings.ts';
import { markerPrefix } from '../../logout-marker.ts';
import { StoreError, type StoreListener } from '../../store.ts';
import { keepSubscribed, type Sink } from '../subscription.ts';
import { serverName, toAddress } from './connection.ts';
import type { MemcachedServer } from './servers.ts';

/** Exceeds the longest line, which has a percent-encoded key of 250 bytes. */
const maxLineBytes = 4096;
const lineEnd = 0x0a;
/** After this silence, TCP keep-alive probes the connection ten times in ten seconds. */
const probeDelayMs = 20_000;
const validId = /^[\x21-\x7e]+$/;
const validMarker = /^[0-9a-f]{32}$/;
/** memcached 1.6.18 rejects the first command and accepts the second. Newer versions also report deletions. */
const commands = ['watch mutations deletions', 'watch mutations'];

/**
 * Subscribes to each memcached's log of locked, stored and deleted items, including the logout marker of
 * MemcachedHandler.php. Version 1.6.18 does not log deletions, and all versions skip entries under load.
 */
export function subscribeMemcached(
  servers: readonly MemcachedServer[],
  prefix: string,
  listener: StoreListener,
): () => void {
  const lost = new Map<MemcachedServer, StoreError>();
  const reported = new Set<MemcachedServer>();
  let wasActive: boolean | undefined;
  const ends = servers.map((server) =>
    keepSubscribed((sink) => listen(server, prefix, sink), {
      changed: (session) => listener.changed(session),
      opened: (session) => listener.opened(session),
      lost(error) {
        reported.add(server);
        if (error === null) lost.delete(server);
        else lost.set(server, error);
        const isActive = lost.size === 0;
        if (isActive === wasActive || (isActive && reported.size < servers.length)) return;
        wasActive = isActive;
        listener.lost(error);
      },
    }),
  );
  return () => {
    for (const end of ends) end();
  };
}

function listen(server: MemcachedServer, prefix: string, sink: Sink): Promise<() => Promise<void>> {
  const name = serverName(server);
  return new Promise((resolve, reject) => {
    const socket = connect({ ...toAddress(server), keepAlive: true, keepAliveInitialDelay: probeDelayMs });
    const fail = (error: StoreError) => {
      reject(error);
      sink.failed(error);
    };
    sink.signal.addEventListener('abort', () => {
      socket.destroy();
      reject(new StoreError('the subscription was ended'));
    });
    const untried = [...commands];
    const subscribe = () => socket.write(`${untried.shift()}\r\n`);
    const notify = createNotifier(prefix, sink);
    let isSubscribed = false;
    let rest: Buffer = Buffer.alloc(0);
    socket.on('connect', subscribe);
    socket.on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      if (!isSubscribed) {
        start = bytes.indexOf(lineEnd) + 1;
        const reply = bytes.toString('latin1', 0, start).trimEnd();
        if (reply === 'OK') {
          isSubscribed = true;
          // memcached does not reply to a watcher's commands, so only TCP keep-alive detects a lost connection.
          resolve(async () => {});
        } else if (reply === 'ERROR' && untried.length > 0) subscribe();
        else if (start > 0)
          return fail(new StoreError(`${name} does not send notifications${showReply(reply)}`));
      }
      const end = bytes.lastIndexOf(lineEnd) + 1;
      if (isSubscribed) notify(bytes.subarray(start, end));
      // A copy, because a view would keep a large chunk in memory.
      rest = Buffer.from(bytes.subarray(end));
      if (rest.length > maxLineBytes)
        fail(new StoreError(`${name} sent something that is not a notification`));
    });
    socket.on('error', (error) => fail(StoreError.unreachable(name, error)));
    socket.on('close', () => fail(new StoreError(`${name} closed the connection of the subscription`)));
  });
}

/** Shows replies in the form of memcached's messages. Other replies may contain anything. */
function showReply(reply: string): string {
  return /^[A-Z][A-Za-z_ ]{1,80}$/.test(reply) ? `: ${reply}` : '';
}

/**
 * Notifies of sessions and markers in complete lines such as `ts=… gid=… type=item_store key=KEY status=stored cmd=set …`.
 * Searches the bytes instead of parsing lines, because there may be tens of thousands of other lines a second.
 */
function createNotifier(prefix: string, sink: Sink): (lines: Buffer) => void {
  const markerStart = Buffer.from(` key=${markerPrefix}`);
  const sessionStart = Buffer.from(` key=${encodeKey(prefix)}`);
  return (lines) => {
    for (const name of namesAfter(markerStart, lines))
      if (validMarker.test(name)) sink.changed({ marker: name });
    for (const name of namesAfter(sessionStart, lines)) {
      // ext-memcached and this project's handlers lock with `lock.ID`, ext-memcache with `ID.lock`.
      const lockedName = name.startsWith('lock.')
        ? name.slice(5)
        : name.endsWith('.lock')
          ? name.slice(0, -5)
          : null;
      const id = decodePercent(Buffer.from(lockedName ?? name, 'latin1'))?.toString('latin1') ?? '';
      if (!validId.test(id)) continue;
      if (lockedName === null) sink.changed({ id });
      else sink.opened({ id });
    }
  };
}

function* namesAfter(start: Buffer, lines: Buffer): Generator<string> {
  for (let at = lines.indexOf(start); at !== -1; at = lines.indexOf(start, at)) {
    at += start.length;
    const end = lines.indexOf(' ', at);
    if (end === -1) return;
    yield lines.toString('latin1', at, end);
  }
}

/** Percent-encodes a key as memcached's log does (`uriencode` in its util.c). */
function encodeKey(key: string): string {
  return key.replace(
    /[^A-Za-z0-9._~-]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
