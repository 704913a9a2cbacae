import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test, vi } from 'vitest';
import { runBatch } from '../../../server/history/engine/batch.ts';
import { raw, type Sql } from '../../../server/history/engine/dialect.ts';
import { SealedCursors } from '../../../server/history/engine/sealed-cursors.ts';
import { SqliteConnection, sqlite } from '../../../server/history/engine/sqlite/dialect.ts';
import { digestKeyOf } from '../../../server/history/engine/sqlite/migrations.ts';
import { purger } from '../../../server/history/engine/sqlite/purge.ts';
import { addTerms } from '../../../server/history/engine/terms.ts';
import { Transaction } from '../../../server/history/engine/transaction.ts';
import type { History, MemberCursor, Writes } from '../../../server/history/history.ts';
import { unreadMentions } from '../../../server/history/members/reading.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { reads, subjects } from '../../../server/history/subjects.ts';
import { size } from '../../guarantees/size.ts';
import { emptyHistory } from '../../helpers/chat-server.ts';
import { everyRead, everyWrite } from '../../helpers/every-call.ts';
import { hanging } from '../../helpers/hanging.ts';

// Data that one user can write within the limits of an hour must not delay other users.

const at = Date.now();
const user = { id: '1', name: 'Ann' };

async function open(path: string): Promise<History> {
  const history = await openSqliteHistory({ path, onFailure: (error) => expect.unreachable(error.message) });
  onTestFinished(() => history.close());
  return history;
}

async function fill(history: History, room: string, count: number, text: (n: number) => string) {
  const sends = Array.from({ length: count }, (_, n) =>
    history.write.send({ room, clientId: randomUUID(), user, text: text(n), sentAt: at, asMember: false }),
  );
  await Promise.all(sends);
}

/** Creates the file of an empty history. */
async function newFile(): Promise<string> {
  const folder = await emptyHistory();
  onTestFinished(() => folder.remove());
  return folder.path;
}

/** Returns the steps of SQLite's query plan that name this table. */
function planOf(db: DatabaseSync, { text, values }: Sql, table: string): string[] {
  const plan = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...(values as string[]));
  return plan.map(({ detail }) => String(detail)).filter((detail) => detail.includes(table));
}

/** A statement that searches replies of a thread. */
const inThread = /FROM chat_messages\b[^;]*\bthread = \?/;

/** Collects the statements prepared after this call. */
function preparedBy(db: DatabaseSync): string[] {
  const statements: string[] = [];
  const prepare = db.prepare.bind(db);
  db.prepare = (sql, ...more) => {
    statements.push(sql);
    return prepare(sql, ...more);
  };
  return statements;
}

const contextOf = (db: DatabaseSync) => ({
  dialect: sqlite(db),
  cursors: new SealedCursors(digestKeyOf(db)),
});

/** Returns the database of an empty history, without a server on it. */
async function emptyDatabase(): Promise<DatabaseSync> {
  const db = new DatabaseSync(await newFile());
  onTestFinished(() => db.close());
  return db;
}

test('finds unread mentions by an index that excludes read mentions', async () => {
  const file = await emptyDatabase();
  const searches = ['newer', 'mentions', 'newer', 'mentions'].map(
    (name) => `SEARCH ${name} USING COVERING INDEX chat_mentions_by_user (user_id=? AND room=? AND seq>?)`,
  );
  expect(planOf(file, unreadMentions('9', 9), 'chat_mentions')).toEqual(searches);
});

