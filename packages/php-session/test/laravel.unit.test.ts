import { type CipherGCMTypes, createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { size } from '../../../test/guarantees/size.ts';
import { anyText } from '../../../test/helpers/any-text.ts';
import { configOf, sessionsOf } from '../../../test/helpers/config.ts';
import { parseCookieForm, readSessionId, type SessionCookie } from '../src/cookie.ts';
import { FormatError } from '../src/formats/value.ts';
import { decryptLaravel } from '../src/layers/laravel.ts';

const runs = size(50_000, 300);
const [key, oldKey, strangeKey] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const id = 'fjq2r1mkv0p5t8h3b7n4c6a9deFJQ2R1MKV0P5T8';
const name = 'laravel_session';
let folder: string;
let keyFile: string;
let form: SessionCookie;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'app-keys-'));
  keyFile = join(folder, 'keys');
  writeFileSync(keyFile, `base64:${key.toString('base64')}\nbase64:${oldKey.toString('base64')}\n`);
  form = parseCookieForm(`laravel:${keyFile}`, name);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Payload = Record<'iv' | 'value' | 'mac' | 'tag', string>;
type Mode = 'cbc' | 'gcm';

/** Encrypts as Laravel's Encrypter does; laravel.test.ts uses that class itself. */
function encrypt(mode: Mode, text: string, by = key, ivLength = mode === 'cbc' ? 16 : 12): Payload {
  const iv = randomBytes(ivLength);
  const cipher = createCipheriv(`aes-${by.length * 8}-${mode}` as CipherGCMTypes, by, iv);
  const value = Buffer.concat([cipher.update(text), cipher.final()]).toString('base64');
  const written = iv.toString('base64');
  return {
    iv: written,
    value,
    mac: mode === 'cbc' ? macOf(by, written, value) : '',
    tag: mode === 'gcm' ? cipher.getAuthTag().toString('base64') : '',
  };
}

const macOf = (by: Buffer, iv: string, value: string) =>
  createHmac('sha256', by)
    .update(iv + value)
    .digest('hex');
const written = (payload: unknown) => Buffer.from(JSON.stringify(payload)).toString('base64');
const prefix = (cookie = name, by = key) => `${createHmac('sha1', by).update(`${cookie}v2`).digest('hex')}|`;
const idIn = (value: unknown) => form.idIn(value);

describe.each<Mode>(['cbc', 'gcm'])('the cookie in AES-%s', (mode) => {
  const cookie = (text: string, by = key) => written(encrypt(mode, text, by));

  test('holds an ID encrypted with the current or the previous key', () => {
    expect(idIn(cookie(prefix() + id))).toBe(id);
    expect(idIn(cookie(prefix(name, oldKey) + id, oldKey))).toBe(id);
  });

  test('is read from a Cookie header with or without URL encoding', () => {
    const value = cookie(prefix() + id);
    expect(readSessionId(`a=1; ${name}=${encodeURIComponent(value)}`, form)).toBe(id);
    expect(readSessionId(`${name}=${value}`, form)).toBe(id);
    expect(idIn(encodeURIComponent(value))).toBe(id);
  });

  test('may lack the empty field, as in Laravel versions without GCM', () => {
    const payload = encrypt(mode, prefix() + id);
    expect(idIn(written({ ...payload, [mode === 'cbc' ? 'tag' : 'mac']: undefined }))).toBe(id);
  });

  test.each<[string, () => string]>([
    ['of another cookie', () => cookie(prefix('chosen') + id)],
    ['without the prefix', () => cookie(id)],
    ['with the prefix by the other key', () => cookie(prefix(name, oldKey) + id)],
    ['by a key of another site', () => cookie(prefix(name, strangeKey) + id, strangeKey)],
    ['by a strange key, with the prefix by ours', () => cookie(prefix() + id, strangeKey)],
    ['with 39 characters of an id', () => cookie(prefix() + id.slice(1))],
    ['with 41 characters of an id', () => cookie(`${prefix()}${id}x`)],
    ['with an id that Laravel does not make', () => cookie(`${prefix() + id.slice(1)}-`)],
    ['with a line break after the id', () => cookie(`${prefix()}${id}\n`)],
    ['with nothing after the prefix', () => cookie(prefix())],
    ['empty', () => cookie('')],
    ['serialized, as before Laravel 5.6', () => cookie(`s:81:"${prefix()}${id}";`)],
    ['larger than any cookie', () => cookie(prefix() + id) + ' '.repeat(8192)],
  ])('is rejected: a value %s', (_, value) => {
    expect(idIn(value())).toBeNull();
  });

  test('is rejected after any bit changed', () => {
    const payload = encrypt(mode, prefix() + id);
    for (const field of ['iv', 'value', mode === 'cbc' ? 'mac' : 'tag'] as const) {
      const bytes = Buffer.from(payload[field], field === 'mac' ? 'hex' : 'base64');
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const value = written({ ...payload, [field]: changed.toString(field === 'mac' ? 'hex' : 'base64') });
        expect(idIn(value)).toBeNull();
      }
    }
  });
});

