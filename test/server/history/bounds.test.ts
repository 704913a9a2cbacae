import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { History, MemberPlace, Reads } from '../../../server/history/history.ts';
import { prepareQueries, unreadMentions } from '../../../server/history/sqlite/queries.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { SqliteWork } from '../../../server/history/sqlite/work.ts';
import { addTerms } from '../../../server/history/terms.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';

// Data that one user can write within the limits in an hour or less must not delay others.

const at = Date.now();
const user = { id: '1', name: 'Ann' };

async function open(path: string): Promise<History> {
  const history = await openSqliteHistory({ path, onFailure: (error) => expect.unreachable(error.message) });
  onTestFinished(() => history.close());
  return history;
}

async function fill(history: History, room: string, count: number, text: (n: number) => string) {
  const sends = Array.from({ length: count }, (_, n) =>
    history.write('send', {
      room,
      clientId: randomUUID(),
      user,
      text: text(n),
      sentAt: at,
      asMember: false,
    }),
  );
  await Promise.all(sends);
}

function newFile(): string {
  const folder = historyFolder();
  onTestFinished(() => folder.remove());
  return folder.path;
}

test('unread mentions are found by an index, however many have been read', async () => {
  const path = newFile();
  await (await open(path)).close();
  const file = new DatabaseSync(path, { readOnly: true });
  onTestFinished(() => file.close());
  const plan = file.prepare(`EXPLAIN QUERY PLAN ${unreadMentions}`).all(1, '9', 2999);
  const steps = plan.map(({ detail }) => detail as string).filter((detail) => detail.includes('mentions'));
  const search = 'SEARCH mentions USING COVERING INDEX mentions_by_user (user_id=? AND room=? AND seq>?)';
  expect(steps).toEqual(Array(2).fill(search));
});

test('a user’s messages in a room are read in pages of constant time, however many there are', async () => {
  const history = await open(newFile());
  const pages = async (room: string, count: number) => {
    await history.write('putRoom', { id: room, kind: 'public', name: room, at });
    await fill(history, room, count, (n) => `${room} ${n}`);
    const found: { texts: string[]; took: number }[] = [];
    for (let from: string | undefined = ''; from !== undefined; ) {
      const began = performance.now();
      const page: Reads['written']['out'] = await history.read('written', {
        user: user.id,
        from,
        limit: 100,
      });
      const texts = page.messages.filter((one) => one.room === room).map(({ text }) => text);
      if (texts.length > 0) found.push({ texts, took: performance.now() - began });
      from = page.next;
    }
    expect(found.flatMap(({ texts }) => texts)).toEqual(
      Array.from({ length: count }, (_, n) => `${room} ${n}`),
    );
    // The machine only ever adds to a time.
    return Math.min(...found.map(({ took }) => took));
  };
  const few = await pages('few', 1000);
  // Sorting twenty times as much takes ten times as long and more.
  expect((await pages('many', 20_000)) / few).toBeLessThan(5);
});

test('restrictions by an erased moderator are found by an index, however many others there are', async () => {
  const path = newFile();
  await (await open(path)).close();
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  const plans: string[] = [];
  const prepare = db.prepare.bind(db);
  db.prepare = (sql, ...more) => {
    const plan = sql.includes('restricted ->>') ? prepare(`EXPLAIN QUERY PLAN ${sql}`).all() : [];
    plans.push(...plan.map(({ detail }) => String(detail)).filter((detail) => detail.includes('members')));
    return prepare(sql, ...more);
  };
  new SqliteWork(db);
  expect(plans).toEqual(
    ['muter', 'banner'].map((by) => `SEARCH members USING INDEX members_by_${by} (<expr>=?)`),
  );
});

