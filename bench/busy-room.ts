/**
 * A browser that shows the end of a room with 50 new messages a second: duration of frames, number of rendered
 * messages, and growth of the memory.
 * Run: npm run build && npm run bench busy-room [MINUTES]
 */
import { setTimeout as pause } from 'node:timers/promises';
import { chromium } from '@playwright/test';
import { connectChat, newClientId } from '../test/helpers/chat-client.ts';
import { startChatServer } from '../test/helpers/chat-server.ts';
import { startChatSite } from '../test/helpers/chat-site.ts';
import { percentile } from '../test/helpers/server-figures.ts';

const minutes = Number(process.argv[2] ?? 5);
const rate = 50;
const writers = 10;
const sampled = 15_000;

declare global {
  interface Window {
    /** The duration of each frame, in ms. */
    lengths: number[];
  }
}

const site = await startChatSite({ CHAT_ROOMS: 'lobby,garden' }, startChatServer);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium-headless-shell',
  args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
});
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB' });
  const [name = '', value = ''] = (await site.session(1, 'Ann')).split('=');
  await context.addCookies([{ name, value, url: site.chat.url }]);
  const page = await context.newPage();
  const said: string[] = [];
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(error.message));
  await page.goto(site.chat.url);
  await page.getByRole('textbox', { name: 'Message to lobby' }).waitFor();

  const people = await Promise.all(
    Array.from({ length: writers }, async (_, n) =>
      connectChat(site.chat.url, await site.session(n + 2, `Person ${n}`)),
    ),
  );
  for (const person of people) await person.request('room:join', { room: 'lobby' });
  const answers: (Promise<unknown> | undefined)[] = [];
  let sent = 0;
  let writing = true;
  const write = async () => {
    for (const began = performance.now(); writing; sent++) {
      const due = began + (sent * 1000) / rate - performance.now();
      if (due > 0) await pause(due);
      const text = `Message ${sent}${sent % 10 === 0 ? ' with https://example.org/a/link in it'.repeat(3) : ' in a busy room'}`;
      const clientId = newClientId();
      answers.push(people[sent % writers]?.request('message:send', { room: 'lobby', text, clientId }));
    }
  };
  const written = write();

  const cdp = await context.newCDPSession(page);
  await cdp.send('Performance.enable');
  const look = async () => {
    await cdp.send('HeapProfiler.collectGarbage');
    const { metrics } = await cdp.send('Performance.getMetrics');
    const of = (metric: string) => metrics.find((one) => one.name === metric)?.value ?? Number.NaN;
    return {
      heap: of('JSHeapUsedSize') / 2 ** 20,
      nodes: of('Nodes'),
      messages: await page.locator('php-chat .msg').count(),
    };
  };
  // Waits until the list has its full length.
  await pause(sampled);
  const looks = [await look()];
  const frames: number[] = [];
  while (looks.length <= (minutes * 60_000) / sampled) {
    await page.evaluate(() => {
      window.lengths = [];
      let before = performance.now();
      const { lengths } = window;
      const next = (at: number) => {
        if (window.lengths !== lengths) return;
        lengths.push(at - before);
        before = at;
        requestAnimationFrame(next);
      };
      requestAnimationFrame(next);
    });
    await pause(sampled);
    // Inspecting the heap makes frames longer, so only earlier frames count.
    frames.push(
      ...(await page.evaluate(() => {
        const counted = window.lengths;
        window.lengths = [];
        return counted.slice(1);
      })),
    );
    looks.push(await look());
  }
  writing = false;
  await written;
  await Promise.all(answers);
  for (const person of people) person.close();

  const longest = percentile(frames, 1);
  console.log(
    `${sent} messages in ${minutes} minutes: ${frames.length} frames, p50 ${percentile(frames, 0.5).toFixed(1)} ms, ` +
      `p99 ${percentile(frames, 0.99).toFixed(1)}, longest ${longest.toFixed(1)}; ` +
      `longer than 50 ms: ${frames.filter((frame) => frame > 50).length}`,
  );
  for (const [n, { heap, nodes, messages }] of looks.entries()) {
    console.log(
      `after ${(n * sampled) / 1000} s: heap ${heap.toFixed(1)} MB, ${nodes} nodes, ${messages} messages`,
    );
  }
  console.log(`console: ${said.length === 0 ? 'nothing' : [...new Set(said)].join(' | ')}`);
} finally {
  await browser.close();
  await site.close();
}
