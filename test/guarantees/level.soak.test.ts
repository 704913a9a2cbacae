import { afterAll, beforeAll, expect, test } from 'vitest';
import { newClientId } from '../helpers/chat-client.ts';
import { startChatServer } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { inspected, liveHeap } from '../helpers/live-heap.ts';
import { connectRaw, type RawClient } from '../helpers/raw-client.ts';
import { connections, megabytes, metrics, percentile, rss } from '../helpers/server-figures.ts';

const lasting = 600_000;
const perSecond = 100;
const staying = 20;
const comingAndGoing = 20;
const room = 'lobby';

let site: ChatSite;
beforeAll(async () => {
  site = await startChatSite(inspected, startChatServer);
});
afterAll(() => site.close());

/** Counts the event loop's sockets, pipes and timers. */
async function kept(): Promise<{ handles: number; timers: number }> {
  const samples = await metrics(site.chat.url);
  return {
    handles: samples.get('nodejs_active_handles_total') ?? Number.NaN,
    timers: samples.get('nodejs_active_resources{type="Timeout"}') ?? 0,
  };
}

test(`keeps memory, handles and timers level for ${lasting / 1000} s at ${perSecond} messages a second`, {
  timeout: lasting + 120_000,
}, async () => {
  const { port } = site.chat;
  const cookies: string[] = [];
  for (let n = 1; n <= staying + comingAndGoing; n++) cookies.push(await site.session(n));
  const join = (n: number) => connectRaw(port, cookies[n] as string, room);
  // Modules that are loaded for the first client do not count as growth.
  (await join(0)).socket.destroy();
  await expect.poll(() => connections(site.chat.url)).toBe(0);
  const atRest = { ...(await kept()), heap: await liveHeap(site.chat) };

  const talkers: RawClient[] = [];
  for (let n = 0; n < staying; n++) talkers.push(await join(n));
  let heard = 0;
  talkers[0]?.onPacket((packet) => {
    if (packet.startsWith('42["message:new"')) heard++;
  });
  const visitors: RawClient[] = [];
  for (let n = 0; n < comingAndGoing; n++) visitors.push(await join(staying + n));

  const began = performance.now();
  const heaps: { at: number; bytes: number }[] = [];
  let sent = 0;
  let visits = 0;
  for (let second = 1; performance.now() - began < lasting; second++) {
    while (performance.now() - began < second * 1000) {
      const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
      for (; sent < due; sent++) {
        const message = { room, text: `message ${sent}`, clientId: newClientId() };
        talkers[sent % staying]?.send(`42999${JSON.stringify(['message:send', message])}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // Four clients leave, two of them without closing, and four join.
    for (let n = 0; n < 4; n++, visits++) {
      const place = visits % comingAndGoing;
      if (n % 2 === 0) visitors[place]?.send('41');
      visitors[place]?.socket.destroy();
      visitors[place] = await join(staying + place);
    }
    heaps.push({ at: performance.now() - began, bytes: await liveHeap(site.chat) });
  }
  await expect.poll(() => heard).toBe(sent);

  // The first third is the warm-up.
  const median = (third: number) =>
    percentile(
      heaps
        .filter(({ at }) => at >= (lasting / 3) * (third - 1) && at < (lasting / 3) * third)
        .map(({ bytes }) => bytes),
      0.5,
    );
  const [first, second, third] = [median(1), median(2), median(3)];
  const busy = await kept();
  for (const client of [...talkers, ...visitors]) client.socket.destroy();
  await expect.poll(() => connections(site.chat.url)).toBe(0);
  console.log(
    `level: ${sent} messages, ${visits} visits; live heap ${megabytes(atRest.heap)} MB at rest, ` +
      `${[first, second, third].map(megabytes).join(', ')} MB by thirds, ${megabytes(await liveHeap(site.chat))} MB after; ` +
      `${busy.handles} handles and ${busy.timers} timers, at rest ${atRest.handles} and ${atRest.timers}, ` +
      `after ${JSON.stringify(await kept())}; ${megabytes(rss(site.chat.pid))} MB RSS`,
  );
  expect(third).toBeLessThan(second * 1.1);
  // A few threads and connections to the store are opened on demand. A leak in each visit would add thousands.
  await expect.poll(async () => (await kept()).handles).toBeLessThanOrEqual(atRest.handles + 5);
  await expect.poll(async () => (await kept()).timers).toBeLessThanOrEqual(atRest.timers + 5);
});
