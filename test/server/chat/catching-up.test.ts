import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Chat } from '../../../server/chat/chat.ts';
import { connectUser } from '../../../server/chat/connected-users.ts';
import { requireRoom } from '../../../server/chat/directory.ts';
import type { Connection } from '../../../server/chat/model.ts';
import { join } from '../../../server/chat/rooms.ts';
import { summaryOf } from '../../../server/chat/summary.ts';
import { type Change, everybody, type History, methods, sources } from '../../../server/history/history.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { carryOutErasures } from '../../helpers/erasures.ts';

/**
 * A change can reach a user who is already connected, or whose data is being read. A user who connects later must get
 * the same data.
 */
let history: History;
let chat: Chat;
let close: () => Promise<void>;
/** Delays the read of a user before the query or before its response. */
const held = new Map<string, { moment: Moment; isHeld: () => void; until: Promise<void> }>();
/** All changes, each as its type and JSON. */
const changes: string[] = [];
const at = 1_700_000_000_000;
const user = (id: string) => ({ id, name: `Name of ${id}` });

beforeAll(async () => {
  ({ chat, history, close } = await openChatOver((stored) => ({
    read: methods(async (query, input) => {
      const { user: id = '' } = { ...(input as { user?: string } | null) };
      const hold = query === 'user' ? held.get(id) : undefined;
      const answer = hold?.moment === 'read before it' ? await stored.read[query](input) : undefined;
      hold?.isHeld();
      await hold?.until;
      return answer ?? (await stored.read[query](input));
    }),
  })));
  history.onChange((change) => changes.push(`${change.type} ${JSON.stringify(change)}`));
});
afterAll(() => close());

type Moment = 'there' | 'read before it' | 'read after it' | 'later';

/** `id` is a member of `den`, a private room of `owner`, and has a direct room with `other`, who is also in the den. */
interface World {
  id: string;
  owner: string;
  other: string;
  den: string;
  direct: string;
}

let clientIds = 0;
const say = (room: string, by: string, text = 'news', mentioned?: string, over: object = {}) =>
  history.write.send({
    ...{ room, clientId: `c${clientIds++}`, user: user(by), text, sentAt: at, asMember: true, ...over },
    mentions: mentioned === undefined ? undefined : [{ user: mentioned, start: 0, length: 1 }],
  });
/** Replies to the first message of the room. */
const reply = (room: string, by: string, mentioned?: string) =>
  say(room, by, 'a reply', mentioned, { replyTo: 1 });
const add = (room: string, id: string) =>
  history.write.addMembers({ room, users: [user(id)], source: 'people', mayReturn: true, at });
const remove = (room: string, id: string) =>
  history.write.removeMembers({
    room,
    users: [id],
    sources: sources.people,
    by: 'people',
    cause: 'removed',
    at,
  });
const restrict = (kind: 'muted' | 'banned', { den, id, owner }: World, ends?: true) =>
  history.write.restrict({ room: den, user: id, kind, restriction: ends ? null : { by: owner }, at });
const pin = (room: string, user: string, pinned: boolean) =>
  history.write.pin({ room, seq: 1, user, pinned, at });
/** Creates a message of the member that is pending approval. */
async function holdOf(room: string, id: string) {
  const sent = { room, user: user(id), clientId: `c${clientIds++}`, text: 'waits', sentAt: at };
  const done = await history.write.hold({ ...sent, asMember: true, why: 'all' });
  if (!('held' in done)) throw new Error('the message is not pending');
  return done.held;
}
const rename = (id: string) => history.write.arrive({ user: { id, name: `New ${id}` }, at });
/** Joins the room on each connection of the user. */
async function joinHere(room: string, id: string): Promise<void> {
  for (const connection of chat.directory.person(id)?.connections ?? []) {
    await join(chat, connection, requireRoom(chat.directory.room(room)), { room });
  }
}
async function erase(id: string): Promise<void> {
  await history.write.erase({ user: id, messages: 'anonymise', at });
  await carryOutErasures(history);
}

