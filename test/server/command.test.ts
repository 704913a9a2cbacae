import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { strFromU8, unzipSync } from 'fflate';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { size } from '../guarantees/size.ts';
import { connectChat } from '../helpers/chat-client.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { bundled, ownPort, startChild } from '../helpers/child.ts';

const root = new URL('../..', import.meta.url).pathname;
const key = 'a-key-of-more-than-16-characters';
const program = 'server/command/main.ts';
/** For a shell, which starts it itself. */
const [quick] = bundled([program], root, {});
const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE };
let site: ChatSite;
let folder: string;
let settings: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'command-'));
  site = await startChatSite({ CHAT_API_KEY: key });
  settings = settingsFile();
});
afterAll(async () => {
  await site.close();
  rmSync(folder, { recursive: true });
});

let files = 0;
const newFile = () => join(folder, String(++files));

/** The settings of that server, with others in their place. */
function settingsFile(other: Record<string, string> = {}): string {
  const file = newFile();
  const all = {
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_PORT: String(site.chat.port),
    CHAT_API_KEY: key,
    ...other,
  };
  writeFileSync(
    file,
    Object.entries(all)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(''),
  );
  return file;
}

async function command(...args: string[]): Promise<{ code: number; said: string }> {
  const child = startChild(process.execPath, [program, ...args], {
    cwd: root,
    env: { PATH: process.env.PATH },
  });
  const code = await new Promise<number>((resolve) => child.process.on('close', resolve));
  return { code, said: child.output() };
}

/** A user who has said something. */
async function talker(id: string): Promise<void> {
  const client = await connectChat(site.chat.url, await site.session(id, `Name of ${id}`));
  const room = 'lobby';
  await client.request('room:join', { room });
  await client.request('message:send', {
    room,
    text: `Hello from ${id}`,
    clientId: `c-${files++}`,
  });
  client.close();
}

const isKnown = async (id: string) => {
  const headers = { Authorization: `Bearer ${key}` };
  return (await fetch(`${site.chat.url}/api/users/${id}`, { headers })).status === 200;
};

test('--help of the command lists all commands, and that of each has its use and an example', async () => {
  const { code, said } = await command('--help');
  expect(code).toBe(0);
  const names = [...said.matchAll(/^ {2}([\w-]+) /gm)].map(([, name = '']) => name);
  expect(names).toEqual([
    'init',
    'run',
    'doctor',
    'session-server',
    'backup',
    'restore',
    'import',
    'export',
    'erase',
    'load',
    'version',
  ]);
  const some = size(names, ['init', 'erase']);
  const helps = await Promise.all(some.map((name) => command(name, '--help')));
  for (const [n, help] of helps.entries()) {
    expect([some[n], help]).toEqual([
      some[n],
      { code: 0, said: expect.stringMatching(/^npm run .*\n[\s\S]*\nExample: .*npm run .*\n$/) },
    ]);
  }
});

const wrongs: [string[], RegExp][] = [
  [['rum'], /^✗ There is no command "rum"\n\nUsage: /],
  [
    ['run', '--prot', '1'],
    /^✗ Unknown option '--prot'[\s\S]*\nnpm run server -- \[--settings FILE\] \[--check\]\n/,
  ],
  [['erase', '7', '--messages', 'some'], /^✗ --messages is anonymise or delete/],
  [
    ['load', '--url', 'https://127.0.0.1.example.org', '--cookie-file', 'none', '--room', 'lobby'],
    /^✗ 127\.0\.0\.1\.example\.org is not this machine, .*--yes-this-server-is-mine\n$/,
  ],
];
const moreWrongs: typeof wrongs = [
  [[], /^✗ A command is missing\n\nUsage: /],
  [['toString'], /^✗ There is no command "toString"/],
  [['session-server', 'now'], /^✗ Unexpected argument 'now'/],
  [['export'], /^✗ The id of the user is missing\n\nnpm run -s command -- export USER/],
  [['export', '7', '8'], /^✗ One user, and not 2/],
  [['load', '--url', 'http://127.0.0.1:1'], /^✗ --url, --cookie-file and --room are needed\n\nnpm run/],
];
test.each([...wrongs, ...size(moreWrongs, [])])(
  '%j: what is wrong, the use, and code 64',
  async (args, expected) => {
    const { code, said } = await command(...args);
    expect(said).toMatch(expected);
    expect(code).toBe(64);
  },
);

test('version: that of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const said = `php-session-chat ${version} (Node ${process.versions.node})\n`;
  expect(await command('version')).toEqual({ code: 0, said });
});

test('session-server: settings of a file, below those of the environment', async () => {
  const file = newFile();
  writeFileSync(file, `SESSION_SERVER_PORT=0\nSESSION_SERVER_HOST=127.0.0.1\nSESSION_SERVER_LIFETIME=x\n`);
  const child = startChild(process.execPath, [program, 'session-server', '--settings', file], {
    cwd: root,
    env: { PATH: process.env.PATH, SESSION_SERVER_LIFETIME: '60' },
  });
  await child.until(/"host":"127\.0\.0\.1","port":\d+.*"msg":"listening"/);
  expect(await child.stop()).toBe(0);
  expect(await command('session-server', '--settings', file)).toEqual({
    code: 78,
    said: expect.stringContaining('SESSION_SERVER_LIFETIME: "x" is not'),
  });
});

