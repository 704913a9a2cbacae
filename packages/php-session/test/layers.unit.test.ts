import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, deflateRawSync, deflateSync } from 'node:zlib';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { soak } from '../../../test/guarantees/size.ts';
import { FormatError } from '../src/formats/value.ts';
import { parseLayers } from '../src/layers/layers.ts';

const runs = soak ? 20_000 : 300;
const most = 1024 * 1024;
const key = randomBytes(32);
let folder: string;
let keyFile: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'key-files-'));
  keyFile = file('keys', `${key.toString('base64')}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const id = 'fjq2r1mkv0p5t8h3b7n4c6a9de';
const unwrap = (layers: string, bytes: Uint8Array, of = id) =>
  parseLayers(layers.replace('KEYFILE', keyFile)).reduce<Buffer>(
    (wrapped, layer) => layer.unwrap(wrapped, of),
    Buffer.from(bytes),
  );

const hexOf = Array.from({ length: 256 }, (_, byte) => `%${byte.toString(16).padStart(2, '0')}`);

/** The encoding that each layer removes; layers.test.ts takes it from PHP. */
const wrap: Record<string, (bytes: Buffer) => Buffer> = {
  base64: (bytes) => Buffer.from(bytes.toString('base64')),
  inflate: (bytes) => deflateRawSync(bytes),
  zlib: (bytes) => deflateSync(bytes),
  urldecode: (bytes) => Buffer.from(Array.from(bytes, (byte) => hexOf[byte]).join('')),
  unserialize: (bytes) => Buffer.concat([Buffer.from(`s:${bytes.length}:"`), bytes, Buffer.from('";')]),
  'decrypt:KEYFILE'(bytes) {
    const nonce = randomBytes(24);
    return Buffer.concat([nonce, xchacha20poly1305(key, nonce, Buffer.from(id)).encrypt(bytes)]);
  },
  'laravel:KEYFILE'(bytes) {
    const iv = randomBytes(16).toString('base64');
    const cipher = createCipheriv('aes-256-cbc', key, Buffer.from(iv, 'base64'));
    const value = Buffer.concat([cipher.update(bytes), cipher.final()]).toString('base64');
    const mac = createHmac('sha256', key)
      .update(iv + value)
      .digest('hex');
    return Buffer.from(Buffer.from(JSON.stringify({ iv, value, mac, tag: '' })).toString('base64'));
  },
};

/** For any bytes, the result is bytes, or a FormatError that names the layer. */
function unwrapOrRefuse(layer: string, bytes: Uint8Array): void {
  try {
    expect(unwrap(layer, bytes).length).toBeLessThanOrEqual(most);
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toContain(`layers=${layer.split(':')[0]}: `);
    expect((error as Error).cause).toBeUndefined();
  }
}

describe.each(Object.keys(wrap))('%s', (layer) => {
  const wrapped = (bytes: Uint8Array) => (wrap[layer] as (bytes: Buffer) => Buffer)(Buffer.from(bytes));

  test('restores any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(unwrap(layer, wrapped(bytes)).equals(bytes)).toBe(true);
      }),
      { numRuns: runs / 5 },
    );
  });

  test('unpacks or rejects changed bytes, within the size limit', () => {
    const seed = wrapped(Buffer.from('user_id|i:7;bio|s:4:"%+ \xff";', 'latin1'));
    const change = fc.record({
      at: fc.nat(seed.length),
      drop: fc.nat(300),
      put: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        let bytes: Buffer = seed;
        for (const { at, drop, put } of changes) {
          bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + drop)]);
        }
        unwrapOrRefuse(layer, bytes);
      }),
      { numRuns: runs },
    );
  });

  const largest = Buffer.alloc(most, 'ab');
  test('restores a session of the maximum size', () => {
    expect(unwrap(layer, wrapped(largest)).equals(largest)).toBe(true);
  });

  // A part of a text in these encodings is complete too.
  if (layer !== 'base64' && layer !== 'urldecode') {
    test('rejects a session that is cut off', () => {
      expect(() => unwrap(layer, wrapped(largest).subarray(0, -1))).toThrow(FormatError);
    });
  }
});

test.each([
  ['inflate', ''],
  ['zlib', '789c'],
])('%s rejects 100 KB that inflate to 64 MiB', (layer, header) => {
  // To compress all of it takes longer than the other tests of this file.
  const part = deflateRawSync(Buffer.alloc(most), { finishFlush: constants.Z_FULL_FLUSH });
  const end = deflateRawSync(Buffer.alloc(0));
  const bomb = Buffer.concat([Buffer.from(header, 'hex'), ...Array(64).fill(part), end]);
  expect(bomb.length).toBeLessThan(100_000);
  expect(() => unwrap(layer, bomb)).toThrow(/larger than 1048576 bytes/);
});

