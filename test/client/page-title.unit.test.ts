import { beforeEach, expect, test, vi } from 'vitest';
import type { Chat } from '../../client/src/chat/chat.ts';

/** The page's title, and an observer of it like that of browsers. */
class Head {
  #title = 'Shop';
  #observed: (() => void) | undefined;
  #isChanged = false;
  /** All titles since the start. */
  readonly titles: string[] = [];

  constructor() {
    const head = this;
    vi.stubGlobal('document', head);
    vi.stubGlobal(
      'MutationObserver',
      class {
        readonly #changed: () => void;
        constructor(changed: () => void) {
          this.#changed = changed;
        }
        observe() {
          head.#observed = this.#changed;
        }
        disconnect() {
          head.#observed = undefined;
        }
        takeRecords() {
          head.#isChanged = false;
        }
      },
    );
  }

  get title(): string {
    return this.#title;
  }

  set title(title: string) {
    this.#title = title;
    this.#isChanged = true;
    this.titles.push(title);
  }

  /** The page sets its title. */
  set(title: string): void {
    this.title = title;
    if (this.#isChanged) this.#observed?.();
    this.#isChanged = false;
  }
}

let head: Head;
let showInTitle: (unread: number) => void;
let countInTitle: typeof import('../../client/src/views/page-title.ts').countInTitle;
let pageTitle: () => string;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.resetModules();
  head = new Head();
  ({ showInTitle, countInTitle, pageTitle } = await import('../../client/src/views/page-title.ts'));
  return () => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  };
});

test('the count stays before titles that the page sets later', () => {
  showInTitle(3);
  expect(head.title).toBe('(3) Shop');
  // Some frameworks empty the title first.
  head.set('');
  head.set('Orders');
  vi.advanceTimersByTime(2000);
  expect(head.title).toBe('(3) Orders');
  showInTitle(100);
  expect(head.title).toBe('(99+) Orders');
  expect(vi.getTimerCount()).toBe(0);
});

test('a page that alternates two titles sees only these', () => {
  showInTitle(1);
  let news = false;
  const blink = setInterval(() => {
    news = !news;
    head.set(news ? 'New order!' : 'Shop');
  }, 1000);
  vi.advanceTimersByTime(5000);
  showInTitle(2);
  vi.advanceTimersByTime(60_000);
  expect(head.titles.slice(1).filter((title) => title.startsWith('('))).toEqual([]);
  clearInterval(blink);
  head.set('Shop');
  vi.advanceTimersByTime(2000);
  expect(head.title).toBe('(2) Shop');
});

test('an old count that the page restores is replaced, and a number of the page stays', () => {
  showInTitle(3);
  const kept = head.title;
  showInTitle(4);
  head.set(kept);
  vi.advanceTimersByTime(2000);
  expect(head.title).toBe('(4) Shop');
  head.set('(7) Inbox');
  vi.advanceTimersByTime(2000);
  expect(head.title).toBe('(4) (7) Inbox');
});

test('the title for others has a number of the page, but no count', () => {
  head.set('(7) Inbox');
  expect(pageTitle()).toBe('(7) Inbox');
  showInTitle(3);
  expect(head.title).toBe('(3) (7) Inbox');
  expect(pageTitle()).toBe('(7) Inbox');
});

test('without unread messages the title belongs to the page', () => {
  showInTitle(3);
  head.set('Orders');
  showInTitle(0);
  expect(head.title).toBe('Orders');
  head.set('Shop');
  expect(vi.getTimerCount()).toBe(0);
  expect(head.title).toBe('Shop');
});

test('the count stays if one of two chats leaves the page', () => {
  const chatWith = (unread: number) => {
    const host = { addEventListener() {}, getAttribute: () => null } as unknown as HTMLElement;
    const chat = { connection: { state: { kind: 'ready' } }, totals: { unread } } as unknown as Chat;
    const removed = new AbortController();
    countInTitle(host, chat, removed.signal);
    return removed;
  };
  const [some, other] = [chatWith(3), chatWith(2)];
  expect(head.title).toBe('(3) Shop');
  some.abort();
  expect(head.title).toBe('(2) Shop');
  other.abort();
  expect(head.title).toBe('Shop');
});