test('the content of a deleted room is removed bit by bit, over a restart too, until nothing is left', async () => {
  const path = newFile();
  const first = await open(path);
  await first.write('putRoom', { id: 'den', name: 'Den', kind: 'private', at });
  await fill(first, 'den', 2999, (n) => `${n} ${'long text '.repeat(100)}`);
  const user = { id: '9', name: 'Ida' };
  await first.write('addMembers', { room: 'den', users: [user], source: 'api', mayReturn: true, at });
  const mentions = [{ user: '9', start: 0, length: 1 }];
  const last = { room: 'den', clientId: 'last', user, text: 'last', mentions, sentAt: at, asMember: true };
  await first.write('send', last);
  await first.write('react', { room: 'den', seq: 2999, reactions: [{ user: '9', emoji: '👍', on: true }] });
  const file = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  onTestFinished(() => file.close());
  const count = (table: string) =>
    file.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.rows as number;
  await first.write('deleteRoom', { room: 'den' });
  expect(await first.read('room', { room: 'den' })).toBeNull();
  expect(count('messages')).toBeGreaterThan(2000);
  expect([count('reactions'), count('mentions')]).toEqual([1, 1]);
  await first.close();
  const second = await open(path);
  // The room may be created again meanwhile.
  await second.write('putRoom', { id: 'den', name: 'Den', kind: 'private', at });
  await fill(second, 'den', 1, () => 'new long text');
  let waiting = 0;
  const isDone = () => {
    waiting = Math.max(waiting, count('former_texts'));
    return count('messages') === 1 && count('former_texts') === 0;
  };
  await vi.waitUntil(isDone, { timeout: hanging, interval: 5 });
  expect([count('reactions'), count('mentions')]).toEqual([0, 0]);
  // Never all texts at once, because the thread that removes them from the search index holds them in memory.
  expect(waiting).toBeLessThan(1000);
  expect(
    await second.read('search', { query: 'long', rooms: ['den'], everyPublic: false, limit: 9 }),
  ).toMatchObject({
    messages: [{ text: 'new long text' }],
  });
  await vi.waitUntil(() => count('rooms') === 1, { timeout: hanging });
});

test('very many edits that the search index has missed are applied some at a time, and the result is complete', async () => {
  const path = newFile();
  const history = await open(path);
  await history.write('putRoom', { id: 'den', name: 'Den', kind: 'private', at });
  const search = (query: string) =>
    history.read('search', { query, rooms: ['den'], everyPublic: false, limit: 9 });
  const users = [{ id: '1', name: 'Ann' }];
  await history.write('addMembers', { room: 'den', users, source: 'api', mayReturn: true, at });
  await fill(history, 'den', 3, (n) => `first ${n}`);
  expect((await search('first')).messages).toHaveLength(3);
  // It cannot be written now.
  const index = new DatabaseSync(`${path}-search`);
  onTestFinished(() => index.close());
  index.exec('BEGIN EXCLUSIVE');
  await fill(history, 'den', 3, (n) => `first ${n + 3}`);
  const edit = (seq: number, text: string) =>
    history.write('edit', { room: 'den', seq, user: '1', text, at });
  for (let round = 0; round < 250; round++) {
    const texts = [1, 2, 3, 4, 5, 6].map((seq) => `round${round} of${seq}`);
    await Promise.all(texts.map((text, n) => edit(n + 1, text)));
  }
  const file = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  onTestFinished(() => file.close());
  expect(file.prepare('SELECT count(*) AS rows FROM former_texts').get()).toEqual({ rows: 1500 });
  index.exec('ROLLBACK');
  await vi.waitUntil(() => file.prepare('SELECT 1 FROM former_texts').get() === undefined, {
    timeout: hanging,
  });
  expect((await search('round249')).messages).toHaveLength(6);
  index.exec('PRAGMA busy_timeout = 5000');
  const rows = index.prepare('SELECT term, messages FROM terms').all();
  const expected = new Map<number, number>();
  for (const seq of [1, 2, 3, 4, 5, 6]) {
    const terms = new Set<number>();
    addTerms(terms, `round249 of${seq}`);
    for (const term of terms) expected.set(term, (expected.get(term) ?? 0) | (1 << (seq - 1)));
  }
  expect(new Map(rows.map(({ term, messages }) => [term, messages]))).toEqual(expected);
  const groups = index.prepare('SELECT term, blocks FROM block_terms').all();
  expect(new Map(groups.map(({ term, blocks }) => [term, blocks]))).toEqual(
    new Map([...expected.keys()].map((term) => [term, 1])),
  );
});

test('no text and no query makes a search take long; the rest is on the next page', async () => {
  const history = await open(newFile());
  await history.write('publicRooms', { rooms: [{ id: 'lobby', name: 'Lobby' }], at });
  const needle = `${'a'.repeat(98)}ba`;
  await fill(history, 'lobby', 1, () => `here it is: ${needle}`);
  // Each has all pairs of the needle, in thousands, and none has the needle.
  await fill(history, 'lobby', 1500, (n) => `ba${'a'.repeat(3900)}b ${n}`);
  const find = (query: string, from?: string) =>
    history.read('search', { query, rooms: [], everyPublic: true, limit: 50, ...(from ? { from } : {}) });
  // The index is up to date when it has the newest message.
  await vi.waitUntil(async () => (await find('b 1499')).messages.length === 1, { timeout: hanging });
  const found: string[] = [];
  let pages = 0;
  let next: string | undefined;
  do {
    const page = await find(needle, next);
    pages++;
    found.push(...page.messages.map(({ text }) => text));
    next = page.next;
  } while (next !== undefined);
  expect(found).toEqual([`here it is: ${needle}`]);
  // Others are served between the pages.
  expect(pages).toBeGreaterThan(1);
});

