import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { chatServerHere } from '../helpers/chat-here.ts';
import { startChatServer } from '../helpers/chat-server.ts';
import { diskFaults } from '../helpers/disk-calls.ts';
import { env, type Place, Scenario, type Step } from '../helpers/fault-scenario.ts';
import { faultyDisk } from '../helpers/faulty-disk.ts';
import { type Faulty, type Protocol, startFaultyLine } from '../helpers/faulty-line.ts';
import { mariadbDatabase, postgresDatabase } from '../helpers/history-database.ts';
import { keptSessions } from '../helpers/kept-sessions.ts';
import { startMariadb } from '../helpers/mariadb.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { startPostgres } from '../helpers/postgres.ts';
import { protocols } from '../helpers/protocols.ts';
import { startRedis } from '../helpers/redis.ts';
import { startSessionServer } from '../helpers/session-server.ts';
import { size } from './size.ts';

type Close = (close: () => unknown) => void;

/** A service or disk whose calls can fail. */
interface Weak {
  what: string;
  faulty: Faulty<never>;
  /** Faults of one call, and faults that last until a caller times out. */
  faults: readonly string[];
  lasting: readonly string[];
  /** In `npm test`: the steps that are taken, and the maximum number of calls that fail in each. */
  few: readonly Step[];
  most: number;
  /** Closes its connections, and names the step whose calls then open new ones. */
  anew?: { cut: () => void; step: Step };
}

async function line(
  what: string,
  port: number,
  protocol: Protocol,
  closing: Close,
  { few = [], anew, only }: { few?: readonly Step[]; anew: Step; only?: RegExp },
): Promise<Weak & { port: number }> {
  const faulty = await startFaultyLine(port, protocol, only);
  closing(() => faulty.close());
  return {
    what,
    faulty,
    faults: ['cut before', 'cut after', ...(protocol.refusing === undefined ? [] : ['refused'])],
    lasting: ['garbage', 'silence'],
    few,
    most: 1,
    anew: { cut: faulty.cut, step: anew },
    port: faulty.port,
  };
}

function disk(what: string, closing: Close, few: readonly Step[] = []): Weak & { env: NodeJS.ProcessEnv } {
  const faulty = faultyDisk(false);
  closing(() => faulty.close());
  return { what, faulty, faults: diskFaults, lasting: [], few, most: 3, env: faulty.env };
}

function folder(closing: Close): string {
  const path = mkdtempSync(join(tmpdir(), 'faults-'));
  closing(() => rmSync(path, { recursive: true }));
  return path;
}

type Server = Awaited<ReturnType<typeof chatServerHere>> & { pid: number };

const here = async (settings: NodeJS.ProcessEnv): Promise<Server> =>
  Object.assign(await chatServerHere(settings), { pid: process.pid });

async function chat(
  settings: NodeJS.ProcessEnv,
  closing: Close,
  start: (env: NodeJS.ProcessEnv) => Promise<Server> = size(startChatServer, here),
): Promise<Server> {
  const server = await start({ ...env, ...settings });
  closing(() => server.stop());
  return server;
}

/** Starts two servers that form one chat. Only the connections of the first can fail. */
const two = (settings: NodeJS.ProcessEnv, first: NodeJS.ProcessEnv, closing: Close) => {
  const common = { ...settings, CHAT_FILES: `dir:${folder(closing)}` };
  return Promise.all([chat({ ...common, ...first }, closing), chat(common, closing)]);
};

/** Returns the URL through the faulty connection. */
const over = (url: string, port: number, weak: { port: number }) => url.replace(`:${port}`, `:${weak.port}`);

const cookieOf = (id: string) => `PHPSESSID=${id}`;

async function inMemcached(closing: Close) {
  const memcached = await startMemcached();
  closing(() => memcached.stop());
  return {
    memcached,
    async putSession(id: string, session: object) {
      await memcached.set(`sessions/${id}`, JSON.stringify(session));
      return cookieOf(id);
    },
    dropSession: (id: string) => memcached.delete(`sessions/${id}`),
  };
}

async function inSessionServer(closing: Close, env?: NodeJS.ProcessEnv) {
  const server = await startSessionServer(env);
  closing(() => server.stop());
  const kept = await keptSessions(server.port);
  closing(() => kept.close());
  return {
    server,
    async putSession(id: string, session: object) {
      await kept.put(id, JSON.stringify(session));
      return cookieOf(id);
    },
    dropSession: (id: string) => kept.destroy(id),
  };
}

