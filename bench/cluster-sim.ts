/**
 * A simulation of many servers of one chat. It runs the real delivery code with its waits and reads. Time, the bus, the
 * database and the users are simulated, with room sizes by Zipf's law, and delays and losses on the bus.
 * Run: npm run bench cluster-sim
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Entry } from '../server/history/engine/change-log.ts';
import { Delivery } from '../server/history/engine/delivery.ts';
import { percentile } from '../test/helpers/server-figures.ts';

/** The simulated duration of the warm-up and of the measurement, in ms. */
const warmUp = 2000;
const counted = 10_000;
/** The duration of a database poll and of a read of entries, in ms. */
const readTime = 2;
/** The poll interval in ms and the maximum entries of a read, as in the servers. */
const look = 1000;
const mostEntries = 200;
/** How long servers batch presence changes, and the interval of their heartbeats, in ms. */
const gatherFor = 100;
const beatEvery = 5000;
/** The default of CHAT_LIMIT_MEMBERS for private rooms. */
const mostInRoom = 1000;

interface Case {
  servers: number;
  /** Messages per second of all servers together. */
  messages: number;
  /** Users who connect to or leave a server, per second. */
  moves: number;
  /** How long a transaction holds the lock of all servers, including the sync to disk, in ms. */
  commit: number;
  /** The mean delay of a hint in ms (exponential), and the shares of lost and duplicated hints. */
  bus: { delay: number; lost: number; doubled: number };
}

const fine = { delay: 1, lost: 0, doubled: 0 };
const late = (delay: number) => ({ ...fine, delay });
const ten = { servers: 10, messages: 400, moves: 1, commit: 2, bus: fine };
const hundred = { ...ten, servers: 100, messages: 1667, moves: 11 };
const cases: [title: string, one: Case][] = [
  ['2 servers', { ...ten, servers: 2 }],
  ['10 servers', ten],
  [
    '10 servers, a hint in 100 lost, one duplicated',
    { ...ten, bus: { delay: 1, lost: 0.01, doubled: 0.01 } },
  ],
  ['10 servers, hints late by 50 ms', { ...ten, bus: late(50) }],
  ['10 servers, hints late by 2 s', { ...ten, bus: late(2000) }],
  ['10 servers, the bus down', { ...ten, bus: { ...fine, lost: 1 } }],
  ['20 servers', { ...ten, servers: 20, messages: 333, moves: 11 }],
  ['100 servers', hundred],
  ['100 servers, without joins and leaves', { ...hundred, moves: 0 }],
  ['100 servers, a fast disk', { ...hundred, commit: 0.5 }],
];

// A fixed seed, so that each run simulates the same users.
let seed = 20_261_121;
/** Returns a number between 0 and 1 (mulberry32). */
function random(): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const exponential = (mean: number) => -Math.log(1 - random()) * mean;

/**
 * Simulated time, which advances only when no work is left. It replaces `setTimeout` for all code that runs in it.
 */
class VirtualTime {
  now = 0;
  /** The callbacks of each due time, in the order of the calls. */
  readonly #due = new Map<number, Set<() => void>>();
  readonly #real = { set: globalThis.setTimeout, clear: globalThis.clearTimeout };

  begin(): void {
    const cancel = new Map<object, () => void>();
    Object.assign(globalThis, {
      setTimeout: (run: (value?: unknown) => void, ms = 0, value?: unknown) => {
        const timer = {};
        cancel.set(
          timer,
          this.after(ms, () => {
            cancel.delete(timer);
            run(value);
          }),
        );
        return timer;
      },
      clearTimeout: (timer: object | undefined) => {
        if (timer === undefined) return;
        cancel.get(timer)?.();
        cancel.delete(timer);
      },
    });
  }

