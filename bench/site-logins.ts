/**
 * The cost of checking the logins of a site once a second, compared with sessions in a table of the same database: CPU
 * of the server and of the database, rows and bytes. Measures each application with logins in tables, applications with
 * accounts next to PHP sessions, and a WordPress where other users constantly change the checked data. During the
 * measurement the site writes to its sessions, as a live site does.
 * Then measures the time until sockets close after logouts, on a chat server with connections of a thousand logins.
 * Run: npm run bench site-logins [LOGINS [NAME …]]
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Credentials, Login } from 'php-sessions';
import { openLogins, readOptions } from 'php-sessions';
import { Liveness } from '../server/liveness/liveness.ts';
import { connectChat } from '../test/helpers/chat-client.ts';
import { startChatServer } from '../test/helpers/chat-server.ts';
import { startMariadb } from '../test/helpers/mariadb.ts';
import { startPostgres } from '../test/helpers/postgres.ts';
import { startSiteDatabase, type TestDatabase } from '../test/helpers/site-database.ts';
import { type Numbers, type Way, ways } from './many-logins.ts';

/**
 * The warm-up and the measured duration of a slice, in ms. A slice starts by reading the configuration, after which the
 * threads of V8 are busy for seconds.
 */
const warmUp = 6000;
const measured = 12_000;
/** Returns the number of slices. With many logins a slice has more checks, so fewer slices are enough. */
const slices = (logins: number) => (logins > 1000 ? 2 : 7);
/** The number of sequential logouts, and of connections that are open during them. */
const logouts = 20;
const connections = 1000;
/** Page views of the site per second, each by one of the logins. */
const pageViews = 20;

interface Figures {
  /** CPU seconds per second. */
  cpu: number;
  /** Checks per second. */
  checks: number;
  /** CPU seconds for reading the configuration before the slice. The server reads it once a minute. */
  rereading: number;
}

/**
 * Checks logins in slices. Runs in a separate process, and starts a slice for each line of its input, so that slices of
 * several kinds of logins can alternate.
 */
async function live(options: Record<string, string>, credentials: readonly Credentials[]): Promise<void> {
  const settings = readOptions(options);
  if ('problems' in settings) throw new Error(settings.problems.join());
  const logins = await openLogins(settings, { onProblem: console.error });
  const known: Login[] = [];
  for (const each of credentials) {
    const login = await logins.identify(each);
    if ('code' in login) throw new Error(login.reason);
    known.push(login);
  }
  const say = (line: unknown) => console.log(JSON.stringify(line));
  let checks = 0;
  const liveness = () =>
    new Liveness(logins, {
      interval: 1000,
      grace: 60_000,
      keepalive: false,
      onCheck: () => checks++,
      onEnd: (reason) => console.error('ended', reason),
      onStore: (silent) => silent && console.error(silent.message),
      onUnconfirmed: () => {},
      onUnreadable: (error) => console.error(error.message),
      onNotifications: () => {},
      onKeepaliveFailure: () => {},
    });
  say('ready');
  for await (const _ of createInterface({ input: process.stdin })) {
    // The server reads the configuration once a minute. Reading it now prevents that during the slice.
    const idle = process.cpuUsage();
    await logins.reload?.();
    const read = process.cpuUsage(idle);
    const rereading = (read.user + read.system) / 1e6;
    const running = liveness();
    const checked = known.map((login) =>
      running.subscribe(login, { ended() {}, unconfirmed: () => true, changed() {} }),
    );
    await pause(warmUp);
    say('begins');
    const [before, cpu, began] = [checks, process.cpuUsage(), performance.now()];
    await pause(measured);
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (performance.now() - began) / 1000;
    running.stop();
    for (const [n, { login }] of checked.entries()) known[n] = login;
    say({ cpu: (user + system) / 1e6 / seconds, checks: (checks - before) / seconds, rereading });
  }
}

const [, , first, ...given] = process.argv;
if (first === 'live') {
  const { options, credentials } = JSON.parse(readFileSync(given[0] as string, 'utf8')) as {
    options: Record<string, string>;
    credentials: Credentials[];
  };
  await live(options, credentials);
  process.exit();
}

const count = Number(first ?? 1000);
const wanted = given.filter((name) => name !== '');
const numbers: Numbers = Array.from({ length: count }, (_, n) => 100_001 + n);

/** The database of a site. Only the chat servers log in as the database user `site`. */
interface Site extends TestDatabase {
  /** Returns the CPU seconds, read rows and sent bytes for that user, if the database counts them. */
  spent(): Promise<readonly number[]>;
}

