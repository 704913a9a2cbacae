import { ok } from 'php-sessions/doctor';
import { expect, test } from 'vitest';
import { Health } from '../../../server/health/health.ts';
import type { Part } from '../../../server/http/metrics.ts';
import { configOf } from '../../helpers/config.ts';

/** Checks, of which the first one fails. */
function withFailingCheck(part?: Part): Health {
  const health = new Health(configOf({}));
  health.add({
    part,
    works: () => Promise.reject(new Error('EIO: i/o error, statfs')),
    describe: () => undefined,
  });
  health.add({ part: 'bus', works: () => false, describe: () => ok('The bus is down.') });
  return health;
}

test('reports a check that fails as a problem, and the results of all others', async () => {
  expect(await withFailingCheck('disk space').findings()).toMatchObject([
    { level: 'problem', text: 'A check of the server failed (disk space): EIO: i/o error, statfs.' },
    { level: 'ok', text: 'The bus is down.' },
  ]);
});

test('counts a part as missing if its check fails', async () => {
  expect(await withFailingCheck('disk space').missing()).toEqual(['disk space', 'bus']);
  expect(await withFailingCheck().missing()).toEqual(['bus']);
});

test('reports what is renewed after an upgrade, until it ends', async () => {
  const health = new Health(configOf({}));
  health.renewing.add('search index').add('search keys of users');
  const text =
    'The server renews the search index and the search keys of users after an upgrade, so searches take longer.';
  expect(await health.findings()).toMatchObject([{ level: 'warning', text }]);
  health.renewing.clear();
  expect(await health.findings()).toEqual([]);
});
