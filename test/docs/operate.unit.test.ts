import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readMailPlace } from '../../server/mail/place.ts';

const root = new URL('../..', import.meta.url).pathname;
const page = readFileSync(join(root, 'docs/operate.md'), 'utf8');
/** Without the session server, which has its own page. */
const server = readdirSync(join(root, 'server'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && name !== 'command/session-server.ts')
  .map((name) => readFileSync(join(root, 'server', name), 'utf8'))
  .join('\n');

test('docs/operate.md names each metric of the server exactly once', () => {
  const named = [...page.matchAll(/^\| `(chat_\w+)` \|/gm)].map(([, name]) => name);
  const made = [...server.matchAll(/name: '(chat_\w+)'/g)].map(([, name]) => name);
  expect(named.sort()).toEqual(made.sort());
});

test('the server writes each log line in docs/operate.md', () => {
  const rows = [...page.matchAll(/^\| (?:warn|error|fatal) \| ([^|]+) \|/gm)];
  expect(rows.length).toBeGreaterThan(10);
  const missing = rows
    .flatMap(([, lines = '']) => [...lines.matchAll(/`([^`]+)`/g)].map(([, line = '']) => line))
    .filter((line) => !server.includes(`'${line}'`));
  expect(missing).toEqual([]);
});

test('docs/operate.md explains each warning and error that the server logs', () => {
  const calls = /(?:\.(?:warn|error|fatal)|\bdie)\(\s*(?:[^()]|\([^()]*\))*?'([^']+)',?\s*\)/g;
  const written = [...server.matchAll(calls)].map(([, line = '']) => line);
  expect(written.length).toBeGreaterThan(10);
  expect(written.filter((line) => !page.includes(`\`${line}\``))).toEqual([]);
});

test('docs/operate.md names each reason for which the server closes a connection', () => {
  const types = [...server.matchAll(/export type (?:Http)?Breach =([^;]+);/g)].map(([, type = '']) => type);
  const reasons = types.flatMap((type) => [...type.matchAll(/'(\w+)'/g)].map(([, reason]) => reason));
  const row = /^\| `chat_closed_total` .*$/m.exec(page)?.[0] ?? '';
  expect(reasons.length).toBeGreaterThan(5);
  expect(reasons.filter((reason) => !row.includes(`\`${reason}\``))).toEqual([]);
});

test('docs/operate.md shows a valid URL of a mail server', () => {
  const [, example = ''] = /^CHAT_MAIL=(.*)$/m.exec(page) ?? [];
  expect(readMailPlace(example)).toMatchObject({ user: 'chat@example.org', host: 'mail.example.org' });
});

test('docs/operate.md has the same nginx locations for the chat as docs/install.md', () => {
  const locations = (text: string) => [...text.matchAll(/^location .*\/chat\/ \{$/gm)].map(([line]) => line);
  const install = readFileSync(join(root, 'docs/install.md'), 'utf8');
  expect(locations(page)).toEqual(locations(install));
});

test('docs/operate.md shows the service of the Debian package', () => {
  const [, shown = ''] = /```ini\n(\[Unit\]\nDescription=php-session-chat\n[\s\S]*?)```/.exec(page) ?? [];
  const packaged = readFileSync(join(root, 'deploy/debian/php-session-chat.service'), 'utf8');
  const settings = (text: string) => text.split('\n').filter((line) => !/^(#|User=|Group=)/.test(line));
  expect(settings(shown.replaceAll('/usr/local/bin/', '/usr/bin/'))).toEqual(settings(packaged));
  // systemd applies RestartPreventExitStatus= only to the main process. After a failed ExecStartPre it would
  // restart the service forever.
  expect(packaged).toContain('\nRestartPreventExitStatus=78\n');
  expect(packaged).not.toContain('ExecStartPre');
  // The session server does not start sandboxed processes for users' files, so it lacks these settings.
  const hardening = (text: string) =>
    settings(text.slice(text.indexOf('NoNewPrivileges='))).filter(
      (line) => !/^(ReadWritePaths=|SystemCallFilter=landlock|SystemCallErrorNumber=)/.test(line),
    );
  const sessions = readFileSync(join(root, 'deploy/debian/php-session-chat-sessions.service'), 'utf8');
  expect(hardening(sessions)).toEqual(hardening(packaged));
});
