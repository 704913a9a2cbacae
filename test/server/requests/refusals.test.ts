import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, RequestName } from '../../../server/wire/events.ts';
import { size, soak } from '../../guarantees/size.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { codeOf, type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';

/**
 * Every request in the table of docs/protocol.md, done once, and refused once for each of its own reasons. Common
 * reasons (an unknown event, a draining server, a history that fails) are tested elsewhere.
 */
type Code =
  | 'ok'
  | 'bad_request'
  | 'too_long'
  | 'unknown_room'
  | 'not_joined'
  | 'forbidden'
  | 'unknown_message'
  | 'unknown_user'
  | 'unknown_file'
  | 'unknown_invite'
  | 'conflict'
  | 'muted'
  | 'limit_reached'
  | 'rate_limited';

/** In a private room of Ann’s with Ben in it; both have joined it and have written messages 1 and 2. */
interface Scene {
  ann: Person;
  ben: Person;
  /** In no room. */
  eve: Person;
  room: string;
}
type Who = 'ann' | 'ben' | 'eve';
/**
 * The asking user and the payload. A request that names a room names that of the scene, if the payload names no other.
 */
type Case = readonly [Who, object | ((scene: Scene) => Promise<object> | object)];

const cursor = (key: unknown) => Buffer.from(JSON.stringify(key)).toString('base64url');
const fresh = () => newClientId();
const at = (user: string, start: number, length = 1) => ({ user, start, length });
const many = (count: number) => Array.from({ length: count }, (_, n) => at('1', n));
const leaves =
  (who: Who, payload: object = {}) =>
  async (scene: Scene) => {
    await scene[who].request('room:leave', { room: scene.room });
    return payload;
  };
/** Ann has muted Ben when he asks. */
const muted =
  (payload: object) =>
  async ({ ann, ben, room }: Scene) => {
    await ann.request('room:mute', { room, user: ben.id, seconds: 60 });
    return payload;
  };
const under =
  (rule: { write: 'moderators' } | { slow: number }, payload: object) =>
  async ({ ann, room }: Scene) => {
    await ann.request('room:update', { room, ...rule });
    return payload;
  };
const onlyModerators = (payload: object) => under({ write: 'moderators' }, payload);
/** Eve is blocked by Ann; the two have a direct room, which Eve has joined. */
const blocked =
  (payload: object = {}) =>
  async ({ ann, eve }: Scene) => {
    const { room } = await eve.request('direct:open', { user: ann.id });
    await eve.request('room:join', { room: room.id });
    await say(eve, room.id, 'a message');
    await ann.request('user:block', { user: eve.id, blocked: true });
    return { ...payload, room: room.id };
  };
/** Ann has pinned her message. */
const pinned =
  (payload: object) =>
  async ({ ann, room }: Scene) => {
    await ann.request('message:pin', { room, seq: 1 });
    return payload;
  };
/** Ann has deleted her message. */
const deleted =
  (payload: object) =>
  async ({ ann, room }: Scene) => {
    await ann.request('message:delete', { room, seq: 1 });
    return payload;
  };
/** The copy of a message of the room goes into the same room. */
const forwarded =
  (seq: number, before: (scene: Scene) => Promise<object> = async () => ({})) =>
  async (scene: Scene) => {
    const from = { room: scene.room, seq };
    return { from, clientId: fresh(), ...(await before(scene)) };
  };
/** Ann has made a link to the room. */
const linked = async ({ ann, room }: Scene) => ({
  token: (await ann.request('invite:create', { room })).token,
});
/** A message of Ben's that waits for Ann. */
const waiting = async ({ ben, room }: Scene): Promise<string> => {
  const sent = await ben.raw('message:send', { room, text: 'cheap pallets', clientId: fresh() });
  return sent.ok ? (sent.data as { held: { id: string } }).held.id : '';
};
const taken = 'The taken name';

