import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cardAsked } from '../../client/src/text/asked.ts';
import { Cards } from '../../client/src/views/cards/cards.tsx';
import type { Context, Place } from '../../client/src/views/context.ts';
import type { Card } from '../../server/wire/events.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test.each([
  ['/', ''],
  ['a /hon', 'hon'],
  ['/orchard honey', 'orchard honey'],
  ['a\n/x', 'x'],
])('finds the words after the slash in %j', (text, query) => {
  expect(cardAsked(text, text.length)).toEqual({ at: text.indexOf('/'), query });
});

test.each(['and/or', 'https://x', '/usr/bin', '/ x', `/${'x'.repeat(50)}`, '/a\nb'])(
  'finds none in %j',
  (text) => {
    expect(cardAsked(text, text.length)).toBeUndefined();
  },
);

const order: Card = { about: 'order:1', title: 'Order 1' };

/** The cards of a user in a room, on a page about `order:1`. */
function open(answer: (payload: { query: string; about?: string }) => readonly Card[]) {
  const asked: object[] = [];
  const chat = {
    me: { id: '7', name: 'Ann' } as object | undefined,
    can: { cards: true },
    request: async (_: string, payload: { query: string; about?: string }) => {
      asked.push(payload);
      return { cards: answer(payload) };
    },
  };
  const cards = new Cards({
    chat,
    strings: { text: String, locale: 'en' },
    attribute: () => 'order:1',
    changed: () => {},
    draw: () => {},
  } as unknown as Context);
  const place = { room: { id: 'shop', joined: true, summary: { kind: 'private' } } } as Place;
  return { chat, cards, asked, place };
}

test('asks for suggestions once the user stops typing, and once for the same words', async () => {
  const { cards, asked } = open(() => [order]);
  const look = vi.fn();
  for (const query of ['h', 'ho', 'hon']) expect(cards.find('shop', query, look)).toEqual([]);
  await vi.runAllTimersAsync();
  expect(asked).toEqual([{ room: 'shop', query: 'hon', about: 'order:1', lang: 'en' }]);
  expect(look).toHaveBeenCalledOnce();
  expect(cards.find('shop', 'hon', look)).toEqual([order]);
  await vi.runAllTimersAsync();
  expect(asked).toHaveLength(1);
  cards.forget();
  expect(cards.find('shop', 'hon', look)).toEqual([]);
});

test('asks what the page is about once, even if the site does not answer', async () => {
  const { cards, asked, place } = open(() => {
    throw new Error('site_unavailable');
  });
  for (let n = 0; n < 3; n++) {
    cards.tray(place);
    await vi.runAllTimersAsync();
  }
  expect(asked).toHaveLength(1);
  expect(cards.tray(place).draw()).toBeNull();
});

test('keeps a card per room until it is taken, and no card after the session', () => {
  const { chat, cards, place } = open(() => []);
  const other = { room: { id: 'lobby', joined: true, summary: { kind: 'public' } } } as Place;
  for (const one of [place, other]) cards.attach(one, order);
  cards.tray(place).take({ text: '', card: 'order:1' });
  expect([place, other].map((one) => cards.tray(one).card?.about)).toEqual([undefined, 'order:1']);
  // A lost connection is not the end of the session.
  cards.silent();
  expect(cards.tray(other).card).toBeDefined();
  chat.me = undefined;
  cards.silent();
  expect(cards.tray(other).card).toBeUndefined();
});