test('people are looked up in a room of 5,000 page after page, each of a part of them', async () => {
  const history = await open(newFile());
  await history.write('publicRooms', { rooms: [{ id: 'lobby', name: 'Lobby' }], at });
  const people = Array.from({ length: 5000 }, (_, n) => ({ id: `u${n}`, name: `Person number ${n}` }));
  people.push({ id: 'last', name: 'Zoë Zander' });
  for (let n = 0; n < people.length; n += 1000) {
    const users = people.slice(n, n + 1000);
    await history.write('addMembers', { room: 'lobby', users, source: 'api', mayReturn: true, at });
  }
  const found: string[] = [];
  let pages = 0;
  let after: MemberPlace | undefined;
  do {
    const asked = { room: 'lobby', query: 'zan', limit: 10, ...(after === undefined ? {} : { after }) };
    const page = await history.read('members', asked);
    found.push(...page.members.map(({ user }) => user.name));
    after = page.next;
    pages++;
  } while (after !== undefined);
  expect(found).toEqual(['Zoë Zander']);
  // Others are served between the pages.
  expect(pages).toBeGreaterThan(1);
  for (let n = 0; n < 50; n++)
    await history.write('arrive', { user: { id: 'u1', name: `Renamed ${n}` }, at });
  const renamed = (query: string) =>
    history.read('findUsers', { user: 'u2', query, onlyShared: false, limit: 9 });
  expect(await renamed('renamed')).toMatchObject([{ id: 'u1', name: 'Renamed 49' }]);
  expect(await renamed('48')).not.toContainEqual(expect.objectContaining({ id: 'u1' }));
});

test('a user in hundreds of rooms finds people quickly', async () => {
  const history = await open(newFile());
  const rooms = Array.from({ length: 500 }, (_, n) => ({ id: `team-${n}`, name: `Team ${n}` }));
  await history.write('arrive', { user, rooms, at });
  await history.write('putRoom', { id: 'other', name: 'Other', kind: 'private', at });
  for (let n = 0; n < 2000; n += 1000) {
    const users = Array.from({ length: 1000 }, (_, m) => ({ id: `u${n + m}`, name: `Person ${n + m}` }));
    await history.write('addMembers', { room: 'other', users, source: 'api', mayReturn: true, at });
  }
  const began = performance.now();
  for (let n = 0; n < 5; n++) {
    const asked = { user: user.id, query: 'person', onlyShared: true, limit: 20 };
    expect(await history.read('findUsers', asked)).toEqual([]);
  }
  expect(performance.now() - began).toBeLessThan(5000);
});

test('no statement looks through a table that grows, but for what the start reads whole', async () => {
  const path = newFile();
  await (await open(path)).close();
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  const statements: string[] = [];
  const prepare = db.prepare.bind(db);
  db.prepare = (sql, ...more) => {
    statements.push(sql);
    return prepare(sql, ...more);
  };
  prepareQueries(db);
  new SqliteWork(db);
  expect(statements.length).toBeGreaterThan(50);
  const scans = statements.flatMap((sql) =>
    prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => String(detail))
      // A subquery here has its own limit.
      .filter((detail) => detail.startsWith('SCAN') && !detail.startsWith('SCAN (subquery')),
  );
  expect([...new Set(scans)].sort()).toEqual(
    [
      // The public rooms and the bans, at the start.
      'SCAN bans',
      'SCAN rooms USING INDEX rooms_by_name',
      // The number of current erasures.
      'SCAN erasures USING COVERING INDEX erasures_by_time',
      // Rooms in which deletions are under way.
      'SCAN rooms USING INDEX rooms_expiring',
      // These have one row.
      'SCAN CONSTANT ROW',
      'SCAN digest_key',
      'SCAN next_message',
      // At most the 1,000 unread mentions that the index has found.
      'SCAN found',
    ].sort(),
  );
});
