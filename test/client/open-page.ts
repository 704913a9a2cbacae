import type { Script } from 'node:vm';
import { computeAccessibleName, getRole } from 'dom-accessibility-api';
import { CookieJar, JSDOM, VirtualConsole } from 'jsdom';
import { expect, onTestFinished } from 'vitest';
import { hanging } from '../helpers/hanging.ts';
import { pageScript } from './page-script.ts';
import { fillGaps, type Gaps, type Wire } from './window-gaps.ts';

type BrowserWindow = JSDOM['window'];
export type Name = string | RegExp;

export interface PageOptions {
  readonly element?: 'php-chat' | 'php-chat-moderate';
  readonly attributes?: Readonly<Record<string, string>>;
  /** The element's width in pixels, which decides which panes it shows. */
  readonly width?: number;
  /** Whether the screen is a touch screen. */
  readonly touch?: boolean;
  /** The fragment of the page's URL. */
  readonly hash?: string;
  /** Unless `false`, waits until the chat shows that it is connected. */
  readonly connected?: boolean;
  /** The initial content of `localStorage`. */
  readonly stored?: Readonly<Record<string, string>>;
}

/**
 * Opens the chat in its own window as the user with this cookie, connected to a real server. The window has
 * no layout, styles or tab order, which belong in test/e2e.
 */
export async function openPage(url: string, cookie = '', options: PageOptions = {}): Promise<ChatPage> {
  closeOldTabs();
  const page = new ChatPage(free.get(url)?.pop() ?? new Tab(await pageScript(), url), cookie, options);
  onTestFinished(() => page.close());
  page.window.document.body.append(page.element);
  if (options.connected ?? options.element === undefined) await page.sees('Connected');
  return page;
}

/** A window with the client's script. Tests reuse windows, because the script starts slowly in a new one. */
class Tab {
  readonly url: string;
  readonly dom: JSDOM;
  readonly jar = new CookieJar();
  readonly gaps: Gaps = {
    width: 0,
    touch: false,
    cookies: (address) => this.jar.getCookieStringSync(address),
    wire: { sent: [], heard: [], answers: new Map(), held: new Set() },
    passed: 0,
  };
  page?: ChatPage;

  constructor(script: Script, url: string) {
    this.url = url;
    const virtualConsole = new VirtualConsole();
    virtualConsole.on('warn', (text) => this.page?.hints.push(text));
    virtualConsole.on('jsdomError', ({ type, cause }) => {
      if (type !== 'not-implemented') this.page?.errors.push(cause ?? type);
    });
    this.dom = new JSDOM('<!doctype html><html lang="en"><body></body></html>', {
      url: `${url}/`,
      runScripts: 'outside-only',
      pretendToBeVisual: true,
      cookieJar: this.jar,
      virtualConsole,
    });
    fillGaps(this.dom.window, this.gaps);
    script.runInContext(this.dom.getInternalVMContext());
  }
}

/** Idle windows by server URL, which the script reads once. */
const free = new Map<string, Tab[]>();
let fileOfFree: string | undefined;

/** Closes the idle windows of the previous test file, whose servers have stopped. */
function closeOldTabs(): void {
  const { testPath } = expect.getState();
  if (testPath === fileOfFree) return;
  fileOfFree = testPath;
  for (const tab of [...free.values()].flat()) tab.dom.window.close();
  free.clear();
}

export class ChatPage {
  readonly window: BrowserWindow;
  readonly element: HTMLElement;
  readonly errors: unknown[] = [];
  /** Console warnings for the developer of the page. */
  readonly hints: string[] = [];
  /** Texts copied to the clipboard. */
  readonly copied: string[] = [];
  readonly wire: Wire = { sent: [], heard: [], answers: new Map(), held: new Set() };
  readonly #tab: Tab;
  readonly #cookie: string;
  readonly #options: PageOptions;
  #closed = false;

