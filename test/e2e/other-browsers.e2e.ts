import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { asUser } from './as-user.ts';
import { examined, expect, test } from './fixtures.ts';
import { type OtherBrowser, startFirefox, startWebKit } from './other-browsers.ts';
import { shotFolder } from './shot.ts';

/** Keys without a character, as WebDriver encodes them. */
const keys = { enter: '\uE007', escape: '\uE00C', arrowDown: '\uE015' };

/** Returns an expression for the visible elements of the page and the chat that match a selector and contain a text. */
const find = (selector: string, text = '') =>
  `[document, ...[...document.querySelectorAll('php-chat')].map((chat) => chat.shadowRoot ?? chat)]
    .flatMap((root) => [...root.querySelectorAll(${JSON.stringify(selector)})])
    .filter((element) => element.checkVisibility())
    .filter((element) =>
      (element.getAttribute('aria-label') ?? element.textContent).includes(${JSON.stringify(text)}))`;

/** The user of a browser. Waits for elements like Playwright's locators. */
class User {
  readonly #browser: OtherBrowser;

  constructor(browser: OtherBrowser) {
    this.#browser = browser;
  }

  async read<Value>(expression: string): Promise<Value> {
    return JSON.parse(await this.#browser.evaluate(`JSON.stringify(${expression})`));
  }

  async see(selector: string, text?: string): Promise<void> {
    const found = `${find(selector, text)}.length > 0`;
    await expect.poll(() => this.read(found), `${selector} ${text}`).toBe(true);
  }

  /** Moves the mouse to an element, once it keeps its place and nothing covers it. */
  async hover(selector: string, text?: string): Promise<void> {
    const place = `${find(selector, text)}.map((element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      const at = [Math.round(x + width / 2), Math.round(y + height / 2)];
      const top = element.getRootNode().elementFromPoint(...at);
      return element.contains(top) ? at : [];
    })[0]`;
    let before: unknown;
    await expect(async () => {
      const at = await this.read<[number, number] | undefined>(`${place} ?? null`);
      const isStill = JSON.stringify(at) === JSON.stringify(before);
      before = at;
      expect({ selector, text, at, isStill }).toEqual({
        ...{ selector, text, at: [expect.any(Number), expect.any(Number)], isStill: true },
      });
    }).toPass();
    const [x, y] = before as [number, number];
    await this.#mouse({ type: 'pointerMove', x, y });
  }

  /** Resolves when the page has painted its present state. */
  async nextFrame(): Promise<void> {
    const painted = 'requestAnimationFrame(() => requestAnimationFrame(() => { window.hasPainted = true }))';
    await this.#browser.evaluate(`(window.hasPainted = false, String(${painted}))`);
    await expect.poll(() => this.read('window.hasPainted')).toBe(true);
  }

  async click(selector: string, text?: string): Promise<void> {
    await this.hover(selector, text);
    await this.#mouse({ type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 });
  }

  #mouse(...actions: object[]): Promise<void> {
    const parameters = { pointerType: 'mouse' };
    return this.#browser.perform([{ type: 'pointer', id: 'mouse', parameters, actions }]);
  }

  type(text: string): Promise<void> {
    const actions = [...text].flatMap((value) => [
      { type: 'keyDown', value },
      { type: 'keyUp', value },
    ]);
    return this.#browser.perform([{ type: 'key', id: 'keyboard', actions }]);
  }
}

interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Whether pixels have other colours, not only other soft edges. */
const differ = (some: Buffer, others: Buffer) =>
  some.some((value, n) => Math.abs(value - (others[n] ?? 0)) > 100);

const field = 'textarea[aria-label^="Message to"]';
const text = '[role="log"] article .text';

