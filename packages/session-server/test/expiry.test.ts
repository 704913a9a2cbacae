import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { say, sessionServerForTest } from '../../../test/helpers/session-server-here.ts';

/** Longer than the machine may freeze. */
const lifetimeMs = 2000;

test('deletes a session when no open, touch or save used it for its lifetime', async () => {
  const { connect } = await sessionServerForTest({
    SESSION_SERVER_LIFETIME: '2',
    SESSION_SERVER_COLLECT: '100ms',
  });
  const [client, watcher] = [await connect(), await connect()];
  const made = performance.now();
  const ids = ['peeked', 'touched', 'read', 'saved', 'own', 'never'];
  for (const id of ids) await say(client, `open ${id}`, 'put k v', 'close');
  await say(client, 'open own', 'lifetime 100', 'close', 'open never', 'lifetime 0', 'close');
  const here = async () => {
    const found: string[] = [];
    for (const id of ids) if ((await client.ask(`peek ${id}`)) !== 'err No such session.') found.push(id);
    return found;
  };
  for (const id of ['peeked', 'touched']) expect(await watcher.ask(`watch ${id}`)).toMatch(/^ok live/);
  const began = performance.now();
  let gone: number | undefined;
  let touched = began;
  while (performance.now() - began < 1.6 * lifetimeMs) {
    touched = performance.now();
    await say(client, 'open touched r', 'touch', 'open read r', 'open saved', 'put k v', 'close');
    if (!(await here()).includes('peeked')) gone ??= performance.now() - made;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  // A peek does not prolong it.
  expect(gone).toBeGreaterThan(lifetimeMs - 100);
  expect(await here()).toEqual(['touched', 'read', 'saved', 'own', 'never']);
  expect(await client.ask('open peeked r')).toBe('err Could not open session.');
  await say(client, 'open peeked');
  expect(await client.ask('keys')).toBe('ok ');
  // The subscriber is notified at the time that the last use set, and not earlier.
  expect(await watcher.line()).toBe('event expired peeked');
  await say(watcher, 'ping');
  expect(await watcher.line()).toBe('event expired touched');
  expect(performance.now() - touched).toBeGreaterThan(lifetimeMs - 100);
});

test('deletes expired sessions although another session cannot be read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'session-server-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { connect } = await sessionServerForTest({
    SESSION_SERVER_CONTAINER: `file:${folder}`,
    SESSION_SERVER_LIFETIME: '1',
    SESSION_SERVER_COLLECT: '100ms',
  });
  mkdirSync(join(folder, 'aaa.txt'));
  utimesSync(join(folder, 'aaa.txt'), 1, 1);
  const [client, watcher] = [await connect(), await connect()];
  for (const id of ['b', 'c', 'd']) await say(client, `open ${id}`, 'put k v', 'close');
  await expect.poll(() => readdirSync(folder)).toEqual(['.lock', 'aaa.txt']);
  // If the file of a session is deleted, its subscribers are notified when its lifetime is over.
  await say(client, 'open e', 'put k v', 'close');
  expect(await watcher.ask('watch e')).toMatch(/^ok live/);
  rmSync(join(folder, 'e.txt'));
  expect(await watcher.line()).toBe('event expired e');
});