const askTeam = (id: string) =>
  history.write.askTeam({
    ...{ id: `u-question-${id}`, team: 'team', user: { id, name: id }, name: 'Where' },
    ...{ text: 'Where is it?', clientId: 'q', at },
  });

/** Changes by type. The excluded types are only for other servers and consumers of the log. */
const kinds: {
  [Kind in Exclude<Change['type'], 'broadcast' | 'act' | 'erasing' | 'login_ended'>]: Record<
    string,
    (world: World) => Promise<unknown>
  >;
} = {
  message: {
    'a message': ({ den, owner }) => say(den, owner),
    'a message of the user': ({ den, id }) => say(den, id),
    'an edit': ({ den, owner }) => history.write.edit({ room: den, seq: 1, user: owner, text: 'other', at }),
    'a deletion': ({ den, owner }) =>
      history.write.delete({ room: den, seq: 1, user: owner, moderator: false, at }),
    'a reaction': ({ den, owner }) =>
      history.write.react({ room: den, seq: 1, reactions: [{ user: owner, emoji: '👍', on: true }] }),
    'a message of the peer': ({ direct, other }) => say(direct, other),
  },
  mentions: {
    'a mention': ({ den, owner, id }) => say(den, owner, 'you', id),
    'a mention of all': ({ den, owner }) => say(den, owner, 'all', everybody),
    'a mention that an edit removes': async ({ den, owner, id }) => {
      const { message } = await say(den, owner, 'you', id);
      const { seq } = message;
      await history.write.edit({ room: den, seq, user: owner, text: 'nobody', mentions: [], at });
    },
  },
  concerned: {
    'a reply in a followed thread': async ({ den, owner, id }) => {
      await history.write.follow({ room: den, thread: 1, user: id, following: true });
      await reply(den, owner);
    },
    'a deleted reply in a followed thread': async ({ den, owner, id }) => {
      await history.write.follow({ room: den, thread: 1, user: id, following: true });
      const { message } = await reply(den, owner);
      const { seq } = message;
      await history.write.delete({ room: den, seq, user: owner, moderator: false, at });
    },
    'a reply whose mention an edit removes': async ({ den, owner, id }) => {
      await history.write.follow({ room: den, thread: 1, user: id, following: true });
      const { message } = await reply(den, owner, id);
      const { seq } = message;
      await history.write.edit({ room: den, seq, user: owner, text: 'nobody', mentions: [], at });
    },
  },
  followed: {
    'a followed thread': ({ den, id }) =>
      history.write.follow({ room: den, thread: 1, user: id, following: true }),
  },
  room: {
    'another name of the room': ({ den }) => history.write.updateRoom({ room: den, name: 'Other' }),
    'other rules of the room': ({ den }) =>
      history.write.updateRoom({ room: den, write: 'moderators', slow: 10 }),
    'the expiry of old messages': ({ den }) => history.write.expire({ room: den, firstSeq: 2 }),
    'the deletion of the room': ({ den }) => history.write.deleteRoom({ room: den }),
    'the recreation of the room without the user': async ({ den }) => {
      await history.write.deleteRoom({ room: den });
      await history.write.putRoom({ id: den, kind: 'private', name: 'New', at: at + 1 });
      await add(den, `stranger in ${den}`);
    },
    'the recreation of the room': async ({ den, id, owner }) => {
      for (let n = 0; n < 3; n++) await say(den, owner);
      await history.write.expire({ room: den, firstSeq: 3 });
      await history.write.deleteRoom({ room: den });
      await history.write.putRoom({ id: den, kind: 'private', name: 'New', at: at + 1 });
      await add(den, id);
    },
  },
  member: {
    'the removal of the user': ({ den, id }) => remove(den, id),
    'the removal and return of the user': async ({ den, id }) => {
      await remove(den, id);
      await add(den, id);
    },
    'another room': ({ den, id }) =>
      history.write.createRoom({
        id: `own-${den}`,
        kind: 'private',
        name: 'Own',
        by: user(id),
        clientId: 'own',
        most: 0,
        at,
      }),
    'another role': ({ den, id }) => history.write.setRole({ room: den, user: id, role: 'moderator' }),
    'other notifications': ({ den, id }) =>
      history.write.setPreferences({ room: den, user: id, set: { notify: 'none' } }),
    'a favourite': ({ den, id }) =>
      history.write.setPreferences({ room: den, user: id, set: { favourite: 1 } }),
    'an archived room': ({ den, id }) =>
      history.write.setPreferences({ room: den, user: id, set: { archived: 1 } }),
    'another role of another member': ({ den, other }) =>
      history.write.setRole({ room: den, user: other, role: 'moderator' }),
    'the removal of another member': ({ den, other }) => remove(den, other),
    'the removal and return of the owner': async ({ den, owner }) => {
      await remove(den, owner);
      await add(den, owner);
      await joinHere(den, owner);
    },
    'the first visit of the peer': ({ direct, other }) =>
      history.write.join({ room: direct, user: user(other), at }),
    'a public room': async ({ id }) => {
      await history.write.putRoom({ id: `square-${id}`, kind: 'public', name: `Square ${id}`, at });
      await history.write.join({ room: `square-${id}`, user: user(id), at });
    },
  },
  read: {
    'a read marker': ({ den, id }) => history.write.markRead({ room: den, user: id, seq: 1 }),
    'a read marker that moves back': async ({ den, id }) => {
      await history.write.markRead({ room: den, user: id, seq: 1 });
      await history.write.markUnread({ room: den, user: id, seq: 0 });
    },
    'a read marker of the peer': async ({ direct, other }) => {
      await history.write.join({ room: direct, user: user(other), at });
      await history.write.markRead({ room: direct, user: other, seq: 1 });
    },
  },
  user: {
    'a new name': ({ id }) => rename(id),
    'a new name of the peer': ({ other }) => rename(other),
  },
  ban: { 'a ban from the site': ({ id }) => history.write.setBan({ user: id, ban: { reason: 'spam' } }) },
  restricted: {
    'a mute': (world) => restrict('muted', world),
    'a ban': (world) => restrict('banned', world),
    'a ban and its end': async (world) => {
      await restrict('banned', world);
      await restrict('banned', world, true);
    },
  },
  held: {
    'a pending message': ({ den, other }) => holdOf(den, other),
    'a rejected message': async ({ den, other, owner }) => {
      const { id } = await holdOf(den, other);
      await history.write.rejectPending({ room: den, id, by: owner, at });
    },
  },
  later: {
    'a scheduled message': async ({ den, id }) => {
      const sent = { room: den, user: user(id), clientId: `c${clientIds++}`, text: 'later', sentAt: at };
      const done = await history.write.schedule({ ...sent, due: Date.now() + 3_600_000, most: 9 });
      if (!('scheduled' in done)) throw new Error('the message is not scheduled');
      await history.write.unschedule({ room: den, id: done.scheduled.id, user: id, at });
    },
  },
  report: {
    'a report': ({ den, other }) =>
      history.write.report({ room: den, seq: 1, by: other, reason: 'spam', at }),
  },
  question: {
    'a question of the user': ({ id }) => askTeam(id),
    'a closed question of the user': async ({ id }) => {
      const { room } = await askTeam(id);
      await history.write.closeQuestion({ room: room.id, team: 'team', at });
    },
  },
  pin: {
    'a pinned message': ({ den, owner }) => pin(den, owner, true),
    'an unpinned message': async ({ den, owner }) => {
      for (const pinned of [true, false]) await pin(den, owner, pinned);
    },
  },
  blocked: {
    'a block': ({ id, owner }) => history.write.block({ user: id, other: owner, blocked: true, at }),
    'a block and its end': async ({ id, owner }) => {
      for (const blocked of [true, false]) await history.write.block({ user: id, other: owner, blocked, at });
    },
  },
  reset: {
    'the erasure of the owner': ({ owner }) => erase(owner),
    'the erasure of the peer': ({ other }) => erase(other),
  },
  erased: { 'the erasure of the user': ({ id }) => erase(id) },
};

