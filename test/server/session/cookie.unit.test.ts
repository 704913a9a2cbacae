import { describe, expect, test } from 'vitest';
import { parseCookieForm, sessionIdFrom } from '../../../server/session/cookie.ts';

const read = (header: string | undefined) => sessionIdFrom(header, parseCookieForm('plain', 'PHPSESSID'));
const id = 'fjq2r1mkv0p5t8h3b7n4c6a9de';

describe('the session id in a Cookie header, as PHP reads it', () => {
  test.each([
    ['alone', `PHPSESSID=${id}`, id],
    ['among others', `a=1; PHPSESSID=${id}; b=2`, id],
    ['without blanks', `a=1;PHPSESSID=${id};b=2`, id],
    ['percent-decoded', 'PHPSESSID=a%2Cb%2cc', 'a,b,c'],
    ['the same twice', `PHPSESSID=${id}; PHPSESSID=${id}`, id],
    ['the same twice, once encoded', 'PHPSESSID=a,b; PHPSESSID=a%2Cb', 'a,b'],
    ['the longest', `PHPSESSID=${'a'.repeat(256)}`, 'a'.repeat(256)],
  ])('accepted: %s', (_, header, expected) => {
    expect(read(header)).toBe(expected);
  });

  test.each([
    ['no header', undefined],
    ['an empty header', ''],
    ['another cookie', `SESSID=${id}`],
    ['a name in other case', `phpsessid=${id}`],
    ['an empty value', 'PHPSESSID='],
    ['an underscore', 'PHPSESSID=A_B'],
    ['a path', 'PHPSESSID=../../etc/passwd'],
    ['a line break', 'PHPSESSID=a%0d%0aflush_all'],
    ['a blank', 'PHPSESSID=a b'],
    ['an encoded blank', 'PHPSESSID=a%20b'],
    ['a NUL', 'PHPSESSID=a%00b'],
    ['257 characters', `PHPSESSID=${'a'.repeat(257)}`],
    ['broken encoding', 'PHPSESSID=%E0%A4%A'],
    ['a quoted value', `PHPSESSID="${id}"`],
    ['a plus, which stays', 'PHPSESSID=a+b'],
    ['two that differ', `PHPSESSID=${id}; PHPSESSID=other`],
    ['two that differ, one of them empty', `PHPSESSID=; PHPSESSID=${id}`],
    ['a name with a prefix', `xPHPSESSID=${id}`],
  ])('refused: %s', (_, header) => {
    expect(read(header)).toBeNull();
  });
});
