import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, test } from 'vitest';
import { startChatServer } from '../helpers/chat-server.ts';
import { diskFaults } from '../helpers/disk-calls.ts';
import { env, type Place, Scenario } from '../helpers/fault-scenario.ts';
import { faultyDisk } from '../helpers/faulty-disk.ts';
import {
  type Faulty,
  lineCall,
  mariadbRefusing,
  postgresRefusing,
  type Refusing,
  redisRefusing,
  startFaultyLine,
} from '../helpers/faulty-line.ts';
import { mariadbDatabase, postgresDatabase } from '../helpers/history-database.ts';
import { keptSessions } from '../helpers/kept-sessions.ts';
import { startMariadb } from '../helpers/mariadb.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { startPostgres } from '../helpers/postgres.ts';
import { startRedis } from '../helpers/redis.ts';
import { startS3Server } from '../helpers/s3-server.ts';
import { startSessionServer } from '../helpers/session-server.ts';
import { size } from './size.ts';

type Close = (close: () => unknown) => void;

/** What fails in a place. */
interface Weak {
  what: string;
  faulty: Faulty<never>;
  /** How it may fail for a moment, and until somebody has waited for long enough. */
  faults: readonly string[];
  lasting: readonly string[];
  /** The steps of `npm test`; without them all. */
  few?: readonly string[];
}

/** Calls over a line are not told apart. */
async function line(
  what: string,
  port: number,
  closing: Close,
  { refusing, few }: { refusing?: Refusing; few?: readonly string[] } = {},
): Promise<Weak & { port: number }> {
  const faulty = await startFaultyLine(port, refusing);
  closing(() => faulty.close());
  const faults = ['cut before', 'cut after', ...(refusing === undefined ? [] : ['refused'])];
  const lasting = ['garbage', 'silence'];
  return { what, faulty, faults, lasting, port: faulty.port, ...(few === undefined ? {} : { few }) };
}

async function chat(settings: NodeJS.ProcessEnv, closing: Close) {
  const server = await startChatServer({ ...env, ...settings });
  closing(() => server.stop());
  return server;
}

/** The same address, by the way on which something fails. */
const over = (url: string, port: number, weak: { port: number }) => url.replace(`:${port}`, `:${weak.port}`);

const cookieOf = (id: string) => `PHPSESSID=${id}`;

const settings: Record<string, (closing: Close) => Promise<Place & { weak: Weak[] }>> = {
  'two servers on PostgreSQL, with a bus and sessions in Redis': async (closing) => {
    const [postgres, redis] = await Promise.all([
      startPostgres(),
      startRedis(['--notify-keyspace-events', 'Egx']),
    ]);
    closing(() => Promise.all([postgres.remove(), redis.remove()]));
    const database = await postgresDatabase(postgres);
    closing(() => database.close());
    const history = await line('the history', postgres.port, closing, { refusing: postgresRefusing });
    const sessions = await line('the sessions', redis.port, closing, {
      refusing: redisRefusing,
      few: ['connect', 'logout'],
    });
    const bus = await line('the bus', redis.port, closing, { refusing: redisRefusing, few: ['send', 'ban'] });
    const at = (weak: { port: number }) => `redis://127.0.0.1:${weak.port}`;
    return {
      weak: [history, sessions, bus],
      servers: [
        await chat(
          {
            CHAT_SESSION_STORE: `${at(sessions)}?prefix=s:&format=json`,
            CHAT_CLUSTER: at(bus),
            CHAT_HISTORY: over(database.url, postgres.port, history),
          },
          closing,
        ),
        await chat(
          {
            CHAT_SESSION_STORE: `${at(redis)}?prefix=s:&format=json`,
            CHAT_CLUSTER: at(redis),
            CHAT_HISTORY: database.url,
          },
          closing,
        ),
      ],
      async putSession(id, session) {
        await redis.ask('SET', `s:${id}`, JSON.stringify(session));
        return cookieOf(id);
      },
      dropSession: async (id) => void (await redis.ask('DEL', `s:${id}`)),
      holding: database.holding,
    };
  },
  'SQLite, files and sessions on one disk': async (closing) => {
    const disk = faultyDisk();
    closing(() => disk.close());
    const folder = mkdtempSync(join(tmpdir(), 'fault-sessions-'));
    closing(() => rmSync(folder, { recursive: true }));
    const server = await chat({ ...disk.env, CHAT_SESSION_STORE: `file://${folder}?format=json` }, closing);
    return {
      weak: [{ what: 'the disk', faulty: disk, faults: diskFaults, lasting: [] }],
      servers: [server],
      async putSession(id, session) {
        writeFileSync(join(folder, `sess_${id}`), JSON.stringify(session), { mode: 0o600 });
        return cookieOf(id);
      },
      dropSession: async (id) => unlinkSync(join(folder, `sess_${id}`)),
    };
  },
  'two servers on MariaDB, with sessions in memcached': async (closing) => {
    const [mariadb, memcached] = await Promise.all([startMariadb(), startMemcached()]);
    closing(() => Promise.all([mariadb.remove(), memcached.stop()]));
    const database = await mariadbDatabase(mariadb);
    closing(() => database.close());
    const history = await line('the history', mariadb.port, closing, { refusing: mariadbRefusing });
    const sessions = await line('the sessions', memcached.port, closing);
    return {
      weak: [history, sessions],
      servers: [
        await chat(
          {
            CHAT_SESSION_STORE: over(memcached.url, memcached.port, sessions),
            CHAT_CLUSTER: 'mysql',
            CHAT_HISTORY: over(database.url, mariadb.port, history),
          },
          closing,
        ),
        await chat(
          { CHAT_SESSION_STORE: memcached.url, CHAT_CLUSTER: 'mysql', CHAT_HISTORY: database.url },
          closing,
        ),
      ],
      async putSession(id, session) {
        await memcached.set(`sessions/${id}`, JSON.stringify(session));
        return cookieOf(id);
      },
      dropSession: (id) => memcached.delete(`sessions/${id}`),
      holding: database.holding,
    };
  },
  'a session server, and NOTIFY of PostgreSQL as the bus': async (closing) => {
    const [postgres, sessionServer] = await Promise.all([startPostgres(), startSessionServer()]);
    closing(() => Promise.all([postgres.remove(), sessionServer.stop()]));
    const database = await postgresDatabase(postgres);
    closing(() => database.close());
    const kept = await keptSessions(sessionServer.port);
    closing(() => kept.close());
    const history = await line('the history', postgres.port, closing, { refusing: postgresRefusing });
    const sessions = await line('the sessions', sessionServer.port, closing);
    const common = { CHAT_CLUSTER: 'postgres' };
    const server = await chat(
      {
        ...common,
        CHAT_SESSION_STORE: `${over(sessionServer.url, sessionServer.port, sessions)}?format=json`,
        CHAT_HISTORY: over(database.url, postgres.port, history),
      },
      closing,
    );
    const other = await chat(
      { ...common, CHAT_SESSION_STORE: `${sessionServer.url}?format=json`, CHAT_HISTORY: database.url },
      closing,
    );
    return {
      weak: [sessions, history],
      servers: [server, other],
      async putSession(id, session) {
        await kept.put(id, JSON.stringify(session));
        return cookieOf(id);
      },
      dropSession: (id) => kept.destroy(id),
      holding: database.holding,
    };
  },
  'files in a bucket': async (closing) => {
    const [bucket, memcached] = await Promise.all([startS3Server(), startMemcached()]);
    closing(() => Promise.all([bucket.stop(), memcached.stop()]));
    const port = Number(new URL(bucket.endpoint).port);
    const files = await line('the bucket', port, closing);
    const { id: key, secret } = bucket.key;
    const server = await chat(
      {
        CHAT_SESSION_STORE: memcached.url,
        CHAT_FILES: `s3://${key}:${encodeURIComponent(secret)}@${bucket.bucket}?endpoint=${over(bucket.endpoint, port, files)}`,
      },
      closing,
    );
    return {
      weak: [files],
      servers: [server],
      async putSession(id, session) {
        await memcached.set(`sessions/${id}`, JSON.stringify(session));
        return cookieOf(id);
      },
      dropSession: (id) => memcached.delete(`sessions/${id}`),
    };
  },
};

