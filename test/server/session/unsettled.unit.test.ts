import { describe, expect, test } from 'vitest';
import { FormatError } from '../../../server/session/formats/value.ts';
import { SessionBusyError, StoreError, UnsettledError } from '../../../server/session/store.ts';
import { judgeFailure, type Verdict } from '../../../server/session/verdict.ts';

const none = (state: 'nobody' | 'empty' | 'invalid'): Verdict => ({ state, reason: state, kind: state });
/** What a reading shows: the id of a user, `-` for nobody, `!` for what cannot be read, nothing where it is empty. */
const shown = (bytes: Buffer): Verdict => {
  const text = bytes.toString();
  if (text === '') return none('empty');
  if (text.startsWith('!')) return none('invalid');
  const [id = '', name = ''] = text.split(' ');
  return id === '-' ? none('nobody') : { state: 'user', user: { id, name }, bytes };
};
const readings = (...texts: string[]) => new UnsettledError('being written', texts.map(Buffer.from));
const shows = (error: unknown) => judgeFailure(error, shown);

describe('a session that is written again and again', () => {
  test('shows what its last readings show alike, as the last of them has it', () => {
    expect(shows(readings('7 Ann', '!', '7 Ann', '7 Anna', '7 Annabel', '!'))).toMatchObject({
      user: { id: '7', name: 'Annabel' },
    });
    expect(shows(readings('7 Ann', '-', '-', '!', '-', '-'))).toMatchObject({ state: 'nobody' });
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
  ])('shows nothing where they do not, or cannot be read: %j', (...texts) => {
    const error = readings(...texts);
    expect(() => shows(error)).toThrow(error);
  });
});

test('what says nothing of the session stays a failure, and what is damaged is invalid', () => {
  for (const error of [new StoreError('silent'), new SessionBusyError('too large'), new Error('a mistake')])
    expect(() => shows(error)).toThrow(error);
  expect(shows(new FormatError('no file'))).toMatchObject({ state: 'invalid' });
});
