import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { configOf, sessionsOf } from '../../../test/helpers/config.ts';
import { phpUserSession } from '../../../test/helpers/php-request.ts';
import { phpSessions } from '../src/logins/php-sessions.ts';

const folder = mkdtempSync(join(tmpdir(), 'charset-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const settings = (charset: string) => ({
  CHAT_SESSION_STORE: `file://${folder}`,
  CHAT_SESSION_CHARSET: charset,
  CHAT_USER_ROOMS: 'rooms',
  CHAT_USER_MAIL: 'mail',
});

async function userOf(charset: string, id: string) {
  const logins = phpSessions(sessionsOf(settings(charset)));
  onTestFinished(() => logins.close());
  return logins.identify({ session: id });
}

test.each([
  ['windows-1252', 'M\\xfcller', 'Zo\\xeb \\x80', 'Caf\\xe9', 'Müller', 'Zoë €', 'Café'],
  ['latin1', 'ann', '\\xc3\\xa9', 'Room', 'ann', 'Ã©', 'Room'],
  ['windows-1251', 'ann', '\\xc0\\xed\\xed\\xe0', '\\xc7\\xe0\\xeb', 'ann', 'Анна', 'Зал'],
  ['Shift_JIS', 'ann', '\\x8e\\x52\\x93\\x63', 'Room', 'ann', '山田', 'Room'],
  ['utf-8', 'ann', 'Zoë', 'Café', 'ann', 'Zoë', 'Café'],
])('decodes all texts of a user from %s', async (charset, id, name, room, ...expected) => {
  const session = phpUserSession(folder, id, name, room, `${name}@example.org`);
  expect(await userOf(charset, session)).toMatchObject({
    user: {
      id: expected[0],
      name: expected[1],
      groups: [{ id: 'a', name: expected[2] }],
      mail: `${expected[1]}@example.org`,
    },
  });
});

test('decodes the entities of htmlspecialchars() once in names of users and rooms, but not in IDs', async () => {
  const session = phpUserSession(folder, 'O&#039;Brien', 'O&#039;Brien &amp;amp; S&ouml;hne', 'Q&amp;A');
  expect(await userOf('', session)).toMatchObject({
    user: {
      id: 'O&#039;Brien',
      name: "O'Brien &amp; S&ouml;hne",
      groups: [{ name: 'Q&A' }],
    },
  });
});

test.each(['klingon', 'utf-16le'])('rejects CHAT_SESSION_CHARSET=%s at the start', (charset) => {
  expect(() => configOf(settings(charset))).toThrow(/CHAT_SESSION_CHARSET: .* is not a character set/);
});