test('export: the archive of the API, in a file of this account alone, and on the standard output', async () => {
  // An address with this id is another one once it is resolved.
  await talker('..');
  const messages = (archive: string) =>
    strFromU8(unzipSync(readFileSync(archive))['messages.jsonl'] as Uint8Array);
  const file = newFile();
  const written = await command('export', '..', '--to', file, '--settings', settings);
  expect(written).toEqual({ code: 0, said: `✓ Written: ${file}\n` });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(messages(file)).toContain('Hello from ..');
  const again = await command('export', '..', '--to', file, '--settings', settings);
  expect(again).toEqual({ code: 74, said: `✗ ${file} is there already: name another file\n` });
  const piped = newFile();
  const line = `"$0" ${quick} export .. --settings ${settings} > ${piped}`;
  execFileSync('sh', ['-c', line, process.execPath], { cwd: root, env });
  expect(messages(piped)).toBe(messages(file));
});

test('erase: only with --yes where nobody can be asked, and the server does it', async () => {
  await talker('31');
  const asked = await command('erase', '31', '--settings', settings);
  expect(asked).toEqual({ code: 64, said: expect.stringContaining('--yes erases without a question') });
  expect(await isKnown('31')).toBe(true);
  const done = await command('erase', '31', '--yes', '--settings', settings);
  expect(done).toEqual({ code: 0, said: expect.stringContaining('✓ 31 is being erased') });
  await expect.poll(() => isKnown('31')).toBe(false);
});

test('erase on a terminal: only after the id has been typed again', async () => {
  await talker('32');
  /** `script` gives the command a terminal. */
  const typed = async (answer: string) => {
    const line = `'${process.execPath}' ${quick} erase 32 --messages delete --settings ${settings}`;
    const child = startChild('script', ['-qefc', line, '/dev/null'], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH },
    });
    const ended = new Promise<number>((resolve) => child.process.on('close', resolve));
    await child.until(/Name of 32 \(32\) will be erased, with all messages[\s\S]*\? Type the id again/);
    child.process.stdin?.write(`${answer}\n`);
    return ended;
  };
  expect(await typed('y')).toBe(64);
  expect(await isKnown('32')).toBe(true);
  expect(await typed('32')).toBe(0);
  await expect.poll(() => isKnown('32')).toBe(false);
});

test('export and erase say what to do if the server knows no such user, has another key, or does not answer', async () => {
  const asked = size(
    [
      ['export', '99'],
      ['erase', '99', '--yes'],
    ],
    [['erase', '99', '--yes']],
  );
  const answers = (file: string) => Promise.all(asked.map((args) => command(...args, '--settings', file)));
  const both = (code: number, said: RegExp) => asked.map(() => ({ code, said: expect.stringMatching(said) }));
  expect(await answers(settings)).toEqual(both(67, /^✗ The chat knows no user with this id/));
  const other = settingsFile({ CHAT_API_KEY: 'geheim-geheim-geheim' });
  expect(await answers(other)).toEqual(
    both(78, /^✗ The chat server has another key, or none: .* start it again/),
  );
  expect(await answers(settingsFile({ CHAT_API_KEY: '' }))).toEqual(
    both(78, /set CHAT_API_KEY_FILE as in docs/),
  );
  const port = await ownPort();
  expect(await answers(settingsFile({ CHAT_PORT: String(port) }))).toEqual(
    both(
      69,
      new RegExp(
        `^✗ No chat server answers at 127\\.0\\.0\\.1:${port} \\(ECONNREFUSED\\): start it .*npm run server`,
      ),
    ),
  );
});

test('load: users write into a room at a rate, and each message is acknowledged and arrives once at all of them', async () => {
  const file = newFile();
  const cookies = await Promise.all(['41', '42', '43'].map((id) => site.session(id)));
  writeFileSync(file, `${cookies.join('\n')}\n\n`);
  const to = ['load', '--url', site.chat.url, '--cookie-file', file];
  const numbers = ['--connections', '4', '--rate', '12', '--seconds', '1'];
  const ms = String.raw`p50 \d+\.\d ms, p99 \d+\.\d ms`;
  expect(await command(...to, '--room', 'lobby', ...numbers)).toEqual({
    code: 0,
    said: expect.stringMatching(
      new RegExp(
        `^✓ Connections: 4 of 4
✓ Acknowledged messages: 12 of 12
✓ Lost: 0, doubled: 0, of 48 deliveries
  Delay until a message is acknowledged: ${ms}
  Delay until it has arrived: ${ms}
$`,
      ),
    ),
  });
  const reader = await connectChat(site.chat.url, await site.session('44'));
  const { messages } = await reader.request('room:join', { room: 'lobby' });
  const texts = messages.map(({ text }) => text).filter((text) => text.startsWith('Load test'));
  expect(texts.sort()).toEqual(Array.from({ length: 12 }, (_, n) => `Load test: message ${n + 1}`).sort());
  reader.close();

  expect(await command(...to, '--room', 'nowhere')).toEqual({
    code: 69,
    said: `✗ No connection got into the room nowhere at ${site.chat.url} (unknown_room: 3)\n`,
  });
  for (const wrong of size(['0', '1001', '2.5', '1e2'], ['1001'])) {
    const { code, said } = await command(...to, '--room', 'lobby', '--connections', wrong);
    expect([code, said]).toEqual([
      64,
      expect.stringMatching(/^✗ --connections is a whole number from 1 to 1000/),
    ]);
  }
  writeFileSync(file, 'PHPSESSID=none-of-anybody\n');
  const strangers = await command(...to, '--room', 'lobby');
  expect(strangers).toEqual({ code: 69, said: expect.stringContaining('(unauthorized: 1)') });
  writeFileSync(file, `${cookies[0]}\ngeheim\n`);
  expect(await command(...to, '--room', 'lobby')).toEqual({
    code: 65,
    said: `✗ Line 2 of ${file} is no cookie such as PHPSESSID=…\n`,
  });
});
