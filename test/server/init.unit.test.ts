import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { addressesFor, parseAddress } from '../../server/init/address.ts';
import { printNextSteps } from '../../server/init/next-steps.ts';
import { writeSettings } from '../../server/init/settings-file.ts';
import { groupSettings } from '../../server/init/settings-text.ts';
import {
  apacheProxy,
  findWebServers,
  nginxLocation,
  nginxMap,
  nginxServer,
} from '../../server/init/web-server.ts';
import { hostAndPort, ownHost, ownProxies } from '../../server/settings/own-host.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'init-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const hostOnly = { path: '/', domain: '', secure: false };

test.each<[given: string | null, known: string | null, cookie: object, chat: string, way: string]>([
  // The chat is a path of the site.
  ['https://a.org', null, {}, 'https://a.org/chat/', 'path'],
  ['http://a.org', null, {}, 'http://a.org/chat/', 'path'],
  ['https://a.org/shop', null, {}, 'https://a.org/shop/chat/', 'path'],
  ['https://a.org/shop/chat', null, {}, 'https://a.org/shop/chat/', 'path'],
  [null, 'https://a.org/blog', { path: '/blog/' }, 'https://a.org/blog/chat/', 'path'],
  ['https://a.org', 'https://a.org/blog', { path: '/blog/' }, 'https://a.org/blog/chat/', 'path'],
  ['https://a.org/blog/talk', 'https://a.org/blog', { path: '/blog/' }, 'https://a.org/blog/talk/', 'path'],
  ['https://a.org/talk', 'https://a.org', {}, 'https://a.org/talk/', 'path'],
  // The cookie covers only a part of the site.
  [null, 'https://a.org/', { path: '/members' }, 'https://a.org/members/chat/', 'path'],
  // The chat has its own host.
  ['https://chat.a.org', 'https://www.a.org', { domain: '.a.org' }, 'https://chat.a.org/', 'host'],
  ['https://chat.a.org', 'https://a.org', { domain: '.' }, 'https://chat.a.org/', 'host'],
  ['https://a.org:8443', 'https://a.org', {}, 'https://a.org:8443/', 'host'],
  // On this machine the chat needs no web server in front of it.
  ['http://localhost:8000', null, {}, 'http://localhost:7070/', 'direct'],
  [null, 'http://127.0.0.1', { secure: true }, 'http://127.0.0.1:7070/', 'direct'],
  ['http://localhost/shop', null, { path: '/shop' }, 'http://localhost/shop/chat/', 'path'],
  // The configuration of the site says http, but the owner https.
  ['https://a.org', 'http://a.org/forum', {}, 'https://a.org/forum/chat/', 'path'],
  ['https://a.org:8443/talk', 'http://a.org', {}, 'https://a.org:8443/talk/', 'path'],
  // The configuration of the site says http, but its cookie goes only over https.
  [null, 'http://a.org/forum', { secure: true }, 'https://a.org/forum/chat/', 'path'],
  ['https://a.org', 'http://a.org/forum', { secure: true }, 'https://a.org/forum/chat/', 'path'],
  ['https://a.org:8443/', 'http://a.org:8080', { secure: true }, 'https://a.org:8443/chat/', 'path'],
  ['https://chat.a.org', 'http://a.org', { secure: true, domain: 'a.org' }, 'https://chat.a.org/', 'host'],
])('turns %s, the site %s and the cookie %j into %s', (given, known, cookie, chat, way) => {
  const url = (text: string | null) => (text === null ? null : parseAddress(text));
  const found = addressesFor(url(given), url(known), { ...hostOnly, ...cookie }, 7070);
  expect([found.chat.href, found.way]).toEqual([chat, way]);
});

