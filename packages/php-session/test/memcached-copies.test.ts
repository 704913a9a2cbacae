import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { askedOf, newIds, openStore, writeSessions } from '../../../test/helpers/many-sessions.ts';
import { type Memcached, startMemcached } from '../../../test/helpers/memcached.ts';
import { StoreError } from '../src/store.ts';

type Outcome = 'found' | 'missing' | 'unavailable';

// Debian's ext-memcache 8.0 reports the version 4.0.5.2.
const pastMisses = Number.parseFloat(php("echo phpversion('memcache');")) >= 8.2;

let others: Memcached[];
beforeAll(async () => {
  others = await Promise.all([startMemcached(), startMemcached()]);
});
afterAll(() => Promise.all(others.map((server) => server.stop('SIGKILL'))));

async function mortal(port?: number): Promise<Memcached> {
  const server = await startMemcached(port);
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  return server;
}

function php(code: string, ...args: string[]): string {
  return execFileSync('php', ['-d', 'display_errors=stderr', '-r', code, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** The outcome of a page of the site for each id. */
function seenByPhp(
  ids: readonly string[],
  on: readonly Memcached[],
  weights: readonly number[],
  redundancy: number,
): Outcome[] {
  const code = `['path' => $path, 'redundancy' => $redundancy, 'ids' => $ids] = json_decode($argv[1], true);
    ini_set('session.use_cookies', '0');
    ini_set('session.save_handler', 'memcache');
    ini_set('session.save_path', $path);
    ini_set('memcache.session_redundancy', $redundancy);
    ini_set('memcache.allow_failover', '1');
    foreach ($ids as $id) {
      error_clear_last();
      session_id($id);
      session_start();
      $found = isset($_SESSION['n']);
      // It returns true, whether the session was written or not.
      session_write_close();
      $seen[] = error_get_last() ? 'unavailable' : ($found ? 'found' : 'missing'); }
    echo json_encode($seen);`;
  const path = on.map(({ port }, n) => `tcp://127.0.0.1:${port}?weight=${weights[n]}`).join(',');
  return JSON.parse(php(code, JSON.stringify({ path, redundancy: String(redundancy), ids })));
}

async function seenByChat(ids: readonly string[], on: readonly Memcached[], options: string) {
  const sessions = openStore(`handler=memcache&timeout=5000ms&${options}`, on);
  onTestFinished(() => sessions.close());
  const outcome = (id: string): Promise<Outcome> =>
    sessions.get(id).then(
      (bytes) => (bytes === null ? 'missing' : 'found'),
      (error) => {
        if (error instanceof StoreError) return 'unavailable';
        throw error;
      },
    );
  return Promise.all(ids.map(outcome));
}

/** The outcomes, and the hits and misses that they cause on each server. */
async function counted(on: readonly Memcached[], see: () => Outcome[] | Promise<Outcome[]>) {
  const up = on.filter(({ process }) => process.exitCode === null && process.signalCode === null);
  const before = await Promise.all(up.map(askedOf));
  const seen = await see();
  const after = await Promise.all(up.map(askedOf));
  const asked = after.map(({ hits, misses }, n) => [
    hits - (before[n]?.hits ?? 0),
    misses - (before[n]?.misses ?? 0),
  ]);
  return { seen, asked };
}

test('reads from the same servers as PHP', async () => {
  const [redundancy, weights, count] = [2, [1, 1, 1], 40];
  const first = await mortal();
  const on = [first, ...others];
  const options = `redundancy=${redundancy}&weight=${weights}${pastMisses ? '&past_misses=1' : ''}`;
  const ini = { 'memcache.session_redundancy': redundancy };
  const written = () => {
    const ids = newIds(count);
    expect(writeSessions({ writer: 'memcache', weights, ini }, ids, on)).toBe('done');
    return ids;
  };
  /** The chat reads first, because a page writes the session back. */
  const outcomes = async (ids: readonly string[]) => {
    const chat = await counted(on, () => seenByChat(ids, on, options));
    const page = await counted(on, () => seenByPhp(ids, on, weights, redundancy));
    expect(chat).toEqual(page);
    return new Set(page.seen);
  };

  expect(await outcomes(written())).toEqual(new Set(['found']));
  expect(await outcomes(newIds(count))).toEqual(new Set(['missing']));

  const kept = written();
  await first.stop('SIGKILL');
  expect(await outcomes(kept)).toEqual(new Set(['found']));
  // As after a logout, the next server answers instead of the server that is down.
  expect(await outcomes(newIds(count))).toEqual(new Set(['missing']));
});

test('reads copies after a miss only with past_misses=1', async () => {
  const first = await mortal();
  const on = [first, ...others];
  const ids = newIds(60);
  expect(writeSessions({ writer: 'memcache' }, ids, on)).toBe('done');
  await first.stop('SIGKILL');
  const again = [await mortal(first.port), ...others];
  expect(new Set(await seenByChat(ids, again, 'past_misses=1'))).toEqual(new Set(['found']));
  for (const options of ['', 'past_misses=0'])
    expect(new Set(await seenByChat(ids, again, options))).toEqual(new Set(['found', 'missing']));
});
