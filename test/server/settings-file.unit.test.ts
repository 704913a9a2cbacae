import { chmodSync, chownSync, lchownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../../server/settings/config.ts';
import { givenSettings, parseSettings } from '../../server/settings/file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'settings-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(text: string | Buffer): string {
  const path = join(folder, 'settings');
  writeFileSync(path, text);
  return path;
}

const valuesIn = (text: string) =>
  Object.fromEntries([...parseSettings(text, 'f')].map(([name, { value }]) => [name, value]));

// Cases from src/basic/env-file.c of systemd.
test.each<[string, Record<string, string>]>([
  ['A=1\nB=2', { A: '1', B: '2' }],
  ['  A = 1 \r\n\r\n\tB=2\r\n', { A: '1', B: '2' }],
  ['# A=1\n; B=2\nC=3 # no comment\n', { C: '3 # no comment' }],
  ['# joins no line \\\nA=1', { A: '1' }],
  [`A='a "b" \\ $c'\nB="a 'b' \\"c\\" \\\\ \\$d \\e"`, { A: 'a "b" \\ $c', B: 'a \'b\' "c" \\ $d \\e' }],
  [`A='a \\" b \\\\'`, { A: 'a \\" b \\\\' }],
  ['A="one\ntwo"\nB=\'one\ntwo\'', { A: 'one\ntwo', B: 'one\ntwo' }],
  ['A=one\\\ntwo\nB="one\\\ntwo"', { A: 'onetwo', B: 'onetwo' }],
  ['A=a\\ \nB=a b\\"c\\\\', { A: 'a ', B: 'a b"c\\' }],
  [`A='a' "b"c`, { A: 'abc' }],
  ['A=file:///s?owner=www&x=y', { A: 'file:///s?owner=www&x=y' }],
  ['A=1\nA=2\nB=', { A: '2', B: '' }],
  ['A=a"b"\nC=\'ü 交\'', { A: 'a"b"', C: 'ü 交' }],
])('reads %j as systemd does', (text, expected) => {
  expect(valuesIn(text)).toEqual(expected);
});

test('lists invalid lines by number, without their values', () => {
  const text = '# one\nA="1\n2"\ngeheim\nexport B=geheim\nC D=geheim\nE=\'geheim\nF=geheim';
  expect(() => parseSettings(text, '/etc/f')).toThrow(
    /^Settings that cannot be used:\n {2}\/etc\/f line 4: the line is neither.*\n {2}\/etc\/f line 5: the name .*\n {2}\/etc\/f line 6: the name .*\n {2}\/etc\/f line 7: E: a quote is not closed$/,
  );
  expect(() => parseSettings(text, '/etc/f')).not.toThrow(/geheim/);
});

test('lets non-empty environment variables override the file', () => {
  const file = fileWith('CHAT_PORT=1\nCHAT_HOST=::1\nCHAT_SESSION_STORE=file:///s\nCHAT_DIRECT=maybe\n');
  const { env, lines } = givenSettings(file, { CHAT_PORT: '2', CHAT_HOST: '' });
  expect(env).toMatchObject({ CHAT_PORT: '2', CHAT_HOST: '::1' });
  expect(() => readConfig(env, lines)).toThrow(`\n  ${file} line 4: CHAT_DIRECT: "maybe" is not on or off`);
  const { CHAT_DIRECT: _, ...others } = env;
  expect(readConfig(others, lines)).toMatchObject({ port: 2, host: '::1' });
});

test.each([
  ['CAHT_USER_BANNED', 'CHAT_USER_BANNED'],
  ['CHATUSER_REQUIRE', 'CHAT_USER_REQUIRE'],
  ['chat_user_banned', 'CHAT_USER_BANNED'],
  ['HAT_PORT', 'CHAT_PORT'],
])('rejects the misspelling %s of %s in a file', (name, nearest) => {
  const file = fileWith(`CHAT_SESSION_STORE=file:///s\n${name}=geheim\n`);
  const { env, lines } = givenSettings(file, {});
  expect(() => readConfig(env, lines)).toThrow(
    `\n  ${file} line 2: ${name}: there is no such setting; the nearest is ${nearest}`,
  );
});

test('accepts names of other programs, however similar their endings', () => {
  const others =
    'TZ=UTC\nHTTP_PORT=1\nAWS_ACCESS_KEY_ID=k\nSESSION_SERVER_PORT=7081\nNODE_URL=x\nPHP_API_KEY=x\n';
  const { env, lines } = givenSettings(fileWith(`CHAT_SESSION_STORE=file:///s\n${others}`), {
    CAHT_PORT: '1',
  });
  expect(readConfig(env, lines).unknown).toEqual([]);
});

test.each<[string, string | Buffer, RegExp]>([
  ['not in UTF-8', Buffer.from('A=\xff', 'latin1'), /not UTF-8 text/],
  ['too large', 'A'.repeat(1024 * 1024 + 1), /larger than 1048576 bytes/],
])('rejects a file that is %s', (_, text, expected) => {
  expect(() => givenSettings(fileWith(text), {})).toThrow(expected);
});

test('requires a named file to be readable', () => {
  expect(givenSettings('', { A: '1' })).toEqual({ env: { A: '1' }, lines: new Map() });
  expect(() => givenSettings(join(folder, 'none'), {})).toThrow(/none cannot be read \(ENOENT\)/);
  expect(() => givenSettings(folder, {})).toThrow(/cannot be read \(EISDIR\)/);
});

test.runIf(process.getuid?.() === 0)(
  'requires the default file in a world-writable folder to belong to this account',
  () => {
    const before = process.cwd();
    const [open, elsewhere] = [mkdtempSync(join(folder, 'open-')), mkdtempSync(join(folder, 'elsewhere-'))];
    const file = join(open, 'settings');
    const given = () => {
      process.chdir(open);
      try {
        return givenSettings(undefined, {}).env;
      } finally {
        process.chdir(before);
      }
    };
    writeFileSync(file, 'A=own\n');
    chmodSync(open, 0o1777);
    expect(given()).toEqual({ A: 'own' });
    chownSync(file, 65_534, 65_534);
    expect(given).toThrow(`${file} belongs to another account`);
    rmSync(file);
    writeFileSync(join(elsewhere, 'settings'), 'A=own\n');
    symlinkSync(join(elsewhere, 'settings'), file);
    lchownSync(file, 65_534, 65_534);
    expect(given).toThrow(`${file} belongs to another account`);
    // Only the folder’s owner can create files there, as in a container with a mounted host folder.
    chmodSync(open, 0o755);
    expect(given()).toEqual({ A: 'own' });
  },
);
