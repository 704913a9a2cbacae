import { connect } from 'node:net';
import { markPrefix } from '../../logout-marker.ts';
import { type SessionName, StoreError, type Watcher } from '../../store.ts';
import { keepWatching, type Line } from '../subscription.ts';

/** Above the longest line, of a key of 250 bytes with three characters for each. */
const maxLineBytes = 4096;
const lineEnd = 0x0a;
const blank = ' ';
/** A connection over which nothing came for so many milliseconds is probed by the system, ten times in ten seconds. */
const probeAfter = 20_000;
const sessionId = /^[A-Za-z0-9,-]{1,256}$/;
const mark = /^[0-9a-f]{32}$/;
/** Newer ones tell of deletions, too. 1.6.18 answers the first with an error, and takes the second one then. */
const commands = ['watch mutations deletions', 'watch mutations'];

/** A server that holds sessions under keys with that prefix. */
interface Watched {
  host: string;
  port: number;
}

/**
 * Tells what memcached tells of its items: that PHP's lock of a session is taken, that a session is stored, and the mark
 * that MemcachedHandler.php leaves at a logout. Of a deletion 1.6.18 tells nothing, and where it has much to tell, none
 * tells all.
 */
export function watchMemcached(servers: readonly Watched[], prefix: string, watcher: Watcher): () => void {
  const lost = new Map<Watched, StoreError>();
  const begun = new Set<Watched>();
  let well: boolean | undefined;
  const ends = servers.map((server) =>
    keepWatching((line) => subscribe(server, prefix, line), {
      changed: (session) => watcher.changed(session),
      opened: (session) => watcher.opened(session),
      lost(reason) {
        begun.add(server);
        if (reason === null) lost.delete(server);
        else lost.set(server, reason);
        const now = lost.size === 0;
        // Whether all of them work is known when each has said so.
        if (now === well || (now && begun.size < servers.length)) return;
        well = now;
        watcher.lost(reason);
      },
    }),
  );
  return () => {
    for (const end of ends) end();
  };
}

function subscribe({ host, port }: Watched, prefix: string, line: Line): Promise<() => Promise<void>> {
  const name = `memcached at ${host}:${port}`;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, keepAlive: true, keepAliveInitialDelay: probeAfter });
    const failed = (error: StoreError) => {
      reject(error);
      line.failed(error);
    };
    line.signal.addEventListener('abort', () => {
      socket.destroy();
      reject(new StoreError('the watch has ended'));
    });
    const left = [...commands];
    const askNext = () => socket.write(`${left.shift()}\r\n`);
    const tell = teller(prefix, line);
    let watching = false;
    let rest: Buffer = Buffer.alloc(0);
    socket.on('connect', askNext);
    socket.on('data', (chunk: Buffer) => {
      const received = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let from = 0;
      if (!watching) {
        from = received.indexOf(lineEnd) + 1;
        const answer = received.toString('latin1', 0, from).trimEnd();
        if (answer === 'OK') {
          watching = true;
          // A watching connection answers nothing more, not even `version`: the system's probes must do.
          resolve(async () => {});
        } else if (answer === 'ERROR' && left.length > 0) askNext();
        else if (from > 0)
          return failed(new StoreError(`${name} does not let itself be watched${refusal(answer)}`));
      }
      const end = received.lastIndexOf(lineEnd) + 1;
      if (watching) tell(received.subarray(from, end));
      // A copy, so that the few bytes left over do not keep a large piece in memory.
      rest = Buffer.from(received.subarray(end));
      if (rest.length > maxLineBytes)
        failed(new StoreError(`${name} sent something that is no line of a watch`));
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      failed(new StoreError(`${name} cannot be watched (${error.code})`, { cause: error })),
    );
    socket.on('close', () => failed(new StoreError(`${name} closed the connection of the watch`)));
  });
}

/** What is no message of memcached's could hold anything. */
function refusal(answer: string): string {
  return /^[A-Z][A-Za-z_ ]{1,80}$/.test(answer) ? `: ${answer}` : '';
}

/**
 * Finds what is of interest in whole lines such as `ts=… gid=… type=item_store key=KEY status=stored cmd=set …`. There
 * may be tens of thousands in a second about other things, so what is searched for is the bytes before the name.
 */
function teller(prefix: string, line: Line): (lines: Buffer) => void {
  const beforeMark = Buffer.from(` key=${markPrefix}`);
  const beforeName = Buffer.from(` key=${asWritten(prefix)}`);
  return (lines) => {
    for (const name of namesAfter(beforeMark, lines)) if (mark.test(name)) line.changed({ mark: name });
    for (const name of namesAfter(beforeName, lines)) {
      // ext-memcached's lock and that of our handlers; then ext-memcache's.
      const locked = name.startsWith('lock.')
        ? name.slice(5)
        : name.endsWith('.lock')
          ? name.slice(0, -5)
          : null;
      const session: SessionName = { id: (locked ?? name).replaceAll('%2C', ',') };
      if (!sessionId.test(session.id)) continue;
      if (locked === null) line.changed(session);
      else line.opened(session);
    }
  };
}

function* namesAfter(marker: Buffer, lines: Buffer): Generator<string> {
  for (let at = lines.indexOf(marker); at !== -1; at = lines.indexOf(marker, at)) {
    at += marker.length;
    const end = lines.indexOf(blank, at);
    if (end === -1) return;
    yield lines.toString('latin1', at, end);
  }
}

/** All but letters, digits and `-._~` stand there percent-encoded (`uriencode` in memcached's util.c). */
function asWritten(key: string): string {
  return key.replace(
    /[^A-Za-z0-9._~-]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
