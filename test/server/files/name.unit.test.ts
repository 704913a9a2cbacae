import { expect, test } from 'vitest';
import { fileName } from '../../../server/files/name.ts';
import { expectCpuBelow, tenMillionBytes } from '../../helpers/cpu.ts';

test.each([
  ['.hidden. .', 'hidden'],
  ['. . a . b. ', 'a . b'],
  ['...', 'file'],
  ['a.', 'a'],
])('removes dots and blanks around a name: %j', (given, name) => expect(fileName(given)).toBe(name));

test('cleans the longest name fast, with any characters', () => {
  for (const sign of ['.', ' ', '. ', '/', 'a.', '\u202e', '%']) {
    const name = `x${sign.repeat(15_000 / sign.length)}x`;
    // The first call compiles the code.
    fileName(name.slice(-500));
    expectCpuBelow(4 * tenMillionBytes(), () => fileName(name));
  }
});
