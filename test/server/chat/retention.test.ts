import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { enforceRetention } from '../../../server/chat/retention.ts';
import { type Forget, type History, methods } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { emptyHistory, historyFolder } from '../../helpers/chat-server.ts';
import { eventsOf, say } from '../../helpers/people.ts';
import { type PeopleHere, startPeopleHere } from '../../helpers/people-here.ts';

afterEach(() => void vi.useRealTimers());
const [day, began] = [24 * 60 * 60 * 1000, Date.now()];

/** Returns a function that restarts one server, at the given number of days after the first start. */
function restarts(env: NodeJS.ProcessEnv = {}): (days: number) => Promise<PeopleHere> {
  const kept = historyFolder();
  onTestFinished(() => kept.remove());
  let site: PeopleHere | undefined;
  onTestFinished(() => site?.close());
  return async (days) => {
    await site?.close();
    vi.setSystemTime(began + days * day);
    site = await startPeopleHere({ CHAT_HISTORY: kept.url, ...env });
    return site;
  };
}

test('deletes a private room after 30 days without members', async () => {
  const startAfter = restarts();
  const first = await startAfter(0);
  const ann = await first.person({}, 'ann');
  const create = async (kind: 'private' | 'public') =>
    (await first.den(ann, [], { kind, name: `${kind} room` })).id;
  const [own, left, open] = [await create('private'), await create('private'), await create('public')];
  for (const room of [left, open]) await ann.request('room:remove', { room, user: 'ann' });
  for (const id of ['unused', 'used']) await first.api('PUT', `/rooms/${id}`, { name: id, kind: 'private' });
  await first.api('PATCH', '/rooms/used/members', { add: ['somebody-who-never-came'] });
  const rooms = { own, left, open, unused: 'unused', used: 'used' };
  const known = async (site: PeopleHere) => {
    const found: string[] = [];
    for (const [name, room] of Object.entries(rooms))
      if (await site.history.read.room({ room })) found.push(name);
    return found;
  };
  expect(await known(first)).toEqual(Object.keys(rooms));
  expect(await known(await startAfter(29))).toEqual(Object.keys(rooms));
  const later = await startAfter(31);
  // The deletion runs after the start, because there may be very many such rooms.
  await expect.poll(() => known(later)).toEqual(['own', 'open', 'used']);
});

test('ends the membership of an offline guest after 30 days, and announces the expiry of messages', async () => {
  const startAfter = restarts({
    CHAT_GUESTS: 'write',
    CHAT_GUEST_ROOMS: 'support',
    CHAT_ROOMS: 'support',
    CHAT_RETENTION: '40d',
  });
  const first = await startAfter(0);
  const [online, gone] = [`g-${'0'.repeat(32)}`, `g-${'1'.repeat(32)}`];
  for (const id of ['ann', gone, online]) {
    const person = await first.person({ firstname: id }, id);
    await person.request('room:join', { room: 'support' });
    await say(person, 'support', 'hello');
  }
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  const site = await startAfter(29);
  const room = async () => (await site.history.read.room({ room: 'support' })) ?? expect.unreachable();
  expect((await room()).members).toBe(3);
  const ann = await site.person({}, 'ann');
  await site.person({}, online);
  /** Lets the next turn of the deletion run. A turn is skipped while the one before runs. */
  const nextTurn = () => vi.advanceTimersByTime(day / 24);
  vi.setSystemTime(began + 31 * day);
  await expect
    .poll(async () => {
      nextTurn();
      return (await room()).members;
    })
    .toBe(2);
  const members = await ann.request('room:members', { room: 'support' });
  expect(members.members.map(({ user }) => user.id).sort()).toEqual(['ann', online]);
  const { messages } = await ann.request('message:history', { room: 'support' });
  expect(messages.map(({ user }) => user.id)).toContain(gone);
  vi.setSystemTime(began + 41 * day);
  await expect
    .poll(() => {
      nextTurn();
      return eventsOf(ann, 'room:activity').at(-1);
    })
    .toMatchObject({ room: 'support', firstSeq: 4 });
});

/** Opens a history in a file. `count` counts the rows of a table. */
async function openFile() {
  const folder = await emptyHistory();
  onTestFinished(() => folder.remove());
  const history = await openSqliteHistory({
    path: folder.path,
    onFailure: ({ message }) => expect.unreachable(message),
  });
  onTestFinished(() => history.close());
  const db = new DatabaseSync(folder.path, { timeout: 5000 });
  onTestFinished(() => db.close());
  const count = (table: string) => db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n;
  return { history, db, count };
}

/** Starts the deletion of expired data. It keeps audit entries for a day. */
function startRetention(history: History, onFailure: (error: Error) => void) {
  const closing = new AbortController();
  onTestFinished(() => closing.abort());
  enforceRetention(
    history,
    { rooms: 0, direct: 0, acts: day },
    () => false,
    async () => {},
    closing.signal,
    onFailure,
  );
}

const insertOld = (table: string, columns: string, values: string, count: number) =>
  `WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${count})
   INSERT INTO ${table} (${columns}) SELECT ${values} FROM counted`;

test('deletes very many expired audit entries in steps of 1,000', async () => {
  const { history, db } = await openFile();
  db.exec(insertOld('chat_audit', 'act, at', "'muted', n", 2500));
  const recent = { act: 'muted', at: Date.now() };
  db.prepare('INSERT INTO chat_audit (act, at) VALUES (?, ?)').run(recent.act, recent.at);
  const deleted: number[] = [];
  const write = methods<History['write']>(async (op, input) => {
    const done = await history.write[op](input as never);
    if (op === 'forgetActs') deleted.push((done as Forget['out']).deleted);
    return done;
  });
  startRetention({ ...history, write }, ({ message }) => expect.unreachable(message));
  await expect.poll(() => deleted).toEqual([1000, 1000, 500]);
  expect(db.prepare('SELECT act, at FROM chat_audit').all()).toEqual([recent]);
});

test('deletes the other expired data and reports each failure if two kinds cannot be deleted', async () => {
  const { history, db, count } = await openFile();
  const tables = {
    chat_audit: ['act, at', "'muted', n"],
    chat_mail_stops: ['id, user_id, at', "n, 'ann', n"],
    chat_invites: ['id, room, digest, by_id, access, at, until, used', "n, 1, n, 'ann', 1, n, n, 0"],
    chat_days: ['room, day, sent', 'n, 1, 1'],
    chat_last_here: ['user_id, at', 'n, n'],
    chat_active: ['user_id, at', 'n, n'],
    chat_ended_logins: ['id, until', 'n, n'],
  };
  for (const [table, [columns = '', values = '']] of Object.entries(tables))
    db.exec(insertOld(table, columns, values, 3));
  const failing = ['chat_audit', 'chat_mail_stops'];
  for (const table of failing) {
    const refused = "BEGIN SELECT raise(ABORT, 'refused'); END";
    db.exec(`CREATE TRIGGER refusal_${table} BEFORE DELETE ON ${table} ${refused}`);
  }
  const failures: Error[] = [];
  startRetention(history, (error) => failures.push(error));
  const left = () => Object.keys(tables).filter((table) => count(table) !== 0);
  await expect.poll(left).toEqual(failing);
  expect(failures).toEqual(failing.map(() => expect.objectContaining({ code: 'storage_unavailable' })));
});
