import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, RequestName } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { codeOf, type Person, say } from '../../helpers/people.ts';
import { type PeopleHere, startPeopleHere } from '../../helpers/people-here.ts';

/**
 * Rejects each request in the table of docs/protocol.md once for each of its own reasons. payloads.unit.test.ts tests
 * the schemas, and chat/hidden.test.ts tests `unknown_room`. Unknown events, a draining server and a failing history
 * are tested elsewhere.
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

/** A private room of Ann’s that Ann and Ben have joined. Ann wrote message 1, and Ben message 2. */
interface Scene {
  ann: Person;
  ben: Person;
  /** Not a member of the room. */
  eve: Person;
  room: string;
}
type Who = 'ann' | 'ben' | 'eve';
/**
 * The payload or a function that makes it. The room of the scene is the default. An asynchronous function changes the
 * scene.
 */
type Payload = object | ((scene: Scene) => Promise<object> | object);

const cursor = (key: unknown) => Buffer.from(JSON.stringify(key)).toString('base64url');
const fresh = () => newClientId();
const at = (user: string, start: number, length = 1) => ({ user, start, length });
const many = (count: number) => Array.from({ length: count }, (_, n) => at('1', n));
/** `who` sends `event` in the room before the request. */
const done =
  <E extends RequestName>(who: Who, event: E, what: object, payload: object) =>
  async (scene: Scene) => {
    await scene[who].request(event, { room: scene.room, ...what } as never);
    return payload;
  };
const leaves = (who: Who, payload: object = {}) => done(who, 'room:leave', {}, payload);
/** Ann mutes Ben before the request. */
const muted =
  (payload: object) =>
  async ({ ann, ben, room }: Scene) => {
    await ann.request('room:mute', { room, user: ben.id, seconds: 60 });
    return payload;
  };
const under = (rule: object, payload: object) => done('ann', 'room:update', rule, payload);
const onlyModerators = (payload: object) => under({ write: 'moderators' }, payload);
/** Opens a direct room of Eve and Ann. */
async function direct({ ann, eve }: Scene): Promise<string> {
  const { id: room } = (await eve.request('direct:open', { user: ann.id })).room;
  await eve.request('room:join', { room });
  await say(eve, room, 'a message');
  return room;
}
/** Ann blocks Eve before the request. */
const blocked =
  (payload: object = {}) =>
  async (scene: Scene) => {
    const room = await direct(scene);
    await scene.ann.request('user:block', { user: scene.eve.id, blocked: true });
    return { ...payload, room };
  };
/** Ann pins or deletes her message before the request. */
const pinned = (payload: object) => done('ann', 'message:pin', { seq: 1 }, payload);
const deleted = (payload: object) => done('ann', 'message:delete', { seq: 1 }, payload);
/** `by` reports the message. @returns the payload that closes the report */
const reported = (by: Who, seq: number) => async (scene: Scene) => {
  await scene[by].request('message:report', { room: scene.room, seq, reason: 'spam' });
  return { id: (await scene.ann.request('report:list', {})).reports[0]?.id, done: 'nothing' };
};
/** Ben sends a message with the same `clientId` before the request. */
const repeats =
  (first: object = {}, again: object = {}) =>
  async ({ ben, room }: Scene) => {
    const sent = { text: 'once', clientId: 'same', ...first };
    await ben.request('message:send', { room, ...sent });
    return { ...sent, ...again };
  };
const made = (over: object = {}) => ({ name: 'x', kind: 'private', clientId: 'a', ...over });
const of =
  (who: Who, payload: object = {}) =>
  (scene: Scene) => ({ user: scene[who].id, ...payload });
/** Forwards a message within the room. */
const forwarded =
  (seq: number, before: (scene: Scene) => Promise<object> = async () => ({})) =>
  async (scene: Scene) => {
    const from = { room: scene.room, seq };
    return { from, clientId: fresh(), ...(await before(scene)) };
  };
/** Creates a pending message by Ben. */
const waiting = async ({ ben, room }: Scene) => {
  const sent = await ben.raw('message:send', { room, text: 'cheap pallets', clientId: fresh() });
  return { id: sent.ok ? (sent.data as { held: { id: string } }).held.id : '' };
};
/** Ann schedules a message. @returns its ID, with `payload` */
const planned =
  (payload: object = {}) =>
  async ({ ann, room }: Scene) => {
    const sent = { room, text: 'later', clientId: fresh(), at: Date.now() + 3_600_000 };
    const answer = await ann.request('scheduled:add', sent);
    return { id: 'scheduled' in answer ? answer.scheduled.id : '', ...payload };
  };
