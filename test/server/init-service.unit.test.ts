import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serviceLines } from '../../server/init/service.ts';

const root = new URL('../..', import.meta.url).pathname;
const unit = 'php-session-chat.service';
const settings = '/etc/php-session-chat/settings';
const own = { name: 'php-session-chat', uid: 900, gid: 900 };
const php = { name: 'www-data', uid: 33, gid: 33 };
const enable = 'systemctl enable --now php-session-chat';

/** A machine with the Debian package. */
let machine: string;
beforeAll(() => {
  machine = mkdtempSync(join(tmpdir(), 'machine-'));
  cpSync(join(root, 'deploy/debian', unit), join(machine, 'usr/lib/systemd/system', unit));
});
afterAll(() => rmSync(machine, { recursive: true }));

test('a site that the service can read as it is: the service is started', () => {
  const needs = { account: own, settings, site: '/var/www/html', sessions: undefined };
  expect(serviceLines(needs, machine)).toEqual([enable]);
});

test.each<[string, string, string, string[]]>([
  ['where Debian has the sessions', '/var/www/html', '/var/lib/php/sessions', []],
  ['in another folder', '/var/www/html', '/srv/a b%', ['ReadWritePaths=-"/srv/a b%%"']],
  ['in a home', '/home/ann/site', '/home/ann/s', ['ReadWritePaths=-/home/ann/s', 'ProtectHome=read-only']],
  ['in /tmp', '/var/www/html', '/tmp/s', ['ReadWritePaths=-/tmp/s', 'PrivateTmp=no']],
])(
  'sessions in files, %s: the service runs as the account of PHP, and may do what that takes',
  (_, site, sessions, more) => {
    expect(serviceLines({ account: php, settings, site, sessions }, machine)).toEqual([
      `install -d /etc/systemd/system/${unit}.d`,
      `cat > /etc/systemd/system/${unit}.d/site.conf <<'END'`,
      ...['[Service]', 'User=www-data', 'Group=', ...more, 'END'],
      'systemctl daemon-reload',
      enable,
    ]);
  },
);

test('without a service, or with settings that it does not read, there are no such lines', () => {
  const needs = { account: own, settings, site: '/var/www/html', sessions: undefined };
  expect(serviceLines(needs, join(machine, 'none'))).toBeUndefined();
  expect(serviceLines({ ...needs, settings: '/srv/settings' }, machine)).toBeUndefined();
});
