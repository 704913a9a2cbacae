import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Room } from '../../client/src/store/room.ts';
import type { Context } from '../../client/src/views/context.ts';
import { openPerson } from '../../client/src/views/people/open-person.tsx';
import type { RoomSummary } from '../../server/wire/events.ts';

class Box {
  readonly offsetWidth = 0;
  getBoundingClientRect() {
    return { x: 0, y: 0, width: 0, height: 0 };
  }
}

class Root {
  readonly host = { isConnected: true };
  readonly adoptedStyleSheets: object[] = [];
  querySelector(selector: string) {
    return selector === '.app' ? new Box() : null;
  }
}

beforeEach(() => {
  vi.stubGlobal('ShadowRoot', Root);
  vi.stubGlobal('Element', Box);
  vi.stubGlobal('DOMRect', class {});
  vi.stubGlobal(
    'CSSStyleSheet',
    class {
      replaceSync() {}
    },
  );
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test.each<[what: string, meanwhile: (rooms: Map<string, Room>) => void, opened: number]>([
  ['', () => {}, 1],
  [', unless the session ended', (rooms) => rooms.clear(), 0],
  [
    ', unless another session started',
    (rooms) => rooms.set('lobby', new Room({ id: 'lobby' } as RoomSummary)),
    0,
  ],
])("opens a user's card when its code is loaded%s", async (_, meanwhile, opened) => {
  const room = new Room({ id: 'lobby' } as RoomSummary);
  const rooms = new Map([['lobby', room]]);
  const layer = vi.fn();
  const toast = vi.fn();
  const context = { chat: { rooms }, layer, toast, strings: { text: String } } as unknown as Context;
  const root = new Root();
  const opener = Object.assign(new Box(), {
    getRootNode: () => root,
    hasAttribute: () => false,
  }) as unknown as HTMLElement;
  const done = openPerson({ room, user: { id: '2', name: 'Bob' } }, context, opener);
  meanwhile(rooms);
  await done;
  expect(layer).toHaveBeenCalledTimes(opened);
  expect(toast).not.toHaveBeenCalled();
});
