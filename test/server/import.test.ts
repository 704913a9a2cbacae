import {
  chmodSync,
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
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { importInto, run } from '../../server/command/import.ts';
import { Files } from '../../server/files/files.ts';
import { erasuresOf } from '../../server/history/erased-users.ts';
import type { History } from '../../server/history/history.ts';
import { openSqliteHistory } from '../../server/history/sqlite/sqlite.ts';
import type { Message } from '../../server/wire/events.ts';
import { size, soak } from '../guarantees/size.ts';
import { historyFolder } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { commandHere } from '../helpers/command-here.ts';
import { configOf } from '../helpers/config.ts';
import { download, origin } from '../helpers/files.ts';
import { unexpectedFailure } from '../helpers/own-history.ts';
import { type PeopleSite, type Person, startPeopleSite } from '../helpers/people.ts';
import { type PeopleHere, startPeopleHere } from '../helpers/people-here.ts';

const root = new URL('../..', import.meta.url).pathname;
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

/** Calls the command; `during` may end it. */
async function importingProcess(
  kept: Pick<Kept, 'url' | 'files'>,
  args: string[],
  during?: (child: ReturnType<typeof startChild>) => void,
  account: { uid?: number } = {},
): Promise<{ code: number | null; said: string }> {
  const child = startChild(process.execPath, ['server/command/main.ts', 'import', ...args, '--settings='], {
    cwd: root,
    env: settingsOf(kept),
    ...account,
  });
  during?.(child);
  const code = await new Promise<number | null>((resolve) => child.process.on('close', resolve));
  return { code, said: child.output() };
}

/** The same in this process, which has loaded it already. */
const commanding = (kept: Pick<Kept, 'url' | 'files'>, args: string[]) =>
  commandHere(run, args, settingsOf(kept));

/** One history for most tests, whose exports have rooms of their own. */
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

/** Imports into it, and says what the command does. */
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

/** A chat over it, as its server would open it after the import, and somebody there. */
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

/** A server with that history, and somebody there. */
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

async function messagesOf(one: Person, room: string): Promise<Message[]> {
  const found: Message[] = [];
  for (let before: number | undefined; ; ) {
    const page = await one.request('message:history', { room, limit: 100, ...(before ? { before } : {}) });
    found.unshift(...page.messages);
    if (page.complete) return found;
    before = page.messages[0]?.seq;
  }
}

const at = Date.UTC(2024, 4, 1, 9);
/** More than an import reads at once. */
const count = size(2000, 600);
/** How many messages a history has, which another process may be making. */
function writtenTo({ path }: Kept): number {
  try {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      return Number(db.prepare('SELECT count(*) AS n FROM chat_messages').get()?.n);
    } finally {
      db.close();
    }
  } catch {
    // It has no tables yet.
    return 0;
  }
}

/** A room with so many messages, every hundredth with a file, and replies. */
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

test('messages with their times, replies and files are imported once, in order, however often it is broken off', async () => {
  const kept = newHistory();
  const lines = many();
  const users = join(folder, 'users.json');
  const hooks = { CHAT_WEBHOOK_URL: 'http://127.0.0.1:9/', CHAT_WEBHOOK_KEY_FILE: join(folder, 'key') };
  writeFileSync(hooks.CHAT_WEBHOOK_KEY_FILE, `whsec_${Buffer.alloc(24, 'a').toString('base64')}\n`);
  // The consumers are registered by the first start.
  await serve(kept, async () => {}, hooks);
  writeFileSync(users, JSON.stringify({ u1: '42' }));
  // Killed while it writes, then whole, then once more.
  const killed = await importingProcess(kept, [lines, '--users', users], ({ process }) => {
    const timer = setInterval(() => writtenTo(kept) > 0 && process.kill('SIGKILL'), 20);
    process.on('close', () => clearInterval(timer));
  });
  const whole = await commanding(kept, [lines, '--users', users]);
  expect(whole).toMatchObject({ code: 0 });
  expect([killed.code, whole.said]).toEqual([killed.code, expect.stringContaining('✓ Imported: ')]);
  const again = await commanding(kept, [lines, '--users', users]);
  expect(again.said).toContain(`✓ Imported: 0 messages and 0 files in 1 rooms; ${count} were there already`);
  await serve(
    kept,
    async (site, ann) => {
      const { rooms } = await ann.request('room:list', {});
      const [room] = rooms.filter(({ name }) => name === 'Old garden');
      expect(room).toMatchObject({
        kind: 'private',
        topic: 'Beans',
        role: 'owner',
        members: 1,
        lastSeq: count,
      });
      // Everything counts as read.
      expect(room?.readSeq).toBe(count);
      const found = await messagesOf(ann, room?.id ?? '');
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
      // Nobody is notified of what is imported.
      expect((await site.api('GET', '/webhooks')).body).toEqual({ waiting: 0, failed: [] });
    },
    hooks,
  );
});

