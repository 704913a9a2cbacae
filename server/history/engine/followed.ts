import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Change } from '../records/changes.ts';
import { entriesAfter, forget, positionOf, type Withheld, withContents } from './change-log.ts';
import { Delivery } from './delivery.ts';
import { answered, type ServerDialect, SqlError } from './dialect.ts';
import { Pool } from './pool.ts';

/** Notifies other servers of new log entries. It may lose messages, because each server also polls the database. */
export interface Bus {
  /** Whether a hint may include the changes. */
  readonly takesChanges: boolean;
  /** Sends a text to all servers if the bus is up. Never waits or fails. May drop a hint in favour of a later one. */
  publish(text: string, is: 'hint' | 'said'): void;
  /**
   * Calls `onText` for each text that servers publish on the channel.
   * @param onUp called whenever the bus connects. Earlier texts may be lost.
   */
  listen(channel: string, onText: (text: string) => void, onUp: () => void): void;
}

/** Options of a history that several servers share. */
export interface Shared {
  /** The ID of this process instance, which is also the sender of its `broadcast` writes. */
  self: string;
  /** Without it, the server only polls the database. */
  bus?: Bus;
  /** Poll interval in milliseconds. Polling finds the entries whose hint was lost. */
  look: number;
  /** Called with each node message of another server. */
  onSaid(message: object): void;
  /** Called for a text on the bus that these servers did not sign. */
  onForeign(): void;
}

/** Dispatches the changes of all servers, including this one. */
interface Others {
  /** Dispatches an entry that this server wrote. Resolves when it and all entries before it are dispatched. */
  written(entry: number, changes: readonly Change[]): Promise<void>;
  /** Resolves when all entries up to `entry` are dispatched. */
  upTo(entry: number): Promise<void>;
  /** See `History`. */
  say(message: object): void;
  digest(text: string): string;
  close(): Promise<void>;
}

const deleteIntervalMs = 60 * 1000;
/** Length of a base64 HMAC-SHA-256. */
const codeLength = 44;
/** Maximum remembered process instances, more than run at any time. */
const maxRuns = 1000;
/** Longer texts are ignored, because any client of the bus could make all servers compute HMACs. */
export const mostBytes = 64 * 1024;
/** Maximum own texts remembered until the bus returns them. The bus may lose some. */
const maxPendingEchoes = 1000;

