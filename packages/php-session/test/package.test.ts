import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { phpRequest } from '../../../test/helpers/php-request.ts';
import { connectTo, startReadmeProgram } from './readme-programs.ts';

/** A project with the compiled package, for the oldest Node of this machine. */
const root = resolve(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'php-session-'));

beforeAll(() => {
  const modules = join(root, 'node_modules');
  const installed = join(folder, 'node_modules/php-sessions');
  mkdirSync(installed, { recursive: true });
  const compiler = join(modules, 'typescript/bin/tsc');
  const project = join(root, 'packages/php-session/tsconfig.build.json');
  execFileSync(process.execPath, [compiler, '--noCheck', '-p', project, '--outDir', join(installed, 'dist')]);
  writeFileSync(join(installed, 'package.json'), '{ "type": "module", "main": "./dist/index.js" }');
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const name of readdirSync(modules).filter((name) => name !== 'php-sessions'))
    symlinkSync(join(modules, name), join(folder, 'node_modules', name));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The oldest Node, 22.13 or later, among the Node of these tests and those in PATH. */
const { program } = [
  process.execPath,
  ...(process.env.PATH ?? '')
    .split(delimiter)
    .filter((at) => !at.includes('node_modules') && existsSync(join(at, 'node')))
    .map((at) => join(at, 'node')),
]
  .map((program) => {
    const text = execFileSync(program, ['-p', 'process.versions.node'], { encoding: 'utf8' });
    const [major = 0, minor = 0] = text.split('.').map(Number);
    return { program, version: major + minor / 100 };
  })
  .filter(({ version }) => version >= 22.13)
  .reduce((oldest, one) => (one.version < oldest.version ? one : oldest));

/** Runs code with the package, which prints its answers as JSON. */
function run(code: string): unknown {
  const file = join(folder, 'read.js');
  writeFileSync(file, `import { formats, openSessions, StoreError } from 'php-sessions'; ${code}`);
  return JSON.parse(execFileSync(program, [file], { cwd: folder, encoding: 'utf8' }));
}

test('knows the users of real PHP sessions', () => {
  const settings = { 'session.save_handler': 'files', 'session.save_path': folder };
  const session = (code: string) => phpRequest(settings, code);
  const ann = session('$_SESSION["user_id"] = 42; $_SESSION["firstname"] = "Ann 张"');
  const mail = session('$_SESSION = ["user_id" => 7, "username" => "Bob", "auth_secret" => "x"]');
  const left = session('$_SESSION["user_id"] = 7; $_SESSION["username"] = "Bob"');
  const cacti = session('$_SESSION["sess_user_id"] = 7');
  mkdirSync(join(folder, 'cacti/include'), { recursive: true });
  writeFileSync(join(folder, 'cacti/include/global.php'), '<?php $cacti_session_name;');
  writeFileSync(join(folder, 'cacti/include/config.php'), "<?php $cacti_session_name = 'C2';");
  const answers = run(`
    const store = 'file://${folder}?timeout=9999ms';
    const sessions = openSessions({ store });
    const known = await sessions.readSession('a=b; PHPSESSID=${ann}');
    const paths = { store, userId: 'user_id', userName: 'username', userRequire: 'auth_secret' };
    const roundcube = openSessions({ store, site: 'roundcube:', cookieName: 'mail' });
    const gone = openSessions({ store: 'file://${folder}/gone' });
    const table = openSessions({ store: 'sqlite:${folder}/none.db?table=sessions&id=id&data=data' });
    console.log(JSON.stringify(await Promise.all([
      known.user,
      sessions.changed(known),
      sessions.readSession('PHPSESSID=${'n'.repeat(26)}').then(({ code }) => code),
      sessions.readSession(undefined).then(({ code }) => code),
      openSessions(paths).readSession('PHPSESSID=${mail}').then(({ user }) => user),
      openSessions({ store, userNobody: '41, 42' }).readSession('PHPSESSID=${ann}').then(({ code }) => code),
      roundcube.readSession('mail=${mail}').then(({ user }) => user),
      roundcube.readSession('mail=${left}').then(({ code }) => code),
      gone.readSession('PHPSESSID=${ann}').then(({ code }) => code),
      gone.changed(known).catch((error) => error instanceof StoreError),
      gone.answers(),
      openSessions({ store, site: '${folder}/cacti' }).readSession('C2=${cacti}').then(({ user }) => user.id),
      sessions.readSession({ headers: { cookie: 'PHPSESSID=${ann}' }, socket: { remoteAddress: '::1' } }).then(({ user }) => user.id),
      sessions.readSession(new Request('http://localhost/', { headers: { cookie: 'PHPSESSID=${ann}' } })).then(({ user }) => user.id),
      formats.php(known.state.bytes).user_id,
      table.readSession('PHPSESSID=${ann}').then(({ reason }) => reason),
    ])));
    for (const one of [sessions, roundcube, gone, table]) one.close();`);
  expect(answers).toEqual([
    { id: '42', name: 'Ann 张' },
    null,
    'unauthorized',
    'unauthorized',
    { id: '7', name: 'Bob' },
    'unauthorized',
    { id: '7', name: 'Bob' },
    'unauthorized',
    'session_store_unavailable',
    true,
    false,
    '7',
    '42',
    '42',
    42,
    expect.stringContaining('no SQLite file'),
  ]);
});

test('disconnects the client of the README program for Socket.IO at the logout', async () => {
  const settings = { 'session.save_handler': 'files', 'session.save_path': folder };
  const id = phpRequest(settings, '$_SESSION["user_id"] = 42; $_SESSION["firstname"] = "Ann"');
  const port = await startReadmeProgram('Socket.IO', program, folder, { store: `file://${folder}` });
  const cookie = `PHPSESSID=${id}`;
  const { user, disconnected } = connectTo(port, cookie);
  expect(await user).toEqual({ id: '42', name: 'Ann' });
  await expect(connectTo(port, `PHPSESSID=${'n'.repeat(26)}`).user).rejects.toThrow('unauthorized');
  await expect(connectTo(port, cookie, 'https://evil.example').user).rejects.toThrow('websocket error');
  phpRequest(settings, 'session_destroy()', id);
  expect(await disconnected).toBe('io server disconnect');
});
