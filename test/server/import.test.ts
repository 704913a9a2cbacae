import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { importInto, run } from '../../server/command/import.ts';
import { Files } from '../../server/files/files.ts';
import { erasuresOf } from '../../server/history/erased-users.ts';
import type { History } from '../../server/history/history.ts';
import { openSqliteHistory } from '../../server/history/sqlite/sqlite.ts';
import { type ContentField, content } from '../../server/wire/content.ts';
import type { Message } from '../../server/wire/events.ts';
import { historyFolder } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { commandHere } from '../helpers/command-here.ts';
import { configOf } from '../helpers/config.ts';
import { samples } from '../helpers/content-samples.ts';
import { download, origin } from '../helpers/files.ts';
import { unexpectedFailure } from '../helpers/own-history.ts';
import { type PeopleSite, type Person, startPeopleSite } from '../helpers/people.ts';
import { type PeopleHere, startPeopleHere } from '../helpers/people-here.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'import-'));
const all: { remove(): void }[] = [];
afterAll(() => {
  for (const one of all) one.remove();
  rmSync(folder, { recursive: true });
});

function newHistory() {
  const kept = historyFolder();
  all.push(kept);
  return kept;
}
type Kept = ReturnType<typeof newHistory>;

const settingsOf = ({ url, files }: Pick<Kept, 'url' | 'files'>) => ({
  PATH: process.env.PATH,
  CHAT_SESSION_STORE: 'memcached://127.0.0.1:1',
  CHAT_HISTORY: url,
  CHAT_FILES: files,
});

/** Runs the command in a separate process, which `during` may kill. */
async function importingProcess(
  kept: Kept,
  args: string[],
  during: (child: ReturnType<typeof startChild>) => void,
): Promise<number | null> {
  const child = startChild(process.execPath, ['server/command/main.ts', 'import', ...args, '--settings='], {
    cwd: root,
    env: settingsOf(kept),
  });
  during(child);
  return new Promise<number | null>((resolve) => child.process.on('close', resolve));
}

/** Runs the command in this process, where its modules are loaded already. */
const commanding = (kept: Pick<Kept, 'url' | 'files'>, args: string[]) =>
  commandHere(run, [...args, '--settings='], settingsOf(kept));

/** Shared by most tests, because each export has its own rooms. */
let history: History;
let into: () => Promise<Parameters<typeof importInto>[0]>;
beforeAll(async () => {
  const kept = newHistory();
  history = await openSqliteHistory({ path: kept.path, onFailure: unexpectedFailure });
  const config = configOf(settingsOf(kept));
  const files = new Files({
    place: config.files as ConstructorParameters<typeof Files>[0]['place'],
    types: config.fileTypes,
    maxBytes: config.limitFile,
    orphans: config.filesOrphans,
    history,
    onFailure: unexpectedFailure,
  });
  into = async () => ({ history, files, erasedAt: await erasuresOf(config.history) });
  return async () => {
    await files.close();
    await history.close();
  };
});

/** Runs an import into `history`. @returns exit code and output, like those of the command */
const importing = (
  from: string,
  {
    users = {},
    ...given
  }: {
    kind?: 'slack' | 'mattermost' | 'rocketchat';
    users?: object;
    report?: string;
    mayBePublic?: boolean;
  } = {},
) =>
  commandHere(
    async () => {
      const options = { kind: undefined, report: undefined, mayBePublic: false, mostBytes: 1e6, ...given };
      await importInto(await into(), { ...options, from, users: new Map(Object.entries(users)) });
      return 0;
    },
    [],
    {},
  );

/** Opens a chat over `history`, like a server after the import, with a connected user. */
async function look(task: (ann: Person, here: PeopleHere) => Promise<void>, id = '42'): Promise<void> {
  const here = await startPeopleHere({}, history);
  await task(await here.person({}, id), here);
  await here.close();
}

function file(name: string, lines: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
  );
  return path;
}