test('reads only as many unread mentions as it keeps', async () => {
  const path = await newFile();
  const history = await open(path);
  await history.write.putRoom({ id: 'den', kind: 'private', name: 'Den', at });
  const users = [user, { id: '9', name: 'Ida' }];
  await history.write.addMembers({ room: 'den', users, source: 'api', mayReturn: true, at });
  const mention = (count: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        history.write.send({
          ...{ room: 'den', clientId: randomUUID(), user, text: '@Ida', sentAt: at, asMember: true },
          mentions: [{ user: '9', start: 0, length: 4 }],
        }),
      ),
    );
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  let looked = 0;
  db.function('look', { varargs: true }, () => ++looked);
  // The view hides the table of the same name.
  db.exec('CREATE TEMP VIEW chat_mentions AS SELECT * FROM main.chat_mentions WHERE look(seq)');
  const context = contextOf(db);
  const read = () => {
    looked = 0;
    const { memberships } = new SqliteConnection(db).answered(reads.user(context, { user: '9' }));
    return memberships[0]?.mentions.get(user.id) ?? [];
  };
  await mention(1500);
  expect(read()).toEqual(Array.from({ length: 1000 }, (_, n) => n + 501));
  const ofFew = looked;
  await mention(1500);
  expect(read()).toEqual(Array.from({ length: 1000 }, (_, n) => n + 2001));
  expect([ofFew > 0, looked]).toEqual([true, ofFew]);
});

test('reads only the rows of a page after any message of a room or of a thread', async () => {
  const path = await newFile();
  const history = await open(path);
  await history.write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at });
  const count = 1000;
  await fill(history, 'lobby', 1, () => 'root');
  const reply = { room: 'lobby', user, text: 'reply', replyTo: 1, sentAt: at, asMember: false };
  await Promise.all(
    Array.from({ length: count }, () => history.write.send({ ...reply, clientId: randomUUID() })),
  );
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  let looked = 0;
  db.function('look', { varargs: true }, () => ++looked);
  // The view hides the table of the same name.
  db.exec('CREATE TEMP VIEW chat_messages AS SELECT * FROM main.chat_messages WHERE look(seq)');
  // A view has no indexes that a statement could name.
  const { dialect, cursors } = contextOf(db);
  const context = { dialect: { ...dialect, by: () => raw('') }, cursors };
  const rowsOf = (asking: ReturnType<typeof reads.after> | ReturnType<typeof reads.replies>) => {
    looked = 0;
    const { messages } = new SqliteConnection(db).answered(asking as ReturnType<typeof reads.after>);
    expect(messages).toHaveLength(10);
    return looked;
  };
  const page = { room: 'lobby', limit: 10 };
  const lookedAfter = (after: number) => [
    rowsOf(reads.after(context, { ...page, after, upTo: count + 1 })),
    rowsOf(reads.replies(context, { ...page, thread: 1, after, before: count + 2, from: 'start' })),
  ];
  expect(lookedAfter(count - 50)).toEqual(lookedAfter(1));
});

test('reads only the members of a large team who are listed, invited or dismissed', async () => {
  const db = await emptyDatabase();
  const members = 5000;
  db.exec(`WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${members})
    INSERT INTO chat_team (user_id, team, since, seen_at) SELECT 'u' || n, 'team', n, ${at} FROM counted`);
  db.exec("INSERT INTO chat_users (id, name, acted_public) SELECT user_id, 'Ben', 0 FROM chat_team");
  let looked = 0;
  db.function('look', { varargs: true }, () => ++looked);
  // The view hides the table of the same name.
  db.exec('CREATE TEMP VIEW chat_team AS SELECT * FROM main.chat_team WHERE look(since)');
  const prepared = preparedBy(db);
  const connection = new SqliteConnection(db);
  const place = { dialect: sqlite(db), subjects, digestKey: digestKeyOf(db) };
  const write = (op: keyof Writes, input: object) => {
    looked = 0;
    prepared.length = 0;
    const transaction = new Transaction();
    const { outcomes } = connection.answered(runBatch({ ...place, transaction }, [{ op, input }]));
    connection.answered(transaction.flush());
    expect(outcomes).toEqual([{ value: expect.anything() }]);
    return looked;
  };
  const question = { team: 'team', name: 'Where', text: 'Where is it?', clientId: 'q', at };
  expect(write('askTeam', { ...question, id: 'u-question-1', user })).toBe(200);
  const [invited] = db.prepare('SELECT members FROM chat_rooms').all();
  expect(invited).toEqual({ members: 201 });
  // Not a statement for each of them.
  expect(prepared.length).toBeLessThan(40);
  // With the one who is left out.
  expect(write('othersInTeam', { team: 'team', users: ['u1'], most: 10 })).toBe(11);
  expect(write('joinTeam', { user: 'u7', team: 'team', at })).toBe(1);
  looked = 0;
  const first = connection.answered(reads.team(contextOf(db), { team: 'team', limit: 3 }));
  expect(first.map(({ id }) => id)).toEqual(['u1', 'u2', 'u3']);
  expect(looked).toBe(3);
  looked = 0;
  expect(connection.answered(reads.inTeam(contextOf(db), { team: 'team', user: 'u7' }))).toEqual({
    seenAt: at,
  });
  expect(looked).toBe(1);
});