test.each<[given: string, known: string | null, cookie: object, why: RegExp]>([
  ['https://chat.a.org', 'https://a.org', {}, /stays on a\.org, .* Use https:\/\/a\.org\/chat\//],
  ['https://www.a.org', 'https://a.org', {}, /stays on a\.org, .*, or set the domain of the cookie/],
  [
    'http://127.0.0.1',
    'http://localhost',
    {},
    /stays on localhost, .* Use http:\/\/localhost:7070\/, or if the site is not at http:\/\/localhost\/, correct/,
  ],
  [
    'http://localhost',
    null,
    { domain: 'a.org' },
    /for a\.org, and .* while you try the chat on this machine/,
  ],
  [
    'https://chat.b.org',
    'https://a.org',
    { domain: 'a.org' },
    /goes only to a\.org and below, .*\/chat\/, or if/,
  ],
  ['https://xa.org', 'https://a.org', { domain: '.a.org' }, /goes only to a\.org and below/],
  ['https://a.org', null, { domain: '.b.org' }, /for b\.org, and a\.org is not within it/],
  [
    'http://a.org',
    'https://a.org',
    {},
    /the site is at https:\/\/a\.org\/, but this address begins with http:/,
  ],
  ['https://chat.a.org', 'http://a.org', { domain: 'a.org' }, /begins with https:/],
  [
    'http://a.org/forum',
    null,
    { secure: true },
    /only over https \(Secure\).* --url https:\/\/a\.org\/forum\/$/,
  ],
  ['http://a.org/', 'http://a.org/', { secure: true }, /only over https .* --url https:\/\/a\.org\/$/],
  ['http://a.org:8080', null, { secure: true }, /only over https .* --url https:\/\/a\.org\/$/],
  ['http://a.org', 'https://a.org:8443', { secure: true }, /only over https .* --url https:\/\/a\.org\/$/],
  [
    'https://a.org/chat',
    'https://a.org/blog',
    { path: '/blog/' },
    /paths within \/blog\/, .* Use .*\/blog\/chat\//,
  ],
  ['https://a.org/blogs/', 'https://a.org/blog', { path: '/blog' }, /paths within \/blog/],
])('rejects %s for the site %s with the cookie %j', (given, known, cookie, why) => {
  const site = known === null ? null : parseAddress(known);
  const find = () => addressesFor(parseAddress(given), site, { ...hostOnly, ...cookie }, 7070);
  expect(find).toThrow(expect.objectContaining({ code: 78, message: expect.stringMatching(why) }));
});

test('writes a file completely and readable by its group, or not at all', () => {
  const file = join(newFolder(), 'made/settings');
  writeSettings(file, 'A=1\n', undefined, false);
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(() => writeSettings(file, 'A=2\n', undefined, false)).toThrow(/already exists/);
  expect(readFileSync(file, 'utf8')).toBe('A=1\n');
  expect(writeSettings(file, 'A=1\n', undefined, true)).toBeUndefined();
  expect(writeSettings(file, 'A=2\n', undefined, true)).toBe(`${file}.old`);
  expect(writeSettings(file, 'A=3\n', undefined, true)).toBe(`${file}.old`);
  expect([file, `${file}.old`].map((path) => readFileSync(path, 'utf8'))).toEqual(['A=3\n', 'A=2\n']);
  const within = join(file, 'settings');
  expect(() => writeSettings(within, '', undefined, false)).toThrow(
    expect.objectContaining({
      code: 74,
      message: expect.stringMatching(/cannot be written.*The settings were not written/),
    }),
  );
  expect(readdirSync(dirname(file))).toEqual(['settings', 'settings.old']);
});

test.each([
  'https://a$(id)b.org/',
  'https://a;b.org/',
  'https://a.org/$(id)/',
  "https://a.org/'/",
  'https://a.org/x;y/',
  'https://a.org/x&y/',
])('rejects the URL %s, which shells or web servers would interpret', (text) => {
  expect(() => parseAddress(text)).toThrow(/contains characters that are special/);
});

test('rejects a cookie path with characters that shells or web servers would interpret', () => {
  const cookie = { ...hostOnly, path: '/$(id)' };
  expect(() => addressesFor(null, parseAddress('https://a.org'), cookie, 7070)).toThrow(
    /contains characters that are special/,
  );
});

test('finds web servers by files and processes, with the configuration of the site', () => {
  const root = newFolder();
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  expect(findWebServers('www.example.org', root)).toEqual([]);
  write('etc/nginx/nginx.conf', '');
  write('etc/nginx/sites-enabled/a', 'server {\n  server_name example.net;\n}');
  write(
    'etc/nginx/sites-enabled/b',
    'server {\n  # server_name other;\n  server_name example.org www.example.org;\n}',
  );
  write('etc/apache2/apache2.conf', '');
  write(
    'etc/apache2/sites-enabled/site.conf',
    '<VirtualHost *:80>\n  ServerName Example.org:80\n</VirtualHost>',
  );
  expect(findWebServers('example.org', root).map(({ kind }) => kind)).toEqual(['nginx', 'apache']);
  write('etc/apache2/sites-enabled/blog.conf', 'ServerName blog.example.org');
  expect(findWebServers('blog.example.org', root).map(({ kind }) => kind)).toEqual(['apache', 'nginx']);
  write('proc/17/comm', 'apache2\n');
  write('proc/meminfo', 'nginx');
  expect(findWebServers('example.org', root)).toEqual([
    { kind: 'apache', isRunning: true, file: '/etc/apache2/sites-enabled/site.conf' },
    { kind: 'nginx', isRunning: false, file: '/etc/nginx/sites-enabled/b' },
  ]);
});

test('prints the blocks that docs/install.md shows', () => {
  const page = readFileSync(new URL('../../docs/install.md', import.meta.url), 'utf8');
  expect(page).toContain(`\`\`\`nginx\n${nginxLocation('/chat/', '127.0.0.1:7070')}\n\`\`\``);
  expect(page).toContain(`\`\`\`nginx\n${nginxMap}\n\`\`\``);
  expect(page).toContain(`\`\`\`apache\n${apacheProxy('/chat/', '127.0.0.1:7070')}\n\`\`\``);
});

test.each([
  ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
  ['::1', '::1', '::1'],
  ['::', '127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1', '127.0.0.1'],
  ['10.0.0.5', '10.0.0.5', '10.0.0.5'],
  ['localhost', 'localhost', '127.0.0.1,::1'],
])('a proxy reaches a chat server that listens at %s', (host, to, proxies) => {
  expect([ownHost(host), ownProxies(host)]).toEqual([to, proxies]);
  const upstream = hostAndPort(to, 7070);
  expect(new URL(`http://${upstream}`).host).toBe(upstream);
  expect(apacheProxy('/chat/', upstream)).toContain(`"http://${upstream}/"`);
});

test('prints the same directives for a host of its own as for a path', () => {
  const directives = (block: string) =>
    [...block.matchAll(/^ +((?:proxy_(?!pass)|client_|location =).*)$/gm)].map(([, line]) => line);
  const forHost = directives(nginxServer('chat.example.org', '127.0.0.1:7070'));
  expect(forHost).toHaveLength(9);
  expect(forHost).toEqual(directives(nginxLocation('/', '127.0.0.1:7070')));
});

test.each([
  ['127.0.0.1', 'Only the web server of this machine reaches the chat server.'],
  ['10.0.0.11', 'The address of the chat server, and the proxies before it.'],
])('describes who reaches a chat server that listens at %s', (host, comment) => {
  expect(groupSettings('/srv/site', { CHAT_HOST: host }, false)).toContainEqual({
    comment,
    settings: { CHAT_HOST: host },
  });
});

test('leaves login-url out of a template that would replace its placeholder', () => {
  const said: string[] = [];
  const say = (line = '') => void said.push(line);
  const addresses = addressesFor(parseAddress('https://a.org/shop/'), null, hostOnly, 7070);
  printNextSteps(
    {
      ...{ addresses, account: { name: 'chat', uid: 1, gid: 1 }, acl: [], settings: '/srv/settings' },
      ...{ login: new URL('https://a.org/login?back={return}'), data: '/srv/data', site: '/srv/site' },
      ...{
        sessions: undefined,
        upstream: '127.0.0.1:7070',
        isBuilt: true,
        machine: newFolder(),
        userPath: undefined,
        accent: undefined,
      },
      ...{ kind: 'prestashop', condition: { language: 'Smarty', open: '{if $a}', close: '{/if}' } },
      ...{ footer: undefined, usesSiteUser: false, options: { url: null, user: undefined } },
    },
    { say, problem: say, heading: say, ask: async () => null, askHidden: async () => null, close() {} },
  );
  expect(said.join('\n')).toMatch(/\{if \$a\}\n.*\n +<php-chat server="\/shop\/chat\/">.*\n +\{\/if\}/);
  expect(said.join('\n')).toContain('<php-chat server="/shop/chat/" login-url="/login?back={return}">');
});