/** Starts a server over the history, with a connected user. */
async function serve(
  { url, files }: Kept,
  task: (site: PeopleSite, ann: Person) => Promise<void>,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const site = await startPeopleSite({ CHAT_HISTORY: url, CHAT_FILES: files, CHAT_ORIGINS: origin, ...env });
  const ann = await site.person({}, '42');
  try {
    await task(site, ann);
  } finally {
    ann.close();
    await site.close();
  }
}

/** Returns a room that the user is in or could join. */
async function roomNamed(one: Person, name: string) {
  const lists = [await one.request('room:list', {}), await one.request('room:list', { member: false })];
  return lists.flatMap(({ rooms }) => rooms).find((room) => room.name === name);
}

async function messagesOf(one: Person, room = ''): Promise<Message[]> {
  const found: Message[] = [];
  for (let before: number | undefined; ; ) {
    const page = await one.request('message:history', { room, limit: 100, before: before || undefined });
    found.unshift(...page.messages);
    if (page.complete) return found;
    before = page.messages[0]?.seq;
  }
}

/** Returns author, text and file names of each message of a room. */
async function textsIn(one: Person, name: string): Promise<string[][]> {
  const found = await messagesOf(one, (await roomNamed(one, name))?.id);
  return found.map(({ user, text, files = [] }) => [user.name, text, ...files.map((file) => file.name)]);
}

const at = Date.UTC(2024, 4, 1, 9);
/** More than one batch of an import. */
const count = 600;
/** Counts the messages of a history that another process may be creating. */
function writtenTo({ path }: Kept): number {
  try {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      return Number(db.prepare('SELECT count(*) AS n FROM chat_messages').get()?.n);
    } finally {
      db.close();
    }
  } catch {
    // The tables do not exist yet.
    return 0;
  }
}

/** Writes an export with `count` messages in one room. Every hundredth has a file; some are replies. */
function many(): string {
  mkdirSync(join(folder, 'attached'));
  const message = (n: number) => ({
    type: 'message',
    id: `m${n}`,
    room: 'c1',
    user: n % 3 === 0 ? 'u1' : 'u2',
    at: at + n * 1000,
    text: `message ${n}`,
    ...(n % 50 === 7 ? { replyTo: `m${n - 5}` } : {}),
    ...(n % 100 === 0 ? { files: [{ path: `attached/${n}.txt`, name: `note ${n}.txt` }] } : {}),
  });
  for (let n = 0; n < count; n += 100) writeFileSync(join(folder, 'attached', `${n}.txt`), `note ${n}`);
  return file('many.jsonl', [
    { type: 'user', id: 'u1', name: 'Ann of before' },
    { type: 'user', id: 'u2', name: 'Ben' },
    { type: 'room', id: 'c1', name: 'Old garden', topic: 'Beans' },
    { type: 'member', room: 'c1', user: 'u1', role: 'owner' },
    { type: 'member', room: 'c1', user: 'u2' },
    ...Array.from({ length: count }, (_, n) => message(n)),
  ]);
}

