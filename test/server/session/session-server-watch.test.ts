import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { type KeptSessions, keptSessions } from '../../helpers/kept-sessions.ts';
import { type SessionServer, startSessionServer } from '../../helpers/session-server.ts';
import { startTcpProxy } from '../../helpers/tcp-proxy.ts';
import { watched, watchingProgram } from '../../helpers/watched.ts';

let server: SessionServer;
let kept: KeptSessions;
beforeAll(async () => {
  server = await startSessionServer();
  kept = await keptSessions(server.port);
});
afterAll(async () => {
  kept.close();
  await server.stop();
});

const open = (port: number, options = '') =>
  parseStoreUrl(`session-server://127.0.0.1:${port}${options}`).open();
const lost = (reason: unknown) => expect.objectContaining({ kind: 'lost', reason });
const failure = lost(expect.objectContaining({ name: 'StoreError' }));

/** A daemon of one's own, which can be started anew on its port. */
async function ownServer() {
  let own = await startSessionServer();
  const { port } = own;
  onTestFinished(async () => void (await own.stop('SIGKILL')));
  return {
    port,
    signal: (name: NodeJS.Signals) => own.signal(name),
    async restart() {
      await own.stop('SIGKILL');
      own = await startSessionServer({ SESSION_SERVER_PORT: String(port) });
    },
  };
}

test('what happens to a session that is followed is told at once, and of no other', async () => {
  const store = watched(open(server.port));
  await store.works;
  for (const id of ['one', 'other']) await kept.put(id, 'user_id|i:1;');
  const followed = store.follow('one');
  await expect.poll(() => followed.since).toBeTypeOf('number');
  for (const change of [
    () => kept.put('one', 'user_id|i:2;'),
    () => kept.destroy('one'),
    () => kept.put('one', 'user_id|i:3;'),
    () => kept.regenerate('one'),
    () => kept.do('open one rw', 'put  user_id', 'lifetime 1', 'close'),
  ]) {
    const told = store.until({ kind: 'changed', id: 'one' });
    await kept.put('other', String(performance.now()));
    await change();
    await told;
  }
  // Its second is over.
  await store.until({ kind: 'changed', id: 'one' });
  expect(store.told.filter((one) => 'id' in one && one.id !== 'one')).toEqual([]);
});

test('one that is gone when it is followed is told at once; one that is unfollowed no longer', async () => {
  const store = watched(open(server.port));
  const early = store.follow('gone');
  await store.until({ kind: 'changed', id: 'gone' }, 0);
  await kept.put('two', 'x');
  await kept.put('three', 'x');
  const [two, again, three] = ['two', 'two', 'three'].map(store.follow);
  await expect.poll(() => three?.since).toBeTypeOf('number');
  // Somebody else still follows it.
  two?.end();
  two?.end();
  const told = store.until({ kind: 'changed', id: 'two' });
  await kept.put('two', 'y');
  await told;
  again?.end();
  early.end();
  const last = store.until({ kind: 'changed', id: 'three' });
  await kept.put('two', 'z');
  await kept.put('gone', 'z');
  // Only when the first two have been told to the server is this one.
  const after = store.follow('after');
  await expect.poll(() => after.since).toBeTypeOf('number');
  const before = store.told.length;
  await kept.put('two', 'last');
  await kept.put('three', 'last');
  await last;
  expect(store.told.slice(before).map((one) => 'id' in one && one.id)).not.toContain('two');
});

test('a cut connection: nothing is certain any more, told once; then all is followed anew', async () => {
  await kept.put('cut', 'x');
  let cut = () => {};
  const proxy = await startTcpProxy(server.port, (piece, client) => {
    cut = () => client.destroy();
    client.write(piece);
  });
  onTestFinished(() => proxy.close());
  const store = watched(open(proxy.port));
  const followed = store.follow('cut');
  await expect.poll(() => followed.since).toBeTypeOf('number');
  const before = followed.since as number;
  const back = store.until({ kind: 'lost', reason: null });
  cut();
  await expect.poll(() => followed.since).toBeUndefined();
  await kept.destroy('cut');
  const told = store.until({ kind: 'changed', id: 'cut' });
  await Promise.all([back, told]);
  await expect.poll(() => followed.since).toBeGreaterThan(before);
  expect(store.told.filter(({ kind }) => kind === 'lost')).toEqual([lost(null), failure, lost(null)]);
});

