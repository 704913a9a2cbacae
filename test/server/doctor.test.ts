import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { doctor as examine } from '../../server/doctor/report.ts';
import { findReadOnlyFolders } from '../../server/doctor/service-folders.ts';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { startNginxBalancer } from '../helpers/balancer.ts';
import { makeCertificate } from '../helpers/certificate.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { ownPort, startChild } from '../helpers/child.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { runNginx } from '../helpers/nginx.ts';
import { startUnprivileged } from '../helpers/other-account.ts';
import { phpRequest } from '../helpers/php-request.ts';
import { startLockedRedis, startRedis } from '../helpers/redis.ts';
import { startSiteDatabase } from '../helpers/site-database.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
let id: string;
let memcached: Memcached;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  id = phpRequest(
    { 'session.save_path': folder },
    '$_SESSION["app"] = ["user" => ["id" => 7, "name" => "Zoë"], "n" => 1]; $_SESSION["csrf"] = "s3cret"',
  );
  memcached = await startMemcached();
  await memcached.set(`memc.sess.key.${id}`, 'user_id|i:7;');
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await memcached.stop();
});

const inFiles = () => ({ CHAT_SESSION_STORE: `file://${folder}` });
const lastLine = (options: string) => new RegExp(`needs these options after its \\?: ${options}$`, 'm');

/** A `✗` without advice (`→`). Consecutive problems may share advice. */
const unadvised = /^✗ .*\n(?!✗| {2}→)/m;

/** No server listens there. On the default port, one may run on a developer's machine. */
const unusedPort = String(await ownPort());

/** The first finding, because no server runs with the settings of a test. */
const isDown = /^✗ The chat server does not run: .*\n {2}→ Start it: .*\n/m;

/** Runs the doctor in this process and expects this exit code, apart from the missing server. @returns its other output */
async function doctor(code: number, env: Record<string, string>, ...args: string[]): Promise<string> {
  const said: string[] = [];
  const findings: string[] = [];
  const say = (line: string) => void said.push(`${line}\n`);
  const finding = (line: string) => {
    findings.push(`${line}\n`);
    say(line);
  };
  const given = { CHAT_PORT: unusedPort, ...env };
  const ended = await examine(['--settings=', ...args], given, { finding, problem: say });
  const output = withoutDown(said.join(''));
  expect([ended, output]).toEqual([code === 0 ? 1 : code, expect.any(String)]);
  if (code < 2) expect(/^✗/m.test(output)).toBe(code === 1);
  expect(findings.join('')).not.toMatch(unadvised);
  return output;
}

/** Removes the port, and the finding that no server runs, which must be the first. */
function withoutDown(shown: string): string {
  const output = shown.replace(/^ {2}CHAT_PORT .*\n/m, '');
  if (!isDown.test(output)) return output;
  expect(output.search(/^[✓!✗]/m)).toBe(output.search(isDown));
  return output
    .replace(isDown, '')
    .replace(/^See docs.*\n/m, (line) => (/^✗/m.test(output.replace(isDown, '')) ? line : ''));
}

/** Runs the doctor in a separate process, which must end without being killed. @param input its standard input */
async function doctorProcess(
  code: number,
  env: Record<string, string>,
  args: string[] = [],
  { input, unprivileged = false }: { input?: string; unprivileged?: boolean } = {},
): Promise<string> {
  const program = ['server/command/main.ts', 'doctor', '--settings=', ...args];
  const given = { PATH: process.env.PATH, CHAT_PORT: unusedPort, ...env };
  const child = unprivileged
    ? // Another user cannot use the shared compile cache.
      startUnprivileged(program, { ...given, NODE_COMPILE_CACHE: join(folder, 'compiled') })
    : startChild(process.execPath, program, { cwd: root, env: given, stdio: 'pipe' });
  child.process.stdin?.end(input);
  const [ended] = await once(child.process, 'close');
  const output = withoutDown(child.output());
  expect([ended, output]).toEqual([1, expect.any(String)]);
  expect(/^✗/m.test(output)).toBe(code === 1);
  return output;
}

