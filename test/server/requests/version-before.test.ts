import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { newClientId } from '../../helpers/chat-client.ts';
import { eventsOf, type PeopleSite, say, startPeopleSite } from '../../helpers/people.ts';

/**
 * The first protocol version had six requests and five events. Its clients require these shapes, and ignore other
 * fields and events.
 */
const user = z.object({ id: z.string(), name: z.string() });
const room = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['public', 'private', 'direct']),
  member: z.boolean(),
  head: z.int(),
  lastSeq: z.int(),
  readSeq: z.int(),
  unread: z.int(),
});
const message = z.object({
  id: z.string(),
  room: z.string(),
  seq: z.int(),
  rev: z.int(),
  clientId: z.string(),
  user,
  text: z.string(),
  sentAt: z.int(),
  editedAt: z.int().optional(),
  deletedAt: z.int().optional(),
  replyTo: z.int().optional(),
});
const answers = {
  'room:list': z.object({ rooms: z.array(room) }),
  'room:join': z.object({
    room,
    messages: z.array(message),
    complete: z.boolean(),
    reset: z.literal(true).optional(),
    present: z.array(user),
    presentCount: z.int(),
  }),
  'room:sync': z.object({
    head: z.int(),
    messages: z.array(message),
    complete: z.boolean(),
    reset: z.literal(true).optional(),
  }),
  'room:leave': z.object({}),
  'message:send': z.object({ message }),
  'message:history': z.object({ messages: z.array(message), complete: z.boolean() }),
};
const events: Record<string, z.ZodType> = {
  'session:ready': z.object({
    protocol: z.literal(1),
    user,
    rooms: z.array(room),
    limits: z.object({ text: z.int() }),
  }),
  'session:ended': z.object({ reason: z.enum(['logout', 'expired', 'user_changed', 'invalid', 'kicked']) }),
  'message:new': message,
  'message:changed': message,
  'presence:changed': z.object({
    room: z.string(),
    joined: z.array(user),
    left: z.array(z.string()),
    count: z.int(),
  }),
};

let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_ROOMS: 'lobby,garden' });
});
afterAll(() => site.close());

test('serves a client of the first protocol version', async () => {
  const [old, other] = await site.people(2);
  const ask = async <E extends keyof typeof answers>(event: E, payload: object) => {
    const answer = await old.raw(event, payload);
    expect(answer).toMatchObject({ ok: true });
    return answers[event].parse((answer as { data: unknown }).data) as z.output<(typeof answers)[E]>;
  };
  // Such a client shows the first rooms of session:ready, and joins each.
  expect(old.ready.rooms.map(({ id }) => id)).toEqual(['lobby', 'garden']);
  for (const { id } of old.ready.rooms) expect((await ask('room:join', { room: id })).room.member).toBe(true);
  expect((await ask('room:list', {})).rooms.map(({ id }) => id).sort()).toEqual(['garden', 'lobby']);
  await other.request('room:join', { room: 'lobby' });
  await expect
    .poll(() =>
      eventsOf(old, 'presence:changed')
        .at(-1)
        ?.joined.map(({ id }) => id),
    )
    .toEqual([other.id]);
  const sent = await ask('message:send', { room: 'lobby', text: 'hello', clientId: newClientId() });
  const reply = await say(other, 'lobby', 'an answer', { replyTo: sent.message.seq });
  await other.request('message:edit', { room: 'lobby', seq: reply.seq, text: 'a better one' });
  await other.request('message:delete', { room: 'lobby', seq: reply.seq });
  expect((await ask('message:history', { room: 'lobby', before: 2 })).messages).toMatchObject([
    { text: 'hello' },
  ]);
  expect(await ask('room:sync', { room: 'lobby', since: 1 })).toMatchObject({
    head: 4,
    complete: true,
    messages: [{ seq: 2, rev: 4, text: '', deletedAt: expect.any(Number) }],
  });
  await ask('room:leave', { room: 'garden' });
  // Unknown events arrive too, and must not look like known ones.
  await other.request('room:create', {
    name: 'Den',
    kind: 'private',
    members: [old.id],
    clientId: newClientId(),
  });
  await site.api('POST', `/users/${old.id}/push`, { name: 'news' });
  await site.api('DELETE', `/users/${old.id}/connections`);
  expect(await old.ended).toMatchObject({ reason: 'kicked' });
  const known = old.events.filter(({ name }) => name in events);
  for (const { name, payload } of known) {
    const parsed = events[name]?.safeParse(payload);
    expect([name, parsed?.error?.issues ?? []]).toEqual([name, []]);
  }
  expect([...new Set(known.map(({ name }) => name))].sort()).toEqual(Object.keys(events).sort());
  expect(new Set(old.events.map(({ name }) => name))).toContain('room:added');
});
