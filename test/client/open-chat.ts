import { vi } from 'vitest';
import { Chat } from '../../client/src/chat/chat.ts';
import type { ChatListener } from '../../client/src/chat/chat-listener.ts';

/** The cookies of the simulated browsers. A chat names its browser in the server URL: `/~0/`. */
const jars: string[] = [];

// Node has no cookies, so this class adds them. Otherwise the tests use the real client and server. Other tests in the
// same worker get this class too. Without a browser in the URL, it behaves like Node's.
vi.stubGlobal(
  'WebSocket',
  class extends WebSocket {
    constructor(address: string | URL) {
      const target = new URL(address);
      const [browser = '', n] = /~(\d+)\//.exec(target.pathname) ?? [];
      target.pathname = target.pathname.replace(browser, '');
      // Node's class accepts headers, but its types do not.
      super(target, n === undefined ? [] : ({ headers: { cookie: jars[Number(n)] } } as unknown as string));
    }

    // Node dispatches all messages of one read in one task. A browser uses a task for each, so promises
    // settle in between.
    override set onmessage(heard: ((event: MessageEvent) => void) | null) {
      super.onmessage =
        heard && ((event) => void setImmediate(() => super.onmessage !== null && heard(event)));
    }
  },
);
vi.stubGlobal('addEventListener', () => {});
vi.stubGlobal('removeEventListener', () => {});
// After a clock jump the connection checks whether the page is visible. After a failed first connection it
// requests the cause, which depends on the page's origin.
vi.stubGlobal('document', { hidden: false });
vi.stubGlobal('location', new URL('http://127.0.0.1/'));

export interface OpenChat {
  readonly chat: Chat;
  /** The calls to the views. */
  readonly calls: { name: keyof ChatListener; args: unknown[] }[];
}

const open = new Set<Chat>();

/**
 * Opens the client without views, in a browser with this cookie.
 *
 * @param ticketUrl - see the attribute `ticket-url`
 */
export function openChat(url: string, cookie: string, room?: string, ticketUrl?: string): OpenChat {
  if (!jars.includes(cookie)) jars.push(cookie);
  const calls: OpenChat['calls'] = [];
  const note =
    (name: keyof ChatListener) =>
    (...args: unknown[]) =>
      void calls.push({ name, args });
  const listener: ChatListener = {
    changed: () => {},
    hide: note('hide'),
    state: note('state'),
    message: note('message'),
    failed: note('failed'),
    loaded: note('loaded'),
    removed: note('removed'),
    unknownRoom: note('unknownRoom'),
  };
  const chat = new Chat(`${url}/~${jars.indexOf(cookie)}/`, room, listener, () => false, false, ticketUrl);
  open.add(chat);
  chat.start();
  return { chat, calls };
}

export function closeChats(): void {
  for (const chat of open) chat.stop();
  open.clear();
}
