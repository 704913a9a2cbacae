import { expect, test } from 'vitest';
import { logFailures } from '../../server/app/readiness.ts';
import type { Part } from '../../server/http/metrics.ts';
import type { Log } from '../../server/log.ts';

function reported(...answers: Part[][]) {
  const lines: unknown[] = [];
  const log = {
    error: (fields: object, line: string) => lines.push([fields, line]),
    info: (line: string) => lines.push(line),
  } as unknown as Log;
  const missing = logFailures(async () => answers.shift() ?? [], log);
  return { lines, missing };
}

test('logs once while the session store or the history does not answer, and the recovery', async () => {
  const { lines, missing } = reported(['history', 'bus'], ['history'], [], []);
  expect(await missing()).toEqual(['history', 'bus']);
  for (let n = 0; n < 3; n++) await missing();
  expect(lines).toEqual([
    [{ missing: ['history'] }, 'session store or history not responding, server is not ready'],
    'session store and history responding again',
  ]);
});

test('does not log what a shutdown closes, or failures with their own lines', async () => {
  const { lines, missing } = reported(['draining', 'history'], ['bus'], ['site configuration']);
  for (let n = 0; n < 3; n++) await missing();
  expect(lines).toEqual([]);
});