test('restarted empty: the sessions that were followed are told', async () => {
  const own = await ownServer();
  const sessions = await keptSessions(own.port);
  await sessions.put('one', 'x');
  const store = watched(open(own.port));
  const followed = store.follow('one');
  await expect.poll(() => followed.since).toBeTypeOf('number');
  const told = store.until({ kind: 'changed', id: 'one' });
  await own.restart();
  await told;
  expect(store.told.filter(({ kind }) => kind === 'lost')).toEqual([lost(null), failure, lost(null)]);
});

test('stopped: no longer certain within the time-out, and as certain as before when it goes on', async () => {
  const own = await ownServer();
  const sessions = await keptSessions(own.port);
  await sessions.put('one', 'x');
  const store = watched(open(own.port, '?timeout=100ms'));
  const followed = store.follow('one');
  await expect.poll(() => followed.since).toBeTypeOf('number');
  const before = followed.since;
  own.signal('SIGSTOP');
  const began = performance.now();
  await expect.poll(() => followed.since, { interval: 10 }).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(5000);
  const told = store.until({ kind: 'changed', id: 'one' });
  const destroyed = sessions.destroy('one');
  own.signal('SIGCONT');
  await Promise.all([destroyed, told]);
  await expect.poll(() => followed.since).toBe(before);
  expect(store.told.filter(({ kind }) => kind === 'lost')).toEqual([lost(null)]);
});

test('it lets something go untold: nothing from before is certain any more', async () => {
  await kept.put('one', 'x');
  let say = (_: string) => {};
  const proxy = await startTcpProxy(server.port, (piece, client) => {
    say = (text) => client.write(text);
    client.write(piece);
  });
  onTestFinished(() => proxy.close());
  const store = watched(open(proxy.port));
  const followed = store.follow('one');
  await expect.poll(() => followed.since).toBeTypeOf('number');
  const before = performance.now();
  say('event lost\r\n');
  await expect.poll(() => followed.since).toBeGreaterThan(before);
  expect(store.told.filter(({ kind }) => kind === 'lost')).toEqual([lost(null)]);
});

test.each([
  ['replies that nobody waits for', 'ok\r\nok\r\nok\r\n'],
  ['an event of no kind', 'event\r\n'],
  ['an event of no session', 'event destroyed\r\n'],
  ['an event of a kind that there is not', 'event changed one\r\nevent exploded one\r\n'],
  ['something else altogether', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['a line without an end', 'x'.repeat(100_000)],
  ['a long line', `${'x'.repeat(100_000)}\r\n`],
  ['a zero byte', '\0\r\n'],
])('a server that says %s in between: lost, and well again by itself', async (_, nonsense) => {
  let said = false;
  let say = () => {};
  const proxy = await startTcpProxy(server.port, (piece, client, nth) => {
    client.write(piece);
    if (nth === 0) {
      say = () => {
        said = true;
        client.write(nonsense);
        // What never ends would be seen by the next check only.
        if (!nonsense.includes('\n')) client.end();
      };
    }
  });
  onTestFinished(() => proxy.close());
  const store = watched(open(proxy.port));
  await store.works;
  const back = store.until({ kind: 'lost', reason: null });
  say();
  await back;
  expect(said).toBe(true);
  expect(store.told.filter(({ kind }) => kind === 'lost')).toEqual([lost(null), failure, lost(null)]);
});

test('a hundred thousand sessions: followed within seconds, and as many as the server takes', async () => {
  const own = await ownServer();
  const sessions = await keptSessions(own.port);
  await sessions.put('mine', 'x');
  const store = watched(open(own.port));
  await store.works;
  const all = Array.from({ length: 100_000 }, (_, n) => store.follow(n === 0 ? 'mine' : `id${n}`));
  const certain = () => all.every(({ since }) => since !== undefined);
  await expect.poll(certain).toBe(true);
  expect(store.told.filter((one) => 'id' in one)).toHaveLength(99_999);
  const beyond = store.follow('beyond');
  const told = store.until({ kind: 'changed', id: 'mine' });
  await sessions.destroy('mine');
  await told;
  // The regular look has to do for this one.
  expect(beyond.since).toBeUndefined();
  for (const one of all) one.end();
  const later = store.follow('later');
  await expect.poll(() => later.since).toBeTypeOf('number');
});

test.each([
  ['works', () => server.port, 'works\ntold 0\n'],
  ['cannot be reached', () => 1, 'lost\ntold 0\n'],
])('ended when it %s: nothing is left that would keep the process', (_, port, said) => {
  const program = watchingProgram(`session-server://127.0.0.1:${port()}`);
  const options = { encoding: 'utf8', timeout: 20_000 } as const;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], options)).toBe(said);
});
