import { expect, test } from 'vitest';
import { Failures } from '../../../server/health/failures.ts';

test('failures that two users may have caused themselves do not count', () => {
  const failures = new Failures();
  for (let n = 0; n < 9; n++) failures.failed('status 400', 'eve');
  failures.failed('status 400', 'mal');
  expect(failures.isOver).toBe(true);
  failures.failed('status 403', 'ann');
  expect(failures.isOver).toBe(false);
  expect(`${failures}`).toContain('status 403 (11 failures since');
  failures.worked();
  failures.failed('status 400', 'eve');
  expect(failures.isOver).toBe(true);
  failures.failed('ECONNREFUSED');
  expect(failures.isOver).toBe(false);
});
