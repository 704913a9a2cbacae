import { afterEach, expect, test, vi } from 'vitest';
import type { Follower } from '../../client/src/chat/chat-listener.ts';
import { Room } from '../../client/src/store/room.ts';
import { Cards } from '../../client/src/views/cards/cards.tsx';
import type { Context, Place } from '../../client/src/views/context.ts';
import { keepDraft } from '../../client/src/views/messages/draft.ts';
import { Suggest } from '../../client/src/views/messages/suggest.tsx';
import type { RoomSummary } from '../../server/wire/events.ts';
import { memoryStorage, storeIn } from './memory-storage.ts';

class Field {
  value: string;
  readonly isConnected = true;
  readonly readOnly = false;
  readonly #inThread: boolean;
  constructor(value: string, inThread = false) {
    this.value = value;
    this.#inThread = inThread;
  }
  get selectionStart() {
    return this.value.length;
  }
  get selectionEnd() {
    return this.value.length;
  }
  closest(which: string) {
    return which === '.talk' && !this.#inThread ? null : this;
  }
  setRangeText(text: string) {
    this.value += text;
  }
  focus() {}
  setSelectionRange() {}
  dispatchEvent() {}
  setAttribute() {}
  removeAttribute() {}
}

const suggestIn = (context: Context, root: EventTarget, thread?: { room: Room; number: number }) =>
  new Suggest(
    context,
    root as unknown as ShadowRoot,
    new Cards(context),
    () => thread,
    new AbortController().signal,
  );

afterEach(() => {
  vi.unstubAllGlobals();
});

test('offers a member of a very large room who is behind the first page of a search', async () => {
  vi.stubGlobal('HTMLTextAreaElement', Field);
  vi.stubGlobal('ResizeObserver', class {});
  const room = new Room({ id: 'lobby', members: 50_000, may: [] as string[] } as RoomSummary);
  const smith = { user: { id: '2', name: 'Zoe Smith' }, role: 'member', present: true };
  const chat = {
    me: { id: '1', name: 'Alice' },
    current: room,
    followers: new Set<Follower>(),
    can: {},
    async request(_: string, { query, cursor }: { query?: string; cursor?: string }) {
      if (query === undefined) return { members: [] };
      return cursor === undefined ? { members: [], next: 'behind' } : { members: [smith] };
    },
  };
  const context = { chat, strings: { text: String, locale: 'en' }, changed: () => {} } as unknown as Context;
  const root = Object.assign(new EventTarget(), {
    activeElement: new Field('@smith'),
    querySelector: () => null,
  });
  const suggest = suggestIn(context, root);
  root.dispatchEvent(new Event('input'));
  await expect.poll(() => suggest.draw()).toBeDefined();
});

test('closes the list of users when the session ends', async () => {
  vi.stubGlobal('HTMLTextAreaElement', Field);
  vi.stubGlobal('ResizeObserver', class {});
  const member = { user: { id: '2', name: 'Bob' }, role: 'member', present: true };
  const room = new Room({ id: 'lobby', members: 2, may: [] as string[] } as RoomSummary);
  const chat = {
    me: { id: '1', name: 'Alice' } as object | undefined,
    current: room,
    followers: new Set<Follower>(),
    can: {},
    request: async () => ({ members: [member] }),
  };
  const strings = { text: String, locale: 'en' };
  const context = { chat, strings, changed: () => {} } as unknown as Context;
  const root = Object.assign(new EventTarget(), {
    activeElement: new Field('@'),
    querySelector: () => null,
  });
  const suggest = suggestIn(context, root);
  root.dispatchEvent(new Event('input'));
  await expect.poll(() => suggest.draw()).toBeDefined();
  // A lost connection also calls this, but the list stays.
  suggest.silent();
  expect(suggest.draw()).toBeDefined();
  chat.me = undefined;
  suggest.silent();
  expect(suggest.draw()).toBeUndefined();
});

