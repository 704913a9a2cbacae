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
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { doctor as examine } from '../../server/doctor/report.ts';
import { pathAdvice } from '../../server/doctor/user.ts';
import { startNginxBalancer } from '../helpers/balancer.ts';
import { makeCertificate } from '../helpers/certificate.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { ownPort, startChild } from '../helpers/child.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { runNginx } from '../helpers/nginx.ts';
import { phpRequest } from '../helpers/php-request.ts';
import { startLockedRedis, startRedis } from '../helpers/redis.ts';
import { startSiteDatabase } from '../helpers/site-database.ts';

const root = new URL('../..', import.meta.url).pathname;
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

/** Runs the doctor in this process, which has loaded it already. @returns its exit code and its output */
async function doctor(env: Record<string, string>, ...args: string[]): Promise<[number, string]> {
  const said: string[] = [];
  const findings: string[] = [];
  const say = (line: string) => void said.push(`${line}\n`);
  const finding = (line: string) => {
    findings.push(`${line}\n`);
    say(line);
  };
  const code = await examine(['--settings=', ...args], env, { finding, problem: say });
  expect(findings.join('')).not.toMatch(unadvised);
  return [code, said.join('')];
}

/** A `✗` without a `→`. Several may share one. */
const unadvised = /^✗ .*\n(?!✗| {2}→)/m;