test.runIf(process.getuid?.() === 0)(
  'root is refused where the server of another account could not use what it makes',
  async () => {
    const own = 12_345;
    const lines = file('own.jsonl', [{ type: 'user', id: 'u1', name: 'Ann' }]);
    const server = mkdtempSync(join(folder, 'server-'));
    const kept = { url: `sqlite:${server}/data/chat.db`, files: 'dir:/nowhere' };
    const refused = (path: string) => ({
      code: 78,
      said: `${path} belongs to another account (${own}): import as that one`,
    });
    chownSync(server, own, own);
    expect(await commanding(kept, [lines])).toEqual(refused(server));
    expect(readdirSync(server)).toEqual([]);
    chownSync(server, 0, 0);
    mkdirSync(join(server, 'data'));
    writeFileSync(join(server, 'data/chat.db'), '');
    chownSync(join(server, 'data/chat.db'), own, own);
    expect(await commanding(kept, [lines])).toEqual(refused(`${server}/data/chat.db`));
  },
);

if (soak) {
  test.runIf(process.getuid?.() === 0)(
    'the account of the server imports where the folder of files is a mount that root owns, if it may write there',
    async () => {
      const uid = 65_534;
      const server = mkdtempSync(join(tmpdir(), 'import-'));
      all.push({ remove: () => rmSync(server, { recursive: true }) });
      const lines = join(server, 'lines.jsonl');
      writeFileSync(lines, JSON.stringify({ type: 'user', id: 'u1', name: 'Ann' }));
      for (const name of ['data', 'files']) mkdirSync(join(server, name));
      chownSync(join(server, 'data'), uid, uid);
      for (const path of [server, lines, join(server, 'files')]) chmodSync(path, 0o755);
      const kept = { url: `sqlite:${server}/data/chat.db`, files: `dir:${server}/files` };
      const call = () => importingProcess(kept, [lines], undefined, { uid });
      expect(await call()).toEqual({
        code: 78,
        said: `✗ ${server}/files belongs to another account (0): import as that one\n`,
      });
      // The process is still in the group of root.
      chmodSync(join(server, 'files'), 0o775);
      expect(await call()).toMatchObject({ code: 0 });
    },
  );
}

test('everybody has a name after an import, in one line of signs that can be seen', async () => {
  const names = { a: '\u3164', b: '\u2800 \u200b', c: ' \u202eAnn\u200b\nLee ', d: 'x'.repeat(70) };
  const lines = file('names.jsonl', [
    { type: 'room', id: 'c4', name: 'Names', kind: 'public' },
    ...Object.entries(names).map(([id, name]) => ({ type: 'user', id, name })),
    ...Object.keys(names).map((id) => ({ type: 'message', id, room: 'c4', user: id, at, text: id })),
  ]);
  expect(await importing(lines)).toMatchObject({ code: 0 });
  await look(async (ann) => {
    const { rooms } = await ann.request('room:list', { member: false });
    const room = rooms.find(({ name }) => name === 'Names')?.id ?? '';
    const found = (await messagesOf(ann, room)).map(({ user }) => user.name);
    expect(found).toEqual(['Somebody', 'Somebody', 'AnnLee', 'x'.repeat(64)]);
  });
});