describe('a payload that Laravel does not write', () => {
  const cut = ({ tag }: Payload, bytes: number) =>
    Buffer.from(tag, 'base64').subarray(0, bytes).toString('base64');

  test.each<[Mode, string, (payload: Payload) => unknown]>([
    ['gcm', 'a tag of 15 bytes', (payload) => ({ ...payload, tag: cut(payload, 15) })],
    ['gcm', 'a tag of 4 bytes', (payload) => ({ ...payload, tag: cut(payload, 4) })],
    ['gcm', 'no tag', (payload) => ({ ...payload, tag: '' })],
    ['gcm', 'a mac next to the tag', (of) => ({ ...of, mac: macOf(key, of.iv, of.value) })],
    ['gcm', 'a tag in a list', (payload) => ({ ...payload, tag: [payload.tag] })],
    ['gcm', 'an iv of 16 bytes', () => encrypt('gcm', prefix() + id, key, 16)],
    [
      'cbc',
      'a tag next to the mac',
      (payload) => ({ ...payload, tag: Buffer.alloc(16, 1).toString('base64') }),
    ],
    ['cbc', 'a short tag next to the mac', (payload) => ({ ...payload, tag: 'AAAA' })],
    ['cbc', 'an empty mac', (payload) => ({ ...payload, mac: '' })],
    ['cbc', 'no mac', (payload) => ({ ...payload, mac: undefined })],
    ['cbc', 'a mac in capitals', (payload) => ({ ...payload, mac: payload.mac.toUpperCase() })],
    ['cbc', 'a part of the mac', (payload) => ({ ...payload, mac: payload.mac.slice(0, 32) })],
    ['cbc', 'the mac by a strange key', (of) => ({ ...of, mac: macOf(strangeKey, of.iv, of.value) })],
    ['cbc', 'a mac that is true', (payload) => ({ ...payload, mac: true })],
    ['cbc', 'no iv', (payload) => ({ ...payload, iv: undefined, mac: macOf(key, '', payload.value) })],
    ['cbc', 'half a block', ({ iv }) => ({ iv, value: 'AAAA', mac: macOf(key, iv, 'AAAA'), tag: '' })],
    ['cbc', 'its fields in a list', (payload) => [payload]],
    ['cbc', 'its fields inherited', (payload) => JSON.parse(`{"__proto__":${JSON.stringify(payload)}}`)],
    ['cbc', 'no fields', () => null],
  ])('is rejected: %s with %s', (mode, _, changed) => {
    const payload = encrypt(mode, prefix() + id);
    expect(idIn(written(payload))).toBe(id);
    expect(idIn(written(changed(payload)))).toBeNull();
  });
});

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['null', null],
  ['a number', 7],
  ['an object', { iv: '' }],
  ['the bare id', id],
  ['nothing', ''],
  ['thousands of levels', Buffer.from('['.repeat(6000)).toString('base64')],
  ['a truncated percent-encoding', '%E0%A4%A'],
])('rejects a value that is not a Laravel cookie: %s', (_, value) => {
  expect(idIn(value)).toBeNull();
});

test('turns any cookie and any payload into an ID, bytes or a rejection', () => {
  const valid = encrypt('cbc', prefix() + id);
  const text = fc.oneof(
    fc.base64String(),
    fc.string(),
    fc.constantFrom(...Object.values(valid)),
    fc.jsonValue(),
  );
  const payload = fc.record({ iv: text, value: text, mac: text, tag: text }, { requiredKeys: [] });
  const value = fc.oneof(
    anyText(),
    fc.base64String(),
    fc.oneof(payload, fc.jsonValue()).map(written),
    fc.anything(),
  );
  fc.assert(
    fc.property(value, (one) => {
      expect([null, id]).toContain(idIn(one));
      try {
        if (typeof one === 'string') decryptLaravel(one, [key]);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { numRuns: runs },
  );
});

test('applies CHAT_SESSION_COOKIE to the cookie that CHAT_SESSION_NAME names', () => {
  const { cookie } = sessionsOf({ CHAT_SESSION_COOKIE: `laravel:${keyFile}`, CHAT_SESSION_NAME: name });
  expect(readSessionId(`${name}=${written(encrypt('cbc', prefix() + id))}`, cookie)).toBe(id);
  expect(sessionsOf({ CHAT_SESSION_COOKIE: '' }).cookie.idIn('abc')).toBe('abc');
  expect(() => configOf({ CHAT_SESSION_COOKIE: 'laravel', CHAT_PORT: 'x' })).toThrow(
    /CHAT_PORT: .*\n {2}CHAT_SESSION_COOKIE: the cookie must be plain, signed:KEYFILE or laravel:KEYFILE$/,
  );
});
