/**
 * How the costs of reads grow with a site: the CPU of each with more messages, members, rooms and users. The exponent
 * is the slope between the logarithms: 0 if the size does not matter, 1 if the cost is proportional to it.
 * Run: npm run bench growth
 */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import type { History } from '../server/history/history.ts';
import { openSqliteHistory } from '../server/history/sqlite/sqlite.ts';
import { historyFolder } from '../test/helpers/chat-server.ts';
import { percentile } from '../test/helpers/server-figures.ts';

const rounds = 30;
const day = 24 * 60 * 60 * 1000;

interface Growth {
  what: string;
  sizes: readonly number[];
  /** Fills an empty history. Room 1 has the ID `hall`. */
  fill(db: DatabaseSync, size: number): void;
  /** A rare word of an old message, which one page finds once the search index is complete. */
  indexed?: string;
  costs: Record<string, (history: History, size: number) => Promise<unknown>>;
}

const add = (db: DatabaseSync, table: string, columns: string) =>
  db.prepare(`INSERT INTO ${table} (${columns}) VALUES (${columns.replace(/\w+/g, '?')})`);
const room = (db: DatabaseSync) =>
  add(db, 'chat_rooms', 'id, kind, name, public_key, head, last_seq, access, members, created_at');
const member = (db: DatabaseSync) =>
  add(db, 'chat_members', 'user_id, room, sources, role, read_seq, acted, since, sort');

/** Adds users who are members of these rooms, with a name of two words. */
function people(db: DatabaseSync, count: number, rooms: readonly number[]): void {
  const [user, key, arrival] = [
    add(db, 'chat_users', 'id, name, acted_public'),
    add(db, 'chat_user_keys', 'find_key, user_id'),
    add(db, 'chat_arrivals', 'user_id, at'),
  ];
  const join = member(db);
  for (let n = 0; n < count; n++) {
    const [id, name] = [`u${n}`, `name${n} of${(n * 7919) % 1000}`];
    user.run(id, name, 1);
    for (const found of [name, id, ...name.split(' ')]) key.run(found, id);
    arrival.run(id, n);
    for (const num of rooms) join.run(id, num, 2, 'member', 0, 1, 0, name);
  }
}

const inHall = { rooms: ['hall'], everyPublic: false, limit: 20 };
const growths: Growth[] = [
  {
    what: 'messages of a room',
    sizes: [10_000, 100_000, 1_000_000],
    fill(db, size) {
      room(db).run('hall', 'public', 'Hall', 'hall', size, size, 0, 0, 0);
      const message = add(
        db,
        'chat_messages',
        'room, seq, rev, id, client_id, user_id, user_name, text, sent_at, digest',
      );
      for (let n = 1; n <= size; n++) {
        const by = n === 5 ? 'rare' : `u${n % 50}`;
        const text = `message ${n} about ${(n * 7919) % 99_991}${n === 7 ? ' xylophone' : ''}`;
        message.run(1, n, n, `m${n}`, `c${n}`, by, by, text, Math.floor((n * 1000 * day) / size), '');
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
      room(db).run('hall', 'private', 'Hall', null, 0, 0, 0, size, 0);
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
        create.run(num === 1 ? 'hall' : `r${num}`, 'private', `R ${num}`, null, 0, 0, 0, 20, 0);
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
      room(db).run('hall', 'public', 'Hall', 'hall', 0, 0, 0, 0, 0);
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

for (const { what, sizes, fill, indexed, costs } of growths) {
  const medians = new Map(Object.keys(costs).map((name) => [name, [] as number[]]));
  for (const size of sizes) {
    const folder = historyFolder();
    const onFailure = (error: Error) => {
      throw error;
    };
    await (await openSqliteHistory({ path: folder.path, onFailure })).close();
    const db = new DatabaseSync(folder.path);
    db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN');
    fill(db, size);
    db.exec('COMMIT');
    db.close();
    const history = await openSqliteHistory({ path: folder.path, onFailure });
    const isIndexed = async () =>
      (await history.read.search({ ...inHall, query: indexed, limit: 1 })).messages.length > 0;
    if (indexed !== undefined) while (!(await isIndexed())) await pause(500);
    for (const [name, run] of Object.entries(costs)) {
      const taken: number[] = [];
      for (let n = 0; n < rounds; n++) {
        const began = performance.now();
        await run(history, size);
        taken.push(performance.now() - began);
      }
      medians.get(name)?.push(percentile(taken, 0.5));
    }
    await history.close();
    folder.remove();
  }
  console.log(`\n| ${what} | ${sizes.map((size) => size.toLocaleString('en')).join(' | ')} | exponent |`);
  console.log(`| --- |${' --- |'.repeat(sizes.length + 1)}`);
  for (const [name, taken] of medians) {
    const cells = taken.map((ms) => `${ms.toFixed(2)} ms`);
    console.log(`| ${name} | ${cells.join(' | ')} | ${exponent(sizes, taken).toFixed(2)} |`);
  }
}
