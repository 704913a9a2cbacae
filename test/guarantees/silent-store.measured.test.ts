import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectChat, newClientId, refusalOf } from '../helpers/chat-client.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { size, within } from './size.ts';

const silence = size(30_000, 3000);
let site: ChatSite;
beforeAll(async () => {
  site = await startChatSite();
});
afterAll(() => site.close());

test(`memcached stopped for ${silence / 1000} s: nobody is unauthorized, open chats live on, new ones are told within ${within(1)} s, /healthz has a p99 below ${within(100)} ms`, async () => {
  const cookies = await Promise.all(Array.from({ length: 20 }, (_, n) => site.session(n + 1)));
  const open = await Promise.all(cookies.map((cookie) => connectChat(site.chat.url, cookie)));
  for (const client of open) await client.request('room:join', { room: 'lobby' });

  site.memcached.signal('SIGSTOP');
  const until = performance.now() + silence;
  const health: number[] = [];
  const refusals: { code: string; took: number }[] = [];
  try {
    const knocking = (async () => {
      while (performance.now() < until - 1000) {
        const began = performance.now();
        const cookie = cookies[refusals.length % cookies.length] as string;
        const batch = await Promise.all(
          [1, 2, 3, 4, 5].map(() => refusalOf(connectChat(site.chat.url, cookie))),
        );
        for (const { message } of batch) refusals.push({ code: message, took: performance.now() - began });
      }
    })();
    const probing = (async () => {
      while (performance.now() < until) {
        const began = performance.now();
        expect((await fetch(`${site.chat.url}/healthz`)).status).toBe(200);
        health.push(performance.now() - began);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    for (let n = 0; performance.now() < until; n++) {
      const client = open[n % open.length];
      await client?.request('message:send', {
        room: 'lobby',
        text: `still here ${n}`,
        clientId: newClientId(),
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await Promise.all([knocking, probing]);
  } finally {
    site.memcached.signal('SIGCONT');
  }

  expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['session_store_unavailable']));
  expect(Math.max(...refusals.map(({ took }) => took))).toBeLessThan(within(1000));
  health.sort((a, b) => a - b);
  expect(health[Math.floor(health.length * 0.99)]).toBeLessThan(within(100));
  for (const client of open) {
    expect(client.socket.connected).toBe(true);
    expect(client.events.some(({ name }) => name === 'session:ended')).toBe(false);
  }
  (await connectChat(site.chat.url, cookies[0] as string)).close();
  for (const client of open) client.close();
});
