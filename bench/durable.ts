/**
 * Messages per second that the history stores durably for 100 senders, each waiting for the response, and the delay of
 * the event loop. Compared with one transaction per message, in SQLite, in SQLite on a disk with 4 ms per commit, and
 * in PostgreSQL. If checkouts are given, compares their histories instead, in SQLite, PostgreSQL and MariaDB.
 * Run: npm run bench durable [CHECKOUT…]
 */
import { historyFolder } from '../test/helpers/chat-server.ts';
import { startChild } from '../test/helpers/child.ts';
import { mariadbDatabase, postgresDatabase } from '../test/helpers/history-database.ts';
import { startMariadb } from '../test/helpers/mariadb.ts';
import { startPostgres } from '../test/helpers/postgres.ts';
import { percentile } from '../test/helpers/server-figures.ts';
import { checkouts, root } from './load.ts';

const rounds = 5;

interface Outcome {
  /** Messages per second. */
  rate: number;
  /** The p99 of the event-loop delay, in ms. */
  delay: number;
}

/** An address for an empty history. */
interface Place {
  url: string;
  remove(): unknown;
}

const postgres = await startPostgres(['fsync=on']);
const inSqlite = async (): Promise<Place> => historyFolder();
const inPostgres = async (): Promise<Place> => {
  const { url, close } = await postgresDatabase(postgres);
  return { url, remove: close };
};

async function measure(
  way: 'history' | 'transactions',
  made: () => Promise<Place>,
  preload: readonly string[] = [],
  folder = root,
): Promise<Outcome> {
  const place = await made();
  const args = [...preload, 'bench/peers/senders.ts', way, place.url];
  const child = startChild(process.execPath, args, { cwd: folder });
  const [line] = await child.until(/^\{.*\}$/m);
  await child.stop();
  await place.remove();
  return JSON.parse(line) as Outcome;
}

async function compareCheckouts(): Promise<void> {
  const mariadb = await startMariadb(['--innodb-flush-log-at-trx-commit=1']);
  const inMariadb = async (): Promise<Place> => {
    const { url, close } = await mariadbDatabase(mariadb);
    return { url, remove: close };
  };
  const places = { SQLite: inSqlite, PostgreSQL: inPostgres, MariaDB: inMariadb };
  for (const [where, made] of Object.entries(places)) {
    const rates = checkouts.map((): number[] => []);
    for (let round = 0; round < rounds; round++) {
      // Alternates the order, so that no checkout always runs first.
      const all = [...checkouts.entries()];
      for (const [n, { folder }] of round % 2 === 0 ? all : all.reverse()) {
        rates[n]?.push((await measure('history', made, [], folder)).rate);
      }
    }
    const [own = 0, ...others] = rates.map((some) => percentile(some, 0.5));
    const ratios = others.map((rate, n) => `${(own / rate).toFixed(2)} times ${checkouts[n + 1]?.name}`);
    console.log(`${where}: ${own.toFixed(0)} messages a second, ${ratios.join(', ')}`);
  }
  await mariadb.remove();
}

async function compareTransactions(): Promise<void> {
  for (const [where, made, preload] of [
    ['SQLite', inSqlite, []],
    ['SQLite, 4 ms a commit', inSqlite, ['--import=./bench/peers/slow-commit.ts']],
    ['PostgreSQL', inPostgres, []],
  ] as const) {
    const outcomes: { own: Outcome; plain: Outcome }[] = [];
    for (let round = 0; round < rounds; round++) {
      const plain = await measure('transactions', made, preload);
      outcomes.push({ plain, own: await measure('history', made, preload) });
    }
    const middle = (of: (outcome: (typeof outcomes)[number]) => number) => percentile(outcomes.map(of), 0.5);
    const ratios = outcomes.map(({ own, plain }) => own.rate / plain.rate);
    console.log(
      `${where}: ${percentile(ratios, 0.5).toFixed(1)} (${Math.min(...ratios).toFixed(1)} to ` +
        `${Math.max(...ratios).toFixed(1)}); ${middle(({ own }) => own.rate).toFixed(0)} and ` +
        `${middle(({ plain }) => plain.rate).toFixed(0)} messages a second; event loop delay p99 ` +
        `${middle(({ own }) => own.delay).toFixed(1)} ms`,
    );
  }
}

try {
  await (checkouts.length > 1 ? compareCheckouts() : compareTransactions());
} finally {
  await postgres.remove();
}