const table: Record<RequestName, Partial<Record<Code, readonly Case[]>>> = {
  'room:list': {
    ok: [
      ['eve', {}],
      ['eve', { member: false, query: 'lob', limit: 200 }],
    ],
    bad_request: [
      ['eve', { cursor: 'x' }],
      ['eve', { cursor: cursor(['a', 'b']) }],
      ['eve', { member: false, cursor: cursor([1, 'b']) }],
      ['eve', { limit: 201 }],
      ['eve', { query: 'x'.repeat(101) }],
    ],
  },
  'room:join': {
    ok: [
      ['ben', {}],
      ['eve', { room: 'lobby', since: 0 }],
    ],
    bad_request: [['ann', { since: -1 }]],
    unknown_room: [['eve', {}]],
  },
  'room:sync': {
    ok: [['ben', { since: 1, limit: 500 }]],
    bad_request: [
      ['ben', {}],
      ['ben', { since: 0, limit: 501 }],
    ],
    unknown_room: [['eve', { since: 0 }]],
  },
  'room:leave': {
    ok: [
      ['ben', {}],
      ['ben', leaves('ben')],
    ],
    bad_request: [['ben', { room: 7 }]],
    unknown_room: [['eve', {}]],
  },
  'room:create': {
    ok: [['eve', () => ({ name: 'Mine', kind: 'private', topic: '', members: ['x'], clientId: fresh() })]],
    bad_request: [
      ['eve', { name: ' ', kind: 'private', clientId: 'a' }],
      ['eve', { name: 'x'.repeat(81), kind: 'private', clientId: 'a' }],
      ['eve', { name: 'a\nb', kind: 'private', clientId: 'a' }],
      ['eve', { name: 'a\u2028b', kind: 'private', clientId: 'a' }],
      ['eve', { name: 'a\u202eb', kind: 'private', clientId: 'a' }],
      ['eve', { name: 'x', topic: 'a\u2067b', kind: 'private', clientId: 'a' }],
      ['eve', { name: 'x', topic: 'x'.repeat(251), kind: 'private', clientId: 'a' }],
      ['eve', { name: 'x', kind: 'direct', clientId: 'a' }],
      ['eve', { name: 'x', kind: 'private' }],
      ['eve', { name: 'x', kind: 'private', members: Array(101).fill('x'), clientId: 'a' }],
      ['eve', { name: 'x', kind: 'private', members: [''], clientId: 'a' }],
      ['ann', { name: 'x', kind: 'public', members: ['x'], clientId: 'a' }],
    ],
    forbidden: [['eve', { name: 'x', kind: 'public', clientId: 'a' }]],
    conflict: [['ann', () => ({ name: taken.toUpperCase(), kind: 'public', clientId: fresh() })]],
    limit_reached: [
      [
        'eve',
        async ({ eve }) => {
          const make = () => ({ name: 'One more', kind: 'private' as const, clientId: fresh() });
          for (let n = 0; n < 5; n++) await eve.request('room:create', make());
          return make();
        },
      ],
    ],
  },
  'room:update': {
    ok: [
      ['ann', { name: 'New', topic: '' }],
      ['ann', {}],
    ],
    bad_request: [
      ['ann', { name: '\u200b' }],
      ['ann', { topic: 'a\tb' }],
      ['ann', { topic: 'a\u2029b' }],
    ],
    unknown_room: [['eve', { name: 'New' }]],
    forbidden: [
      ['ben', { name: 'New' }],
      ['eve', { room: 'lobby', name: 'New' }],
    ],
    conflict: [
      [
        'ann',
        async ({ ann }) => {
          const made = { name: `Other ${fresh()}`, kind: 'public' as const, clientId: fresh() };
          return { room: (await ann.request('room:create', made)).room.id, name: taken };
        },
      ],
    ],
  },
  'room:delete': {
    ok: [['ann', {}]],
    bad_request: [['ann', { room: '' }]],
    unknown_room: [['eve', {}]],
    forbidden: [
      ['ben', {}],
      ['eve', { room: 'lobby' }],
    ],
  },
  'room:invite': {
    ok: [['ben', ({ ben, eve }) => ({ users: [eve.id, ben.id] })]],
    bad_request: [
      ['ann', { users: [] }],
      ['ann', { users: Array(101).fill('x') }],
      ['ann', { users: ['x'.repeat(65)] }],
      ['ann', { users: [7] }],
    ],
    unknown_room: [['eve', { users: ['x'] }]],
    forbidden: [['eve', { room: 'lobby', users: ['x'] }]],
  },
  'room:remove': {
    ok: [
      ['ann', ({ ben }) => ({ user: ben.id })],
      ['ben', ({ ben }) => ({ user: ben.id })],
      ['ann', { user: 'nobody-there' }],
      ['eve', ({ eve }) => ({ room: 'lobby', user: eve.id })],
    ],
    bad_request: [['ann', { user: '' }]],
    unknown_room: [['eve', ({ ann }) => ({ user: ann.id })]],
    forbidden: [
      ['ben', ({ ann }) => ({ user: ann.id })],
      ['ben', { user: 'nobody-there' }],
    ],
  },
  'room:role': {
    ok: [
      ['ann', ({ ben }) => ({ user: ben.id, role: 'owner' })],
      ['ann', ({ ben }) => ({ user: ben.id, role: 'member' })],
    ],
    bad_request: [['ann', ({ ben }) => ({ user: ben.id, role: 'admin' })]],
    unknown_room: [['eve', ({ ben }) => ({ user: ben.id, role: 'member' })]],
    forbidden: [
      ['ben', ({ ben }) => ({ user: ben.id, role: 'owner' })],
      ['ben', { user: 'nobody-there', role: 'moderator' }],
      ['ann', ({ ann }) => ({ user: ann.id, role: 'member' })],
    ],
    unknown_user: [['ann', { user: 'nobody-there', role: 'moderator' }]],
  },
  'room:mute': {
    ok: [
      ['ann', ({ ben }) => ({ user: ben.id, seconds: 31_536_000, reason: 'x'.repeat(250) })],
      ['ann', ({ ben }) => ({ user: ben.id })],
      ['ann', { user: 'nobody-there', seconds: 0 }],
    ],
    bad_request: [
      ['ann', ({ ben }) => ({ user: ben.id, seconds: 31_536_001 })],
      ['ann', ({ ben }) => ({ user: ben.id, seconds: -1 })],
      ['ann', ({ ben }) => ({ user: ben.id, seconds: 0.5 })],
      ['ann', ({ ben }) => ({ user: ben.id, reason: 'x'.repeat(251) })],
      ['ann', ({ ben }) => ({ user: ben.id, reason: 'a\nb' })],
      ['ann', { user: '' }],
    ],
    unknown_room: [['eve', ({ ben }) => ({ user: ben.id })]],
    forbidden: [
      ['ben', ({ ann }) => ({ user: ann.id })],
      ['ben', { user: 'nobody-there' }],
      ['ann', ({ ann }) => ({ user: ann.id })],
    ],
  },
  'room:ban': {
    ok: [
      ['ann', ({ ben }) => ({ user: ben.id, seconds: 1 })],
      ['ann', { user: 'nobody-there' }],
    ],
    bad_request: [['ann', ({ ben }) => ({ user: ben.id, seconds: '5' })]],
    unknown_room: [['eve', ({ ben }) => ({ user: ben.id })]],
    forbidden: [
      ['ben', ({ ann }) => ({ user: ann.id })],
      ['ann', ({ ann }) => ({ user: ann.id, seconds: 0 })],
    ],
  },
  'room:restricted': {
    ok: [
      ['ann', {}],
      ['ann', { cursor: cursor(['a']) }],
    ],
    bad_request: [
      ['ann', { cursor: 'x' }],
      ['ann', { cursor: cursor([1]) }],
    ],
    unknown_room: [['eve', {}]],
    forbidden: [['ben', {}]],
  },
  'room:members': {
    ok: [
      ['ben', { query: 'name', present: true, limit: 1 }],
      ['eve', { room: 'lobby' }],
      ['ben', { cursor: cursor(['a', 'b']) }],
    ],
    bad_request: [
      ['ben', { limit: 101 }],
      ['ben', { cursor: 'x' }],
      ['ben', { cursor: cursor(['a']) }],
      ['ben', { cursor: cursor([1, 'b']) }],
    ],
    unknown_room: [['eve', {}]],
  },
  'room:previews': {
    ok: [
      [
        'eve',
        async ({ ann, eve }) => {
          const { room } = await eve.request('direct:open', { user: ann.id });
          await eve.request('room:join', { room: room.id });
          await say(eve, room.id, 'a message');
          return { room: room.id, previews: 'on' };
        },
      ],
    ],
    forbidden: [
      [
        'eve',
        async ({ ann, eve }) => {
          const { room } = await eve.request('direct:open', { user: ann.id });
          return { room: room.id, previews: 'on' };
        },
      ],
      ['ben', onlyModerators({ previews: 'on' })],
    ],
    bad_request: [
      ['ben', { previews: 'maybe' }],
      ['ann', { previews: 'on' }],
    ],
    unknown_room: [['eve', { previews: 'on' }]],
  },
  'room:notify': {
    ok: [['ben', { notify: 'none' }]],
    bad_request: [['ben', { notify: 'loud' }]],
    unknown_room: [['eve', { notify: 'none' }]],
    forbidden: [['eve', { room: 'lobby', notify: 'none' }]],
  },
  'invite:create': {
    ok: [
      ['ben', {}],
      ['ann', { seconds: 0, uses: 0 }],
      ['ann', { seconds: 31_536_000, uses: 10_000 }],
    ],
    bad_request: [
      ['ann', { seconds: 31_536_001 }],
      ['ann', { seconds: -1 }],
      ['ann', { uses: 10_001 }],
      ['ann', { uses: 0.5 }],
    ],
    unknown_room: [['eve', {}]],
    forbidden: [['eve', { room: 'lobby' }]],
    limit_reached: [
      [
        'ben',
        async ({ ben, room }) => {
          for (let n = 0; n < 20; n++) await ben.request('invite:create', { room });
          return {};
        },
      ],
    ],
  },
  'invite:list': {
    ok: [['ben', {}]],
    bad_request: [['ben', { room: '' }]],
    unknown_room: [['eve', {}]],
    forbidden: [['eve', { room: 'lobby' }]],
  },
  'invite:revoke': {
    ok: [['ben', { id: 'none' }]],
    bad_request: [['ben', { id: '' }]],
    unknown_room: [['eve', { id: 'none' }]],
    forbidden: [['eve', { room: 'lobby', id: 'none' }]],
  },
  'invite:look': {
    ok: [['eve', linked]],
    bad_request: [
      ['eve', { token: 'a b' }],
      ['eve', { token: 'x'.repeat(129) }],
    ],
    unknown_invite: [['eve', { token: 'none' }]],
  },
  'invite:accept': {
    ok: [
      ['eve', linked],
      ['ben', linked],
    ],
    bad_request: [['eve', { token: '' }]],
    unknown_invite: [['eve', { token: 'none' }]],
    limit_reached: [
      [
        'eve',
        async ({ ann, room }) => {
          const { token } = await ann.request('invite:create', { room });
          await ann.request('room:invite', {
            room,
            users: ['x', 'y', 'z', 'u', 'v'].map((id) => id + fresh()),
          });
          return { token };
        },
      ],
    ],
  },
  'direct:open': {
    ok: [
      ['eve', ({ ann }) => ({ user: ann.id })],
      ['eve', { user: 'never seen' }],
    ],
    bad_request: [
      ['eve', ({ eve }) => ({ user: eve.id })],
      ['eve', { user: 'a\u0000' }],
    ],
    forbidden: [
      [
        'eve',
        async ({ ann, eve }) => {
          await ann.request('user:block', { user: eve.id, blocked: true });
          return { user: ann.id };
        },
      ],
    ],
  },
  'message:report': {
    ok: [
      ['ben', { seq: 1, reason: 'spam', text: `two\nlines${'x'.repeat(491)}` }],
      ['ann', leaves('ann', { seq: 2, reason: 'other' })],
    ],
    bad_request: [
      ['ben', { seq: 1, reason: 'dull' }],
      ['ben', { seq: 1 }],
      ['ben', { seq: 1, reason: 'spam', text: 'x'.repeat(501) }],
      ['ben', { seq: 1, reason: 'spam', text: 'a\u0000' }],
    ],
    unknown_room: [['eve', { seq: 1, reason: 'spam' }]],
    forbidden: [['ann', { seq: 1, reason: 'spam' }]],
    unknown_message: [
      ['ben', { seq: 3, reason: 'spam' }],
      [
        'ben',
        async ({ ann, room }) => {
          await ann.request('message:delete', { room, seq: 1 });
          return { seq: 1, reason: 'spam' };
        },
      ],
    ],
  },
  'report:list': {
    ok: [
      ['ann', {}],
      ['ann', { since: 0, limit: 100 }],
    ],
    bad_request: [
      ['ann', { since: -1 }],
      ['ann', { limit: 101 }],
      ['ann', { cursor: cursor([5]) }],
    ],
    forbidden: [['eve', {}]],
  },
  'held:list': {
    ok: [
      ['ann', {}],
      ['eve', { mine: true }],
    ],
    bad_request: [
      ['ann', { limit: 101 }],
      ['ann', { mine: false }],
      ['ann', { cursor: cursor([5]) }],
    ],
    forbidden: [['eve', {}]],
  },
  'held:approve': {
    ok: [['ann', async (scene) => ({ id: await waiting(scene) })]],
    bad_request: [['ann', { id: '' }]],
    unknown_message: [
      ['ann', { id: 'none' }],
      ['eve', async (scene) => ({ id: await waiting(scene) })],
      // Nobody decides about their own messages without a role.
      ['ben', async (scene) => ({ id: await waiting(scene) })],
    ],
  },
  'held:reject': {
    ok: [['ann', async (scene) => ({ id: await waiting(scene), reason: 'an advertisement' })]],
    bad_request: [['ann', { id: 'x', reason: 'x'.repeat(251) }]],
    unknown_message: [
      ['ann', { id: 'none' }],
      ['eve', async (scene) => ({ id: await waiting(scene) })],
    ],
  },
  'held:discard': {
    ok: [
      ['ben', async (scene) => ({ id: await waiting(scene) })],
      // As if there was none: nobody learns of others' messages.
      ['eve', async (scene) => ({ id: await waiting(scene) })],
      ['eve', { id: 'none' }],
    ],
    bad_request: [['ben', { id: 5 }]],
  },
  'report:close': {
    ok: [
      [
        'ann',
        async ({ ann, ben, room }) => {
          const { message } = await ben.request('message:send', { room, text: 'x', clientId: fresh() });
          const other = await ann.request('message:report', { room, seq: message.seq, reason: 'spam' });
          expect(other).toEqual({});
          const { reports } = await ann.request('report:list', {});
          return { id: reports[0]?.id, done: 'muted', seconds: 60 };
        },
      ],
    ],
    bad_request: [
      ['ann', { id: 'x', done: 'all' }],
      ['ann', { id: '', done: 'nothing' }],
      ['ann', { id: 'x', done: 'muted', seconds: 0 }],
      ['ann', { id: 'x', done: 'muted', reason: 'x'.repeat(251) }],
    ],
    unknown_message: [
      ['ann', { id: 'none', done: 'nothing' }],
      [
        'eve',
        async ({ ann, room }) => {
          await ann.request('message:report', { room, seq: 2, reason: 'spam' });
          return { id: (await ann.request('report:list', {})).reports[0]?.id, done: 'nothing' };
        },
      ],
    ],
    forbidden: [
      [
        'ann',
        async ({ ann, ben, room }) => {
          await ben.request('message:report', { room, seq: 1, reason: 'spam' });
          return { id: (await ann.request('report:list', {})).reports[0]?.id, done: 'nothing' };
        },
      ],
    ],
  },
  'report:context': {
    ok: [
      [
        'ann',
        async ({ ann, room }) => {
          await ann.request('message:report', { room, seq: 2, reason: 'spam' });
          return { id: (await ann.request('report:list', {})).reports[0]?.id };
        },
      ],
    ],
    bad_request: [['ann', {}]],
    unknown_message: [
      ['ann', { id: 'none' }],
      [
        'eve',
        async ({ ann, room }) => {
          await ann.request('message:report', { room, seq: 2, reason: 'spam' });
          return { id: (await ann.request('report:list', {})).reports[0]?.id };
        },
      ],
    ],
  },
  'moderate:people': {
    ok: [
      ['ann', {}],
      ['ann', { query: 'name', limit: 100 }],
      ['ann', { cursor: cursor([5, 'a']) }],
      ['ann', { query: 'name', cursor: cursor(['a', 'b']) }],
    ],
    bad_request: [
      ['ann', { cursor: 'x' }],
      ['ann', { cursor: cursor(['a', 'b']) }],
      ['ann', { query: 'name', cursor: cursor([5, 'a']) }],
      ['ann', { limit: 101 }],
      ['ann', { query: ' ' }],
    ],
    forbidden: [['eve', {}]],
  },
  'moderate:person': {
    ok: [['ann', ({ ben }) => ({ user: ben.id })]],
    unknown_user: [['ann', { user: 'never-seen' }]],
    bad_request: [['ann', { user: '' }]],
    forbidden: [['eve', ({ ann }) => ({ user: ann.id })]],
  },
  'moderate:ban': {
    ok: [
      ['ann', ({ ben }) => ({ user: ben.id, seconds: 31_536_000, reason: 'x'.repeat(250) })],
      ['ann', ({ ben }) => ({ user: ben.id })],
      ['ann', ({ ben }) => ({ user: ben.id, end: true })],
    ],
    bad_request: [
      ['ann', ({ ben }) => ({ user: ben.id, seconds: 0 })],
      ['ann', ({ ben }) => ({ user: ben.id, reason: 'a\nb' })],
      ['ann', ({ ben }) => ({ user: ben.id, reason: 'x', end: true })],
      ['ann', ({ ben }) => ({ user: ben.id, seconds: 5, end: true })],
      ['ann', ({ ben }) => ({ user: ben.id, messages: 'keep' })],
      ['ann', ({ ben }) => ({ user: ben.id, messages: 'delete', end: true })],
    ],
    forbidden: [
      ['ben', ({ eve }) => ({ user: eve.id })],
      ['ann', ({ ann }) => ({ user: ann.id })],
    ],
    unknown_user: [['ann', { user: 'never-seen' }]],
  },
  // With it switched on: see chat/moderating.test.ts.
  'moderate:erase': {
    bad_request: [
      ['ann', ({ ben }) => ({ user: ben.id })],
      ['ann', ({ ben }) => ({ user: ben.id, name: 'x', reason: 'x'.repeat(251) })],
    ],
    forbidden: [['ann', ({ ben }) => ({ user: ben.id, name: 'x' })]],
  },
  'moderate:acts': {
    bad_request: [
      ['ann', { limit: 0 }],
      ['ann', { limit: 101 }],
    ],
    forbidden: [['ann', {}]],
  },
  'moderate:rooms': {
    ok: [['ann', { rooms: ['lobby', 'nowhere'] }]],
    bad_request: [
      ['ann', { rooms: [] }],
      ['ann', { rooms: ['no room'] }],
      ['ann', { rooms: Array.from({ length: 101 }, (_, n) => `r${n}`) }],
    ],
    forbidden: [['eve', { rooms: ['lobby'] }]],
  },
  'moderate:overview': { ok: [['ann', {}]], forbidden: [['eve', {}]] },
  // This site takes no events.
  'moderate:retry': {
    forbidden: [
      ['ann', {}],
      ['eve', {}],
    ],
  },
  'user:block': {
    ok: [
      ['eve', ({ ann }) => ({ user: ann.id, blocked: true })],
      ['eve', { user: 'never-seen', blocked: false }],
    ],
    bad_request: [
      ['eve', ({ eve }) => ({ user: eve.id, blocked: true })],
      ['eve', { user: 'x' }],
      ['eve', { user: '', blocked: true }],
    ],
  },
  'user:blocked': { ok: [['eve', {}]] },
  'user:about': {
    ok: [
      ['ben', ({ ann }) => ({ user: ann.id })],
      ['ben', { user: 'never-seen' }],
    ],
    bad_request: [['ben', {}]],
    unknown_room: [['eve', ({ ann }) => ({ user: ann.id })]],
  },
  'user:hide': {
    ok: [
      ['eve', { hidden: true }],
      ['eve', { hidden: false }],
    ],
    bad_request: [['eve', {}]],
  },
  // With pushes switched on: see push/devices.test.ts.
  'device:register': {
    bad_request: [
      ['eve', {}],
      ['eve', { token: 'a b' }],
      ['eve', { token: 'a', page: 'http://localhost:8080/' }],
      ['eve', { endpoint: 'https://fcm.googleapis.com/1', p256dh: 'a', auth: 'a', key: 'a' }],
      ['eve', { token: 'a', name: 'x'.repeat(65) }],
    ],
    forbidden: [['eve', { token: 'a', name: 'x'.repeat(64) }]],
  },
  'device:remove': {
    ok: [['eve', { id: 'none' }]],
    bad_request: [
      ['eve', {}],
      ['eve', { id: '' }],
    ],
  },
  'device:list': { ok: [['eve', {}]] },
  // Nobody is notified here: see notify/notify.test.ts.
  'notify:get': { forbidden: [['eve', {}]] },
  'notify:set': {
    forbidden: [['eve', { mail: 5, push: false, quiet: { from: '22:00', to: '07:00', zone: 'Asia/Tokyo' } }]],
    bad_request: [
      ['eve', { mail: 7 }],
      ['eve', { quiet: { from: '24:00', to: '07:00' } }],
      ['eve', { quiet: { from: '22:00', to: '07:00', zone: 'Europe/Nowhere' } }],
      ['eve', { quiet: { from: '22:00', to: '07:00', zone: 'PST' } }],
      ['eve', { text: 'all' }],
      ['eve', { lang: 'not a language' }],
    ],
  },
  'client:active': {
    ok: [['eve', { zone: 'Europe/Paris', lang: 'pt-BR' }]],
    // `Intl` takes the second one, and `Temporal` does not.
    bad_request: [
      ['eve', { zone: 'x' }],
      ['eve', { zone: 'PST' }],
    ],
  },
  'user:find': {
    ok: [['ben', ({ room }) => ({ query: 'N', room, limit: 20 })]],
    bad_request: [
      ['ben', { query: ' ' }],
      ['ben', { query: 'x', limit: 21 }],
    ],
    unknown_room: [['eve', ({ room }) => ({ query: 'x', room })]],
  },
  'message:send': {
    ok: [
      ['ben', () => ({ text: 'x', clientId: fresh(), replyTo: 1 })],
      // Counted in characters, and in any order.
      ['ben', () => ({ text: '👋🏽x', clientId: fresh(), mentions: [at('1', 2), at('*', 0, 2)] })],
      ['ben', () => ({ text: 'x'.repeat(20), clientId: fresh(), mentions: many(20) })],
    ],
    bad_request: [
      ['ben', { text: '\u00ad', clientId: 'a' }],
      ['ben', { text: '👋🏽x', clientId: 'a', mentions: [at('1', 2, 2)] }],
      ['ben', { text: 'x', clientId: 'a', mentions: [at('1', 0, 0)] }],
      ['ben', { text: 'x', clientId: 'a', mentions: [at('1', -1, 2)] }],
      ['ben', { text: 'x', clientId: 'a', mentions: [at('', 0)] }],
      ['ben', { text: 'xyz', clientId: 'a', mentions: [at('1', 1, 2), at('2', 0, 2)] }],
      ['ben', { text: 'x'.repeat(20), clientId: 'a', mentions: [...many(20), at('1', 0)] }],
      ['ben', { text: 'x', clientId: 'a', files: Array.from({ length: 11 }, (_, n) => ({ id: `f${n}` })) }],
      ['ben', { text: 'x', clientId: 'a', files: [{ id: 'f' }, { id: 'f' }] }],
      ['ben', { text: 'x', clientId: 'a', files: [{ id: 'f', alt: 'x'.repeat(251) }] }],
      ['ben', { text: '', clientId: 'a', files: [] }],
    ],
    forbidden: [
      ['ben', onlyModerators({ text: 'x', clientId: 'a' })],
      ['eve', blocked({ text: 'x', clientId: 'a' })],
    ],
    muted: [['ben', muted({ text: 'x', clientId: 'a' })]],
    unknown_file: [['ben', { text: '', clientId: 'a', files: [{ id: 'none' }] }]],
    rate_limited: [['ben', under({ slow: 60 }, { text: 'x', clientId: 'a' })]],
    too_long: [['ben', { text: 'x'.repeat(21), clientId: 'a' }]],
    unknown_room: [['eve', { text: 'x', clientId: 'a' }]],
    not_joined: [['ben', leaves('ben', { text: 'x', clientId: 'a' })]],
    unknown_message: [['ben', () => ({ text: 'x', clientId: fresh(), replyTo: 3 })]],
    conflict: [
      [
        'ben',
        async ({ ben, room }) => {
          await ben.request('message:send', { room, text: 'once', clientId: 'same' });
          return { text: 'twice', clientId: 'same' };
        },
      ],
      [
        'ben',
        async ({ ben, room }) => {
          await ben.request('message:send', { room, text: 'once', clientId: 'same' });
          return { text: 'once', clientId: 'same', replyTo: 1 };
        },
      ],
      [
        'ben',
        async ({ ann, ben, room }) => {
          const sent = { text: 'once', clientId: 'same', mentions: [at(ann.id, 0)] };
          await ben.request('message:send', { room, ...sent });
          return { ...sent, mentions: [at(ann.id, 0, 2)] };
        },
      ],
    ],
  },
  'message:forward': {
    ok: [
      ['ben', forwarded(1)],
      ['ben', forwarded(1, leaves('ben'))],
    ],
    bad_request: [
      ['ben', forwarded(0)],
      ['ben', { clientId: 'a' }],
    ],
    unknown_room: [['eve', forwarded(1)]],
    forbidden: [
      ['ben', forwarded(1, onlyModerators({}))],
      ['eve', forwarded(1, blocked())],
      // Of a room that one may read without being a member.
      ['eve', forwarded(1, async () => ({ room: 'lobby' }))],
    ],
    muted: [['ben', forwarded(1, muted({}))]],
    unknown_message: [
      ['ben', forwarded(3)],
      ['ben', forwarded(1, async () => ({ from: { room: 'none', seq: 1 } }))],
      ['ben', forwarded(1, deleted({}))],
    ],
    rate_limited: [['ben', forwarded(1, under({ slow: 60 }, {}))]],
    conflict: [
      [
        'ben',
        forwarded(1, async ({ ben, room }) => {
          await ben.request('message:send', { room, text: 'a message', clientId: 'same' });
          return { clientId: 'same' };
        }),
      ],
    ],
  },
  'message:edit': {
    ok: [['ann', { seq: 1, text: 'edited', rev: 1 }]],
    bad_request: [
      ['ann', { seq: 0, text: 'x' }],
      ['ann', { seq: 1, text: ' ' }],
      ['ann', { seq: 1, text: 'x', mentions: [at('1', 1)] }],
    ],
    too_long: [['ann', { seq: 1, text: 'x'.repeat(21) }]],
    unknown_room: [['eve', { seq: 1, text: 'x' }]],
    not_joined: [['ann', leaves('ann', { seq: 1, text: 'x' })]],
    forbidden: [
      ['ben', { seq: 1, text: 'x' }],
      ['ann', { seq: 2, text: 'x' }],
      ['ben', onlyModerators({ seq: 2, text: 'x' })],
      ['eve', blocked({ seq: 1, text: 'x' })],
    ],
    muted: [['ben', muted({ seq: 2, text: 'x' })]],
    unknown_file: [['ben', { seq: 2, text: 'x', files: [{ id: 'none' }] }]],
    unknown_message: [
      ['ann', { seq: 3, text: 'x' }],
      [
        'ann',
        async ({ ann, room }) => {
          await ann.request('message:delete', { room, seq: 1 });
          return { seq: 1, text: 'x' };
        },
      ],
    ],
    conflict: [
      [
        'ann',
        async ({ ann, room }) => {
          await ann.request('message:edit', { room, seq: 1, text: 'newer' });
          return { seq: 1, text: 'older', rev: 1 };
        },
      ],
    ],
  },
  'message:delete': {
    ok: [
      ['ben', { seq: 2 }],
      ['ann', { seq: 2, reason: 'off topic' }],
    ],
    bad_request: [['ann', { seq: 2, reason: 'x'.repeat(251) }]],
    unknown_room: [['eve', { seq: 1 }]],
    not_joined: [['ben', leaves('ben', { seq: 2 })]],
    forbidden: [['ben', { seq: 1 }]],
    unknown_message: [['ann', { seq: 3 }]],
  },
  'message:unpreview': {
    ok: [
      ['ben', { seq: 2 }],
      ['ann', { seq: 2 }],
    ],
    bad_request: [['ann', { seq: 0 }]],
    unknown_room: [['eve', { seq: 1 }]],
    not_joined: [['ben', leaves('ben', { seq: 2 })]],
    forbidden: [['ben', { seq: 1 }]],
    unknown_message: [['ann', { seq: 3 }]],
  },
  'message:react': {
    ok: [
      ['ben', { seq: 1, emoji: '👩🏽‍💻', on: true }],
      ['ben', { seq: 2, emoji: '👍', on: false }],
      ['ben', onlyModerators({ seq: 1, emoji: '👍', on: true })],
      ['ben', muted({ seq: 1, emoji: '👍', on: true })],
      ['eve', blocked({ seq: 1, emoji: '👍', on: false })],
    ],
    bad_request: [
      ['ben', { seq: 1, emoji: '👍👍', on: true }],
      ['ben', { seq: 1, emoji: 'x', on: true }],
      ['ben', { seq: 1, emoji: '', on: true }],
      // Without the variation selector it is a text character.
      ['ben', { seq: 1, emoji: '\u2764', on: true }],
      ['ben', { seq: 1, emoji: '👍' }],
    ],
    unknown_room: [['eve', { seq: 1, emoji: '👍', on: true }]],
    not_joined: [['ben', leaves('ben', { seq: 1, emoji: '👍', on: true })]],
    forbidden: [['eve', blocked({ seq: 1, emoji: '👍', on: true })]],
    unknown_message: [
      ['ben', { seq: 3, emoji: '👍', on: true }],
      [
        'ben',
        async ({ ann, room }) => {
          await ann.request('message:delete', { room, seq: 1 });
          return { seq: 1, emoji: '👍', on: true };
        },
      ],
    ],
    limit_reached: [
      [
        'ben',
        async ({ ann, room }) => {
          const react = (emoji: string) => ann.request('message:react', { room, seq: 1, emoji, on: true });
          await Promise.all([...'😀😃😄😁😆😅😂🙂😉😊😇🥰'].map(react));
          return { seq: 1, emoji: '👍', on: true };
        },
      ],
    ],
  },
  'message:reactions': {
    ok: [
      ['ben', { seq: 1, emoji: '👍' }],
      ['ben', leaves('ben', { seq: 1, emoji: '👍', cursor: cursor([7]) })],
    ],
    bad_request: [
      ['ben', { seq: 1, emoji: 'thumbs up' }],
      ['ben', { seq: 1, emoji: '👍', cursor: cursor(['7']) }],
    ],
    unknown_room: [['eve', { seq: 1, emoji: '👍' }]],
    unknown_message: [['ben', { seq: 3, emoji: '👍' }]],
  },
  'message:seen': {
    ok: [
      ['ann', { seq: 1 }],
      ['ann', leaves('ann', { seq: 1 })],
    ],
    bad_request: [
      ['ann', { seq: 0 }],
      ['eve', blocked({ seq: 1 })],
    ],
    unknown_room: [['eve', { seq: 1 }]],
    unknown_message: [['ann', { seq: 3 }]],
    forbidden: [
      ['ben', { seq: 1 }],
      // Of a room that one may read without being a member.
      ['eve', { seq: 1, room: 'lobby' }],
    ],
  },
  'message:pin': {
    ok: [
      ['ann', { seq: 1 }],
      ['ann', pinned({ seq: 1 })],
      ['ann', muted({ seq: 1 })],
    ],
    bad_request: [['ann', { seq: 0 }]],
    unknown_room: [['eve', { seq: 1 }]],
    not_joined: [['ann', leaves('ann', { seq: 1 })]],
    forbidden: [
      ['ben', { seq: 1 }],
      ['eve', blocked({ seq: 1 })],
    ],
    unknown_message: [
      ['ann', { seq: 3 }],
      ['ann', deleted({ seq: 1 })],
    ],
    limit_reached: [
      [
        'ann',
        async ({ ann, room }) => {
          for (let seq = 3; seq <= 51; seq++) await say(ann, room);
          for (let seq = 2; seq <= 51; seq++) await ann.request('message:pin', { room, seq });
          return { seq: 1 };
        },
      ],
    ],
  },
  'message:unpin': {
    ok: [
      ['ann', pinned({ seq: 1 })],
      ['ann', { seq: 1 }],
      ['ann', deleted({ seq: 1 })],
    ],
    bad_request: [['ann', {}]],
    unknown_room: [['eve', { seq: 1 }]],
    not_joined: [['ann', leaves('ann', { seq: 1 })]],
    forbidden: [
      ['ben', pinned({ seq: 1 })],
      ['eve', blocked({ seq: 1 })],
    ],
    unknown_message: [['ann', { seq: 3 }]],
  },
  'room:files': {
    ok: [
      ['ben', { what: 'pictures' }],
      ['ben', leaves('ben', { what: 'links', before: 2, limit: 100 })],
    ],
    bad_request: [
      ['ben', {}],
      ['ben', { what: 'voices' }],
      ['ben', { what: 'files', limit: 101 }],
    ],
    unknown_room: [['eve', { what: 'files' }]],
  },
  'room:pins': {
    ok: [
      ['ben', pinned({})],
      ['ben', leaves('ben')],
    ],
    bad_request: [['ben', { room: 7 }]],
    unknown_room: [['eve', {}]],
  },
  'message:history': {
    ok: [
      ['ben', { before: 2 }],
      ['ben', leaves('ben', { after: 0, limit: 100 })],
    ],
    bad_request: [
      ['ben', { before: 2, after: 1 }],
      ['ben', { limit: 101 }],
    ],
    unknown_room: [['eve', {}]],
  },
  'thread:get': {
    ok: [
      ['ben', leaves('ben', { thread: 1 })],
      ['ben', { thread: 2, after: 0, limit: 100 }],
    ],
    bad_request: [
      ['ben', { thread: 0 }],
      ['ben', { thread: 1, before: 2, after: 1 }],
      ['ben', { thread: 1, limit: 101 }],
    ],
    unknown_room: [['eve', { thread: 1 }]],
    unknown_message: [['ben', { thread: 3 }]],
  },
  'thread:follow': {
    ok: [
      ['ben', leaves('ben', { thread: 1, following: true })],
      ['ben', { thread: 1, following: false }],
    ],
    bad_request: [['ben', { thread: 1, following: 1 }]],
    unknown_room: [['eve', { thread: 1, following: true }]],
    unknown_message: [['ben', { thread: 3, following: true }]],
    forbidden: [['eve', { room: 'lobby', thread: 1, following: true }]],
  },
  'message:search': {
    ok: [
      ['ben', { query: 'a message' }],
      ['ben', leaves('ben', { query: 'a', limit: 50 })],
      ['ben', { from: 'nobody', has: 'links', sentFrom: 0, sentBefore: 0 }],
    ],
    bad_request: [
      ['ben', { query: 'x'.repeat(101) }],
      ['ben', { query: 'x', cursor: '1' }],
      ['ben', { query: 'x', limit: 51 }],
      ['ben', {}],
      ['ben', { has: 'voices' }],
      ['ben', { from: '' }],
      ['ben', { sentFrom: -1 }],
      ['ben', { sentBefore: '2026-01-01' }],
    ],
    unknown_room: [['eve', { query: 'a message' }]],
  },
  'read:mark': {
    ok: [
      ['ben', { seq: 1, unread: true }],
      ['ben', leaves('ben', { seq: 2 })],
      ['ben', { seq: 0 }],
    ],
    bad_request: [
      ['ben', { seq: 3 }],
      ['ben', { seq: -1 }],
    ],
    unknown_room: [['eve', { seq: 1 }]],
  },
  'typing:set': {
    ok: [
      ['ben', { typing: true }],
      // The block is not revealed, and nobody sees the typing.
      ['eve', blocked({ typing: true })],
    ],
    bad_request: [['ben', { typing: 1 }]],
    forbidden: [['ben', onlyModerators({ typing: true })]],
    muted: [['ben', muted({ typing: true })]],
    unknown_room: [['eve', { typing: true }]],
    not_joined: [['ben', leaves('ben', { typing: true })]],
  },
};
const namesNoRoom: readonly RequestName[] = ['room:list', 'room:create', 'direct:open', 'user:find'];
const named = (event: RequestName, room: string, payload: object): object =>
  namesNoRoom.includes(event) || (event === 'message:search' && 'room' in payload)
    ? payload
    : { room, ...payload };

