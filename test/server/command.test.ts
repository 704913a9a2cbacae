import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { strFromU8, unzipSync } from 'fflate';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import * as erase from '../../server/command/erase.ts';
import * as exporting from '../../server/command/export.ts';
import * as version from '../../server/command/version.ts';
import { connectChat } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { bundled, ownPort, startChild } from '../helpers/child.ts';
import { commandHere } from '../helpers/command-here.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const key = 'a-key-of-more-than-16-characters';
const program = 'server/command/main.ts';
/** The bundled program, for commands that a shell starts. */
const [quick] = bundled([program], root, {});
let site: ChatSite<RunningChat>;
let folder: string;
let settings: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'command-'));
  site = await startChatSite({ CHAT_API_KEY: key }, chatServerHere);
  settings = settingsFile();
});
afterAll(async () => {
  await site.close();
  rmSync(folder, { recursive: true });
});

let files = 0;
const newFile = (text?: string) => {
  const file = join(folder, String(++files));
  if (text !== undefined) writeFileSync(file, text);
  return file;
};

/** Writes a settings file for the server of `site`, with overrides. */
function settingsFile(other: Record<string, string> = {}): string {
  const all = {
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_PORT: String(site.chat.port),
    CHAT_API_KEY: key,
    ...other,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}='${value}'\n`);
  return newFile(lines.join(''));
}

const commands = { erase, export: exporting, version };
const command = (name: keyof typeof commands, ...args: string[]) => commandHere(commands[name].run, args, {});

/** Runs the whole program in a separate process. */
async function run(...args: string[]): Promise<{ code: number; said: string }> {
  const env = { PATH: process.env.PATH };
  const child = startChild(process.execPath, [program, ...args], { cwd: root, env });
  const code = await new Promise<number>((resolve) => child.process.on('close', resolve));
  return { code, said: child.output() };
}

/** Creates a user with one message. */
async function talker(id: string): Promise<void> {
  const client = await connectChat(site.chat.url, await site.session(id, `Name of ${id}`));
  const room = 'lobby';
  await client.request('room:join', { room });
  await client.request('message:send', { room, text: `Hello from ${id}`, clientId: `c-${files++}` });
  client.close();
}

const isKnown = async (id: string) => {
  const headers = { Authorization: `Bearer ${key}` };
  return (await fetch(`${site.chat.url}/api/users/${id}`, { headers })).status === 200;
};

test('--help lists all commands, each with usage and an example', async () => {
  const { code, said } = await run('--help');
  expect(code).toBe(0);
  const names = [...said.matchAll(/^ {2}([\w-]+) /gm)].map(([, name = '']) => name);
  expect(names).toEqual([
    ...['init', 'run', 'doctor', 'session-server', 'backup', 'restore', 'move', 'import', 'export'],
    ...['erase', 'receive-mail', 'version'],
  ]);
  for (const name of names) {
    const { help } = (await import(`../../server/command/${name}.ts`)) as { help: string };
    expect(help, name).toMatch(/^npm run .*\n[\s\S]*\nExample: .*npm run .*$/);
  }
});

test('help NAME prints the help of the command, and --version the version', async () => {
  expect(await run('help', 'doctor')).toEqual(await run('doctor', '--help'));
  expect((await run('help', 'doctor')).said).toMatch(/^npm run doctor/);
  for (const option of ['--version', '-V']) expect(await run(option)).toEqual(await run('version'));
});

test.each<[string[], RegExp]>([
  [['help', 'rum'], /^✗ There is no command "rum"\n\nUsage: /],
  [['rum'], /^✗ There is no command "rum"\n\nUsage: /],
  [
    ['run', '--prot', '1'],
    /^✗ Unknown option '--prot'[\s\S]*\nnpm run server -- \[--settings FILE\] \[--check\]\n/,
  ],
  [['postgres://chat:s/cr@t@host/chat'], /^✗ There is no command "postgres:\/\/…@host\/chat"\n/],
  [['move', 'mysql://chat:s/cr@t@host/chat'], /^✗ Unexpected argument 'mysql:\/\/…@host\/chat'\. /],
])(
  'explains the mistake and the usage of %j without a password, and exits with 64',
  async (args, expected) => {
    expect(await run(...args)).toEqual({ code: 64, said: expect.stringMatching(expected) });
  },
);

test('begins an error as it is with the address of a database', async () => {
  const settings = newFile('CHAT_HISTORY=postgres://chat:secret@127.0.0.1:1/chat\nCHAT_FILES=off\n');
  expect(await run('move', '--to', newFile('sqlite:/new'), '--settings', settings)).toEqual({
    code: 69,
    said: expect.stringMatching(/^✗ postgres:\/\/127\.0\.0\.1:1\/chat cannot be used: /),
  });
});

test.each<[keyof typeof commands, string[], RegExp]>([
  ['erase', ['7', '--messages', 'some'], /^--messages must be anonymise or delete/],
  ['export', [], /^the user ID is missing\n\nnpm run -s command -- export USER/i],
  ['export', ['7', '8'], /^expected one user, got 2/i],
])('%s %j explains the mistake and exits with 64', async (name, args, expected) => {
  expect(await command(name, ...args)).toEqual({ code: 64, said: expect.stringMatching(expected) });
});

test('version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const said = `php-session-chat ${version} (Node ${process.versions.node})`;
  expect(await command('version')).toEqual({ code: 0, said });
});

test('session-server reads a settings file, which the environment overrides', async () => {
  const file = newFile('SESSION_SERVER_PORT=0\nSESSION_SERVER_HOST=127.0.0.1\nSESSION_SERVER_LIFETIME=x\n');
  const child = startChild(process.execPath, [program, 'session-server', '--settings', file], {
    cwd: root,
    env: { PATH: process.env.PATH, SESSION_SERVER_LIFETIME: '60' },
  });
  await child.until(/"host":"127\.0\.0\.1","port":\d+.*"msg":"listening"/);
  expect(await child.stop()).toBe(0);
  expect(await run('session-server', '--settings', file)).toEqual({
    code: 78,
    said: expect.stringContaining('SESSION_SERVER_LIFETIME: "x" is not'),
  });
});

test('export writes the archive of the API to a private file or the standard output', async () => {
  // A URL with this ID changes when it is resolved.
  await talker('..');
  const messages = (archive: string) =>
    strFromU8(unzipSync(readFileSync(archive))['messages.jsonl'] as Uint8Array);
  const file = newFile();
  const written = await command('export', '..', '--to', file, '--settings', settings);
  expect(written).toEqual({ code: 0, said: `✓ Written: ${file}` });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(messages(file)).toContain('Hello from ..');
  const again = await command('export', '..', '--to', file, '--settings', settings);
  expect(again).toEqual({ code: 74, said: `${file} already exists: choose another file` });
  const piped = newFile();
  const line = `"$0" ${quick} export .. --settings ${settings} > ${piped}`;
  // The server runs in this process, so waiting synchronously would block it.
  const shell = startChild('sh', ['-c', line, process.execPath], { cwd: root });
  expect(await new Promise((resolve) => shell.process.on('close', resolve))).toBe(0);
  expect(messages(piped)).toBe(messages(file));
});

test('erase needs --yes without a terminal', async () => {
  await talker('31');
  const asked = await command('erase', '31', '--settings', settings);
  expect(asked).toEqual({ code: 64, said: expect.stringContaining('add --yes to erase without it') });
  expect(await isKnown('31')).toBe(true);
  const done = await command('erase', '31', '--yes', '--settings', settings);
  expect(done).toEqual({ code: 0, said: expect.stringContaining('✓ 31 is being erased') });
  await expect.poll(() => isKnown('31')).toBe(false);
});

test('erase on a terminal requires the ID to be typed again', async () => {
  await talker('32');
  /** `script` provides a terminal. */
  const typed = async (answer: string) => {
    const line = `'${process.execPath}' ${quick} erase 32 --messages delete --settings ${settings}`;
    const child = startChild('script', ['-qefc', line, '/dev/null'], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH },
    });
    const ended = new Promise<number>((resolve) => child.process.on('close', resolve));
    await child.until(/Name of 32 \(32\) will be erased, with all messages[\s\S]*\? Type the ID again/);
    child.process.stdin?.write(`${answer}\n`);
    return ended;
  };
  expect(await typed('y')).toBe(64);
  expect(await isKnown('32')).toBe(true);
  expect(await typed('32')).toBe(0);
  await expect.poll(() => isKnown('32')).toBe(false);
});

test.each([
  ['export', ['99']],
  ['erase', ['99', '--yes']],
] as const)(
  '%s explains an unknown user, a wrong key, and a missing or foreign server',
  async (name, args) => {
    const port = await ownPort();
    const foreign = createServer((_, response) => void response.writeHead(500).end('x'.repeat(70_000)));
    onTestFinished(() => void foreign.close());
    await once(foreign.listen(0, '127.0.0.1'), 'listening');
    const { port: foreignPort } = foreign.address() as AddressInfo;
    for (const [other, code, expected] of [
      [{}, 67, /^the chat has no user with this ID/],
      [
        { CHAT_API_KEY: 'geheim-geheim-geheim' },
        78,
        /^the chat server has a different API key or none: restart it/,
      ],
      [{ CHAT_API_KEY: '' }, 78, /set CHAT_API_KEY_FILE as in docs/],
      [
        { CHAT_PORT: String(port) },
        69,
        new RegExp(
          `^no chat server responds at 127\\.0\\.0\\.1:${port} \\(ECONNREFUSED\\): start it .*npm run server`,
        ),
      ],
      [{ CHAT_PORT: String(foreignPort) }, 69, /the response is longer than expected/],
    ] as const)
      expect(await command(name, ...args, '--settings', settingsFile(other))).toEqual({
        code,
        said: expect.stringMatching(expected),
      });
  },
);