test('an export of Slack: names, mentions, links and threads as people read them, without notices', async () => {
  const slack = join(folder, 'slack');
  mkdirSync(join(slack, 'general'), { recursive: true });
  const put = (name: string, value: unknown) => writeFileSync(join(slack, name), JSON.stringify(value));
  put('users.json', [
    { id: 'U1', name: 'ann', profile: { display_name: 'Ann' } },
    { id: 'U2', name: 'ben', real_name: 'Ben Berg' },
  ]);
  put('channels.json', [
    { id: 'C1', name: 'general', created: at / 1000, members: ['U1', 'U2'], topic: { value: 'All' } },
  ]);
  const ts = (n: number) => `${at / 1000 + n}.000100`;
  put('general/2024-05-01.json', [
    { type: 'message', subtype: 'channel_join', user: 'U1', ts: ts(0), text: '<@U1> has joined' },
    {
      type: 'message',
      user: 'U1',
      ts: ts(1),
      thread_ts: ts(1),
      text: 'Hi <@U2>, see <https://a.example|this> &amp; <#C1|general>',
    },
    { type: 'message', user: 'U2', ts: ts(3), text: 'Later' },
    { type: 'message', user: 'U2', ts: ts(2), thread_ts: ts(1), text: 'In the thread' },
  ]);
  const done = await importing(slack, { kind: 'slack', mayBePublic: true, users: { U1: '42' } });
  expect(done.said).toContain('✓ Imported: 3 messages and 0 files in 1 rooms');
  await look(async (ann) => {
    const room = (await ann.request('room:list', {})).rooms.find(({ name }) => name === 'general');
    expect(room).toMatchObject({ kind: 'public', topic: 'All', members: 1 });
    const found = await messagesOf(ann, room?.id ?? '');
    expect(found.map(({ text, user }) => [user.name, text])).toEqual(
      [
        ['Ann', 'Hi @Ben Berg, see this (https://a.example) & #general'],
        ['Ben Berg', 'In the thread'],
        ['Ben Berg', 'Later'],
      ].map(([name, text]) => [name === 'Ann' ? expect.any(String) : name, text]),
    );
    expect(found[1]?.replyTo).toBe(1);
  });
});

test('exports of Mattermost and Rocket.Chat', async () => {
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data', 'plan.txt'), 'the plan');
  const post = { team: 'club', channel: 'town', user: 'ben', create_at: at };
  const mattermost = file('mattermost.jsonl', [
    { type: 'version', version: 1 },
    { type: 'channel', channel: { team: 'club', name: 'town', display_name: 'Town Square', type: 'O' } },
    {
      type: 'user',
      user: {
        username: 'ben',
        first_name: 'Ben',
        last_name: 'Berg',
        teams: [{ name: 'club', channels: [{ name: 'town', roles: 'channel_user channel_admin' }] }],
      },
    },
    {
      type: 'post',
      post: {
        ...post,
        message: 'A plan',
        attachments: [{ path: 'plan.txt' }],
        replies: [{ user: 'ben', message: 'Better', create_at: at + 9 }],
      },
    },
    { type: 'post', post: { ...post, message: 'Between', create_at: at + 5 } },
    {
      type: 'direct_post',
      direct_post: { channel_members: ['ben', 'ann'], user: 'ben', message: 'secret', create_at: at },
    },
  ]);
  const first = await importing(mattermost, { kind: 'mattermost', mayBePublic: true });
  expect(first.said).toContain('✓ Imported: 3 messages and 1 files in 1 rooms');
  const rocket = join(folder, 'rocket');
  mkdirSync(rocket);
  writeFileSync(
    join(rocket, 'channels.json'),
    `${JSON.stringify({ roomId: 'R1', roomName: 'seeds', type: 'c' })}\n`,
  );
  const line = (ts: number, msg: string, over = {}) =>
    JSON.stringify({ username: 'zoe', name: 'Zoe', ts: new Date(ts).toISOString(), msg, ...over });
  writeFileSync(
    join(rocket, 'seeds.json'),
    [line(at + 2, 'two'), line(at, 'one'), line(at, 'zoe', { type: 'uj' })].join('\n'),
  );
  const second = await importing(rocket, { kind: 'rocketchat', mayBePublic: true });
  expect(second.said).toContain('✓ Imported: 2 messages and 0 files in 1 rooms');
  await look(async (ann) => {
    const { rooms } = await ann.request('room:list', { member: false });
    const texts = async (name: string) => {
      const found = await messagesOf(ann, rooms.find((room) => room.name === name)?.id ?? '');
      return found.map(({ text, user, files }) => [user.name, text, files?.length ?? 0]);
    };
    expect(await texts('Town Square')).toEqual([
      ['Ben Berg', 'A plan', 1],
      ['Ben Berg', 'Between', 0],
      ['Ben Berg', 'Better', 0],
    ]);
    expect(await texts('seeds')).toEqual([
      ['Zoe', 'one', 0],
      ['Zoe', 'two', 0],
    ]);
  });
});