function sqlite(file: string, sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

/** Writes a session file. @returns the store setting, and the arguments that select the session */
function sessionFile(session: string | Buffer, name = 'sess_') {
  const fileId = randomBytes(16).toString('hex');
  writeFileSync(join(folder, name + fileId), session);
  return [inFiles(), '--cookie', fileId] as const;
}

test('accepts a cookie from standard input and prints no value of the session', async () => {
  const env = { ...inFiles(), CHAT_USER_ID: 'app.user.id', CHAT_USER_NAME: 'app.user.name' };
  // The whole header, as the developer tools of a browser show it.
  const input = `Cookie: lang=de; PHPSESSID=${id}; theme=dark\n`;
  const said = await doctorProcess(0, env, ['--cookie', '-'], { input });
  expect(said).toMatch(/answers[\s\S]*Its keys: app\.user, app\.n, csrf\.[\s\S]*the user 7, called Zoë/);
  expect(said).not.toMatch(/✗|s3cret/);
  expect(said).not.toContain(id);
});

test.each<[string, RegExp, Record<string, string>, Record<string, string>?]>([
  [
    'a path that leads nowhere',
    /user_id is not in the session[\s\S]*→ .*Was CHAT_USER_ID=app\.user\.id meant\?/,
    {},
  ],
  ['another format', /look like php\.\n {2}→ the store URL must have format=php /, { format: 'igbinary' }],
  ['another prefix', lastLine('prefix=sess_'), { prefix: 'ci_session' }],
  ['other folders', lastLine('format=php'), { depth: '1', format: 'php' }],
  ['needless options', /→ CHAT_SESSION_STORE needs no options: remove the \? /, { depth: '1' }],
  ['another folder', /no such folder/, { folder: '/nowhere' }],
  [
    'a user refused by the settings',
    /auth_secret is not in the session[\s\S]*CHAT_USER_REQUIRE or CHAT_USER_NOBODY/,
    {},
    { CHAT_USER_ID: 'app.user.id', CHAT_USER_REQUIRE: 'auth_secret' },
  ],
  [
    'a cookie of another name',
    /^✗ There is no cookie sid among these: lang, PHPSESSID\.\n {2}→ .*CHAT_SESSION_NAME/m,
    {},
    { CHAT_SESSION_NAME: 'sid' },
  ],
])('explains %s and how to fix it', async (_, expected, { folder: at = folder, ...options }, env) => {
  const cookie = env?.CHAT_SESSION_NAME === undefined ? id : `lang=de; PHPSESSID=${id}`;
  const store = `file://${at}?${new URLSearchParams(options)}`;
  const said = await doctor(1, { CHAT_SESSION_STORE: store, ...env }, '--cookie', cookie);
  expect(said).toMatch(expected);
  expect(said).not.toContain('s3cret');
});

test('finds a session that another PHP extension’s handler wrote', async () => {
  const examined = () => doctor(1, { CHAT_SESSION_STORE: memcached.url }, '--cookie', id);
  expect(await examined()).toMatch(lastLine('handler=memcached'));
  // In the compressed format of ext-memcache.
  await memcached.set(id, Buffer.from('not packed'), 0, 2);
  expect(await examined()).toMatch(lastLine('handler=memcached'));
  await memcached.delete(`memc.sess.key.${id}`);
  expect(await examined()).toMatch(lastLine('handler=memcache'));
});

test.each(['plain', 'signed:'])('recognizes a signed cookie with CHAT_SESSION_COOKIE=%s', async (form) => {
  const keyFile = join(folder, 'cookie-keys');
  writeFileSync(keyFile, `${randomBytes(32).toString('base64')}\n`);
  const signed = `0123456789abcdef0123456789abcdef.${'0a'.repeat(32)}`;
  const env = { ...inFiles(), CHAT_SESSION_COOKIE: form === 'plain' ? form : `${form}${keyFile}` };
  const said = await doctor(1, env, '--cookie', signed);
  expect(said).toMatch(
    /(?:the store has no such session|the value of the cookie PHPSESSID is not a session ID)[\s\S]*→ .*TableSession: set CHAT_SESSION_COOKIE=signed:KEYFILE/,
  );
  expect(said).not.toContain(signed.slice(0, 32));
});

test('reports a session entry that is not a regular file', async () => {
  const other = 'f'.repeat(26);
  mkdirSync(join(folder, `sess_${other}`));
  const said = await doctor(1, inFiles(), '--cookie', other);
  expect(said).toMatch(/not a regular file[\s\S]*→ Who owns the file/);
  expect(said).not.toMatch(/handler=|distribution=/);
});

test('explains that the lifetime in the store URL expired a session', async () => {
  const [env, ...args] = sessionFile('user_id|i:7;');
  const ago = Date.now() / 1000 - 1800;
  utimesSync(join(folder, `sess_${args[1]}`), ago, ago);
  expect(await doctor(1, env, ...args)).toMatch(/This session is expired[\s\S]*lifetime=/);
});

test('explains a store error without a stack trace', async () => {
  const db = join(folder, 'site.db');
  sqlite(db, `CREATE TABLE s (id, data, ends); INSERT INTO s VALUES ('${id}', 'user_id|i:7;', 'soon')`);
  const env = { CHAT_SESSION_STORE: `sqlite:${db}?table=s&id=id&data=data&expires=ends` };
  const said = await doctor(1, env, '--cookie', id);
  expect(said).toMatch(/✗ The session store: a value in the column of expires=/);
  expect(said).not.toMatch(/^ +at /m);
});

test('warns if Redis does not permit logout notifications or renewals', async () => {
  const redis = await startLockedRedis('secret');
  onTestFinished(() => redis.remove());
  const said = async (user = '') => {
    const url = `redis://${user}:secret@127.0.0.1:${redis.port}?prefix=`;
    const text = await doctor(0, { CHAT_SESSION_STORE: url });
    expect(text).toMatch(/✓ The session store answers\./);
    return text;
  };
  const set = (flags: string) => redis.ask('CONFIG', 'SET', 'notify-keyspace-events', flags);
  expect(await said()).toMatch(
    /^! .*are not active.*\n {2}→ .*CONFIG SET notify-keyspace-events 'Egx', and put notify-keyspace-events Egx into redis\.conf\.$/m,
  );
  await set('Kx$');
  // Keeps the flags that are already set.
  expect(await said()).toMatch(/CONFIG SET notify-keyspace-events '\$xKEg',/);
  for (const flags of ['Egx', 'KEA', 'AE$']) {
    await set(flags);
    expect(await said()).toMatch(/^✓ The logout notifications of Redis are active\.\n[^ ]/m);
  }
  await redis.ask('ACL', 'SETUSER', 'chat', '~*');
  expect(await said('chat')).toMatch(
    /^! The logout notifications of Redis cannot be checked.*\n {2}→ .*contains E, g and x/m,
  );
  const rules = ['on', '>secret', '~*', '+mget', '+strlen', '+pttl'];
  await redis.ask('ACL', 'SETUSER', 'reader', ...rules);
  expect(await said('reader')).toMatch(/^! Sessions cannot be renewed: .*\+expire/m);
});

test('works without a cookie and explains a wrong one', async () => {
  const env = { CHAT_SESSION_STORE: memcached.url };
  expect(await doctor(0, env)).toMatch(
    /✓ The session store answers\.\n[\s\S]*: npm run doctor -- --cookie -\n/,
  );
  expect(await doctor(1, env, '--cookie', 'n'.repeat(26))).toContain('Is the visitor still logged in?');
  expect(await doctor(1, env, '--cookie', '<script>')).toMatch(
    /value of the cookie PHPSESSID is not a session ID[\s\S]*→ Log in to the site/,
  );
  const packed = 'p'.repeat(26);
  await memcached.set(packed, Buffer.from('not packed'), 0, 2);
  const store = `memcached://127.0.0.1:${memcached.port}?handler=memcache&prefix=`;
  const said = await doctor(1, { CHAT_SESSION_STORE: store }, '--cookie', packed);
  expect(said).toContain('→ Are handler= and distribution= right?');
  expect(await doctor(64, {}, '--cake')).toContain("Unknown option '--cake'");
});

test('lists settings without keys and passwords, and defaults only with --all', async () => {
  const keyFile = join(folder, 'api-key');
  writeFileSync(keyFile, 'geheim-geheim-geheim');
  const env = {
    CHAT_SESSION_STORE: 'redis://site:geheim@127.0.0.1:1/3?prefix=x',
    CHAT_SITE: 'dokuwiki:',
    CHAT_API_KEY_FILE: keyFile,
  };
  const few = await doctor(1, env);
  expect(few).toMatch(/^ {2}CHAT_SESSION_STORE +environment +redis:\/\/site:…@127\.0\.0\.1:1\/3\?prefix=x$/m);
  expect(few).toMatch(/^ {2}CHAT_USER_ID +site +DW\*\.auth\.user$/m);
  expect(few).toContain(keyFile);
  expect(few).toContain('The other settings have their default: --all');
  expect(few).not.toMatch(/geheim|CHAT_HOST/);
  const all = await doctor(1, env, '--all');
  for (const line of [
    /^ {2}CHAT_HOST +default +0\.0\.0\.0$/m,
    /^ {2}CHAT_USER_ROOMS +default +none$/m,
    /^ {2}CHAT_HISTORY /m,
  ])
    expect(all).toMatch(line);
  expect(all).not.toContain('The other settings');
});

test('rejects a misspelt setting and warns of an unknown one', async () => {
  const { CHAT_SESSION_STORE } = inFiles();
  expect(await doctor(78, { CHAT_SESION_STORE: CHAT_SESSION_STORE })).toMatch(
    /^ {2}CHAT_SESION_STORE: there is no such setting; the nearest is CHAT_SESSION_STORE$/m,
  );
  const unknown = await doctor(0, { CHAT_SESSION_STORE, CHAT_STORE: 'x', CHAT_ARCHIVE: '8s' });
  expect(unknown).toMatch(/^! CHAT_STORE: there is no such setting; the nearest is CHAT_SESSION_STORE\./m);
  expect(unknown).toMatch(/^! CHAT_ARCHIVE: there is no such setting in this version\./m);
});

test.each([
  [
    'memcached://127.0.0.1:1',
    'memcached at 127.0.0.1:1',
    'Start memcached, or correct the host, port, user and password in CHAT_SESSION_STORE',
  ],
  [
    'redis://127.0.0.1:1',
    'Redis at 127.0.0.1:1',
    'Start Redis, or correct the host, port, user and password in CHAT_SESSION_STORE',
  ],
  ['file:///none', 'the session folder /none', 'Name the folder of PHP’s session.save_path'],
])('reports that %s cannot be reached, with advice', async (store, named, advice) => {
  expect(await doctor(1, { CHAT_SESSION_STORE: store })).toMatch(
    new RegExp(`^✗ The session store: ${named} cannot be r.*\\.\n {2}→ ${advice}`, 'm'),
  );
});

test('explains how to trust a self-signed certificate of the chat', async () => {
  const { key, certificate } = makeCertificate(folder, 'localhost');
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await doctor(1, inFiles(), '--chat', url)).toMatch(
    /^✗ The chat cannot be reached at .* \(DEPTH_ZERO_SELF_SIGNED_CERT\)\.\n {2}→ .*NODE_EXTRA_CA_CERTS/m,
  );
});

