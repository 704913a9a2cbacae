import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type SessionStore, StoreError } from '../../../server/session/store.ts';
import {
  askedOf,
  type ManySessionsSite,
  newIds,
  openStore,
  writeSessions,
} from '../../helpers/many-sessions.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { phpRequest } from '../../helpers/php-request.ts';

let servers: Memcached[];
/** One of the three that are read. */
let mortal: Memcached;
let on: Memcached[];
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  servers = await Promise.all([startMemcached(), startMemcached()]);
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(() => Promise.all(servers.map((server) => server.stop('SIGKILL'))));

function store(options: string, timeout = 5000): SessionStore {
  const opened = openStore(`${options}&timeout=${timeout}ms`, on);
  closing.push(() => opened.close());
  return opened;
}

beforeEach(async () => {
  mortal = await startMemcached();
  closing.push(() => mortal.stop('SIGKILL'));
  on = [mortal, ...servers];
});

/** What comes of each question, in the order in which they are settled. */
async function outcomes(sessions: SessionStore, ids: readonly string[]): Promise<string[]> {
  const settled: string[] = [];
  const settle = (id: string) =>
    sessions.get(id).then(
      (bytes) => settled.push(bytes === null ? 'missing' : 'found'),
      (error) => settled.push(error instanceof StoreError ? 'unavailable' : String(error)),
    );
  await Promise.all(ids.map(settle));
  return settled;
}

/** The ids that lie on the mortal server, and those that do not. */
async function parted(ids: readonly string[], prefix: string) {
  const answer = await mortal.ask(`get ${ids.map((id) => prefix + id).join(' ')}\r\n`, /END\r\n$/);
  const keys = new Set([...answer.matchAll(/^VALUE (\S+)/gm)].map(([, key]) => key));
  const there = ids.filter((id) => keys.has(prefix + id));
  expect(there.length).toBeGreaterThan(30);
  return { there, elsewhere: ids.filter((id) => !keys.has(prefix + id)) };
}

test('dead: its sessions are unavailable, to PHP too, and the others are read', async () => {
  const ids = newIds(300);
  expect(writeSessions({ writer: 'memcached' }, ids, on)).toBe('done');
  const { there, elsewhere } = await parted(ids, 'memc.sess.key.');
  const sessions = store('handler=memcached');
  await Promise.all(ids.map((id) => sessions.get(id)));
  await mortal.stop('SIGKILL');
  expect(writeSessions({ writer: 'memcached' }, there.slice(0, 1), on)).toMatch(/cannot be started/);
  for (const reading of [sessions, store('handler=memcached')]) {
    expect(new Set(await outcomes(reading, there))).toEqual(new Set(['unavailable']));
    expect(new Set(await outcomes(reading, elsewhere))).toEqual(new Set(['found']));
  }
  await expect(sessions.get(there[0] as string)).rejects.toThrow(
    `memcached at 127.0.0.1:${mortal.port} cannot be reached (ECONNREFUSED)`,
  );
});

test('silent: the sessions of the others are read before its own are given up', async () => {
  const ids = newIds(300);
  expect(writeSessions({ writer: 'memcached' }, ids, on)).toBe('done');
  const { there, elsewhere } = await parted(ids, 'memc.sess.key.');
  const sessions = store('handler=memcached', 1000);
  mortal.signal('SIGSTOP');
  expect(await outcomes(sessions, ids)).toEqual([
    ...elsewhere.map(() => 'found'),
    ...there.map(() => 'unavailable'),
  ]);
  mortal.signal('SIGCONT');
  await expect.poll(() => outcomes(sessions, there.slice(0, 1))).toEqual(['found']);
});

test('dead, with ext-memcache’s copies: no session is lost, old or new', async () => {
  const site: ManySessionsSite = { writer: 'memcache' };
  const ids = newIds(300);
  expect(writeSessions(site, ids, on)).toBe('done');
  const { there } = await parted(ids, '');
  const sessions = store('handler=memcache');
  const alone = store('handler=memcache&redundancy=1');
  await mortal.stop('SIGKILL');
  expect(new Set(await outcomes(sessions, ids))).toEqual(new Set(['found']));
  // PHP reads the copy of what was there first. Who logs out meanwhile is out, whichever copy cannot be asked for.
  const copies: Record<string, string> = {};
  for (const id of there) copies[String(await outcomes(alone, [id]))] = id;
  const { unavailable, found: out = '' } = copies;
  const path = on.map(({ port }) => `tcp://127.0.0.1:${port}`).join(',');
  const settings = { 'session.save_handler': 'memcache', 'session.save_path': path };
  phpRequest(settings, 'isset($_SESSION["n"]) || exit(1)', unavailable);
  for (const id of [out, unavailable ?? '']) {
    phpRequest(settings, 'session_destroy()', id);
    expect(await outcomes(sessions, [id])).toEqual(['missing']);
  }
  const meanwhile = newIds(50);
  expect(writeSessions(site, meanwhile, on)).toBe('done');
  expect(new Set(await outcomes(sessions, meanwhile))).toEqual(new Set(['found']));
});

test('dead: where a Memcache object writes instead is read, and what it had is unavailable', async () => {
  const ids = newIds(300);
  expect(writeSessions({ writer: 'Memcache' }, ids, on)).toBe('done');
  const { there, elsewhere } = await parted(ids, '');
  const sessions = store('distribution=memcache');
  await mortal.stop('SIGKILL');
  expect(new Set(await outcomes(sessions, there))).toEqual(new Set(['unavailable']));
  expect(new Set(await outcomes(sessions, elsewhere))).toEqual(new Set(['found']));
  const meanwhile = newIds(100);
  expect(writeSessions({ writer: 'Memcache' }, meanwhile, on)).toBe('done');
  expect(new Set(await outcomes(sessions, meanwhile))).toEqual(new Set(['found']));
});

test('closed while it is silent: no other one is asked', async () => {
  const ids = newIds(300);
  expect(writeSessions({ writer: 'memcache' }, ids, on)).toBe('done');
  const { there } = await parted(ids, '');
  mortal.signal('SIGSTOP');
  const sessions = store('handler=memcache');
  const before = await Promise.all(servers.map(askedOf));
  const ends = outcomes(sessions, there);
  sessions.close();
  expect(new Set(await ends)).toEqual(new Set(['unavailable']));
  expect(await Promise.all(servers.map(askedOf))).toEqual(before);
  mortal.signal('SIGCONT');
});