  constructor(tab: Tab, cookie: string, options: PageOptions) {
    this.#tab = tab;
    this.#cookie = cookie;
    this.#options = options;
    this.window = tab.dom.window;
    const { document, localStorage, sessionStorage, navigator } = this.window;
    tab.page = this;
    tab.gaps.width = options.width ?? 1280;
    tab.gaps.touch = options.touch ?? false;
    tab.gaps.wire = this.wire;
    tab.jar.removeAllCookiesSync();
    if (cookie !== '') tab.jar.setCookieSync(cookie, tab.url);
    tab.dom.reconfigure({ url: `${tab.url}/${options.hash ?? ''}` });
    document.title = '';
    // One by one, with events. After `clear()`, the chat would use the values that it has in memory.
    // Without the chat's mark, the page would keep the values of the previous test, as after `localStorage.clear()`.
    for (const key of Object.keys(localStorage)) if (key !== 'php-chat') this.storeElsewhere(key, null);
    sessionStorage.clear();
    for (const [key, value] of Object.entries(options.stored ?? {})) localStorage.setItem(key, value);
    const writeText = async (text: string) => void this.copied.push(text);
    const write = async ([item]: ClipboardItem[]) => {
      const blob = await item?.getType('text/plain');
      await writeText((await blob?.text()) ?? '');
    };
    Object.defineProperties(navigator, {
      clipboard: { value: { writeText, write }, configurable: true },
      onLine: { value: true, configurable: true },
    });
    this.element = document.createElement(options.element ?? 'php-chat');
    for (const [name, value] of Object.entries({ ...options.attributes }))
      this.element.setAttribute(name, value);
  }