const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/**
 * Which of the calls of a step fail, and how. For `npm run test:soak` it is each of them, in all ways that are over at once,
 * and every third one in a way that lasts. For `npm test` it is one of each kind that has not failed before in this place: so
 * it is one in each step, if they are not told apart.
 */
function faultsOf(
  { faults, lasting }: Weak,
  calls: readonly string[],
  seen: Set<string>,
): [number, string][] {
  const all = calls.flatMap((_, n) => {
    const one = n % 3 === 0 ? lasting[(n / 3) % lasting.length] : undefined;
    return [...faults, ...(one === undefined ? [] : [one])].map((fault): [number, string] => [n, fault]);
  });
  const turn = seen.size;
  const fresh = [...new Set(calls)].filter((name) => name === lineCall || !seen.has(name));
  const few = fresh.map((name, n): [number, string] => {
    seen.add(name === lineCall ? `${turn}` : name);
    const at = name === lineCall ? turn % calls.length : calls.indexOf(name);
    return [at, faults[(turn + n) % faults.length] as string];
  });
  return size(all, few);
}

test.concurrent.for(size(Object.keys(settings), Object.keys(settings).slice(0, 2)))(
  '%s: each call fails once, and nothing is lost, doubled or left hanging',
  { timeout: size(3_600_000, 120_000) },
  async (name) => {
    const open = settings[name] as (typeof settings)[string];
    const place = await open((close) => void closing.push(close));
    const scenario = await Scenario.open(place);
    closing.push(() => scenario.close());
    for (const weak of place.weak) {
      const { what, faulty, few } = weak;
      const seen = new Set<string>();
      const all = Object.keys(scenario.steps);
      let [counted, failed] = [0, 0];
      for (const step of size(all, few ?? all)) {
        let from = 0;
        await scenario.take(step, () => {
          from = faulty.calls().length;
        });
        const calls = faulty.calls().slice(from);
        const chosen = faultsOf(weak, calls, seen);
        counted += calls.length;
        for (const [n, fault] of chosen) {
          const which = size<number | string>(n + 1, calls[n] === lineCall ? n + 1 : (calls[n] as string));
          try {
            await scenario.take(step, () => faulty.fail(which, fault as never));
          } catch (cause) {
            const call = faulty.failed() ?? 'none';
            throw new Error(`${step}: ${what}, call ${n + 1} of ${calls.length} (${call}), ${fault}`, {
              cause,
            });
          }
          if (faulty.failed() !== null) failed++;
        }
      }
      console.log(`${name}: ${counted} calls of ${what}, ${failed} faults`);
    }
    await scenario.check();
  },
);
