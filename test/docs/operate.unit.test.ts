import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readMailPlace } from '../../server/mail/place.ts';
import { type Alert, alerts, alertsFile } from '../helpers/alerts.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = (path: string) => readFileSync(join(root, 'docs', path), 'utf8');
const monitor = page('operate/monitor.md');
const log = page('operate/log.md');
/** The code of the server, without the session server, which has its own page. */
const server = readdirSync(join(root, 'server'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && name !== 'command/session-server.ts')
  .map((name) => readFileSync(join(root, 'server', name), 'utf8'))
  .join('\n');

test('docs/operate/monitor.md names each metric of the server exactly once', () => {
  const named = [...monitor.matchAll(/^- `(chat_\w+)`:/gm)].map(([, name]) => name);
  const made = [...server.matchAll(/name: '(chat_\w+)'/g)].map(([, name]) => name);
  expect(named.sort()).toEqual(made.sort());
});

test('the server writes each log line in docs/operate/log.md', () => {
  // Other code spans have at most two words, such as `status 401`.
  const spans = [...log.replace(/^```.*?^```/gms, '').matchAll(/`([^`]+)`/g)].map(([, span = '']) => span);
  const lines = spans.filter((span) => span.split(' ').length > 2);
  expect(lines.length).toBeGreaterThan(40);
  expect(lines.filter((line) => !server.includes(`'${line}'`))).toEqual([]);
});

test('docs/operate/log.md explains each warning and error that the server logs', () => {
  const calls = /(?:\.(?:warn|error|fatal)|\bdie)\(\s*(?:[^()]|\([^()]*\))*?'([^']+)',?\s*\)/g;
  const written = [...server.matchAll(calls)].map(([, line = '']) => line);
  expect(written.length).toBeGreaterThan(10);
  expect(written.filter((line) => !log.includes(`\`${line}\``))).toEqual([]);
});

test('docs/operate/monitor.md names each reason for which the server closes a connection', () => {
  const types = [...server.matchAll(/export type (?:Http)?Breach =([^;]+);/g)].map(([, type = '']) => type);
  const reasons = types.flatMap((type) => [...type.matchAll(/'(\w+)'/g)].map(([, reason]) => reason));
  const row = /^- `chat_closed_total`: .*$/m.exec(monitor)?.[0] ?? '';
  expect(reasons.length).toBeGreaterThan(5);
  expect(reasons.filter((reason) => !row.includes(`\`${reason}\``))).toEqual([]);
});

test('docs/operate/mail.md shows a valid URL of a mail server', () => {
  const [, example = ''] = /^CHAT_MAIL=(.*)$/m.exec(page('operate/mail.md')) ?? [];
  expect(readMailPlace(example)).toMatchObject({ user: 'chat@example.org', host: 'mail.example.org' });
});

test('docs/operate/systemd.md shows the service of the Debian package', () => {
  const [, shown = ''] =
    /```ini\n(\[Unit\]\nDescription=php-session-chat\n[\s\S]*?)```/.exec(page('operate/systemd.md')) ?? [];
  const packaged = readFileSync(join(root, 'deploy/debian/php-session-chat.service'), 'utf8');
  const settings = (text: string) => text.split('\n').filter((line) => !/^(#|User=|Group=)/.test(line));
  expect(settings(shown.replaceAll('/usr/local/bin/', '/usr/bin/'))).toEqual(settings(packaged));
  // systemd applies RestartPreventExitStatus= only to the main process. After a failed ExecStartPre it would
  // restart the service forever.
  expect(packaged).toContain('\nRestartPreventExitStatus=65 78\n');
  expect(packaged).not.toContain('ExecStartPre');
  // The session server does not start sandboxed processes for users' files, so it lacks these settings.
  const hardening = (text: string) =>
    settings(text.slice(text.indexOf('NoNewPrivileges='))).filter(
      (line) => !/^(ReadWritePaths=|SystemCallFilter=landlock|SystemCallErrorNumber=)/.test(line),
    );
  const sessions = readFileSync(join(root, 'deploy/debian/php-session-chat-sessions.service'), 'utf8');
  expect(hardening(sessions)).toEqual(hardening(packaged));
});

test('alerts.yml has an optional alert for the metric in docs/operate/backup.md', () => {
  const [metric = ''] = /\bphp_session_chat_\w+(?= \$\(date)/.exec(page('operate/backup.md')) ?? [];
  const [, optional = ''] = readFileSync(alertsFile, 'utf8').split(/(?=# - alert: ChatBackupMissing\n)/);
  const [alert] = parse(optional.replace(/^ *# /gm, '')) as [Alert];
  expect(alert.expr).toBe(`time() - max(${metric}) > 36 * 3600 or absent(${metric})`);
  expect(alert.labels.severity).toBe('warning');
  expect(alerts().map(({ alert }) => alert)).not.toContain(alert.alert);
});
