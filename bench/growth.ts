/**
 * How the costs of reads grow with a site: the time of each with more messages, members, rooms and users, in each
 * database. The exponent is the slope between the logarithms: 0 if the size does not matter, 1 if the cost is
 * proportional to it.
 * Run: npm run bench growth
 */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import type { History } from '../server/history/history.ts';
import { historyFolder } from '../test/helpers/chat-server.ts';
import { mariadbDatabase, openDatabase, postgresDatabase } from '../test/helpers/history-database.ts';
import { startMariadb } from '../test/helpers/mariadb.ts';
import { startPostgres } from '../test/helpers/postgres.ts';
import { percentile } from '../test/helpers/server-figures.ts';

const rounds = 30;
/** Rows of one statement. */
const rowsAtOnce = 500;
const day = 24 * 60 * 60 * 1000;

interface Growth {
  what: string;
  sizes: readonly number[];
  /** Fills an empty history. Room 1 has the ID `hall`. */
  fill(db: Rows, size: number): void;
  /** A rare word of an old message, which one page finds once the search index is complete. */
  indexed?: string;
  costs: Record<string, (history: History, size: number) => Promise<unknown>>;
}

/** Collects rows, by the start of the statement that inserts them. */
class Rows {
  readonly #rows = new Map<string, string[]>();

  /** @returns a function that adds a row. Texts contain no special characters. */
  into(table: string, columns: string): (...values: (string | number | null)[]) => void {
    const rows: string[] = [];
    this.#rows.set(`INSERT INTO ${table} (${columns}) VALUES `, rows);
    const literal = (value: string | number | null) =>
      typeof value === 'string' ? `'${value}'` : `${value ?? 'NULL'}`;
    return (...values) => rows.push(`(${values.map(literal).join(', ')})`);
  }