test('removes the content of a deleted room in small steps, across a restart', async () => {
  const path = await newFile();
  const first = await open(path);
  await first.write.putRoom({ id: 'den', name: 'Den', kind: 'private', at });
  const filled = size(2999, 1499);
  await fill(first, 'den', filled, (n) => `${n} ${'long text '.repeat(100)}`);
  const user = { id: '9', name: 'Ida' };
  await first.write.addMembers({ room: 'den', users: [user], source: 'api', mayReturn: true, at });
  const mentions = [{ user: '9', start: 0, length: 1 }];
  const last = { room: 'den', clientId: 'last', user, text: 'last', mentions, sentAt: at, asMember: true };
  await first.write.send(last);
  await first.write.react({ room: 'den', seq: filled, reactions: [{ user: '9', emoji: '👍', on: true }] });
  const file = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  onTestFinished(() => file.close());
  const count = (table: string) =>
    file.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.rows as number;
  await first.write.deleteRoom({ room: 'den' });
  expect(await first.read.room({ room: 'den' })).toBeNull();
  expect(count('chat_messages')).toBeGreaterThan(size(2000, 500));
  expect([count('chat_reactions'), count('chat_mentions')]).toEqual([1, 1]);
  await first.close();
  const second = await open(path);
  // The room may be created again before the removal ends.
  await second.write.putRoom({ id: 'den', name: 'Den', kind: 'private', at });
  await fill(second, 'den', 1, () => 'new long text');
  let waiting = 0;
  const isDone = () => {
    waiting = Math.max(waiting, count('former_texts'));
    return count('chat_messages') === 1 && count('former_texts') === 0;
  };
  await vi.waitUntil(isDone, { timeout: hanging, interval: 5 });
  expect([count('chat_reactions'), count('chat_mentions')]).toEqual([0, 0]);
  // The texts are removed in parts, because the search-index thread holds them in memory.
  expect(waiting).toBeLessThan(1000);
  expect(
    await second.read.search({ query: 'long', rooms: ['den'], everyPublic: false, limit: 9 }),
  ).toMatchObject({ messages: [{ text: 'new long text' }] });
  await vi.waitUntil(() => count('chat_rooms') === 1, { timeout: hanging });
});

