import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../../server/settings/config.ts';
import { configOf, sessionsOf } from '../../../test/helpers/config.ts';
import { parseCookieForm, readSessionId } from '../src/cookie.ts';

const read = (header: string | undefined) => readSessionId(header, parseCookieForm('plain', 'PHPSESSID'));
const id = 'fjq2r1mkv0p5t8h3b7n4c6a9de';

// cookie-php.test.ts compares the result with PHP.
test.each([
  ['percent-decoded', 'PHPSESSID=a%2Cb%2cc', 'a,b,c'],
  ['the same twice, once encoded', 'PHPSESSID=a,b; PHPSESSID=a%2Cb', 'a,b'],
  ['base64', 'PHPSESSID=Zm9v+YmFy/=%3D', 'Zm9v+YmFy/=='],
  ['the longest', `PHPSESSID=${'a'.repeat(256)}`, 'a'.repeat(256)],
  ['no header', undefined, null],
  ['the ID of the readiness check', 'PHPSESSID=readiness_probe', null],
  ['a control character', 'PHPSESSID=a%0bb', null],
  ['a byte outside ASCII', 'PHPSESSID=a%e9b', null],
  ['a line break', 'PHPSESSID=a%0d%0aflush_all', null],
  ['a NUL', 'PHPSESSID=a%00b', null],
  ['257 characters', `PHPSESSID=${'a'.repeat(257)}`, null],
  ['broken encoding', 'PHPSESSID=%E0%A4%A', null],
  ['two cookies with different values', `PHPSESSID=${id}; PHPSESSID=other`, null],
])('reads or rejects the session ID in a Cookie header: %s', (_, header, expected) => {
  expect(read(header)).toBe(expected);
});

describe('a signed cookie', () => {
  const [key, oldKey, strangeKey] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  const id = '0123456789abcdef0123456789abcdef';
  const folder = mkdtempSync(join(tmpdir(), 'session-keys-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function keyFile(...keys: Buffer[]): string {
    const file = join(folder, randomBytes(6).toString('hex'));
    writeFileSync(file, `# the newest first\n\n${keys.map((one) => `${one.toString('base64')}\n`).join('')}`);
    return file;
  }
  const sign = (value: string, by = key, name = 'SESSION') =>
    `${value}.${createHmac('sha256', by).update(`${name}.${value}`).digest('hex')}`;
  const form = parseCookieForm(`signed:${keyFile(key, oldKey)}`, 'SESSION');

  test.each([
    ['signed by the newest key', sign(id), id],
    ['signed by an older key', sign(id, oldKey), id],
    ['any id that PHP could make', sign('a-Z,9'.repeat(10)), 'a-Z,9'.repeat(10)],
  ])('is accepted: %s', (_, value, expected) => {
    expect(form.idIn(value)).toBe(expected);
    expect(readSessionId(`a=1; SESSION=${value}`, form)).toBe(expected);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['an object', { toString: () => sign(id) }],
    ['a list', [sign(id)]],
    ['an empty string', ''],
    ['the id alone', id],
    ['no signature', `${id}.`],
    ['no id', sign('')],
    ['a signature in capitals', sign(id).replace(/\..*/, (part) => part.toUpperCase())],
    ['a signature that is too short', sign(id).slice(0, -1)],
    ['a signature that is too long', `${sign(id)}0`],
    ['a line break at the end', `${sign(id)}\n`],
    ['a blank before it', ` ${sign(id)}`],
    ['two signatures', sign(sign(id))],
    ['the signature of another id', sign(id).replace('0', '1')],
    ['by a key that is not in the file', sign(id, strangeKey)],
    ['for another cookie', sign(id, key, 'OTHER')],
    ['for no cookie', `${id}.${createHmac('sha256', key).update(id).digest('hex')}`],
    ['an id that PHP could not make', sign('../../etc/passwd')],
    ['an id of 257 characters', sign('a'.repeat(257))],
    ['a megabyte', sign('a'.repeat(1_000_000))],
  ])('is rejected: %s', (_, value) => {
    expect(form.idIn(value)).toBeNull();
  });

  test('is rejected if its key was removed from the file', () => {
    const after = parseCookieForm(`signed:${keyFile(key)}`, 'SESSION');
    expect(after.idIn(sign(id, oldKey))).toBeNull();
    expect(after.idIn(sign(id))).toBe(id);
  });

  test('is rejected next to another signed cookie with the same name', () => {
    const other = sign('f'.repeat(32));
    expect(readSessionId(`SESSION=${sign(id)}; SESSION=${other}`, form)).toBeNull();
  });

  test('is the cookie that CHAT_SESSION_NAME names', () => {
    const env = { CHAT_SESSION_COOKIE: `signed:${keyFile(key)}`, CHAT_SESSION_NAME: 'SESSION' };
    expect(readSessionId(`SESSION=${sign(id)}`, sessionsOf(env).cookie)).toBe(id);
  });

  test.each([
    ['signed', /the cookie must be plain, signed:KEYFILE or laravel:KEYFILE$/],
    ['signed:', /the cookie must be plain, signed:KEYFILE or laravel:KEYFILE$/],
    ['signed:/nowhere/keys', /the key file \/nowhere\/keys cannot be read \(ENOENT\)$/],
    [`signed:${keyFile(randomBytes(16))}`, /line 3 of .* is not a key of 32 bytes in base64$/],
    [`signed:${keyFile()}`, /does not contain a key$/],
  ])('rejects CHAT_SESSION_COOKIE=%s', (value, problem) => {
    expect(() => configOf({ CHAT_SESSION_COOKIE: value })).toThrow(ConfigError);
    expect(() => configOf({ CHAT_SESSION_COOKIE: value })).toThrow(problem);
  });
});