test('reports a cookie name that the site does not use', async () => {
  const site = mkdtempSync(join(folder, 'site-'));
  writeFileSync(join(site, 'index.php'), "<?php session_name('garden'); session_start();");
  const user = { CHAT_USER_ID: 'app.user.id', CHAT_USER_NAME: 'app.user.name' };
  const named = { ...inFiles(), ...user, CHAT_SITE: site, CHAT_SESSION_NAME: 'sid' };
  expect(await doctor(1, named, '--cookie', id)).toMatch(
    /^✗ CHAT_SESSION_NAME is sid, but the site calls its cookie garden\.\n {2}→ Leave CHAT_SESSION_NAME out/m,
  );
  // Browsers may still send a cookie of this name.
  expect(await doctor(0, named, '--cookie', `sid=${id}`)).toContain('the user 7, called Zoë');
  const unnamed = { ...named, CHAT_SESSION_NAME: '' };
  expect(await doctor(0, unnamed, '--cookie', id)).toContain('the user 7, called Zoë');
});

test('does not report that settings can be used with which the server does not start', async () => {
  const site = mkdtempSync(join(folder, 'site-'));
  writeFileSync(join(site, 'index.php'), '<?php');
  const user = { CHAT_USER_ID: 'app.user.id', CHAT_USER_NAME: 'app.user.name' };
  const team = { ...inFiles(), ...user, CHAT_SITE: site, CHAT_SESSION_NAME: 'sid', CHAT_TEAM: 'role:shop' };
  const refused = await doctor(1, team);
  expect(refused).toMatch(/^✗ CHAT_TEAM: .* set CHAT_USER_ROLES/m);
  const usable = '✓ The settings can be used.';
  expect(refused).not.toContain(usable);
  expect(await doctor(0, { ...team, CHAT_USER_ROLES: 'app.roles' })).toContain(usable);
});

