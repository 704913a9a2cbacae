import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { addressesFor, parseAddress } from '../../server/init/address.ts';
import { printNextSteps } from '../../server/init/next-steps.ts';
import { startService } from '../../server/init/service.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const unit = 'php-session-chat.service';
const settings = '/etc/php-session-chat/settings';
const own = { name: 'php-session-chat', uid: 900, gid: 900 };
const php = { name: 'www-data', uid: 33, gid: 33 };
const hostOnly = { path: '/', domain: '', secure: false };
const start = ['systemctl enable php-session-chat', 'systemctl restart php-session-chat'];

/** The unit that the Debian package installs for additional sites. */
const unitOfMoreSites = execFileSync(
  process.execPath,
  ['-e', "import('./scripts/debian-package.mjs').then((its) => process.stdout.write(its.unitOfMoreSites()))"],
  { cwd: root, encoding: 'utf8' },
);

/** The root folder of a machine with the Debian package. */
let machine: string;
beforeAll(() => {
  machine = mkdtempSync(join(tmpdir(), 'machine-'));
  cpSync(join(root, 'deploy/debian', unit), join(machine, 'usr/lib/systemd/system', unit));
});
afterAll(() => rmSync(machine, { recursive: true }));

test('prints only commands that start the service if the service can already read the site', () => {
  const needs = { account: own, settings, site: '/var/www/html', sessions: undefined };
  expect(startService(needs, machine)?.lines).toEqual(start);
});

test('prints commands that remove the rights of an earlier run that this site does not need', () => {
  const etc = join(machine, 'etc');
  onTestFinished(() => rmSync(etc, { recursive: true }));
  const beside = join(etc, 'systemd/system', `${unit}.d`);
  mkdirSync(beside, { recursive: true });
  writeFileSync(join(beside, 'site.conf'), '[Service]\nUser=www-data\nGroup=\n');
  const needs = { account: own, settings, site: '/var/www/html', sessions: undefined };
  expect(startService(needs, machine)?.lines).toEqual([
    `rm /etc/systemd/system/${unit}.d/site.conf`,
    'systemctl daemon-reload',
    ...start,
  ]);
});

test('creates a service for each additional site from the unit in docs/operate/two-sites.md', () => {
  const at = join(machine, 'etc/systemd/system');
  onTestFinished(() => rmSync(join(machine, 'etc'), { recursive: true }));
  mkdirSync(at, { recursive: true });
  const [sed = ''] =
    /(?<=^cd \/etc\/systemd\/system\n)sed [\s\S]*?\.service$/m.exec(
      readFileSync(join(root, 'docs/operate/two-sites.md'), 'utf8'),
    ) ?? [];
  cpSync(join(root, 'deploy/debian', unit), join(at, unit));
  execFileSync('sh', ['-ec', sed], { cwd: at });
  expect(readFileSync(join(at, 'php-session-chat@.service'), 'utf8')).toBe(unitOfMoreSites);
  const needs = {
    account: php,
    settings: '/etc/php-session-chat/shop.conf',
    site: '/srv/shop',
    sessions: undefined,
  };
  expect(startService(needs, machine)).toEqual({
    service: 'php-session-chat@shop',
    lines: [
      'install -d /etc/systemd/system/php-session-chat@shop.service.d',
      "printf '%s\\n' '[Service]' User=www-data Group= > /etc/systemd/system/php-session-chat@shop.service.d/site.conf",
      'systemctl daemon-reload',
      'systemctl enable php-session-chat@shop',
      'systemctl restart php-session-chat@shop',
    ],
  });
  const lines = unitOfMoreSites.split('\n');
  for (const line of [
    'ConditionPathExists=/etc/php-session-chat/%i.conf',
    'ExecStart=/usr/bin/php-session-chat run --settings /etc/php-session-chat/%i.conf',
    'WorkingDirectory=/var/lib/php-session-chat/%i',
    'StateDirectory=php-session-chat/%i',
    'CacheDirectory=php-session-chat/%i',
    'Environment=NODE_COMPILE_CACHE=%C/php-session-chat/%i',
  ])
    expect(lines).toContain(line);
});

const odd = String.raw`/tmp/it's "$HOME" \ \`id\` %`;
test.each<[string, string, string, string[]]>([
  ['where Debian stores them', '/var/www/html', '/var/lib/php/sessions', []],
  ['in another folder', '/var/www/html', '/srv/a b%', ['ReadWritePaths=-"/srv/a b%%"']],
  ['in a home', '/home/ann/site', '/home/ann/s', ['ReadWritePaths=-/home/ann/s', 'ProtectHome=read-only']],
  ['in /tmp', '/var/www/html', '/tmp/s', ['ReadWritePaths=-/tmp/s', 'PrivateTmp=no']],
  ['in a folder with a line break in its name', '/var/www/html', '/srv/a\nExecStartPre=+/srv/a.sh', []],
  [
    'in a folder with shell characters',
    '/var/www/html',
    odd,
    [`ReadWritePaths=-"${odd.replace(/["\\]/g, '\\$&').replace('%', '%%')}"`, 'PrivateTmp=no'],
  ],
])('runs the service as PHP’s account, for sessions %s', (_, site, sessions, more) => {
  const root = vi.spyOn(process as Required<typeof process>, 'geteuid').mockReturnValue(0);
  onTestFinished(() => root.mockRestore());
  const said: string[] = [];
  const say = (line = '') => void said.push(line);
  const addresses = addressesFor(parseAddress('http://localhost'), null, hostOnly, 7070);
  printNextSteps(
    {
      ...{ addresses, account: php, acl: [], login: addresses.site, settings, data: '/var/lib/chat' },
      ...{ site, sessions, upstream: '127.0.0.1:7070', isBuilt: true, machine },
      ...{
        userPath: undefined,
        accent: undefined,
        kind: 'php',
        condition: undefined,
        footer: undefined,
        usesSiteUser: false,
        options: { url: null, user: undefined },
      },
    },
    { say, problem: say, heading: say, ask: async () => null, askHidden: async () => null, close() {} },
  );
  const [, lines = ''] = /1\. Start the chat server\n\n([\s\S]*?)\n\n/.exec(said.join('\n')) ?? [];
  const run = lines.replaceAll('/etc/systemd/system', machine);
  // Runs the printed lines unchanged.
  const called = execFileSync('bash', ['-c', `systemctl() { echo "$@"; }\n${run}`], { stdio: 'pipe' });
  expect(called.toString()).toBe('daemon-reload\nenable php-session-chat\nrestart php-session-chat\n');
  expect(readFileSync(join(machine, `${unit}.d/site.conf`), 'utf8')).toBe(
    ['[Service]', 'User=www-data', 'Group=', ...more, ''].join('\n'),
  );
});

test('prints no commands if no installed service reads these settings', () => {
  const needs = { account: own, settings, site: '/var/www/html', sessions: undefined };
  expect(startService(needs, join(machine, 'none'))).toBeUndefined();
  for (const settings of [
    '/srv/settings',
    '/srv/shop.conf',
    '/etc/php-session-chat/shop',
    '/etc/php-session-chat/a b.conf',
  ])
    expect(startService({ ...needs, settings }, machine)).toBeUndefined();
});