/** Starts to dispatch entries after the current position. @throws SqlError */
export async function follow(
  dialect: ServerDialect,
  digestKey: Uint8Array,
  { self, bus, look, onSaid, onForeign }: Shared,
  {
    handOut,
    onFailure,
  }: { handOut: (changes: readonly Change[]) => void; onFailure: (error: Error) => void },
): Promise<Others> {
  const pool = new Pool(dialect, 1);
  let lastNth = 0;
  /**
   * The number of the last node message of each process instance whose broadcast is in the log. Texts of other
   * instances may be replayed from before a restore: their hints only trigger a read, and their node messages are
   * ignored.
   */
  const runs = new Map<string, number>();
  function confirmRun(run: string): void {
    const lastHeard = runs.get(run) ?? 0;
    runs.delete(run);
    const [oldest] = runs.keys();
    if (runs.size === maxRuns) runs.delete(oldest as string);
    runs.set(run, lastHeard);
  }
  /** Codes of own texts that the bus has not returned yet. They need no verification. */
  const pendingEchoes = new Set<string>();
  /** Messages that were dispatched without contents. Their next change is dispatched with the contents. */
  const withheld: Withheld = new Map();
  const closing = new AbortController();
  const { signal } = closing;
  const delivery = new Delivery({
    position: await pool.use(positionOf),
    hasBus: bus !== undefined,
    read: (after) => pool.use((connection) => entriesAfter({ dialect, connection }, after, withheld)),
    deliver(changes) {
      for (const change of changes) if (change.type === 'broadcast') confirmRun(change.from);
      handOut(withContents(changes, withheld));
    },
    onFailure,
  });
  bus?.listen(
    // Sites may share a bus, so each history has its own channel.
    `php-session-chat:${createHash('sha256').update(digestKey).digest('hex').slice(0, 16)}`,
    (text) => {
      if (pendingEchoes.delete(text.slice(0, codeLength))) return;
      const sent = opened(digestKey, text);
      if (sent === null) return onForeign();
      const lastHeard = runs.get(sent.from);
      if ('num' in sent) return delivery.hint(sent.num, lastHeard === undefined ? undefined : sent.changes);
      // A newer server version may send other texts.
      if (!('said' in sent)) return;
      // Ignores own texts that the bus duplicates, and texts that arrive late or are replayed.
      if (sent.from === self || lastHeard === undefined || sent.nth <= lastHeard) return;
      runs.set(sent.from, sent.nth);
      onSaid(sent.said);
    },
    () => void attempt(poll),
  );

  function publish(text: string, is: 'hint' | 'said'): void {
    const [oldest] = pendingEchoes;
    if (pendingEchoes.size === maxPendingEchoes) pendingEchoes.delete(oldest as string);
    pendingEchoes.add(text.slice(0, codeLength));
    bus?.publish(text, is);
  }

  async function poll(): Promise<void> {
    const before = delivery.position;
    const num = await pool.use(positionOf);
    // An older history would reuse entry numbers that are already dispatched here.
    if (num < before) return onFailure(new Error('the history was replaced by an older one'));
    delivery.hint(num);
  }

  /** Runs work that is attempted again later, so database errors are ignored. */
  async function attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof SqlError)) onFailure(error as Error);
    }
  }

  async function repeat(intervalMs: number, work: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await attempt(work);
      await pause(intervalMs, undefined, { signal }).catch(() => {});
    }
  }

  const polling = repeat(look, poll);
  const deleting = repeat(deleteIntervalMs, () =>
    pool.use((connection) => answered(forget(dialect), connection)),
  );
  return {
    written(entry, changes) {
      if (bus !== undefined) {
        const from = self;
        const whole = bus.takesChanges
          ? sealed(digestKey, { from, num: entry, changes: changes.map(hinted) })
          : undefined;
        const hint = whole && isShort(whole) ? whole : sealed(digestKey, { from, num: entry });
        publish(hint, 'hint');
      }
      return delivery.own(entry, changes);
    },
    upTo: (entry) => delivery.upTo(entry),
    say: (message) => publish(sealed(digestKey, { from: self, nth: ++lastNth, said: message }), 'said'),
    digest: (text) => codeOf(digestKey, text),
    async close() {
      closing.abort();
      delivery.close(new SqlError('lost', 'the history is closed'));
      await Promise.all([polling, deleting]);
      await pool.close();
    },
  };
}

/** Removes the requesting connection from a hint, because other servers do not have it. */
const hinted = ({ asker: _, ...change }: Change): Change => change;

/** A text on the bus: a hint about a new entry, or a node message. */
type Sent = { from: string } & ({ num: number; changes?: Change[] } | { nth: number; said: object });

/** Signs a text. The key is in the database, so access to the bus is not enough to forge one. */
function sealed(key: Uint8Array, sent: Sent): string {
  const text = JSON.stringify(sent);
  return codeOf(key, text) + text;
}

const isShort = (text: string) => Buffer.byteLength(text) <= mostBytes;

/** Returns null if the text is not signed with this key, or is too long. */
function opened(key: Uint8Array, text: string): Sent | null {
  if (!isShort(text)) return null;
  const sent = text.slice(codeLength);
  const code = Buffer.from(text.slice(0, codeLength));
  if (code.length !== codeLength || !timingSafeEqual(code, Buffer.from(codeOf(key, sent)))) return null;
  return JSON.parse(sent) as Sent;
}

const codeOf = (key: Uint8Array, text: string) => createHmac('sha256', key).update(text).digest('base64');
