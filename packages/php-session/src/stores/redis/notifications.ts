import { StoreError, type StoreListener } from '../../store.ts';
import { Pipeline } from '../pipeline.ts';
import { keepSubscribed, type Sink } from '../subscription.ts';
import { permitted, type RedisServer, redisProtocol } from './connection.ts';
import { encoded, type Reply } from './replies.ts';

/** The setting of Redis that says which keyspace events it sends. */
export const eventsSetting = 'notify-keyspace-events';
/**
 * The keyspace events that may end a session or change its user. Redis sends `set` only with the flag `$`. It sends
 * `expire` without it, when phpredis writes by SETEX.
 */
const events = ['del', 'expired', 'evicted', 'set', 'expire'];
/** Milliseconds that an answer may take; the subscription has given Redis up by then. */
const longest = 60_000;

/**
 * Subscribes to the keyspace events of the keys with that prefix, over a connection of its own. If Redis is configured
 * to send no logout notifications, or not all, the subscription reports itself lost, and passes on what it gets.
 * @param setting reads `eventsSetting`, which the connection of a subscription may not do
 */
export function subscribeRedis(
  server: RedisServer,
  prefix: string,
  setting: () => Promise<string | null>,
  listener: StoreListener,
): () => void {
  const start = Buffer.from(prefix);
  let lacking: StoreError | null = null;

  async function learnLacking(): Promise<void> {
    try {
      const flags = await setting();
      const { text, advice } = logoutNotifications(flags);
      lacking = flags === null || lacks(flags).length === 0 ? null : new StoreError(`${text} ${advice}`);
    } catch (error) {
      // This is about another connection, and says nothing about the subscription.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  return keepSubscribed(
    async (sink) => {
      const ping = await listen(server, sink, (key) => {
        if (!key.subarray(0, start.length).equals(start)) return;
        sink.changed({ id: key.toString('utf8', start.length) });
      });
      await learnLacking();
      return async () => {
        await ping();
        const before = lacking?.message;
        await learnLacking();
        if (!sink.signal.aborted && lacking?.message !== before) listener.lost(lacking);
      };
    },
    { ...listener, lost: (reason) => listener.lost(reason ?? lacking) },
  );
}

/**
 * Whether logout notifications are active, for the operator.
 * @param flags the value of `eventsSetting`; null if it cannot be read
 */
export function logoutNotifications(flags: string | null): { text: string; advice?: string } {
  if (flags === null) {
    return {
      text: 'It is unknown whether the logout notifications of Redis are active: its user may not read the settings.',
      advice: `They are with ${eventsSetting} Egx, or more (redis-cli CONFIG GET ${eventsSetting}).`,
    };
  }
  const missing = lacks(flags);
  if (missing.length === 0) return { text: 'The logout notifications of Redis are active.' };
  const all = flags + missing.join('');
  return {
    text: 'The logout notifications of Redis are not active: a logout is noticed at the next regular check.',
    advice: `To notice it at once: redis-cli CONFIG SET ${eventsSetting} '${all}', and in redis.conf the line ${eventsSetting} ${all}`,
  };
}

/** The flags that logout notifications need and that are missing. `A` stands for all of them but E, the channel. */
function lacks(flags: string): string[] {
  return [...'Egx'].filter((flag) => !flags.includes(flag) && (flag === 'E' || !flags.includes('A')));
}

async function listen(
  server: RedisServer,
  sink: Sink,
  onKey: (key: Buffer) => void,
): Promise<() => Promise<unknown>> {
  const pushed = (reply: Reply) => {
    const [kind, , key] = Array.isArray(reply) ? reply : [];
    if (String(kind) !== 'message' || !Buffer.isBuffer(key)) return false;
    onKey(key);
    return true;
  };
  const redis = new Pipeline({ ...redisProtocol(server), pushed, failed: sink.failed }, longest);
  sink.signal.addEventListener('abort', () => redis.close());
  const channels = events.map((event) => `__keyevent@${server.database}__:${event}`);
  await redis.askAll(
    encoded([['SUBSCRIBE', ...channels]]),
    channels.length,
    permitted('subscribe', (reply) => (Array.isArray(reply) ? reply : undefined)),
  );
  // Any answer will do, such as that this user may not ask.
  return () => redis.ask(encoded([['PING']]), (reply) => reply ?? undefined);
}