test('imports messages once, in order, with replies and files, despite a kill and repeats', async () => {
  const kept = newHistory();
  const lines = many();
  const users = join(folder, 'users.json');
  const hooks = { CHAT_WEBHOOK_URL: 'http://127.0.0.1:9/', CHAT_WEBHOOK_KEY_FILE: join(folder, 'key') };
  writeFileSync(hooks.CHAT_WEBHOOK_KEY_FILE, `whsec_${Buffer.alloc(24, 'a').toString('base64')}\n`);
  // The first start registers the webhook consumer, so the import could queue events.
  await serve(kept, async () => {}, hooks);
  writeFileSync(users, JSON.stringify({ u1: '42' }));
  // The first import is killed while it writes, the second completes, and the third repeats it.
  await importingProcess(kept, [lines, '--users', users], ({ process }) => {
    const timer = setInterval(() => writtenTo(kept) > 0 && process.kill('SIGKILL'), 20);
    process.on('close', () => clearInterval(timer));
  });
  const whole = await commanding(kept, [lines, '--users', users]);
  expect(whole).toMatchObject({ code: 0 });
  expect(whole.said).toContain('✓ Imported: ');
  const again = await commanding(kept, [lines, '--users', users]);
  expect(again.said).toContain(`✓ Imported: 0 messages and 0 files in 1 rooms; ${count} already existed`);
  await serve(
    kept,
    async (site, ann) => {
      // Imported messages count as read.
      const expected = { kind: 'private', topic: 'Beans', role: 'owner', members: 1 };
      const room = await roomNamed(ann, 'Old garden');
      expect(room).toMatchObject({ ...expected, lastSeq: count, readSeq: count });
      const found = await messagesOf(ann, room?.id);
      expect(found.map(({ text, sentAt }) => [text, sentAt])).toEqual(
        Array.from({ length: count }, (_, n) => [`message ${n}`, at + n * 1000]),
      );
      expect(found[57]).toMatchObject({ replyTo: found[52]?.seq, user: { id: '42' } });
      expect(found[1]?.user).toEqual({ id: expect.stringMatching(/^import-/), name: 'Ben' });
      const [note] = found[100]?.files ?? [];
      expect(note).toMatchObject({ name: 'note 100.txt', type: 'text/plain' });
      expect(await (await download(site.chat.url, ann.cookie, note as never)).text()).toBe('note 100');
      const { messages } = await ann.request('message:search', { query: `message ${count - 1}` });
      expect(messages).toMatchObject([{ text: `message ${count - 1}` }]);
      // An import does not notify the site.
      expect((await site.api('GET', '/webhooks')).body).toEqual({ waiting: 0, failed: [] });
    },
    hooks,
  );
});

test.runIf(process.getuid?.() === 0)('rejects root if the history belongs to another account', async () => {
  const own = 12_345;
  const lines = file('own.jsonl', [{ type: 'user', id: 'u1', name: 'Ann' }]);
  const server = mkdtempSync(join(folder, 'server-'));
  const kept = { url: `sqlite:${server}/data/chat.db`, files: 'dir:/nowhere' };
  const refused = (path: string) => ({
    code: 78,
    said: `${path} belongs to another account (${own}): import as that account`,
  });
  chownSync(server, own, own);
  expect(await commanding(kept, [lines])).toEqual(refused(server));
  expect(readdirSync(server)).toEqual([]);
  chownSync(server, 0, 0);
  mkdirSync(join(server, 'data'));
  writeFileSync(join(server, 'data/chat.db'), '');
  chownSync(join(server, 'data/chat.db'), own, own);
  expect(await commanding(kept, [lines])).toEqual(refused(`${server}/data/chat.db`));
});

test('gives every user a visible name on one line', async () => {
  const names = { a: '\u3164', b: '\u2800 \u200b', c: ' \u202eAnn\u200b\nLee ', d: 'x'.repeat(70) };
  const lines = file('names.jsonl', [
    { type: 'room', id: 'c4', name: 'Names', kind: 'public' },
    ...Object.entries(names).map(([id, name]) => ({ type: 'user', id, name })),
    ...Object.keys(names).map((id) => ({ type: 'message', id, room: 'c4', user: id, at, text: id })),
  ]);
  expect(await importing(lines)).toMatchObject({ code: 0 });
  await look(async (ann) => {
    const found = (await textsIn(ann, 'Names')).map(([name]) => name);
    expect(found).toEqual(['Somebody', 'Somebody', 'AnnLee', 'x'.repeat(64)]);
  });
});

/** Creates a folder and returns functions that write an export into it. */
function folderWith(name: string) {
  const path = join(folder, name);
  mkdirSync(path);
  return {
    path,
    put(name: string, value: unknown) {
      mkdirSync(join(path, name, '..'), { recursive: true });
      writeFileSync(join(path, name), JSON.stringify(value));
    },
    lines: (at: string, lines: readonly object[]) => file(`${name}/${at}`, lines),
  };
}