/** What the command counts as not imported, and what its report lists. */
function notImported(said: string, report: string) {
  const counts = [...said.matchAll(/^ {2}(\d+) {2}(.*)$/gm)].map(([, count, reason]) => `${count} ${reason}`);
  const listed = readFileSync(report, 'utf8').trim().split('\n');
  const places = listed.map((line) => (JSON.parse(line) as { place: string }).place);
  return { counts: counts.sort(), places };
}

test('exports of Slack: texts of bots are imported, everything that is not is counted and listed', async () => {
  const slack = join(folder, 'slack-odd');
  mkdirSync(join(slack, 'absent'), { recursive: true });
  mkdirSync(join(slack, 'D2'));
  mkdirSync(join(slack, 'empty'));
  const put = (name: string, value: unknown) => writeFileSync(join(slack, name), JSON.stringify(value));
  put('users.json', [{ id: 'U1', name: 'ann', profile: null }, null]);
  put('channels.json', [
    { id: 'D1', name: 'absent' },
    // slackdump names the folder by the ID.
    { id: 'D2', name: 'null', members: null, topic: null },
    { id: 'D3', name: 'empty', members: [] },
    { id: 'D4', name: 'lost', members: ['U1'] },
  ]);
  put('groups.json', null);
  put('dms.json', [{ id: 'D9', members: ['U1', 'U2'] }]);
  const ts = (n: number) => `${at / 1000 + n}.000100`;
  const odd = [
    {
      user: 'U1',
      text: 'Plain',
      ts: ts(1),
      files: null,
      attachments: null,
      reactions: null,
      thread_ts: null,
    },
    {
      subtype: 'bot_message',
      bot_id: 'B1',
      username: 'Deploy',
      text: '',
      ts: ts(2),
      attachments: [
        { fallback: 'Build 7 failed' },
        { title: 'Log', text: 'line 3', fallback: 'Log: line 3' },
      ],
    },
    {
      subtype: 'bot_message',
      username: 'Cron',
      ts: ts(3),
      blocks: [{ type: 'section', text: { text: 'Done' } }],
    },
    {
      subtype: 'file_comment',
      text: 'a comment',
      ts: ts(4),
      comment: { user: 'U1' },
      file: { title: 'plan.pdf' },
    },
    { user: null, subtype: 'bot_message', bot_id: null, text: 'By whom?', ts: ts(5) },
    { user: 'U1', subtype: 'channel_join', text: 'joined', ts: ts(6) },
    { user: 'U1', text: '', files: [], ts: ts(7) },
    { user: 'U1', text: 7, ts: ts(8) },
    { user: 'U1', text: 'Liked', ts: ts(9), reactions: [{ name: '+1', users: ['U1'] }] },
  ];
  put('absent/2024-05-01.json', odd);
  put('D2/2024-05-01.json', [{ user: 'U1', text: 'Here', ts: ts(1) }]);
  const report = join(folder, 'report.jsonl');
  const { code, said } = await importing(slack, { kind: 'slack', mayBePublic: true, report });
  expect(code).toBe(0);
  expect(said).toContain('✓ Imported: 6 messages and 0 files in 3 rooms');
  expect(notImported(said, report)).toEqual({
    counts: [
      '1 channels without a folder in the export',
      '1 conversations of two or a few users',
      '1 messages without an author',
      '1 messages without their reactions',
      '1 notices, such as "Ann joined the channel"',
      '2 messages without text and files',
      '4 members whom --users does not name',
    ],
    places: expect.arrayContaining(['dms.json, D9', 'channels.json, D4', `absent/2024-05-01.json, ${ts(5)}`]),
  });
  await look(async (ann) => {
    const { rooms } = await ann.request('room:list', { member: false });
    expect(rooms.map(({ name }) => name)).toEqual(expect.arrayContaining(['absent', 'null', 'empty']));
    const found = await messagesOf(ann, rooms.find(({ name }) => name === 'absent')?.id ?? '');
    expect(found.map(({ user, text }) => [user.name, text])).toEqual([
      ['ann', 'Plain'],
      ['Deploy', 'Build 7 failed\nLog\nline 3'],
      ['Cron', 'Done'],
      ['ann', 'a comment\nplan.pdf'],
      ['ann', 'Liked'],
    ]);
  });
});

