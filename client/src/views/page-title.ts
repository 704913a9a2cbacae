import type { Chat } from '../chat/chat.ts';
import { atMost99 } from '../strings/strings.ts';

/** The count is added only to a title that the page keeps for this time, because some pages alternate two titles. */
const SETTLED_MS = 2000;

/** The counts that were put before the page's title. Another number there belongs to the page. */
const counted = new Set<string>();
/** The unread counts of the page's elements. The title has the highest, because most of them count the same messages. */
const unreadIn = new Map<HTMLElement, number>();
let count = '';
/** Set while the page changes its title. */
let settling: ReturnType<typeof setTimeout> | undefined;
let observer: MutationObserver | undefined;

/** Shows the unread count of an element in the page's title until the signal aborts. */
export function countInTitle(host: HTMLElement, chat: Chat, signal: AbortSignal): void {
  const show = (unread: number) => {
    if (host.getAttribute('title-count') === 'off') return;
    unreadIn.set(host, unread);
    showInTitle(Math.max(...unreadIn.values()));
  };
  host.addEventListener('php-chat:unread', ({ detail }) => show(detail.count), { signal });
  signal.addEventListener('abort', () => {
    show(0);
    unreadIn.delete(host);
  });
  // The event was fired before this code loaded.
  if (chat.connection.state.kind === 'ready') show(chat.totals.unread);
}

/** Puts the unread count before the page's title, also before each title that the page sets later. */
export function showInTitle(unread: number): void {
  count = unread > 0 ? `(${atMost99(unread)}) ` : '';
  counted.add(count);
  observer ??= new MutationObserver(changed);
  if (unread > 0) {
    observer.observe(document.head, { childList: true, characterData: true, subtree: true });
  } else {
    observer.disconnect();
    clearTimeout(settling);
    settling = undefined;
  }
  if (settling === undefined) write();
}

function changed(): void {
  clearTimeout(settling);
  settling = document.title.startsWith(count) ? undefined : setTimeout(write, SETTLED_MS);
}

/** Returns the page's title without the unread count. */
export function pageTitle(): string {
  const [before = ''] = /^\(\d+\+?\) /.exec(document.title) ?? [];
  return counted.has(before) ? document.title.slice(before.length) : document.title;
}

function write(): void {
  settling = undefined;
  document.title = count + pageTitle();
  observer?.takeRecords();
}