/**
 * Imports with a report. @returns what was imported, counts of what was skipped, and the places that the report lists
 */
async function importedFrom(from: string, kind: 'slack' | 'mattermost' | 'rocketchat', users = {}) {
  const report = join(folder, `${kind}-report.jsonl`);
  const { code, said } = await importing(from, { kind, mayBePublic: true, report, users });
  expect([code, said]).toEqual([0, expect.any(String)]);
  const counts = [...said.matchAll(/^ {2}(\d+) {2}(.*)$/gm)].map(([, count, reason]) => `${count} ${reason}`);
  const listed = readFileSync(report, 'utf8').trim().split('\n');
  const places = listed.map((line) => (JSON.parse(line) as { place: string }).place);
  return { imported: /✓ Imported: (.*)/.exec(said)?.[1], counts: counts.sort(), places };
}

test('imports an export of Slack as users read it, and counts what it skips', async () => {
  const slack = folderWith('slack');
  slack.put('users.json', [
    { id: 'U1', name: 'ann', profile: { display_name: 'Ann' } },
    { id: 'U2', name: 'ben', real_name: 'Ben Berg', profile: null },
    null,
  ]);
  slack.put('channels.json', [
    {
      id: 'C1',
      name: 'general',
      created: at / 1000,
      members: ['U1', 'U2'],
      topic: { value: '*All* of <https://a.example|us> :tada:' },
    },
    // slackdump names the folder by the ID.
    { id: 'D2', name: 'null', members: null, topic: null },
    { id: 'D4', name: 'lost', members: ['U2'] },
  ]);
  slack.put('groups.json', null);
  slack.put('dms.json', [{ id: 'D9', members: ['U1', 'U2'] }]);
  const ts = (n: number) => `${at / 1000 + n}.000100`;
  const none = { files: null, attachments: null, reactions: null };
  const bot = { subtype: 'bot_message', bot_id: 'B1', username: 'Deploy' };
  slack.put('general/2024-05-01.json', [
    { user: 'U1', subtype: 'channel_join', text: '<@U1> has joined', ts: ts(0) },
    {
      ...{ type: 'message', user: 'U1', ts: ts(1), thread_ts: ts(1) },
      text: 'Hi <@U2>, see <https://a.example|this> &amp; <#C1|general>',
    },
    { type: 'message', user: 'U2', ts: ts(3), text: 'Later', thread_ts: null, ...none },
    { type: 'message', user: 'U2', ts: ts(2), thread_ts: ts(1), text: 'In the thread' },
    {
      ...{ ...bot, text: '', ts: ts(4) },
      attachments: [
        { fallback: 'Build 7 failed' },
        { title: 'Log', text: 'line 3', fallback: 'Log: line 3' },
      ],
    },
    {
      ...bot,
      bot_id: undefined,
      username: 'Cron',
      ts: ts(5),
      blocks: [{ type: 'section', text: { text: 'Done' } }],
    },
    {
      ...{ subtype: 'file_comment', text: 'a comment', ts: ts(6) },
      ...{ comment: { user: 'U2' }, file: { title: 'plan.pdf' } },
    },
    { ...bot, bot_id: null, username: undefined, user: null, text: 'By whom?', ts: ts(7) },
    { user: 'U1', text: '', files: [], ts: ts(8) },
    { user: 'U1', text: 7, ts: ts(9) },
    { user: 'U2', text: 'Liked', ts: ts(10), reactions: [{ name: '+1', users: ['U1'] }] },
  ]);
  slack.put('D2/2024-05-01.json', [{ user: 'U2', text: 'Here', ts: ts(1) }]);
  expect(await importedFrom(slack.path, 'slack', { U1: '42' })).toEqual({
    imported: '8 messages and 0 files in 2 rooms',
    counts: [
      '1 channels without a folder in the export',
      '1 direct and group conversations',
      '1 messages without an author',
      '1 messages without their reactions',
      '1 notices, such as "Ann joined the channel"',
      '2 members that --users does not list',
      '2 messages without text and files',
    ],
    places: expect.arrayContaining([
      'dms.json, D9',
      'channels.json, D4',
      `general/2024-05-01.json, ${ts(7)}`,
    ]),
  });
  await look(async (ann) => {
    const room = await roomNamed(ann, 'general');
    expect(room).toMatchObject({ kind: 'public', topic: 'All of us (https://a.example) 🎉', members: 1 });
    expect((await messagesOf(ann, room?.id))[1]?.replyTo).toBe(1);
    expect(await textsIn(ann, 'general')).toEqual([
      [expect.any(String), 'Hi @Ben Berg, see this (https://a.example) & #general'],
      ['Ben Berg', 'In the thread'],
      ['Ben Berg', 'Later'],
      ['Deploy', 'Build 7 failed\nLog\nline 3'],
      ['Cron', 'Done'],
      ['Ben Berg', 'a comment\nplan.pdf'],
      ['Ben Berg', 'Liked'],
    ]);
    expect(await textsIn(ann, 'null')).toEqual([['Ben Berg', 'Here']]);
  });
});