test('ignores accents when it finds users, and lists names that start with the query first', async () => {
  vi.stubGlobal('HTMLTextAreaElement', Field);
  vi.stubGlobal('ResizeObserver', class {});
  const people = ['Abby', 'Amélie', 'İpek', 'مُحَمَّد', 'Bob'];
  const members = people.map((name, n) => ({
    user: { id: `${n + 2}`, name },
    role: 'member',
    present: true,
  }));
  const chat = {
    me: { id: '1', name: 'Alice' },
    current: new Room({ id: 'lobby', members: 5, may: ['moderate'] } as RoomSummary),
    followers: new Set<Follower>(),
    can: {},
    request: async () => ({ members }),
  };
  const context = { chat, strings: { text: String, locale: 'en' }, changed: () => {} } as unknown as Context;
  const root = Object.assign(new EventTarget(), { activeElement: new Field('@'), querySelector: () => null });
  const suggest = suggestIn(context, root);
  // Without a connection the members are requested once per letter, not in a loop.
  let requests = 0;
  chat.request = async () => (++requests < 9 ? Promise.reject(new Error('offline')) : { members });
  root.dispatchEvent(new Event('input'));
  await new Promise(setImmediate);
  expect(requests).toBe(1);
  // Enter would choose @room before the members are known.
  expect(suggest.draw()).toBeUndefined();
  chat.request = async () => ({ members });
  for (const [query, name] of [
    ['ame', 'Amélie'],
    ['IP', 'İpek'],
    ['محمد', 'مُحَمَّد'],
  ]) {
    root.activeElement = new Field(`@${query}`);
    root.dispatchEvent(new Event('input'));
    const drawn = () => JSON.stringify(suggest.draw());
    await expect.poll(() => drawn()).toContain(name);
    expect(drawn()).not.toContain('Bob');
  }
  root.activeElement = new Field('@b');
  root.dispatchEvent(new Event('input'));
  expect(JSON.stringify(suggest.draw())).toMatch(/Bob.*Abby/);
  // In a room of one, @room would mention only the user.
  for (const count of [1, 2]) {
    const { current } = chat;
    current.summary = { ...current.summary, members: count, may: ['moderate'] };
    root.activeElement = new Field('@room');
    root.dispatchEvent(new Event('input'));
    await new Promise(setImmediate);
    expect(JSON.stringify(suggest.draw() ?? '').includes('@room')).toBe(count > 1);
  }
});

test('keeps chosen users with their draft, separately for the room and its thread', () => {
  vi.stubGlobal('HTMLTextAreaElement', Field);
  vi.stubGlobal('ResizeObserver', class {});
  vi.stubGlobal('document', { execCommand: () => false });
  const room = new Room({ id: 'lobby', members: 2, may: [] as string[] } as RoomSummary);
  const thread = { room, number: 1 };
  const store = storeIn(memoryStorage(), 'https://chat.example', '1');
  const chat = {
    me: { id: '1', name: 'Alice' },
    current: room,
    store,
    followers: new Set<Follower>(),
    can: {},
  };
  const strings = { text: String, locale: 'en' };
  const context = { chat, strings, changed: () => {} } as unknown as Context;
  let field = new Field('');
  const root = Object.assign(new EventTarget(), { activeElement: field, querySelector: () => field });
  const suggest = suggestIn(context, root, thread);
  const named = (place: Place) => (suggest.mentions(place, '@Bob has it') ?? []).map(({ user }) => user);
  const empty = (place: Place) => keepDraft(place, { text: '', edit: undefined }, store);
  const bob = { id: '2', name: 'Bob' };
  suggest.mention(bob);
  field = new Field('', true);
  root.activeElement = field;
  root.dispatchEvent(new Event('focusin'));
  expect([named({ room }), named({ room, thread })]).toEqual([['2'], []]);
  suggest.mention(bob);
  empty({ room });
  expect([named({ room }), named({ room, thread })]).toEqual([[], ['2']]);
  empty({ room, thread });
  expect(named({ room, thread })).toEqual([]);
});

test('keeps the selected user selected when a late answer puts others first', async () => {
  vi.stubGlobal('HTMLTextAreaElement', Field);
  vi.stubGlobal('ResizeObserver', class {});
  class Key extends Event {
    readonly key = 'ArrowDown';
    override get target() {
      return root.activeElement as unknown as EventTarget;
    }
  }
  vi.stubGlobal('KeyboardEvent', Key);
  const member = (id: string, name: string, present: boolean) => ({
    ...{ user: { id, name }, role: 'member', present },
  });
  const first = [member('2', 'Bo Adams', false), member('3', 'Bo Baker', false)];
  const late = Promise.withResolvers<object>();
  const chat = {
    me: { id: '1', name: 'Alice' },
    current: new Room({ id: 'lobby', members: 500, may: [] as string[] } as RoomSummary),
    followers: new Set<Follower>(),
    can: {},
    request: (_: string, { query }: { query?: string }) =>
      query === undefined ? Promise.resolve({ members: first }) : late.promise,
  };
  const context = { chat, strings: { text: String, locale: 'en' }, changed: () => {} } as unknown as Context;
  const root = Object.assign(new EventTarget(), {
    activeElement: new Field('@bo'),
    querySelector: () => null,
  });
  const suggest = suggestIn(context, root);
  root.dispatchEvent(new Event('input'));
  const selected = () => /"aria-selected":true.*?"name":"([^"]*)"/.exec(JSON.stringify(suggest.draw()))?.[1];
  await expect.poll(selected).toBe('Bo Adams');
  root.dispatchEvent(new Key('keydown'));
  expect(selected()).toBe('Bo Baker');
  late.resolve({ members: [member('4', 'Bo Clark', true)] });
  await expect.poll(() => JSON.stringify(suggest.draw())).toContain('Bo Clark');
  expect(selected()).toBe('Bo Baker');
});