const later = (over: object = {}) => ({ text: 'x', clientId: fresh(), at: Date.now() + 3_600_000, ...over });
/** Ann sends a poll before the request, as message 3. */
const asked =
  (payload: object, isEnded = false) =>
  async ({ ann, room }: Scene) => {
    const poll = { options: ['a', 'b'] };
    await ann.request('message:send', { room, text: 'which?', clientId: fresh(), poll });
    if (isEnded) await ann.request('poll:end', { room, seq: 3 });
    return { seq: 3, ...payload };
  };
const taken = 'The taken name';

const table: Record<RequestName, Partial<Record<Code, Partial<Record<Who, readonly Payload[]>>>>> = {
  'room:list': {
    bad_request: {
      eve: [{ cursor: 'x' }, { cursor: cursor(['a', 'b']) }, { member: false, cursor: cursor([1, 'b']) }],
    },
  },
  'room:join': {},
  'room:sync': { ok: { ben: [{ since: 1, limit: 500 }] } },
  'room:leave': {},
  'room:create': {
    ok: { eve: [() => made({ name: 'x'.repeat(80), topic: 'x'.repeat(250), clientId: fresh() })] },
    bad_request: { ann: [made({ kind: 'public', members: ['x'] })] },
    forbidden: { eve: [made({ kind: 'public' })] },
    conflict: { ann: [() => made({ name: taken.toUpperCase(), kind: 'public', clientId: fresh() })] },
  },
  'room:update': {
    ok: { ann: [{ slow: 3600 }] },
    unknown_file: { ann: [{ picture: 'a'.repeat(32) }] },
    forbidden: { ben: [{ name: 'New' }], eve: [{ room: 'lobby', name: 'New' }] },
    conflict: {
      ann: [
        async ({ ann }) => {
          const { id: room } = await site.den(ann, [], { name: `Other ${fresh()}`, kind: 'public' });
          return { room, name: taken };
        },
      ],
    },
  },
  'room:delete': { forbidden: { ben: [{}], eve: [{ room: 'lobby' }] } },
  'room:invite': { forbidden: { eve: [{ room: 'lobby', users: ['x'] }] } },
  'room:remove': {
    ok: { ann: [{ user: 'nobody-there' }], eve: [({ eve }) => ({ room: 'lobby', user: eve.id })] },
    forbidden: { ben: [of('ann'), { user: 'nobody-there' }] },
  },
  'room:role': {
    forbidden: {
      ben: [of('ben', { role: 'owner' }), { user: 'nobody-there', role: 'moderator' }],
      ann: [of('ann', { role: 'member' })],
    },
    unknown_user: { ann: [{ user: 'nobody-there', role: 'moderator' }] },
  },
  'room:mute': {
    ok: { ann: [{ user: 'nobody-there', seconds: 0 }] },
    forbidden: { ben: [of('ann'), { user: 'nobody-there' }], ann: [of('ann')] },
  },
  'room:ban': { forbidden: { ben: [of('ann')], ann: [of('ann', { seconds: 0 })] } },
  'room:restricted': {
    bad_request: { ann: [{ cursor: 'x' }, { cursor: cursor([1]) }] },
    forbidden: { ben: [{}] },
  },
  'room:members': {
    bad_request: { ben: [{ cursor: 'x' }, { cursor: cursor(['a']) }, { cursor: cursor([1, 'b']) }] },
  },
  'room:previews': {
    ok: { eve: [async (scene: Scene) => ({ room: await direct(scene), previews: 'on' })] },
    forbidden: {
      eve: [
        async ({ eve }) => ({
          room: (await eve.request('direct:open', { user: `never ${fresh()}` })).room.id,
          previews: 'on',
        }),
      ],
      ben: [onlyModerators({ previews: 'on' })],
    },
    bad_request: { ann: [{ previews: 'on' }] },
  },
  'room:notify': { forbidden: { eve: [{ room: 'lobby', notify: 'none' }] } },
  'room:arrange': { forbidden: { eve: [{ room: 'lobby', favourite: 1 }] } },
  'invite:create': {
    forbidden: { eve: [{ room: 'lobby' }] },
    limit_reached: {
      ben: [
        async ({ ben, room }) => {
          await Promise.all(Array.from({ length: 20 }, () => ben.request('invite:create', { room })));
          return {};
        },
      ],
    },
  },
  'invite:list': { forbidden: { eve: [{ room: 'lobby' }] } },
  'invite:revoke': { forbidden: { eve: [{ room: 'lobby', id: 'none' }] } },
  'invite:look': { unknown_invite: { eve: [{ token: 'none' }] } },
  'invite:accept': {
    unknown_invite: { eve: [{ token: 'none' }] },
    limit_reached: {
      eve: [
        async ({ ann, room }) => {
          const { token } = await ann.request('invite:create', { room });
          const users = ['x', 'y', 'z', 'u', 'v'].map((id) => id + fresh());
          await ann.request('room:invite', { room, users });
          return { token };
        },
      ],
    },
  },
  'direct:open': {
    bad_request: { eve: [of('eve')] },
    forbidden: { eve: [async (scene) => ({ ...(await blocked()(scene)), user: scene.ann.id })] },
  },
  'message:report': {
    ok: { ann: [leaves('ann', { seq: 2, reason: 'other' })] },
    forbidden: { ann: [{ seq: 1, reason: 'spam' }] },
    unknown_message: { ben: [{ seq: 3, reason: 'spam' }, deleted({ seq: 1, reason: 'spam' })] },
  },
  'report:list': { bad_request: { ann: [{ cursor: cursor([5]) }] }, forbidden: { eve: [{}] } },
  'held:list': { bad_request: { ann: [{ cursor: cursor([5]) }] }, forbidden: { eve: [{}] } },
  'held:approve': {
    // Without a role, users cannot decide on messages, even their own.
    unknown_message: { ann: [{ id: 'none' }], eve: [waiting], ben: [waiting] },
  },
  'held:reject': { unknown_message: { ann: [{ id: 'none' }], eve: [waiting] } },
  'held:discard': { ok: { eve: [waiting] } },
  'scheduled:add': {
    ok: { ben: [later(), later({ at: 0 })] },
    bad_request: {
      ben: [
        later({ text: ' ' }),
        later({ at: Date.now() + 367 * 86_400_000 }),
        later({ mentions: [at('1', 1)] }),
      ],
    },
    too_long: { ben: [later({ text: 'x'.repeat(4001) })] },
    unknown_room: { eve: [later()] },
    forbidden: { ben: [onlyModerators(later())], eve: [blocked(later())] },
    muted: { ben: [muted(later())] },
    unknown_message: { ben: [later({ replyTo: 99 })] },
    unknown_file: { ben: [later({ files: [{ id: 'none' }] })] },
    conflict: { ben: [repeats({}, { text: 'other', at: 0 })] },
  },
  'scheduled:list': {},
  'scheduled:edit': {
    ok: { ann: [planned({ text: 'other' })] },
    bad_request: {
      ann: [
        planned({ text: ' ' }),
        planned({ at: Date.now() + 367 * 86_400_000 }),
        planned({ mentions: [] }),
      ],
    },
    too_long: { ann: [planned({ text: 'x'.repeat(4001) })] },
    unknown_message: { ann: [{ id: 'none' }], eve: [planned({ text: 'other' })] },
    unknown_file: { ann: [planned({ files: [{ id: 'none' }] })] },
    conflict: { ann: [planned({ rev: 2, text: 'other' })] },
  },
  'scheduled:send': {
    ok: { ann: [planned()] },
    unknown_message: { ann: [{ id: 'none' }], eve: [planned()] },
  },
  'scheduled:delete': { ok: { ann: [planned()], eve: [planned()] } },
  'reminder:set': {
    ok: {
      ben: [
        { seq: 1, at: 0 },
        { seq: 1, at: Date.now() + 3_600_000 },
      ],
    },
    bad_request: { ben: [{ seq: 1, at: Date.now() + 367 * 86_400_000 }] },
    unknown_room: { eve: [{ seq: 1, at: 0 }] },
    unknown_message: { ben: [{ seq: 99, at: 0 }] },
  },
  'reminder:list': {},
  'reminder:delete': { ok: { ann: [{ id: 'none' }], eve: [planned()] } },
  'report:close': {
    unknown_message: { ann: [{ id: 'none', done: 'nothing' }], eve: [reported('ann', 2)] },
    forbidden: { ann: [reported('ben', 1)] },
  },
  'report:context': { unknown_message: { ann: [{ id: 'none' }], eve: [reported('ann', 2)] } },
  'moderate:people': {
    ok: { ann: [{ query: 'name', limit: 100, cursor: cursor(['a', 'b']) }] },
    bad_request: {
      ann: [{ cursor: 'x' }, { cursor: cursor(['a', 'b']) }, { query: 'name', cursor: cursor([5, 'a']) }],
    },
    forbidden: { eve: [{}] },
  },
  'moderate:person': { unknown_user: { ann: [{ user: 'never-seen' }] }, forbidden: { eve: [of('ann')] } },
  'moderate:ban': {
    forbidden: { ben: [of('eve')], ann: [of('ann')] },
    unknown_user: { ann: [{ user: 'never-seen' }] },
  },
  // chat/moderating.test.ts tests it with CHAT_MODERATE_DATA=on.
  'moderate:erase': { forbidden: { ann: [of('ben', { name: 'x' })] } },
  'moderate:acts': { forbidden: { ann: [{}] } },
  'moderate:rooms': { forbidden: { eve: [{ rooms: ['lobby'] }] } },
  'moderate:overview': { forbidden: { eve: [{}] } },
  // The site does not receive events.
  'moderate:retry': { forbidden: { ann: [{}], eve: [{}] } },
  'user:block': { bad_request: { eve: [of('eve', { blocked: true })] } },
  'user:blocked': {},
  'user:about': {},
  'user:hide': {},
  // push/devices.test.ts tests it with pushes.
  'device:register': { forbidden: { eve: [{ token: 'a', name: 'x'.repeat(64) }] } },
  'device:remove': {},
  // A ticket needs a server with a key: see tickets.test.ts.
  'session:renew': {},
  'device:list': {},
  // notify/notify.test.ts tests it with notifications.
  'notify:get': { forbidden: { eve: [{}] } },
  'notify:set': {
    forbidden: { eve: [{ mail: 5, push: false, quiet: { from: '22:00', to: '07:00', zone: 'Asia/Tokyo' } }] },
  },
  'client:active': { ok: { eve: [{ zone: 'Europe/Paris', lang: 'pt-BR' }] } },
  'user:find': { ok: { ben: [{ query: 'N', limit: 20 }] } },
  'message:send': {
    ok: {
      ben: [
        // The positions of mentions count characters. Mentions may be in any order.
        () => ({ text: '👋🏽x', clientId: fresh(), mentions: [at('1', 2), at('*', 0, 2)] }),
        () => ({ text: 'x'.repeat(20), clientId: fresh(), mentions: many(20) }),
      ],
    },
    bad_request: {
      ben: [
        { text: '\u00ad', clientId: 'a' },
        { text: '', clientId: 'a', files: [] },
        { text: '', clientId: 'a', files: [{ id: 'f' }], poll: { options: ['a', 'b'] } },
        { text: '👋🏽x', clientId: 'a', mentions: [at('1', 2, 2)] },
        { text: 'xyz', clientId: 'a', mentions: [at('1', 1, 2), at('2', 0, 2)] },
      ],
    },
    forbidden: {
      ben: [onlyModerators({ text: 'x', clientId: 'a' })],
      eve: [blocked({ text: 'x', clientId: 'a' })],
    },
    muted: { ben: [muted({ text: 'x', clientId: 'a' })] },
    unknown_file: { ben: [{ text: '', clientId: 'a', files: [{ id: 'none' }] }] },
    rate_limited: { ben: [under({ slow: 60 }, { text: 'x', clientId: 'a' })] },
    too_long: { ben: [{ text: 'x'.repeat(21), clientId: 'a' }] },
    not_joined: { ben: [leaves('ben', { text: 'x', clientId: 'a' })] },
    unknown_message: { ben: [() => ({ text: 'x', clientId: fresh(), replyTo: 3 })] },
    conflict: {
      ben: [
        repeats({}, { text: 'twice' }),
        repeats({}, { replyTo: 1 }),
        repeats({ mentions: [at('1', 0)] }, { mentions: [at('1', 0, 2)] }),
      ],
    },
  },
  'message:forward': {
    forbidden: {
      ben: [forwarded(1, onlyModerators({}))],
      // In the second case, Eve may read the lobby without being a member.
      eve: [forwarded(1, blocked()), forwarded(1, async () => ({ room: 'lobby' }))],
    },
    muted: { ben: [forwarded(1, muted({}))] },
    unknown_message: {
      ben: [
        forwarded(3),
        forwarded(1, async () => ({ from: { room: 'none', seq: 1 } })),
        forwarded(1, deleted({})),
      ],
    },
    rate_limited: { ben: [forwarded(1, under({ slow: 60 }, {}))] },
    conflict: { ben: [forwarded(1, repeats())] },
  },
  'message:edit': {
    bad_request: {
      ann: [
        { seq: 1, text: ' ' },
        { seq: 1, text: 'x', mentions: [at('1', 1)] },
      ],
    },
    too_long: { ann: [{ seq: 1, text: 'x'.repeat(21) }] },
    not_joined: { ann: [leaves('ann', { seq: 1, text: 'x' })] },
    forbidden: {
      ben: [{ seq: 1, text: 'x' }, onlyModerators({ seq: 2, text: 'x' })],
      ann: [{ seq: 2, text: 'x' }],
      eve: [blocked({ seq: 1, text: 'x' })],
    },
    muted: { ben: [muted({ seq: 2, text: 'x' })] },
    unknown_file: { ben: [{ seq: 2, text: 'x', files: [{ id: 'none' }] }] },
    unknown_message: { ann: [{ seq: 3, text: 'x' }, deleted({ seq: 1, text: 'x' })] },
    conflict: {
      ann: [done('ann', 'message:edit', { seq: 1, text: 'newer' }, { seq: 1, text: 'older', rev: 1 })],
    },
  },
  'message:delete': {
    not_joined: { ben: [leaves('ben', { seq: 2 })] },
    forbidden: { ben: [{ seq: 1 }] },
    unknown_message: { ann: [{ seq: 3 }] },
  },
  'message:unpreview': {
    not_joined: { ben: [leaves('ben', { seq: 2 })] },
    forbidden: { ben: [{ seq: 1 }] },
    unknown_message: { ann: [{ seq: 3 }] },
  },
  'message:react': {
    ok: { ben: [onlyModerators({ seq: 1, emoji: '👍', on: true })] },
    not_joined: { ben: [leaves('ben', { seq: 1, emoji: '👍', on: true })] },
    forbidden: { eve: [blocked({ seq: 1, emoji: '👍', on: true })] },
    unknown_message: { ben: [{ seq: 3, emoji: '👍', on: true }, deleted({ seq: 1, emoji: '👍', on: true })] },
    limit_reached: {
      ben: [
        async ({ ben, room }) => {
          const react = (emoji: string) => ben.request('message:react', { room, seq: 1, emoji, on: true });
          await Promise.all([...'😀😃😄😁'].map(react));
          return { seq: 1, emoji: '👍', on: true };
        },
      ],
    },
  },
  'poll:vote': {
    ok: { ben: [asked({ choice: [2] })] },
    bad_request: { ben: [asked({ choice: [3] }), asked({ choice: [1, 2] })] },
    not_joined: { ben: [leaves('ben', { seq: 1, choice: [1] })] },
    forbidden: { ben: [asked({ choice: [1] }, true)] },
    unknown_message: {
      ben: [
        { seq: 3, choice: [1] },
        { seq: 1, choice: [1] },
      ],
    },
  },
  'poll:end': {
    not_joined: { ben: [leaves('ben', { seq: 2 })] },
    forbidden: { ben: [asked({})] },
    unknown_message: { ann: [{ seq: 3 }, { seq: 1 }], ben: [{ seq: 3 }] },
  },
  // The site has no cards.
  'card:get': { forbidden: { ben: [{ seq: 1 }] } },
  'card:find': {
    bad_request: { ben: [{ about: 'order 1' }] },
    forbidden: { ben: [{}, { about: 'order:1', query: 'honey' }] },
  },
  'card:press': {
    bad_request: { ben: [{ seq: 1, button: '', clientId: 'a' }] },
    forbidden: { ben: [{ seq: 1, button: 'pay', clientId: 'a' }] },
  },
  'message:reactions': {
    ok: { ben: [leaves('ben', { seq: 1, emoji: '👍', cursor: cursor([7]) })] },
    bad_request: { ben: [{ seq: 1, emoji: '👍', cursor: cursor(['7']) }] },
    unknown_message: { ben: [{ seq: 3, emoji: '👍' }] },
  },
  'message:seen': {
    bad_request: { eve: [blocked({ seq: 1 })] },
    unknown_message: { ann: [{ seq: 3 }] },
    // Eve may read the lobby without being a member.
    forbidden: { ben: [{ seq: 1 }], eve: [{ seq: 1, room: 'lobby' }] },
  },
  'message:mark': {
    ok: { ann: [onlyModerators({ seq: 2, important: true })] },
    not_joined: { ann: [leaves('ann', { seq: 2, important: true })] },
    forbidden: {
      ann: [{ seq: 2, important: true }],
      ben: [onlyModerators({ seq: 2, important: true })],
      eve: [blocked({ seq: 1, important: true })],
    },
    muted: {
      ben: [
        async (scene) => {
          const { ann, ben, room } = scene;
          await ann.request('room:role', { room, user: ben.id, role: 'moderator' });
          await ann.request('room:update', { room, write: 'moderators' });
          return muted({ seq: 2, important: true })(scene);
        },
      ],
    },
    unknown_message: { ann: [onlyModerators({ seq: 3, important: true })] },
  },
  'message:pin': {
    ok: { ann: [muted({ seq: 1 })] },
    not_joined: { ann: [leaves('ann', { seq: 1 })] },
    forbidden: { ben: [{ seq: 1 }], eve: [blocked({ seq: 1 })] },
    unknown_message: { ann: [{ seq: 3 }, deleted({ seq: 1 })] },
    limit_reached: {
      ann: [
        async ({ ann, room }) => {
          await Promise.all(Array.from({ length: 49 }, () => say(ann, room)));
          const pins = Array.from({ length: 50 }, (_, n) => ann.request('message:pin', { room, seq: n + 2 }));
          await Promise.all(pins);
          return { seq: 1 };
        },
      ],
    },
  },
  'message:unpin': {
    ok: { ann: [deleted({ seq: 1 })] },
    not_joined: { ann: [leaves('ann', { seq: 1 })] },
    forbidden: { ben: [pinned({ seq: 1 })], eve: [blocked({ seq: 1 })] },
    unknown_message: { ann: [{ seq: 3 }] },
  },
  'room:files': { ok: { ben: [leaves('ben', { what: 'links', before: 2, limit: 100 })] } },
  'room:pins': {},
  'message:history': {
    ok: { ben: [leaves('ben', { after: 0, limit: 100 })] },
    bad_request: { ben: [{ before: 2, after: 1 }] },
  },
  'thread:get': {
    ok: { ben: [leaves('ben', { thread: 2, after: 0, limit: 100 })] },
    bad_request: { ben: [{ thread: 1, before: 2, after: 1 }] },
    unknown_message: { ben: [{ thread: 3 }] },
  },
  'thread:follow': {
    unknown_message: { ben: [{ thread: 3, following: true }] },
    forbidden: { eve: [{ room: 'lobby', thread: 1, following: true }] },
  },
  'message:search': {
    ok: { ben: [leaves('ben', { query: 'a', limit: 50 })] },
    bad_request: { ben: [{ query: 'x', cursor: '1' }, {}] },
  },
  'read:mark': { ok: { ben: [{ seq: 1, unread: true }, { seq: 0 }] }, bad_request: { ben: [{ seq: 3 }] } },
  // With a team: see questions.test.ts in test/server/chat.
  'question:about': { forbidden: { ben: [{}] } },
  'question:ask': { forbidden: { ben: [{ text: 'x', clientId: 'q' }] } },
  'question:address': { forbidden: { ben: [{ mail: null }] } },
  'question:claim': { forbidden: { ben: [{ guest: 'x'.repeat(43) }] } },
  'question:list': { forbidden: { ben: [{ which: 'all' }] } },
  'question:open': { forbidden: { ben: [{ question: 'den' }] } },
  'question:take': { forbidden: { ben: [{ question: 'den' }] } },
  'question:hand': { forbidden: { ben: [{ question: 'den', to: '1' }] } },
  'question:close': { forbidden: { ben: [{ question: 'den' }] } },
  'question:note': { forbidden: { ben: [{ question: 'den', text: 'x', clientId: 'n' }] } },
  'question:unnote': { forbidden: { ben: [{ question: 'den', id: 'n' }] } },
  'question:snippets': { forbidden: { ben: [{}] } },
  'question:snippet': { forbidden: { ben: [{ name: 'x', text: 'x' }] } },
  'typing:set': {
    forbidden: { ben: [onlyModerators({ typing: true })] },
    muted: { ben: [muted({ typing: true })] },
    not_joined: { ben: [leaves('ben', { typing: true })] },
  },
};
const namesNoRoom: readonly RequestName[] = ['room:list', 'room:create', 'direct:open', 'user:find'];
const named = (event: RequestName, room: string, payload: object): object =>
  namesNoRoom.includes(event) || (event === 'message:search' && 'room' in payload)
    ? payload
    : { room, ...payload };

