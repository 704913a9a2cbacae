import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { sessionClient } from '../../../test/helpers/session-client.ts';
import { say, sessionServerHere, sharedSessionServer } from '../../../test/helpers/session-server-here.ts';

const folder = mkdtempSync(join(tmpdir(), 'session-watch-'));
afterAll(() => rmSync(folder, { recursive: true }));

// With files, because their reads are asynchronous. Memory and SQLite are read synchronously.
describe('subscriptions to sessions in files', () => {
  const { connect } = sharedSessionServer({ SESSION_SERVER_CONTAINER: `file:${folder}/sessions` });
  const revisionIn = (line: string) => Number(/ (\d+)$/.exec(line)?.[1]);

  test('receive the events of a session in order', async () => {
    const [watcher, writer] = [await connect(), await connect()];
    expect(await watcher.ask('watch life')).toBe('ok gone');
    await say(writer, 'open life', 'put k 1', 'commit');
    const made = await watcher.line();
    expect(made).toMatch(/^event changed life \d+$/);
    expect(await watcher.ask('watch life')).toBe(`ok live ${revisionIn(made)}`);
    expect(await watcher.ask('peek life')).toBe('ok a:1:{s:1:"k";s:1:"1";}');
    await say(writer, 'open life', 'put k 2', 'close');
    const changed = await watcher.line();
    expect(changed).toMatch(/^event changed life \d+$/);
    expect(revisionIn(changed)).toBeGreaterThan(revisionIn(made));
    // An unchanged save and a reader cause no event.
    await say(writer, 'open life', 'put k 2', 'close', 'open life r', 'touch', 'close');
    await say(writer, 'open life', 'put k 3', 'destroy');
    expect(await watcher.line()).toBe('event destroyed life');
    // A session with the same ID may be created again.
    await say(writer, 'open life', 'close');
    expect(await watcher.line()).toMatch(/^event changed life \d+$/);
  });

  test('receive an event of regenerate_id without the new ID', async () => {
    const [watcher, writer] = [await connect(), await connect()];
    await say(writer, 'open before', 'put k 1', 'commit', 'open before', 'put k 2');
    await say(watcher, 'watch before');
    const id = (await writer.ask('regenerate_id')).slice(3);
    expect(await watcher.line()).toBe('event regenerated before');
    expect(await watcher.ask(`watch ${id}`)).toMatch(/^ok live/);
    // The saved session has moved; unsaved changes are saved by the close.
    expect(await watcher.ask(`peek ${id}`)).toBe('ok a:1:{s:1:"k";s:1:"1";}');
    expect(await watcher.ask('peek before')).toBe('err No such session.');
    await say(writer, 'close');
    expect(await watcher.line()).toMatch(new RegExp(`^event changed ${id} \\d+$`));
    expect(await watcher.ask(`peek ${id}`)).toBe('ok a:1:{s:1:"k";s:1:"2";}');
  });

  test('receive an event when a session expires', async () => {
    const [watcher, writer] = [await connect(), await connect()];
    // Watches before the session exists, because it may expire before the next command.
    expect(await watcher.ask('watch short')).toBe('ok gone');
    const began = performance.now();
    await say(writer, 'open short', 'lifetime 1', 'close');
    expect(await watcher.line()).toMatch(/^event changed short/);
    expect(await watcher.line()).toBe('event expired short');
    expect(performance.now() - began).toBeGreaterThan(700);
    expect(await watcher.ask('peek short')).toBe('err No such session.');
  });

  test('end with unwatch, which permits all commands again', async () => {
    const [watcher, writer] = [await connect(), await connect()];
    await say(watcher, 'watch quiet');
    await say(writer, 'open quiet', 'put k 1', 'commit');
    expect(await watcher.line()).toMatch(/^event changed quiet/);
    await say(watcher, 'unwatch quiet');
    await say(writer, 'open quiet', 'destroy');
    expect(await watcher.ask('ping')).toBe('ok');
    expect(await watcher.ask('new')).toMatch(/^ok [0-9a-f]{32}$/);
  });
});

test('sends a subscriber `event lost` instead of the events beyond the write buffer', async () => {
  // The kernel keeps much less for a socket than for a connection by TCP.
  const path = join(folder, 'lost.sock');
  const server = await sessionServerHere({ SESSION_SERVER_SOCKET: path, SESSION_SERVER_PORT: '' });
  const [watcher, writer] = [await sessionClient({ path }), await sessionClient({ path })];
  const id = 'i'.repeat(128);
  expect(await watcher.ask(`watch ${id}`)).toBe('ok gone');
  watcher.socket.pause();
  // More than the kernel and the server keep for it.
  const rounds = 4000;
  for (let n = 0; n < rounds; n += 1000) {
    writer.send(Array.from({ length: 1000 }, (_, i) => `open ${id}\r\nput k ${n + i}\r\nclose\r\n`).join(''));
    for (let i = 0; i < 3000; i++) await writer.line();
  }
  watcher.socket.resume();
  let events = 0;
  for (let line = await watcher.line(); line !== 'event lost'; line = await watcher.line()) {
    expect(line).toMatch(/^event changed/);
    events++;
  }
  expect(events).toBeLessThan(rounds);
  // After another watch it gets the next events.
  expect(await watcher.ask(`watch ${id}`)).toMatch(/^ok live/);
  await say(writer, `open ${id}`, 'destroy');
  expect(await watcher.line()).toBe(`event destroyed ${id}`);
  for (const { socket } of [watcher, writer]) socket.destroy();
  await server.close();
});