test('applies many missed edits to the search index in small steps', async () => {
  const path = await newFile();
  const history = await open(path);
  await history.write.putRoom({ id: 'den', name: 'Den', kind: 'private', at });
  const search = (query: string) =>
    history.read.search({ query, rooms: ['den'], everyPublic: false, limit: 9 });
  const users = [{ id: '1', name: 'Ann' }];
  await history.write.addMembers({ room: 'den', users, source: 'api', mayReturn: true, at });
  await fill(history, 'den', 3, (n) => `first ${n}`);
  expect((await search('first')).messages).toHaveLength(3);
  // The search index cannot be written during this transaction.
  const index = new DatabaseSync(`${path}-search`);
  onTestFinished(() => index.close());
  index.exec('BEGIN EXCLUSIVE');
  await fill(history, 'den', 3, (n) => `first ${n + 3}`);
  const edit = (seq: number, text: string) => history.write.edit({ room: 'den', seq, user: '1', text, at });
  const rounds = size(250, 60);
  for (let round = 0; round < rounds; round++) {
    const texts = [1, 2, 3, 4, 5, 6].map((seq) => `round${round} of${seq}`);
    await Promise.all(texts.map((text, n) => edit(n + 1, text)));
  }
  const file = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  onTestFinished(() => file.close());
  expect(file.prepare('SELECT count(*) AS rows FROM former_texts').get()).toEqual({ rows: 6 * rounds });
  index.exec('ROLLBACK');
  await vi.waitUntil(() => file.prepare('SELECT 1 FROM former_texts').get() === undefined, {
    timeout: hanging,
  });
  expect((await search(`round${rounds - 1}`)).messages).toHaveLength(6);
  index.exec('PRAGMA busy_timeout = 5000');
  const terms = index.prepare('SELECT term, messages FROM terms');
  const expected = new Map<number, number>();
  for (const seq of [1, 2, 3, 4, 5, 6]) {
    const own = new Set<number>();
    addTerms(own, { text: `round${rounds - 1} of${seq}`, author: '1' });
    for (const term of own) expected.set(term, (expected.get(term) ?? 0) | (1 << (seq - 1)));
  }
  // The missed messages are indexed after the edits.
  await expect
    .poll(() => new Map(terms.all().map(({ term, messages }) => [term, messages])), { timeout: hanging })
    .toEqual(expected);
  const groups = index.prepare('SELECT term, blocks FROM block_terms').all();
  expect(new Map(groups.map(({ term, blocks }) => [term, blocks]))).toEqual(
    new Map([...expected.keys()].map((term) => [term, 1])),
  );
});

test('spreads a search over long repetitive texts over several pages', async () => {
  const history = await open(await newFile());
  await history.write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at });
  const needle = `${'a'.repeat(98)}ba`;
  await fill(history, 'lobby', 1, () => `here it is: ${needle}`);
  // Each text contains all pairs of the needle thousands of times, but not the needle.
  await fill(history, 'lobby', 1500, (n) => `ba${'a'.repeat(3900)}b ${n}`);
  const find = (query: string, from?: string) =>
    history.read.search({ query, rooms: [], everyPublic: true, limit: 50, from: from || undefined });
  // The index is up to date when it contains the newest message.
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
  // Other users are served between the pages.
  expect(pages).toBeGreaterThan(1);
});

test('searches the members of a room of 5,000 in several pages', async () => {
  const history = await open(await newFile());
  await history.write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at });
  const people = Array.from({ length: 5000 }, (_, n) => ({ id: `u${n}`, name: `Person number ${n}` }));
  people.push({ id: 'last', name: 'Zoë Zander' });
  for (let n = 0; n < people.length; n += 1000) {
    const users = people.slice(n, n + 1000);
    await history.write.addMembers({ room: 'lobby', users, source: 'api', mayReturn: true, at });
  }
  // The list sorts members by ID until they join.
  await Promise.all(people.map((user) => history.write.join({ room: 'lobby', user, at })));
  const found: string[] = [];
  let pages = 0;
  let after: MemberCursor | undefined;
  do {
    const search = { room: 'lobby', query: 'zan', limit: 10, after };
    const page = await history.read.findMembers(search);
    found.push(...page.members.map(({ user }) => user.name));
    after = page.next;
    pages++;
  } while (after !== undefined);
  expect(found).toEqual(['Zoë Zander']);
  // The beginning of a whole name is found without a scan.
  const [first] = (await history.read.findMembers({ room: 'lobby', query: 'zoë z', limit: 1 })).members;
  expect(first?.user.name).toBe('Zoë Zander');
  // Other users are served between the pages.
  expect(pages).toBeGreaterThan(1);
  for (let n = 0; n < 50; n++) await history.write.arrive({ user: { id: 'u1', name: `Renamed ${n}` }, at });
  const renamed = (query: string) =>
    history.read.findUsers({ user: 'u2', query, onlyShared: false, limit: 9 });
  expect(await renamed('renamed')).toMatchObject([{ id: 'u1', name: 'Renamed 49' }]);
  expect(await renamed('48')).not.toContainEqual(expect.objectContaining({ id: 'u1' }));
});

