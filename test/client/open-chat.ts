import { vi } from 'vitest';
import { Chat } from '../../client/src/chat/chat.ts';
import type { ChatListener } from '../../client/src/chat/chat-listener.ts';

/** The cookies of the browsers. A chat names its browser in the address of its server: `/~0/`. */
const jars: string[] = [];

// Node has no cookies: everything else is the client as sites get it, and the real server. Other tests of the same
// worker get this stub too: an address without a browser uses Node's own class.
vi.stubGlobal(
  'WebSocket',
  class extends WebSocket {
    constructor(address: string | URL) {
      const target = new URL(address);
      const [browser = '', n] = /~(\d+)\//.exec(target.pathname) ?? [];
      target.pathname = target.pathname.replace(browser, '');
      // Node's own class also takes headers, which its types do not have.
      super(target, n === undefined ? [] : ({ headers: { cookie: jars[Number(n)] } } as unknown as string));
    }

    // Node dispatches all messages of one read in the same task. A browser uses a task for each, so promises settle in between.
    override set onmessage(heard: ((event: MessageEvent) => void) | null) {
      super.onmessage =
        heard && ((event) => void setImmediate(() => super.onmessage !== null && heard(event)));
    }
  },
);
vi.stubGlobal('addEventListener', () => {});
vi.stubGlobal('removeEventListener', () => {});
// A clock that jumps makes the connection ask whether somebody looks at the page, and after a first connection that fails
// it asks for the cause, which depends on the origin of the page. The client without its views needs no more of a browser.
vi.stubGlobal('document', { hidden: false });
vi.stubGlobal('location', new URL('http://127.0.0.1/'));

export interface OpenChat {
  readonly chat: Chat;
  /** The calls to the views, by name. */
  readonly told: { name: keyof ChatListener; args: unknown[] }[];
}

const open = new Set<Chat>();

/** The client without its views, in a browser with that cookie. */
export function openChat(url: string, cookie: string, room?: string): OpenChat {
  if (!jars.includes(cookie)) jars.push(cookie);
  const told: OpenChat['told'] = [];
  const note =
    (name: keyof ChatListener) =>
    (...args: unknown[]) =>
      void told.push({ name, args });
  const chat = new Chat(`${url}/~${jars.indexOf(cookie)}/`, room, {
    changed: () => {},
    hide: note('hide'),
    state: note('state'),
    message: note('message'),
    unsent: note('unsent'),
    loaded: note('loaded'),
    removed: note('removed'),
    unknownRoom: note('unknownRoom'),
  });
  open.add(chat);
  chat.start();
  return { chat, told };
}

export function closeChats(): void {
  for (const chat of open) chat.stop();
  open.clear();
}
