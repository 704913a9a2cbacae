import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCookieForm, readSessionId } from '../../packages/php-session/src/cookie.ts';
import { dice } from '../helpers/dice.ts';
import { type PhpCookies, startPhpCookies } from '../helpers/php-cookies.ts';
import { size } from './size.ts';

/** Without soak, the cases are always the same. FUZZ_SEED repeats a run. */
const cases = size(20_000, 200);
const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 20_240_229));

let php: PhpCookies;
beforeAll(async () => {
  php = await startPhpCookies();
});
afterAll(() => php.stop());

/** Short, so that random cookies often have this name or a similar one. */
const name = 'A_B';
function randomHeader(roll: (below: number) => number): string {
  const text = (of: string, most: number) =>
    Array.from({ length: roll(most + 1) }, () => of[roll(of.length)]).join('');
  const cookies = Array.from({ length: 1 + roll(3) }, () => {
    const itsName = roll(2) === 0 ? name : text('AB_. []', 5);
    return `${text(' \t', 1)}${itsName}${roll(8) === 0 ? text(' =[', 2) : '='}${text('xyz,%41', 4)}${text(' \t"+=&', 1)}`;
  });
  // A web server strips these.
  return cookies.join(';').replace(/^[ \t]+|[ \t]+$/g, '');
}

/** Matches a cookie that PHP might read under this name. */
const nearly = /(?:^|;)[ \t]*A[ ._[]B[ \t]*(?=[=[;]|$)/g;

test(`reads no other session than PHP from ${cases} Cookie headers, seed ${seed}`, async () => {
  const roll = dice(seed);
  const ours = parseCookieForm('plain', name);
  let sessions = 0;
  for (let n = 0; n < cases; n++) {
    const header = randomHeader(roll);
    const [theirs, own] = [await php.sessionOf(name, header), readSessionId(header, ours)];
    if (own !== null) {
      sessions++;
      expect(own, JSON.stringify(header)).toBe(theirs);
    } else if (theirs !== null) {
      const isDoubled = (header.match(nearly) ?? []).length > 1;
      // `%14` is a control character, which no session ID of PHP contains.
      const doubtful = isDoubled || !/(?:^|;)[ \t]*A_B=/.test(header) || /\p{Cc}/u.test(theirs);
      expect(doubtful, `${JSON.stringify(header)} is ${theirs} to PHP`).toBe(true);
    }
  }
  expect(sessions).toBeGreaterThan(cases / 10);
});
