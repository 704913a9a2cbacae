import { randomUUID } from 'node:crypto';
import type { DatabaseAddress } from '../history/engine/address.ts';
import type { Bus } from '../history/engine/followed.ts';
import type { BusPlace } from './address.ts';
import type { BusKind, BusLink } from './kind.ts';
import { Reconnecting } from './reconnecting.ts';

/**
 * The maximum number of texts that wait to be sent. Further texts are dropped, and servers find the changes by polling.
 */
const mostWaiting = 1000;
/**
 * How long the doctor waits until its text is sent, in milliseconds. A busy machine may need seconds to connect, and the
 * reason of a refusal says more than that nothing answered.
 */
const sendingMs = 10_000;
/** How long the doctor then waits until the text returns, in milliseconds. */
const returnMs = 3000;

/** A bus with its connection state. */
export interface KnownBus extends Bus {
  /** When it went down, by the monotonic clock; null while it is up. */
  readonly downSince: number | null;
  close(): void;
}

/**
 * Connects to the bus.
 * @param onState called with the reason when the bus goes down, and with null when it is up again
 * @returns undefined if the servers only poll the database
 */
export async function openBus(
  place: BusPlace,
  history: DatabaseAddress,
  onState: (reason: Error | null) => void,
): Promise<KnownBus | undefined> {
  const kind = await kindOf(place, history);
  return kind && new ConnectedBus(kind, onState);
}

async function kindOf(place: BusPlace, history: DatabaseAddress): Promise<BusKind | undefined> {
  if (place.kind === 'mysql') return undefined;
  return place.kind === 'redis'
    ? (await import('./redis.ts')).redisBus(place.server)
    : (await import('./postgres.ts')).postgresBus(history);
}

/**
 * Sends a text over the bus to itself, for the doctor.
 * @returns the round-trip time in milliseconds, null if the text did not return in time, undefined without a bus
 * @throws Error with the reason if the bus cannot be used
 */
export async function tryBus(place: BusPlace, history: DatabaseAddress): Promise<number | null | undefined> {
  const kind = await kindOf(place, history);
  if (kind === undefined) return undefined;
  const text = randomUUID();
  const { promise: back, resolve, reject } = Promise.withResolvers<number | null>();
  const late = setTimeout(() => reject(new Error('The bus does not answer')), sendingMs);
  let began = 0;
  const connecting = kind.connect(`php-session-chat:doctor-${text}`, {
    text: (heard) => heard === text && resolve(performance.now() - began),
    failed: reject,
  });
  try {
    connecting
      .then(async (link) => {
        began = performance.now();
        await link.send(text, 'said');
        clearTimeout(late);
        setTimeout(resolve, returnMs, null).unref();
      })
      .catch(reject);
    return await back;
  } finally {
    clearTimeout(late);
    connecting.then(
      (link) => link.end(),
      () => {},
    );
  }
}

class ConnectedBus implements KnownBus {
  readonly #kind: BusKind;
  readonly #onState: (reason: Error | null) => void;
  #connection: Reconnecting<BusLink> | undefined;
  #waiting = 0;
  #downSince: number | null = performance.now();

  constructor(kind: BusKind, onState: (reason: Error | null) => void) {
    this.#kind = kind;
    this.#onState = onState;
  }

  get takesChanges(): boolean {
    return this.#kind.takesChanges;
  }

  get downSince(): number | null {
    return this.#downSince;
  }

  publish(text: string, is: 'hint' | 'said'): void {
    const link = this.#connection?.link;
    if (link === undefined || this.#waiting >= mostWaiting) return;
    this.#waiting++;
    link
      .send(text, is)
      .catch(() => {})
      .finally(() => this.#waiting--);
  }

  listen(channel: string, onText: (text: string) => void, onUp: () => void): void {
    this.#connection = new Reconnecting(
      (failed) => this.#kind.connect(channel, { text: onText, failed }),
      (reason) => {
        this.#downSince = reason === null ? null : performance.now();
        this.#onState(reason);
        if (reason === null) onUp();
      },
    );
  }

  close(): void {
    this.#connection?.close();
  }
}
