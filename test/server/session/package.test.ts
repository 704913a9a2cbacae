import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { phpRequest } from '../../helpers/php-request.ts';

/** `server/session/` as others use it: compiled, and on the oldest Node of this machine. */
const root = resolve(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'php-session-'));
const compiled = join(folder, 'session');

beforeAll(() => {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const project = join(root, 'server/session/tsconfig.build.json');
  execFileSync(process.execPath, [compiler, '--noCheck', '-p', project, '--outDir', compiled]);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The Node of these tests, or the machine's own if that is another one, 20.19 or later. */
const { program, version } = [
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
  .filter(({ version }) => version >= 20.19)
  .reduce((oldest, one) => (one.version < oldest.version ? one : oldest));

/** Runs code with the package, which prints its answers as JSON. */
function run(code: string, by = program): unknown {
  const file = join(folder, 'read.js');
  writeFileSync(
    file,
    `import { formats, openSessions, StoreError } from '${compiled}/index.js'; import { rmSync } from 'node:fs'; ${code}`,
  );
  return JSON.parse(execFileSync(by, [file], { cwd: folder, encoding: 'utf8' }));
}

test('knows the users of real PHP sessions', () => {
  const settings = { 'session.save_handler': 'files', 'session.save_path': folder };
  const session = (code: string) => phpRequest(settings, code);
  const ann = session('$_SESSION["user_id"] = 42; $_SESSION["firstname"] = "Ann 张"');
  const mail = session('$_SESSION = ["user_id" => 7, "username" => "Bob", "auth_secret" => "x"]');
  const left = session('$_SESSION["user_id"] = 7; $_SESSION["username"] = "Bob"');
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
    42,
    expect.stringContaining(version >= 22.13 ? 'no SQLite file' : 'sqlite: needs Node 22.13'),
  ]);
});

test('knows the users of a site by its folder, from a request or its Cookie header', () => {
  const site = join(folder, 'site');
  const files = join(site, 'sessions');
  const key = Buffer.alloc(32, 7).toString('base64');
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(site, path)), { recursive: true });
    writeFileSync(join(site, path), text);
  };
  write('artisan', '');
  write('bootstrap/app.php', '');
  write('.env', `APP_KEY=base64:${key}`);
  write('config/app.php', "<?php return ['key' => env('APP_KEY')];");
  write(
    'config/session.php',
    `<?php return ['driver' => 'file', 'files' => '${files}', 'cookie' => 'laravel_session', 'lifetime' => 120];`,
  );
  mkdirSync(files);
  write(
    'config/database.php',
    `<?php return ['default' => 'sqlite', 'connections' => ['sqlite' => ['driver' => 'sqlite', 'database' => '${join(site, 'users')}']]];`,
  );
  const users = new DatabaseSync(join(site, 'users'));
  users.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (7, 'Zoe')");
  users.close();
  const job = JSON.stringify([{ cipher: 'aes-256-cbc', key, encrypt: false }]);
  const made = execFileSync('php', [join(root, 'test/fixtures/laravel.php'), files, job], {
    encoding: 'utf8',
  });
  const [answer] = JSON.parse(made);
  const answers = run(
    `const cookie = 'laravel_session=${answer.cookie}';
    const sessions = openSessions({ site: '${site}', userName: 'name' });
    const gone = openSessions({ site: '${site}/none' });
    // The disk of a busy machine may be late.
    const again = async (ask) => {
      for (;;) {
        const answer = await ask().catch(() => false);
        if (answer !== false && answer?.code !== 'session_store_unavailable') return answer;
      }
    };
    const read = (given) => again(() => sessions.readSession(given));
    const known = await read(cookie);
    const answers = [
      known.user,
      (await read({ headers: { cookie }, socket: { remoteAddress: '127.0.0.1' } })).user.id,
      (await read(new Request('http://localhost/', { headers: { cookie } }))).user.id,
      await again(() => sessions.changed(known)),
      await again(() => sessions.answers()),
      (await gone.readSession(cookie)).code,
      await gone.answers(),
    ];
    rmSync('${join(files, answer.id)}');
    answers.push((await again(() => sessions.changed(known))).state, (await read(cookie)).code);
    console.log(JSON.stringify(answers));
    for (const one of [sessions, gone]) one.close();`,
    // Node 20 has no SQLite.
    process.execPath,
  );
  expect(answers).toEqual([
    ...[{ id: '7', name: 'Zoë 张伟' }, '7', '7', null, true],
    ...['session_store_unavailable', false, 'nobody', 'unauthorized'],
  ]);
});
