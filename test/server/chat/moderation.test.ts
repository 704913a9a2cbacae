import { describe, expect, test, vi } from 'vitest';
import type { RoomSummary } from '../../../server/wire/events.ts';
import { type ChatClient, newClientId } from '../../helpers/chat-client.ts';
import { hanging } from '../../helpers/hanging.ts';
import {
  closedAfterEach,
  codeOf,
  eventsOf,
  nextOf,
  type PeopleSite,
  type Person,
  type Several,
  say,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';

const site = sharedSite(() =>
  startPeopleHere({ CHAT_CREATE_ROOMS: 'all', CHAT_ROOMS: 'lobby', CHAT_LIMIT_CHANGE: '0' }),
);
/** A server that decides who may connect. */
const served = sharedSite(() => startPeopleSite());

const inTest = closedAfterEach();
const user = async (session?: object, on: Pick<PeopleSite, 'person'> = site): Promise<Person> =>
  inTest(await on.person(session));
const users = <Count extends keyof Several>(count: Count) => site.people(count, inTest);

/** Creates a room of `owner` with a moderator and members, who all join it. */
async function talk(members = 1, over: object = { kind: 'public' }) {
  const [owner, moderator] = await users(2);
  const others = await Promise.all(Array.from({ length: members }, () => user()));
  const name = newClientId();
  const made = await owner.request('room:create', {
    name,
    kind: 'private',
    clientId: newClientId(),
    ...over,
  });
  const room = made.room.id;
  const guests = [moderator, ...others];
  if (made.room.kind === 'private')
    await owner.request('room:invite', { room, users: guests.map(({ id }) => id) });
  for (const client of [owner, ...guests]) await client.request('room:join', { room });
  await owner.request('room:role', { room, user: moderator.id, role: 'moderator' });
  return { room, owner, moderator, others, ben: others[0] as Person };
}
const named = ({ id }: Person) => ({ id, name: `Name of ${id}` });
const text = () => ({ text: 'hello', clientId: newClientId() });
const send = (client: ChatClient, room: string, over = {}) =>
  client.raw('message:send', { room, ...text(), ...over });

test('lets members react in a room where only moderators may write', async () => {
  const { room, owner, moderator, ben } = await talk();
  await say(ben, room);
  const changes = [nextOf(ben, 'room:changed'), nextOf(moderator, 'room:changed')];
  const { room: updated } = await owner.request('room:update', { room, write: 'moderators' });
  expect(updated).toMatchObject({ write: 'moderators', may: expect.arrayContaining(['send']) });
  const [toBen, toModerator] = await Promise.all(changes);
  expect(toBen).toMatchObject({ id: room, write: 'moderators', may: ['leave'] });
  expect(toModerator).toMatchObject({ write: 'moderators', may: expect.arrayContaining(['send']) });
  expect(await codeOf(ben, 'message:react', { room, seq: 1, emoji: '👍', on: true })).toBe('ok');
  expect(await codeOf(ben, 'message:delete', { room, seq: 1 })).toBe('ok');
  await owner.request('room:update', { room, write: 'all' });
  await expect
    .poll(() => eventsOf(ben, 'room:changed').at(-1))
    .toMatchObject({ write: 'all', may: ['send', 'leave'] });
});

test('counts slow mode over all connections of a user', async () => {
  const { room, owner, ben } = await talk();
  await say(ben, room);
  const changed = nextOf(ben, 'room:changed');
  await owner.request('room:update', { room, slow: 600 });
  expect(await changed).toMatchObject({ slow: 600, write: 'all', may: ['send', 'leave'] });
  const refused = { ok: false, error: { code: 'rate_limited', retryAfterMs: expect.any(Number) } };
  expect(await send(ben, room)).toMatchObject(refused);
  const again = await site.again(ben);
  inTest(again);
  await again.request('room:join', { room });
  expect(await send(again, room)).toMatchObject(refused);
  await owner.request('room:update', { room, slow: 0 });
  await expect.poll(() => eventsOf(ben, 'room:changed').at(-1)).not.toHaveProperty('slow');
  await say(ben, room);
});

test('stores, announces and removes a room’s colour and emoji', async () => {
  const { room, moderator, ben } = await talk();
  const changed = nextOf(ben, 'room:changed');
  const look = { color: 'teal', emoji: '👩🏽‍💻' } as const;
  const { room: updated } = await moderator.request('room:update', { room, ...look });
  expect(updated).toMatchObject(look);
  expect(await changed).toMatchObject({ id: room, ...look });
  expect(await codeOf(ben, 'room:update', { room, color: 'red' })).toBe('forbidden');
  const again = inTest(await site.again(ben));
  expect(again.ready.rooms.find(({ id }) => id === room)).toMatchObject(look);
  await moderator.request('room:update', { room, color: '', emoji: '' });
  const { room: bare } = await again.request('room:join', { room });
  expect(bare).not.toHaveProperty('color');
  expect(bare).not.toHaveProperty('emoji');
});

test('rejects an unknown colour or an invalid emoji as a bad_request about that field', async () => {
  const { room, owner } = await talk();
  const bad = [
    ...['crimson', 'Red', 'h0', 3, null].map((color) => ({ color })),
    ...['🚀🚀', 'rocket', '🚀 ', '\u2764', '\u{1f3fd}\u200d', ' ', 7].map((emoji) => ({ emoji })),
  ];
  for (const look of bad) {
    const [field = ''] = Object.keys(look);
    const message = expect.stringMatching(`^${field}: `);
    expect(await owner.raw('room:update', { room, ...look }), JSON.stringify(look)).toEqual({
      ok: false,
      error: { code: 'bad_request', message },
    });
  }
  const { room: summary } = await owner.request('room:join', { room });
  expect(summary).not.toHaveProperty('color');
  expect(summary).not.toHaveProperty('emoji');
});

const longest = 9_007_199_254_740_991;

describe('a mute', () => {
  test('prevents a member from writing until it ends', async () => {
    const { room, moderator, others } = await talk(2);
    const [ben, eve] = others as [Person, Person];
    const again = await site.again(ben);
    inTest(again);
    await say(ben, room);
    await ben.request('typing:set', { room, typing: true });
    await expect.poll(() => eventsOf(eve, 'typing:changed').at(-1)?.typing).toBe(true);
    await moderator.request('room:mute', { room, user: ben.id, seconds: 600, reason: 'spam' });
    for (const client of [ben, again]) {
      await expect
        .poll(() => eventsOf(client, 'room:changed').at(-1))
        .toMatchObject({ id: room, mutedReason: 'spam', mutedForMs: expect.any(Number) });
    }
    await expect.poll(() => eventsOf(eve, 'typing:changed').at(-1)?.typing).toBe(false);
    const refused = { ok: false, error: { code: 'muted', retryAfterMs: expect.any(Number) } };
    expect(await send(ben, room)).toMatchObject(refused);
    expect(await codeOf(ben, 'message:react', { room, seq: 1, emoji: '👍', on: true })).toBe('ok');
    expect((await ben.request('message:history', { room })).messages).toHaveLength(1);
    expect((await again.request('room:join', { room })).room).toMatchObject({ mutedReason: 'spam' });
    // Mute briefly only now, because a slow machine could exceed a short mute above.
    await moderator.request('room:mute', { room, user: ben.id, seconds: 1, reason: 'spam' });
    for (const client of [ben, again]) {
      await expect.poll(() => eventsOf(client, 'room:changed').at(-1)).not.toHaveProperty('mutedForMs');
    }
    await say(ben, room);
    // Other members are not notified.
    expect(eventsOf(eve, 'room:changed')).toEqual([]);
  });

  test('is listed for moderators until it is lifted', async () => {
    const { room, owner, moderator, ben } = await talk();
    await owner.request('room:mute', { room, user: moderator.id });
    await moderator.request('room:mute', { room, user: ben.id, seconds: 600, reason: 'spam' });
    await moderator.request('room:ban', { room, user: 'never-seen' });
    expect(await send(moderator, room)).toMatchObject({ error: { code: 'muted', retryAfterMs: longest } });
    const { users: listed } = await owner.request('room:restricted', { room });
    expect(listed).toHaveLength(3);
    expect(listed).toEqual(
      expect.arrayContaining([
        { user: named(moderator), kind: 'muted', by: named(owner) },
        { user: named(ben), kind: 'muted', reason: 'spam', until: expect.any(Number), by: named(moderator) },
        { user: { id: 'never-seen', name: 'never-seen' }, kind: 'banned', by: named(moderator) },
      ]),
    );
    await owner.request('room:mute', { room, user: moderator.id, seconds: 0 });
    await expect.poll(() => eventsOf(moderator, 'room:changed').at(-1)).not.toHaveProperty('mutedForMs');
    await say(moderator, room);
    const { users: left } = await owner.request('room:restricted', { room });
    expect(left.map(({ user }) => user.id)).not.toContain(moderator.id);
    expect(left).toHaveLength(2);
  });

  test('covers what others read about the room', async () => {
    const { room, owner } = await talk();
    const moderator = inTest(await user({ roles: 'moderator' }));
    await moderator.request('room:mute', { room, user: owner.id, seconds: 600 });
    for (const words of [{ name: 'Mine' }, { topic: 'mine' }, { emoji: '🧪' }, { picture: '' }]) {
      expect([words, await codeOf(owner, 'room:update', { room, ...words })]).toEqual([words, 'muted']);
    }
    expect(await codeOf(owner, 'room:update', { room, slow: 60 })).toBe('ok');
  });
});

describe('restrictions of a user who turns out to have a site role', () => {
  /** An ID of a user who never connected. */
  const newId = () => `q${newClientId()}`;
  const arrive = async (id: string, roles: string) => inTest(await site.person({ roles }, id));

  test.each(['admin', 'moderator'])(
    'by a user without a role end when the %s first connects',
    async (roles) => {
      const { room, owner } = await talk();
      const id = newId();
      await owner.request('room:ban', { room, user: id });
      await owner.request('room:mute', { room, user: id });
      const arrived = await arrive(id, roles);
      const { rooms } = await arrived.request('room:list', { member: false });
      expect(rooms.map((summary) => summary.id)).toContain(room);
      const joined = await arrived.request('room:join', { room });
      expect(joined.room).not.toHaveProperty('mutedForMs');
      expect(joined.room.may).toContain('moderate');
      expect((await owner.request('room:restricted', { room })).users).toEqual([]);
    },
  );

  test('end when a connected user gets the role', async () => {
    const { room, owner, ben } = await talk();
    await owner.request('room:ban', { room, user: ben.id });
    await expect.poll(() => eventsOf(ben, 'room:removed').length).toBe(1);
    await site.writeSession(ben, { roles: 'moderator' });
    await expect.poll(() => codeOf(ben, 'room:join', { room })).toBe('ok');
  });

  test('by an admin hold for a moderator', async () => {
    const { room } = await talk();
    const boss = await user({ roles: 'admin' });
    const id = newId();
    await boss.request('room:ban', { room, user: id });
    boss.close();
    expect(await codeOf(await arrive(id, 'moderator'), 'room:join', { room })).toBe('unknown_room');
    const [restricted] = (await (await user({ roles: 'admin' })).request('room:restricted', { room })).users;
    expect(restricted).toMatchObject({ user: { id }, kind: 'banned' });
  });

  test('on the whole site do not keep an admin out, unless the site banned the user', async () => {
    const moderator = await user({ roles: 'moderator' }, served);
    const [ben, eve] = await served.people(2, inTest);
    await moderator.request('moderate:ban', { user: ben.id });
    await served.api('PUT', `/users/${eve.id}/ban`, {});
    for (const person of [ben, eve]) await served.writeSession(person, { roles: 'admin' });
    inTest(await served.again(ben));
    await expect(served.again(eve)).rejects.toMatchObject({ data: { code: 'forbidden' } });
  });

  test('on the whole site keep out a moderator whom another moderator banned', async () => {
    const [moderator, ben] = [await user({ roles: 'moderator' }, served), await user({}, served)];
    await moderator.request('moderate:ban', { user: ben.id });
    await served.writeSession(ben, { roles: 'moderator' });
    await expect(served.again(ben)).rejects.toMatchObject({ data: { code: 'forbidden' } });
  });
});

describe('a ban', () => {
  test.each(['public', 'private'] as const)(
    'removes a %s room from all devices of the user until it ends',
    async (kind) => {
      const { room, owner, moderator, others } = await talk(2, { kind });
      const [ben, eve] = others as [Person, Person];
      const again = await site.again(ben);
      inTest(again);
      const secret = `word${newClientId().replaceAll('-', 'x')}`;
      await say(eve, room, secret);
      const before = (await owner.request('room:join', { room })).room.members;
      await moderator.request('room:ban', { room, user: ben.id, seconds: 600, reason: 'enough' });
      for (const client of [ben, again]) {
        await expect
          .poll(() => eventsOf(client, 'room:removed'))
          .toEqual([{ room, readable: false, reason: 'banned', text: 'enough', until: expect.any(Number) }]);
      }
      const eventsBefore = ben.events.length;
      await say(eve, room, `${secret} again`);
      await owner.request('room:update', { room, topic: secret });
      const fresh = await site.again(ben);
      inTest(fresh);
      const visible = [
        fresh.ready,
        await ben.request('room:list', { member: true }),
        await ben.request('room:list', { member: false }),
        await ben.request('message:search', { query: secret }),
        ben.events.slice(eventsBefore),
      ];
      expect(JSON.stringify(visible)).not.toContain(room);
      expect(JSON.stringify(visible)).not.toContain(secret);
      const listed = await eve.request('room:members', { room });
      expect(listed.count).toBe(before - 1);
      expect(listed.members.map(({ user: { id } }) => id)).not.toContain(ben.id);
      const joined = await eve.request('room:join', { room });
      expect(joined.present.map(({ id }) => id)).not.toContain(ben.id);
      await expect
        .poll(() => eventsOf(eve, 'members:changed').flatMap(({ changed }) => changed))
        .toContainEqual({ user: { id: ben.id, name: `Name of ${ben.id}` }, gone: true });
      if (kind === 'private')
        expect((await owner.request('room:invite', { room, users: [ben.id] })).failed).toEqual([
          { user: ben.id, code: 'forbidden' },
        ]);
      // Ban briefly only now, because a slow machine could exceed a short ban above.
      const until = Date.now() + 1000;
      await moderator.request('room:ban', { room, user: ben.id, seconds: 1, reason: 'enough' });
      // The membership applies again.
      const added = await vi.waitUntil(
        () => ben.events.slice(eventsBefore).find(({ name }) => name === 'room:added'),
        { timeout: hanging },
      );
      expect(Date.now()).toBeGreaterThanOrEqual(until);
      expect(added.payload).toMatchObject({ id: room, member: true, role: 'member', unread: 0 });
      expect((await ben.request('room:join', { room })).messages).toHaveLength(2);
    },
  );

  test('is sent with reason and end to each new connection of the banned user, and to no other user', async () => {
    const { room, owner, moderator, others } = await talk(2);
    const [ben, eve] = others as [Person, Person];
    const stranger = await user();
    const removals = async (user: Person) => {
      const client = await site.again(user);
      inTest(client);
      // The response arrives after all events that are sent on connect.
      await client.request('room:list', {});
      return eventsOf(client, 'room:removed');
    };
    ben.close();
    const details = { room, seconds: 3600, reason: `reason ${newClientId()}` };
    for (const { id } of [ben, stranger]) await moderator.request('room:ban', { ...details, user: id });
    const ban = { room, readable: false, reason: 'banned', text: details.reason, until: expect.any(Number) };
    expect(await removals(ben)).toEqual([ban]);
    // A second ban replaces the first, although Ben is no longer a member.
    const { reason: text, ...forGood } = { room, reason: `${details.reason} again` };
    await moderator.request('room:ban', { ...forGood, user: ben.id, reason: text });
    expect(await removals(ben)).toEqual([{ room, readable: false, reason: 'banned', text }]);
    // A user who was never in the room is not notified.
    expect(await removals(stranger)).toEqual([]);
    for (const client of [owner, moderator, eve]) expect(await removals(client)).toEqual([]);
    const responses = await Promise.all([
      eve.request('room:join', { room }),
      eve.request('room:members', { room }),
      eve.request('user:find', { query: ben.id }),
    ]);
    const visible = [responses, eve.events, stranger.events, stranger.ready];
    expect(JSON.stringify(visible)).not.toContain(details.reason);
    expect(JSON.stringify(visible)).not.toContain('until');
    const { users: restricted } = await moderator.request('room:restricted', { room });
    const listed = { user: named(ben), kind: 'banned', reason: text, by: named(moderator) };
    expect(restricted).toContainEqual(listed);
    for (const { id } of [ben, stranger]) await moderator.request('room:ban', { room, user: id, seconds: 0 });
    expect(await removals(ben)).toEqual([]);
  });

  test('looks like a departure in mentions, except to moderators', async () => {
    const { room, owner, moderator, others } = await talk(3);
    const [ben, eve, bob] = others as [Person, Person, Person];
    await bob.request('room:remove', { room, user: bob.id });
    await moderator.request('room:ban', { room, user: eve.id });
    const named = [eve, bob].map(({ id }, n) => ({ user: id, start: 2 * n, length: 1 }));
    const mention = { text: '1 2', mentions: named };
    const shown = [eve, bob].map(({ id }, n) => ({
      user: { id, name: `Name of ${id}` },
      start: 2 * n,
      length: 1,
    }));
    const message = await say(ben, room, '1 2', { mentions: named });
    expect(message.mentions).toEqual(shown);
    const { seq } = await say(ben, room);
    const edited = await ben.request('message:edit', { room, seq, ...mention });
    expect(edited.message.mentions).toEqual(shown);
    expect((await say(moderator, room, '1 2', { mentions: named })).mentions).toEqual(shown.slice(1));
    await expect.poll(() => eventsOf(bob, 'mention')).toHaveLength(3);
    expect(eventsOf(eve, 'mention')).toEqual([]);
    await owner.request('room:ban', { room, user: eve.id, seconds: 0 });
    await expect.poll(() => eventsOf(eve, 'room:added').at(-1)).toMatchObject({ id: room, mentions: 0 });
  });
});

describe('blocking a user', () => {
  test('hides that user’s messages in responses to the blocker only', async () => {
    const { room, owner, others } = await talk(2);
    const [ben, eve] = others as [Person, Person];
    const again = await site.again(ben);
    inTest(again);
    await say(eve, room, 'a word');
    await ben.request('message:react', { room, seq: 1, emoji: '👍', on: true });
    await ben.request('user:block', { user: eve.id, blocked: true });
    await ben.request('user:block', { user: eve.id, blocked: true });
    await expect.poll(() => eventsOf(again, 'blocked:changed')).toEqual([{ user: eve.id, blocked: true }]);
    expect(eventsOf(ben, 'blocked:changed')).toEqual([]);
    const { unread } = (await ben.request('room:join', { room })).room;
    const { message } = await eve.request('message:send', { room, text: 'a word more', clientId: 'more' });
    await say(owner, room, 'a word of the owner');
    // The message counts as unread, but not as a mention.
    const mention = (name: Person) => ({ mentions: [{ user: name.id, start: 0, length: 1 }] });
    await say(eve, room, 'a word to ben', mention(ben));
    expect((await again.request('room:list', {})).rooms.find(({ id }) => id === room)?.mentions).toBe(0);
    const last = ({ rooms }: { rooms: RoomSummary[] }) => rooms.find(({ id }) => id === room)?.last;
    expect(last(await again.request('room:list', {}))).toMatchObject({ user: { id: eve.id }, hidden: true });
    expect(last(await owner.request('room:list', {}))).not.toHaveProperty('hidden');
    const hidden = [{ hidden: true }, { hidden: true }, {}, { hidden: true }];
    const hiddenOf = (messages: readonly { hidden?: true }[]) =>
      messages.map((message) => ('hidden' in message ? { hidden: message.hidden } : {}));
    const back = await site.again(ben);
    inTest(back);
    for (const client of [ben, again, back]) {
      const joined = await client.request('room:join', { room });
      expect(hiddenOf(joined.messages)).toEqual(hidden);
      expect(joined.messages[0]).toMatchObject({ text: 'a word', reactions: [{ mine: true }] });
      expect(joined.room.unread).toBe(unread + 3);
      expect(joined.room.mentions).toBe(0);
    }
    expect(hiddenOf((await ben.request('room:sync', { room, since: 0 })).messages)).toEqual(hidden);
    expect(hiddenOf((await ben.request('message:history', { room })).messages)).toEqual(hidden);
    const search = { query: 'a word', room };
    expect(hiddenOf((await ben.request('message:search', search)).messages)).toEqual([...hidden].reverse());
    const react = { room, seq: 2, emoji: '❤️', on: true };
    expect((await ben.request('message:react', react)).message).toMatchObject({ hidden: true });
    expect((await eve.request('message:react', react)).message).not.toHaveProperty('hidden');
    await owner.request('room:role', { room, user: ben.id, role: 'moderator' });
    const { message: deleted } = await ben.request('message:delete', { room, seq: 4 });
    expect(deleted).toMatchObject({ seq: 4, hidden: true });
    // All recipients get the same event, so it does not contain `hidden`.
    expect(eventsOf(ben, 'message:new').find(({ seq }) => seq === 2)).toEqual(message);
    expect(hiddenOf((await owner.request('message:history', { room })).messages)).toEqual([{}, {}, {}, {}]);
    await again.request('user:block', { user: eve.id, blocked: false });
    expect(hiddenOf((await ben.request('message:history', { room })).messages)).toEqual([{}, {}, {}, {}]);
  });

  test('removes unread mentions by that user on all devices until the block ends', async () => {
    const { room, owner, others } = await talk(2);
    const [ben, eve] = others as [Person, Person];
    const other = await talk(0);
    for (const client of [ben, eve]) await client.request('room:join', { room: other.room });
    const mention = { mentions: [{ user: ben.id, start: 0, length: 1 }] };
    for (const client of [owner, eve, eve]) await say(client, room, 'a word', mention);
    await say(eve, other.room, 'a word', mention);
    const again = await site.again(ben);
    inTest(again);
    const counted = (room: string, mentions: number, unread: number) =>
      expect.objectContaining({ id: room, mentions, unread });
    const block = async (blocked: boolean, now: readonly object[]) => {
      const eventsBefore = [ben, again].map((client) => [client, client.events.length] as const);
      await ben.request('user:block', { user: eve.id, blocked });
      for (const [client, before] of eventsBefore) {
        const changes = () => client.events.slice(before).filter(({ name }) => name === 'room:changed');
        await expect.poll(() => changes().map(({ payload }) => payload)).toEqual(now);
      }
    };
    const mentionsOfBen = async () => {
      const late = await site.again(ben);
      late.close();
      return [late.ready.totals.mentions, (await site.me(ben))?.mentions];
    };
    expect(await mentionsOfBen()).toEqual([4, 4]);
    await block(true, [counted(room, 1, 3), counted(other.room, 0, 1)]);
    expect(await mentionsOfBen()).toEqual([1, 1]);
    // A message that was deleted during the block does not count again.
    await eve.request('message:delete', { room, seq: 2 });
    await block(false, [counted(room, 2, 2), counted(other.room, 1, 1)]);
    expect(await mentionsOfBen()).toEqual([3, 3]);
    await block(true, [counted(room, 1, 2), counted(other.room, 0, 1)]);
    // Without open connections, the count comes from the history.
    for (const client of [ben, again]) client.close();
    await expect.poll(async () => (await owner.request('room:join', { room })).present.length).toBe(3);
    const back = await site.again(ben);
    inTest(back);
    expect(back.ready.totals.mentions).toBe(1);
  });

  test('rejects direct messages from that user without another sign of the block', async () => {
    const [ann, eve] = await users(2);
    const { room } = await eve.request('direct:open', { user: ann.id });
    await eve.request('room:join', { room: room.id });
    await say(eve, room.id);
    await ann.request('room:join', { room: room.id });
    const react = (client: Person, emoji: string, on = true, seq = 1) =>
      codeOf(client, 'message:react', { room: room.id, seq, emoji, on });
    expect([await react(eve, '👍'), await react(eve, '❤️')]).toEqual(['ok', 'ok']);
    const types = (client: Person, typing = true) => codeOf(client, 'typing:set', { room: room.id, typing });
    const typingEvents = (client: Person) => eventsOf(client, 'typing:changed').map(({ typing }) => typing);
    for (const client of [ann, eve]) expect(await types(client)).toBe('ok');
    for (const client of [ann, eve]) await expect.poll(() => typingEvents(client)).toEqual([true]);
    await ann.request('user:block', { user: eve.id, blocked: true });
    // Typing that is shown ends, and further typing is not shown.
    for (const client of [ann, eve]) await expect.poll(() => typingEvents(client)).toEqual([true, false]);
    for (const client of [eve, ann, eve, ann]) expect(await types(client)).toBe('ok');
    expect(await codeOf(eve, 'message:send', { room: room.id, ...text() })).toBe('forbidden');
    // A user may repeat or remove an earlier reaction.
    expect([await react(eve, '👍'), await react(eve, '❤️', false)]).toEqual(['ok', 'ok']);
    // The blocker may still react and write.
    expect(await react(ann, '👋')).toBe('ok');
    await say(ann, room.id);
    expect((await ann.request('room:join', { room: room.id })).messages[0]?.reactions).toMatchObject([
      { emoji: '👍', users: [eve.id] },
      { emoji: '👋', users: [ann.id] },
    ]);
    for (const client of [ann, eve]) expect(typingEvents(client)).toEqual([true, false]);
    expect(await site.mayUpload(eve, room.id)).toBe('forbidden');
    expect(eve.events.filter(({ name }) => name === 'blocked:changed')).toEqual([]);
    const stranger = await user();
    await ann.request('user:block', { user: stranger.id, blocked: true });
    expect(await ann.request('user:blocked', {})).toEqual({
      users: expect.arrayContaining([
        { id: eve.id, name: `Name of ${eve.id}` },
        { id: stranger.id, name: stranger.id },
      ]),
    });
    await ann.request('user:block', { user: eve.id, blocked: false });
    await say(eve, room.id);
  });
});

test('hides typing of a blocked user from the blocker', async () => {
  const { room, others } = await talk(3);
  const [ben, eve, bob] = others as [Person, Person, Person];
  await ben.request('user:block', { user: eve.id, blocked: true });
  await eve.request('typing:set', { room, typing: true });
  await bob.request('typing:set', { room, typing: true });
  const typing = (client: Person) => eventsOf(client, 'typing:changed').map(({ user }) => user.id);
  await expect.poll(() => typing(eve)).toEqual([bob.id]);
  await expect.poll(() => typing(bob)).toEqual([eve.id]);
  await expect.poll(() => typing(ben)).toEqual([bob.id]);
});

describe('a report', () => {
  const listOf = async (client: Person) => (await client.request('report:list', {})).reports;

  test('reaches only moderators of the room or the site, with the original text', async () => {
    const { room, owner, moderator, others } = await talk(2, { kind: 'private' });
    const [ben, eve] = others as [Person, Person];
    const site = await user({ roles: 'moderator' });
    const { message } = await eve.request('message:send', { room, ...text(), text: 'rude' });
    const eventsBefore = eve.events.length;
    const reported = [owner, moderator, site].map((client) => nextOf(client, 'report:changed'));
    const report = { room, seq: 1, reason: 'abuse' as const, text: 'look\nhere' };
    await ben.request('message:report', report);
    await ben.request('message:report', { ...report, reason: 'spam' });
    const expected = {
      id: expect.any(String),
      room,
      message,
      by: named(ben),
      reason: 'abuse',
      text: 'look\nhere',
      at: expect.any(Number),
    };
    for (const change of await Promise.all(reported)) expect(change).toEqual({ report: expected, open: 1 });
    await eve.request('message:edit', { room, seq: 1, text: 'nice' });
    await eve.request('message:delete', { room, seq: 1 });
    for (const client of [owner, moderator]) expect(await listOf(client)).toEqual([expected]);
    expect((await listOf(site)).find((report) => report.room === room)).toEqual(expected);
    expect((await owner.request('room:join', { room })).room.reports).toBe(1);
    expect((await ben.request('room:join', { room })).room).not.toHaveProperty('reports');
    for (const client of [ben, eve]) expect(await codeOf(client, 'report:list', {})).toBe('forbidden');
    expect(eve.events.slice(eventsBefore).map(({ name }) => name)).not.toContain('report:changed');
    // A site moderator cannot join the private room.
    expect(await codeOf(site, 'room:join', { room })).toBe('unknown_room');
    const closed = nextOf(site, 'report:changed');
    const [{ id } = { id: '' }] = await listOf(moderator);
    await moderator.request('report:close', { id, done: 'nothing' });
    await owner.request('report:close', { id, done: 'banned' });
    expect(await closed).toMatchObject({
      report: { id, message: { text: '' }, closed: { by: named(moderator), done: 'nothing' } },
      open: 0,
    });
    expect(await listOf(owner)).toEqual([]);
    await say(eve, room);
  });

  test('is hidden from a site moderator who is banned from the room', async () => {
    for (const kind of ['public', 'private'] as const) {
      const { room, owner, others } = await talk(1, { kind });
      const [ben] = others as [Person];
      const [boss, site] = [await user({ roles: 'admin' }), await user({ roles: 'moderator' })];
      if (kind === 'private') await owner.request('room:invite', { room, users: [boss.id] });
      await boss.request('room:join', { room });
      const reported = async () => {
        const { seq } = await say(ben, room, 'rude');
        const announced = nextOf(boss, 'report:changed');
        await owner.request('message:report', { room, seq, reason: 'spam' });
        return (await announced).report.id;
      };
      const before = await reported();
      await boss.request('room:ban', { room, user: site.id });
      const eventsBefore = site.events.length;
      const since = await reported();
      const listed = async () => (await listOf(site)).filter((report) => report.room === room);
      expect(await listed()).toEqual([]);
      for (const id of [before, since]) {
        expect(await codeOf(site, 'report:context', { id })).toBe('unknown_message');
        expect(await codeOf(site, 'report:close', { id, done: 'deleted' })).toBe('unknown_message');
      }
      expect(site.events.slice(eventsBefore).filter(({ name }) => name === 'report:changed')).toEqual([]);
      await boss.request('room:ban', { room, user: site.id, seconds: 0 });
      expect((await listed()).map(({ id }) => id)).toEqual([since, before]);
    }
  });

  test('in a direct room can be closed by deleting the message, but not by a mute or ban', async () => {
    const [ann, ben, site] = [await user(), await user(), await user({ roles: 'moderator' })];
    const { room } = await ben.request('direct:open', { user: ann.ready.user.id });
    await ben.request('room:join', { room: room.id });
    await say(ben, room.id, 'rude');
    await ann.request('room:join', { room: room.id });
    await ann.request('message:report', { room: room.id, seq: 1, reason: 'abuse' });
    const [{ id } = { id: '' }] = (await listOf(site)).filter((report) => report.room === room.id);
    for (const done of ['muted', 'banned']) {
      expect(await codeOf(site, 'report:close', { id, done, seconds: 60 })).toBe('bad_request');
    }
    await say(ben, room.id);
    await site.request('report:close', { id, done: 'deleted' });
    expect((await ann.request('message:history', { room: room.id })).messages[0]).toMatchObject({ text: '' });
  });

  test('does not show later text of its message to moderators outside the room', async () => {
    const { room: den, owner, moderator, others } = await talk(1, { kind: 'private' });
    const [ben, site] = [others[0] as Person, await user({ roles: 'moderator' })];
    const direct = await ben.request('direct:open', { user: owner.id });
    await ben.request('room:join', { room: direct.room.id });
    for (const room of [den, direct.room.id]) {
      const { seq } = await say(ben, room, 'rude');
      await owner.request('message:report', { room, seq, reason: 'abuse' });
      const { id = '' } = (await listOf(site)).find((report) => report.room === room) ?? {};
      const closing = { id, done: 'nothing' as const };
      expect((await site.request('report:close', closing)).report).toMatchObject({ message: { seq } });
      await ben.request('message:edit', { room, seq, text: 'quincunx' });
      // Closing the report again only returns it.
      const { report } = await site.request('report:close', closing);
      expect(report).toMatchObject({ message: { room, seq, user: named(ben), text: '' } });
      expect(JSON.stringify(site.events)).not.toContain('quincunx');
      const own = await (room === den ? moderator : owner).raw('report:close', closing);
      if (room === den) expect(own).toMatchObject({ data: { report: { message: { text: 'quincunx' } } } });
      else expect(own).toMatchObject({ error: { code: 'unknown_message' } });
    }
  });
});
