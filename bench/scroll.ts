/**
 * A reader scrolls through a room of 5,000 messages, from the end to the start and back: the tasks of the page that would
 * be above 50 ms on a processor four times slower, and the rendered messages. Counts processor time, so other work on
 * the machine does not matter.
 * Run: npm run build && npm run bench scroll [MESSAGES]
 */
import { type Browser, chromium, type Page } from '@playwright/test';
import { connectChat, newClientId } from '../test/helpers/chat-client.ts';
import { startChatServer } from '../test/helpers/chat-server.ts';
import { startChatSite } from '../test/helpers/chat-site.ts';

const count = Number(process.argv[2] ?? 5000);
const slowdown = 4;
/** Messages that are written at the same time. */
const batch = 50;
/** CSS pixels that the reader scrolls per frame. */
const step = 400;

declare global {
  interface Window {
    scrolled: {
      /** Numbers of messages that were added at once. */
      added: number[];
      nodes: number;
    };
  }
}

/** Runs in the page: scrolls until `edge` is shown. */
async function scroll({ by, edge }: { by: number; edge: string }): Promise<Window['scrolled']> {
  const root = document.querySelector('php-chat')?.shadowRoot;
  const log = root?.querySelector<HTMLElement>('.timeline');
  if (root == null || log == null) throw new Error('no timeline');
  const seen: Window['scrolled'] = { added: [], nodes: 0 };
  const messages = new MutationObserver((changes) => {
    const nodes = changes.flatMap(({ addedNodes }) => [...addedNodes]);
    const added = nodes.flatMap((node) => {
      if (!(node instanceof Element) || !node.isConnected) return [];
      return node.matches('.msg') ? [node] : [...node.querySelectorAll('.msg')];
    });
    if (added.length > 0) seen.added.push(new Set(added).size);
  });
  messages.observe(log, { childList: true, subtree: true });
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const isThere = () => {
    const found = [...log.querySelectorAll(edge)].at(-1)?.getBoundingClientRect();
    const { top, bottom } = log.getBoundingClientRect();
    return found !== undefined && found.bottom > top && found.top < bottom;
  };
  while (!isThere()) {
    log.scrollTop += by;
    await frame();
    seen.nodes = Math.max(seen.nodes, log.querySelectorAll('*').length);
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  messages.disconnect();
  return seen;
}

interface Traced {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Processor time in microseconds. */
  readonly tdur?: number;
  readonly args: { readonly name?: string };
}

/** Returns the durations of the page's tasks on the slower processor, in ms. */
async function traced<T>(
  browser: Browser,
  page: Page,
  run: () => Promise<T>,
): Promise<{ tasks: number[]; result: T }> {
  await browser.startTracing(page, { categories: ['toplevel'] });
  const result = await run();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: Traced[] };
  const mains = traceEvents.filter(
    ({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain',
  );
  const tasks = mains.map((main) =>
    traceEvents.flatMap(({ name, pid, tid, tdur }) =>
      name === 'ThreadControllerImpl::RunTask' && pid === main.pid && tid === main.tid && tdur !== undefined
        ? [(tdur / 1000) * slowdown]
        : [],
    ),
  );
  return { tasks: tasks.sort((a, b) => b.length - a.length)[0] ?? [], result };
}

const site = await startChatSite({ CHAT_ROOMS: 'lobby,garden' }, startChatServer);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium-headless-shell',
  args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
});
try {
  const writers = await Promise.all(
    ['Ann', 'Bob', 'Carol', 'Dan'].map(async (name, n) =>
      connectChat(site.chat.url, await site.session(n + 1, name)),
    ),
  );
  for (const writer of writers) await writer.request('room:join', { room: 'lobby' });
  const write = async (n: number) => {
    const writer = writers[(n >> 1) % writers.length];
    const more = n % 10 === 0 ? ` See **https://example.org/a/${n}**,\n- and a list\n- of two.` : '';
    const text = `Message ${n}, of about the length that most of them have in a chat.${more}`;
    const reply = n % 7 === 0 && n > batch ? { replyTo: n - batch } : {};
    await writer?.request('message:send', { room: 'lobby', text, clientId: newClientId(), ...reply });
    if (n % 9 === 0 && n > batch)
      await writer?.request('message:react', { room: 'lobby', seq: n - batch, emoji: '👍', on: true });
  };
  for (let n = 1; n <= count; n += batch)
    await Promise.all(Array.from({ length: batch }, (_, i) => write(n + i)));
  await writers[0]?.request('read:mark', { room: 'lobby', seq: count });
  for (const [width, touch] of [
    [1280, false],
    [360, true],
  ] as const) {
    const context = await browser.newContext({
      viewport: { width, height: 800 },
      hasTouch: touch,
      locale: 'en-GB',
    });
    const [name = '', value = ''] = (await site.session(1, 'Ann')).split('=');
    await context.addCookies([{ name, value, url: site.chat.url }]);
    const page = await context.newPage();
    const later = page.waitForResponse(/\/assets\/dialogs-/);
    await page.goto(`${site.chat.url}/#m=lobby`);
    await page.locator(`.msg[aria-posinset="${count}"]`).waitFor();
    await later;
    for (const [way, by, edge] of [
      ['to the start', -step, '.msg[aria-posinset="1"]'],
      ['back to the end', step, `.msg[aria-posinset="${count}"]`],
    ] as const) {
      const { tasks, result } = await traced(browser, page, () => page.evaluate(scroll, { by, edge }));
      const { added, nodes } = result;
      const all = added.reduce((sum, one) => sum + one, 0);
      console.log(
        `${width} px, ${way}: ${tasks.filter((task) => task > 50).length} of ${tasks.length} tasks above 50 ms, ` +
          `longest ${Math.max(...tasks).toFixed(0)} ms; ${all} messages rendered, at most ${Math.max(...added)} at once; ` +
          `at most ${nodes} elements`,
      );
    }
    await context.close();
  }
  for (const writer of writers) writer.close();
} finally {
  await browser.close();
  await site.close();
}
