import { StoreError, type Watcher } from '../../store.ts';
import { keepWatching, type Line } from '../subscription.ts';
import { refusal, unreachable } from './failures.ts';
import { type Client, createClient, type Library, type RedisServer } from './link.ts';

/** What in Redis's set-up says which keyspace events it tells. */
export const eventsSetting = 'notify-keyspace-events';
/**
 * Of the keyspace events those that may end a session or change who is in it. `set` is told with `$` only; `expire` is
 * told without it when phpredis writes, by SETEX.
 */
const events = ['del', 'expired', 'evicted', 'set', 'expire'];
/** Milliseconds after which a socket that does not connect is closed: when it has been given up for long. */
const timeout = 10_000;

/**
 * Tells of the keys with that prefix what Redis tells of them, over a connection of its own. Where Redis is set up to
 * tell nothing of logouts, or not of all, it says that the watch is lost, and tells what it hears all the same.
 * @param setting asks for `eventsSetting`, which the connection of a watch may not
 */
export function watchKeys(
  server: RedisServer,
  prefix: string,
  setting: () => Promise<string | null>,
  watcher: Watcher,
): () => void {
  const start = Buffer.from(prefix);
  let lacking: StoreError | null = null;

  async function learnLacking(): Promise<void> {
    try {
      const flags = await setting();
      const { text, advice } = keyspaceEvents(flags);
      lacking = flags === null || lacks(flags).length === 0 ? null : new StoreError(`${text} ${advice}`);
    } catch (error) {
      // Whether the watch is well, its own connection knows.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  return keepWatching(
    async (line) => {
      const library = await import('redis');
      if (line.signal.aborted) throw new StoreError('the watch has ended');
      const check = await subscribe(library, server, line, (key) => {
        if (!key.subarray(0, start.length).equals(start)) return;
        line.changed({ id: key.toString('utf8', start.length) });
      });
      await learnLacking();
      return async () => {
        await check();
        const before = lacking?.message;
        await learnLacking();
        if (!line.signal.aborted && lacking?.message !== before) watcher.lost(lacking);
      };
    },
    { ...watcher, lost: (reason) => watcher.lost(reason ?? lacking) },
  );
}

/**
 * Whether a watch hears of logouts, for who runs the site.
 * @param flags what `eventsSetting` is; null when that cannot be known
 */
export function keyspaceEvents(flags: string | null): { text: string; advice?: string } {
  if (flags === null) {
    return {
      text: 'Whether Redis tells of logouts at once cannot be known: its user may not ask how it is set up.',
      advice: `It does with ${eventsSetting} Egx, or more (redis-cli CONFIG GET ${eventsSetting}).`,
    };
  }
  const missing = lacks(flags);
  if (missing.length === 0) return { text: 'Redis tells of logouts at once.' };
  const all = flags + missing.join('');
  return {
    text: 'Redis does not tell of logouts: the chat notices each of them when it looks the next time.',
    advice: `To notice them at once: redis-cli CONFIG SET ${eventsSetting} '${all}', and in redis.conf the line ${eventsSetting} ${all}`,
  };
}

/** What it takes to be told of logouts, and is not there. `A` is all of it but E, which is where it is told. */
function lacks(flags: string): string[] {
  return [...'Egx'].filter((flag) => !flags.includes(flag) && (flag === 'E' || !flags.includes('A')));
}

async function subscribe(
  library: Library,
  server: RedisServer,
  line: Line,
  onKey: (key: Buffer) => void,
): Promise<() => Promise<unknown>> {
  const client = createClient(library, server, timeout);
  const failure = (error: unknown) =>
    error instanceof library.ErrorReply ? refusal(error.message, 'watch') : unreachable(error);
  line.signal.addEventListener('abort', () => client.destroy());
  client.on('error', (error) => line.failed(failure(error)));
  // As in link.ts: what is destroyed while it connects would connect all the same.
  client.on('connect', () => {
    if (line.signal.aborted) client.destroy();
  });
  try {
    await client.connect();
    const channels = events.map((event) => `__keyevent@${server.database}__:${event}`);
    await client.subscribe(channels, onKey, true);
  } catch (error) {
    throw failure(error);
  }
  return () => stillThere(library, client, failure);
}

/** Any answer will do, such as that this user may not ask. */
async function stillThere(
  library: Library,
  client: Client,
  failure: (error: unknown) => StoreError,
): Promise<void> {
  try {
    await client.ping();
  } catch (error) {
    if (!(error instanceof library.ErrorReply)) throw failure(error);
  }
}
