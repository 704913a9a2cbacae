import { describe, expect, test } from 'vitest';
import { FormatError } from '../src/formats/value.ts';
import { SessionBusyError, StoreError, UnsettledError } from '../src/store.ts';
import { judgeFailure, type SessionVerdict } from '../src/verdict.ts';

const none = (state: 'nobody' | 'empty' | 'invalid'): SessionVerdict => ({
  state,
  reason: state,
  kind: state,
});
/** The verdict on a reading: `ID NAME` is a user, `-` nobody, `!` cannot be decoded; it may be empty. */
const judge = (bytes: Buffer): SessionVerdict => {
  const text = bytes.toString();
  if (text === '') return none('empty');
  if (text.startsWith('!')) return none('invalid');
  const [id = '', name = ''] = text.split(' ');
  return id === '-' ? none('nobody') : { state: 'user', user: { id, name }, bytes };
};
const readings = (...texts: string[]) => new UnsettledError('being written', texts.map(Buffer.from));
const verdictOf = (error: unknown) => judgeFailure(error, judge);

describe('the verdict on a session that is written again and again', () => {
  test('is that of the last reading, if the last four that can be decoded agree on the user', async () => {
    expect(await verdictOf(readings('7 Ann', '!', '7 Ann', '7 Anna', '7 Annabel', '!'))).toMatchObject({
      user: { id: '7', name: 'Annabel' },
    });
    expect(await verdictOf(readings('7 Ann', '-', '-', '!', '-', '-'))).toMatchObject({ state: 'nobody' });
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
  ])('is none if they do not agree, or fewer can be decoded: %j', async (...texts) => {
    const error = readings(...texts);
    await expect(verdictOf(error)).rejects.toThrow(error);
  });
});

test('only damaged bytes are invalid, other failures of the store are thrown', async () => {
  for (const error of [new StoreError('silent'), new SessionBusyError('too large'), new Error('a mistake')])
    await expect(verdictOf(error)).rejects.toThrow(error);
  expect(await verdictOf(new FormatError('no file'))).toMatchObject({ state: 'invalid' });
});