async function mariadb(): Promise<Site> {
  const db = await startMariadb(['--innodb-buffer-pool-size=128M']);
  const [user = '', password = ''] = db.login.split(':').map(decodeURIComponent);
  const statusOf = async (name: string) =>
    Number((await db.query('SHOW GLOBAL STATUS LIKE ?', [name]))[0]?.Value);
  return {
    ...{ kind: 'mysql', port: db.port, user, password, name: 'site' },
    run: (sql, values = []) => db.query(sql, [...values]),
    silence: () => Promise.reject(new Error('the benchmark does not support silence()')),
    async spent() {
      const threads = await db.query(
        "SELECT TID AS id FROM information_schema.PROCESSLIST WHERE USER = 'site'",
      );
      const cpu = cpuOf(threads.map(({ id }) => `${db.pid}/task/${id}`));
      return [cpu, await statusOf('Rows_read'), await statusOf('Bytes_sent')];
    },
    remove: db.remove,
  };
}

async function postgresql(): Promise<Site> {
  const db = await startPostgres(['shared_buffers=128MB']);
  const [user = '', password = ''] = db.login.split(':').map(decodeURIComponent);
  return {
    ...{ kind: 'postgres', port: db.port, user, password, name: 'site' },
    run(sql, values = []) {
      let n = 0;
      return db.query(
        sql.replace(/\?/g, () => `$${++n}`),
        [...values],
      );
    },
    silence: () => Promise.reject(new Error('the benchmark does not support silence()')),
    async spent() {
      const processes = await db.query("SELECT pid FROM pg_stat_activity WHERE usename = 'site'");
      return [cpuOf(processes.map(({ pid }) => `${pid}`))];
    },
    remove: db.remove,
  };
}

async function sqlite(): Promise<Site> {
  const db = await startSiteDatabase('sqlite');
  // Applications that write often use this setting.
  await db.run('PRAGMA journal_mode = WAL');
  return { ...db, spent: async () => [0] };
}

