import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { chatProgram, historyFolder, usual } from '../../helpers/chat-server.ts';
import { startChild } from '../../helpers/child.ts';

const root = join(import.meta.dirname, '../../..');
/** Only the process that fetches pages may do this. */
const network = ['connect to a port', 'send a datagram', 'ask for a name', 'fetch an address', 'listen'];
/** What code that took over the process may do. None of it reaches outside of the process. */
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

/** Starts the stand-in as a server of this user would. If the kernel's Landlock is too old, the result contains `done`. */
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
  // Version 6 also confines signals.
  if (mode === 'taken over' && landlock < 6) Object.assign(result, { done, unchanged: true });
  return result;
}

test.each([
  ['root', 'pages', 0, '65531', 'running', network],
  ['its own user', 'pages', 1234, '1234', 'taken over', [...within, ...network]],
])(
  'a server of %s confines the process for %s (started by %i, runs as %s, %s)',
  async (_, kind, uid, user, mode, done) => {
    expect(await attempt(kind, uid, mode, done)).toEqual({ done, user, ...confined });
  },
);

test('starts the processes without Landlock under a service that forbids it', async () => {
  expect(await attempt('types', 1234, 'filtered', [])).toEqual({
    ...confined,
    filters: 0,
    done: [],
    user: '1234',
    isForbidden: true,
  });
});

test('runs the processes as root, and logs it, if root cannot change the user', async () => {
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

test('runs the processes as root in a folder that other accounts cannot read', async () => {
  const program = mkdtempSync(join(tmpdir(), 'chat-private-'));
  onTestFinished(() => rmSync(program, { recursive: true }));
  for (const name of ['package.json', 'server', 'test/helpers'])
    cpSync(join(root, name), join(program, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(program, 'node_modules'));
  const done = [...within, 'become root'];
  expect(await attempt('pictures', 0, 'taken over', done, program)).toEqual({ done, user: '0', ...confined });
});
