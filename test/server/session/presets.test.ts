import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../../server/config.ts';
import { decodePhp } from '../../../server/session/formats/php.ts';
import { decodePhpSerialize } from '../../../server/session/formats/php-serialize.ts';
import { identify } from '../../../server/session/identity.ts';
import { presets } from '../../../server/session/presets.ts';

const script = new URL('../../fixtures/application-sessions.php', import.meta.url).pathname;
const sessions = execFileSync('php', [script], { encoding: 'utf8' })
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { application: string; case: string; bytes: string })
  .map((session) => ({ ...session, bytes: Buffer.from(session.bytes, 'base64') }));

const who = (application: string, of: string) => {
  const session = sessions.find((one) => one.application === application && one.case === of);
  if (session === undefined) throw new Error(`no session of ${application}: ${of}`);
  const { user } = readConfig({ CHAT_SESSION_NAME: 'its_own', CHAT_PRESET: application }).session;
  return identify(decodePhp(session.bytes), user);
};

describe('who is logged in to a known application, by its preset alone', () => {
  test.each([
    ['cacti', '7', '7'],
    ['dokuwiki', 'ann', 'Ann'],
    ['icingaweb2', 'ann', 'ann'],
    ['laravel', '7', '7'],
    ['mediawiki', '7', 'Ann'],
    ['phpmyadmin', 'ann', 'ann'],
    ['postfixadmin', 'ann@example.org', 'ann@example.org'],
    ['roundcube', '7', 'ann'],
    ['shaarli', 'ann', 'ann'],
    ['simplesamlphp', 'ann', 'Ann'],
    ['symfony', 'ann', 'ann'],
    ['ttrss', '7', 'Ann'],
  ])('%s', (application, id, name) => {
    expect(who(application, 'in')).toEqual({ user: { id, name } });
    expect(who(application, 'out')).toHaveProperty('nobody');
  });

  test('every preset is among them', () => {
    expect(Object.keys(presets).sort()).toEqual([...new Set(sessions.map((one) => one.application))].sort());
  });

  test('nobody: what only looks like a login', () => {
    expect(who('cacti', 'a guest')).toHaveProperty('nobody');
    expect(who('roundcube', 'the record of the id before the login')).toEqual({
      nobody: 'nobody is logged in: auth_secret is not in the session',
    });
  });
});

test('Roundcube with a storage of its own: the session is a string in it', () => {
  const { user } = readConfig({
    CHAT_PRESET: 'roundcube',
    CHAT_USER_ID: 'vars!.user_id',
    CHAT_USER_NAME: 'vars!.username',
    CHAT_USER_REQUIRE: 'vars!.auth_secret',
  }).session;
  const session = sessions.find((one) => one.case === 'its own storage');
  expect(identify(decodePhpSerialize(session?.bytes ?? Buffer.alloc(0)), user)).toEqual({
    user: { id: '7', name: 'ann' },
  });
});