/** It answers polling, and takes a WebSocket over which it then neither says nor closes anything. */
async function silentServer(): Promise<{ url: string; stop(): void }> {
  const server = createServer((_req, res) => res.end('0{"sid":"a"}'));
  const sockets = new WebSocketServer({ server, autoPong: false });
  sockets.on('connection', (socket) => socket.pause());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const stop = () => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

/** The same in a separate process, which must end by itself. @param input its standard input */
async function doctorProcess(
  env: Record<string, string>,
  args: string[] = [],
  { input, uid }: { input?: string; uid?: number } = {},
): Promise<[number, string]> {
  const child = startChild(process.execPath, ['server/command/main.ts', 'doctor', '--settings=', ...args], {
    cwd: root,
    // Another user can neither read nor fill the cache of all tests.
    env: {
      PATH: process.env.PATH,
      ...(uid === undefined ? {} : { NODE_COMPILE_CACHE: join(folder, 'compiled') }),
      ...env,
    },
    ...(uid === undefined ? {} : { uid }),
    stdio: 'pipe',
  });
  child.process.stdin?.end(input);
  const code = await new Promise<number>((resolve) => child.process.on('close', resolve));
  return [code, child.output()];
}

function sqlite(file: string, sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

/** Root may do everything, so forbidden access is tested as another user. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534 } : {};

/** The session file of a logged-in user. */
function sessionFile(session: string | Buffer, name = 'sess_'): { store: string; id: string } {
  const fileId = randomBytes(16).toString('hex');
  writeFileSync(join(folder, name + fileId), session);
  return { store: `file://${folder}`, id: fileId };
}

test('all is well: from a cookie that no list of processes shows to the user, and no value of the session', async () => {
  const env = {
    CHAT_SESSION_STORE: `file://${folder}`,
    CHAT_USER_ID: 'app.user.id',
    CHAT_USER_NAME: 'app.user.name',
  };
  // The whole header, as in the developer tools.
  const input = `Cookie: lang=de; PHPSESSID=${id}; theme=dark\n`;
  const [code, said] = await doctorProcess(env, ['--cookie', '-'], { input });
  expect(said).toMatch(/answers[\s\S]*Its keys: app\.user, app\.n, csrf\.[\s\S]*the user 7, called Zoë/);
  expect(said).not.toMatch(/✗|s3cret/);
  expect(said).not.toContain(id);
  expect(code).toBe(0);
});

test.each<[string, RegExp, Record<string, string>]>([
  [
    'a path that leads nowhere',
    /user_id is not in the session[\s\S]*→ .*Was CHAT_USER_ID=app\.user\.id meant\?/,
    {},
  ],
  ['another format', /look like php\.\n {2}→ the store URL has to say format=php /, { format: 'igbinary' }],
  ['another prefix', /needs these options behind its \?: prefix=sess_$/m, { prefix: 'ci_session' }],
  ['other folders', /needs these options behind its \?: format=php$/m, { depth: '1', format: 'php' }],
  ['no options', /→ CHAT_SESSION_STORE needs none: leave out the \? /, { depth: '1' }],
  ['another folder', /no such folder/, { folder: '/nowhere' }],
])('%s: what is wrong, and what to change', async (_, expected, { folder: at = folder, ...options }) => {
  const [code, said] = await doctor(
    { CHAT_SESSION_STORE: `file://${at}?${new URLSearchParams(options)}` },
    '--cookie',
    id,
  );
  expect(said).toMatch(expected);
  expect(said).not.toContain('s3cret');
  expect(code).toBe(1);
});

test('a session of ext-memcached’s own handler, looked for where one’s own would be', async () => {
  const [code, said] = await doctor({ CHAT_SESSION_STORE: memcached.url }, '--cookie', id);
  expect(said).toContain('→ CHAT_SESSION_STORE needs these options behind its ?: handler=memcached\n');
  expect(code).toBe(1);
  // In ext-memcache's compressed form.
  await memcached.set(id, Buffer.from('not packed'), 0, 2);
  const packed = await doctor({ CHAT_SESSION_STORE: memcached.url }, '--cookie', id);
  await memcached.delete(id);
  expect(packed).toEqual([1, expect.stringContaining('behind its ?: handler=memcached')]);
  await memcached.delete(`memc.sess.key.${id}`);
  await memcached.set(id, Buffer.from('not packed'), 0, 2);
  const other = await doctor({ CHAT_SESSION_STORE: memcached.url }, '--cookie', id);
  expect(other).toEqual([1, expect.stringContaining('behind its ?: handler=memcache\n')]);
});

test('a signed cookie, without the setting for it and with another key', async () => {
  const keyFile = join(folder, 'cookie-keys');
  writeFileSync(keyFile, `${randomBytes(32).toString('base64')}\n`);
  const signed = `0123456789abcdef0123456789abcdef.${'0a'.repeat(32)}`;
  for (const form of ['plain', `signed:${keyFile}`]) {
    const env = { CHAT_SESSION_STORE: `file://${folder}`, CHAT_SESSION_COOKIE: form };
    const [code, said] = await doctor(env, '--cookie', signed);
    expect(said).toMatch(
      /(?:there is no such session|the value of the cookie PHPSESSID is not a session ID)[\s\S]*→ .*TableSession: CHAT_SESSION_COOKIE=signed:KEYFILE/,
    );
    expect(said).not.toContain(signed.slice(0, 32));
    expect(code).toBe(1);
  }
});

test('an entry of the folder under that id is not a file of PHP’s', async () => {
  const other = 'f'.repeat(26);
  mkdirSync(join(folder, `sess_${other}`));
  const [code, said] = await doctor({ CHAT_SESSION_STORE: `file://${folder}` }, '--cookie', other);
  expect(said).toMatch(/not a regular file[\s\S]*→ Who owns the file/);
  expect(said).not.toMatch(/handler=|distribution=/);
  expect(code).toBe(1);
});

test('a session that is expired by the options of the store URL', async () => {
  const path = join(folder, `sess_${id}`);
  const ago = Date.now() / 1000 - 1800;
  utimesSync(path, ago, ago);
  const env = { CHAT_SESSION_STORE: `file://${folder}` };
  expect(await doctor(env, '--cookie', id)).toEqual([
    1,
    expect.stringMatching(/it has expired[\s\S]*lifetime=/),
  ]);
  const now = new Date();
  utimesSync(path, now, now);
});

test('a store that fails midway: its message, and no stack', async () => {
  const db = join(folder, 'site.db');
  sqlite(db, `CREATE TABLE s (id, data, ends); INSERT INTO s VALUES ('${id}', 'user_id|i:7;', 'soon')`);
  const [code, said] = await doctor(
    { CHAT_SESSION_STORE: `sqlite:${db}?table=s&id=id&data=data&expires=ends` },
    '--cookie',
    id,
  );
  expect(said).toMatch(/✗ The session store: the column that expires=/);
  expect(said).not.toMatch(/^ +at /m);
  expect(code).toBe(1);
});

test('a user whom the settings refuse', async () => {
  const [code, said] = await doctor(
    { CHAT_SESSION_STORE: `file://${folder}`, CHAT_USER_ID: 'app.user.id', CHAT_USER_REQUIRE: 'auth_secret' },
    '--cookie',
    id,
  );
  expect(said).toMatch(/auth_secret is not in the session[\s\S]*CHAT_USER_REQUIRE or CHAT_USER_NOBODY/);
  expect(code).toBe(1);
});

test('logout notifications of Redis that are not active, that are, and that nobody may ask about, and a user who may only read: no failure', async () => {
  const redis = await startLockedRedis('secret');
  try {
    const said = async (user = '') => {
      const url = `redis://${user}:secret@127.0.0.1:${redis.port}?prefix=`;
      const [code, text] = await doctor({ CHAT_SESSION_STORE: url });
      expect(text).toMatch(/✓ The session store answers\./);
      expect(code).toBe(0);
      return text;
    };
    const set = (flags: string) => redis.ask('CONFIG', 'SET', 'notify-keyspace-events', flags);
    expect(await said()).toMatch(
      /^! .*are not active.*\n {2}→ .*CONFIG SET notify-keyspace-events 'Egx', and in redis\.conf the line notify-keyspace-events Egx$/m,
    );
    await set('Kx$');
    // Flags that others have set stay.
    expect(await said()).toMatch(/CONFIG SET notify-keyspace-events '\$xKEg',/);
    for (const flags of ['Egx', 'KEA', 'AE$']) {
      await set(flags);
      expect(await said()).toMatch(/^✓ The logout notifications of Redis are active\.\n[^ ]/m);
    }
    await redis.ask('ACL', 'SETUSER', 'chat', '~*');
    expect(await said('chat')).toMatch(/^! It is unknown whether.*\n {2}→ .*notify-keyspace-events Egx/m);
    const rules = ['on', '>secret', '~*', '+mget', '+strlen', '+pttl'];
    await redis.ask('ACL', 'SETUSER', 'reader', ...rules);
    expect(await said('reader')).toMatch(/^! Writing in the chat does not keep a session alive: .*\+expire/m);
  } finally {
    await redis.remove();
  }
});

test('without a cookie: whether the store answers, and how to go on', async () => {
  const [code, said] = await doctor({ CHAT_SESSION_STORE: memcached.url });
  expect(said).toMatch(/✓ The session store answers\.\n[\s\S]*: npm run doctor -- --cookie -\n/);
  expect(code).toBe(0);
});

test('an unknown cookie, a wrong option', async () => {
  const nobody = await doctor({ CHAT_SESSION_STORE: memcached.url }, '--cookie', 'n'.repeat(26));
  expect(nobody).toEqual([1, expect.stringContaining('Is the visitor still logged in?')]);
  const noId = await doctor({ CHAT_SESSION_STORE: memcached.url }, '--cookie', '<script>');
  expect(noId).toEqual([
    1,
    expect.stringMatching(/value of the cookie PHPSESSID is not a session ID[\s\S]*→ Log in to the site/),
  ]);
  const packed = 'p'.repeat(26);
  await memcached.set(packed, Buffer.from('not packed'), 0, 2);
  const { hostname, port } = new URL(memcached.url);
  const store = `memcached://${hostname}:${port}?handler=memcache&prefix=`;
  const [, said] = await doctor({ CHAT_SESSION_STORE: store }, '--cookie', packed);
  await memcached.delete(packed);
  expect(said).toContain('→ Is handler= right, and distribution=?');
  expect(await doctor({}, '--cake')).toEqual([64, expect.stringContaining("Unknown option '--cake'")]);
});

test('the settings that differ from the default, all of them with --all, and no key and no password', async () => {
  const keyFile = join(folder, 'api-key');
  writeFileSync(keyFile, 'geheim-geheim-geheim');
  const env = {
    CHAT_SESSION_STORE: 'redis://site:geheim@127.0.0.1:1/3?prefix=x',
    CHAT_SITE: 'dokuwiki:',
    CHAT_API_KEY_FILE: keyFile,
  };
  const shown = (said: string) => [...said.matchAll(/^ {2}([A-Z_]+) /gm)].map(([, name]) => name);
  const [, few] = await doctor(env);
  expect(few).toMatch(/^ {2}CHAT_SESSION_STORE +environment +redis:\/\/site:…@127\.0\.0\.1:1\/3\?prefix=x$/m);
  expect(few).toMatch(/^ {2}CHAT_USER_ID +site +DW\*\.auth\.user$/m);
  expect(few).toContain(keyFile);
  expect(few).not.toContain('geheim');
  const [, all] = await doctor(env, '--all');
  expect(all).toMatch(/^ {2}CHAT_PORT +default +7070$/m);
  expect(all).toMatch(/^ {2}CHAT_USER_ROOMS +default +none$/m);
  expect(shown(all)).toEqual(expect.arrayContaining([...shown(few), 'CHAT_HISTORY']));
  expect(shown(few)).not.toContain('CHAT_PORT');
  expect([few, all].map((said) => said.includes('The other settings have their default: --all'))).toEqual([
    true,
    false,
  ]);
});

test('a misspelt name is refused, another unknown one is a warning; both with the nearest setting', async () => {
  const store = `file://${folder}`;
  const [code, said] = await doctor({ CHAT_SESION_STORE: store });
  expect(said).toMatch(
    /^ {2}CHAT_SESION_STORE: there is no such setting; the nearest is CHAT_SESSION_STORE$/m,
  );
  expect(code).toBe(78);
  const [unknownCode, unknown] = await doctor({
    CHAT_SESSION_STORE: store,
    CHAT_STORE: 'x',
    CHAT_ARCHIVE: '8s',
  });
  expect(unknown).toMatch(/^! CHAT_STORE: there is no such setting; the nearest is CHAT_SESSION_STORE\./m);
  expect(unknown).toMatch(/^! CHAT_ARCHIVE: there is no such setting in this version\./m);
  expect(unknownCode).toBe(0);
});

test('a store, a folder or an address that cannot be reached: named, with what to do', async () => {
  const none = `${folder}/none`;
  for (const [store, named, advice] of [
    ['memcached://127.0.0.1:1', 'memcached at 127.0.0.1:1', 'Start memcached, or correct CHAT_SESSION_STORE'],
    ['redis://127.0.0.1:1', 'Redis at 127.0.0.1:1', 'Start Redis, or correct CHAT_SESSION_STORE'],
    [`file://${none}`, `the session folder ${none}`, 'Name the folder of PHP’s session.save_path'],
  ] as const) {
    const [code, said] = await doctor({ CHAT_SESSION_STORE: store });
    expect(said).toMatch(new RegExp(`^✗ The session store: ${named} cannot be r.*\\.\n {2}→ ${advice}`, 'm'));
    expect(code).toBe(1);
  }
  const { key, certificate } = makeCertificate(folder, 'localhost');
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [, said] = await doctor({ CHAT_SESSION_STORE: `file://${folder}` }, '--chat', url);
  server.close();
  expect(said).toMatch(
    /^✗ The chat cannot be reached at .* \(DEPTH_ZERO_SELF_SIGNED_CERT\)\.\n {2}→ .*NODE_EXTRA_CA_CERTS/m,
  );
});

test('a cookie that browsers do not send: one of another name, and a name that the site does not use', async () => {
  const store = {
    CHAT_SESSION_STORE: `file://${folder}`,
    CHAT_USER_ID: 'app.user.id',
    CHAT_USER_NAME: 'app.user.name',
  };
  const [code, other] = await doctor(
    { ...store, CHAT_SESSION_NAME: 'sid' },
    '--cookie',
    `lang=de; PHPSESSID=${id}`,
  );
  expect(other).toMatch(
    /^✗ The chat reads the cookie sid, and these have other names: lang, PHPSESSID\.\n {2}→ .*CHAT_SESSION_NAME/m,
  );
  expect(code).toBe(1);

  const site = mkdtempSync(join(tmpdir(), 'site-'));
  try {
    writeFileSync(join(site, 'index.php'), "<?php session_name('garden'); session_start();");
    const named = { ...store, CHAT_SITE: site, CHAT_SESSION_NAME: 'sid' };
    const [wrong, said] = await doctor(named, '--cookie', id);
    expect(said).toMatch(
      /^✗ The chat reads the cookie sid of CHAT_SESSION_NAME, and the site calls it garden\.\n {2}→ Leave CHAT_SESSION_NAME out/m,
    );
    expect(wrong).toBe(1);
    // Browsers do send it.
    for (const [env, cookie] of [
      [named, `sid=${id}`],
      [{ ...named, CHAT_SESSION_NAME: '' }, id],
    ] as const) {
      const [right, found] = await doctor(env, '--cookie', cookie);
      expect(found).toContain('the user 7, called Zoë');
      expect(right).toBe(0);
    }
  } finally {
    rmSync(site, { recursive: true });
  }
});

test('docs/operate.md shows what the doctor says', async () => {
  const page = readFileSync(join(root, 'docs/operate.md'), 'utf8');
  const [, sample = ''] = /compares\. -->\n```\n([\s\S]*?)\n```/.exec(page) ?? [];
  const place = mkdtempSync(join(tmpdir(), 'doctor-'));
  const own = 'f'.repeat(32);
  writeFileSync(
    join(place, `sess_${own}`),
    'user_id|i:11;user|a:1:{s:4:"name";s:4:"Anna";}csrf|s:16:"0123456789abcdef";',
  );
  const [code, said] = await doctor(
    {
      CHAT_SESSION_STORE: `file://${place}`,
      CHAT_HISTORY: `sqlite:${place}/chat.db`,
      CHAT_FILES: `dir:${place}/files`,
      CHAT_ORIGINS: 'https://www.example.org',
      CHAT_TRUSTED_PROXIES: '127.0.0.1',
    },
    ...['--cookie', own, '--origin', 'https://www.example.org/forum/'],
  );
  rmSync(place, { recursive: true });
  const shown = said
    .replace(`file://${place}`, 'file:///var/lib/php/sessions')
    .replaceAll(place, '/var/lib/php-session-chat/main')
    // The user of this test, and whether there is a client, do not concern the page.
    .replace(/! This is root.*\n.*\n/, '')
    .replace(/! The browser client is not built.*\n.*\n/, '✓ The browser client is built.\n')
    .trimEnd()
    .split('\n');
  const lines = sample.split('\n');
  expect(shown).toEqual(lines);
  expect(code).toBe(1);
});

describe('the requirements of the server besides the sessions', () => {
  const store = () => ({ CHAT_SESSION_STORE: `file://${folder}` });

  test('the history: a folder that can be made, a file in place of a folder, and what this user may not write', async () => {
    const history = join(folder, 'not', 'yet', 'chat.db');
    const [code, said] = await doctor({ ...store(), CHAT_HISTORY: `sqlite:${history}` });
    expect(said).toContain(`✓ The history ${history} can be made`);
    expect(existsSync(join(folder, 'not'))).toBe(false);
    expect(code).toBe(0);
    const [inFileCode, inFile] = await doctor({
      ...store(),
      CHAT_HISTORY: `sqlite:${folder}/sess_${id}/chat.db`,
    });
    expect(inFile).toMatch(/^✗ For the history, .* is no folder\.\n {2}→ .*CHAT_HISTORY/m);
    expect(inFileCode).toBe(1);
    const debians = join(folder, 'debians');
    mkdirSync(debians);
    chmodSync(debians, 0o1333);
    chmodSync(folder, 0o711);
    const settings = {
      CHAT_SESSION_STORE: `file://${debians}`,
      CHAT_HISTORY: 'sqlite:/usr/chat.db',
      CHAT_FILES: 'dir:/usr/files',
    };
    const [forbiddenCode, forbidden] = await doctorProcess(settings, [], nobody);
    expect(forbidden).toMatch(
      /^✗ Files cannot be stored in the folder \/usr\/files \(EACCES\)\.\n {2}→ .*CHAT_FILES/m,
    );
    expect(forbidden).toMatch(
      /^✗ The history \/usr\/chat\.db cannot be written \(EACCES\)\.\n {2}→ Let the account/m,
    );
    expect(forbidden).not.toContain('This is root');
    expect(forbidden).toMatch(
      /^✓ The chat notices a logout at the next regular check \(CHAT_SESSION_CHECK\)\./m,
    );
    expect(forbiddenCode).toBe(1);
  });

  test('messages and files where the web server of the site hands them out', async () => {
    const site = join(folder, 'site');
    mkdirSync(site);
    writeFileSync(join(site, 'index.php'), '<?php');
    const places = { CHAT_HISTORY: `sqlite:${site}/data/chat.db`, CHAT_FILES: `dir:${site}/data/files` };
    const own = { CHAT_SITE: site, CHAT_USER_ID: 'user_id', CHAT_USER_NAME: 'name' };
    const [code, said] = await doctor({ ...own, ...places });
    for (const [title, place] of [
      ['history', 'CHAT_HISTORY=sqlite:'],
      ['files', 'CHAT_FILES=dir:'],
    ])
      expect(said).toMatch(
        new RegExp(
          `^✗ The place of the ${title}, ${site}/.*\n {2}→ .* ${place}${folder}/php-session-chat/`,
          'm',
        ),
      );
    expect(code).toBe(1);
    // Otherwise nothing says what is handed out.
    expect((await doctor({ ...store(), ...places }))[1]).not.toContain('The place of');
  });

  test('the history in a database that cannot be reached: its place and the reason, without the password', async () => {
    const [code, said] = await doctor({
      ...store(),
      CHAT_HISTORY: 'postgres://chat:geheim@127.0.0.1:1/chat',
    });
    expect(said).toMatch(
      /^✗ The history postgres:\/\/127\.0\.0\.1:1\/chat cannot be reached\. PostgreSQL: .*ECONNREFUSED.*\n {2}→ /m,
    );
    expect(said).not.toContain('geheim');
    expect(code).toBe(1);
  });

  test('the built client: whether it is there', async () => {
    const [, said] = await doctor(store());
    const built = existsSync(join(root, 'client/dist/php-chat.js'));
    expect(said).toMatch(
      built ? /^✓ The browser client is built\.$/m : /^! .* not built.*\n {2}→ npm run build/m,
    );
  });

  test('the origin of a page: listed, another scheme or host, none but this machine', async () => {
    const env = { ...store(), CHAT_ORIGINS: 'https://www.example.org', CHAT_TRUSTED_PROXIES: '127.0.0.1' };
    expect(await doctor(env, '--origin', 'https://www.example.org/forum/?page=1')).toEqual([
      0,
      expect.stringContaining('✓ Pages of https://www.example.org may connect.'),
    ]);
    const [code, other] = await doctor(env, '--origin', 'http://example.org');
    expect(other).toMatch(/^✗ Pages of http:\/\/example\.org may not connect/m);
    expect(other).toMatch(
      /→ Add it: CHAT_ORIGINS=https:\/\/www\.example\.org,http:\/\/example\.org\. https:\/\/www\.example\.org is another origin/,
    );
    expect(code).toBe(1);
    expect(await doctor(store())).toEqual([
      0,
      expect.stringMatching(/^! Only pages of this machine may connect/m),
    ]);
    expect(await doctor(env, '--origin', 'www.example.org')).toEqual([
      64,
      expect.stringContaining('--origin'),
    ]);
  });

  test('trusted proxies: missing behind a proxy, everybody, not needed', async () => {
    const proxied = { ...store(), CHAT_ORIGINS: 'https://www.example.org' };
    const missing =
      /^✗ All visitors would share the limits of one address: .*\n {2}→ CHAT_TRUSTED_PROXIES=127\.0\.0\.1/m;
    expect(await doctor(proxied)).toEqual([1, expect.stringMatching(missing)]);
    const local = { ...store(), CHAT_HOST: '127.0.0.1', CHAT_ORIGINS: 'http://example.org' };
    expect(await doctor(local)).toEqual([1, expect.stringMatching(missing)]);
    const everybody = await doctor({ ...proxied, CHAT_TRUSTED_PROXIES: '10.0.0.1,0.0.0.0/0' });
    expect(everybody).toEqual([1, expect.stringMatching(/^✗ CHAT_TRUSTED_PROXIES has 0\.0\.0\.0\/0/m)]);
    const named = await doctor({ ...proxied, CHAT_TRUSTED_PROXIES: '10.0.0.1' });
    expect(named).toEqual([0, expect.not.stringContaining('✗')]);
  });
});

describe('the content of a session', () => {
  test('a wrong path to the name: who is called by the id, and the path that was meant', async () => {
    const { store, id } = sessionFile('user_id|i:11;user|a:1:{s:4:"name";s:3:"Zoe";}');
    const [code, said] = await doctor({ CHAT_SESSION_STORE: store }, '--cookie', id);
    expect(said).toMatch(
      /^✗ It belongs to the user 11, but without a name, .*firstname is not in the session\.\n {2}→ Was CHAT_USER_NAME=user\.name meant\?/m,
    );
    expect(said).not.toContain('Zoe');
    expect(code).toBe(1);
    const [byId, named] = await doctor(
      { CHAT_SESSION_STORE: store, CHAT_USER_NAME: 'user_id' },
      '--cookie',
      id,
    );
    expect(named).toContain('✓ It belongs to the user 11, called 11.');
    expect(byId).toBe(0);
  });

  test('keys with dots are written as they stand in a path, and the path without a backslash is recognized', async () => {
    const { store, id } = sessionFile('app.v2|a:1:{s:4:"us.r";a:1:{s:2:"id";i:7;}}');
    const env = { CHAT_SESSION_STORE: store, CHAT_USER_ID: 'app.v2.us.r.id' };
    const [, said] = await doctor(env, '--cookie', id);
    expect(said).toContain('Its keys: app\\.v2.us\\.r.');
    expect(said).toContain('Was CHAT_USER_ID=app\\.v2.us\\.r.id meant?');
    const [, right] = await doctor({ ...env, CHAT_USER_ID: 'app\\.v2.us\\.r.id' }, '--cookie', id);
    expect(right).toContain('It belongs to the user 7');
  });

  test('beside a list of 200,000 values', () => {
    const session = { user: { id: 7 }, list: new Array(200_000).fill(null) };
    expect(pathAdvice(session as never, { id: ['user_id'], name: ['name'] } as never)).toContain(
      'Was CHAT_USER_ID=user.id meant?',
    );
  });

  test('objects by their class, strings that are serialized themselves, and the ! that is missing', async () => {
    const token = 'O:9:"App\\Token":1:{s:4:"user";a:1:{s:2:"id";i:7;}}';
    const { store, id } = sessionFile(
      `user|O:8:"App\\User":1:{s:5:"\0*\0id";i:7;}token|s:${token.length}:"${token}";`,
    );
    const [, said] = await doctor(
      { CHAT_SESSION_STORE: store, CHAT_USER_ID: 'token.user.id' },
      '--cookie',
      id,
    );
    expect(said).toMatch(/^✓ Objects in it: user \(App\\User\)\./m);
    expect(said).toMatch(/^✓ Serialized strings in it, .* !: token!\.$/m);
    expect(said).toContain('Was CHAT_USER_ID=token!.user.id meant?');
    const [, right] = await doctor(
      { CHAT_SESSION_STORE: store, CHAT_USER_ID: 'token!.user.id' },
      '--cookie',
      id,
    );
    expect(right).toContain('It belongs to the user 7');
  });

  test.each([
    [
      'a serialized object',
      'O:8:"stdClass":1:{s:2:"id";i:7;}',
      'a serialized object',
      'format=php_serialize',
    ],
    [
      'raw deflate round serialize()',
      deflateRawSync('a:1:{s:7:"user_id";i:7;}'),
      'raw deflated data',
      'layers=inflate&format=php_serialize',
    ],
    [
      'base64 round raw deflate',
      deflateRawSync('user_id|i:7;note|s:40:"a text that is long enough for 64 bytes.";').toString('base64'),
      'base64',
      'layers=base64,inflate',
    ],
  ])('%s: what it is, and what the store URL has to say', async (_, session, looks, options) => {
    const { store, id } = sessionFile(session);
    const [code, said] = await doctor({ CHAT_SESSION_STORE: store }, '--cookie', id);
    expect(said).toContain(`the bytes look like ${looks}.\n  → the store URL has to say ${options} (`);
    expect(code).toBe(1);
    const url = `${store}?${options}`;
    expect((await doctor({ CHAT_SESSION_STORE: url }, '--cookie', id))[1]).toContain(
      '✓ It can be read as php',
    );
  });

  test('Symfony’s last_username is never a user: not as a path, and not as a suggestion', async () => {
    const { store, id } = sessionFile('_sf2_attributes|a:1:{s:23:"_security.last_username";s:5:"admin";}');
    const env = { CHAT_SESSION_STORE: store, CHAT_SITE: 'symfony:' };
    const [code, visitor] = await doctor(env, '--cookie', id);
    expect(visitor).toMatch(/^! _sf2_attributes\._security\\\.last_username is no user/m);
    expect(visitor).not.toContain('Was CHAT_USER_ID');
    expect(code).toBe(1);
    const typed = { ...env, CHAT_USER_ID: '_sf2_attributes._security\\.last_username' };
    expect(await doctor(typed, '--cookie', id)).toEqual([
      1,
      expect.stringMatching(
        /^✗ CHAT_USER_ID=.*last_username is whatever a visitor typed[\s\S]*→ Never use it/m,
      ),
    ]);
  });

  test('rooms, roles and ban of the user, and paths to them that do not fit', async () => {
    const { store, id } = sessionFile(
      'user_id|i:7;firstname|s:3:"Zoe";teams|a:2:{i:0;s:1:"a";i:1;s:1:"b";}role|s:9:"moderator";out|i:1;',
    );
    const env = { CHAT_SESSION_STORE: store, CHAT_USER_ROOMS: 'teams', CHAT_USER_ROLES: 'role' };
    const [code, said] = await doctor(env, '--cookie', id);
    expect(said).toMatch(/^✓ It puts the user into 2 rooms\.\n✓ Roles of the user: moderator\.$/m);
    expect(code).toBe(0);
    const paths = { CHAT_USER_ROOMS: 'team', CHAT_USER_ROLES: 'role!.x', CHAT_USER_BANNED: 'out' };
    const [badCode, bad] = await doctor({ ...env, ...paths }, '--cookie', id);
    expect(bad).toMatch(/^! This user has no rooms by CHAT_USER_ROOMS: team is not in the session\./m);
    expect(bad).toMatch(/^✗ CHAT_USER_ROLES cannot be read: role is a string, but not a serialized one\./m);
    expect(bad).toMatch(/^! The site keeps this user out of the chat/m);
    expect(badCode).toBe(1);
  });
});

describe('a session under a prefix that nobody has heard of', () => {
  const bytes = 'user_id|i:7;firstname|s:3:"Zoe";';

  test('in files', async () => {
    const { store, id } = sessionFile(bytes, 'odd-');
    const [code, said] = await doctor({ CHAT_SESSION_STORE: store }, '--cookie', id);
    expect(said).toMatch(/→ CHAT_SESSION_STORE needs these options behind its \?: prefix=odd-$/m);
    expect(code).toBe(1);
  });

  test('in memcached', async () => {
    const other = randomBytes(16).toString('hex');
    await memcached.set(`my site/${other}`.replace(' ', '_'), bytes);
    const store = `memcached://127.0.0.1:${memcached.port}?handler=memcached`;
    const [code, said] = await doctor({ CHAT_SESSION_STORE: store }, '--cookie', other);
    expect(said).toMatch(/needs these options behind its \?: .*prefix=my_site\/$/m);
    expect(code).toBe(1);
  });

  test('in Redis; and where there is none, the prefixes that are there', async () => {
    const redis = await startLockedRedis('secret');
    try {
      const other = randomBytes(16).toString('hex');
      await redis.ask('SET', `odd:${other}`, bytes);
      const env = { CHAT_SESSION_STORE: `redis://:secret@127.0.0.1:${redis.port}` };
      const [, said] = await doctor(env, '--cookie', other);
      expect(said).toMatch(/needs these options behind its \?: prefix=odd:$/m);
      for (const start of '123456') await redis.ask('SET', `sf_s${start}${other.slice(1)}`, bytes);
      const [code, none] = await doctor(env, '--cookie', 'f'.repeat(32));
      expect(none).toMatch(
        /^✗ Nor is there one where other handlers would put it\.\n {2}→ .*prefix= has to name\? The store holds what look like sessions with prefix=sf_s, prefix=odd:\./m,
      );
      expect(none).not.toContain(other.slice(1, 8));
      expect(code).toBe(1);
    } finally {
      await redis.remove();
    }
  });

  test('in SQLite', async () => {
    const db = join(folder, 'prefixed.db');
    const other = randomBytes(16).toString('hex');
    sqlite(db, `CREATE TABLE s (id, data); INSERT INTO s VALUES ('odd:${other}', 'user_id|i:7;')`);
    const [, said] = await doctor(
      { CHAT_SESSION_STORE: `sqlite:${db}?table=s&id=id&data=data` },
      '--cookie',
      other,
    );
    expect(said).toMatch(/needs these options behind its \?: table=s&id=id&data=data&prefix=odd:$/m);
  });
});

test('MariaDB: a missing table, a prefix, and a user who may only read, and so not renew a session', async () => {
  const db = await startSiteDatabase('mysql');
  onTestFinished(() => db.remove());
  await db.run('CREATE TABLE s (id VARBINARY(99) PRIMARY KEY, data BLOB, ends INT)');
  await db.run("CREATE USER reader@'%' IDENTIFIED BY 'geheim'");
  onTestFinished(async () => void (await db.run("DROP USER reader@'%'")));
  await db.run("GRANT SELECT ON site.s TO reader@'%'");
  const env = (table: string) => ({
    CHAT_SESSION_STORE: `mysql://reader:geheim@127.0.0.1:${db.port}/site?table=${table}&id=id&data=data&expires=ends&timeout=5000ms`,
  });
  const [code, missing] = await doctor(env('missing'));
  expect(missing).toMatch(
    /^✗ The session store: there is no table of the name in table=, or .* may not read it/m,
  );
  expect(missing).not.toContain('geheim');
  expect(code).toBe(1);
  const [readCode, read] = await doctor(env('s'));
  expect(read).toMatch(
    /^! Writing in the chat does not keep a session alive: .*GRANT UPDATE on the column.*\n {2}→ .*CHAT_SESSION_KEEPALIVE=off/m,
  );
  expect(readCode).toBe(0);
  const [, off] = await doctor({ ...env('s'), CHAT_SESSION_KEEPALIVE: 'off' });
  expect(off).not.toMatch(/keep a session alive|renewed/);
  await db.run("GRANT UPDATE (ends) ON site.s TO reader@'%'");
  const other = randomBytes(16).toString('hex');
  await db.run(`INSERT INTO s VALUES ('odd:${other}', 'user_id|i:7;', UNIX_TIMESTAMP() + 100)`);
  const [, may] = await doctor(env('s'), '--cookie', other);
  expect(may).toMatch(/^✓ Sessions of users who write in the chat can be renewed\.$/m);
  expect(may).toMatch(/needs these options behind its \?: .*prefix=odd:$/m);
});

test('PostgreSQL: a missing table, a prefix, and NOTIFY as the bus', async () => {
  const db = await startSiteDatabase('postgres');
  onTestFinished(() => db.remove());
  const other = randomBytes(16).toString('hex');
  await db.run('CREATE TABLE s (id TEXT, data BYTEA)');
  await db.run(`INSERT INTO s VALUES ('odd:${other}', 'user_id|i:7;')`);
  const login = [db.user, db.password].map(encodeURIComponent).join(':');
  const url = `postgres://${login}@127.0.0.1:${db.port}/site?id=id&data=data&timeout=5000ms&table=`;
  const cluster = { CHAT_HISTORY: url.replace(/\?.*/, ''), CHAT_CLUSTER: 'postgres' };
  const [, said] = await doctor({ CHAT_SESSION_STORE: `${url}s`, ...cluster }, '--cookie', other);
  expect(said).toMatch(/needs these options behind its \?: .*prefix=odd:$/m);
  expect(said).toMatch(/^[✓!] The bus of CHAT_CLUSTER (hands out|is slow)/m);
  const [code, missing] = await doctor({ CHAT_SESSION_STORE: `${url}missing` });
  expect(missing).toMatch(/^✗ The session store: the database has no such table as table= names/m);
  expect(code).toBe(1);
});

describe('several servers', () => {
  test('the bus: works, a wrong password, not there, and one that forbids the channels; a chat that falls silent', async () => {
    const silent = await silentServer();
    const redis = await startRedis(['--requirepass', 'geheim']);
    await redis.ask('ACL', 'SETUSER', 'chat', 'on', '>geheim', '+@all', '&other:*');
    const answers = await Promise.all(
      [
        ['default:geheim', redis.port],
        ['default:falsch', redis.port],
        ['default:geheim', 1],
        ['chat:geheim', redis.port],
      ].map(([login, port], n) => {
        const env = {
          CHAT_SESSION_STORE: `file://${folder}`,
          CHAT_HISTORY: 'postgres://chat:geheim@127.0.0.1:1/chat',
          CHAT_CLUSTER: `redis://${login}@127.0.0.1:${port}`,
        };
        return n === 0 ? doctorProcess(env, ['--chat', silent.url]) : doctor(env);
      }),
    );
    silent.stop();
    await redis.remove();
    const [works, refused, missing, forbidden] = answers.map(([, said]) => said);
    expect(works).toMatch(/^[✓!] The bus of CHAT_CLUSTER (hands out|is slow)/m);
    expect(works).toMatch(/^✗ No WebSocket reaches/m);
    const wrong = (why: string) =>
      new RegExp(
        `^✗ The bus of CHAT_CLUSTER cannot be used\\. ${why}.*\\.\n {2}→ .*php-session-chat:\\*`,
        'm',
      );
    expect(refused).toMatch(wrong('Redis refuses \\(WRONGPASS\\)'));
    expect(missing).toMatch(wrong('Redis: the connection failed \\(ECONNREFUSED\\)'));
    expect(forbidden).toMatch(wrong('Redis refuses \\(NOPERM\\)'));
    for (const [, said] of answers) expect(said).not.toMatch(/geheim|falsch/);
  });

  test('at the address of the chat: sticky, not sticky, without WebSocket, and something else', async () => {
    const env = { CHAT_SESSION_STORE: `file://${folder}` };
    const servers = await Promise.all([chatServerHere(env), chatServerHere(env)]);
    const ports = servers.map(({ port }) => port);
    const upstream = `upstream chat { ${ports.map((port) => `server 127.0.0.1:${port};`).join(' ')} }`;
    const port = await ownPort();
    const sticky = await startNginxBalancer(ports);
    // Without the upgrade, and to any server.
    const plain = await runNginx(
      `${upstream} server { listen 127.0.0.1:${port}; location / { proxy_pass http://chat; } }`,
      port,
      `http://127.0.0.1:${port}/healthz`,
    );
    const [[, well], [, bad], [code, other]] = await Promise.all([
      doctor(env, '--chat', `${sticky.url}/`),
      doctor(env, '--chat', `http://127.0.0.1:${port}`),
      doctor(env, '--chat', `http://127.0.0.1:${port}/nowhere`),
    ]);
    expect(well).toMatch(/^✓ A WebSocket reaches[\s\S]*^✓ Polling reaches the chat, too, and stays/m);
    expect(bad).toMatch(
      /^✗ No WebSocket reaches[\s\S]*^! Polling does not stay at its server: [1-4] of 4[\s\S]*PHPSESSID/m,
    );
    expect(other).toMatch(/^✗ At http:.*nowhere there is no chat: .* 404\./m);
    expect(code).toBe(1);
    await Promise.all([sticky.stop(), plain.stop(), ...servers.map((server) => server.stop())]);
  });
});

test('one of two memcached servers is down: it is named, although the other one answers', async () => {
  const down = await startMemcached();
  await down.stop();
  const store = `memcached://127.0.0.1:${memcached.port},127.0.0.1:${down.port}?handler=memcached`;
  const [code, said] = await doctor({ CHAT_SESSION_STORE: store });
  expect(said).toMatch(
    new RegExp(`^✗ The session store: memcached at 127\\.0\\.0\\.1:${down.port} cannot be reached`, 'm'),
  );
  expect(said).not.toContain('✓ The session store');
  expect(code).toBe(1);
});
