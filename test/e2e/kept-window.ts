import type { Browser, BrowserContext, Page } from '@playwright/test';

/** Calls that cannot be undone or are easily forgotten. */
const lasting = [
  'emulateMedia',
  'exposeBinding',
  'exposeFunction',
  'grantPermissions',
  'newCDPSession',
  'once',
  'routeWebSocket',
  'setExtraHTTPHeaders',
];
const ofClock = ['install', 'pauseAt', 'resume', 'runFor', 'setFixedTime', 'setSystemTime'];

/** Undoes a call after the test, from its result and arguments. */
const passing: Record<string, (part: Page | BrowserContext, result: never, args: never) => unknown> = {
  addInitScript: async (_part, result: ReturnType<Page['addInitScript']>) => (await result).dispose(),
  on: (part, _result, args: Parameters<Page['off']>) => (part as Page).off(...args),
  // A request that the test holds may still wait.
  route: (part) => part.unrouteAll({ behavior: 'ignoreErrors' }),
};

/**
 * A browser window shared by consecutive tests, because a new window needs a new process for the site's pages. A
 * window is closed if a test failed or made lasting changes.
 */
export class KeptWindow {
  #context: BrowserContext | undefined;
  #page: Page | undefined;
  #spoilt = false;
  #undo: (() => unknown)[] = [];
  #size: { width: number; height: number } | null = null;

  async open(browser: Browser): Promise<Page> {
    if (this.#page !== undefined) return this.#page;
    this.#context = await browser.newContext();
    this.#page = await this.#context.newPage();
    this.#spoilt = false;
    this.#undo = [];
    this.#size = this.#page.viewportSize();
    const spoil = () => {
      this.#spoilt = true;
    };
    watch(this.#context.clock, ofClock, spoil);
    for (const part of [this.#context, this.#page]) {
      watch(part, lasting, spoil);
      watch(part, Object.keys(passing), (name, result, args) => {
        this.#undo.push(() => passing[name]?.(part, result, args));
      });
    }
    return this.#page;
  }

  /**
   * Removes all state of a test except the browser's cache.
   * @param address a page of the site without a script
   */
  async leave(address: string, failed: boolean): Promise<void> {
    const [context, page] = [this.#context, this.#page];
    if (context === undefined || page === undefined) return;
    if (failed || this.#spoilt || page.isClosed()) return this.close();
    for (const undo of this.#undo.splice(0)) await undo();
    for (const other of context.pages()) if (other !== page) await other.close();
    await context.setOffline(false);
    if (this.#size !== null) await page.setViewportSize(this.#size);
    await empty(page);
    // Loading a page takes longer than removing the chat from the current one.
    if (!page.url().startsWith(new URL(address).origin)) {
      await page.goto(address);
      await empty(page);
    }
    await context.clearCookies();
  }

  async close(): Promise<void> {
    await this.#context?.close();
    this.#context = undefined;
    this.#page = undefined;
  }
}

/** Removes the chat and its storage for this origin. */
async function empty(page: Page): Promise<void> {
  if (page.url() === 'about:blank') return;
  await page.evaluate(async () => {
    for (const chat of document.querySelectorAll('php-chat, php-chat-launcher, php-chat-moderate'))
      chat.remove();
    // Removed elements stop in a later task.
    await new Promise((resolve) => setTimeout(resolve));
    localStorage.clear();
    sessionStorage.clear();
  });
}

/** Reports each call of these methods. */
function watch(
  part: object,
  names: readonly string[],
  called: (name: string, result: never, args: never) => void,
): void {
  const methods = part as Record<string, ((...args: unknown[]) => unknown) | undefined>;
  for (const name of names) {
    const own = methods[name];
    if (own === undefined) continue;
    methods[name] = (...args) => {
      const result = own.apply(part, args);
      called(name, result as never, args as never);
      return result;
    };
  }
}