let site: PeopleSite;
/** The scene of the requests that are refused as they are. */
let untouched: Awaited<ReturnType<typeof setScene>>;
beforeAll(async () => {
  site = await startPeopleSite({
    CHAT_LIMIT_TEXT: '20',
    CHAT_LIMIT_ROOMS_USER: '5',
    CHAT_LIMIT_MEMBERS: '4',
    CHAT_HOLD_WORDS: 'pallets',
  });
  const admin = await site.person({ roles: 'admin' });
  await admin.request('room:create', { name: taken, kind: 'public', clientId: fresh() });
  admin.close();
  untouched = await setScene();
});
afterAll(() => site.close());

async function setScene(on = site): Promise<Scene & { close(): void }> {
  // Ann is a moderator of the site too, because only moderators create public rooms.
  const [ann, ben, eve] = [await on.person({ roles: 'moderator' }), await on.person(), await on.person()];
  const room = (await on.den(ann, [ben])).id;
  for (const member of [ann, ben]) {
    await member.request('room:join', { room });
    await say(member, room, 'a message');
  }
  const close = () => {
    for (const one of [ann, ben, eve]) one.close();
  };
  return { ann, ben, eve, room, close };
}

/** The tests of each request show that it can be done; here each time needs a scene of its own. */
const tested = Object.entries(table).map(
  ([event, codes]) =>
    [
      event as RequestName,
      (Object.entries(codes) as [Code, readonly Case[]][]).filter(([code]) => soak || code !== 'ok'),
    ] as const,
);
describe.each(tested.filter(([, codes]) => codes.length > 0))('%s', (event, codes) => {
  test.each(codes)('%s', async (code, cases) => {
    for (const [who, make] of cases) {
      // A request that is refused changes nothing, so the next one may use the same scene.
      const isLeft = code !== 'ok' && typeof make === 'object';
      const scene = isLeft ? untouched : await setScene();
      const payload = typeof make === 'function' ? await make(scene) : make;
      const answer: Answer<unknown> = await scene[who].raw(event, named(event, scene.room, payload));
      expect([payload, answer.ok ? 'ok' : answer.error.code]).toEqual([payload, code]);
      if (!answer.ok) expect(answer.error.message).toMatch(/^.{8,}$/);
      if (!isLeft) scene.close();
    }
  });
});