/** Returns the CPU time of threads in /proc, in seconds. */
function cpuOf(threads: readonly string[]): number {
  const used = threads.map((thread) =>
    Number(readFileSync(`/proc/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return used.reduce((sum, one) => sum + one, 0) / 1e9;
}

interface Slice {
  /** CPU time per check in µs: of the server, and of the database for its queries. */
  own: number;
  its: number;
  /** Checks per second. On a busy machine there are fewer checks than logins. */
  checks: number;
  rows: number;
  bytes: number;
  /** CPU time for reading the configuration again, in ms. */
  rereading: number;
}

/** A kind of login, whose checks run in a separate process. */
class Running {
  readonly name: string;
  readonly #way: Way;
  readonly #db: Site;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #folder: string;

  private constructor(name: string, way: Way, db: Site) {
    this.name = name;
    this.#way = way;
    this.#db = db;
    this.#folder = mkdtempSync(join(tmpdir(), 'site-logins-'));
    const file = join(this.#folder, 'way.json');
    writeFileSync(file, JSON.stringify({ options: way.options, credentials: way.credentials }));
    this.#child = spawn(process.execPath, [import.meta.filename, 'live', file], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static async start(name: string, way: Way, db: Site): Promise<Running> {
    const running = new Running(name, way, db);
    await running.#said();
    return running;
  }

  async #said(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} has ended`);
    return JSON.parse(value);
  }

  async slice(): Promise<Slice> {
    let views = 0;
    const { viewed } = this.#way;
    const viewing =
      viewed &&
      setInterval(() => {
        // The step is coprime to the number of logins, so it reaches all of them.
        void viewed(numbers[(views++ * 37) % count] as number);
      }, 1000 / pageViews);
    try {
      this.#child.stdin.write('go\n');
      await this.#said();
      const [before, began] = [await this.#db.spent(), performance.now()];
      await pause(measured - 300);
      const [after, seconds] = [await this.#db.spent(), (performance.now() - began) / 1000];
      const [its = 0, rows = Number.NaN, bytes = Number.NaN] = after.map(
        (value, n) => (value - (before[n] as number)) / seconds,
      );
      const { cpu, checks, rereading } = (await this.#said()) as Figures;
      const each = (seconds: number) => (1e6 * seconds) / checks;
      return { checks, own: each(cpu), its: each(its), rows, bytes, rereading: 1000 * rereading };
    } finally {
      clearInterval(viewing);
    }
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    await once(this.#child, 'exit');
    rmSync(this.#folder, { recursive: true });
  }

  /** Returns the times from a logout to the closed socket in ms, while many logins have a connection. */
  async logouts(): Promise<number[]> {
    const { options, credentials, hasSessions, loggedOut } = this.#way;
    const server = await startChatServer({
      ...(options.store === undefined ? {} : { CHAT_SESSION_STORE: options.store }),
      ...(options.site === undefined ? {} : { CHAT_SITE: options.site }),
      // The browser and address of the clients differ from those in the rows.
      ...(options.site === undefined || hasSessions ? {} : { CHAT_SITE_CHECKS: 'off' }),
    });
    const clients: Awaited<ReturnType<typeof connectChat>>[] = [];
    for (const { cookies = null } of credentials.slice(0, connections))
      clients.push(await connectChat(server.url, cookies));
    const took: number[] = [];
    for (let n = 0; n < logouts; n++) {
      const at = Math.floor((n * clients.length) / logouts);
      await loggedOut(numbers[at] as number);
      const from = performance.now();
      await clients[at]?.disconnected;
      took.push(performance.now() - from);
    }
    for (const client of clients) client.close();
    await server.stop();
    return took;
  }

  async remove(): Promise<void> {
    await this.#way.remove?.();
  }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;
const shown = (value: number, digits: number, width: number) =>
  (Number.isNaN(value) ? '' : value.toFixed(digits)).padStart(width);

const databases = [
  { title: 'MariaDB', start: mariadb, names: Object.keys(ways) },
  {
    ...{ title: 'PostgreSQL', start: postgresql },
    names: Object.keys(ways).filter((name) => !/^(MediaWiki|WordPress|Magento|PrestaShop)/.test(name)),
  },
  { title: 'SQLite', start: sqlite, names: ['sessions in a table', 'Drupal', 'phpBB', 'MyBB', 'TYPO3'] },
];

for (const { title, start, names } of databases) {
  const isWanted = (name: string) =>
    wanted.length === 0 ||
    wanted.includes(name) ||
    wanted.includes(`${title}/${name}`) ||
    wanted.includes(title);
  const [table = '', ...others] = names;
  const chosen = others.filter(isWanted);
  if (chosen.length === 0) continue;
  const db = await start();
  try {
    const opened = async (name: string) => {
      const way = await (ways[name] as (typeof ways)[string])(db, numbers);
      // Brings the table to the state of a database in use.
      if (db.kind === 'postgres') await db.run('VACUUM ANALYZE');
      return Running.start(name, way, db);
    };
    const reference = await opened(table);
    console.log(
      `${title}, ${count} logins`.padEnd(25),
      'checks/s  µs each  µs of the database     vs. the table   rows/s   KB/s  ms of a reload   ms to a logout',
    );
    const report = async (one: Running, figures: readonly Slice[], beside: string) => {
      await one.end();
      const took = await one.logouts();
      await one.remove();
      const of = (key: keyof Slice) => median(figures.map((each) => each[key]));
      console.log(
        one.name.padEnd(25),
        [shown(of('checks'), 0, 8), shown(of('own'), 1, 8), shown(of('its'), 1, 19)].join(' '),
        [beside.padStart(17), shown(of('rows'), 0, 8), shown(of('bytes') / 1000, 0, 6)].join(' '),
        shown(of('rereading'), 1, 16),
        `${shown(median(took), 0, 0)}, at most ${shown(Math.max(...took), 0, 0)}`.padStart(15),
      );
    };
    const all: Slice[] = [];
    for (const name of chosen) {
      const one = await opened(name);
      // A warm-up, because V8 compiles the code gradually.
      await one.slice();
      await reference.slice();
      const figures: Slice[] = [];
      // Each slice is between two slices of the table, because the load of the machine changes.
      const references = [await reference.slice()];
      for (let n = 0; n < slices(count); n++) {
        figures.push(await one.slice());
        references.push(await reference.slice());
      }
      const beside = (key: 'own' | 'its') =>
        median(
          figures.map((its, n) => {
            const [before, after] = references.slice(n) as [Slice, Slice];
            return (2 * its[key]) / (before[key] + after[key]);
          }),
        );
      await report(one, figures, `${shown(beside('own'), 2, 0)}, ${shown(beside('its'), 2, 0)}`);
      all.push(...references);
    }
    await report(reference, all, '');
  } finally {
    await db.remove();
  }
}