test('imports an export of Mattermost with replies, files and bots', async () => {
  const { path } = folderWith('data');
  writeFileSync(join(path, 'plan.txt'), 'the plan');
  const post = (message: string, n: number, over: object = {}) => {
    const given = { team: 'club', channel: 'town', user: 'ben', create_at: at + n, message };
    return { type: 'post', post: { ...given, replies: null, reactions: null, ...over } };
  };
  const channel = { team: 'club', name: 'town', display_name: 'Town Square', type: 'O' };
  const channels = [{ name: 'town', roles: 'channel_user channel_admin' }];
  const ben = { username: 'ben', first_name: 'Ben', last_name: 'Berg', teams: [{ name: 'club', channels }] };
  const exported = file('mattermost.jsonl', [
    { type: 'version', version: 1 },
    { type: 'channel', channel },
    { type: 'channel', channel: { ...channel, name: 'nameless', display_name: null, header: null } },
    { type: 'user', user: ben },
    { type: 'user', user: { username: 'cat', nickname: null, teams: [{ name: 'club', channels: null }] } },
    { type: 'user', user: { username: 'zoe', nickname: 'Zo', first_name: 'Zoe', teams: null } },
    { type: 'user', user: null },
    { type: 'bot', bot: { username: 'hook', display_name: 'Hook' } },
    post('A plan', 0, {
      attachments: [{ path: 'plan.txt' }],
      replies: [{ user: 'ben', message: 'Better', create_at: at + 9 }],
    }),
    post('Between', 5, { user: 'zoe', attachments: null, props: null }),
    post('Elsewhere', 6, { team: 'other' }),
    post('ben joined the channel.', 6),
    post('zoe added to the channel by ben.', 6),
    post('New header', 6, { type: 'system_header_change' }),
    post('zoe joined the channel.', 7),
    post('', 8, { user: 'hook', props: { attachments: [{ fallback: 'Build 8' }] } }),
    {
      type: 'direct_post',
      direct_post: { channel_members: ['ben', 'ann'], user: 'ben', message: 'secret', create_at: at },
    },
  ]);
  expect(await importedFrom(exported, 'mattermost')).toMatchObject({
    imported: '5 messages and 1 files in 2 rooms',
    counts: expect.arrayContaining([
      '1 direct and group conversations',
      '1 messages and members of channels that are not in the export',
      '3 notices, such as "Ann joined the channel"',
    ]),
  });
  await look(async (ann) => {
    expect(await textsIn(ann, 'Town Square')).toEqual([
      ['Ben Berg', 'A plan', 'plan.txt'],
      ['Zo', 'Between'],
      ['Ben Berg', 'zoe joined the channel.'],
      ['Hook', 'Build 8'],
      ['Ben Berg', 'Better'],
    ]);
  });
});