  /** Removes the chat from the page. An uncaught error of the page fails the test. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.element.remove();
    // An element removed and added in the same task stays connected.
    await null;
    free.set(this.#tab.url, [...(free.get(this.#tab.url) ?? []), this.#tab]);
    expect(this.errors).toEqual([]);
  }

  get root(): ShadowRoot {
    return this.element.shadowRoot as ShadowRoot;
  }

  /** Reloads the page with the same `localStorage`. */
  async reload(): Promise<ChatPage> {
    this.window.dispatchEvent(new this.window.Event('pagehide'));
    await this.close();
    const stored = { ...this.window.localStorage };
    return openPage(this.#tab.url, this.#cookie, { ...this.#options, stored });
  }

  /** Changes `localStorage` as another tab does. `null` deletes the value. */
  storeElsewhere(key: string, value: string | null): void {
    const { localStorage, StorageEvent } = this.window;
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
    this.window.dispatchEvent(new StorageEvent('storage', { key, newValue: value }));
  }

  /** Changes the fragment of the page's URL. */
  go(hash: string): void {
    this.window.history.pushState(null, '', hash);
    for (const name of ['popstate', 'hashchange']) this.window.dispatchEvent(new this.window.Event(name));
  }

  /** Lets time pass on the page until its clock shows `now`. Ends with the test. */
  setClock(now: number): void {
    const { performance } = this.window;
    const steady = performance.now.bind(performance);
    const ms = now - this.setWrongly(now);
    Object.defineProperty(performance, 'now', { value: () => steady() + ms, configurable: true });
    this.#tab.gaps.passed = ms;
    onTestFinished(() => {
      this.#tab.gaps.passed = 0;
      Reflect.deleteProperty(performance, 'now');
    });
  }

  /** Sets the clock of the page's computer, until the test ends. Returns the time that it showed. */
  setWrongly(now: number): number {
    const window = this.window as unknown as { Date: DateConstructor };
    const RealDate = window.Date;
    const before = RealDate.now();
    const ahead = now - before;
    window.Date = class extends RealDate {
      constructor(...given: unknown[]) {
        super(...((given.length === 0 ? [RealDate.now() + ahead] : given) as [number]));
      }
      static override now = () => RealDate.now() + ahead;
    } as DateConstructor;
    onTestFinished(() => {
      window.Date = RealDate;
    });
    return before;
  }

  /** Sets whether the page has a network. */
  online(onLine: boolean): void {
    Object.defineProperty(this.window.navigator, 'onLine', { value: onLine, configurable: true });
    this.window.dispatchEvent(new this.window.Event(onLine ? 'online' : 'offline'));
  }

  /** The focused element. */
  get focused(): HTMLElement | null {
    return this.root.activeElement as HTMLElement | null;
  }

  /** All elements with this role and name that assistive technology finds. */
  all(role: string, name?: Name, inside: ParentNode = this.root): HTMLElement[] {
    return [...inside.querySelectorAll<HTMLElement>(`${TAGS[role] ?? ''}[role="${role}"]`)].filter(
      (element) =>
        getRole(element) === role &&
        element.closest('[hidden], [inert], [aria-hidden="true"]') === null &&
        (name === undefined || matches(nameOf(element), name)),
    );
  }

  /** Waits for exactly one matching element. */
  get(role: string, name?: Name, inside?: ParentNode): Promise<HTMLElement> {
    return until(() => {
      const found = this.all(role, name, inside);
      if (found.length !== 1)
        throw new NotYet(
          () =>
            `${found.length} elements with role ${role} and name ${name}; the page has ${this.all(role).map(nameOf).join(' | ')}; it ends with: ${textOf(this.root).slice(-300)}`,
        );
      return found[0] as HTMLElement;
    });
  }

  /** Waits until no element matches. */
  gone(role: string, name?: Name, inside?: ParentNode): Promise<void> {
    return until(() => expect(this.all(role, name, inside).map(nameOf)).toEqual([]));
  }

  /** Waits until the page, or a part of it, contains this text. */
  sees(text: Name, inside: ParentNode = this.root): Promise<void> {
    return until(() => {
      const all = textOf(inside);
      if (typeof text === 'string' ? !all.includes(text) : !text.test(all))
        throw new Error(`${text} is not in: ${all.slice(-600)}`);
    });
  }

  async click(role: string, name?: Name, inside?: ParentNode): Promise<HTMLElement> {
    for (;;) {
      const element = await this.get(role, name, inside);
      await this.drawn();
      // The page may have replaced the element since then.
      if (!element.isConnected) continue;
      click(element);
      return element;
    }
  }

  async fill(role: string, name: Name | undefined, text: string, inside?: ParentNode): Promise<HTMLElement> {
    const field = await this.get(role, name, inside);
    type(field as HTMLInputElement, text);
    return field;
  }

  /** Presses a key on the focused element. */
  press(key: string, over: KeyboardEventInit = {}, target: Element | null = this.focused): void {
    const { KeyboardEvent } = this.window;
    const at = target ?? this.window.document.body;
    const event = new KeyboardEvent('keydown', {
      key,
      bubbles: true,
      composed: true,
      cancelable: true,
      ...over,
    });
    const goesOn = at.dispatchEvent(event);
    if (goesOn && /^(Enter| )$/.test(key) && at.matches('button, a, summary')) (at as HTMLElement).click();
  }

  /** Waits until pending changes are rendered. */
  drawn(): Promise<unknown> {
    const frame = () => new Promise((resolve) => this.window.requestAnimationFrame(resolve));
    return frame().then(frame);
  }

  /** Opens the list of the room's members, unless it is open. */
  async people(): Promise<HTMLElement> {
    const button = await this.get('button', /^Here now:/);
    if (button.getAttribute('aria-expanded') === 'false') click(button);
    return this.get('complementary', 'Details');
  }

  /** Opens a room from the list, and joins it if necessary. */
  async open(room: string): Promise<void> {
    const name = new RegExp(`^${room}\\b`);
    const list = await until(() => {
      const [nav] = this.all('navigation');
      if (nav === undefined) throw new Error('no list of rooms');
      return nav;
    });
    await this.click('button', name, list);
    await this.get('region', room);
    await until(() => expect(this.timeline.getAttribute('aria-busy')).toBeNull());
    const [join] = this.all('button', 'Join');
    if (join !== undefined) click(join);
  }

  get timeline(): HTMLElement {
    return this.root.querySelector<HTMLElement>('[role="log"]') as HTMLElement;
  }

  /** The messages of the open room. */
  get messages(): HTMLElement[] {
    return this.all('article', undefined, this.timeline);
  }

  get texts(): string[] {
    return [...this.timeline.querySelectorAll('article .text')].map(textOf);
  }

  message(text: string): Promise<HTMLElement> {
    return until(() => {
      const found = this.messages.find((message) => textOf(message.querySelector('.text')) === text);
      if (found === undefined) throw new Error(`no message ${text} among ${this.texts.join(' | ')}`);
      return found;
    });
  }

  async write(text: string): Promise<void> {
    await this.fill('textbox', /^Message to/, text);
    this.press('Enter');
  }
}

/** A failure for `wire.answers`. */
export const refused = { ok: false, error: { code: 'storage_unavailable', message: 'for this test' } };

/** Elements with an implicit role, so that queries need not examine every element. */
const TAGS: Record<string, string> = {
  article: 'article,',
  button: 'button,summary,',
  checkbox: 'input,',
  combobox: 'input,select,',
  complementary: 'aside,',
  group: 'fieldset,details,',
  heading: 'h1,h2,h3,h4,',
  img: 'img,',
  link: 'a,',
  list: 'ul,ol,',
  listitem: 'li,',
  navigation: 'nav,',
  option: 'option,',
  radio: 'input,',
  region: 'section,',
  row: 'tr,',
  searchbox: 'input,',
  separator: 'hr,',
  textbox: 'input,textarea,',
};

/** A failure whose message is computed only on a timeout, because that is slower than the check. */
class NotYet {
  readonly describe: () => string;
  constructor(describe: () => string) {
    this.describe = describe;
  }
}

/** Repeats the task until it does not throw. The delay grows, because each check takes CPU from the page. */
export async function until<T>(task: () => T): Promise<Awaited<T>> {
  const end = Date.now() + hanging;
  for (let pause = 4; ; pause = Math.min(60, pause * 1.5)) {
    try {
      return await task();
    } catch (error) {
      if (Date.now() > end) throw error instanceof NotYet ? new Error(error.describe()) : error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

export const textOf = (element: ParentNode | null): string =>
  (element?.textContent ?? '').replaceAll(/\s+/g, ' ').trim();

const matches = (found: string, name: Name) => (typeof name === 'string' ? found === name : name.test(found));

const BLOCK = /^(ADDRESS|ARTICLE|ASIDE|DIV|DL|DT|DD|FORM|H\d|HEADER|LI|OL|P|SECTION|TABLE|TD|TR|UL)$/;

export const nameOf = (element: Element): string =>
  computeAccessibleName(element, {
    // Without a layout, style sheets add nothing and take most of the time.
    getComputedStyle: (({ nodeName }: Element) => ({
      display: BLOCK.test(nodeName) ? 'block' : 'inline',
      visibility: 'visible',
      getPropertyValue: () => '',
    })) as never,
  })
    .replaceAll(/\s+/g, ' ')
    .trim();

export function click(element: HTMLElement): void {
  const { PointerEvent, MouseEvent } = element.ownerDocument.defaultView as BrowserWindow;
  const init = { bubbles: true, composed: true, cancelable: true };
  element.dispatchEvent(new PointerEvent('pointerdown', init));
  if (element.dispatchEvent(new MouseEvent('mousedown', init)))
    element.closest<HTMLElement>('button, a, input, textarea, select, [tabindex]')?.focus();
  element.dispatchEvent(new PointerEvent('pointerup', init));
  element.click();
}

/** Replaces the text of a field. */
export function type(field: HTMLInputElement | HTMLTextAreaElement, text: string): void {
  const { InputEvent } = field.ownerDocument.defaultView as BrowserWindow;
  field.focus();
  field.value = text;
  const init = { bubbles: true, composed: true, data: text, inputType: 'insertText' };
  field.dispatchEvent(new InputEvent('input', init));
}
