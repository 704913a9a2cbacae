import { afterEach, expect, test, vi } from 'vitest';
import type { Follower } from '../../client/src/chat/chat-listener.ts';
import { Room } from '../../client/src/store/room.ts';
import type { Context } from '../../client/src/views/context.ts';
import { Suggest } from '../../client/src/views/messages/suggest.tsx';
import type { RoomSummary } from '../../server/wire/events.ts';

class Field {
  readonly value = '@';
  readonly selectionStart = 1;
  readonly selectionEnd = 1;
  readonly isConnected = true;
  closest() {
    return this;
  }
  setAttribute() {}
  removeAttribute() {}
}

afterEach(() => {
  vi.unstubAllGlobals();
});

test('the list of people is not drawn after the end of the session', async () => {
  vi.stubGlobal('HTMLTextAreaElement', Field);
  vi.stubGlobal('ResizeObserver', class {});
  const member = { user: { id: '2', name: 'Bob' }, role: 'member', present: true };
  const room = new Room({ id: 'lobby', members: 2, may: [] as string[] } as RoomSummary);
  const chat = {
    me: { id: '1', name: 'Alice' } as object | undefined,
    current: room,
    followers: new Set<Follower>(),
    request: async () => ({ members: [member] }),
  };
  const strings = { text: String, locale: 'en' };
  const context = { chat, strings, changed: () => {} } as unknown as Context;
  const root = Object.assign(new EventTarget(), { activeElement: new Field(), querySelector: () => null });
  const suggest = new Suggest(context, root as unknown as ShadowRoot, new AbortController().signal);
  root.dispatchEvent(new Event('input'));
  await vi.waitFor(() => expect(suggest.draw()[0]).toBeDefined());
  // A connection that is lost says so, too, and the list stays.
  suggest.silent();
  expect(suggest.draw()[0]).toBeDefined();
  chat.me = undefined;
  suggest.silent();
  expect(suggest.draw()[0]).toBeUndefined();
});