for (const { name, start } of [
  { name: 'Firefox', start: startFirefox },
  { name: 'WebKit', start: startWebKit },
])
  test(`a user of ${name} logs in with PHP, chats, and loses the chat at logout`, { tag: '@soak' }, async ({
    site,
  }) => {
    // It has taken two minutes beside other tests.
    test.slow();
    const folder = mkdtempSync(join(tmpdir(), 'chat-picture-'));
    const browser = await start();
    const user = new User(browser);
    const shot = async (view: string) => {
      if (shotFolder !== undefined)
        writeFileSync(join(shotFolder, `${name}-${view}.png`), await browser.screenshot());
    };
    /** The pixels of an element. */
    const pixels = async (selector: string, text: string) => {
      await user.nextFrame();
      const area = await user.read<Area>(`${find(selector, text)}.map((element) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        return { left: Math.round(x), top: Math.round(y), width: Math.floor(width), height: Math.floor(height) };
      })[0]`);
      return sharp(await browser.screenshot())
        .extract(area)
        .raw()
        .toBuffer();
    };
    try {
      await test.step('logs in with the form of the site and joins a room', async () => {
        await browser.open(site.php.chatPage);
        await user.click('#u');
        await user.type('alice');
        await user.click('#p');
        await user.type(`alice${keys.enter}`);
        await user.click('nav button', 'garden');
        await user.click('button', 'Join');
        await user.see(field);
      });

      await test.step('sends a message and paints its new state', async () => {
        await user.click(field);
        site.chat.signal('SIGSTOP');
        await user.type(`Grüße, 番茄${keys.enter}`);
        await user.see('.state', 'Sending…');
        // The browser paints it.
        await browser.screenshot();
        site.chat.signal('SIGCONT');
        await user.see('.state', 'Sent');
        const painted = await pixels('.state', 'Sent');
        // Other colours make the browser paint everything again.
        const chat = `document.querySelector('php-chat')`;
        await browser.evaluate(`String(${chat}.setAttribute('theme', 'dark'))`);
        expect(differ(await pixels('.state', 'Sent'), painted)).toBe(true);
        await browser.evaluate(`String(${chat}.removeAttribute('theme'))`);
        expect(differ(await pixels('.state', 'Sent'), painted)).toBe(false);
      });

      await test.step('shows the message of another user', async () => {
        await asUser(site, 'bob', async (ask) => {
          await ask('room:join', { room: 'garden' });
          await ask('message:send', { room: 'garden', text: 'I bring the seeds', clientId: 'seeds' });
        });
        await user.see(text, 'I bring the seeds');
      });

      await test.step('reacts to a message', async () => {
        await user.hover(text, 'I bring the seeds');
        await user.click('.msg:hover button', 'Add a reaction');
        await user.click('[role="menuitem"]', '👍');
        await user.see('article [aria-pressed="true"]', '👍');
      });

      await test.step('writes an emoji from the grid', async () => {
        await user.click('.composer button', 'Emoji');
        await user.see('[role="dialog"] .grid button', 'grinning face');
        await shot('emoji');
        await user.type('rocket');
        await user.see('[role="dialog"] .grid button:first-child', 'rocket');
        await user.type(`${keys.arrowDown}${keys.enter}${keys.escape}${keys.enter}`);
        await user.see(text, '🚀');
      });

      await test.step('opens a menu next to its button on a zoomed page', async () => {
        const zoom = (value: string) =>
          browser.evaluate(`document.documentElement.style.zoom = ${JSON.stringify(value)}`);
        await zoom('1.25');
        // The rectangles of WebKit are not zoomed, so a click by coordinates would miss the button.
        await browser.evaluate(`String(${find('button', 'Room menu')}[0].click())`);
        await user.see('[role="menu"]');
        const box = (selector: string, name = '') =>
          user.read<Area & { ratio: number }>(`${find(selector, name)}.map((element) => {
            const { left, top, width, height } = element.getBoundingClientRect();
            return { left, top, width, height, ratio: width / element.offsetWidth };
          })[0]`);
        const [menu, button] = [await box('[role="menu"]'), await box('button', 'Room menu')];
        const below = menu.top - button.top - button.height;
        expect(Math.abs(below - 4 * button.ratio)).toBeLessThanOrEqual(1);
        expect(Math.abs(menu.left + menu.width - button.left - button.width)).toBeLessThanOrEqual(1);
        await user.type(keys.escape);
        await zoom('');
      });

      await test.step('sends a picture', async () => {
        const path = join(folder, 'tomato.png');
        await sharp({ create: { width: 60, height: 40, channels: 3, background: 'tomato' } })
          .png()
          .toFile(path);
        // The chat's input is not in the page, where a driver can find it.
        await browser.evaluate(
          'String(HTMLInputElement.prototype.click = function () { document.body.append(this) })',
        );
        await user.click('button', 'Attach');
        await user.click('[role="menuitem"]', 'Attach files');
        await browser.chooseFile('document.querySelector("input[type=file]")', path);
        await user.see('button', 'Describe tomato.png');
        await user.click(field);
        await user.type(keys.enter);
        const widths = `${find('[role="log"] article img')}.map(({ naturalWidth }) => naturalWidth)`;
        await expect.poll(() => user.read(widths), examined).toEqual([60]);
      });

      await test.step('shows the same room after a reload', async () => {
        await browser.reload();
        for (const words of ['Grüße, 番茄', 'I bring the seeds', '🚀']) await user.see(text, words);
        await user.see('article [aria-pressed="true"]', '👍');
        await shot('room');
      });

      await test.step('removes the messages after a logout on the site in another tab', async () => {
        await browser.evaluate(`document.querySelector('form[action="/logout"]').target = '_blank'`);
        await user.click('form[action="/logout"] button');
        await user.see('h2', 'You’re logged out');
        expect(await user.read(`${find('*', 'I bring the seeds')}.length`)).toBe(0);
      });
    } finally {
      await shot('end');
      await browser.stop();
      rmSync(folder, { recursive: true });
    }
  });
