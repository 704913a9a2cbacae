import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('the nightly script gives two backups of one day different names, because a backup replaces no file', () => {
  const page = readFileSync(new URL('../../docs/operate/backup.md', import.meta.url), 'utf8');
  const [, name = '', options = ''] = /php-session-chat backup "(.*\$\(date (.*)\)\.tar)"/.exec(page) ?? [];
  expect(name).toMatch(/^\/backup\/chat-/);
  const at = (seconds: number) =>
    execFileSync('date', ['-d', `@${seconds}`, ...options.split(' ')], { encoding: 'utf8' });
  expect(at(0)).not.toBe(at(1));
});
