/**
 * The cost of checking the logins of a site once a second, beside sessions in a table of the same database: CPU of the
 * server and of the database, rows and bytes. Of each application that keeps its logins in tables, of those with accounts
 * beside PHP sessions, and of a WordPress where others change all the time what is checked. Meanwhile the site writes into its sessions, as a live site does.
 * Then a chat server has connections of a thousand logins, and some of them log out: the time until their sockets close.
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
 * Milliseconds of a slice that are not measured, and those that are. A slice begins with a reading of the configuration,
 * after which the threads of V8 are busy for seconds.
 */
const warmUp = 6000;
const measured = 12_000;
/** Few of many logins: each slice has more checks. */
const slices = (logins: number) => (logins > 1000 ? 2 : 7);
/** Logouts, one after another, and the connections that are open meanwhile. */
const logouts = 20;
const connections = 1000;
/** Page views of the site a second, each of one of the logins. */
const pageViews = 20;

interface Figures {
  /** Seconds of CPU per second. */
  cpu: number;
  /** Per second. */
  checks: number;
  /** Seconds of CPU for the reading of the configuration that is due once a minute, before the slice. */
  rereading: number;
}

/**
 * Runs in a process of its own and checks its logins in slices, each begun by a line of its input, so that those of
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
      onUnreadable: (error) => console.error(error.message),
      onNotifications: () => {},
      onKeepaliveFailure: () => {},
    });
  say('ready');
  for await (const _ of createInterface({ input: process.stdin })) {
    // Once a minute the configuration is read again. Read now, it is not due before the end of the slice.
    const idle = process.cpuUsage();
    await logins.reload?.();
    const read = process.cpuUsage(idle);
    const rereading = (read.user + read.system) / 1e6;
    const running = liveness();
    const checked = known.map((login) =>
      running.subscribe(login, { ended() {}, unconfirmed() {}, changed() {} }),
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

/** The database of a site, with a user `site` that only the chat servers log in as. */
interface Site extends TestDatabase {
  /** Seconds of CPU for that user, rows that it has read and bytes that it has sent, as far as it counts them. */
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
    silence: () => Promise.reject(new Error('it is not silenced here')),
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
    silence: () => Promise.reject(new Error('it is not silenced here')),
    async spent() {
      const processes = await db.query("SELECT pid FROM pg_stat_activity WHERE usename = 'site'");
      return [cpuOf(processes.map(({ pid }) => `${pid}`))];
    },
    remove: db.remove,
  };
}

async function sqlite(): Promise<Site> {
  const db = await startSiteDatabase('sqlite');
  // As applications that write often set it.
  await db.run('PRAGMA journal_mode = WAL');
  return { ...db, spent: async () => [0] };
}

/** Seconds of CPU of threads below /proc. */
function cpuOf(threads: readonly string[]): number {
  const used = threads.map((thread) =>
    Number(readFileSync(`/proc/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return used.reduce((sum, one) => sum + one, 0) / 1e9;
}

interface Slice {
  /** Microseconds of CPU for each check: of the server, and of the database for its questions. */
  own: number;
  its: number;
  /** A second. A busy machine makes fewer checks than there are logins. */
  checks: number;
  rows: number;
  bytes: number;
  /** Milliseconds of CPU for reading the configuration again. */
  rereading: number;
}

/** A kind of logins whose checks run in a process of their own. */
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
        // A number that has no common divisor with theirs leads to each.
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

  /** Milliseconds from a logout to the closed socket, while so many logins have a connection. */
  async logouts(): Promise<number[]> {
    const { options, credentials, hasSessions, loggedOut } = this.#way;
    const server = await startChatServer({
      ...(options.store === undefined ? {} : { CHAT_SESSION_STORE: options.store }),
      ...(options.site === undefined ? {} : { CHAT_SITE: options.site }),
      // The clients have another browser and address than the rows.
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
      // As a database that has had these rows for some time.
      if (db.kind === 'postgres') await db.run('VACUUM ANALYZE');
      return Running.start(name, way, db);
    };
    const reference = await opened(table);
    console.log(
      `${title}, ${count} logins`.padEnd(25),
      'checks/s  µs each  µs of the database  beside the table   rows/s   KB/s  ms of a reading  ms to a logout',
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
      // Not measured: their code is compiled by and by.
      await one.slice();
      await reference.slice();
      const figures: Slice[] = [];
      // Each slice is between two of the table, as the load of the machine changes.
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
