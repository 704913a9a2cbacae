import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { raw } from '../../server/history/engine/dialect.ts';
import { migrate as migrateDatabase } from '../../server/history/engine/migrations.ts';
import { migrate as migrateFile } from '../../server/history/engine/sqlite/migrations.ts';
import { deletedUser } from '../../server/history/history.ts';
import { type DatabaseName, migrationsOf, ownMigrations } from '../../server/history/migrations.ts';
import { dialectOf } from '../../server/history/open.ts';
import { historyContract } from '../contracts/history.ts';
import { openTestedFile } from '../contracts/history-sqlite.ts';
import { openTested } from '../contracts/history-tested.ts';
import { soak } from '../guarantees/size.ts';
import { newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { ownPort } from '../helpers/child.ts';
import { doctorSays } from '../helpers/doctor-says.ts';
import { hanging } from '../helpers/hanging.ts';
import { type HistoryDatabase, openDatabase } from '../helpers/history-database.ts';
import { type PeopleSite, type Person, startPeopleSite } from '../helpers/people.ts';
import { type Empty, type Engines, placeOf, startEngines } from '../helpers/portable-history.ts';

/** The rows that a server wrote while it knew only the migration of the same name. */
const rowsFolder = new URL('../fixtures/histories/', import.meta.url);
/** With SQLite, a file next to the history lists the erasures. */
const erasures =
  '\n1780000000000 9081c70b558d1bbf774a7ce4b68031b4be0299495f24e31436ddcc55ea676a0e anonymise\n';

const folder = mkdtempSync(join(tmpdir(), 'upgrade-'));
let engines: Engines;
beforeAll(async () => {
  engines = await startEngines();
});
afterAll(async () => {
  await engines.stop();
  rmSync(folder, { recursive: true });
});

/** Makes a history with only the first migration, and with the rows of a server of that time. */
async function historyOfFirst(name: DatabaseName): Promise<Empty> {
  const history = await engines[name]();
  const place = placeOf(history);
  const rows = migrationsOf(name, rowsFolder)[0]?.statements ?? [];
  if (place.kind === 'sqlite') {
    const db = new DatabaseSync(place.path);
    migrateFile(db, { upTo: 1 });
    for (const statement of rows) db.exec(statement);
    db.close();
    writeFileSync(`${place.path}-erased`, erasures);
  } else {
    const dialect = await dialectOf(place);
    const connection = await dialect.connect();
    await migrateDatabase(connection, dialect, () => {}, { upTo: 1 });
    for (const statement of rows) await connection.query(raw(statement));
    connection.destroy();
    // New tables and columns must not depend on a default that an administrator has changed since then.
    if (name === 'MariaDB')
      await history.query('ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_german2_ci');
  }
  return history;
}

const names = ['SQLite', 'PostgreSQL', 'MariaDB'] as const;
describe.each(names)('an upgrade of a history in %s with only the first migration', (name) => {
  let history: Empty;
  let site: PeopleSite;
  let port: number;
  let doctorBefore: string;
  let ann: Person;
  let ben: Person;
  let cat: Person;
  beforeAll(async () => {
    history = await historyOfFirst(name);
    port = await ownPort();
    doctorBefore = await doctorSays({ CHAT_SESSION_STORE: `file://${folder}`, ...settings() });
    site = await startPeopleSite(settings(), chatServerHere);
    ann = await site.person({ firstname: 'Ann Åberg' }, 'ann');
    ben = await site.person({ firstname: 'Ben' }, 'ben');
    cat = await site.person({ firstname: 'Cat' }, 'cat');
  });
  afterAll(async () => {
    for (const person of [ann, ben, cat]) person?.close();
    await site?.close();
    await history?.close();
  });
  const settings = () => ({
    CHAT_HISTORY: history.url,
    CHAT_FILES: `dir:${join(folder, name)}`,
    // The doctor finds the server by it.
    CHAT_PORT: String(port),
  });

  test('logs each migration, and what it renews', async () => {
    const logged = (msg: string) =>
      site.chat
        .output()
        .split('\n')
        .flatMap((line) => (line.includes(`"msg":"${msg}`) ? [JSON.parse(line)] : []));
    expect(logged('migrating the history').map(({ migration }) => migration)).toEqual(
      ownMigrations(name)
        .slice(1)
        .map((migration) => migration.name),
    );
    await expect.poll(() => logged('renewed the search keys of users'), { timeout: hanging }).toHaveLength(1);
    // SQLite's index is a separate file, which is built again if it is missing.
    if (name !== 'SQLite')
      await expect.poll(() => logged('renewed the search index'), { timeout: hanging }).toHaveLength(1);
    expect(site.chat.output()).not.toMatch(/"level":[456]0/);
  });

  test('is no problem for the doctor, before and after', async () => {
    expect(doctorBefore).toMatch(/^✓ The history .* can be (used|written)\.$/m);
    expect(doctorBefore.match(/^✗.*/gm)).toEqual([expect.stringMatching(/^✗ The chat server does not run/)]);
    const said = await doctorSays({ CHAT_SESSION_STORE: site.memcached.url, ...settings() });
    expect(said).toMatch(/✓ The server uses the history/);
    expect(said).not.toMatch(/^✗/m);
  });

  test('keeps messages of all kinds, in their order', async () => {
    const { messages } = await ann.request('room:join', { room: 'talk' });
    const user = (id: string, name: string) => ({ id, name });
    expect(messages.slice(0, 14)).toMatchObject([
      { text: 'Die Straße nach İzmir', reactions: [{ emoji: '👍', count: 1, users: ['ben'] }] },
      { text: 'answer', user: user('ben', 'Ben'), replyTo: 1, thread: 1 },
      { text: 'only in replies', replyTo: 1, threadOnly: true },
      { mentions: [{ user: user('ben', 'Ben'), start: 0, length: 4 }] },
      { mentions: [{ user: user('*', '*') }] },
      { files: [{ id: 'picture-of-a-cat', type: 'image/png', alt: 'a cat' }, { id: 'text-of-3-letters' }] },
      { preview: { url: 'https://garden.example/spring', title: 'Spring' } },
      { poll: { options: ['yes', 'no'] }, reactions: [{ emoji: '1', count: 1 }] },
      { card: 'order:1' },
      { text: 'Meeting', important: true },
      { text: 'after', editedAt: 1_780_000_000_000 },
      { text: '', deletedBy: 'author' },
      { text: 'Die Straße nach İzmir', user: user('ben', 'Ben'), forwarded: {} },
      { text: 'erased words', user: deletedUser },
    ]);
    expect(messages.map(({ seq }) => seq).slice(0, 14)).toEqual(Array.from({ length: 14 }, (_, n) => n + 1));
    const { thread } = await ann.request('thread:get', { room: 'talk', thread: 1 });
    expect(thread).toMatchObject({ replies: 2 });
    const { pins } = await ann.request('room:pins', { room: 'talk' });
    expect(pins).toMatchObject([{ seq: 1, by: { id: 'cat' } }]);
    const { messages: files } = await ann.request('room:files', { room: 'talk', what: 'files' });
    expect(files).toMatchObject([{ seq: 6 }]);
  });

  test('finds the messages, in folded form and in full blocks of the index', async () => {
    const found = async (query: string) =>
      (await ann.request('message:search', { query })).messages.map(({ room, seq }) => `${room} ${seq}`);
    // The index of SQLite follows within a second.
    await expect.poll(() => found('strasse'), { timeout: hanging }).toEqual(['talk 13', 'talk 1']);
    expect(await found('needle')).toEqual(['busy 100']);
    expect(await found('secret')).toEqual([]);
    expect((await found('hay')).length).toBeGreaterThan(40);
    const { messages } = await ann.request('message:search', { from: 'cat', query: 'meeting' });
    expect(messages).toMatchObject([{ seq: 10 }]);
  });

  test('keeps rooms, memberships, read markers, mutes and bans', async () => {
    const { rooms } = await ann.request('room:list', { member: true });
    expect(rooms).toMatchObject([
      { id: 'talk', readSeq: 12, notify: 'none', members: 3, pins: 1 },
      { id: 'pair', kind: 'direct', lastSeq: 1 },
    ]);
    const { users } = await cat.request('room:restricted', { room: 'talk' });
    expect(users).toMatchObject([{ user: { id: 'ben' }, kind: 'muted', by: { id: 'cat' } }]);
    await expect(site.person({}, 'dan')).rejects.toThrow();
    const { users: named } = await ann.request('user:find', { query: 'aberg' });
    expect(named).toEqual([]);
    expect((await ben.request('user:find', { query: 'aberg' })).users).toMatchObject([{ id: 'ann' }]);
  });

  test('keeps pending messages, and sends scheduled ones at their time', async () => {
    const { held } = await ben.request('held:list', { mine: true });
    expect(held).toMatchObject([
      { text: 'wait for me', why: 'all' },
      { seq: 2, text: 'edit that waits', why: 'links' },
    ]);
    expect((await cat.request('held:list', {})).held).toHaveLength(2);
    const { scheduled } = await ann.request('scheduled:list', {});
    expect(scheduled).toMatchObject([{ text: 'see you later', at: 4_102_444_800_000 }]);
    expect((await ann.request('reminder:list', {})).reminders).toMatchObject([{ seq: 1 }]);
    // This one was due while no server ran.
    const newest = async () => (await ann.request('message:history', { room: 'talk', limit: 1 })).messages;
    await expect
      .poll(newest, { timeout: hanging })
      .toMatchObject([{ text: 'sent after the upgrade', seq: 15 }]);
  });

  test('keeps an erased user erased, and accepts new messages', async () => {
    expect((await site.api('GET', '/users/gus')).status).toBe(404);
    await cat.request('room:join', { room: 'talk' });
    const clientId = newClientId();
    const sent = await cat.request('message:send', { room: 'talk', text: 'hello', clientId });
    expect(sent.message.seq).toBeGreaterThan(14);
    const again = { room: 'talk', text: 'Die Straße nach İzmir', clientId: 'k0' };
    expect((await ann.request('message:send', again)).message.seq).toBe(1);
  });
});

if (soak) {
  describe.each(names)('after an upgrade of a history in %s', (name) => {
    historyContract(name, async () => {
      const history = await historyOfFirst(name);
      const place = placeOf(history);
      if (place.kind === 'sqlite') return openTestedFile({ path: place.path, remove: history.close });
      const { url, empty, holding, close } = history as HistoryDatabase;
      return openTested({ open: () => openDatabase(url), empty, holding, close });
    });
  });
}