test('exports of Mattermost and Rocket.Chat: null lists, other teams, notices and bots', async () => {
  const post = {
    team: 'guild',
    channel: 'village',
    user: 'ben',
    create_at: at,
    replies: null,
    reactions: null,
  };
  const mattermost = file('mattermost-odd.jsonl', [
    {
      type: 'channel',
      channel: { team: 'guild', name: 'village', display_name: null, type: 'O', header: null },
    },
    { type: 'user', user: { username: 'ben', nickname: null, teams: [{ name: 'guild', channels: null }] } },
    { type: 'user', user: { username: 'zoe', teams: null } },
    { type: 'user', user: null },
    { type: 'bot', bot: { username: 'hook', display_name: 'Hook' } },
    { type: 'post', post: { ...post, message: 'Plain', attachments: null, props: null } },
    { type: 'post', post: { ...post, team: 'other', message: 'Elsewhere', create_at: at + 1 } },
    { type: 'post', post: { ...post, message: 'ben joined the channel.', create_at: at + 2 } },
    { type: 'post', post: { ...post, message: 'zoe added to the channel by ben.', create_at: at + 3 } },
    {
      type: 'post',
      post: { ...post, type: 'system_header_change', message: 'New header', create_at: at + 4 },
    },
    { type: 'post', post: { ...post, message: 'zoe joined the channel.', create_at: at + 5 } },
    {
      type: 'post',
      post: { ...post, user: 'hook', props: { attachments: [{ fallback: 'Build 8' }] }, create_at: at + 6 },
    },
    { type: 'direct_post', direct_post: { channel_members: ['ben', 'zoe'], user: 'ben', message: 'x' } },
  ]);
  const report = join(folder, 'mattermost-report.jsonl');
  const first = await importing(mattermost, { kind: 'mattermost', mayBePublic: true, report });
  expect(first.said).toContain('✓ Imported: 3 messages and 0 files in 1 rooms');
  expect(notImported(first.said, report).counts).toEqual([
    '1 conversations of two or a few users',
    '1 messages and members of channels that are not in the export',
    '3 notices, such as "Ann joined the channel"',
  ]);
  const rocket = join(folder, 'rocket-odd');
  mkdirSync(rocket);
  const line = (n: number, over: object) =>
    JSON.stringify({ username: 'zoe', ts: new Date(at + n).toISOString(), msg: '', ...over });
  writeFileSync(
    join(rocket, 'grain.json'),
    [
      line(0, { msg: null, attachments: [{ fileName: 'plan.pdf' }] }),
      line(1, { attachments: null, msg: 'Plain' }),
      line(2, { username: null, msg: 'By whom?' }),
      line(3, { type: 'uj' }),
    ].join('\n'),
  );
  const rocketReport = join(folder, 'rocket-report.jsonl');
  const second = await importing(rocket, { kind: 'rocketchat', report: rocketReport });
  expect(second.said).toContain('✓ Imported: 2 messages and 0 files in 1 rooms');
  expect(notImported(second.said, rocketReport).counts).toEqual([
    '1 messages without an author',
    '1 notices, such as "Ann joined the channel"',
  ]);
  await look(async (ann) => {
    const { rooms } = await ann.request('room:list', { member: false });
    const found = await messagesOf(ann, rooms.find(({ name }) => name === 'village')?.id ?? '');
    expect(found.map(({ user, text }) => [user.name, text])).toEqual([
      ['ben', 'Plain'],
      ['ben', 'zoe joined the channel.'],
      ['Hook', 'Build 8'],
    ]);
  });
});

test('a room that is private now adds nothing to the public one of an earlier import', async () => {
  const export_ = (kind: string, texts: string[], room = 'plans') =>
    file(`${kind}.jsonl`, [
      { type: 'user', id: 'u1', name: 'Ann' },
      { type: 'room', id: room, name: room, kind },
      ...texts.map((text, n) => ({
        type: 'message',
        id: `m${n}`,
        room,
        user: 'u1',
        at: at + n,
        text,
      })),
    ]);
  expect(await importing(export_('public', ['for all']))).toMatchObject({ code: 0 });
  const refused = await importing(export_('private', ['for all', 'a secret']));
  expect([refused.code, refused.said]).toEqual([
    65,
    expect.stringMatching(/private\.jsonl, line 2: the room "plans" is public here by an earlier import/),
  ]);
  // The other way round it stays as narrow as it was.
  for (const of of [
    export_('private', ['a secret'], 'narrow'),
    export_('public', ['a secret', 'for all'], 'narrow'),
  ])
    expect(await importing(of, { mayBePublic: true })).toMatchObject({ code: 0 });
  await look(async (ann) => {
    const { rooms } = await ann.request('room:list', { member: false });
    const [plans] = rooms.filter(({ name }) => name === 'plans');
    expect((await messagesOf(ann, plans?.id as string)).map(({ text }) => text)).toEqual(['for all']);
    expect(rooms.filter(({ name }) => name === 'narrow')).toEqual([]);
  });
});