test('follows a session to a user without a name', async () => {
  const place = mkdtempSync(join(tmpdir(), 'doctor-'));
  onTestFinished(() => rmSync(place, { recursive: true }));
  const own = 'f'.repeat(32);
  writeFileSync(
    join(place, `sess_${own}`),
    'user_id|i:11;user|a:1:{s:4:"name";s:4:"Anna";}csrf|s:16:"0123456789abcdef";',
  );
  const env = {
    CHAT_SESSION_STORE: `file://${place}`,
    CHAT_HISTORY: `sqlite:${place}/chat.db`,
    CHAT_FILES: `dir:${place}/files`,
    CHAT_ORIGINS: 'https://www.example.org',
    CHAT_TRUSTED_PROXIES: '127.0.0.1',
  };
  expect(await doctor(1, env, '--cookie', own)).toContain(`
✓ The store has a session of this id: 75 bytes.
✓ It can be read as php.
✓ Its keys: user_id, user.name, csrf.
✗ It belongs to the user 11, but without a name, so others see the id: firstname is not in the session.
  → Was CHAT_USER_NAME=user.name meant? If the session does not contain a name: CHAT_USER_NAME=user_id.
`);
});

describe('the server’s own requirements', () => {
  test('checks that this account can create and write the folders of history and files', async () => {
    const history = join(folder, 'not', 'yet', 'chat.db');
    expect(await doctor(0, { ...inFiles(), CHAT_HISTORY: `sqlite:${history}` })).toContain(
      `✓ The history ${history} does not exist yet, and can be created`,
    );
    expect(existsSync(join(folder, 'not'))).toBe(false);
    const inFile = { ...inFiles(), CHAT_HISTORY: `sqlite:${folder}/sess_${id}/chat.db` };
    expect(await doctor(1, inFile)).toMatch(
      /^✗ The history .* cannot be created, because .* is not a folder\.\n {2}→ .*CHAT_HISTORY/m,
    );
    const debians = join(folder, 'debians');
    mkdirSync(debians);
    chmodSync(debians, 0o1333);
    chmodSync(folder, 0o711);
    const settings = {
      CHAT_SESSION_STORE: `file://${debians}`,
      CHAT_HISTORY: 'sqlite:/usr/chat.db',
      CHAT_FILES: 'dir:/usr/files',
    };
    // Root is allowed everything.
    const forbidden = await doctorProcess(1, settings, [], { unprivileged: true });
    for (const line of [
      /^✗ Files cannot be stored in the folder \/usr\/files \(EACCES\)\.\n {2}→ .*CHAT_FILES/m,
      /^✗ The history \/usr\/chat\.db cannot be written \(EACCES\)\.\n {2}→ Let the account/m,
      /^✓ A logout is noticed at the next regular check\./m,
    ])
      expect(forbidden).toMatch(line);
    expect(forbidden).not.toContain('Root may read');
  });

  test('reports a history and files inside the web root of the site', async () => {
    const site = mkdtempSync(join(folder, 'site-'));
    writeFileSync(join(site, 'index.php'), '<?php');
    const places = { CHAT_HISTORY: `sqlite:${site}/data/chat.db`, CHAT_FILES: `dir:${site}/data/files` };
    const own = { CHAT_SITE: site, CHAT_USER_ID: 'user_id', CHAT_USER_NAME: 'name' };
    const said = await doctor(1, { ...own, ...places });
    for (const [title, place] of [
      ['history', 'CHAT_HISTORY=sqlite:'],
      ['files', 'CHAT_FILES=dir:'],
    ]) {
      const advice = ` {2}→ .* ${place}${folder}/php-session-chat/`;
      expect(said).toMatch(new RegExp(`^✗ The path of the ${title}, ${site}/.*\n${advice}`, 'm'));
    }
    // Without CHAT_SITE the web root is unknown.
    expect(await doctor(0, { ...inFiles(), ...places })).not.toContain('The path of');
  });

  test('names the folders that the service of a later package makes read-only', async () => {
    const bin = mkdtempSync(join(tmpdir(), 'systemctl-'));
    onTestFinished(() => rmSync(bin, { recursive: true }));
    const shown = (service: string, properties: string) =>
      `[ "$1 $2" = "show ${service}" ] && printf '${properties.replaceAll(' ', '\\n')}'`;
    const later =
      'LoadState=loaded ProtectSystem=strict StateDirectory=php-session-chat/main ReadWritePaths=-/srv/php';
    const lines = [
      '#!/bin/sh',
      shown('php-session-chat', later),
      shown('php-session-chat@two', 'LoadState=not-found'),
      'exit 0',
    ];
    writeFileSync(join(bin, 'systemctl'), lines.join('\n'), { mode: 0o755 });
    const path = process.env.PATH;
    process.env.PATH = `${bin}:${path}`;
    onTestFinished(() => {
      process.env.PATH = path;
    });
    const found = async (history: string, files: string, name = 'settings') =>
      Array.fromAsync(
        findReadOnlyFolders(
          { history: { kind: 'sqlite', path: history }, files: { kind: 'dir', folder: files } },
          `/etc/php-session-chat/${name}`,
        ),
        ({ text, advice }) => `${text} ${advice}`,
      );
    const data = '/var/lib/php-session-chat';
    // The settings of a package before the folder `main`.
    expect(await found(`${data}/chat.db`, `${data}/files`)).toEqual([
      `The folder of the history, ${data}, is read-only for the service php-session-chat. Stop the service, move the history to ${data}/main, and correct CHAT_HISTORY=sqlite:…; or add ReadWritePaths=${data} by: systemctl edit php-session-chat`,
      expect.stringContaining(`The folder of the files, ${data}/files, is read-only`),
    ]);
    expect(await found(`${data}/main/chat.db`, '/srv/php')).toEqual([]);
    expect(await found(`${data}/chat.db`, `${data}/files`, 'two.conf')).toEqual([]);
    expect(await found(`${data}/chat.db`, `${data}/files`, 'elsewhere')).toEqual([]);
  });

  test('names a history database that cannot be reached, without the password', async () => {
    const history = 'postgres://chat:geheim@127.0.0.1:1/chat';
    const said = await doctor(1, { ...inFiles(), CHAT_HISTORY: history });
    expect(said).toMatch(
      /^✗ The history postgres:\/\/127\.0\.0\.1:1\/chat cannot be opened: PostgreSQL: .*ECONNREFUSED.*\n {2}→ /m,
    );
    expect(said).not.toContain('geheim');
  });

  test('checks that CHAT_ORIGINS lists the origin of a page', async () => {
    const env = { ...inFiles(), CHAT_ORIGINS: 'https://www.example.org', CHAT_TRUSTED_PROXIES: '127.0.0.1' };
    expect(await doctor(0, env, '--origin', 'https://www.example.org/forum/?page=1')).toContain(
      '✓ Pages of https://www.example.org may connect.',
    );
    expect(await doctor(1, env, '--origin', 'http://example.org')).toMatch(
      /^✗ Pages of http:\/\/example\.org may not connect.*\n {2}→ Add it, and restart the server: CHAT_ORIGINS=https:\/\/www\.example\.org,http:\/\/example\.org\. https:\/\/www\.example\.org is another origin/m,
    );
    const onlyLocal = /^! Only pages of this machine may connect/m;
    expect(await doctor(0, inFiles())).toMatch(onlyLocal);
    const both = { ...env, CHAT_ORIGINS: `http://localhost:8080,${env.CHAT_ORIGINS}` };
    expect(await doctor(0, both)).not.toMatch(onlyLocal);
    expect(await doctor(64, env, '--origin', 'www.example.org')).toContain('--origin');
  });

  const missing =
    /^✗ All visitors would share the limits of one address: .*\n {2}→ Set CHAT_TRUSTED_PROXIES=127\.0\.0\.1/m;
  test.each<[string, number, Record<string, string>, RegExp]>([
    ['missing behind a proxy', 1, {}, missing],
    [
      'missing behind a proxy on this machine',
      1,
      { CHAT_HOST: '127.0.0.1', CHAT_ORIGINS: 'http://example.org' },
      missing,
    ],
    [
      'all addresses',
      1,
      { CHAT_TRUSTED_PROXIES: '10.0.0.1,0.0.0.0/0' },
      /^✗ CHAT_TRUSTED_PROXIES has 0\.0\.0\.0\/0/m,
    ],
    ['right', 0, { CHAT_TRUSTED_PROXIES: '10.0.0.1' }, /^[^✗]*$/],
  ])('checks trusted proxies: %s', async (_, code, env, expected) => {
    const proxied = { ...inFiles(), CHAT_ORIGINS: 'https://www.example.org', ...env };
    expect(await doctor(code, proxied)).toMatch(expected);
  });
});