test('searches for users without scanning users who were only named by others', async () => {
  const path = await newFile();
  const history = await open(path);
  await history.write.putRoom({ id: 'den', name: 'Den', kind: 'private', at });
  const named = Array.from({ length: 100 }, (_, n) => ({ id: `u${n}`, name: `Person ${n}` }));
  await history.write.addMembers({ room: 'den', users: named, source: 'api', mayReturn: true, at });
  await history.write.arrive({ user: { id: 'u7', name: 'Person 7' }, at });
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  const context = contextOf(db);
  const search = { user: user.id, query: 'person', onlyShared: false, limit: 9 };
  const asking = reads.findUsers(context, search);
  asking.next();
  const { value } = asking.next([[]]);
  const [statement] = value as readonly Sql[];
  expect(planOf(db, statement as Sql, 'keys')).toEqual([
    'SEARCH user_keys USING PRIMARY KEY (find_key>? AND find_key<?)',
  ]);
  const keys = () => db.prepare('SELECT find_key AS key FROM chat_user_keys ORDER BY key').all();
  const ofOne = [{ key: '7' }, { key: 'person' }, { key: 'person 7' }, { key: 'u7' }];
  expect(keys()).toEqual(ofOne);
  // A name from other users does not make a user findable.
  const renamed = { id: 'u8', name: 'Person eight' };
  await history.write.addMembers({ room: 'den', users: [renamed], source: 'api', mayReturn: true, at });
  expect(keys()).toEqual(ofOne);
  expect(await history.read.findUsers(search)).toMatchObject([{ id: 'u7' }]);
});

test('sums the file sizes of a room by an index only', async () => {
  const db = await emptyDatabase();
  const asking = reads.filesIn(contextOf(db), { rooms: ['lobby'], most: 9 });
  asking.next();
  const { value } = asking.next([[{ num: 1, id: 'lobby', first_seq: 1 }]]);
  const [statement] = value as readonly Sql[];
  expect(planOf(db, statement as Sql, 'chat_files')).toEqual([
    'SEARCH chat_files USING COVERING INDEX chat_files_by_size (room=? AND state=? AND seq>?)',
  ]);
});

/** Runs every write and read on an empty history. Returns the query plan of each statement, with the first call of it. */
async function everyPlan(): Promise<{ call: string; sql: string; steps: string[] }[]> {
  const db = await emptyDatabase();
  const prepare = db.prepare.bind(db);
  const prepared = preparedBy(db);
  const callByStatement = new Map<string, string>();
  const note = (call: string) => {
    for (const sql of prepared.splice(0)) callByStatement.set(sql, callByStatement.get(sql) ?? call);
  };
  const connection = new SqliteConnection(db);
  const dialect = sqlite(db);
  const digestKey = digestKeyOf(db);
  purger(db);
  for (const [op, inputs] of Object.entries(everyWrite)) {
    for (const input of inputs) {
      const transaction = new Transaction();
      const place = { dialect, transaction, subjects, digestKey };
      const calls = [{ op: op as keyof Writes, input }];
      const { outcomes } = connection.answered(runBatch(place, calls));
      connection.answered(transaction.flush());
      // The IDs of reports, pending and scheduled messages are random, so these writes fail.
      const needsId = [
        ...['closeReport', 'approvePending', 'rejectPending'],
        ...['reschedule', 'sendScheduled'],
      ].includes(op);
      const refused = needsId ? [{ error: expect.anything() }] : [];
      expect([op, outcomes.filter((outcome) => 'error' in outcome)]).toEqual([op, refused]);
    }
    note(op);
  }
  const context = contextOf(db);
  for (const [query, inputs] of Object.entries(everyRead)) {
    for (const input of inputs) connection.answered(reads[query as 'room'](context, input as never));
    note(query);
  }
  expect(callByStatement.size).toBeGreaterThan(50);
  return Array.from(callByStatement, ([sql, call]) => {
    const plan = prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
    return { call, sql, steps: plan.map(({ detail }) => String(detail)) };
  });
}

