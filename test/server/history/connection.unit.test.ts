import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TimedConnection } from '../../../server/history/engine/connection.ts';
import { raw, SqlError } from '../../../server/history/engine/dialect.ts';
import { answerLimit } from '../../../server/history/engine/limits.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('gives up on a database that does not answer, except during a migration', async () => {
  const answer = Promise.withResolvers<[]>();
  const connection = () =>
    new TimedConnection('a database', {
      ask: () => answer.promise,
      async *stream() {},
      end() {},
      failure: () => new SqlError('refused', 'the statement failed'),
    });
  const given = expect(connection().query(raw('SELECT 1'))).rejects.toThrow('no response');
  const migrating = connection().queryPatiently(raw('CREATE INDEX'));
  await vi.advanceTimersByTimeAsync(100 * answerLimit);
  await given;
  answer.resolve([]);
  expect(await migrating).toEqual([]);
});