/** The steps that concern only sessions. */
const sessionSteps: readonly Step[] = ['connect', 'a page', 'logout'];

const places: Record<string, (closing: Close) => Promise<Place & { weak: Weak[] }>> = {
  'two servers on PostgreSQL, with a bus and sessions in Redis': async (closing) => {
    const [postgres, redis] = await Promise.all([
      startPostgres(),
      startRedis(['--notify-keyspace-events', 'Egx']),
    ]);
    closing(() => Promise.all([postgres.remove(), redis.remove()]));
    const database = await postgresDatabase(postgres);
    closing(() => database.close());
    const history = await line('the history', postgres.port, protocols.postgres, closing, {
      few: ['send'],
      anew: 'send',
    });
    const sessions = await line('the sessions', redis.port, protocols.redis, closing, {
      few: sessionSteps,
      anew: 'connect',
    });
    const bus = await line('the bus', redis.port, protocols.redis, closing, { anew: 'typing' });
    const at = ({ port }: { port: number }) => `redis://127.0.0.1:${port}`;
    const inRedis = (weak: { port: number }) => `${at(weak)}?prefix=s:&format=json`;
    return {
      weak: [history, sessions, bus],
      servers: await two(
        { CHAT_SESSION_STORE: inRedis(redis), CHAT_CLUSTER: at(redis), CHAT_HISTORY: database.url },
        {
          CHAT_SESSION_STORE: inRedis(sessions),
          CHAT_CLUSTER: at(bus),
          CHAT_HISTORY: over(database.url, postgres.port, history),
        },
        closing,
      ),
      async putSession(id, session) {
        await redis.ask('SET', `s:${id}`, JSON.stringify(session));
        return cookieOf(id);
      },
      dropSession: (id) => redis.ask('DEL', `s:${id}`),
      holding: database.holding,
    };
  },
  'SQLite, files and sessions on one disk': async (closing) => {
    // These steps cover most of the server's disk calls.
    const few = ['connect', 'files', 'erasure'] as const;
    const weak = disk('the disk', closing, few);
    const sessions = folder(closing);
    const store = `file://${sessions}?format=json`;
    return {
      weak: [weak],
      // A process, because its calls are counted from its start.
      servers: [await chat({ ...weak.env, CHAT_SESSION_STORE: store }, closing, startChatServer)],
      async putSession(id, session) {
        writeFileSync(join(sessions, `sess_${id}`), JSON.stringify(session), { mode: 0o600 });
        return cookieOf(id);
      },
      dropSession: async (id) => unlinkSync(join(sessions, `sess_${id}`)),
    };
  },
  'two servers on MariaDB, with sessions in memcached': async (closing) => {
    const mariadb = await startMariadb();
    closing(() => mariadb.remove());
    const database = await mariadbDatabase(mariadb);
    closing(() => database.close());
    const { memcached, ...site } = await inMemcached(closing);
    const history = await line('the history', mariadb.port, protocols.mariadb, closing, {
      few: ['react', 'files', 'export', 'erasure'],
      anew: 'send',
    });
    const sessions = await line('the sessions', memcached.port, protocols.memcached, closing, {
      few: sessionSteps,
      anew: 'connect',
    });
    return {
      ...site,
      noBus: true,
      weak: [history, sessions],
      servers: await two(
        { CHAT_SESSION_STORE: memcached.url, CHAT_CLUSTER: 'mysql', CHAT_HISTORY: database.url },
        {
          CHAT_SESSION_STORE: over(memcached.url, memcached.port, sessions),
          CHAT_HISTORY: over(database.url, mariadb.port, history),
        },
        closing,
      ),
      holding: database.holding,
    };
  },
  'NOTIFY of PostgreSQL as the bus, and a session server with SQLite': async (closing) => {
    const postgres = await startPostgres();
    closing(() => postgres.remove());
    const database = await postgresDatabase(postgres);
    closing(() => database.close());
    const kept = disk('the disk of the session server', closing, sessionSteps);
    const { server, ...site } = await inSessionServer(closing, {
      ...kept.env,
      SESSION_SERVER_CONTAINER: `sqlite:${join(folder(closing), 'sessions.db')}`,
    });
    const notify = await line('NOTIFY', postgres.port, protocols.postgres, closing, {
      few: ['typing'],
      anew: 'typing',
      only: /LISTEN|pg_notify/,
    });
    const sessions = await line('the sessions', server.port, protocols.sessionServer, closing, {
      few: sessionSteps,
      anew: 'connect',
    });
    const store = `${server.url}?format=json`;
    return {
      ...site,
      weak: [kept, sessions, notify],
      others: [server],
      servers: await two(
        { CHAT_SESSION_STORE: store, CHAT_CLUSTER: 'postgres', CHAT_HISTORY: database.url },
        {
          CHAT_SESSION_STORE: over(store, server.port, sessions),
          CHAT_HISTORY: over(database.url, postgres.port, notify),
        },
        closing,
      ),
      holding: database.holding,
    };
  },
};