describe('the content of a session', () => {
  test('reports a user without a name, and suggests the right path', async () => {
    const [env, ...args] = sessionFile('user_id|i:11;user|a:1:{s:4:"name";s:3:"Zoe";}');
    const said = await doctor(1, env, ...args);
    expect(said).toMatch(
      /^✗ It belongs to the user 11, but without a name, .*firstname is not in the session\.\n {2}→ Was CHAT_USER_NAME=user\.name meant\?/m,
    );
    expect(said).not.toContain('Zoe');
    expect(await doctor(0, { ...env, CHAT_USER_NAME: 'user_id' }, ...args)).toContain(
      '✓ It belongs to the user 11, called 11.',
    );
  });

  test('escapes dots in keys and suggests the path with backslashes', async () => {
    const [env, ...args] = sessionFile('app.v2|a:1:{s:4:"us.r";a:1:{s:2:"id";i:7;}}');
    const said = await doctor(1, { ...env, CHAT_USER_ID: 'app.v2.us.r.id' }, ...args);
    expect(said).toContain('Its keys: app\\.v2.us\\.r.');
    expect(said).toContain('Was CHAT_USER_ID=app\\.v2.us\\.r.id meant?');
    const right = { ...env, CHAT_USER_ID: 'app\\.v2.us\\.r.id' };
    expect(await doctor(1, right, ...args)).toContain('It belongs to the user 7');
  });

  test('lists objects by class and serialized strings, and suggests the missing !', async () => {
    const token = 'O:9:"App\\Token":1:{s:4:"user";a:1:{s:2:"id";i:7;}}';
    const [env, ...args] = sessionFile(
      `user|O:8:"App\\User":1:{s:5:"\0*\0id";i:7;}token|s:${token.length}:"${token}";`,
    );
    const said = await doctor(1, { ...env, CHAT_USER_ID: 'token.user.id' }, ...args);
    expect(said).toMatch(/^✓ Objects in it: user \(App\\User\)\./m);
    expect(said).toMatch(/^✓ Serialized strings in it .* ! .*: token!\.$/m);
    expect(said).toContain('Was CHAT_USER_ID=token!.user.id meant?');
    const right = { ...env, CHAT_USER_ID: 'token!.user.id' };
    expect(await doctor(1, right, ...args)).toContain('It belongs to the user 7');
  });

  const note = 'note|s:40:"a text that is long enough for 64 bytes.";';
  test.each<[string | Buffer, string, string]>([
    ['O:8:"stdClass":1:{s:2:"id";i:7;}', 'a serialized object', 'format=php_serialize'],
    [deflateRawSync('a:1:{s:7:"user_id";i:7;}'), 'raw deflated data', 'layers=inflate&format=php_serialize'],
    [deflateRawSync(`user_id|i:7;${note}`).toString('base64'), 'base64', 'layers=base64,inflate'],
  ])('recognizes %s and names the options of the store URL', async (session, looks, options) => {
    const [{ CHAT_SESSION_STORE: store }, ...args] = sessionFile(session);
    expect(await doctor(1, { CHAT_SESSION_STORE: store }, ...args)).toContain(
      `the bytes look like ${looks}.\n  → the store URL must have ${options} (`,
    );
    const right = await doctor(1, { CHAT_SESSION_STORE: `${store}?${options}` }, ...args);
    expect(right).toContain('✓ It can be read as php');
  });

  test('never accepts or suggests Symfony’s last_username as a user', async () => {
    const [store, ...args] = sessionFile('_sf2_attributes|a:1:{s:23:"_security.last_username";s:5:"admin";}');
    const env = { ...store, CHAT_SITE: 'symfony:' };
    const visitor = await doctor(1, env, ...args);
    expect(visitor).toMatch(/^! _sf2_attributes\._security\\\.last_username is not a user/m);
    expect(visitor).not.toContain('Was CHAT_USER_ID');
    const typed = { ...env, CHAT_USER_ID: '_sf2_attributes._security\\.last_username' };
    expect(await doctor(1, typed, ...args)).toMatch(
      /^✗ CHAT_USER_ID=.*last_username is whatever a visitor typed[\s\S]*→ Never use it/m,
    );
  });

  test('shows rooms, roles and ban of the user, and wrong paths to them', async () => {
    const [store, ...args] = sessionFile(
      'user_id|i:7;firstname|s:3:"Zoe";teams|a:2:{i:0;s:1:"a";i:1;s:1:"b";}role|s:9:"moderator";out|i:1;',
    );
    const env = { ...store, CHAT_USER_ROOMS: 'teams', CHAT_USER_ROLES: 'role' };
    expect(await doctor(0, env, ...args)).toMatch(
      /^✓ It puts the user into 2 groups\.\n✓ Roles of the user: moderator\.$/m,
    );
    const paths = { CHAT_USER_ROOMS: 'team', CHAT_USER_ROLES: 'role!.x', CHAT_USER_BANNED: 'out' };
    const bad = await doctor(1, { ...env, ...paths }, ...args);
    for (const line of [
      /^! CHAT_USER_ROOMS finds no groups of this user: team is not in the session\./m,
      /^✗ CHAT_USER_ROLES cannot be read: role is a string, but not a serialized one\./m,
      /^! The site has banned this user \(CHAT_USER_BANNED\)\./m,
    ])
      expect(bad).toMatch(line);
  });
});

