import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { chatProgram, historyFolder, usual } from '../../helpers/chat-server.ts';
import { startChild } from '../../helpers/child.ts';

const root = join(import.meta.dirname, '../../..');
/** What only the fetcher of pages may do. */
const network = ['connect to a port', 'send a datagram', 'ask for a name', 'fetch an address', 'listen'];
/** What the kernel lets code do that has taken over a process: nothing outside of the process. */
const within = ['call native code', 'run a text as code'];
const confined = {
  attempts: 38,
  isForbidden: false,
  unchanged: true,
  noNewPrivileges: '1',
  filters: 1,
  fileSize: '0',
  core: '0',
  killedFirst: '1000',
};

/** Starts the stand-in as a server of this user does. `done`: what it may do, which a kernel without Landlock cannot bound. */
async function attempt(
  kind: string,
  uid: number,
  mode: string,
  done: string[],
  program = root,
  launcher: readonly string[] = [],
) {
  const script = join(program, 'test/helpers/try-stand-in.ts');
  const [command = '', ...args] = [...launcher, process.execPath, script, kind, mode];
  const { stdout } = await promisify(execFile)(command, args, {
    uid,
    gid: uid,
    env: { CHAT_API_KEY: 'secret', PATH: process.env.PATH ?? '' },
  });
  const { landlock, ...result } = JSON.parse(stdout);
  // Version 6 also holds back signals.
  if (mode === 'taken over' && landlock < 6) Object.assign(result, { done, unchanged: true });
  return result;
}

test.each([
  ['root', 'pages', 0, '65531', 'running', network],
  ['its own user', 'pages', 1234, '1234', 'taken over', [...within, ...network]],
])(
  'a server that runs as %s: its process for %s reads no files, environment or memory, starts nothing, uses no network unless it fetches pages, and is killed first if memory runs out (user %i: %s, %s)',
  async (_, kind, uid, user, mode, done) => {
    expect(await attempt(kind, uid, mode, done)).toEqual({ done, user, ...confined });
  },
);

test('under a service that forbids Landlock, the processes start without it', async () => {
  expect(await attempt('types', 1234, 'filtered', [])).toEqual({
    ...confined,
    filters: 0,
    done: [],
    user: '1234',
    isForbidden: true,
  });
});

test('root without the capability to become another user runs the processes as root and logs it', async () => {
  const [launcher = '', ...args] = ['setpriv', '--bounding-set', '-setuid,-setgid'];
  const done = ['become root'];
  expect(await attempt('pictures', 0, 'running', done, root, [launcher, ...args])).toEqual({
    done,
    user: '0',
    ...confined,
  });
  const history = historyFolder();
  const sessions = `file://${tmpdir()}`;
  const server = startChild(launcher, [...args, process.execPath, ...chatProgram], {
    cwd: root,
    env: { ...usual, PATH: process.env.PATH, CHAT_SESSION_STORE: sessions, CHAT_HISTORY: history.url },
  });
  onTestFinished(async () => {
    await server.stop();
    history.remove();
  });
  await server.until(/"reason":"Uploaded files and linked pages are read as root, because/);
});

test('root in a folder that other accounts cannot read: the processes run as root, and the kernel confines them', async () => {
  const program = mkdtempSync(join(tmpdir(), 'chat-private-'));
  onTestFinished(() => rmSync(program, { recursive: true }));
  for (const name of ['package.json', 'server', 'test/helpers'])
    cpSync(join(root, name), join(program, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(program, 'node_modules'));
  const done = [...within, 'become root'];
  expect(await attempt('pictures', 0, 'taken over', done, program)).toEqual({ done, user: '0', ...confined });
});
