import type { Browser, BrowserContext, Page } from '@playwright/test';

/** What cannot be taken back, or is easily forgotten. */
const lasting = [
  'addInitScript',
  'emulateMedia',
  'exposeBinding',
  'exposeFunction',
  'grantPermissions',
  'newCDPSession',
  'on',
  'once',
  'route',
  'routeWebSocket',
  'setExtraHTTPHeaders',
];

/**
 * A window of a browser that serves one test after the other: a new one, with a process of its own for the site's pages,
 * takes twice the CPU of all that is done in it until the chat is connected. A window to which a test has done what
 * lasts, or in which it has failed, is not kept.
 */
export class KeptWindow {
  #context: BrowserContext | undefined;
  #page: Page | undefined;
  #spoilt = false;
  #size: { width: number; height: number } | null = null;

  async open(browser: Browser): Promise<Page> {
    if (this.#page !== undefined) return this.#page;
    this.#context = await browser.newContext();
    this.#page = await this.#context.newPage();
    this.#spoilt = false;
    this.#size = this.#page.viewportSize();
    const { clock } = this.#context;
    for (const part of [this.#context, this.#page]) this.#watch(part, lasting);
    this.#watch(clock, ['install', 'pauseAt', 'resume', 'runFor', 'setFixedTime', 'setSystemTime']);
    return this.#page;
  }

  /** Leaves nothing of a test but what the browser has cached. @param address a page of the site that does nothing */
  async leave(address: string, failed: boolean): Promise<void> {
    const [context, page] = [this.#context, this.#page];
    if (context === undefined || page === undefined) return;
    if (failed || this.#spoilt || page.isClosed()) return this.close();
    for (const other of context.pages()) if (other !== page) await other.close();
    await context.setOffline(false);
    if (this.#size !== null) await page.setViewportSize(this.#size);
    await page.goto(address);
    await page.evaluate(() => {
      localStorage.clear();
      sessionStorage.clear();
    });
    await context.clearCookies();
  }

  async close(): Promise<void> {
    await this.#context?.close();
    this.#context = undefined;
    this.#page = undefined;
  }

  #watch(part: object, names: readonly string[]): void {
    const methods = part as Record<string, ((...args: unknown[]) => unknown) | undefined>;
    for (const name of names) {
      const own = methods[name];
      if (own === undefined) continue;
      methods[name] = (...args) => {
        this.#spoilt = true;
        return own.apply(part, args);
      };
    }
  }
}