describe('a session under an unknown prefix', () => {
  const bytes = 'user_id|i:7;firstname|s:3:"Zoe";';

  test('is found in files', async () => {
    const [env, ...args] = sessionFile(bytes, 'odd-');
    expect(await doctor(1, env, ...args)).toMatch(lastLine('prefix=odd-'));
  });

  test('is found in memcached', async () => {
    const other = randomBytes(16).toString('hex');
    await memcached.set(`my_site/${other}`, bytes);
    const store = `memcached://127.0.0.1:${memcached.port}?handler=memcached`;
    expect(await doctor(1, { CHAT_SESSION_STORE: store }, '--cookie', other)).toMatch(
      lastLine('.*prefix=my_site/'),
    );
  });

  test('is found in Redis, or the existing prefixes are listed', async () => {
    const redis = await startLockedRedis('secret');
    onTestFinished(() => redis.remove());
    const other = randomBytes(16).toString('hex');
    await redis.ask('SET', `odd:${other}`, bytes);
    const env = { CHAT_SESSION_STORE: `redis://:secret@127.0.0.1:${redis.port}` };
    expect(await doctor(1, env, '--cookie', other)).toMatch(lastLine('prefix=odd:'));
    for (const start of '123456') await redis.ask('SET', `sf_s${start}${other.slice(1)}`, bytes);
    const none = await doctor(1, env, '--cookie', 'f'.repeat(32));
    expect(none).toMatch(
      /^✗ There is no such session under the keys of other handlers either\.\n {2}→ .*prefix= must name it\. The store has keys that look like sessions, with prefix=sf_s, prefix=odd:\./m,
    );
    expect(none).not.toContain(other.slice(1, 8));
  });

  test('is found in SQLite', async () => {
    const db = join(folder, 'prefixed.db');
    const other = randomBytes(16).toString('hex');
    sqlite(db, `CREATE TABLE s (id, data); INSERT INTO s VALUES ('odd:${other}', 'user_id|i:7;')`);
    const env = { CHAT_SESSION_STORE: `sqlite:${db}?table=s&id=id&data=data` };
    expect(await doctor(1, env, '--cookie', other)).toMatch(lastLine('table=s&id=id&data=data&prefix=odd:'));
  });
});

