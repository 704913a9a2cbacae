import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { doctor } from '../../server/doctor/report.ts';
import { init } from '../../server/init/command.ts';
import type { Terminal } from '../../server/init/terminal.ts';
import { readConfig } from '../../server/settings/config.ts';
import { givenSettings } from '../../server/settings/file.ts';
import { loginsOf } from '../helpers/application-site.ts';
import { ownPort, startChild } from '../helpers/child.ts';
import { pngOf } from '../helpers/logo.ts';
import { startSiteDatabase, type TestDatabase } from '../helpers/site-database.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';
import { address, phrases, quoted, wordPressSite } from '../helpers/wordpress.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let db: TestDatabase;
const login = () => [db.user, db.password].map(encodeURIComponent).join(':');
let site: Awaited<ReturnType<typeof wordPressSite>>;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'init-'));
  db = await startSiteDatabase('mysql');
  site = await wordPressSite(db, { options: { home: address } });
  chmodSync(folder, 0o755);
  chmodSync(site.folder, 0o755);
  for (const [id, role] of [
    ['1', 'administrator'],
    ['2', 'administrator'],
    ['3', 'subscriber'],
  ] as const) {
    await site.logIn(id);
    await site.setMeta(id, `${site.prefix}capabilities`, `a:1:{s:${role.length}:"${role}";b:1;}`);
  }
});
afterAll(async () => {
  await db.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Root may read everything, so the chat uses another account. */
const user = process.getuid?.() === 0 ? ['--user', 'nobody'] : [];

/** Runs `init` in this process. @returns its exit code and its output */
async function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  answers: string[] = [],
  machine?: string,
) {
  const said: string[] = [];
  const answer = async (question: string) => {
    said.push(question);
    return answers.shift() ?? null;
  };
  const terminal: Terminal = {
    say: (line = '') => void said.push(line),
    problem: (line) => void said.push(line),
    heading: (text) => void said.push(`\n${text}`),
    ask: answer,
    askHidden: answer,
    close() {},
  };
  const code = await init(args, env, terminal, machine);
  return { code, said: said.join('\n') };
}

let files = 0;
const newFile = () => join(folder, String(++files), 'settings');

/** Creates another folder of WordPress, with this configuration. */
function otherFolder(config: string | null): string {
  const other = mkdtempSync(join(tmpdir(), 'wordpress-'));
  onTestFinished(() => rmSync(other, { recursive: true, force: true }));
  mkdirSync(join(other, 'wp-includes'));
  writeFileSync(join(other, 'wp-includes/version.php'), "<?php\n$wp_version = '6.9.7';\n");
  if (config !== null) writeFileSync(join(other, 'wp-config.php'), config);
  return other;
}

test('warns that a given path hides the pages of the site there', async () => {
  const print = [site.folder, '--print', '--yes', ...user];
  const { said } = await run([...print, '--url', 'https://blog.example.org/shop/']);
  expect(said).toContain('! The chat takes all addresses that begin with https://blog.example.org/shop/');
  expect((await run([...print, '--url', 'https://blog.example.org'])).said).not.toContain('The chat takes');
});

test('takes the time zone of WordPress, unless the server does not know it or the owner gives another', async () => {
  onTestFinished(async () => void (await site.setOption('timezone_string', '')));
  const zoneIn = async (stored: string, env = {}) => {
    await site.setOption('timezone_string', stored);
    const file = newFile();
    expect((await run([site.folder, '--settings', file, '--yes', ...user], env)).code).toBe(0);
    return givenSettings(file, {}).env.CHAT_TIME_ZONE;
  };
  expect(await zoneIn('Europe/Paris')).toBe('Europe/Paris');
  expect(await zoneIn('Europe/Paris', { CHAT_TIME_ZONE: 'Asia/Tokyo' })).toBe('Asia/Tokyo');
  // As with an offset such as UTC+2, which is another option.
  expect(await zoneIn('')).toBeUndefined();
  expect(await zoneIn('Mars/Olympus_Mons')).toBeUndefined();
});

test('sends the owner of a network to its own dashboard', async () => {
  const config = `define('LOGGED_IN_KEY', ${quoted(phrases.key)}); define('LOGGED_IN_SALT', ${quoted(phrases.salt)});
define('MULTISITE', true); define('SUBDOMAIN_INSTALL', false); define('DOMAIN_CURRENT_SITE', 'blog.example.org');`;
  const network = await wordPressSite(db, { config, options: { home: address } });
  onTestFinished(() => network.remove());
  await network.run(
    'CREATE TABLE #_sitemeta (meta_id BIGINT AUTO_INCREMENT PRIMARY KEY, site_id BIGINT, meta_key VARCHAR(255), meta_value LONGTEXT)',
  );
  onTestFinished(async () => void (await network.run('DROP TABLE #_sitemeta')));
  chmodSync(network.folder, 0o755);
  const { said } = await run([network.folder, '--settings', newFile(), '--yes', ...user]);
  expect(said).toContain(
    'In the dashboard of the network, https://blog.example.org/wp-admin/network/, upload it under Plugins → Add New → Upload Plugin, and press “Network Activate”. Then save this address under Settings → Chat there: /chat/\n',
  );
});

test('finds WordPress, writes its settings and lists the next steps', async () => {
  const file = newFile();
  const { code, said } = await run([site.folder, '--settings', file, '--yes', ...user]);
  expect(said).toContain('To let them find all users of the site, add CHAT_FIND_PEOPLE=all');
  expect(said).toContain(
    '✓ WordPress 6.9.7 at https://blog.example.org, logins in MariaDB, 2 administrators\n✓ The chat will be at https://blog.example.org/chat/: ',
  );
  expect(said).toMatch(/✓ The account \w+ may read the 2 files [\s\S]*✓ The database of the site answers\./);
  expect(said).toMatch(/location \^~ \/chat\/ \{|ProxyPass "\/chat\/"/);
  expect(said).toContain('<php-chat server="/chat/" login-url="/wp-login.php?redirect_to={return}">');
  expect(said).toMatch(/\n {6}<\?php if \(is_user_logged_in\(\)\): \?>\n {8}<script /);
  // For an HTML block, without PHP.
  expect(said).toMatch(/\n\n {6}<script .*\n {6}<php-chat .*<\/php-chat>\n/);
  expect(said).toContain('docs/sites/wordpress.md shows where to put it');
  expect(said).toMatch(
    /\n\d\. Install the plugin in WordPress\n[\s\S]* to your computer: .*php-session-chat\.zip/,
  );
  expect(said).toContain('Then save this address under Settings → Chat: /chat/\n');
  // Root may read everything, so the doctor has to run as the chat’s account.
  const as = user.length > 0 ? 'runuser -u nobody -- ' : '';
  expect(said).toContain(`${as}npm run doctor -- --settings ${file} --chat https://blog`);
  expect(code).toBe(0);
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(join(file, '..'))).toEqual(['settings']);
  const { env, lines } = givenSettings(file, {});
  expect(env).toEqual({
    CHAT_SITE: site.folder,
    CHAT_ORIGINS: 'https://blog.example.org',
    CHAT_LOGIN_URL: 'https://blog.example.org/wp-login.php?redirect_to={return}',
    CHAT_URL: 'https://blog.example.org/chat',
    CHAT_HOST: '127.0.0.1',
    CHAT_TRUSTED_PROXIES: '127.0.0.1',
    CHAT_HISTORY: `sqlite:${join(file, '../data/chat.db')}`,
    CHAT_FILES: `dir:${join(file, '../data/files')}`,
  });
  expect(readConfig(env, lines)).toMatchObject({ unknown: [] });
  // The salts and the database password are not copied.
  for (const secret of [phrases.key, db.password]) {
    expect(readFileSync(file, 'utf8')).not.toContain(secret);
    expect(said).not.toContain(secret);
  }
});

test('replaces an existing file only with --force', async () => {
  const file = newFile();
  mkdirSync(join(file, '..'));
  writeFileSync(file, 'own\n');
  const refused = await run([site.folder, '--settings', file, '--yes']);
  expect(refused).toEqual({ code: 78, said: expect.stringContaining(`${file} already exists`) });
  const printed = await run([site.folder, '--settings', file, '--print', ...user]);
  expect(printed).toEqual({ code: 0, said: expect.stringContaining(`CHAT_SITE=${site.folder}`) });
  expect(readFileSync(file, 'utf8')).toBe('own\n');
  expect((await run([site.folder, '--settings', file, '--force', ...user])).code).toBe(0);
  expect(readFileSync(file, 'utf8')).toContain('CHAT_SITE=');
});

test('gives two settings files in one folder different histories and ports', async () => {
  const beside = join(newFile(), '..');
  const places = [];
  for (const name of ['a.conf', 'b.conf']) {
    const file = join(beside, name);
    expect((await run([site.folder, '--settings', file, ...user])).code).toBe(0);
    const { CHAT_HISTORY, CHAT_FILES, CHAT_PORT = '7070' } = givenSettings(file, {}).env;
    places.push(CHAT_HISTORY, CHAT_FILES, CHAT_PORT);
  }
  expect(new Set(places).size).toBe(6);
  expect(places.at(-1)).toBe('7071');
});

test('places a second site’s data next to the first site’s data, not inside it', async () => {
  const at = (name: string) =>
    run([site.folder, '--settings', `/etc/php-session-chat/${name}.conf`, '--print', ...user]);
  expect(await at('shop')).toEqual({
    code: 0,
    said: expect.stringMatching(
      /CHAT_HISTORY=sqlite:\/var\/lib\/php-session-chat\/shop\/chat\.db\n +CHAT_FILES=dir:\/var\/lib\/php-session-chat\/shop\/files\n/,
    ),
  });
  expect(await at('main')).toEqual({ code: 64, said: expect.stringContaining('choose another name') });
});

test('rejects an existing history for another site, unless the environment names it', async () => {
  const file = newFile();
  const data = join(file, '../data');
  const here = [site.folder, '--settings', file, '--force', ...user];
  expect((await run(here)).code).toBe(0);
  mkdirSync(data);
  writeFileSync(join(data, 'chat.db'), '');
  expect((await run(here)).code).toBe(0);
  const refused = {
    code: 78,
    said: expect.stringMatching(
      new RegExp(`--settings /etc/php-session-chat/NAME\\.conf.* CHAT_HISTORY=sqlite:${data}/chat\\.db`),
    ),
  };
  const before = readFileSync(file, 'utf8');
  const other = otherFolder(readFileSync(join(site.folder, 'wp-config.php'), 'utf8'));
  expect(await run([other, '--settings', file, '--force', ...user])).toEqual(refused);
  expect(readFileSync(file, 'utf8')).toBe(before);
  rmSync(file);
  expect(await run(here)).toEqual(refused);
  expect(await run([...here, '--print'])).toEqual({
    code: 0,
    said: expect.stringMatching(/\n! .*chat\.db already exists[\s\S]*CHAT_SITE=/),
  });
  const named = { CHAT_HISTORY: `sqlite:${data}/chat.db`, CHAT_FILES: `dir:${data}/files` };
  expect((await run(here, named)).code).toBe(0);
});

test('rejects a folder that other accounts can change', async () => {
  const file = newFile();
  const at = join(file, '..');
  mkdirSync(join(at, 'below'), { recursive: true });
  for (const [mode, path] of [
    [0o777, file],
    [0o1777, file],
    [0o777, join(at, 'new/settings')],
  ] as const) {
    chmodSync(at, mode);
    expect(await run([site.folder, '--settings', path, '--yes', ...user])).toEqual({
      code: 78,
      said: expect.stringContaining(`ther accounts may change ${at}, and so replace the settings`),
    });
  }
  expect(readdirSync(at)).toEqual(['below']);
  chmodSync(at, 0o1777);
  const below = join(at, 'below/settings');
  expect((await run([site.folder, '--settings', below, '--yes', ...user])).code).toBe(0);
});

test('rejects settings and data in a published folder, and suggests another', async () => {
  const above = mkdtempSync(join(folder, 'www-'));
  const blog = join(above, 'html/blog');
  mkdirSync(join(above, 'html'));
  writeFileSync(join(above, 'html/index.php'), '');
  renameSync(otherFolder(readFileSync(join(site.folder, 'wp-config.php'), 'utf8')), blog);
  const link = join(folder, 'link-to-the-site');
  symlinkSync(blog, link);
  const before = readdirSync(blog);
  const beside = join(above, 'php-session-chat');
  for (const [file, env, other] of [
    [join(blog, 'settings'), {}, `--settings ${beside}/settings`],
    [join(link, 'new/settings'), {}, `--settings ${beside}/settings`],
    [join(above, 'html/settings'), {}, `--settings ${beside}/settings`],
    [newFile(), { CHAT_HISTORY: `sqlite:${blog}/chat.db` }, `CHAT_HISTORY=sqlite:${beside}/chat.db`],
    [newFile(), { CHAT_FILES: `dir:${blog}/files` }, `CHAT_FILES=dir:${beside}/files`],
  ] as const) {
    expect(await run([blog, '--settings', file, '--yes', ...user], env)).toEqual({
      code: 78,
      said: expect.stringMatching(
        new RegExp(`is in ${above}/html, which the web server publishes\\. Choose .*, such as ${other}\\.$`),
      ),
    });
    expect(existsSync(file)).toBe(false);
  }
  expect(readdirSync(blog)).toEqual(before);
});

test('writes settings of the environment if they are valid', async () => {
  const file = newFile();
  const url = `mysql://${login()}@127.0.0.1:${db.port}/site`;
  const own = {
    CHAT_PORT: '7071',
    CHAT_ROOMS: "l'été,b",
    CHAT_SITE_DATABASE: url,
    CHAT_HISTORY: 'sqlite:/x y/c.db',
    CHAT_FILES: 's3://key:geheim secret@files',
  };
  const printed = await run([site.folder, '--settings', file, '--print', ...user], own);
  expect(printed.said).toContain("CHAT_SITE_DATABASE='mysql://site:…@127.0.0.1");
  expect(printed.said).toContain("CHAT_FILES='s3://…@files'");
  expect(printed.said).not.toMatch(new RegExp(`geheim|${encodeURIComponent(db.password)}`));
  expect((await run([site.folder, '--settings', file, ...user], own)).code).toBe(0);
  expect(givenSettings(file, {}).env).toMatchObject(own);
  const other = newFile();
  const refused = await run([site.folder, '--settings', other], { CHAT_PORT: 'x' });
  expect(refused).toEqual({ code: 78, said: expect.stringContaining('CHAT_PORT: "x" is not a port') });
  expect(existsSync(other)).toBe(false);
});

test.each<[string, string[], number, RegExp]>([
  ['no folder', [], 64, /^✗ The folder of the site is missing[\s\S]*Example: npm run init/],
  ['two folders', ['/a', '/b'], 64, /^✗ Expected one folder, got 2/],
  ['an unknown option', ['/', '--frce'], 64, /^✗ Unknown option '--frce'/],
  ['a missing folder', ['/nowhere/at/all'], 64, /^✗ \/nowhere\/at\/all: there is no such folder/],
  ['an invalid URL', ['/', '--url', 'example.org'], 64, /^✗ "example.org" is not an address: give it/],
  ['a file: URL', ['/', '--url', 'file:///x'], 64, /is not an address/],
  ['a login in the URL', ['/', '--url', 'https://a:geheim@b.org'], 64, /has a login, a \? or a # in it/],
])('rejects %s with exit code and reason', async (_, args, code, expected) => {
  const answer = await run([...args, '--settings', newFile()]);
  expect(answer.code).toBe(code);
  expect(answer.said).toMatch(expected);
  expect(answer.said).not.toContain('geheim');
});

test('escapes control characters in text from the site', async () => {
  const forged = '\n✓ All is well.\u001b[2J';
  const config = `<?php require '/none${forged}';`;
  const answer = await run([otherFolder(config), '--yes', '--url', 'http://x', '--settings', newFile()]);
  expect(answer).toEqual({ code: 78, said: expect.stringContaining('✓ All is well.') });
  expect(answer.said).not.toMatch(/^✓ All|(?!\n)\p{Cc}/mu);
  const child = startChild(process.execPath, ['server/command/main.ts', 'init', `/none${forged}`], {
    cwd: root,
  });
  await new Promise((resolve) => child.process.on('close', resolve));
  expect(child.output()).toContain('there is no such folder');
  expect(child.output()).not.toMatch(/^✓ All|(?!\n)\p{Cc}/mu);
});

test('rejects a file, a circular link and a half-installed WordPress', async () => {
  const link = join(folder, 'circle');
  symlinkSync(link, link);
  const file = join(site.folder, 'wp-config.php');
  for (const [path, code, expected] of [
    [file, 64, /is a file: give the folder of the site, such as /],
    [join(file, 'x'), 64, /a parent in the path is a file/],
    [link, 64, /symbolic links form a loop/],
    [otherFolder(null), 78, /WordPress is here, but wp-config\.php is neither here nor/],
  ] as const) {
    const answer = await run([path, '--yes', '--url', 'http://x', '--settings', newFile()]);
    expect(answer).toEqual({ code, said: expect.stringMatching(expected) });
  }
});

test('names the right folder if given its parent or a subfolder', async () => {
  const above = mkdtempSync(join(folder, 'www-'));
  const config = readFileSync(join(site.folder, 'wp-config.php'), 'utf8');
  renameSync(otherFolder(config), join(above, 'html'));
  mkdirSync(join(above, 'html/wp-content/plugins'), { recursive: true });
  const machine = plainSite().machine;
  const named = expect.stringContaining(`WordPress is in ${above}/html`);
  // The parent has PHP in its web root, so it may be a plain PHP site, for which `init` asks for the URL.
  for (const [path, answers] of [
    [above, ['https://example.org']],
    [join(above, 'html/wp-content/plugins'), []],
  ] as const) {
    expect(await run([path, '--settings', newFile()], {}, [...answers], machine)).toEqual({
      code: 78,
      said: named,
    });
  }
  const [, account = userInfo().username] = user;
  expect((await run([`${above}/html`, '--print', '--user', account])).said).not.toContain('WordPress is in');
});

test('explains a database that cannot be used', async () => {
  const config = readFileSync(join(site.folder, 'wp-config.php'), 'utf8');
  const port = await ownPort();
  await db.run("CREATE USER norights@'%' IDENTIFIED BY 'x'");
  for (const [text, code, expected] of [
    [config.replace(`:${db.port}`, `:${port}`), 69, /does not answer: .*\(ECONNREFUSED\)\. Start it/],
    [
      config.replace(/(define\('DB_PASSWORD', ).*\)/g, `$1${quoted('geheim')})`),
      78,
      /refuses the user or the password from the site's configuration/,
    ],
    [
      config.replace(/table_prefix = '\w+'/, "table_prefix = 'none_'"),
      78,
      /answers, but it is not complete: .* Finish the installation/,
    ],
    [
      config
        .replace(/(define\( "DB_USER", ).*\)/g, "$1'norights')")
        .replace(/(define\('DB_PASSWORD', ).*\)/g, "$1'x')"),
      78,
      /^✗ The database of the site .*user of the site may not use it.*rights.*or set CHAT_SITE_DATABASE(?!.*Finish)/,
    ],
  ] as const) {
    const answer = await run([otherFolder(text), '--yes', '--settings', newFile()]);
    expect(answer).toEqual({ code, said: expect.stringMatching(expected) });
    expect(answer.said).not.toContain('geheim');
  }
});

test('prints the GRANT if the database user cannot read what the chat needs', async () => {
  await db.run("CREATE USER bare@'%' IDENTIFIED BY 'x'");
  const own = { CHAT_SITE_DATABASE: `mysql://bare:x@127.0.0.1:${db.port}/site` };
  const answer = await run([site.folder, '--settings', newFile()], own);
  expect(answer).toEqual({
    code: 78,
    said: expect.stringMatching(
      /user of CHAT_SITE_DATABASE may not read[\s\S]*\n {4}GRANT SELECT ON `chat_wordpress` TO/,
    ),
  });
  expect(answer.said).not.toContain('CREATE USER');
});

test('prints the setfacl command for a file that the chat cannot read', async () => {
  const other = otherFolder(readFileSync(join(site.folder, 'wp-config.php'), 'utf8'));
  chmodSync(other, 0o755);
  chmodSync(join(other, 'wp-config.php'), 0o000);
  const { code, said } = await run([other, '--settings', newFile(), ...user]);
  const [, account = userInfo().username] = user;
  expect([...said.matchAll(/setfacl .*/g)].map(([line]) => line)).toEqual([
    `setfacl -RP -m u:${account}:r ${other}/wp-config.php`,
  ]);
  // Root could read the file anyway.
  expect(code).toBe(user.length > 0 ? 0 : 78);
});

test.runIf(process.getuid?.() === 0)(
  'grants no access to another account’s file through a link out of the site',
  async () => {
    const other = otherFolder(readFileSync(join(site.folder, 'wp-config.php'), 'utf8'));
    chmodSync(other, 0o755);
    mkdirSync(join(other, 'wp-content'));
    const [writer, link] = [12_345, join(other, 'wp-content/db.php')];
    const secret = join(mkdtempSync(join(folder, 'away-')), 'secret');
    chmodSync(join(secret, '..'), 0o755);
    writeFileSync(secret, '', { mode: 0o600 });
    symlinkSync(secret, link);
    const lines = async () => {
      const { code, said } = await run([other, '--settings', newFile(), ...user]);
      return { code, said, lines: said.match(/setfacl .*/g) };
    };
    const none = {
      code: 78,
      said: expect.stringContaining(`${link} leads out of the site to a file of another account`),
      lines: null,
    };
    lchownSync(link, writer, writer);
    expect(await lines()).toEqual(none);
    const right = { code: 0, lines: [`setfacl -RP -m u:nobody:r ${secret}`] };
    chownSync(secret, writer, writer);
    expect(await lines()).toMatchObject(right);
    chownSync(secret, 0, 0);
    lchownSync(link, 0, 0);
    expect(await lines()).toMatchObject(right);
    // A link of root may lead through a link of another account.
    const writers = join(mkdtempSync(join(folder, 'writer-')), 'link');
    chmodSync(join(writers, '..'), 0o755);
    symlinkSync(secret, writers);
    rmSync(link);
    symlinkSync(writers, link);
    expect(await lines()).toMatchObject(right);
    lchownSync(writers, writer, writer);
    expect(await lines()).toEqual(none);
  },
);

test('rejects a session folder whose name would add lines to a systemd unit', async () => {
  const { machine, path } = plainSite();
  const forged = String.raw`/tmp/a/s\nExecStartPre=+/tmp/a/evil\n#`;
  writeFileSync(join(path, 'index.php'), `<?php ini_set('session.save_path', "${forged}"); session_start();`);
  const env = { CHAT_USER_ID: 'user' };
  const args = [path, '--yes', '--url', address, '--settings', newFile(), ...user];
  const { code, said } = await run(args, env, [], machine);
  expect([code, said]).toEqual([78, expect.stringContaining('a control character')]);
  expect(said).not.toMatch(/^\s*ExecStartPre/m);
});

test('prints no SQL if the database reports an invalid host name for this machine', async () => {
  const proxy = await startTcpProxy(db.port, (piece, client) =>
    client.write(piece.toString('latin1').replace(/@(127\.0\.0\.1|localhost)/g, "@1'; DROP "), 'latin1'),
  );
  onTestFinished(proxy.close);
  const config = readFileSync(join(site.folder, 'wp-config.php'), 'utf8');
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  const args = ['--settings=', '--grants'];
  const env = { CHAT_SITE: otherFolder(config.replace(`:${db.port}`, `:${proxy.port}`)) };
  expect(await doctor(args, env, { finding: say, problem: say })).toBe(1);
  expect(said).toEqual([
    expect.stringMatching(
      /^✗ the database knows this machine by a name that is not a valid host name: .*skip_name_resolve/,
    ),
  ]);
});

/** Creates a plain PHP site behind PHP-FPM, whose pool sets a session folder. */
function plainSite() {
  const machine = mkdtempSync(join(folder, 'machine-'));
  const write = (file: string, text: string) => {
    mkdirSync(join(machine, file, '..'), { recursive: true });
    writeFileSync(join(machine, file), text);
  };
  const account = userInfo().username;
  const sessions = join(machine, 'srv/site-sessions');
  mkdirSync(sessions, { recursive: true });
  for (const path of [machine, join(machine, 'srv')]) chmodSync(path, 0o755);
  write('srv/site/index.php', '<?php session_start();');
  write('etc/passwd', readFileSync('/etc/passwd', 'utf8'));
  write('etc/php/8.2/fpm/php.ini', 'session.save_path = /var/lib/php/sessions\n');
  write('etc/php/8.2/fpm/php-fpm.conf', 'include=/etc/php/8.2/fpm/pool.d/*.conf\n');
  write(
    'etc/php/8.2/fpm/pool.d/site.conf',
    `[site]\nuser = ${account}\nphp_admin_value[session.save_path] = ${sessions}\nphp_value[session.name] = SITE\n`,
  );
  const id = randomBytes(16).toString('hex');
  writeFileSync(
    join(sessions, `sess_${id}`),
    'csrf|s:6:"geheim";cart|a:1:{s:2:"id";i:3;}user|a:3:{s:2:"id";i:7;s:4:"name";s:4:"Zoë";s:4:"role";s:5:"admin";}',
  );
  return { machine, sessions, id, path: join(machine, 'srv/site') };
}

test('takes the session store from the environment if PHP runs elsewhere', async () => {
  const { machine, sessions, id, path } = plainSite();
  rmSync(join(machine, 'etc/php'), { recursive: true });
  const args = [path, '--print', '--url', 'https://example.org', '--user', userInfo().username];
  const without = await run(args, {}, [], machine);
  expect(without).toEqual({
    code: 78,
    said: expect.stringMatching(/PHP was not found.*CHAT_SESSION_STORE/i),
  });
  const store = { CHAT_SESSION_STORE: `file://${sessions}`, CHAT_SESSION_NAME: 'SITE' };
  const { code, said } = await run(args, store, [id, 'y', '/login'], machine);
  expect(said).toContain('CHAT_USER_ID=user.id');
  expect(said).toContain(`CHAT_SESSION_STORE=file://${sessions}`);
  expect(code).toBe(0);
});

test('configures a plain PHP site from the session of one login', async () => {
  const { machine, sessions, id, path } = plainSite();
  const file = newFile();
  const args = [path, '--settings', file];
  const unknown = await run([...args, '--yes', '--url', 'https://example.org'], {}, [], machine);
  expect(unknown).toEqual({
    code: 78,
    said: expect.stringMatching(/The path to the user in a session is unknown[\s\S]*CHAT_USER_ID/),
  });
  const cut = await run([...args, '--url', 'https://example.org'], {}, [id], machine);
  expect(cut.said).toMatch(/The path to the user in a session is unknown: give the cookie of a login/);
  const elsewhere = await run([...args, '--url', 'https://example.org'], {}, ['0'.repeat(26)], machine);
  expect(elsewhere.said).toMatch(/✗ This login is rejected: the store has no such session\./);
  expect(elsewhere.said).toContain(`Searched in: sessions in files in ${sessions}. `);
  expect(elsewhere.said).toContain('CHAT_SESSION_STORE=file:///PATH CHAT_SESSION_NAME=NAME npm run init');
  const answers = ['https://example.org/shop/', `SITE=${id}`, 'y', '/login'];
  const { code, said } = await run(args, {}, answers, machine);
  expect(said).toContain(`A site in PHP (PHP-FPM 8.2, pool site), sessions in files in ${sessions}`);
  expect(said).toMatch(
    /cart\.id +a number\n +user +an array of 3\n +user\.id +a number\n +user\.name +a text/,
  );
  expect(said).toContain('the user seems to be user.id, the name user.name, the roles user.role');
  expect(said).toContain("<?php if (!empty($_SESSION['user']['id'])): ?>");
  expect(said).not.toMatch(new RegExp(`geheim|Zoë|${id}`));
  expect(said).toContain('and set CHAT_USER_TABLE to the table of users');
  // The answers end here, so nobody answers questions.
  expect(said).toContain('? Who answers questions of visitors?');
  expect(givenSettings(file, {}).env).not.toHaveProperty('CHAT_TEAM');
  // The session already gives this user the role.
  expect(said).not.toContain('be an admin');
  expect(code).toBe(0);
  const { env } = givenSettings(file, {});
  expect(env).toMatchObject({
    CHAT_SITE: path,
    CHAT_USER_ID: 'user.id',
    CHAT_USER_NAME: 'user.name',
    CHAT_USER_ROLES: 'user.role',
    CHAT_ORIGINS: 'https://example.org',
    CHAT_LOGIN_URL: 'https://example.org/login',
  });
  const config = readConfig(env);
  if (!('site' in config.logins)) throw new Error('these settings name no site');
  const logins = await loginsOf(path, { ...config.logins.site, machine });
  expect(await logins.identify({ cookies: `SITE=${id}` })).toMatchObject({
    user: { id: '7', name: 'Zoë', roles: ['admin'] },
  });
});

test('asks for the team in one question, and not with --yes', async () => {
  const set = async (answers: string[], env = {}, args: string[] = []) => {
    const file = newFile();
    const { code, said } = await run([site.folder, '--settings', file, ...user, ...args], env, answers);
    const settings = code === 0 ? readFileSync(file, 'utf8') : '';
    return { code, said, settings };
  };
  const asked = await set(['17,role:shop_manager']);
  expect(asked.settings).toMatch(/\n\n# The team that .*\nCHAT_TEAM=17,role:shop_manager\n\n/);
  expect(asked.said).toMatch(/✓ Users can ask the team\. .*questions/);
  for (const none of [await set(['']), await set([]), await set(['17'], {}, ['--yes'])]) {
    expect(none.code).toBe(0);
    expect(none.settings).not.toContain('CHAT_TEAM');
    expect(none.said).not.toContain('can ask the team');
  }
  const given = await set(['17'], { CHAT_TEAM: 'role:moderator' });
  expect(given.said).not.toContain('? Who answers');
  expect(given.settings).toContain('\nCHAT_TEAM=role:moderator\n');
  expect(await set(['*'])).toMatchObject({
    code: 78,
    said: expect.stringMatching(/CHAT_TEAM: .* IDs of users/),
  });
  const { machine, id, path } = plainSite();
  const plain = async (team: string, role: string) => {
    const answers = [`SITE=${id}`, 'n', 'user.id', 'user.name', role, 'n', '/login', team];
    const args = [path, '--settings', newFile(), '--url', 'https://example.org'];
    return run(args, {}, answers, machine);
  };
  const missing = await plain('role:shop_manager', '-');
  expect(missing).toMatchObject({
    code: 78,
    said: expect.stringMatching(/no roles of the site: .*CHAT_USER_ROLES/),
  });
  expect((await plain('role:moderator', '-')).code).toBe(0);
  // A wrong answer does not lose the others.
  const again = await set(['*', '17']);
  expect(again.said).toMatch(/CHAT_TEAM: .* IDs of users/);
  expect(again.settings).toContain('\nCHAT_TEAM=17\n');
});

test('takes the name, colour and logo from the front page, and stores the logo next to the settings', async () => {
  const page = `<title>Home | Fern’s “Garden” $1</title><meta name="theme-color" content="#1f6b45">
    <link rel="icon" href="/icon.png">`;
  const server = createServer((req, res) => res.end(req.url === '/icon.png' ? pngOf(96) : page));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { machine, path } = plainSite();
  const file = newFile();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const env = { CHAT_USER_ID: 'user.id', CHAT_USER_NAME: 'user.name' };
  const args = [path, '--settings', file, '--yes', '--url', url, '--user', userInfo().username];
  const { code, said } = await run(args, env, [], machine);
  expect([code, said]).toEqual([
    0,
    expect.stringContaining(
      `Taken from ${url}/: the name “Fern’s “Garden” $1”, the colour #1f6b45, and the logo.`,
    ),
  ]);
  const { env: written, lines } = givenSettings(file, {});
  expect(written).toMatchObject({ CHAT_ACCENT: '#1f6b45', CHAT_LOGO: `${file}.logo.png` });
  // On the pages of the site, the colour is that of their style sheet.
  expect(said).toContain('<style>php-chat, php-chat-launcher { --pc-accent: light-dark(#1f6b45, #');
  expect(readConfig(written, lines).branding).toMatchObject({
    name: 'Fern’s “Garden” $1',
    logo: { width: 96 },
  });
  expect(statSync(`${file}.logo.png`).mode & 0o777).toBe(0o640);
  const printed = await run(
    [...args.filter((arg) => arg !== '--settings' && arg !== file), '--print'],
    env,
    [],
    machine,
  );
  expect(printed.said).toContain('CHAT_ACCENT=');
  expect(printed.said).not.toContain('CHAT_LOGO');
});

test('reads the answers from standard input and does not print the cookie', async () => {
  const { sessions, id, path } = plainSite();
  const file = newFile();
  const args = ['server/command/main.ts', 'init', path, '--settings', file, '--user', userInfo().username];
  const child = startChild(process.execPath, args, {
    cwd: root,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, CHAT_SESSION_STORE: `file://${sessions}`, CHAT_SESSION_NAME: 'SITE' },
  });
  const ended = new Promise<number>((resolve) => child.process.on('close', resolve));
  child.process.stdin?.end(`https://example.org\n${id}\nn\nuser.id\nuser.name\n-\nyes\n\n`);
  expect([await ended, child.output()]).toEqual([0, expect.stringContaining(`Written: ${file}`)]);
  expect(child.output()).not.toContain(id);
  expect(child.output()).toContain('Should the user 7 of this cookie be an admin of the chat?');
  expect(readFileSync(file, 'utf8')).toMatch(
    /CHAT_USER_ID=user\.id\nCHAT_USER_NAME=user\.name\n\n#.*\nCHAT_ADMINS=7\n\n/,
  );
});

test('configures Laravel from its folder', async () => {
  const laravel = mkdtempSync(join(folder, 'laravel-'));
  const write = (name: string, text: string) => {
    mkdirSync(join(laravel, name, '..'), { recursive: true });
    writeFileSync(join(laravel, name), text);
  };
  write('artisan', '');
  write('bootstrap/app.php', '<?php');
  write(
    '.env',
    `APP_KEY=base64:${'A'.repeat(43)}=\nAPP_URL=https://app.example.org\nSESSION_DOMAIN=.example.org\n`,
  );
  write(
    'config/app.php',
    "<?php return ['key' => env('APP_KEY'), 'url' => env('APP_URL', 'http://localhost')];",
  );
  write(
    'config/session.php',
    "<?php return ['driver' => env('SESSION_DRIVER', 'file'), 'files' => storage_path('framework/sessions'), 'cookie' => 'app-session', 'domain' => env('SESSION_DOMAIN'), 'path' => '/', 'secure' => true];",
  );
  write('public/index.php', '<?php');
  mkdirSync(join(laravel, 'storage/framework/sessions'), { recursive: true });
  for (const path of [laravel, ...['storage', 'config', 'bootstrap'].map((name) => join(laravel, name))])
    chmodSync(path, 0o755);
  // The web server publishes only `public`.
  const file = join(laravel, 'settings');
  const own = ['--user', userInfo().username];
  const url = ['--url', 'https://chat.example.org'];
  const env = { CHAT_USER_ID: 'user' };
  const inPages = ['--settings', join(laravel, 'public/settings')];
  expect((await run([laravel, ...inPages, '--yes', ...url, ...own], env)).said).toContain(
    `is in ${laravel}/public, which the web server publishes`,
  );
  const { code, said } = await run([laravel, '--settings', file, '--yes', ...url, ...own], env);
  expect(said).toMatch(
    /✓ Laravel at https:\/\/app\.example\.org, sessions in files in .*storage\/framework\/sessions/,
  );
  expect(said).toContain(
    'The chat will be at https://chat.example.org/, and the pages at https://app.example.org/',
  );
  expect(said).toMatch(/\n {6}@auth\n {8}<script .*\n {8}<php-chat .*\n {6}@endauth\n/);
  expect(code).toBe(0);
  expect(givenSettings(file, {}).env).toMatchObject({
    CHAT_SITE: laravel,
    CHAT_ORIGINS: 'https://app.example.org,https://chat.example.org',
    CHAT_LOGIN_URL: 'https://app.example.org/login',
    CHAT_URL: 'https://chat.example.org',
  });
});
