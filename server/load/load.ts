import { randomBytes } from 'node:crypto';
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { patience, Talker } from './talker.ts';

/** Connections that are opened concurrently. */
const openedAtOnce = 20;
/** Maximum unanswered messages. A server that cannot keep up is measured at the rate that it sustains. */
const mostUnanswered = 1000;

export interface Load {
  /** The address of the chat server. */
  readonly address: URL;
  /** A cookie for each session. */
  readonly cookies: readonly string[];
  readonly room: string;
  readonly connections: number;
  /** Messages a second, of all connections together. */
  readonly rate: number;
  readonly seconds: number;
  /** Time in ms to wait after the last response. Messages that arrive later count as lost. */
  readonly wait: number;
}

export interface Figures {
  opened: number;
  /** The number of connections that were rejected, or could not join the room, by error code. */
  failed: Map<string, number>;
  /** Connections that closed before the end. */
  closed: number;
  /** Messages that should be sent. */
  wanted: number;
  acknowledged: number;
  /** The number of messages without `ok`, by code. `not sent`: not sent in time, because the server was too slow. */
  refused: Map<string, number>;
  /** Expected deliveries: each acknowledged message to each connection that stayed open. */
  deliveries: number;
  /** Deliveries that did not arrive. */
  lost: number;
  /** Deliveries that arrived again. */
  doubled: number;
  /** Nanoseconds from sending a message to its acknowledgement. */
  acks: RecordableHistogram;
  /** Nanoseconds from sending a message to its arrival at each connection. */
  arrivals: RecordableHistogram;
}

/** A connection. `times` counts how often it received each message. */
interface Listener {
  readonly talker: Talker;
  readonly times: Uint8Array;
}

/**
 * Opens connections, sends messages from them in turn, and waits until each has received all acknowledged messages.
 * @param onProgress called with the number of open connections, and of sent messages
 */
export async function load(
  { address, cookies, room, connections, rate, seconds, wait }: Load,
  onProgress: (opened: number, sent: number) => void,
): Promise<Figures> {
  const run = `load-${randomBytes(6).toString('hex')}`;
  const sentAt = new Float64Array(rate * seconds);
  const [acks, arrivals] = [createHistogram(), createHistogram()];
  const failed = new Map<string, number>();
  const refused = new Map<string, number>();
  const listeners: Listener[] = [];
  const since = (begin: number) => Math.max(1, Math.round((performance.now() - begin) * 1e6));

  async function enter(cookie: string): Promise<void> {
    const times = new Uint8Array(sentAt.length);
    const hear = (clientId: string) => {
      const [, n] = clientId.split(`${run}-`);
      // This message is not from the load test.
      if (n === undefined) return;
      const place = Number(n);
      arrivals.record(since(sentAt[place] as number));
      times[place] = (times[place] as number) + 1;
    };
    try {
      const talker = await Talker.open(address, cookie, hear);
      const joined = await inTime(talker.request('room:join', { room }));
      if (joined === 'ok') return void listeners.push({ talker, times });
      talker.close();
      count(failed, joined);
    } catch (error) {
      count(failed, (error as Error).message);
    }
  }

  let begun = 0;
  const opener = async () => {
    while (begun < connections) {
      await enter(cookies[begun++ % cookies.length] as string);
      onProgress(listeners.length, 0);
    }
  };
  await Promise.all(Array.from({ length: openedAtOnce }, opener));

  const acknowledged: number[] = [];
  let sent = 0;
  async function send(n: number): Promise<void> {
    const { talker } = listeners[n % listeners.length] as Listener;
    sentAt[n] = performance.now();
    onProgress(listeners.length, ++sent);
    const message = { room, text: `Load test: message ${n + 1}`, clientId: `${run}-${n}` };
    const outcome = await inTime(talker.request('message:send', message));
    if (outcome !== 'ok') return count(refused, outcome);
    acks.record(since(sentAt[n]));
    acknowledged.push(n);
  }
  let taken = 0;
  const begin = performance.now();
  const writer = async () => {
    while (taken < sentAt.length) {
      const n = taken++;
      const early = begin + (n * 1000) / rate - performance.now();
      if (early > 0 && listeners.some(({ talker }) => talker.isOpen)) await pause(early);
      // Sending stops one second after the planned end.
      if (performance.now() - begin > (seconds + 1) * 1000) count(refused, 'not sent');
      else await send(n);
    }
  };
  try {
    if (listeners.length > 0) await Promise.all(Array.from({ length: mostUnanswered }, writer));
    const stayed = () => listeners.filter(({ talker }) => talker.isOpen);
    const hasAll = ({ times }: Listener) => acknowledged.every((n) => times[n] !== 0);
    const end = performance.now() + wait;
    while (!stayed().every(hasAll) && performance.now() < end) await pause(10);

    const receivers = stayed();
    const missing = ({ times }: Listener) => acknowledged.filter((n) => times[n] === 0).length;
    const again = ({ times }: Listener) => times.reduce((sum, n) => sum + Math.max(0, n - 1), 0);
    const sum = (of: (one: Listener) => number) => receivers.reduce((all, one) => all + of(one), 0);
    return {
      opened: listeners.length,
      failed,
      closed: listeners.length - receivers.length,
      wanted: sentAt.length,
      acknowledged: acknowledged.length,
      refused,
      deliveries: acknowledged.length * receivers.length,
      lost: sum(missing),
      doubled: sum(again),
      acks,
      arrivals,
    };
  } finally {
    for (const { talker } of listeners) talker.close();
  }
}

const count = (counts: Map<string, number>, code: string): void =>
  void counts.set(code, (counts.get(code) ?? 0) + 1);

/** Returns the outcome, or `unanswered` after the timeout. */
async function inTime(outcome: Promise<string>): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const late = setTimeout(() => resolve('unanswered'), patience);
  return Promise.race([outcome, promise]).finally(() => clearTimeout(late));
}
