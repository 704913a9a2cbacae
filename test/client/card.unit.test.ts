import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ConnectionState } from '../../client/src/connection/connection-state.ts';
import { Strings } from '../../client/src/strings/strings.ts';
import { noticeOfConnection } from '../../client/src/views/banner.tsx';
import { cardOf } from '../../client/src/views/card.tsx';
import { endedCard } from '../../client/src/views/ended-cards.tsx';
import { textsIn } from '../../client/strings-plugin.ts';

const strings = new Strings({ lang: 'en', by: textsIn('en') });
const user = { id: '1', name: 'Alice' };
let now: number;
const left: string[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  now = performance.now();
  vi.stubGlobal('navigator', { onLine: true });
  vi.stubGlobal('document', { baseURI: 'https://shop.example//path?b=1&c#d' });
  const { href, pathname, search, hash } = new URL('https://shop.example//path?b=1&c#d');
  const assign = (to: URL) => left.push(to.href);
  vi.stubGlobal('location', { href, pathname, search, hash, assign, reload: () => left.push('reloaded') });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  left.length = 0;
});

const chatIn = (state: ConnectionState, unsent = 0, hasDrafts = false) => ({
  connection: { state, tryNow: () => left.push('tried') } as never,
  kept: () => unsent,
  hasDrafts: () => hasDrafts,
});
const ended = (over: Partial<Extract<ConnectionState, { kind: 'ended' }>>) =>
  ({ kind: 'ended', reason: 'logout', user, loginUrl: undefined, ...over }) as const;
const lost = (over: Partial<Extract<ConnectionState, { kind: 'lost' }>>) =>
  ({ kind: 'lost', cause: 'network', since: now, retryAt: now, first: false, ...over }) as const;

test.each([
  ['logout', 'You’re logged out', 'Your messages are no longer shown on this device.', 'Log in again'],
  ['expired', 'Your login has expired', 'Log in again to continue.', 'Log in again'],
  ['invalid', 'Your login has expired', 'Log in again to continue.', 'Log in again'],
  ['kicked', 'You were disconnected', 'The site ended this chat session.', 'Log in again'],
  ['user_changed', 'Someone else is logged in', /^Alice was using this page\./, 'Continue'],
] as const)('shows the card for a session that ended with %s', (reason, title, text, label) => {
  const card = endedCard(chatIn(ended({ reason })), strings, null);
  expect(card).toMatchObject({ title, text: expect.stringMatching(text), action: { label } });
});

test.each([
  ['expired', 0, true, 'Your drafts are saved, Alice.'],
  ['expired', 1, false, '1 unsent message is saved for you, Alice.'],
  ['expired', 2, true, '2 unsent messages and your drafts are saved for you, Alice.'],
  ['logout', 2, true, 'Your messages are no longer shown on this device.'],
] as const)(
  'names saved messages and drafts unless the user logged out: %s, %i unsent, drafts: %s',
  (reason, unsent, drafts, text) => {
    expect(endedCard(chatIn(ended({ reason }), unsent, drafts), strings, null)?.text).toBe(text);
  },
);

test.each([
  ['shows no button without an address', null, undefined, undefined],
  ['leads to the address of the server', null, 'https://shop.example/login', 'https://shop.example/login'],
  [
    'prefers the address of the page',
    '/of-the-page',
    'https://shop.example/login',
    'https://shop.example/of-the-page',
  ],
  [
    'fills the placeholders of the address',
    '/login?a={return}&b={return_path}&c={return_base64}',
    undefined,
    `https://shop.example/login?a=https%3A%2F%2Fshop.example%2F%2Fpath%3Fb%3D1%26c%23d&b=%2Fpath%3Fb%3D1%26c%23d&c=${encodeURIComponent(btoa('https://shop.example//path?b=1&c#d'))}`,
  ],
  ['reloads the page if the address is invalid', 'http://[', undefined, 'reloaded'],
  ['reloads the page if the address is a script', 'javascript:alert(1)', undefined, 'reloaded'],
] as const)('asks a guest to log in, and %s', (_, ofPage, ofServer, leadsTo) => {
  const state = ended({ reason: 'unauthorized', user: undefined, loginUrl: ofServer });
  const card = endedCard(chatIn(state), strings, ofPage);
  expect(card?.title).toBe('Please log in');
  card?.action?.press();
  expect(left).toEqual(leadsTo === undefined ? [] : [leadsTo]);
});