let connections = 0;
const connect = (id: string, name: string) =>
  connectUser(chat, `c${connections++}`, { id, name, roles: [], rooms: [] });

/** Returns the chat's data of a connected user, and what the user's client receives. */
function known({ person }: Connection, rooms: readonly string[]) {
  const { directory } = chat;
  const { id } = person.user;
  const [connection] = person.connections;
  const memberships = [...person.memberships.values()].map(({ room, member, mentions }) => ({
    record: room.record,
    summary: summaryOf(directory, room, connection as Connection),
    joined: [...room.joined].map((connection) => connection.person.user.id),
    present: [...room.present].sort(([a], [b]) => (a < b ? -1 : 1)),
    // The current mutes and bans are in `restrictions` below.
    member: { ...member, restricted: undefined },
    mentions: [...mentions],
  }));
  return {
    user: person.user,
    blocked: [...person.blocked],
    rooms: rooms.map((id) => directory.room(id)?.here.has(person)),
    memberships: memberships.sort(({ record: a }, { record: b }) => (a.id < b.id ? -1 : 1)),
    restrictions: directory.restrictions.on(id),
    bannedFrom: directory.restrictions.bannedFrom(id),
    ban: directory.banOf(id),
  };
}

let worlds = 0;

/** @returns the chat's data of the user, with IDs that are equal for all moments */
async function knownAfter(
  kind: string,
  change: (world: World) => Promise<unknown>,
  moment: Moment,
  inCompany: boolean,
): Promise<unknown> {
  const w = `w${worlds++}w`;
  const world = {
    id: `${w}-id`,
    owner: `${w}-owner`,
    other: `${w}-other`,
    den: `${w}-den`,
    direct: `${w}-d`,
  };
  const { id, owner, other, den, direct } = world;
  // In one transaction.
  const made = { kind: 'private', name: 'Den', by: user(owner), clientId: 'den', most: 0, at } as const;
  await Promise.all([
    history.write.createRoom({ id: den, ...made }),
    ...[id, other].map((member) => add(den, member)),
    say(den, owner),
    history.write.openDirect({ id: direct, by: user(id), other, at }),
    say(direct, id),
  ]);
  if (inCompany) {
    await Promise.all([owner, other].map((member) => connect(member, user(member).name)));
    await joinHere(den, owner);
  }
  const name = change === kinds.user['a new name'] ? `New ${id}` : user(id).name;
  const hold = Promise.withResolvers<void>();
  const reading = Promise.withResolvers<void>();
  if (moment.startsWith('read')) {
    held.set(id, { moment, isHeld: () => reading.resolve(), until: hold.promise });
  } else reading.resolve();
  const before = moment === 'later' ? undefined : connect(id, moment === 'there' ? user(id).name : name);
  if (moment === 'there') await before;
  await reading.promise;
  await change(world);
  expect(changes.some((logged) => logged.startsWith(`${kind} `) && logged.includes(`"${w}-`))).toBe(true);
  hold.resolve();
  await before;
  const connection = await connect(id, name);
  // Message IDs are random.
  const text = JSON.stringify(known(connection, [den, direct])).replaceAll(w, 'w');
  return JSON.parse(text.replaceAll(/"(clientId|id)":"(c\d+|[\da-f-]{36})"/g, '"$1":""'));
}

const rows = Object.entries(kinds).flatMap(([kind, ways]) =>
  Object.entries(ways).map(([title, change]) => ({ kind, title, change })),
);

describe.concurrent.each([
  ['alone', false],
  ['together with the other members', true],
] as const)('a user who connects %s', (_, inCompany) => {
  test.each(rows)(
    'has the same data after $title, whether connected before, during or after it',
    async ({ kind, change }) => {
      const moments: Moment[] = ['later', 'there', 'read before it', 'read after it'];
      const after = moments.map((moment) => knownAfter(kind, change, moment, inCompany));
      const [later, ...others] = await Promise.all(after);
      for (const [n, known] of others.entries())
        expect([moments[n + 1], known]).toEqual([moments[n + 1], later]);
    },
  );
});