test('removes the outermost layer first', () => {
  const bytes = Buffer.from('user_id|i:7;');
  const inside = wrap.zlib?.(bytes) as Buffer;
  expect(unwrap('base64,zlib', wrap.base64?.(inside) as Buffer)).toEqual(bytes);
  expect(() => unwrap('zlib,base64', wrap.base64?.(inside) as Buffer)).toThrow('layers=zlib: ');
});

test('decrypts a session only for its own ID', () => {
  const box = wrap['decrypt:KEYFILE']?.(Buffer.from('user_id|i:7;')) as Buffer;
  expect(() => unwrap('decrypt:KEYFILE', box, `${id}x`)).toThrow(
    /none of the keys decrypts the bytes for this session ID/,
  );
  expect(() => unwrap('decrypt:KEYFILE', box.subarray(0, 39))).toThrow(/too short/);
});

test.each([
  '";',
  's:2:"a";',
  's:1:"ab";',
  's:1:"a";x',
  's:-1:"";',
  's::"";',
  's:1e0:"a";',
  's:99999999:"',
  'i:7;',
])('unserialize rejects %s', (text) => {
  expect(() => unwrap('unserialize', Buffer.from(text))).toThrow(FormatError);
});

test.each([
  ['gzip'],
  ['constructor'],
  ['base64:x'],
  ['base64,'],
  ['base64,,zlib'],
  ['decrypt'],
  ['laravel:'],
  [' base64'],
])('rejects layers=%s', (layers) => {
  expect(() => parseLayers(layers)).toThrow(TypeError);
  expect(() => parseLayers(layers)).toThrow(
    /list of base64, inflate, zlib, urldecode, unserialize, decrypt:KEYFILE/,
  );
});

describe('a key file', () => {
  const short = randomBytes(16).toString('base64');
  const long = key.toString('base64');

  test.each<[string, string, string]>([
    ['one key', 'decrypt', long],
    ['one key as Laravel writes it', 'laravel', `base64:${long}\n`],
    ['with comments, blank lines and line ends of Windows', 'decrypt', `# new\r\n\r\n  ${long}\r\n \n#\n`],
    ['several keys of either length', 'laravel', `base64:${short}\n${long}`],
    ['without padding', 'laravel', short.replace(/=+$/, '')],
  ])('is accepted: %s', (_, layer, content) => {
    expect(() => parseLayers(`${layer}:${file('good', content)}`)).not.toThrow();
  });

  test.each<[string, string, string, RegExp]>([
    [
      'a key of another length',
      'decrypt',
      `${long}\n${short}`,
      /line 2 of the key file .*bad is not a key of 32 bytes in base64/,
    ],
    [
      'a key of 24 bytes',
      'laravel',
      'a'.repeat(32),
      /line 1 of .*bad is not a key of 16 or 32 bytes in base64/,
    ],
    ['what is not base64', 'decrypt', `# x\n!${long}`, /line 2 of .*bad is not a key/],
    ['two keys on a line', 'laravel', `${long},${long}`, /line 1 of .*bad is not a key/],
    ['nothing', 'decrypt', '', /bad does not contain a key/],
    ['comments alone', 'laravel', '# base64:x\n\n', /bad does not contain a key/],
  ])('is rejected by an error with its path, but without its content: %s', (_, layer, content, reason) => {
    const bad = file('bad', content);
    expect(() => parseLayers(`${layer}:${bad}`)).toThrow(TypeError);
    expect(() => parseLayers(`${layer}:${bad}`)).toThrow(reason);
    const message = problem(`${layer}:${bad}`).replaceAll(bad, '');
    for (const line of content.split(/[\n,]/).filter((one) => one.length > 9))
      expect(message).not.toContain(line);
  });

  test('is rejected if it is missing or a folder', () => {
    expect(problem(`decrypt:${folder}/none`)).toBe(`the key file ${folder}/none cannot be read (ENOENT)`);
    mkdirSync(join(folder, 'a-folder'));
    expect(problem(`laravel:${folder}/a-folder`)).toMatch(/a-folder cannot be read \(EISDIR\)/);
  });

  test('is not repeated in the error if the option contains the key itself', () => {
    for (const given of [
      `decrypt:${long}`,
      `laravel:base64:${long}`,
      `laravel:base64:${long}x`,
      `laravel:${short}`,
      `decrypt:${Buffer.from(long, 'base64').toString('hex')}`,
    ]) {
      expect(problem(given)).toMatch(/^the key file given cannot be read/);
    }
  });
});

function problem(layers: string): string {
  try {
    parseLayers(layers);
  } catch (error) {
    if (error instanceof TypeError) return error.message;
  }
  throw new Error('accepted');
}