  end(): void {
    Object.assign(globalThis, { setTimeout: this.#real.set, clearTimeout: this.#real.clear });
  }

  /** Calls `run` after this time, rounded to tenths of a ms. @returns a function that cancels the call */
  after(ms: number, run: () => void): () => void {
    const at = Math.round((this.now + Math.max(ms, 0.1)) * 10);
    const due = this.#due.get(at) ?? new Set();
    this.#due.set(at, due);
    const one = () => run();
    due.add(one);
    return () => due.delete(one);
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  async runUntil(end: number): Promise<void> {
    for (let at = Math.round(this.now * 10); at <= end * 10; at++) {
      const due = this.#due.get(at);
      if (due === undefined) continue;
      this.now = at / 10;
      for (const run of due) run();
      this.#due.delete(at);
      // Runs the immediate consequences.
      await turn();
    }
  }
}

/** Runs a case. @throws Error if a server omitted a change, delivered it twice, or delivered it too early */
async function simulate({ servers, messages, moves, commit, bus }: Case) {
  const time = new VirtualTime();
  time.begin();
  /** The commit time of each entry. */
  const committed: number[] = [];
  const late: number[] = [];
  const answers: number[] = [];
  let [reads, transactions, stored] = [0, 0, 0];
  const counts = () => time.now > warmUp;
  const entriesAfter = async (after: number): Promise<Entry[]> => {
    if (counts()) reads++;
    await time.wait(readTime);
    return committed
      .slice(after, after + mostEntries)
      .map((_, n) => ({ num: after + n + 1, changes: [numbered(after + n + 1)] }));
  };
  let lock = Promise.resolve();
  const all = Array.from({ length: servers }, () => {
    let last = 0;
    const delivery = new Delivery({
      position: 0,
      hasBus: true,
      read: entriesAfter,
      deliver: ([change]) => {
        const num = Number((change as { user: string }).user);
        if (num !== last + 1) throw new Error(`${num} was delivered after ${last}`);
        last = num;
        if (counts()) late.push(time.now - (committed[num - 1] as number));
      },
      onFailure: (error) => {
        throw error;
      },
    });
    /** Changes that this server must store. For a message, the time at which it was sent. */
    let waiting: (number | 'announcement')[] = [];
    let writing = false;
    const write = async () => {
      writing = true;
      while (waiting.length > 0) {
        // Loading and checking take half as long as a commit, and run in parallel with other transactions.
        await time.wait(commit / 2);
        const turnOfOthers = lock;
        const { promise, resolve } = Promise.withResolvers<void>();
        lock = promise;
        await turnOfOthers;
        const batch = waiting;
        waiting = [];
        await time.wait(commit);
        committed.push(time.now);
        const num = committed.length;
        resolve();
        const sent = batch.filter((change) => change !== 'announcement');
        if (counts()) [transactions, stored] = [transactions + 1, stored + sent.length];
        for (const other of all) {
          if (other === self) continue;
          for (const one of random() < bus.doubled ? [1, 2] : [1]) {
            if (random() < bus.lost) continue;
            time.after(exponential(bus.delay) * one, () => other.delivery.hint(num, [numbered(num)]));
          }
        }
        await delivery.own(num, [numbered(num)]);
        if (counts()) answers.push(...sent.map((since) => time.now - since));
      }
      writing = false;
    };
    const store = (what: number | 'announcement') => {
      waiting.push(what);
      if (!writing) void write();
    };
    let isBatching = false;
    const move = () => {
      if (!isBatching) {
        isBatching = true;
        time.after(gatherFor, () => {
          isBatching = false;
          store('announcement');
        });
      }
      time.after(exponential(1000 / moves), move);
    };
    const beat = () => {
      store('announcement');
      time.after(beatEvery, beat);
    };
    const send = () => {
      store(time.now);
      time.after(exponential((1000 * servers) / messages), send);
    };
    const looks = () => {
      void time.wait(readTime).then(() => delivery.hint(committed.length));
      time.after(look, looks);
    };
    const self = { delivery, handedOut: () => last };
    time.after(exponential((1000 * servers) / messages), send);
    time.after(random() * look, looks);
    time.after(random() * beatEvery, beat);
    if (moves > 0) time.after(exponential(1000 / moves), move);
    return self;
  });
  await time.runUntil(warmUp + counted);
  // A server may be behind by at most one poll and its reads.
  const behind = committed.findLastIndex((at) => at < time.now - 2 * look) + 1;
  time.end();
  for (const one of all) {
    if (one.handedOut() < behind) throw new Error(`a server is ${behind - one.handedOut()} entries behind`);
  }
  return { late, answers, transactions, stored, reads };
}

/** Creates a change that contains the number of its entry. */
const numbered = (num: number) => ({ type: 'ban', user: String(num), ban: null }) as const;

/** Returns the number of connections in each room by Zipf's law, largest first, at most `most` each. */
function roomSizes(rooms: number, connections: number, most: number): number[] {
  const weights = Array.from({ length: rooms }, (_, n) => 1 / (n + 1));
  let [left, weight] = [connections, weights.reduce((a, b) => a + b, 0)];
  return weights.map((own) => {
    const size = Math.min(most, Math.round((left * own) / weight));
    left -= size;
    weight -= own;
    return size;
  });
}

console.log(
  `${counted / 1000} s each; ms from a commit until the other servers deliver it, and from sending to the response`,
);
for (const [title, one] of cases) {
  const { late, answers, transactions, stored, reads } = await simulate(one);
  const p = (values: number[]) =>
    [0.5, 0.99, 1].map((part) => percentile(values, part).toFixed(0)).join(', ');
  console.log(
    `  ${title}, ${one.messages} messages a second: delivery p50, p99, max ${p(late)}; response ${p(answers)}; ` +
      `${(stored / transactions).toFixed(1)} messages a transaction, ${(transactions / (counted / 1000)).toFixed(0)} transactions a second, ` +
      `${(reads / (counted / 1000) / one.servers).toFixed(1)} reads a second and server; one order, nothing lost or duplicated`,
  );
}
console.log(
  `receivers of a message: rooms by Zipf, at most ${mostInRoom} connections each; all users write equally often`,
);
for (const [connections, servers] of [
  [20_000, 2],
  [200_000, 20],
  [1_000_000, 100],
] as const) {
  const sizes = roomSizes(connections / 10, connections, mostInRoom);
  const deliveries = sizes.reduce((sum, size) => sum + size ** 2, 0);
  const shares = new Array<number>(servers).fill(0);
  for (const size of sizes) {
    // Each connection of the room is on a random server, and receives the room's messages from all servers.
    for (let n = 0; n < size; n++) {
      const server = Math.floor(random() * servers);
      shares[server] = (shares[server] as number) + size;
    }
  }
  console.log(
    `  ${connections} connections in ${connections / 10} rooms: ${(deliveries / connections).toFixed(0)} on average; ` +
      `the busiest of ${servers} servers has ${((Math.max(...shares) * servers) / deliveries).toFixed(2)} of an even share`,
  );
}
