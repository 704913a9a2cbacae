import { setTimeout as pause } from 'node:timers/promises';
import { StoreError, type StoreListener } from '../store.ts';
import { within } from './deadline.ts';

// Milliseconds.
/** The interval of pings. A store that is gone without a word looks like one that has nothing to notify of. */
const pingEvery = 15_000;
/** The timeout of connecting and subscribing together, and of a ping. */
const timeout = 10_000;
/** The pause before the next connection. It doubles after each connection that did not last. */
const pauses = { shortest: 1000, longest: 30_000 };

/** Takes what comes over one connection of a subscription. After the end of that connection it drops everything. */
export interface Sink extends Pick<StoreListener, 'changed' | 'opened'> {
  /** The connection is lost, or what comes over it makes no sense. */
  failed(error: StoreError): void;
  /** Aborted when the connection has failed or is no longer wanted; it must then be ended, connected or not. */
  readonly signal: AbortSignal;
}

/**
 * Connects, and settles when the store has agreed to send notifications. It needs no timeout of its own.
 * @returns a ping: asks the store anything at all, to see that it is still there
 * @throws StoreError; anything else is a bug in this program, and ends it as an unhandled rejection
 */
export type Listen = (sink: Sink) => Promise<() => Promise<unknown>>;

/**
 * Keeps a connection for notifications, and replaces it when it is lost.
 * @returns ends the subscription: from then on nothing is notified, and no connection or timer is left
 */
export function keepSubscribed(listen: Listen, listener: StoreListener): () => void {
  let current: AbortController;
  let reopening: NodeJS.Timeout | undefined;
  let failures = 0;
  let active: boolean | undefined;

  function report(reason: StoreError | null): void {
    if (active === (reason === null)) return;
    active = reason === null;
    listener.lost(reason);
  }

  function open(): void {
    const control = new AbortController();
    const { signal } = control;
    current = control;
    const failed = (error: unknown) => {
      if (signal.aborted) return;
      control.abort();
      // To try again would hide it.
      if (!(error instanceof StoreError)) throw error;
      const longest = Math.min(pauses.longest, pauses.shortest * 2 ** failures++);
      // Random, or all connections that a restart has cut off would come back at the same moment.
      reopening = setTimeout(open, longest * (0.5 + Math.random() / 2));
      report(error);
    };
    const late = () => new StoreError(`the store did not answer its subscription within ${timeout} ms`);
    const inTime = <T>(work: Promise<T>) => within(timeout, work, late, signal);
    const sink: Sink = {
      changed(session) {
        if (!signal.aborted) listener.changed(session);
      },
      opened(session) {
        if (!signal.aborted) listener.opened(session);
      },
      failed,
      signal,
    };
    const run = async () => {
      const ping = await inTime(listen(sink));
      if (signal.aborted) return;
      report(null);
      for (;;) {
        await pause(pingEvery, undefined, { signal });
        await inTime(ping());
        failures = 0;
      }
    };
    run().catch(failed);
  }

  open();
  return () => {
    clearTimeout(reopening);
    current.abort();
  };
}