test('imports an export of Rocket.Chat in order of time', async () => {
  const rocket = folderWith('rocket');
  rocket.lines('channels.json', [{ roomId: 'R1', roomName: 'seeds', type: 'c' }]);
  const line = (n: number, over: object) => {
    return { username: 'zoe', name: 'Zoe', ts: new Date(at + n).toISOString(), msg: '', ...over };
  };
  rocket.lines('seeds.json', [
    line(3, { msg: null, attachments: [{ fileName: 'plan.pdf' }] }),
    line(2, { msg: 'two', attachments: null }),
    line(0, { msg: 'one' }),
    line(0, { msg: 'zoe', type: 'uj' }),
    line(1, { username: null, msg: 'By whom?' }),
  ]);
  expect(await importedFrom(rocket.path, 'rocketchat')).toMatchObject({
    imported: '3 messages and 0 files in 1 rooms',
    counts: expect.arrayContaining([
      '1 messages without an author',
      '1 notices, such as "Ann joined the channel"',
    ]),
  });
  await look(async (ann) => {
    const [first, second] = await textsIn(ann, 'seeds');
    expect([first, second]).toEqual([
      ['Zoe', 'one'],
      ['Zoe', 'two'],
    ]);
  });
});

test('adds nothing to an imported public room that is private in a later export', async () => {
  const exported = (kind: string, texts: string[], room = 'plans') =>
    file(`${kind}.jsonl`, [
      { type: 'user', id: 'u1', name: 'Ann' },
      { type: 'room', id: room, name: room, kind },
      ...texts.map((text, n) => ({ type: 'message', id: `m${n}`, room, user: 'u1', at: at + n, text })),
    ]);
  expect(await importing(exported('public', ['for all']))).toMatchObject({ code: 0 });
  expect(await importing(exported('private', ['for all', 'a secret']))).toEqual({
    code: 65,
    said: expect.stringMatching(/private\.jsonl, line 2: an earlier import made the room "plans" public/),
  });
  // In the opposite case the room stays private.
  for (const given of [
    exported('private', ['a secret'], 'narrow'),
    exported('public', ['a secret', 'for all'], 'narrow'),
  ])
    expect(await importing(given, { mayBePublic: true })).toMatchObject({ code: 0 });
  await look(async (ann) => {
    expect(await textsIn(ann, 'plans')).toEqual([['Ann', 'for all']]);
    expect(await roomNamed(ann, 'narrow')).toBeUndefined();
  });
});

test('adds no Rocket.Chat user to private rooms, or to public rooms they left', async () => {
  const rocket = folderWith('rocket-left');
  const line = (username: string, n: number, over = {}) => {
    return { username, ts: new Date(at + n).toISOString(), msg: 'hello', ...over };
  };
  const rooms = ['secrets', 'left', 'back'];
  rocket.lines(
    'channels.json',
    rooms.map((roomName) => ({ roomId: roomName, roomName, type: roomName === 'secrets' ? 'p' : 'c' })),
  );
  const removed = line('boss', 1, { type: 'ru', msg: 'User_1 has been removed' });
  rocket.lines('secrets.json', [line('ann', 0), removed]);
  const leaving = [line('ann', 0), line('ann', 1, { type: 'ul' })];
  rocket.lines('left.json', leaving);
  rocket.lines('back.json', [...leaving, line('ann', 2)]);
  const options = { kind: 'rocketchat', mayBePublic: true, users: { ann: '42' } } as const;
  const { said } = await importing(rocket.path, options);
  expect(said).toContain('Rocket.Chat exports do not list the members of private rooms');
  expect(said).toMatch(/\n {2}i-\w+ {2}left\n {2}i-\w+ {2}secrets$/);
  await look(async (ann, here) => {
    const own = await ann.request('room:list', {});
    expect(own.rooms.map(({ name }) => name).filter((name) => rooms.includes(name))).toEqual(['back']);
    const secrets = / {2}(i-\w+) {2}secrets/.exec(said)?.[1] as string;
    expect(await here.api('PATCH', `/rooms/${secrets}/members`, { add: ['42'] })).toMatchObject({
      body: { count: 1 },
    });
  });
});

