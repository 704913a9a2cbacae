import { expect, test } from 'vitest';
import { fileName } from '../../../server/files/name.ts';
import { cpuOf, tenMillionBytes } from '../../helpers/cpu.ts';

test.each([
  ['.hidden. .', 'hidden'],
  ['. . a . b. ', 'a . b'],
  ['...', 'file'],
  ['a.', 'a'],
])('dots and blanks around a name go: %j', (given, name) => expect(fileName(given)).toBe(name));

test('the longest name that an address holds takes no longer, whatever is in it', () => {
  for (const sign of ['.', ' ', '. ', '/', 'a.', '\u202e', '%']) {
    const name = `x${sign.repeat(15_000 / sign.length)}x`;
    // The first one is compiled.
    fileName(name.slice(-500));
    expect(cpuOf(() => fileName(name))).toBeLessThan(4 * tenMillionBytes());
  }
});
