import { StoreError, type StoreListener } from '../../store.ts';
import { Pipeline } from '../pipeline.ts';
import { keepSubscribed, type Sink } from '../subscription.ts';
import { type RedisServer, redisProtocol, requirePermission } from './connection.ts';
import { encodeCommands, type Reply } from './replies.ts';

/** The setting of Redis that selects the keyspace events. */
export const eventsSetting = 'notify-keyspace-events';
/**
 * Events that may mean the end of a session or another user. When phpredis writes with SETEX, Redis sends `set` only with
 * the flag `$`, but `expire` also without it.
 */
const events = ['del', 'expired', 'evicted', 'set', 'expire'];
/** Longer than the timeouts of `keepSubscribed`, so that they apply. */
const timeoutMs = 60_000;

/**
 * Subscribes to the keyspace events of keys with `prefix`, over a separate connection. If Redis is not configured to send
 * all events, the listener gets an error, and still the events that arrive.
 * @param readSetting reads `eventsSetting` over another connection, because a subscriber cannot
 */
export function subscribeRedis(
  server: RedisServer,
  prefix: string,
  readSetting: () => Promise<string | null>,
  listener: StoreListener,
): () => void {
  const prefixBytes = Buffer.from(prefix);
  let missingEvents: StoreError | null = null;

  async function checkSetting(): Promise<void> {
    try {
      const flags = await readSetting();
      const { text, advice } = logoutNotifications(flags);
      missingEvents =
        flags === null || missingFlags(flags).length === 0 ? null : new StoreError(`${text} ${advice}`);
    } catch (error) {
      // A failure of the other connection does not affect the subscription.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  return keepSubscribed(
    async (sink) => {
      const ping = await listen(server, sink, (key) => {
        if (!key.subarray(0, prefixBytes.length).equals(prefixBytes)) return;
        sink.changed({ id: key.toString('utf8', prefixBytes.length) });
      });
      await checkSetting();
      return async () => {
        await ping();
        const before = missingEvents?.message;
        await checkSetting();
        if (!sink.signal.aborted && missingEvents?.message !== before) listener.lost(missingEvents);
      };
    },
    { ...listener, lost: (error) => listener.lost(error ?? missingEvents) },
  );
}

/**
 * Tells the operator whether logout notifications are active.
 * @param flags the value of `eventsSetting`; null if it cannot be read
 */
export function logoutNotifications(flags: string | null): { text: string; advice?: string } {
  if (flags === null) {
    return {
      text: 'The logout notifications of Redis cannot be checked, because its user may not read the settings.',
      advice: `They are active if ${eventsSetting} contains E, g and x, or E and A (redis-cli CONFIG GET ${eventsSetting}).`,
    };
  }
  const missing = missingFlags(flags);
  if (missing.length === 0) return { text: 'The logout notifications of Redis are active.' };
  const all = flags + missing.join('');
  return {
    text: 'The logout notifications of Redis are not active, so a logout is noticed at the next regular check.',
    advice: `To notice logouts at once, run redis-cli CONFIG SET ${eventsSetting} '${all}', and put ${eventsSetting} ${all} into redis.conf.`,
  };
}

/**
 * Returns the flags that are missing for logout notifications. `A` includes `g` and `x`, but not `E`, which selects the
 * channel.
 */
function missingFlags(flags: string): string[] {
  return [...'Egx'].filter((flag) => !flags.includes(flag) && (flag === 'E' || !flags.includes('A')));
}

async function listen(
  server: RedisServer,
  sink: Sink,
  onKey: (key: Buffer) => void,
): Promise<() => Promise<unknown>> {
  const onPush = (reply: Reply) => {
    const [type, , key] = Array.isArray(reply) ? reply : [];
    if (String(type) !== 'message' || !Buffer.isBuffer(key)) return false;
    onKey(key);
    return true;
  };
  const redis = new Pipeline({ ...redisProtocol(server), onPush, onDisconnect: sink.failed }, timeoutMs);
  sink.signal.addEventListener('abort', () => redis.close());
  const channels = events.map((event) => `__keyevent@${server.database}__:${event}`);
  await redis.queryAll(
    encodeCommands([['SUBSCRIBE', ...channels]]),
    channels.length,
    requirePermission('subscribe', (reply) => (Array.isArray(reply) ? reply : undefined)),
  );
  // Any reply proves that Redis responds, even an error for a user who may not ping.
  return () => redis.query(encodeCommands([['PING']]), (reply) => reply ?? undefined);
}