test('does not add removed members again when the import is repeated', async () => {
  const users = { u1: '42', u2: '43' };
  const members = ['u1', 'u2'].map((user) => ({ type: 'member', room: 'c3', user }));
  const message = { type: 'message', id: 'a', room: 'c3', user: 'u1', at, text: 'before' };
  const lines = [{ type: 'room', id: 'c3', name: 'Closed' }, ...members, message];
  expect(await importing(file('removed.jsonl', lines), { users })).toMatchObject({ code: 0 });
  await look(async (ann, here) => {
    const path = `/rooms/${(await roomNamed(ann, 'Closed'))?.id}/members`;
    expect(await here.api('PATCH', path, { remove: ['42'] })).toMatchObject({ status: 200 });
  });
  const grown = [...lines, { ...message, id: 'b', at: at + 1, text: 'after' }];
  expect(await importing(file('removed-grown.jsonl', grown), { users })).toMatchObject({ code: 0 });
  await look(async (ann) => expect(await roomNamed(ann, 'Closed')).toBeUndefined());
  await look(async (bob) => {
    expect(await roomNamed(bob, 'Closed')).toMatchObject({ members: 1, lastSeq: 2, readSeq: 2 });
  }, '43');
});

test('does not duplicate messages if a repeated import maps users to other IDs', async () => {
  const lines = file('named.jsonl', [
    { type: 'room', id: 'c5', name: 'Shed' },
    { type: 'member', room: 'c5', user: 'u1' },
    { type: 'message', id: 'a', room: 'c5', user: 'u1', at, text: 'one' },
    { type: 'message', id: 'b', room: 'c5', user: 'u2', at: at + 1, text: 'two', replyTo: 'a' },
  ]);
  const grown = file('named-grown.jsonl', [
    ...readFileSync(lines, 'utf8').trim().split('\n'),
    { type: 'message', id: 'c', room: 'c5', user: 'u2', at: at + 2, text: 'three', replyTo: 'b' },
  ]);
  expect(await importing(lines)).toMatchObject({ code: 0 });
  const users = { u1: '42', u2: '43' };
  for (const users of [{ u2: '42' }, { u1: '42', u2: '43' }]) {
    const again = await importing(lines, { users });
    expect(again.said).toContain('✓ Imported: 0 messages and 0 files in 1 rooms; 2 already existed');
  }
  expect(await importing(grown, { users })).toMatchObject({ code: 0 });
  await look(async (ann) => {
    const found = await messagesOf(ann, (await roomNamed(ann, 'Shed'))?.id);
    expect(found.map(({ text, seq, replyTo }) => [text, seq, replyTo])).toEqual([
      ['one', 1, undefined],
      ['two', 2, 1],
      ['three', 3, 2],
    ]);
  });
});

test('does not restore erased users when the import is repeated', async () => {
  const member = (user: string) => ({ type: 'member', room: 'c6', user });
  const message = (user: string, n: number, text: string) => {
    return { type: 'message', id: text, room: 'c6', user, at: at + n, text };
  };
  const lines = file('erased.jsonl', [
    { type: 'room', id: 'c6', name: 'Attic' },
    ...[member('gone'), member('u2'), message('gone', 0, 'mine'), message('u2', 1, 'theirs')],
  ]);
  const users = { gone: 'gone', u2: '43' };
  expect(await importing(lines, { users })).toMatchObject({ code: 0 });
  const shown = async (one: Person) => {
    const room = await roomNamed(one, 'Attic');
    return [
      room?.members,
      ...(await messagesOf(one, room?.id)).map(({ text, user }) => `${user.id} ${text}`),
    ];
  };
  const left = [1, '0 ', '43 theirs'];
  await look(async (bob) => {
    await history.write.erase({ user: 'gone', messages: 'delete', at: Date.now() });
    await expect.poll(() => shown(bob)).toEqual(left);
  }, '43');
  // With and without a mapping of the users.
  for (const named of [users, {}]) {
    expect((await importing(lines, { users: named })).said).toContain(
      '✓ Imported: 0 messages and 0 files in 1 rooms; 1 already existed; 1 by erased users are omitted',
    );
  }
  await look(async (bob) => expect(await shown(bob)).toEqual(left), '43');
});