test('more members than a room may have: limit_reached for each that is one too many', async () => {
  const { ann, room, close } = await setScene();
  expect(await ann.request('room:invite', { room, users: ['a1', 'a2', 'a3'] })).toEqual({
    added: ['a1', 'a2'],
    failed: [{ user: 'a3', code: 'limit_reached' }],
  });
  const members = ['b1', 'b2', 'b3', 'b4'];
  expect(
    await ann.request('room:create', { name: 'Full', kind: 'private', members, clientId: fresh() }),
  ).toMatchObject({ room: { members: 4 }, failed: [{ user: 'b4', code: 'limit_reached' }] });
  close();
});

test('an action that the operator has switched off is forbidden', async () => {
  const strict = await startPeopleSite({
    CHAT_CREATE_ROOMS: 'none',
    CHAT_DIRECT: 'off',
    CHAT_FIND_PEOPLE: 'off',
    CHAT_FILES: 'off',
    CHAT_SEEN: 'off',
  });
  const [ann, admin] = [await strict.person(), await strict.person({ roles: 'admin' })];
  expect(ann.ready.can).toEqual({
    createPublic: false,
    createPrivate: false,
    direct: false,
    findPeople: false,
    files: false,
    previews: false,
    seen: false,
    push: false,
    report: true,
    hold: false,
    mail: false,
  });
  for (const method of ['GET', 'POST']) {
    const address = `${strict.chat.url}/files${method === 'GET' ? `/${'a'.repeat(32)}/x` : '?room=lobby&name=x'}`;
    const headers = { origin: 'http://localhost:8080' };
    expect((await fetch(address, { method, headers })).status).toBe(404);
  }
  for (const kind of ['private', 'public']) {
    const room = { name: 'x', kind, clientId: fresh() };
    expect(await codeOf(ann, 'room:create', room)).toBe('forbidden');
    expect(await codeOf(admin, 'room:create', room)).toBe('ok');
  }
  expect(await codeOf(ann, 'direct:open', { user: admin.id })).toBe('forbidden');
  expect(await codeOf(ann, 'message:seen', { room: 'lobby', seq: 1 })).toBe('forbidden');
  expect(await codeOf(ann, 'user:find', { query: 'x' })).toBe('forbidden');
  await strict.close();
});