test('of Rocket.Chat nobody is made a member of a private room, or of a public one that they have left', async () => {
  const rocket = join(folder, 'rocket-left');
  mkdirSync(rocket);
  const line = (username: string, n: number, over = {}) =>
    JSON.stringify({ username, ts: new Date(at + n).toISOString(), msg: 'hello', ...over });
  const rooms = ['secrets', 'left', 'back'];
  writeFileSync(
    join(rocket, 'channels.json'),
    rooms
      .map((roomName) =>
        JSON.stringify({ roomId: roomName, roomName, type: roomName === 'secrets' ? 'p' : 'c' }),
      )
      .join('\n'),
  );
  writeFileSync(
    join(rocket, 'secrets.json'),
    [line('ann', 0), line('boss', 1, { type: 'ru', msg: 'User_1 has been removed' })].join('\n'),
  );
  const leaving = [line('ann', 0), line('ann', 1, { type: 'ul' })];
  writeFileSync(join(rocket, 'left.json'), leaving.join('\n'));
  writeFileSync(join(rocket, 'back.json'), [...leaving, line('ann', 2)].join('\n'));
  const { said } = await importing(rocket, { kind: 'rocketchat', mayBePublic: true, users: { ann: '42' } });
  expect(said).toContain('An export of Rocket.Chat does not say who is in a private room');
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

test('an import that is done again brings back nobody who was removed since', async () => {
  const users = { u1: '42', u2: '43' };
  const member = (user: string) => ({ type: 'member', room: 'c3', user });
  const room = { type: 'room', id: 'c3', name: 'Closed' };
  const message = { type: 'message', id: 'a', room: 'c3', user: 'u1', at, text: 'before' };
  const lines = file('removed.jsonl', [room, member('u1'), member('u2'), message]);
  const closed = async (one: Person) =>
    (await one.request('room:list', {})).rooms.find(({ name }) => name === 'Closed');
  expect(await importing(lines, { users })).toMatchObject({ code: 0 });
  await look(async (ann, here) => {
    const { id } = (await closed(ann)) as { id: string };
    expect(await here.api('PATCH', `/rooms/${id}/members`, { remove: ['42'] })).toMatchObject({
      status: 200,
    });
  });
  const more = { ...message, id: 'b', at: at + 1, text: 'after' };
  const grown = file('removed-grown.jsonl', [room, member('u1'), member('u2'), message, more]);
  expect(await importing(grown, { users })).toMatchObject({ code: 0 });
  await look(async (ann) => expect(await closed(ann)).toBeUndefined());
  await look(async (bob) => {
    expect(await closed(bob)).toMatchObject({ members: 1, lastSeq: 2, readSeq: 2 });
  }, '43');
});

test('an import that is done again doubles nothing of people who have got another id since', async () => {
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
    expect(again.said).toContain('✓ Imported: 0 messages and 0 files in 1 rooms; 2 were there already');
  }
  expect(await importing(grown, { users })).toMatchObject({ code: 0 });
  await look(async (ann) => {
    const room = (await ann.request('room:list', {})).rooms.find(({ name }) => name === 'Shed');
    const found = await messagesOf(ann, room?.id ?? '');
    expect(found.map(({ text, seq, replyTo }) => [text, seq, replyTo])).toEqual([
      ['one', 1, undefined],
      ['two', 2, 1],
      ['three', 3, 2],
    ]);
  });
});

test.each(size(['delete', 'anonymise'] as const, ['delete'] as const))(
  'an import that is done again brings back nobody who was erased since, with their messages to %s',
  async (messages) => {
    const name = `Attic ${messages}`;
    const member = (user: string) => ({ type: 'member', room: name, user });
    const message = (user: string, n: number, text: string) => {
      return { type: 'message', id: text, room: name, user, at: at + n, text };
    };
    const lines = file('erased.jsonl', [
      { type: 'room', id: name, name },
      ...[member('gone'), member('u2'), message('gone', 0, 'mine'), message('u2', 1, 'theirs')],
    ]);
    const gone = `gone-${messages}`;
    const users = { gone, u2: '43' };
    expect(await importing(lines, { users })).toMatchObject({ code: 0 });
    const shown = async (one: Person) => {
      const room = (await one.request('room:list', {})).rooms.find((room) => room.name === name);
      const found = await messagesOf(one, room?.id ?? '');
      return [room?.members, ...found.map(({ text, user }) => `${user.id} ${text}`)];
    };
    const left = [1, messages === 'delete' ? '0 ' : '0 mine', '43 theirs'];
    await look(async (bob) => {
      await history.write.erase({ user: gone, messages, at: Date.now() });
      await expect.poll(() => shown(bob)).toEqual(left);
    }, '43');
    // The export may name the people still, or nobody any more.
    for (const named of [users, {}]) {
      expect((await importing(lines, { users: named })).said).toContain(
        '✓ Imported: 0 messages and 0 files in 1 rooms; 1 were there already; 1 of people who were erased here are left out',
      );
    }
    await look(async (bob) => expect(await shown(bob)).toEqual(left), '43');
  },
);

if (soak) {
  test('a room that is imported again after it was deleted has nothing of the acts in the former one', async () => {
    const kept = newHistory();
    const users = join(folder, 'deleted-users.json');
    writeFileSync(users, JSON.stringify({ u1: '42', u2: '43' }));
    const member = (user: string, role: string) => ({ type: 'member', room: 'c4', user, role });
    const lines = file('deleted.jsonl', [
      { type: 'room', id: 'c4', name: 'Den', at },
      member('u1', 'owner'),
      member('u2', 'member'),
    ]);
    const denOf = async (boss: Person) =>
      (await boss.request('room:list', {})).rooms.find(({ name }) => name === 'Den')?.id as string;
    const kinds = async (boss: Person) =>
      (await boss.request('moderate:acts', {})).acts.map(({ kind }) => kind);
    expect(await commanding(kept, [lines, '--users', users])).toMatchObject({ code: 0 });
    await serve(kept, async (site) => {
      const boss = await site.person({ roles: 'admin' }, '42');
      const room = await denOf(boss);
      await boss.request('room:role', { room, user: '43', role: 'moderator' });
      await expect.poll(() => kinds(boss)).toEqual(['role_changed']);
      await boss.request('room:delete', { room });
      boss.close();
    });
    // The clocks of two servers may differ by a second: the act is older than that.
    const db = new DatabaseSync(kept.path);
    db.exec('UPDATE chat_audit SET at = at - 60000');
    db.close();
    expect(await commanding(kept, [lines, '--users', users])).toMatchObject({ code: 0 });
    await serve(kept, async (site) => {
      const boss = await site.person({ roles: 'admin' }, '42');
      expect(await denOf(boss)).toBeDefined();
      expect(await kinds(boss)).not.toContain('role_changed');
      boss.close();
    });
  });
}

test('what is wrong is said with its line, and nothing outside of the folder is read', async () => {
  const kept = newHistory();
  const room = { type: 'room', id: 'c9', name: 'Room' };
  const message = { type: 'message', id: 'a', room: 'c9', user: 'u', at, text: 'x' };
  for (const [lines, says] of [
    [['{'], /, line 1: it is not JSON/],
    [[{ type: 'message', id: 'a' }], /line 1: room: /],
    [[message], /line 1: the room "c9" has no line before this one/],
    [[room, message, { ...message, id: 'b', at: at - 1 }], /line 3: it is older than the message before it/],
  ] as const) {
    const { code, said } = await importing(file('wrong.jsonl', lines));
    expect([code, said]).toEqual([65, expect.stringMatching(says)]);
  }
  expect((await commanding(kept, [join(folder, 'none')])).code).toBe(65);
  expect((await commanding(kept, [join(folder, 'many.jsonl'), '--from', 'icq'])).code).toBe(64);
  const escaping = {
    ...message,
    id: 'z',
    text: '',
    files: [{ path: '../../etc/passwd' }, { path: 'link' }, { path: '.' }],
  };
  symlinkSync('/etc/passwd', join(folder, 'link'));
  const { said } = await importing(file('escape.jsonl', [room, escaping]));
  expect(said).toContain('1 messages and 0 files in 1 rooms');
  expect(said).toContain('  3  files that are not in the export');
  const late = file('late.jsonl', [room, { ...message, at: Date.now() + 1e9 }]);
  expect((await importing(late)).said).toMatch(/line 2: at: it is in the future/);
});