let site: PeopleHere;
/** The scene of requests that do not change it. */
let untouched: Scene;
beforeAll(async () => {
  site = await startPeopleHere({
    CHAT_CREATE_ROOMS: '',
    CHAT_LIMIT_TEXT: '20',
    CHAT_LIMIT_MEMBERS: '4',
    CHAT_HOLD_WORDS: 'pallets',
  });
  const admin = await site.person({ roles: 'admin' });
  await site.den(admin, [], { name: taken, kind: 'public' });
  untouched = await setScene(await newPeople());
});
afterAll(() => site.close());

// Ann is also a site moderator, because only moderators create public rooms.
async function newPeople() {
  return {
    ann: await site.person({ roles: 'moderator' }),
    ben: await site.person(),
    eve: await site.person(),
  };
}

async function setScene(people: Pick<Scene, Who>): Promise<Scene> {
  const { ann, ben } = people;
  const room = (await site.den(ann, [ben])).id;
  await Promise.all([ann, ben].map((client) => client.request('room:join', { room })));
  for (const client of [ann, ben]) await say(client, room, 'a message');
  return { ...people, room };
}

/** Checks the error code. A request that succeeds or changes the scene gets a new room, and `room:create` new users. */
async function ask(code: Code, who: Who, event: RequestName, make: Payload): Promise<void> {
  const isLeft = code !== 'ok' && make.constructor.name !== 'AsyncFunction';
  const people = event === 'room:create' ? await newPeople() : untouched;
  const scene = isLeft ? untouched : await setScene(people);
  const payload = typeof make === 'function' ? await make(scene) : make;
  const answer: Answer<unknown> = await scene[who].raw(event, named(event, scene.room, payload));
  expect([payload, answer.ok ? 'ok' : answer.error.code]).toEqual([payload, code]);
  if (!answer.ok) expect(answer.error.message).toMatch(/^.{8,}$/);
  if (who === 'eve' && !isLeft) await scene.ann.request('user:block', { user: scene.eve.id, blocked: false });
}