test('reloads the page if another user is logged in, even if a login address is set', () => {
  endedCard(chatIn(ended({ reason: 'user_changed' })), strings, '/login')?.action?.press();
  expect(left).toEqual(['reloaded']);
});

test.each([
  ['origin', 'This page isn’t allowed to use the chat', 'Please tell the site’s owner.'],
  ['invalid', 'The chat cannot read your login', 'Please tell the site’s owner.'],
  ['banned', 'You may not use this chat', 'The site has excluded you from it.'],
] as const)(
  'shows a card without a button if the connection is rejected because of %s',
  (cause, title, text) => {
    const card = endedCard(chatIn({ kind: 'refused', cause }), strings, '/login');
    expect(card).toEqual({ picture: 'alert', title, text });
  },
);

test.each([
  [{ kind: 'refused', cause: 'banned', ban: {} }, 'The ban is permanent.'],
  [
    ended({ reason: 'kicked', ban: { until: Date.UTC(2030, 4, 6, 10), reason: 'spam' } }),
    /^Until .*May 6, 2030.* Reason: spam$/,
  ],
] as const)('shows end and reason of a ban without a button', (state, text) => {
  const card = endedCard(chatIn(state), strings, null);
  expect(card).toEqual({
    picture: 'ban',
    title: 'You may not use this chat',
    text: expect.stringMatching(text),
  });
});

test('shows the check of a session after 300 ms', () => {
  const at = (since: number) => cardOf(chatIn({ kind: 'checking', since, user }), strings)?.title;
  expect([at(now - 299), at(now - 300)]).toEqual([undefined, 'Checking your login…']);
});

test('shows a card two seconds after a failed first connection', () => {
  const at = (over: object) =>
    cardOf(chatIn(lost({ first: true, since: now - 2000, retryAt: now + 4100, ...over })), strings);
  expect(at({})).toMatchObject({ title: 'The chat can’t be reached', note: 'Trying again in 5 s' });
  at({})?.action?.press();
  expect(left).toEqual(['tried']);
  expect(at({ retryAt: now })?.note).toBe('Connecting…');
  for (const over of [{ since: now - 1999 }, { first: false }, { cause: 'store' }, { cause: 'many' }])
    expect(at(over), JSON.stringify(over)).toBeUndefined();
  vi.stubGlobal('navigator', { onLine: false });
  expect(at({})).toBeUndefined();
});

test.each([
  ['network', 'Connection lost. Trying again in {s} s.', true],
  ['store', 'The login service isn’t responding. You can still read. Trying again in {s} s.', true],
  ['many', 'The chat is open in too many places. Trying again in {s} s.', false],
] as const)('shows a banner for a connection lost because of %s', (cause, text, canRetry) => {
  const notice = (over: object) => {
    const state = lost({ cause, since: now - 60_000, retryAt: now + 3000, ...over });
    return noticeOfConnection({ state, tryNow: () => left.push('tried') } as never, strings, 'no network');
  };
  expect(notice({})).toMatchObject({ text, until: now + 3000, lost: true });
  notice({})?.retry?.();
  expect(left).toEqual(canRetry ? ['tried'] : []);
  expect(notice({ retryAt: now })?.text).toBe('Connection lost');
  expect(notice({ since: now })).toBeUndefined();
  vi.stubGlobal('navigator', { onLine: false });
  expect(notice({})?.text).toBe('no network');
});
