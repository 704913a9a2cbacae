import { randomBytes } from 'node:crypto';
import { StoreError } from '../../store.ts';
import { canarySeconds, type Proof } from '../canary.ts';
import type { TextConnection } from './text-connection.ts';

/** PHP makes no id with a dot. */
const prefix = 'chat.canary.';

/**
 * What ends a session, or its TTL, without a line for the watchers: memcached logs no deletion of the binary protocol,
 * which ext-memcached speaks, and none at all up to 1.6.18. The logger counts the lines that it drops.
 */
const silent = [
  'delete_hits',
  'touch_hits',
  'cmd_flush',
  'evictions',
  'slab_reassign_evictions_nomem',
  'slab_reassign_busy_deletes',
  'log_worker_dropped',
  'log_watcher_skipped',
];
/** To `mg`, to `set`, and to `stats`, which has many lines. */
const answers = /^(?:HD|EN|STORED|NOT_STORED|(?:[A-Z]+_)?ERROR.*|STAT (\S+) (.*)|END)$/;

/** The keys of one process's canaries: they begin with `start`. */
export const canaryKeys = () => `${prefix}${randomBytes(6).toString('hex')}.`;

/**
 * Proves the notifications of one memcached.
 * @param start of the keys
 * @param touched how many items this process has touched there, over the same connection
 */
export function memcachedProof(text: TextConnection, start: string, touched: () => number): Proof {
  let sets = 0;
  let resets = 0;

  /** @throws StoreError if this memcached does not count everything, or may lose items from its disk */
  function silentChanges(counts: readonly RegExpExecArray[]): string {
    const stats = new Map(counts.map(([, name, value]) => [name, value]));
    if (!silent.every((name) => stats.has(name)) || stats.has('extstore_page_evictions'))
      throw new StoreError('memcached does not count all that it does not notify of');
    const values = silent.map((name) => Number(stats.get(name)) - (name === 'touch_hits' ? touched() : 0));
    // It rises with each canary.
    const setsBefore = sets;
    sets = Number(stats.get('cmd_set'));
    // `stats reset` hides what came before it.
    if (sets <= setsBefore) resets++;
    // It counts what it throws away when it moves a page only when that is done: until then no answer is like another.
    if (stats.get('slab_reassign_running') !== '0') values.push(sets);
    return [stats.get('pid'), resets, ...values].join(' ');
  }

  return {
    notifications: (name) => [String(name)],
    async write(name, before) {
      // In one piece: each answer that comes by itself wakes both processes.
      const commands = [`mg ${start}${before}`, `set ${start}${name} 0 ${canarySeconds} 0\r\n`, 'stats'];
      const isLast = ([, stat]: RegExpExecArray, nth: number) => nth > 2 && stat === undefined;
      const [found, stored, ...counts] = await text.askUntil(commands, answers, isLast);
      if (stored?.[0] !== 'STORED') throw new StoreError('memcached does not store the canary');
      return found?.[0] === 'HD' ? silentChanges(counts) : null;
    },
  };
}