const tested = Object.entries(table) as [RequestName, (typeof table)[RequestName]][];
describe.each(tested.filter(([, codes]) => Object.keys(codes).length > 0))('%s', (event, codes) => {
  test.each(Object.entries(codes) as [Code, Record<Who, Payload[]>][])('answers %s', async (code, cases) => {
    for (const [who, payloads] of Object.entries(cases) as [Who, Payload[]][])
      for (const make of payloads) await ask(code, who, event, make);
  });
});

test('answers limit_reached for each user above the member limit of a room', async () => {
  const { ann, room } = await setScene(untouched);
  expect(await ann.request('room:invite', { room, users: ['a1', 'a2', 'a3'] })).toEqual({
    added: ['a1', 'a2'],
    failed: [{ user: 'a3', code: 'limit_reached' }],
  });
  const members = ['b1', 'b2', 'b3', 'b4'];
  const full = await ann.request('room:create', {
    name: 'Full',
    kind: 'private',
    members,
    clientId: fresh(),
  });
  expect(full).toMatchObject({ room: { members: 4 }, failed: [{ user: 'b4', code: 'limit_reached' }] });
});

describe('a site with fewer rights', () => {
  let strict: PeopleHere;
  beforeAll(async () => {
    strict = await startPeopleHere({
      CHAT_CREATE_ROOMS: 'none',
      CHAT_DIRECT: 'off',
      CHAT_FIND_PEOPLE: 'off',
      CHAT_FILES: 'off',
      CHAT_SEEN: 'off',
      CHAT_LIMIT_ROOMS_USER: '2',
    });
  });
  afterAll(() => strict.close());

  test('forbids actions that the operator has switched off', async () => {
    const [ann, admin] = [await strict.person(), await strict.person({ roles: 'admin' })];
    const off = [
      'createPublic',
      'createPrivate',
      'direct',
      'findPeople',
      'files',
      'previews',
      'seen',
      'push',
    ];
    const isOff = Object.fromEntries([...off, 'hold', 'mail'].map((name) => [name, false]));
    expect(ann.ready.can).toEqual({ ...isOff, report: true });
    for (const kind of ['private', 'public']) {
      expect(await codeOf(ann, 'room:create', made({ kind, clientId: fresh() }))).toBe('forbidden');
      expect(await codeOf(admin, 'room:create', made({ kind, clientId: fresh() }))).toBe('ok');
    }
    expect(await codeOf(ann, 'direct:open', { user: admin.id })).toBe('forbidden');
    expect(await codeOf(ann, 'message:seen', { room: 'lobby', seq: 1 })).toBe('forbidden');
    expect(await codeOf(ann, 'user:find', { query: 'x' })).toBe('forbidden');
  });

  test('answers limit_reached above the room limit of a user, or conflict for a taken name', async () => {
    const admin = await strict.person({ roles: 'admin' });
    const make = (over: object) => codeOf(admin, 'room:create', made({ clientId: fresh(), ...over }));
    expect([await make({}), await make({ name: taken, kind: 'public' })]).toEqual(['ok', 'ok']);
    expect([await make({}), await make({ name: taken, kind: 'public' })]).toEqual([
      'limit_reached',
      'conflict',
    ]);
  });
});

