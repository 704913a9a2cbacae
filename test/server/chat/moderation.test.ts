import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ChatClient, newClientId } from '../../helpers/chat-client.ts';
import {
  codeOf,
  eventsOf,
  nextOf,
  type PeopleSite,
  type Person,
  say,
  startPeopleSite,
} from '../../helpers/people.ts';

/** Order among people, through real sockets. */
let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_CREATE_ROOMS: 'all', CHAT_ROOMS: 'lobby', CHAT_LIMIT_CHANGE: '0' });
});
afterAll(() => site.close());

const users: Person[] = [];
afterEach(() => {
  for (const one of users.splice(0)) one.close();
});
async function user(session?: object): Promise<Person> {
  const one = await site.person(session);
  users.push(one);
  return one;
}

/** A room of `owner`, with a moderator and members; all have joined it. */
async function talk(members = 1, over: object = { kind: 'public' }) {
  const [owner, moderator] = [await user(), await user()];
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
  for (const one of [owner, ...guests]) await one.request('room:join', { room });
  await owner.request('room:role', { room, user: moderator.id, role: 'moderator' });
  return { room, owner, moderator, others, ben: others[0] as Person };
}
const text = () => ({ text: 'hello', clientId: newClientId() });
const send = (client: ChatClient, room: string, over = {}) =>
  client.raw('message:send', { room, ...text(), ...over });

describe('a room in which moderators alone write', () => {
  test('others are told, refused with every word of theirs, and still react; a repeat is answered', async () => {
    const { room, owner, moderator, ben } = await talk();
    const admin = await user({ roles: 'moderator' });
    await admin.request('room:join', { room });
    const sent = { room, ...text() };
    const { message } = await ben.request('message:send', sent);
    const told = [nextOf(ben, 'room:changed'), nextOf(moderator, 'room:changed')];
    const { room: updated } = await owner.request('room:update', { room, write: 'moderators' });
    expect(updated).toMatchObject({ write: 'moderators', may: expect.arrayContaining(['send']) });
    const [toBen, toModerator] = await Promise.all(told);
    expect(toBen).toMatchObject({ id: room, write: 'moderators', may: ['leave'] });
    expect(toModerator).toMatchObject({ write: 'moderators', may: expect.arrayContaining(['send']) });
    expect(await codeOf(ben, 'message:send', { room, ...text() })).toBe('forbidden');
    // Rights come before what the message replies to.
    expect(await codeOf(ben, 'message:send', { room, ...text(), replyTo: 99 })).toBe('forbidden');
    expect(await codeOf(ben, 'message:edit', { room, seq: 1, text: 'x' })).toBe('forbidden');
    expect(await codeOf(ben, 'typing:set', { room, typing: true })).toBe('forbidden');
    expect((await ben.request('message:send', sent)).message).toEqual(message);
    expect(await codeOf(ben, 'message:react', { room, seq: 1, emoji: '👍', on: true })).toBe('ok');
    expect(await codeOf(ben, 'message:delete', { room, seq: 1 })).toBe('ok');
    for (const one of [owner, moderator, admin]) await say(one, room);
    await owner.request('room:role', { room, user: moderator.id, role: 'member' });
    expect(await codeOf(moderator, 'message:send', { room, ...text() })).toBe('forbidden');
    await owner.request('room:update', { room, write: 'all' });
    await expect
      .poll(() => eventsOf(ben, 'room:changed').at(-1))
      .toMatchObject({ write: 'all', may: ['send', 'leave'] });
    await say(ben, room);
  });

  test.each([{ write: 'nobody' }, { slow: -1 }, { slow: 3601 }, { slow: 1.5 }, { slow: '5' }])(
    '%j is no rule of a room',
    async (rule) => {
      const { room, owner } = await talk(0);
      expect(await codeOf(owner, 'room:update', { room, ...rule })).toBe('bad_request');
      expect(await codeOf(owner, 'room:update', { room, slow: 3600 })).toBe('ok');
    },
  );
});

describe('slow mode', () => {
  test('keeps each user’s messages apart, but for moderators; what is refused counts against no limit', async () => {
    const { room, owner, moderator, others } = await talk(2);
    const [ben, eve] = others as [Person, Person];
    await say(ben, room);
    const told = nextOf(ben, 'room:changed');
    await owner.request('room:update', { room, slow: 2 });
    expect(await told).toMatchObject({ slow: 2, write: 'all', may: ['send', 'leave'] });
    const refused = { ok: false, error: { code: 'rate_limited', retryAfterMs: expect.any(Number) } };
    const answer = await send(ben, room);
    expect(answer).toMatchObject(refused);
    expect((answer as { error: { retryAfterMs: number } }).error.retryAfterMs).toBeLessThanOrEqual(2000);
    expect(await codeOf(ben, 'message:send', { room, ...text(), replyTo: 99 })).toBe('unknown_message');
    await say(eve, room);
    for (const one of [owner, moderator, owner, moderator]) await say(one, room);
    // Another connection of the same user is the same user.
    const again = await site.again(ben);
    users.push(again);
    await again.request('room:join', { room });
    await expect.poll(async () => (await send(again, room)).ok, { timeout: 10_000 }).toBe(true);
    expect(await send(ben, room)).toMatchObject(refused);
    await owner.request('room:update', { room, slow: 0 });
    await expect.poll(() => eventsOf(ben, 'room:changed').at(-1)).not.toHaveProperty('slow');
    await say(ben, room);
  });
});