describe('rate_limited, with the time to wait', () => {
  const limits: Record<string, [RequestName, (scene: Scene, n: number) => object][]> = {
    CHAT_LIMIT_SEND: [['message:send', () => ({ text: 'x', clientId: fresh() })]],
    CHAT_LIMIT_CHANGE: [
      ['message:edit', (_, n) => ({ seq: 1, text: `x${n}` })],
      ['message:delete', () => ({ seq: 1 })],
      ['message:react', (_, n) => ({ seq: 1, emoji: '👍', on: n % 2 === 0 })],
      ['thread:follow', (_, n) => ({ thread: 1, following: n % 2 === 0 })],
      ['read:mark', () => ({ seq: 0, unread: true })],
      ['user:hide', (_, n) => ({ hidden: n % 2 === 0 })],
      ['device:remove', () => ({ id: 'none' })],
      ['room:update', (_, n) => ({ topic: `x${n}` })],
      ['room:remove', (_, n) => ({ user: `nobody-${n}` })],
      ['room:role', ({ ben }, n) => ({ user: ben.id, role: n % 2 === 0 ? 'moderator' : 'member' })],
      ['room:notify', (_, n) => ({ notify: n % 2 === 0 ? 'none' : 'all' })],
      ['client:active', (_, n) => ({ lang: n % 2 === 0 ? 'de' : 'en' })],
    ],
    CHAT_LIMIT_CREATE: [
      ['room:create', () => ({ name: 'x', kind: 'private', clientId: fresh() })],
      ['direct:open', (_, n) => ({ user: `somebody-${n}` })],
    ],
    CHAT_LIMIT_INVITE: [
      ['room:invite', (_, n) => ({ users: [`somebody-${n}`] })],
      ['invite:create', () => ({})],
    ],
    CHAT_LIMIT_SEARCH: [
      ['message:search', () => ({ query: 'x' })],
      ['user:find', () => ({ query: 'x' })],
    ],
  };
  let limited: PeopleSite;
  beforeAll(async () => {
    limited = await startPeopleSite(Object.fromEntries(Object.keys(limits).map((name) => [name, '3/1h'])));
  });
  afterAll(() => limited.close());

  test.each(
    Object.entries(limits).flatMap(([limit, events]) =>
      size(events, events.slice(0, 4)).map((one) => [limit, ...one] as const),
    ),
  )('%s: %s', async (_, event, payload) => {
    const scene = await setScene(limited);
    const asked: (number | string)[] = [];
    for (let n = 0; n < 4; n++) {
      const answer = await scene.ann.raw(event, named(event, scene.room, payload(scene, n)));
      asked.push(answer.ok ? 'ok' : answer.error.code);
      if (!answer.ok) {
        expect(answer.error.retryAfterMs).toBeGreaterThan(3_590_000);
        expect(answer.error.retryAfterMs).toBeLessThanOrEqual(3_600_000);
      }
    }
    // The scene has used some of the limits once.
    expect(asked.at(-1)).toBe('rate_limited');
    expect(asked.filter((code) => code === 'ok').length).toBeGreaterThanOrEqual(2);
    scene.close();
  });

  test('a repeat of a stored request is answered, however limited its sender is; a conflict, too', async () => {
    const scene = await setScene(limited);
    const { ben, room } = scene;
    const once = { room, text: 'once', clientId: fresh() };
    const first = await ben.request('message:send', once);
    await say(ben, room);
    expect(await codeOf(ben, 'message:send', { room, text: 'x', clientId: fresh() })).toBe('rate_limited');
    expect(await ben.request('message:send', once)).toEqual(first);
    expect(await codeOf(ben, 'message:send', { ...once, text: 'other' })).toBe('conflict');
    scene.close();
  });
});

