import { setTimeout as sleep } from 'node:timers/promises';
import { StoreError, type StoreListener } from '../store.ts';
import { withTimeout } from './deadline.ts';

/** Pings detect a lost store, which otherwise looks like a store without changes. */
const pingIntervalMs = 15_000;
/** The limit of a ping, and of connecting and subscribing together. */
const timeoutMs = 10_000;
/** The delay doubles after each connection that ends before its first ping. */
const minReconnectDelayMs = 1000;
const maxReconnectDelayMs = 30_000;

/** Receives the notifications of one connection. It ignores calls after the end of the connection. */
export interface Sink extends Pick<StoreListener, 'changed' | 'opened'> {
  /** Reports that the connection was lost or sent invalid data, which ends it. */
  failed(error: StoreError): void;
  /** Aborts when the connection must be closed, even during its setup. */
  readonly signal: AbortSignal;
}

/**
 * Connects and subscribes. `keepSubscribed` adds the timeout.
 * @returns a function that pings the store
 * @throws StoreError; any other error is a bug and becomes an unhandled rejection
 */
export type Listen = (sink: Sink) => Promise<() => Promise<unknown>>;

/**
 * Keeps a connection for notifications open, and reconnects when it is lost.
 * @returns a function that ends the subscription with its connection and timers
 */
export function keepSubscribed(listen: Listen, listener: StoreListener): () => void {
  let current: AbortController;
  let reconnectTimer: NodeJS.Timeout | undefined;
  let failures = 0;
  let isActive: boolean | undefined;

  function report(error: StoreError | null): void {
    if (isActive === (error === null)) return;
    isActive = error === null;
    listener.lost(error);
  }

  function open(): void {
    const control = new AbortController();
    const { signal } = control;
    current = control;
    const failed = (error: unknown) => {
      if (signal.aborted) return;
      control.abort();
      // Any other error is a bug, which a reconnect would hide.
      if (!(error instanceof StoreError)) throw error;
      const delayMs = Math.min(maxReconnectDelayMs, minReconnectDelayMs * 2 ** failures++);
      // Jitter, because a restart of the store disconnects all clients at the same time.
      reconnectTimer = setTimeout(open, delayMs * (0.5 + Math.random() / 2));
      report(error);
    };
    const timeoutError = () =>
      new StoreError(`the store did not answer its subscription within ${timeoutMs} ms`);
    const inTime = <T>(work: Promise<T>) => withTimeout(timeoutMs, work, timeoutError, signal);
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
        await sleep(pingIntervalMs, undefined, { signal });
        await inTime(ping());
        failures = 0;
      }
    };
    run().catch(failed);
  }

  open();
  return () => {
    clearTimeout(reconnectTimer);
    current.abort();
  };
}