  *statements(): Generator<string> {
    for (const [start, rows] of this.#rows)
      for (let n = 0; n < rows.length; n += rowsAtOnce)
        yield start + rows.slice(n, n + rowsAtOnce).join(', ');
  }
}

const room = (db: Rows) =>
  db.into('chat_rooms', 'num, id, kind, name, public_key, head, last_seq, access, members, created_at');
const member = (db: Rows) =>
  db.into('chat_members', 'user_id, room, sources, role, read_seq, acted, since, sort');

/** Adds users who are members of these rooms, with a name of two words. */
function people(db: Rows, count: number, rooms: readonly number[]): void {
  const [user, key, arrival] = [
    db.into('chat_users', 'id, name, acted_public'),
    db.into('chat_user_keys', 'find_key, user_id'),
    db.into('chat_arrivals', 'user_id, at'),
  ];
  const join = member(db);
  for (let n = 0; n < count; n++) {
    const [id, name] = [`u${n}`, `name${n} of${(n * 7919) % 1000}`];
    user(id, name, 1);
    for (const found of [name, id, ...name.split(' ')]) key(found, id);
    arrival(id, n);
    for (const num of rooms) join(id, num, 2, 'member', 0, 1, 0, name);
  }
}

const inHall = { rooms: ['hall'], everyPublic: false, limit: 20 };
const growths: Growth[] = [
  {
    what: 'messages of a room',
    sizes: [10_000, 100_000, 1_000_000],
    fill(db, size) {
      room(db)(1, 'hall', 'public', 'Hall', 'hall', size, size, 0, 0, 0);
      const message = db.into(
        'chat_messages',
        'num, room, seq, rev, id, client_id, user_id, user_name, text, sent_at, digest',
      );
      for (let n = 1; n <= size; n++) {
        const by = n === 5 ? 'rare' : `u${n % 50}`;
        const text = `message ${n} about ${(n * 7919) % 99_991}${n === 7 ? ' xylophone' : ''}`;
        message(n, 1, n, n, `m${n}`, `c${n}`, by, by, text, Math.floor((n * 1000 * day) / size), '');
      }
    },
    indexed: 'xylophone',
    costs: {
      'the newest page': ({ read }, size) => read.newest({ room: 'hall', upTo: size, limit: 50 }),
      'a jump to the middle': ({ read }, size) =>
        read.after({ room: 'hall', after: size / 2, upTo: size, limit: 50 }),
      'search: a rare word': ({ read }) => read.search({ ...inHall, query: 'xylophone' }),
      'search: a frequent word': ({ read }) => read.search({ ...inHall, query: 'about' }),
      'search: an author of one message': ({ read }) => read.search({ ...inHall, only: { from: 'rare' } }),
      'search: an author of none': ({ read }) => read.search({ ...inHall, only: { from: 'nobody' } }),
      'go to day': ({ read }) => read.search({ ...inHall, only: { sentBefore: 3 * day }, limit: 1 }),
      'search: a period without messages': ({ read }) =>
        read.search({ ...inHall, only: { sentFrom: 2000 * day } }),
    },
  },
  {
    what: 'members of a room',
    sizes: [1000, 10_000, 50_000],
    fill(db, size) {
      room(db)(1, 'hall', 'private', 'Hall', null, 0, 0, 0, size, 0);
      people(db, size, [1]);
    },
    costs: {
      'a message': ({ write }) =>
        write.send({
          ...{ room: 'hall', clientId: `${performance.now()}`, user: { id: 'u1', name: 'name1' } },
          ...{ text: 'hello', sentAt: Date.now(), asMember: true },
        }),
      'the first page of members': ({ read }) => read.members({ room: 'hall', limit: 50 }),
      'members by the start of a name': ({ read }) =>
        read.findMembers({ room: 'hall', query: 'name77', limit: 8 }),
      'members by a later word': ({ read }) => read.findMembers({ room: 'hall', query: 'of77', limit: 8 }),
      'members whom nobody matches': ({ read }) => read.findMembers({ room: 'hall', query: 'zz', limit: 8 }),
    },
  },
  {
    what: 'rooms of a user',
    sizes: [10, 100, 400],
    fill(db, size) {
      const [create, nums] = [room(db), Array.from({ length: size }, (_, n) => n + 1)];
      for (const num of nums)
        create(num, num === 1 ? 'hall' : `r${num}`, 'private', `R ${num}`, null, 0, 0, 0, 20, 0);
      people(db, 20, nums);
    },
    costs: {
      'the rooms of a first visit': ({ read }) => read.user({ user: 'u1' }),
      'people of the own rooms': ({ read }) =>
        read.findUsers({ user: 'u1', query: 'na', onlyShared: true, limit: 8 }),
    },
  },
  {
    what: 'users of the site',
    sizes: [1000, 10_000, 100_000],
    fill(db, size) {
      room(db)(1, 'hall', 'public', 'Hall', 'hall', 0, 0, 0, 0, 0);
      people(db, size, []);
    },
    costs: {
      'people by the start of a name': ({ read }) =>
        read.findUsers({ user: 'u1', query: 'na', onlyShared: false, limit: 8 }),
      'people by a rare word': ({ read }) =>
        read.findUsers({ user: 'u1', query: 'of77', onlyShared: false, limit: 8 }),
      'the first page of arrivals': ({ read }) => read.arrivals({ limit: 50 }),
    },
  },
];

/** Returns the slope of the logarithm of the cost. */
function exponent(sizes: readonly number[], costs: readonly number[]): number {
  const [x, y] = [sizes.map(Math.log), costs.map(Math.log)];
  const mean = (of: readonly number[]) => of.reduce((sum, one) => sum + one, 0) / of.length;
  const [mx, my] = [mean(x), mean(y)];
  const over = x.reduce((sum, one, n) => sum + (one - mx) * ((y[n] as number) - my), 0);
  return over / x.reduce((sum, one) => sum + (one - mx) ** 2, 0);
}

interface Database {
  url: string;
  /** Runs statements in one transaction. */
  load(statements: Iterable<string>): Promise<void>;
  /** Updates the statistics about the tables, as the database itself does within a minute. */
  analyze(): Promise<void>;
  close(): Promise<void>;
}

const [postgres, mariadb] = [await startPostgres(), await startMariadb()];
const tables = 'chat_messages, chat_blocks, chat_terms, chat_rooms, chat_members, chat_users, chat_user_keys';
const server = async (database: ReturnType<typeof postgresDatabase>, analyze: string): Promise<Database> => {
  const { url, query, close } = await database;
  return {
    url,
    async load(statements) {
      await query('BEGIN');
      for (const statement of statements) await query(statement);
      await query('COMMIT');
    },
    analyze: async () => void (await query(`${analyze} ${tables}`)),
    close,
  };
};
/** The databases, each with the largest size, because the servers' search indexes take minutes for more. */
const databases: Record<string, { most: number; make: () => Promise<Database> }> = {
  SQLite: {
    most: Number.POSITIVE_INFINITY,
    async make() {
      const folder = historyFolder();
      return {
        url: folder.url,
        async load(statements) {
          const db = new DatabaseSync(folder.path);
          db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN');
          for (const statement of statements) db.exec(statement);
          db.exec('COMMIT');
          db.close();
        },
        async analyze() {},
        close: async () => folder.remove(),
      };
    },
  },
  PostgreSQL: { most: 200_000, make: () => server(postgresDatabase(postgres), 'ANALYZE') },
  MariaDB: { most: 200_000, make: () => server(mariadbDatabase(mariadb), 'ANALYZE TABLE') },
};

/** Returns the median times of the costs with a history of this size, in ms. */
async function measure({ fill, indexed, costs }: Growth, size: number, database: Database) {
  await (await openDatabase(database.url)).close();
  const rows = new Rows();
  fill(rows, size);
  await database.load(rows.statements());
  const history = await openDatabase(database.url);
  const isIndexed = async () =>
    (await history.read.search({ ...inHall, query: indexed, limit: 1 })).messages.length > 0;
  if (indexed !== undefined) while (!(await isIndexed())) await pause(500);
  await database.analyze();
  const medians: number[] = [];
  for (const run of Object.values(costs)) {
    const taken: number[] = [];
    for (let n = 0; n < rounds; n++) {
      const began = performance.now();
      await run(history, size);
      taken.push(performance.now() - began);
    }
    medians.push(percentile(taken, 0.5));
  }
  await history.close();
  await database.close();
  return medians;
}

try {
  for (const [name, { most, make }] of Object.entries(databases)) {
    for (const growth of growths) {
      const sizes = growth.sizes.filter((size) => size <= most);
      const medians: number[][] = [];
      for (const size of sizes) medians.push(await measure(growth, size, await make()));
      console.log(
        `\n| ${name}: ${growth.what} | ${sizes.map((size) => size.toLocaleString('en')).join(' | ')} | exponent |`,
      );
      console.log(`| --- |${' --- |'.repeat(sizes.length + 1)}`);
      for (const [n, cost] of Object.keys(growth.costs).entries()) {
        const taken = medians.map((one) => one[n] as number);
        const cells = taken.map((ms) => `${ms.toFixed(2)} ms`);
        console.log(`| ${cost} | ${cells.join(' | ')} | ${exponent(sizes, taken).toFixed(2)} |`);
      }
    }
  }
} finally {
  await Promise.all([postgres.remove(), mariadb.remove()]);
}