describe('rate_limited with a retry delay', () => {
  let lobbySeq = 0;
  /** Sends a message to the lobby, and returns its number. */
  async function sayInLobby(): Promise<number> {
    const shop = { id: 'shop', name: 'Shop' };
    await limited.api('POST', '/rooms/lobby/messages', { user: shop, text: 'x', clientId: fresh() });
    return ++lobbySeq;
  }
  const limits: Record<string, [RequestName, (n: number) => object | Promise<object>][]> = {
    CHAT_LIMIT_REPORT: [
      ['message:report', async () => ({ room: 'lobby', seq: await sayInLobby(), reason: 'spam' })],
    ],
    CHAT_LIMIT_SEND: [['message:send', () => ({ text: 'x', clientId: fresh() })]],
    CHAT_LIMIT_CHANGE: [
      ['message:edit', (n) => ({ seq: 1, text: `x${n}` })],
      ['message:delete', () => ({ seq: 1 })],
      ['message:react', (n) => ({ seq: 1, emoji: '👍', on: n % 2 === 0 })],
      ['thread:follow', (n) => ({ thread: 1, following: n % 2 === 0 })],
      ['read:mark', () => ({ seq: 0, unread: true })],
      ['user:hide', (n) => ({ hidden: n % 2 === 0 })],
      ['device:remove', () => ({ id: 'none' })],
      ['room:update', (n) => ({ topic: `x${n}` })],
      ['room:remove', (n) => ({ user: `nobody-${n}` })],
      ['room:role', (n) => ({ user: 'kim', role: n % 2 === 0 ? 'moderator' : 'member' })],
      ['room:notify', (n) => ({ notify: n % 2 === 0 ? 'none' : 'all' })],
      ['room:arrange', (n) => ({ favourite: n })],
      ['client:active', (n) => ({ lang: n % 2 === 0 ? 'de' : 'en' })],
    ],
    CHAT_LIMIT_CREATE: [
      ['room:create', () => made({ clientId: fresh() })],
      ['direct:open', (n) => ({ user: `somebody-${n}` })],
    ],
    CHAT_LIMIT_INVITE: [
      ['room:invite', (n) => ({ users: [`somebody-${n}`] })],
      ['invite:create', () => ({})],
    ],
    CHAT_LIMIT_SEARCH: [
      ['message:search', () => ({ query: 'x' })],
      ['user:find', () => ({ query: 'x' })],
    ],
  };
  let limited: PeopleHere;
  beforeAll(async () => {
    limited = await startPeopleHere(Object.fromEntries(Object.keys(limits).map((name) => [name, '3/1h'])));
  });
  afterAll(() => limited.close());
  async function alone() {
    const ann = await limited.person();
    const room = (await limited.den(ann, [], { members: ['kim'] })).id;
    await ann.request('room:join', { room });
    await say(ann, room, 'a message');
    return { ann, room };
  }

  test.each(
    Object.entries(limits).flatMap(([limit, events]) =>
      events.map((request) => [limit, ...request] as const),
    ),
  )('%s: %s', async (_, event, payload) => {
    const { ann, room } = await alone();
    const results: (number | string)[] = [];
    for (let n = 0; n < 4; n++) {
      const answer = await ann.raw(event, named(event, room, await payload(n)));
      results.push(answer.ok ? 'ok' : answer.error.code);
      if (answer.ok) continue;
      // test/server/limits/rate-limit.unit.test.ts tests the exact delay.
      expect(answer.error.retryAfterMs).toEqual(expect.any(Number));
    }
    // The scene has already used some limits once.
    expect(results.at(-1)).toBe('rate_limited');
    expect(results.filter((code) => code === 'ok').length).toBeGreaterThanOrEqual(2);
  });

  test('is not the answer to a repeat of a stored request', async () => {
    const { ann, room } = await alone();
    const once = { room, text: 'once', clientId: fresh() };
    const first = await ann.request('message:send', once);
    await say(ann, room);
    expect(await codeOf(ann, 'message:send', { room, text: 'x', clientId: fresh() })).toBe('rate_limited');
    expect(await ann.request('message:send', once)).toEqual(first);
    expect(await codeOf(ann, 'message:send', { ...once, text: 'other' })).toBe('conflict');
    const report = { room: 'lobby', seq: await sayInLobby(), reason: 'spam' };
    for (let n = 0; n < 5; n++) expect(await codeOf(ann, 'message:report', report)).toBe('ok');
  });
});

