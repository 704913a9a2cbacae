import fc from 'fast-check';
import type { ChatClient } from './chat-client.ts';
import { newClientId } from './chat-client.ts';
import type { ChatServer } from './chat-server.ts';
import { metrics } from './server-figures.ts';

/** Fails if the process ends or logs an unexpected error, whatever is sent. */
export function watchServer(server: ChatServer): { check(): void } {
  let read = 0;
  return {
    check() {
      const text = server.output();
      const end = text.lastIndexOf('\n') + 1;
      // Only new output, since this is called after every batch.
      const lines = text.slice(read, end).split('\n');
      read = end;
      const bad = lines.filter((line) => {
        if (!line.startsWith('{')) return /error|exception/i.test(line);
        return (JSON.parse(line) as { level: number }).level >= 50;
      });
      if (bad.length > 0) throw new Error(`the server has logged an error:\n${bad.join('\n')}`);
      const { exitCode, signalCode } = server.process;
      if (exitCode !== null || signalCode !== null)
        throw new Error(`the server has ended (${exitCode ?? signalCode}):\n${text.slice(-4000)}`);
    },
  };
}

/** The memory of a server after everything that may be freed is freed. */
export interface Kept {
  connections: number;
  heap: number;
  external: number;
  handles: number;
}

/** Needs a server started with NODE_OPTIONS=--inspect=127.0.0.1:0, so that garbage is collected on demand. */
export async function kept(server: ChatServer): Promise<Kept> {
  const [, url = ''] = await server.until(/Debugger listening on (ws:\S+)/);
  const inspector = new WebSocket(url);
  await new Promise((resolve, reject) => {
    inspector.onopen = () => inspector.send('{"id":1,"method":"HeapProfiler.collectGarbage"}');
    inspector.onmessage = resolve;
    inspector.onerror = reject;
  });
  inspector.close();
  const samples = await metrics(server.url);
  const sample = (name: string) => samples.get(name) ?? Number.NaN;
  return {
    connections: sample('chat_connections'),
    heap: sample('nodejs_heap_size_used_bytes'),
    external: sample('nodejs_external_memory_bytes'),
    handles: sample('nodejs_active_handles_total'),
  };
}

/** Two clients that send each other numbered messages until they are stopped; each waits for its own ack. */
export function startTalk(pair: readonly [ChatClient, ChatClient], room: string) {
  const latencies: number[] = [];
  const sent: [number, number] = [0, 0];
  const sentAt = new Map<string, number>();
  let stopping = false;
  const talk = async (me: 0 | 1) => {
    const client = pair[me];
    client.socket.on('message:new', ({ text }) => {
      if (!text.startsWith(`${me}:`)) latencies.push(performance.now() - (sentAt.get(text) ?? 0));
    });
    while (!stopping) {
      const text = `${me}:${++sent[me]}`;
      sentAt.set(text, performance.now());
      await client.request('message:send', { room, text, clientId: newClientId() });
      // The pace of a lively conversation; the test does not measure how many they can send.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const talking = Promise.all([talk(0), talk(1)]);
  // stop() reports a failure, so it must not be an unhandled rejection before.
  talking.catch(() => {});
  return {
    latencies,
    /** The texts that each of the two should get, in order, and those that it got. */
    async stop() {
      stopping = true;
      await talking;
      const numbers = (from: 0 | 1) => Array.from({ length: sent[from] }, (_, n) => `${from}:${n + 1}`);
      const got = (me: 0 | 1, from: 0 | 1) =>
        pair[me]
          .messages()
          .map(({ text }) => text)
          .filter((text) => text.startsWith(`${from}:`));
      return ([0, 1] as const).map((from) => ({
        expected: numbers(from),
        received: () => [got(0, from), got(1, from)],
      }));
    },
  };
}

/** The most cases of a batch. */
const most = 200;
/** Concurrent cases. */
const lanes = 64;

/**
 * Tries this many cases of one kind, many in parallel. A failure reports its case and fast-check's seed, with which the
 * same cases run again.
 */
export async function tryCases<T>(
  cases: number,
  arbitrary: fc.Arbitrary<T>,
  seed: number,
  attack: (one: T) => Promise<void>,
  afterBatch: () => void,
): Promise<void> {
  const batch = Math.min(most, cases);
  const property = fc.asyncProperty(
    fc.array(arbitrary, { minLength: batch, maxLength: batch }),
    async (all) => {
      let next = 0;
      const lane = async () => {
        while (next < all.length) {
          const one = all[next++] as T;
          try {
            await attack(one);
          } catch (error) {
            throw new Error(`${(error as Error).message}\nthe case: ${fc.stringify(one).slice(0, 5000)}`, {
              cause: error,
            });
          }
        }
      };
      const outcomes = await Promise.allSettled(Array.from({ length: lanes }, lane));
      afterBatch();
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    },
  );
  // No shrinking: a broken server says nothing about smaller cases.
  const result = await fc.check(property, {
    seed,
    numRuns: Math.ceil(cases / batch),
    endOnFailure: true,
  });
  if (result.failed) {
    const { errorInstance, numRuns } = result;
    throw new Error(
      `fast-check’s seed ${seed}, batch ${numRuns}: ${(errorInstance as Error | null)?.message ?? 'no case could be made'}`,
      { cause: errorInstance },
    );
  }
}