describe('of several reasons the first in the order of docs/protocol.md is given', () => {
  test.each<[Code, string, Who, RequestName, (scene: Scene) => Promise<object> | object]>([
    ['bad_request', 'unknown_room', 'eve', 'message:send', () => ({ text: ' ', clientId: 'a' })],
    ['too_long', 'unknown_room', 'eve', 'message:send', () => ({ text: 'x'.repeat(21), clientId: 'a' })],
    ['unknown_room', 'not_joined', 'eve', 'message:edit', () => ({ seq: 1, text: 'x' })],
    ['not_joined', 'forbidden', 'ben', 'message:edit', leaves('ben', { seq: 1, text: 'x' })],
    ['not_joined', 'unknown_message', 'ben', 'message:delete', leaves('ben', { seq: 9 })],
    ['forbidden', 'unknown_user', 'ben', 'room:role', () => ({ user: 'nobody-there', role: 'owner' })],
    ['forbidden', 'conflict', 'ben', 'room:update', () => ({ name: taken })],
    [
      'conflict',
      'not_joined',
      'ben',
      'message:send',
      async ({ ben, room }) => {
        await ben.request('message:send', { room, text: 'once', clientId: 'same' });
        await ben.request('room:leave', { room });
        return { text: 'twice', clientId: 'same' };
      },
    ],
    [
      'ok',
      'not_joined, as a repeat',
      'ben',
      'message:send',
      async ({ ben, room }) => {
        await ben.request('message:send', { room, text: 'once', clientId: 'same' });
        await ben.request('room:leave', { room });
        return { text: 'once', clientId: 'same' };
      },
    ],
    [
      'conflict',
      'unknown_message',
      'ben',
      'message:send',
      async ({ ben, room }) => {
        await ben.request('message:send', { room, text: 'once', clientId: 'same' });
        return { text: 'once', clientId: 'same', replyTo: 99 };
      },
    ],
    [
      'conflict',
      'limit_reached',
      'ann',
      'room:create',
      async ({ ann }) => {
        for (let n = 0; n < 4; n++) {
          await ann.request('room:create', { name: 'x', kind: 'private', clientId: fresh() });
        }
        return { name: taken, kind: 'public', clientId: fresh() };
      },
    ],
  ])('%s before %s', async (code, _, who, event, make) => {
    const scene = await setScene();
    const payload = await make(scene);
    expect(await codeOf(scene[who], event, named(event, scene.room, payload))).toBe(code);
    scene.close();
  });
});
