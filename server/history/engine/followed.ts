import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Change } from '../changes.ts';
import { entriesAfter, forget, positionOf, type Withheld, withContents } from './change-log.ts';
import { Delivery } from './delivery.ts';
import { answered, type ServerDialect, SqlError } from './dialect.ts';
import { Pool } from './pool.ts';

/** Notifies the other servers that something was written. Nothing depends on it: what it loses is found later. */
export interface Bus {
  /** Whether a hint says what has changed, too. */
  readonly takesChanges: boolean;
  /** To all servers, if the bus is up; never waits, never fails. A hint may be left out for a later one. */
  publish(text: string, is: 'hint' | 'said'): void;
  /** @param onUp is called whenever the bus is up: what came before may have been lost */
  listen(channel: string, onText: (text: string) => void, onUp: () => void): void;
}

/** That several servers work together on this history. */
export interface Shared {
  /** This run of the server, by the name of its broadcasts (`broadcast` of `Writes`). */
  self: string;
  /** Absent where the database alone is looked at. */
  bus?: Bus;
  /** How often the database is looked at, in milliseconds, for changes whose hint was lost. */
  look: number;
  /** Is called with what another server has said. */
  onSaid(what: object): void;
  /** Is called when a text on the bus is not of these servers. */
  onForeign(): void;
}

/** The changes of all servers, this one too. */
interface Others {
  /** Changes that this server has written. Resolves when it was handed out, and all that came before it. */
  written(entry: number, changes: readonly Change[]): Promise<void>;
  /** Resolves when everything up to that entry was handed out. */
  upTo(entry: number): Promise<void>;
  /** As in `History`. */
  say(what: object): void;
  digest(text: string): string;
  close(): Promise<void>;
}

const forgetEvery = 60 * 1000;
/** Characters of an HMAC-SHA-256 in base64. */
const codeLength = 44;
/** More runs of other servers than there are at a time. */
const mostRuns = 1000;
/** No text on a bus is longer. Anybody who may publish there can make all servers compute the code of what they send. */
export const mostBytes = 64 * 1024;
/** Own texts that are awaited back. The bus may lose some. */
const mostAwaited = 1000;

/** Begins to hand out what is written from now on. @throws SqlError */
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
  let said = 0;
  /**
   * The runs of other servers that the database has confirmed since this one began, by their broadcasts there, and how
   * many texts each has said. Texts of other runs may have been recorded before the database was restored: the database is
   * asked in place of their hints, and the rest of them is ignored.
   */
  const runs = new Map<string, number>();
  function confirm(run: string): void {
    const heard = runs.get(run) ?? 0;
    runs.delete(run);
    const [oldest] = runs.keys();
    if (runs.size === mostRuns) runs.delete(oldest as string);
    runs.set(run, heard);
  }
  /** The codes of its own texts that have not come back: they say nothing new, so they need not be opened. */
  const awaited = new Set<string>();
  /** They get their contents with their next change. */
  const withheld: Withheld = new Map();
  const closing = new AbortController();
  const { signal } = closing;
  const delivery = new Delivery({
    position: await pool.use(positionOf),
    hasBus: bus !== undefined,
    read: (after) => pool.use((connection) => entriesAfter({ dialect, connection }, after, withheld)),
    deliver(changes) {
      for (const change of changes) if (change.type === 'broadcast') confirm(change.from);
      handOut(withContents(changes, withheld));
    },
    onFailure,
  });
  bus?.listen(
    // Several sites may share a bus.
    `php-session-chat:${createHash('sha256').update(digestKey).digest('hex').slice(0, 16)}`,
    (text) => {
      if (awaited.delete(text.slice(0, codeLength))) return;
      const sent = opened(digestKey, text);
      if (sent === null) return onForeign();
      const heard = runs.get(sent.from);
      if ('num' in sent) return delivery.hint(sent.num, heard === undefined ? undefined : sent.changes);
      // A later version may send something else.
      if (!('said' in sent)) return;
      // Its own, doubled by the bus; and one that was overtaken or is played back later says nothing new.
      if (sent.from === self || heard === undefined || sent.nth <= heard) return;
      runs.set(sent.from, sent.nth);
      onSaid(sent.said);
    },
    () => void attempt(lookOnce),
  );

  function publish(text: string, is: 'hint' | 'said'): void {
    const [oldest] = awaited;
    if (awaited.size === mostAwaited) awaited.delete(oldest as string);
    awaited.add(text.slice(0, codeLength));
    bus?.publish(text, is);
  }

  async function lookOnce(): Promise<void> {
    const before = delivery.position;
    const num = await pool.use(positionOf);
    // Another one would go on with numbers that are known here already.
    if (num < before) return onFailure(new Error('the history was replaced by an older one'));
    delivery.hint(num);
  }

  /** If the database fails, the next attempt repeats it. */
  async function attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof SqlError)) onFailure(error as Error);
    }
  }

  async function repeat(every: number, work: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await attempt(work);
      await pause(every, undefined, { signal }).catch(() => {});
    }
  }

  const looking = repeat(look, lookOnce);
  const forgetting = repeat(forgetEvery, () =>
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
    say: (what) => publish(sealed(digestKey, { from: self, nth: ++said, said: what }), 'said'),
    digest: (text) => codeOf(digestKey, text),
    async close() {
      closing.abort();
      delivery.close(new SqlError('lost', 'the history is closed'));
      await Promise.all([looking, forgetting]);
      await pool.close();
    },
  };
}

/** The connection that asked exists on this server alone, so the hint leaves it out. */
const hinted = ({ asker: _, ...change }: Change): Change => change;

/** A text on the bus: a hint that an entry was written, or something that a server says. */
type Sent = { from: string } & ({ num: number; changes?: Change[] } | { nth: number; said: object });

/** A text with its code. Without the key, which lies in the database, nobody can forge one, even with access to the bus. */
function sealed(key: Uint8Array, sent: Sent): string {
  const text = JSON.stringify(sent);
  return codeOf(key, text) + text;
}

const isShort = (text: string) => Buffer.byteLength(text) <= mostBytes;

/** null: not of these servers, or cut off. */
function opened(key: Uint8Array, text: string): Sent | null {
  if (!isShort(text)) return null;
  const sent = text.slice(codeLength);
  const code = Buffer.from(text.slice(0, codeLength));
  if (code.length !== codeLength || !timingSafeEqual(code, Buffer.from(codeOf(key, sent)))) return null;
  return JSON.parse(sent) as Sent;
}

const codeOf = (key: Uint8Array, text: string) => createHmac('sha256', key).update(text).digest('base64');
