import { expect, test } from 'vitest';
import { within } from '../../../test/helpers/hanging.ts';
import { keptSessions, sharedSessions } from '../../../test/helpers/kept-sessions.ts';
import { restartableSessionServer } from '../../../test/helpers/session-server.ts';
import { spoilingProxy } from '../../../test/helpers/session-stores.ts';
import { lost, subscribed } from '../../../test/helpers/subscribed.ts';
import { parseStoreUrl } from '../src/store-url.ts';

const { server, kept } = await sharedSessions();

const open = (port: number, options = '') =>
  parseStoreUrl(`session-server://127.0.0.1:${port}${options}`).open();
const failure = lost(expect.objectContaining({ name: 'StoreError' }));
const losses = ({ received }: ReturnType<typeof subscribed>) =>
  received.filter(({ kind }) => kind === 'lost');

test('reports each change of a followed session and none of another session', async () => {
  const store = subscribed(open(server.port));
  await store.active;
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
    const changed = store.until({ kind: 'changed', id: 'one' });
    await kept.put('other', String(performance.now()));
    await change();
    await changed;
  }
  // The five changes, and the expiry after 1 s, which a slow machine may have sent already.
  const ofOne = () => store.received.filter((one) => 'id' in one && one.id === 'one');
  await expect.poll(ofOne).toHaveLength(6);
  expect(store.received.filter((one) => 'id' in one && one.id !== 'one')).toEqual([]);
});

test('follows a session until its last follower ends', async () => {
  const store = subscribed(open(server.port));
  store.follow('gone');
  await store.until({ kind: 'changed', id: 'gone' }, 0);
  for (const id of ['two', 'three']) await kept.put(id, 'x');
  const [two, again, three] = ['two', 'two', 'three'].map(store.follow);
  await expect.poll(() => three?.since).toBeTypeOf('number');
  // There is another follower.
  for (let n = 0; n < 2; n++) two?.end();
  const changed = store.until({ kind: 'changed', id: 'two' });
  await kept.put('two', 'y');
  await changed;
  again?.end();
  // The server gets this request after those for the first two.
  const after = store.follow('after');
  await expect.poll(() => after.since).toBeTypeOf('number');
  const before = store.received.length;
  const last = store.until({ kind: 'changed', id: 'three' });
  for (const id of ['two', 'three']) await kept.put(id, 'last');
  await last;
  expect(store.received.slice(before).map((one) => 'id' in one && one.id)).not.toContain('two');
});

test('follows a session again after a cut connection', async () => {
  await kept.put('cut', 'x');
  let cut = () => {};
  const proxy = await spoilingProxy(server.port, (piece, client) => {
    cut = () => client.destroy();
    client.write(piece);
  });
  const store = subscribed(open(proxy.port));
  const followed = store.follow('cut');
  await expect.poll(() => followed.since).toBeTypeOf('number');
  const before = followed.since as number;
  const back = store.until(lost(null));
  cut();
  await expect.poll(() => followed.since).toBeUndefined();
  await kept.destroy('cut');
  await Promise.all([back, store.until({ kind: 'changed', id: 'cut' })]);
  await expect.poll(() => followed.since).toBeGreaterThan(before);
  expect(losses(store)).toEqual([lost(null), failure, lost(null)]);
});

test('stops treating sessions as certain within 5 s of a suspension of the server', async () => {
  const own = await restartableSessionServer();
  const sessions = await keptSessions(own.port);
  await sessions.put('one', 'x');
  const store = subscribed(open(own.port, '?timeout=100ms'));
  const followed = store.follow('one');
  await expect.poll(() => followed.since).toBeTypeOf('number');
  const before = followed.since;
  own.signal('SIGSTOP');
  const began = performance.now();
  await expect.poll(() => followed.since, { interval: 10 }).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(within(5000));
  const changed = store.until({ kind: 'changed', id: 'one' });
  const destroyed = sessions.destroy('one');
  own.signal('SIGCONT');
  await Promise.all([destroyed, changed]);
  await expect.poll(() => followed.since).toBe(before);
  expect(losses(store)).toEqual([lost(null)]);
});

test('treats a session as certain only since the last `event lost`', async () => {
  await kept.put('one', 'x');
  let say = (_: string) => {};
  const proxy = await spoilingProxy(server.port, (piece, client) => {
    say = (text) => client.write(text);
    client.write(piece);
  });
  const followed = subscribed(open(proxy.port)).follow('one');
  await expect.poll(() => followed.since).toBeTypeOf('number');
  const before = performance.now();
  say('event lost\r\n');
  await expect.poll(() => followed.since).toBeGreaterThan(before);
});

test.each([
  ['replies without a request', 'ok\r\nok\r\nok\r\n'],
  ['an event without a session', 'event destroyed\r\n'],
  ['an event of an unknown kind', 'event changed one\r\nevent exploded one\r\n'],
  ['an HTTP response', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['a line without an end', 'x'.repeat(100_000)],
])('reports `lost` after %s until the next connection', async (_, nonsense) => {
  let say = () => {};
  const proxy = await spoilingProxy(server.port, (piece, client, nth) => {
    client.write(piece);
    if (nth > 0) return;
    say = () => {
      client.write(nonsense);
      // Without a line end, only the next ping would notice it.
      if (!nonsense.includes('\n')) client.end();
    };
  });
  const store = subscribed(open(proxy.port));
  await store.active;
  const back = store.until(lost(null));
  say();
  await back;
  expect(losses(store)).toEqual([lost(null), failure, lost(null)]);
});
