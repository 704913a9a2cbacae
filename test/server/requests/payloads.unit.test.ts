import { expect, test } from 'vitest';
import { type RequestName, requests } from '../../../server/wire/events.ts';

/** Payloads at the limits of their schemas and beyond. Requests that name a room use `lobby` by default. */
const x = (length: number) => 'x'.repeat(length);
const many = (length: number) => Array<string>(length).fill('x');
const at = (user: string, start: number, length = 1) => ({ user, start, length });
const mentions = (count: number) => Array.from({ length: count }, (_, n) => at('1', n));
const made = (over: object) => ({ name: 'x', kind: 'private', clientId: 'a', ...over });
const sent = (over: object) => ({ text: 'x', clientId: 'a', ...over });
const spam = (over: object) => ({ seq: 1, reason: 'spam', ...over });
const quiet = (from: string, zone?: string) => ({ quiet: { from, to: '07:00', zone: zone || undefined } });

const accepted: Partial<Record<RequestName, object[]>> = {
  'room:list': [{ member: false, query: x(100), limit: 200 }],
  'room:sync': [{ since: 0, limit: 500 }],
  'room:create': [made({ name: x(80), topic: x(250), members: many(100) })],
  'room:update': [{ slow: 3600 }, { picture: x(64) }],
  'room:invite': [{ users: [...many(99), x(64)] }],
  'room:mute': [{ user: 'x', seconds: 31_536_000, reason: x(250) }],
  'room:members': [{ query: 'name', limit: 100 }],
  'invite:create': [{ seconds: 31_536_000, uses: 10_000 }],
  'invite:look': [{ token: x(128) }],
  'message:report': [spam({ text: `two\nlines${x(491)}` })],
  'report:list': [{ since: 0, limit: 100 }],
  'held:list': [{ limit: 100, mine: true }],
  'held:reject': [{ id: 'x', reason: x(250) }],
  'report:close': [{ id: 'x', done: 'muted', reason: x(250) }],
  'moderate:people': [{ limit: 100 }],
  'moderate:erase': [{ user: 'x', name: 'x', reason: x(250) }],
  'moderate:acts': [{ limit: 100 }],
  'moderate:rooms': [{ rooms: many(100) }],
  'device:register': [{ token: 'a', name: x(64) }],
  'user:find': [{ query: 'N', limit: 20 }],
  'message:send': [
    sent({ text: x(20), mentions: mentions(20) }),
    sent({ files: [{ id: 'f', alt: x(250) }] }),
    sent({ poll: { options: Array.from({ length: 10 }, (_, n) => `${n}${x(99)}`), anonymous: true } }),
    sent({ poll: { event: { start: 0, end: 253_402_300_799_999, place: x(250) }, until: 1 } }),
  ],
  'poll:vote': [
    { seq: 1, choice: [] },
    { seq: 1, choice: [10, 1] },
  ],
  'message:delete': [{ seq: 2, reason: x(250) }],
  'message:react': [{ seq: 1, emoji: '👩🏽‍💻', on: true }],
  'room:files': [{ what: 'links', before: 2, limit: 100 }],
  'message:history': [{ after: 0, limit: 100 }],
  'thread:get': [{ thread: 2, after: 0, limit: 100 }],
  'message:search': [{ query: x(100), limit: 50 }],
};

