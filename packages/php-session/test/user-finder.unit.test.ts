import { describe, expect, test } from 'vitest';
import { FormatError } from '../src/formats/value.ts';
import { notLoggedIn } from '../src/login.ts';
import { SessionBusyError, StoreError, UnsettledError } from '../src/store.ts';
import { findUserInReadings } from '../src/user-finder.ts';

/**
 * A reading `ID NAME` has a user, `-` has none, and `!` cannot be decoded. A reading may also be empty.
 */
async function findUser(bytes: Buffer) {
  const text = bytes.toString();
  if (text === '') return { ...notLoggedIn('empty'), state: 'empty' as const };
  if (text.startsWith('!')) return { ...notLoggedIn('invalid'), state: 'invalid' as const };
  const [id = '', name = ''] = text.split(' ');
  return id === '-' ? notLoggedIn('nobody') : { state: 'user' as const, user: { id, name } };
}
const readings = (...texts: string[]) => new UnsettledError('being written', texts.map(Buffer.from));
const findAfter = (error: unknown) =>
  findUserInReadings<{ user: { id: string; name: string } }>(error, findUser, ({ user }) => user.id);

describe('the user of a session that is written again and again', () => {
  test('comes from the last reading if the last four that can be decoded agree on the user', async () => {
    expect(await findAfter(readings('7 Ann', '!', '7 Ann', '7 Anna', '7 Annabel', '!'))).toMatchObject({
      user: { id: '7', name: 'Annabel' },
    });
    expect(await findAfter(readings('7 Ann', '-', '-', '!', '-', '-'))).toMatchObject({ state: 'nobody' });
  });

  test.each([
    [],
    ['-', '-', '-'],
    ['7 Ann', '7 Ann', '7 Ann', '-'],
    ['-', '7 Ann', '-', '-'],
    ['7 Ann', '7 Ann', '7 Ann', '8 Ben'],
    ['8 Ben', '7 Ann', '7 Ann', '7 Ann'],
    ['-', '!', '-', '-'],
    ['!', '!', '!', '!'],
    ['', '', '', ''],
  ])('is unknown if the readings do not agree or fewer than four can be decoded: %j', async (...texts) => {
    const error = readings(...texts);
    await expect(findAfter(error)).rejects.toThrow(error);
  });
});

test('treats only damaged bytes as invalid, and throws other failures of the store', async () => {
  for (const error of [new StoreError('silent'), new SessionBusyError('too large'), new Error('a mistake')])
    await expect(findAfter(error)).rejects.toThrow(error);
  expect(await findAfter(new FormatError('no file'))).toMatchObject({ state: 'invalid' });
});