test('explains a missing table, a prefix or a read-only user of MariaDB', async () => {
  const db = await startSiteDatabase('mysql');
  onTestFinished(() => db.remove());
  await db.run('CREATE TABLE s (id VARBINARY(99) PRIMARY KEY, data BLOB, ends INT)');
  await db.run("CREATE USER reader@'%' IDENTIFIED BY 'geheim'");
  onTestFinished(async () => void (await db.run("DROP USER reader@'%'")));
  await db.run("GRANT SELECT ON site.s TO reader@'%'");
  const env = (table: string) => ({
    CHAT_SESSION_STORE: `mysql://reader:geheim@127.0.0.1:${db.port}/site?table=${table}&id=id&data=data&expires=ends&timeout=5000ms`,
  });
  const missing = await doctor(1, env('missing'));
  expect(missing).toMatch(
    /^✗ The session store: the table that table= names does not exist, or .* may not read it/m,
  );
  expect(missing).not.toContain('geheim');
  expect(await doctor(0, env('s'))).toMatch(
    /^! Sessions cannot be renewed: .*GRANT UPDATE on the column.*\n {2}→ .*CHAT_SESSION_KEEPALIVE=off/m,
  );
  const off = await doctor(0, { ...env('s'), CHAT_SESSION_KEEPALIVE: 'off' });
  expect(off).not.toMatch(/renewed/);
  await db.run("GRANT UPDATE (ends) ON site.s TO reader@'%'");
  const other = randomBytes(16).toString('hex');
  await db.run(`INSERT INTO s VALUES ('odd:${other}', 'user_id|i:7;', UNIX_TIMESTAMP() + 100)`);
  const may = await doctor(1, env('s'), '--cookie', other);
  expect(may).toMatch(/^✓ Sessions can be renewed\.$/m);
  expect(may).toMatch(lastLine('.*prefix=odd:'));
});

