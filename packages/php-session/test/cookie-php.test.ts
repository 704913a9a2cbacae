import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PhpCookies, startPhpCookies } from '../../../test/helpers/php-cookies.ts';
import { parseCookieForm, readSessionId } from '../src/cookie.ts';

let php: PhpCookies;
beforeAll(async () => {
  php = await startPhpCookies();
});
afterAll(() => php.stop());

const ofPhp = (name: string, header: string) => php.sessionOf(name, header);
const ours = (name: string, header: string) => readSessionId(header, parseCookieForm('plain', name));

const id = 'fjq2r1mkv0p5t8h3b7n4c6a9de';
const many = (count: number) => 'x=1;'.repeat(count);

describe('the session ID in a Cookie header, compared with PHP', () => {
  test.each([
    ['PHP_SESS', `PHP_SESS=${id}`, id],
    ['PHP_SESS', `PHP_SESS=${id};`, id],
    ['PHP_SESS', `a=1;;  \t PHP_SESS=${id};b`, id],
    ['PHP_SESS', 'PHP_SESS=a%2Cb', 'a,b'],
    ['PHP_SESS', 'PHP_SESS=user_42', 'user_42'],
    [
      'PHP_SESS',
      'PHP_SESS=%24%25%26%28%29%2A+%2F%3A%3B%3D%3F%40%5B%5D%5E%60%7B%7C%7D~!#.',
      '$%&()*+/:;=?@[]^`{|}~!#.',
    ],
    ['PHP_SESS', `PHP_SESS==${id}`, `=${id}`],
    ['PHP_SESS', `PHP_SESS=${id}=`, `${id}=`],
    ['PHP_SESS', 'PHP_SESS=../../etc/passwd', '../../etc/passwd'],
    ['PHP_SESS', `PHP_SESS=${id}; PHP_SESS=${id}`, id],
    ['PHP_SESS', `PHP%5FSESS=other; PHP_SESS=${id}`, id],
    ['PHP_SESS', `php_sess=other; PHP_SESS=${id}`, id],
    ['PHP_SESS', `.PHP_SESS=other; PHP_SESS=${id}`, id],
    ['PHP_SESS', `PHP_SESS]=other; PHP_SESS=${id}`, id],
    ['PHP_SESS', `PHP_SESS[=other; PHP_SESS=${id}`, id],
    ['PHP_SESS', `[PHP_SESS]=other; PHP_SESS=${id}`, id],
    ['PHP_SESS', `a[PHP_SESS]=other; PHP_SESS=${id}`, id],
    ['PHP_SESS', `=PHP_SESS=other; PHP_SESS=${id}`, id],
    ['PHP_SESS', `a="; PHP_SESS=${id}; b="`, id],
    ['__Host-SESS', `__Host-SESS=${id}`, id],
    ['__Secure-SESS', `__Secure-SESS=${id}`, id],
  ])('finds the same ID as PHP: %s in %s', async (name, header, expected) => {
    expect(await ofPhp(name, header)).toBe(expected);
    expect(ours(name, header)).toBe(expected);
  });

  test.each([
    ['PHP_SESS', 'PHP_SESS'],
    ['PHP_SESS', 'PHP_SESS='],
    ['PHP_SESS', `PHP_SESS; PHP_SESS=${id}`],
    ['PHP_SESS', `PHP_SESS=; PHP_SESS=${id}`],
    ['PHP_SESS', `PHP_SESS =${id}`],
    ['PHP_SESS', `PHP_SESS= ${id}`],
    ['PHP_SESS', `PHP_SESS=\t${id}`],
    ['PHP_SESS', `PHP_SESS=${id} ; a=1`],
    ['PHP_SESS', `PHP_SESS=${id}\t; a=1`],
    ['PHP_SESS', `PHP_SESS="${id}"`],
    ...[...'\r\n\t <>\'"\\'].map((character): [string, string] => [
      'PHP_SESS',
      `PHP_SESS=a${encodeURIComponent(character)}b`,
    ]),
    ['PHP_SESS', `PHP_SESS=${id}, a=1`],
    ['PHP_SESS', `a=1, PHP_SESS=${id}`],
    ['PHP_SESS', `a=1&PHP_SESS=${id}`],
    ['PHP_SESS', `PHP%5FSESS=${id}`],
    ['PHP_SESS', `PHP_SESS%3D${id}`],
    ['PHP_SESS', `php_sess=${id}`],
    ['PHP_SESS', `PHP_SESS[]=${id}`],
    ['PHP_SESS', `PHP_SESS=${id}; PHP_SESS[]=${id}`],
    ['PHP_SESS', `PHP.SESS[a][b]=${id}; PHP_SESS=${id}`],
    ['PHP_SESS', `PHP_SESS=${id}; PHP_SESS[ ]`],
  ])('finds no ID, like PHP: %s in %s', async (name, header) => {
    expect(await ofPhp(name, header)).toBeNull();
    expect(ours(name, header)).toBeNull();
  });

  test.each([
    // Other PHP versions remove the blank.
    ['PHP_SESS', `PHP_SESS =other; PHP_SESS=${id}`, id],
    ['PHP_SESS', `PHP.SESS=other; PHP_SESS=${id}`, 'other'],
    ['PHP_SESS', `PHP SESS=other; PHP_SESS=${id}`, 'other'],
    ['PHP_SESS', `PHP[SESS=other; PHP_SESS=${id}`, 'other'],
    ['PHP_SESS', ` \tPHP.SESS=other; PHP_SESS=${id}`, 'other'],
    ['PHP_SESS', `PHP_SESS=${id}; PHP.SESS=other`, id],
    ['PHP_SESS', `PHP_SESS=${id}; PHP_SESS=other`, id],
    ['PHP_SESS', `PHP_SESS=${id}; PHP_SESS`, id],
    ['PHP_SESS', `PHP_SESS[]=other; PHP_SESS=${id}`, null],
    ['PHP_SESS', `PHP.SESS=${id}`, id],
    ['PHP_SESS', `PHP SESS=${id}`, id],
    ['PHP_SESS', `PHP[SESS=${id}`, id],
    ['A_B_C', `A.B[C=other; A_B_C=${id}`, 'other'],
    // PHP before 8.1.11 takes the first of these two.
    ['__Host-SESS', `..Host-SESS=other; __Host-SESS=${id}`, id],
    ['__Secure-SESS', `_[Secure-SESS=other; __Secure-SESS=${id}`, id],
  ])('rejects %s in %s, even if PHP reads a session ID', async (name, header, expected) => {
    expect(await ofPhp(name, header)).toBe(expected);
    expect(ours(name, header)).toBeNull();
  });

  test('is found among at most 1000 cookies, the default of max_input_vars', async () => {
    for (const [others, expected] of [
      [999, id],
      [1000, null],
    ] as const) {
      const header = `${many(others)}PHP_SESS=${id}`;
      expect(await ofPhp('PHP_SESS', header)).toBe(expected);
      expect(ours('PHP_SESS', header)).toBe(expected);
    }
  });
});
