import { setTimeout as after } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { SessionClient } from '../../../test/helpers/session-client.ts';
import { say, sharedSessionServer } from '../../../test/helpers/session-server-here.ts';

/** A waiting client takes the lock from an idle holder after this time. */
const holdMs = 1000;
const settings = { SESSION_SERVER_LOCK_TIMEOUT: '20s', SESSION_SERVER_WAITERS_SESSION: '12' };
const { connect } = sharedSessionServer(settings);
const { connect: connectToHolding } = sharedSessionServer({
  ...settings,
  SESSION_SERVER_LOCK_HOLD: `${holdMs}ms`,
});

/**
 * A client that waits for the lock. The server reads all connections in turn, so it reads the `open` before it replies to
 * another client's ping. The second ping is for an `open` that reached the kernel after the first.
 */
async function waiter(id: string, connectIt = connect) {
  const client = await connectIt();
  client.send(`open ${id}\r\n`);
  const other = await connectIt();
  await say(other, 'ping', 'ping');
  other.socket.destroy();
  return Object.assign(client, { granted: client.line() });
}

test('gives the lock to clients in order of arrival, whatever frees it', async () => {
  const ways = 'close,commit,destroy,regenerate_id,open elsewhere,open order r,new,quit,'.split(',');
  const holder = await connect();
  await say(holder, 'open order');
  const waiters: { way: string; client: SessionClient & { granted: Promise<string> } }[] = [];
  for (const way of ways) waiters.push({ way, client: await waiter('order') });
  const order: number[] = [];
  for (const [n, { client }] of waiters.entries()) client.granted.then(() => order.push(n));
  await say(holder, 'close');
  for (const [n, { way, client }] of waiters.entries()) {
    expect(await client.granted).toBe('ok');
    expect(order).toEqual(Array.from({ length: n + 1 }, (_, i) => i));
    // The end of a connection also releases the lock.
    if (way === '') client.socket.destroy();
    else expect(await client.ask(way)).toMatch(/^ok/);
  }
  await say(holder, 'lock_timeout 1000', 'open order');
});

test('reads the last saved state in mode r without waiting', async () => {
  const [writer, reader] = [await connect(), await connect()];
  await say(writer, 'open read', 'put k old', 'commit', 'open read', 'put k new');
  await say(reader, 'open read r');
  expect(await reader.ask('get k')).toBe('ok old');
  await say(writer, 'close');
  // As it was when it was opened.
  expect(await reader.ask('get k')).toBe('ok old');
  await say(reader, 'open read r');
  expect(await reader.ask('get k')).toBe('ok new');
});

test('reopens a client’s own open session without waiting, and drops unsaved changes', async () => {
  const [client, other] = [await connect(), await connect()];
  await say(client, 'lock_timeout 0', 'open own', 'put k 1', 'commit', 'open own', 'put k 2', 'open own');
  expect(await client.ask('get k')).toBe('ok 1');
  await say(other, 'lock_timeout 0');
  expect(await other.ask('open own')).toBe('err Could not open session.');
  await say(client, 'destroy');
  await say(other, 'open own');
});

test('rejects an open after the timeout of its client', async () => {
  const [holder, short, none] = [await connect(), await connect(), await connect()];
  await say(holder, 'open patience');
  const long = await waiter('patience');
  await say(none, 'lock_timeout 0');
  expect(await none.ask('open patience')).toBe('err Could not open session.');
  await say(short, 'lock_timeout 50');
  const began = performance.now();
  expect(await short.ask('open patience')).toBe('err Could not open session.');
  expect(performance.now() - began).toBeGreaterThan(45);
  expect(await short.ask('get k')).toBe('err No session opened.');
  await say(holder, 'close');
  expect(await long.granted).toBe('ok');
});

test('takes the lock from an idle holder for a waiting client', async () => {
  const [late, next] = [await connectToHolding(), await connectToHolding()];
  const began = performance.now();
  await say(late, 'open idle', 'put k late');
  await say(next, 'open idle');
  expect(performance.now() - began).toBeGreaterThan(holdMs - 100);
  for (const [line, reply] of [
    ['put k later', 'err Could not store value'],
    ['put_all a:0:{}', 'err Could not store session data.'],
    ['commit', 'err Could not commit session.'],
    ['regenerate_id', 'err Could not regenerate session id.'],
    ['destroy', 'err Could not destroy session.'],
    ['close', 'err Could not close session'],
    ['close', 'err No session opened.'],
  ] as const)
    expect(await late.ask(line)).toBe(reply);
  await say(next, 'put k next', 'close');
  expect(await next.ask('peek idle')).toBe('ok a:1:{s:1:"k";s:4:"next";}');
});

test('leaves the lock to a holder while it works or no client waits', async () => {
  const [holder, idle] = [await connectToHolding(), await connectToHolding()];
  await say(idle, 'open alone', 'put k kept');
  const impatient = await connectToHolding();
  await say(impatient, 'lock_timeout 10');
  expect(await impatient.ask('open alone')).toBe('err Could not open session.');
  await say(holder, 'open busy');
  const next = await waiter('busy', connectToHolding);
  let granted = false;
  void next.granted.then(() => {
    granted = true;
  });
  const began = performance.now();
  while (performance.now() - began < holdMs * 1.5) {
    await after(50);
    await say(holder, 'put k at work');
  }
  expect(granted).toBe(false);
  await say(holder, 'close');
  expect(await next.granted).toBe('ok');
  await say(idle, 'close');
  expect(await next.ask('peek alone')).toBe('ok a:1:{s:1:"k";s:4:"kept";}');
});

test('gives the lock at once to a client that comes after the holder has been idle for too long', async () => {
  const [late, next] = [await connectToHolding(), await connectToHolding()];
  await say(late, 'open long', 'put k late');
  await after(holdMs * 1.2);
  await say(next, 'lock_timeout 0', 'open long', 'put k next', 'close');
  expect(await late.ask('close')).toBe('err Could not close session');
  expect(await next.ask('peek long')).toBe('ok a:1:{s:1:"k";s:4:"next";}');
});

test('gives a new session to a client that waited for a destroyed one', async () => {
  const holder = await connect();
  await say(holder, 'open doomed', 'put k old', 'commit', 'open doomed');
  const next = await waiter('doomed');
  await say(holder, 'destroy');
  expect(await next.granted).toBe('ok');
  expect(await next.ask('keys')).toBe('ok ');
  await say(next, 'put k new', 'close');
  expect(await holder.ask('peek doomed')).toBe('ok a:1:{s:1:"k";s:3:"new";}');
});

test('lets at most SESSION_SERVER_WAITERS_SESSION clients wait for one session', async () => {
  const holder = await connect();
  await say(holder, 'open crowd');
  const waiting = [];
  for (let n = 0; n < 15; n++) waiting.push((await connect()).ask('open crowd'));
  // The others still wait when the test closes their connections.
  void Promise.allSettled(waiting);
  expect(await Promise.all(waiting.slice(12))).toEqual(Array(3).fill('err Could not open session.'));
  await say(holder, 'close');
  expect(await waiting[0]).toBe('ok');
});