test('explains a missing table or a prefix of PostgreSQL, and tests its bus', async () => {
  const db = await startSiteDatabase('postgres');
  onTestFinished(() => db.remove());
  const other = randomBytes(16).toString('hex');
  await db.run('CREATE TABLE s (id TEXT, data BYTEA)');
  await db.run(`INSERT INTO s VALUES ('odd:${other}', 'user_id|i:7;')`);
  const login = [db.user, db.password].map(encodeURIComponent).join(':');
  const url = `postgres://${login}@127.0.0.1:${db.port}/site?id=id&data=data&timeout=5000ms&table=`;
  const cluster = { CHAT_HISTORY: url.replace(/\?.*/, ''), CHAT_CLUSTER: 'postgres' };
  const said = await doctor(1, { CHAT_SESSION_STORE: `${url}s`, ...cluster }, '--cookie', other);
  expect(said).toMatch(lastLine('.*prefix=odd:'));
  expect(said).toMatch(/^[✓!] The bus of CHAT_CLUSTER (delivers|is slow)/m);
  expect(await doctor(1, { CHAT_SESSION_STORE: `${url}missing` })).toMatch(
    /^✗ The session store: the table that table= names does not exist in the database/m,
  );
});

describe('several servers', () => {
  describe('the bus', () => {
    let redis: Awaited<ReturnType<typeof startRedis>>;
    beforeAll(async () => {
      redis = await startRedis(['--requirepass', 'geheim']);
      await redis.ask('ACL', 'SETUSER', 'chat', 'on', '>geheim', '+@all', '&other:*');
    });
    afterAll(() => redis.remove());
    const env = (login: string, port = redis.port) => ({
      ...inFiles(),
      CHAT_HISTORY: 'postgres://chat:geheim@127.0.0.1:1/chat',
      CHAT_CLUSTER: `redis://${login}@127.0.0.1:${port}`,
    });

    test('works, while a silent WebSocket is reported', async () => {
      const server = createServer((_req, res) => res.end('0{"sid":"a"}'));
      const sockets = new WebSocketServer({ server, autoPong: false });
      sockets.on('connection', (socket) => socket.pause());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      onTestFinished(() => {
        for (const socket of sockets.clients) socket.terminate();
        server.close();
      });
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const works = await doctorProcess(1, env('default:geheim'), ['--chat', url]);
      expect(works).toMatch(/^[✓!] The bus of CHAT_CLUSTER (delivers|is slow)/m);
      expect(works).toMatch(/^✗ WebSockets do not reach/m);
      expect(works).not.toContain('geheim');
    });

    test.each<[string, string, string, number?]>([
      ['a wrong password', 'default:falsch', 'Redis refuses \\(WRONGPASS\\)'],
      ['no server', 'default:geheim', 'Redis: the connection failed \\(ECONNREFUSED\\)', 1],
      ['forbidden channels', 'chat:geheim', 'Redis refuses \\(NOPERM\\)'],
    ])('is reported: %s', async (_, login, why, port) => {
      const said = await doctor(1, env(login, port));
      const failure = `✗ The bus of CHAT_CLUSTER cannot be used\\. ${why}.*\\.`;
      expect(said).toMatch(new RegExp(`^${failure}\n {2}→ .*php-session-chat:\\*`, 'm'));
      expect(said).not.toMatch(/geheim|falsch/);
    });
  });

  againInSoak('checks that WebSockets and sticky polling work at the address of the chat', async () => {
    const env = inFiles();
    const servers = await Promise.all([chatServerHere(env), chatServerHere(env)]);
    const ports = servers.map(({ port }) => port);
    const upstream = `upstream chat { ${ports.map((port) => `server 127.0.0.1:${port};`).join(' ')} }`;
    const port = await ownPort();
    const sticky = await startNginxBalancer(ports);
    // Without WebSocket upgrade, and to any of the servers.
    const plain = await runNginx(
      `${upstream} server { listen 127.0.0.1:${port}; location / { proxy_pass http://chat; } }`,
      port,
      `http://127.0.0.1:${port}/healthz`,
    );
    const [well, bad, other] = await Promise.all([
      doctor(0, env, '--chat', `${sticky.url}/`),
      doctor(1, env, '--chat', `http://127.0.0.1:${port}`),
      doctor(1, env, '--chat', `http://127.0.0.1:${port}/nowhere`),
    ]);
    expect(well).toMatch(/^✓ A WebSocket reaches[\s\S]*^✓ Polling also reaches the chat, and stays/m);
    expect(bad).toMatch(
      /^✗ WebSockets do not reach[\s\S]*^! Polling does not stay on one server: [1-4] of 4[\s\S]*address of the client/m,
    );
    expect(other).toMatch(/^✗ There is no chat at http:.*nowhere: .* 404\./m);
    await Promise.all([sticky.stop(), plain.stop(), ...servers.map((server) => server.stop())]);
  });
});

test('names the memcached server that is down while another one answers', async () => {
  const store = `memcached://127.0.0.1:${memcached.port},127.0.0.1:1?handler=memcached`;
  const said = await doctor(1, { CHAT_SESSION_STORE: store });
  expect(said).toMatch(/^✗ The session store: memcached at 127\.0\.0\.1:1 cannot be reached/m);
  expect(said).not.toContain('✓ The session store');
});