describe('errors in the order of docs/protocol.md', () => {
  /** Ben sends the message and leaves the room before the request. */
  const leftAfter = (again: object) => async (scene: Scene) => {
    const payload = await repeats({}, again)(scene);
    await scene.ben.request('room:leave', { room: scene.room });
    return payload;
  };
  test.each<[Code, string, Who, RequestName, Payload]>([
    ['bad_request', 'unknown_room', 'eve', 'message:send', { text: ' ', clientId: 'a' }],
    ['too_long', 'unknown_room', 'eve', 'message:send', { text: 'x'.repeat(21), clientId: 'a' }],
    ['unknown_room', 'not_joined', 'eve', 'message:edit', { seq: 1, text: 'x' }],
    ['not_joined', 'forbidden', 'ben', 'message:edit', leaves('ben', { seq: 1, text: 'x' })],
    ['not_joined', 'unknown_message', 'ben', 'message:delete', leaves('ben', { seq: 9 })],
    ['forbidden', 'unknown_user', 'ben', 'room:role', { user: 'nobody-there', role: 'owner' }],
    ['forbidden', 'conflict', 'ben', 'room:update', { name: taken }],
    ['conflict', 'not_joined', 'ben', 'message:send', leftAfter({ text: 'twice' })],
    ['ok', 'not_joined, as a repeat', 'ben', 'message:send', leftAfter({})],
    ['conflict', 'unknown_message', 'ben', 'message:send', repeats({}, { replyTo: 99 })],
  ])('%s before %s', (code, _, who, event, make) => ask(code, who, event, make));
});