const rejected: Partial<Record<RequestName, object[]>> = {
  'room:list': [{ limit: 201 }, { query: x(101) }],
  'room:join': [{ since: -1 }],
  'room:sync': [{}, { since: 0, limit: 501 }],
  'room:create': [
    ...[' ', x(81), 'a\nb', 'a\u2028b', 'a\u202eb'].map((name) => made({ name })),
    ...['a\u2067b', x(251)].map((topic) => made({ topic })),
    ...[{ kind: 'direct' }, { clientId: undefined }, { members: many(101) }, { members: [''] }].map(made),
  ],
  'room:update': [
    ...[{ name: '\u200b' }, { topic: 'a\tb' }, { topic: 'a\u2029b' }, { write: 'nobody' }, { seen: 'all' }],
    ...[-1, 3601, 1.5, '5'].map((slow) => ({ slow })),
    ...[x(15), x(65), 'a/b', null].map((picture) => ({ picture })),
  ],
  'room:invite': [[], many(101), [x(65)], [7]].map((users) => ({ users })),
  'room:remove': [{ user: '' }],
  'room:role': [{ user: 'x', role: 'admin' }],
  'room:mute': [
    { user: '' },
    ...[31_536_001, -1, 0.5].map((seconds) => ({ user: 'x', seconds })),
    ...[x(251), 'a\nb'].map((reason) => ({ user: 'x', reason })),
  ],
  'room:ban': [{ user: 'x', seconds: '5' }],
  'room:members': [{ limit: 101 }],
  'room:previews': [{ previews: 'maybe' }],
  'room:notify': [{ notify: 'loud' }, { notify: 'all', quietForMs: 0 }],
  'room:arrange': [{ favourite: -1 }, { favourite: 1, archived: true }],
  'invite:create': [{ seconds: 31_536_001 }, { seconds: -1 }, { uses: 10_001 }, { uses: 0.5 }],
  'invite:look': [{ token: 'a b' }, { token: x(129) }],
  'invite:accept': [{ token: '' }],
  'direct:open': [{ user: 'a\u0000' }],
  'message:report': [{ seq: 1 }, spam({ reason: 'dull' }), spam({ text: x(501) }), spam({ text: 'a\u0000' })],
  'report:list': [{ since: -1 }, { limit: 101 }],
  'held:list': [{ limit: 101 }, { mine: false }],
  'held:reject': [{ id: 'x', reason: x(251) }],
  'report:close': [
    { id: 'x', done: 'all' },
    { id: 'x', done: 'muted', seconds: 0 },
    { id: 'x', done: 'muted', reason: x(251) },
  ],
  'moderate:people': [{ limit: 101 }, { query: ' ' }],
  'moderate:ban': [
    ...[{ seconds: 0 }, { reason: 'a\nb' }, { reason: 'x', end: true }, { seconds: 5, end: true }],
    ...[{ messages: 'keep' }, { messages: 'delete', end: true }],
  ].map((over) => ({ user: 'x', ...over })),
  'moderate:erase': [{ user: 'x' }, { user: 'x', name: 'x', reason: x(251) }],
  'moderate:acts': [{ limit: 0 }, { limit: 101 }],
  'moderate:rooms': [[], ['no room'], many(101)].map((rooms) => ({ rooms })),
  'user:block': [{ user: 'x' }, { user: '', blocked: true }],
  'device:register': [
    ...[{}, { token: 'a b' }, { token: 'a', page: 'http://localhost:8080/' }, { token: 'a', name: x(65) }],
    { endpoint: 'https://fcm.googleapis.com/1', p256dh: 'a', auth: 'a', key: 'a' },
  ],
  'notify:set': [
    ...[{ mail: 7 }, { text: 'all' }, { lang: 'not a language' }],
    ...[quiet('24:00'), quiet('22:00', 'Europe/Nowhere'), quiet('22:00', 'PST')],
  ],
  'client:active': [{ zone: 'x' }, { zone: 'PST' }],
  'user:find': [{ query: ' ' }, { query: 'x', limit: 21 }],
  'message:send': [
    ...[at('1', 0, 0), at('1', -1, 2), at('', 0)].map((mention) =>
      sent({ text: '👋🏽x', mentions: [mention] }),
    ),
    sent({ text: x(20), mentions: [...mentions(20), at('1', 0)] }),
    sent({ files: Array.from({ length: 11 }, (_, n) => ({ id: `f${n}` })) }),
    sent({ files: [{ id: 'f' }, { id: 'f' }] }),
    sent({ files: [{ id: 'f', alt: x(251) }] }),
    ...[
      {},
      { options: ['a'] },
      { options: ['a', 'a '] },
      { options: ['a', ' '] },
      { options: ['a', 'b\nc'] },
      { options: ['a', '\u202eb'] },
      { options: ['a', x(101)] },
      { options: Array.from({ length: 11 }, (_, n) => `${n}`) },
      { options: ['a', 'b'], event: { start: 1 } },
      { options: ['a', 'b'], anonymous: false },
      { options: ['a', 'b'], until: 253_402_300_800_000 },
      { event: { start: 2, end: 1 } },
      { event: { start: 1, place: x(251) } },
      { event: { start: 1 }, multiple: true },
    ].map((poll) => sent({ poll })),
  ],
  'poll:vote': [[0], [11], [1, 1], [1.5], ['1'], 1].map((choice) => ({ seq: 1, choice })),
  'message:forward': [{ clientId: 'a' }, { clientId: 'a', from: { room: 'lobby', seq: 0 } }],
  'message:edit': [{ seq: 0, text: 'x' }],
  'message:delete': [{ seq: 2, reason: x(251) }],
  // The heart lacks the variation selector, so it is a text character.
  'message:react': ['👍👍', 'x', '', '\u2764'].map((emoji) => ({ seq: 1, emoji, on: true })),
  'message:reactions': ['thumbs up', '0', '11', '?1'].map((emoji) => ({ seq: 1, emoji })),
  'message:mark': [{ seq: 0, important: true }, { seq: 1 }],
  'message:pin': [{ seq: 0 }],
  'room:files': [{}, { what: 'voices' }, { what: 'files', limit: 101 }],
  'message:history': [{ limit: 101 }],
  'thread:get': [{ thread: 0 }, { thread: 1, limit: 101 }],
  'thread:follow': [{ thread: 1, following: 1 }],
  'message:search': [
    ...[{ query: x(101) }, { query: 'x', limit: 51 }, { query: ' ' }],
    ...[{ has: 'voices' }, { from: '' }, { sentFrom: -1 }, { sentBefore: '2026-01-01' }],
  ],
  'read:mark': [{ seq: -1 }],
};

const cases = (table: typeof accepted) =>
  Object.entries(table).flatMap(([event, payloads]) => payloads.map((payload) => [event, payload] as const));
const isAccepted = (event: string, payload: object) =>
  requests[event as RequestName].safeParse({ room: 'lobby', ...payload }).success;

test.each(cases(accepted))('%s accepts %j', (event, payload) => {
  expect(isAccepted(event, payload)).toBe(true);
});

test.each(cases(rejected))('%s rejects %j', (event, payload) => {
  expect(isAccepted(event, payload)).toBe(false);
});