const odd = {
  room: { type: 'room', id: 'c9', name: 'Room' },
  message: { type: 'message', id: 'a', room: 'c9', user: 'u', at, text: 'x' },
};

test.each(Object.keys(content) as ContentField[])('imports the field %s as declared', async (field) => {
  const { shown, ...sample } = samples[field]('f'.repeat(16), 'f'.repeat(16));
  const isImported = content[field].imported !== null;
  const [room, name] = [`field-${field}`, `Field ${field}`];
  const message = { ...odd.message, room };
  writeFileSync(join(folder, 'cat.png'), 'cat');
  const lines = [
    { ...odd.room, id: room, name },
    { type: 'member', room, user: 'u' },
    { ...message, id: 'm1' },
    { ...message, id: 'm2', [field]: sample.imported ?? shown },
  ];
  const done = await importing(file(`${room}.jsonl`, lines), { users: { u: '42' } });
  expect(done).toMatchObject({ code: 0 });
  const expected = field === 'files' ? [expect.objectContaining({ name: 'cat' })] : shown;
  await look(async (ann) => {
    const [, found] = await messagesOf(ann, (await roomNamed(ann, name))?.id);
    expect(found?.[field]).toEqual(isImported ? expected : undefined);
  });
});

test.each<[RegExp, unknown[]]>([
  [/, line 1: it is not valid JSON/, ['{']],
  [/line 1: room: /, [{ type: 'message', id: 'a' }]],
  [/line 1: the room "c9" is not created by an earlier line/, [odd.message]],
  [
    /line 3: it is older than the previous message/,
    [odd.room, odd.message, { ...odd.message, id: 'b', at: at - 1 }],
  ],
  [/line 2: at: it is in the future/, [odd.room, { ...odd.message, at: Date.now() + 1e9 }]],
])('reports invalid input with its line: %s', async (says, lines) => {
  expect(await importing(file('wrong.jsonl', lines))).toEqual({
    code: 65,
    said: expect.stringMatching(says),
  });
});

test('does not read files outside the folder of the export', async () => {
  symlinkSync('/etc/passwd', join(folder, 'link'));
  const files = ['../../etc/passwd', 'link', '.'].map((path) => ({ path }));
  const escaping = { ...odd.message, id: 'z', text: '', files };
  const { said } = await importing(file('escape.jsonl', [odd.room, escaping]));
  expect(said).toContain('1 messages and 0 files in 1 rooms');
  expect(said).toContain('  3  files that are not in the export');
});

test('reads files that start with a byte order mark', async () => {
  const lines = join(folder, 'bom.jsonl');
  writeFileSync(lines, `\ufeff${[odd.room, odd.message].map((line) => JSON.stringify(line)).join('\n')}`);
  expect((await importing(lines)).said).toContain('in 1 rooms');
  const rocket = join(folder, 'rocket-bom');
  mkdirSync(rocket);
  const message = { username: 'zoe', ts: new Date(at).toISOString(), msg: 'first' };
  writeFileSync(join(rocket, 'bom.json'), `\ufeff${JSON.stringify(message)}\n`);
  expect((await importing(rocket, { kind: 'rocketchat' })).said).toContain('1 messages and 0 files');
});

test('rejects a missing file, an unknown kind and a damaged history', async () => {
  const kept = newHistory();
  expect((await commanding(kept, [join(folder, 'none')])).code).toBe(65);
  expect((await commanding(kept, [join(folder, 'many.jsonl'), '--from', 'icq'])).code).toBe(64);
  mkdirSync(dirname(kept.path), { recursive: true });
  writeFileSync(kept.path, 'no database '.repeat(100));
  expect((await commanding(kept, [file('empty.jsonl', [])])).code).toBe(65);
});
