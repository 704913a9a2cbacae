import { randomInt } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { SessionClient } from '../helpers/session-client.ts';
import { sharedSessionServer } from '../helpers/session-server-here.ts';
import { size } from './size.ts';

const { connect } = sharedSessionServer();

const counters = size(100, 20);
const each = size(100, 4);

/** Increments the counter. @returns its new value if that was acknowledged */
async function countUp(client: SessionClient, id: string): Promise<number | null> {
  if ((await client.ask(`open ${id}`)) !== 'ok') return null;
  const before = Number(/^ok (\d+)$/.exec(await client.ask('get n'))?.[1] ?? 0);
  expect(await client.ask(`put n ${before + 1}`)).toBe('ok');
  return (await client.ask('close')) === 'ok' ? before + 1 : null;
}

test(`loses no increment of ${counters} concurrent clients`, async () => {
  const all = await Promise.all(Array.from({ length: counters }, connect));
  await Promise.all(
    all.map(async (client) => {
      for (let n = 0; n < each; n++) expect(await countUp(client, 'counter')).not.toBeNull();
    }),
  );
  const total = String(counters * each);
  expect(await (await connect()).ask('peek counter')).toBe(`ok a:1:{s:1:"n";s:${total.length}:"${total}";}`);
});

test('stores each acknowledged increment once when clients disconnect at random moments', async () => {
  const acknowledged: number[] = [];
  await Promise.all(
    Array.from({ length: counters }, async () => {
      let client = await connect();
      for (let n = 0; n < each; n++) {
        const { socket } = client;
        if (randomInt(3) === 0) after(randomInt(30)).then(() => socket.destroy());
        try {
          const step = await countUp(client, 'mortal');
          if (step !== null) acknowledged.push(step);
        } catch (error) {
          if (!/ended/.test(String(error))) throw error;
        }
        if (socket.destroyed) client = await connect();
      }
    }),
  );
  const last = /"n";s:\d+:"(\d+)"/.exec(await (await connect()).ask('peek mortal'))?.[1];
  expect(acknowledged.length).toBeGreaterThan(each);
  expect(new Set(acknowledged).size).toBe(acknowledged.length);
  expect(Number(last)).toBeGreaterThanOrEqual(Math.max(...acknowledged));
  // At most one step of each killed client is saved without an acknowledgement.
  expect(Number(last)).toBeLessThanOrEqual(counters * each);
});
