import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readerAt } from '../../../test/helpers/session-stores.ts';
import { FormatError } from '../src/formats/value.ts';
import { parseLayers } from '../src/layers/layers.ts';

const newKey = () => randomBytes(32).toString('base64');
let folder: string;
let keyFile: string;
let ids: Record<string, string>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  keyFile = join(folder, 'keys');
  const key = newKey();
  // The site still encrypts with the older key.
  writeFileSync(keyFile, `# keys\n${newKey()}\n\n${key}\n`);
  const script = fileURLToPath(new URL('../../../test/fixtures/layers.php', import.meta.url));
  ids = JSON.parse(execFileSync('php', [script, folder, key], { encoding: 'utf8' })) as Record<
    string,
    string
  >;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const withKeyFile = (layers: string) => (layers.split(' ')[0] as string).replace('KEYFILE', keyFile);

/** The session with that ID, or its refusal. */
const read = (layers: string, id: string | undefined) =>
  readerAt(`file://${folder}?layers=${encodeURIComponent(withKeyFile(layers))}`).identify({ session: id });

describe('a session that a site’s own handler has encoded', () => {
  test.each([
    'base64',
    'base64 without padding',
    'base64 in lines',
    'inflate',
    'zlib',
    'urldecode',
    'urldecode of rawurlencode',
    'unserialize',
    'unserialize,unserialize',
    'decrypt:KEYFILE',
    'base64,decrypt:KEYFILE,zlib',
  ])('is decoded: %s', async (layers) => {
    const id = ids[layers] as string;
    expect(await read(layers, id)).toMatchObject({ user: { id: '7', name: 'Zoë 张伟' } });
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const stored = readFileSync(join(folder, `sess_${id}`));
    const plain = parseLayers(withKeyFile(layers)).reduce<Buffer>(
      (bytes, layer) => layer.unwrap(bytes, id),
      stored,
    );
    expect(plain.includes(every)).toBe(true);
  });

  test('is not decrypted under another ID', async () => {
    const id = ids['base64,decrypt:KEYFILE,zlib'] as string;
    const other = `${id.slice(0, -1)}-`;
    renameSync(join(folder, `sess_${id}`), join(folder, `sess_${other}`));
    expect(await read('base64,decrypt:KEYFILE,zlib', other)).toMatchObject({ code: 'session_invalid' });
  });
});

describe('a session with another encoding', () => {
  test.each([
    ['base64', 'inflate', /: layers=base64: the bytes are not base64; the bytes look like/],
    ['unserialize', 'base64', /: layers=unserialize: the bytes are not a serialized string; /],
    [
      'base64,zlib',
      'base64',
      /: layers=zlib: the bytes are cut off, or not compressed in this way; the bytes look like php$/,
    ],
    [
      'inflate',
      'zlib',
      /: layers=inflate: the bytes are cut off, or not compressed in this way; the bytes look like/,
    ],
    ['unserialize', 'unserialize,unserialize', /; the bytes look like/],
    ['decrypt:KEYFILE', 'unserialize', /: layers=decrypt: none of the keys decrypts the bytes for this /],
    ['laravel:KEYFILE', 'base64', /: layers=laravel: the bytes are not from Laravel’s Encrypter; /],
  ])(
    'is invalid and names the failing layer: layers=%s for a session in %s',
    async (layers, written, reason) => {
      const refused = await read(layers, ids[written]);
      expect(refused).toMatchObject({ code: 'session_invalid', reason: expect.stringMatching(reason) });
      expect(JSON.stringify(refused)).not.toContain('Zo');
    },
  );

  test('is empty if its layers contain an empty session', async () => {
    const id = 'e'.repeat(26);
    writeFileSync(join(folder, `sess_${id}`), 's:0:"";');
    expect(await read('unserialize,base64', id)).toMatchObject({
      code: 'unauthorized',
      reason: 'the session is empty',
    });
  });
});

test('decodes 1000 valid and damaged texts like PHP', () => {
  const pieces = [
    ...'%|+|%2|%41|%fF|%zz|%ag|%Fa|%/9|%:@|%`0|QUJD|Q|=|==|s:2:"ab";|s:|2:"|ab";'.split('|'),
    ...['\n', ' ', '\xff'],
  ];
  const inputs = fc
    .sample(fc.array(fc.constantFrom(...pieces), { maxLength: 8 }), 1000)
    .map((some) => Buffer.from(some.join(''), 'latin1'));
  const functions = {
    urldecode: 'urldecode($in)',
    base64: 'base64_decode($in, true)',
    // PHP ignores text after the value, but serialize() does not write any.
    unserialize: '(fn ($out) => serialize($out) === $in ? $out : null)(@unserialize($in))',
  };
  const answers = execFileSync(
    'php',
    [
      '-r',
      `foreach (file('php://stdin') as $line) { $in = base64_decode($line); echo json_encode(array_map(fn ($out) => is_string($out) ? base64_encode($out) : null, [${Object.values(functions).join()}]), JSON_UNESCAPED_SLASHES), "\n"; }`,
    ],
    { input: inputs.map((input) => `${input.toString('base64')}\n`).join(''), encoding: 'utf8' },
  );
  const php = answers.trimEnd().split('\n');
  const layers = parseLayers(Object.keys(functions).join());
  const ours = inputs.map((input) =>
    JSON.stringify(
      layers.map((layer) => {
        try {
          return layer.unwrap(input, 'x').toString('base64');
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          return null;
        }
      }),
    ),
  );
  expect(ours).toEqual(php);
});
