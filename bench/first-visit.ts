/**
 * The time until the first message is visible on a first visit, with an empty browser cache and a warm server.
 * Run: npm run build && npm run bench first-visit [VISITS]
 */
import { type Browser, chromium } from '@playwright/test';
import { connectChat, newClientId } from '../test/helpers/chat-client.ts';
import { startChatServer } from '../test/helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../test/helpers/chat-site.ts';
import { percentile } from '../test/helpers/server-figures.ts';

const visits = Number(process.argv[2] ?? 20);
const messages = 300;
const networks = [
  { name: 'this machine', conditions: undefined, bound: 300 },
  { name: '1.6 Mbit/s and 150 ms', conditions: { latency: 150, throughput: 1_600_000 / 8 }, bound: 1200 },
] as const;
type Conditions = (typeof networks)[number]['conditions'];

declare global {
  interface Window {
    visit: { first: number | undefined; shift: number };
  }
}

/** Runs in the page before all other scripts. */
function watch(): void {
  window.visit = { first: undefined, shift: 0 };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      window.visit.shift += (entry as unknown as { value: number }).value;
  }).observe({ type: 'layout-shift', buffered: true });
  const look = () => {
    const message = document.querySelector('php-chat')?.shadowRoot?.querySelector('.msg');
    // The message was painted before this frame.
    if (message?.checkVisibility() === true) window.visit.first = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

interface Visit {
  /** The time from the start of the visit until the page is loaded, in ms. */
  readonly loaded: number;
  /** The time from `loaded` until the first message is visible, in ms. */
  readonly first: number;
  readonly shift: number;
  /** Transferred bytes of JavaScript and CSS, until the first message and in total. */
  readonly bytes: readonly [number, number];
  readonly said: readonly string[];
}

async function visit(browser: Browser, site: ChatSite, width: number, network: Conditions): Promise<Visit> {
  const cookie = await site.session(1, 'Ann');
  const context = await browser.newContext({ viewport: { width, height: 800 }, locale: 'en-GB' });
  try {
    const [name = '', value = ''] = cookie.split('=');
    await context.addCookies([{ name, value, url: site.chat.url }]);
    const page = await context.newPage();
    const said: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    const cdp = await context.newCDPSession(page);
    await cdp.send('Network.enable');
    if (network !== undefined) {
      await cdp.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: network.latency,
        downloadThroughput: network.throughput,
        uploadThroughput: network.throughput,
      });
    }
    const code = new Set<string>();
    let bytes = 0;
    cdp.on('Network.responseReceived', ({ requestId, type }) => {
      if (type === 'Script' || type === 'Stylesheet') code.add(requestId);
    });
    cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      if (code.has(requestId)) bytes += encodedDataLength;
    });
    await page.addInitScript(watch);
    await page.goto(site.chat.url);
    await page.waitForFunction(() => window.visit.first !== undefined);
    const before = bytes;
    // Also detects layout shifts by code that loads later.
    await page.waitForTimeout(1000);
    const seen = await page.evaluate(() => {
      const [entry] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
      return { ...window.visit, loaded: entry?.loadEventEnd ?? Number.NaN };
    });
    const { loaded, first = Number.NaN, shift } = seen;
    return { loaded, first: first - loaded, shift, bytes: [before, bytes], said };
  } finally {
    await context.close();
  }
}

const site = await startChatSite({ CHAT_ROOMS: 'lobby,garden,board' }, startChatServer);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium-headless-shell',
  args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
});
try {
  const writer = await connectChat(site.chat.url, await site.session(2, 'Bob'));
  await writer.request('room:join', { room: 'lobby' });
  for (let n = 0; n < messages; n++) {
    const text = `Message ${n}, of about the length that most of them have in a chat`;
    await writer.request('message:send', { room: 'lobby', text, clientId: newClientId() });
  }
  const visitor = await connectChat(site.chat.url, await site.session(1, 'Ann'));
  await visitor.request('room:join', { room: 'lobby' });
  await visitor.request('read:mark', { room: 'lobby', seq: messages });
  visitor.close();
  for (const width of [1280, 360]) {
    for (const { name, conditions, bound } of networks) {
      await visit(browser, site, width, conditions);
      const all: Visit[] = [];
      for (let n = 0; n < visits; n++) all.push(await visit(browser, site, width, conditions));
      const of = (value: (one: Visit) => number, part: number) => percentile(all.map(value), part).toFixed(0);
      const kb = (index: 0 | 1) =>
        (
          percentile(
            all.map(({ bytes }) => bytes[index]),
            0.5,
          ) / 1024
        ).toFixed(1);
      console.log(
        `${width} px, ${name}: first message ${of(({ first }) => first, 0.5)} ms after the page's load ` +
          `(p90 ${of(({ first }) => first, 0.9)}, at most ${bound}), load ${of(({ loaded }) => loaded, 0.5)} ms, ` +
          `${kb(0)} KB of code until then, ${kb(1)} in all, ` +
          `layout shift ${Math.max(...all.map(({ shift }) => shift))}, ` +
          `console: ${new Set(all.flatMap(({ said }) => said)).size === 0 ? 'nothing' : [...new Set(all.flatMap(({ said }) => said))].join(' | ')}`,
      );
    }
  }
  writer.close();
} finally {
  await browser.close();
  await site.close();
}
