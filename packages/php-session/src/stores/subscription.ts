import { setTimeout as sleep } from 'node:timers/promises';
import { StoreError, type StoreListener } from '../store.ts';
import { withTimeout } from './deadline.ts';

/** Without pings, a store that is gone looks like a store without notifications. */
const pingIntervalMs = 15_000;
/** Of a ping, and of connecting and subscribing together. */
const timeoutMs = 10_000;
/** The delay doubles after each connection that ends before its first ping. */
const minReconnectDelayMs = 1000;
const maxReconnectDelayMs = 30_000;

/** Receives the notifications of one connection. It ignores everything after the connection has ended. */
export interface Sink extends Pick<StoreListener, 'changed' | 'opened'> {
  /** Ends a connection that is lost or sends invalid data. */
  failed(error: StoreError): void;
  /** Aborted when the connection must be closed, even while it is being opened. */
  readonly signal: AbortSignal;
}

/**
 * Connects and subscribes, without a timeout of its own.
 * @returns pings the store
 * @throws StoreError; any other error is a bug and becomes an unhandled rejection
 */
export type Listen = (sink: Sink) => Promise<() => Promise<unknown>>;

/**
 * Keeps a connection for notifications open, and reconnects when it is lost.
 * @returns ends the subscription with its connection and timers
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
      // A reconnect would hide a bug.
      if (!(error instanceof StoreError)) throw error;
      const delayMs = Math.min(maxReconnectDelayMs, minReconnectDelayMs * 2 ** failures++);
      // Jitter, because a restart of the store cuts off all servers at the same time.
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