test('scans only tables that are small, limited in size or read whole at the start', async () => {
  const plans = await everyPlan();
  // A room may contain many messages besides the replies of a thread.
  const ofThreads = plans.filter(({ sql }) => inThread.test(sql)).flatMap(({ steps }) => steps);
  const indexes = ofThreads.flatMap(
    (step) => /^SEARCH (?:chat_)?messages USING INDEX (\w+)/.exec(step)?.[1] ?? [],
  );
  expect(indexes.length).toBeGreaterThan(4);
  expect(new Set(indexes)).toEqual(new Set(['chat_messages_by_thread']));
  const scans = plans
    .flatMap(({ steps }) => steps)
    // A subquery here has its own limit.
    .filter((step) => step.startsWith('SCAN') && !step.startsWith('SCAN (subquery'));
  expect([...new Set(scans)].sort()).toEqual(
    [
      // All bans, read at the start.
      'SCAN chat_bans',
      // All ended logins, read at the start.
      'SCAN chat_ended_logins USING COVERING INDEX chat_ended_logins_by_end',
      // Counted if many events are queued. Their number is limited.
      'SCAN chat_webhooks USING COVERING INDEX chat_webhooks_by_type',
      // Counted for the doctor. It has a row for each user whom a mail may be due for.
      'SCAN chat_due USING COVERING INDEX chat_due_by_time',
      // These contain few rows.
      'SCAN chat_consumers',
      'SCAN chat_migrations USING INDEX sqlite_autoindex_chat_migrations_1',
      'SCAN chat_vapid_keys',
      // The catalogue of the database.
      ...['SCAN sqlite_master', 'SCAN tables', 'SCAN columns VIRTUAL TABLE INDEX 0:'],
      // Only the first row, by its key.
      'SCAN chat_erasures',
      // Tables of one row.
      'SCAN CONSTANT ROW',
      'SCAN next_message',
      'SCAN chat_position',
      'SCAN chat_digest_key',
      // Values of a statement, and rows found by an index, limited to one page.
      'SCAN json_each VIRTUAL TABLE INDEX 1:',
      ...[
        'found',
        'fresh',
        'marks',
        'newest',
        'numbered',
        'one',
        'other',
        'p',
        'q',
        'some_0',
        'some_1',
        'some_2',
      ].map((list) => `SCAN ${list}`),
    ].sort(),
  );
});

test('sorts only pages, and rows that are few or limited in number', async () => {
  const plans = await everyPlan();
  const sorting = plans.filter(({ steps }) => steps.some((step) => step.startsWith('USE TEMP B-TREE')));
  expect([...new Set(sorting.map(({ call }) => call))].sort()).toEqual(
    [
      // A page, after its size was measured.
      ...['newest', 'after', 'changes', 'holding', 'replies'],
      // Lists that each have the limit of the page.
      ...['acts', 'actsIn', 'eraseStep', 'markUnread'],
      // Rows with equal sort keys.
      ...['arrivals', 'deleteEmptyRooms', 'endRestrictions'],
      // The rooms that the caller names.
      ...['filesIn', 'messagesIn'],
      // What a user or a room may have: devices, invite links, pins, scheduled messages and reminders.
      ...['devices', 'invites', 'pins', 'scheduledBy', 'dueReminders'],
      // The invite links and the rooms of a user.
      ...['invitesBy', 'activity'],
      // The blocked users of a user, and `mostUnreadMentions` of each room.
      'user',
      // The mentions of a user in public rooms. Few of them are in rooms where the user is not a member.
      'namedOutside',
      // The messages of a user since a time, in the rooms that a moderator sees.
      'recentOf',
      // The open reports of the rooms that a moderator sees.
      'reports',
      // A row for each room and day.
      'messagesByDay',
      // Rows that are processed and deleted: messages that are due, and dropped files.
      ...['dueScheduled', 'dropFiles'],
      // Events that failed. The number of events is limited.
      'events',
      // The notes on a question, and those of a user, limited.
      ...['notes', 'notesBy'],
      // The questions of a team that are open, or closed.
      'questions',
      // These are few.
      'vapidKeys',
    ].sort(),
  );
});