const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Selects the failing calls and their faults. It varies, so that each soak run makes different calls fail. */
const offset = size(Date.now() & 0xffff, 0);

/** In a soak run, a step is repeated at most this often for each weak part. More would take too long. */
const maxFaultsOfStep = 4;

/**
 * Returns the calls of a step that fail, and how. In `npm run test:soak` they are spread evenly over the step, every
 * third with a lasting fault. In `npm test` it is one call of each name that has not failed here yet, or else any call.
 */
function faultsOf(
  { faults, lasting, most }: Weak,
  calls: readonly string[],
  seen: Set<string>,
): [which: number | string, fault: string][] {
  const every = Math.ceil(calls.length / maxFaultsOfStep);
  const spread = calls.flatMap((_, n) => ((offset + n) % every === 0 ? [n] : []));
  const all = spread.map((n, turn): [number, string] => {
    const ways = turn % 3 === 0 && lasting.length > 0 ? lasting : faults;
    return [n + 1, ways[(offset + turn) % ways.length] as string];
  });
  const turn = seen.size;
  const fresh = [...new Set(calls)].filter((name) => !seen.has(name)).slice(0, most);
  const names = fresh.length > 0 ? fresh : calls.slice(turn % calls.length).slice(0, 1);
  const few = names.map((name, n): [string, string] => [name, faults[(turn + n) % faults.length] as string]);
  return size<[number | string, string][]>(all, few);
}

/** The calls and faults of a weak part so far. */
interface Trial {
  weak: Weak;
  /** The names of the calls that have failed. */
  seen: Set<string>;
  /** The number of its calls before the current step. */
  from: number;
  calls: number;
  faults: number;
}

/** Takes a step once without a fault, and then once for each fault. */
async function fail(
  scenario: Scenario,
  step: Step,
  tried: readonly Trial[],
  prepare = () => {},
): Promise<void> {
  await scenario.take(step, () => {
    for (const trial of tried) trial.from = trial.weak.faulty.calls().length;
    prepare();
  });
  const chosen = tried.map((trial) => {
    const calls = trial.weak.faulty.calls().slice(trial.from);
    trial.calls += calls.length;
    return faultsOf(trial.weak, calls, trial.seen);
  });
  for (const [at, trial] of tried.entries()) {
    const { what, faulty } = trial.weak;
    for (const [which, fault] of chosen[at] as [number | string, string][]) {
      try {
        await scenario.take(step, () => {
          faulty.fail(which, fault as never);
          prepare();
        });
      } catch (cause) {
        throw new Error(`${step}: ${what}, ${which} (${faulty.failed() ?? 'none'}), ${fault}`, { cause });
      }
      const failed = faulty.failed();
      if (failed === null) continue;
      trial.faults++;
      if (typeof which === 'string') trial.seen.add(which);
    }
  }
}

test.concurrent.for(size(Object.keys(places), Object.keys(places).slice(0, 2)))(
  '%s: does not lose, duplicate or block anything when a call fails',
  { timeout: size(3_600_000, 600_000) },
  async (name) => {
    const open = places[name] as (typeof places)[string];
    const place = await open((close) => void closing.push(close));
    const scenario = await Scenario.open(place);
    closing.push(() => scenario.close());
    const trials = place.weak.map((weak): Trial => {
      return { weak, seen: new Set(), from: 0, calls: 0, faults: 0 };
    });
    for (const step of Object.keys(scenario.steps) as Step[]) {
      const tried = trials.filter(({ weak: { few } }) => size(true, few.includes(step)));
      if (tried.length > 0) await fail(scenario, step, tried);
    }
    for (const trial of trials) {
      const { anew } = trial.weak;
      if (anew !== undefined) await fail(scenario, anew.step, [trial], anew.cut);
    }
    await scenario.check();
    for (const { weak, calls, faults } of trials) {
      expect(faults, weak.what).toBeGreaterThan(0);
      console.log(`${name}: ${calls} calls of ${weak.what}, ${faults} faults`);
    }
  },
);
