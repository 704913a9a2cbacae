import { describe, expect, test } from 'vitest';
import type { Answers, RequestPayload, Scheduled } from '../../../server/wire/events.ts';
import { askedDirectly } from '../../helpers/asked-directly.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { emptyHistory } from '../../helpers/chat-server.ts';
import { origin, upload } from '../../helpers/files.ts';
import {
  closedAfterEach,
  codeOf,
  eventsOf,
  exportOf,
  type Person,
  say,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';
import { stopClock } from '../../helpers/stop-clock.ts';

const env = {
  CHAT_CREATE_ROOMS: 'all',
  CHAT_ROOMS: 'lobby',
  CHAT_LIMIT_LATER: '3',
  CHAT_HOLD_WORDS: 'pallets',
};
const site = sharedSite(() => startPeopleHere(env));
/** A server with files and exports. */
const served = sharedSite(() => startPeopleSite({ ...env, CHAT_ORIGINS: origin }));
const inTest = closedAfterEach();
const users = () => site.people(2, inTest);

const hour = 3_600_000;
type Over = Partial<RequestPayload<'scheduled:add'>>;

async function schedule(client: Person, over: Over = {}): Promise<Scheduled> {
  const sent = { room: 'lobby', text: 'later', clientId: newClientId(), at: Date.now() + hour, ...over };
  const answer = await client.request('scheduled:add', sent);
  if (!('scheduled' in answer)) throw new Error('the message is not scheduled');
  return answer.scheduled;
}
const listOf = async (client: Person) => (await client.request('scheduled:list', {})).scheduled;
const textsIn = async (client: Person, room: string) =>
  (await client.request('message:history', { room })).messages.map(({ text }) => text);
const clear = async (client: Person) => {
  for (const { id } of await listOf(client)) await client.request('scheduled:delete', { id });
};
/** Ann owns the room, and Ben is a member. Both have joined it. */
async function den() {
  const [ann, ben] = await users();
  const { id: room } = await site.den(ann, [ben]);
  for (const client of [ann, ben]) await client.request('room:join', { room });
  return { ann, ben, room };
}
/** Returns why the message failed. */
async function failureOf(client: Person, id: string) {
  const find = async () => (await listOf(client)).find((one) => one.id === id)?.failed?.code;
  await expect.poll(find).toBeDefined();
  return find();
}

describe('a scheduled message', () => {
  test('is visible only to its author until it is due, and is then sent once', async () => {
    const { ann, ben, room } = await den();
    const pass = stopClock();
    const at = Date.now() + 300;
    const { id, clientId } = await schedule(ben, { room, at });
    expect(await listOf(ann)).toEqual([]);
    expect(await listOf(ben)).toMatchObject([{ id, at, text: 'later' }]);
    expect(await codeOf(ann, 'scheduled:edit', { id, text: 'x' })).toBe('unknown_message');
    expect(await codeOf(ann, 'scheduled:send', { id })).toBe('unknown_message');
    await ann.request('scheduled:delete', { id });
    pass(300);
    await expect.poll(() => eventsOf(ann, 'message:new')).toMatchObject([{ clientId, text: 'later' }]);
    expect(eventsOf(ann, 'message:new')[0]?.sentAt).toBeGreaterThanOrEqual(at);
    expect(eventsOf(ann, 'scheduled:changed')).toEqual([]);
    expect(eventsOf(ben, 'scheduled:changed').map(({ is }) => is)).toEqual(['scheduled', 'sent']);
    expect(await listOf(ben)).toEqual([]);
    expect(await textsIn(ann, room)).toEqual(['later']);
  });

  test('names its author as other messages do', async () => {
    const [ann, ben] = await users();
    for (const client of [ann, ben]) await client.request('room:join', { room: 'lobby' });
    await say(ben, 'lobby', 'now');
    const { id } = await schedule(ben);
    await ben.request('scheduled:send', { id });
    await expect.poll(() => eventsOf(ann, 'message:new')).toHaveLength(2);
    const [now, later] = eventsOf(ann, 'message:new');
    expect(later?.user).toEqual(now?.user);
  });

  test('is sent while its author is logged out', async () => {
    const { ann, ben, room } = await den();
    await schedule(ben, { room, at: Date.now() + 300 });
    ben.close();
    await expect.poll(() => textsIn(ann, room)).toEqual(['later']);
  });

  test('can be edited, moved, sent at once or deleted on another device', async () => {
    const [ann] = await users();
    await ann.request('room:join', { room: 'lobby' });
    const phone = inTest(await site.again(ann));
    const [first, second] = [await schedule(ann), await schedule(ann)];
    const at = first.at + hour;
    const { scheduled } = await phone.request('scheduled:edit', { id: first.id, rev: 1, text: 'moved', at });
    expect(scheduled).toEqual({ ...first, rev: 2, text: 'moved', at });
    expect(await codeOf(ann, 'scheduled:edit', { id: first.id, rev: 1, text: 'x' })).toBe('conflict');
    await phone.request('scheduled:delete', { id: second.id });
    expect((await listOf(ann)).map(({ id }) => id)).toEqual([first.id]);
    const sent = await phone.request('scheduled:send', { id: first.id });
    expect(sent).toMatchObject({ message: { text: 'moved', clientId: first.clientId } });
    expect(await codeOf(ann, 'scheduled:send', { id: first.id })).toBe('unknown_message');
    expect(eventsOf(ann, 'scheduled:changed').map(({ is }) => is)).toEqual([
      'scheduled',
      'scheduled',
      'edited',
      'discarded',
      'sent',
    ]);
  });

  test('is sent in the version that its author edited at the moment of sending, never twice', async () => {
    const { ann, ben, room } = await den();
    for (let n = 0; n < 20; n++) {
      const { id } = await schedule(ben, { room, text: `before ${n}`, at: Date.now() + (n % 5) });
      const edited = await codeOf(ben, 'scheduled:edit', { id, text: `after ${n}`, at: Date.now() });
      await expect.poll(() => listOf(ben)).toEqual([]);
      const found = (await textsIn(ann, room)).filter((text) => text.endsWith(` ${n}`));
      expect(found).toEqual([edited === 'ok' ? `after ${n}` : `before ${n}`]);
    }
  });

  test('does not overtake messages of others by a time in the past', async () => {
    const [ann] = await users();
    await ann.request('room:join', { room: 'lobby' });
    const before = Date.now();
    expect((await schedule(ann, { at: 0 })).at).toBeGreaterThanOrEqual(before);
    const { id } = await schedule(ann);
    const { scheduled } = await ann.request('scheduled:edit', { id, at: 0 });
    expect(scheduled.at).toBeGreaterThanOrEqual(before);
  });

  test('has no poll, which would get lost', async () => {
    const [ann] = await users();
    const { id: room } = await site.den(ann);
    const sent = { room, text: 'x', clientId: newClientId(), at: Date.now() + hour };
    const message = 'poll: a scheduled message cannot have a poll';
    expect(await ann.raw('scheduled:add', { ...sent, poll: { options: ['a', 'b'] } })).toMatchObject({
      error: { code: 'bad_request', message },
    });
    // This site has no cards.
    expect(await ann.raw('scheduled:add', { ...sent, card: 'order:1' })).toMatchObject({
      error: { code: 'forbidden' },
    });
  });

  test('returns the sent message to a repeated request', async () => {
    const { ben, room } = await den();
    const sent = { room, text: 'once', clientId: newClientId(), at: Date.now() };
    const first = await ben.request('scheduled:add', sent);
    expect(await ben.request('scheduled:add', sent)).toEqual(
      'scheduled' in first ? expect.anything() : first,
    );
    await expect.poll(() => listOf(ben)).toEqual([]);
    expect(await ben.request('scheduled:add', sent)).toMatchObject({ message: { text: 'once' } });
    expect(await textsIn(ben, room)).toEqual(['once']);
  });

  test('is limited per user over all rooms, by a named setting', async () => {
    const { ben, room } = await den();
    await ben.request('room:join', { room: 'lobby' });
    await schedule(ben);
    const sent = { room, text: 'later', clientId: newClientId(), at: Date.now() + hour };
    for (let n = 0; n < 2; n++) await ben.request('scheduled:add', { ...sent, clientId: newClientId() });
    const answer = await ben.raw('scheduled:add', sent);
    expect(answer).toMatchObject({ ok: false, error: { code: 'limit_reached' } });
    expect(answer.ok ? '' : answer.error.message).toContain(
      '3 scheduled messages and reminders of a user (CHAT_LIMIT_LATER)',
    );
    await clear(ben);
    expect(await codeOf(ben, 'scheduled:add', sent)).toBe('ok');
  });
});

describe('a message that may not be sent when it is due', () => {
  test('stays listed with the reason, and is sent once its author moves it', async () => {
    const { ann, ben, room } = await den();
    const { id } = await schedule(ben, { room });
    await ann.request('room:mute', { room, user: ben.id });
    await ben.request('scheduled:edit', { id, at: Date.now() });
    expect(await failureOf(ben, id)).toBe('muted');
    await expect
      .poll(() => eventsOf(ben, 'scheduled:changed').at(-1))
      .toEqual({ id, room, is: 'failed', code: 'muted' });
    expect(await textsIn(ann, room)).toEqual([]);
    await ann.request('room:mute', { room, user: ben.id, seconds: 0 });
    await ben.request('scheduled:edit', { id, at: Date.now() });
    await expect.poll(() => textsIn(ann, room)).toEqual(['later']);
    expect(await listOf(ben)).toEqual([]);
  });

  test.each<[string, string, (scene: Awaited<ReturnType<typeof den>>) => Promise<unknown>]>([
    [
      'removed from the room',
      'unknown_room',
      ({ ann, ben, room }) => ann.request('room:remove', { room, user: ben.id }),
    ],
    [
      'banned from the room',
      'unknown_room',
      ({ ann, ben, room }) => ann.request('room:ban', { room, user: ben.id }),
    ],
    [
      'in a read-only room',
      'forbidden',
      ({ ann, room }) => ann.request('room:update', { room, write: 'moderators' }),
    ],
  ])('fails if its author is %s', async (_, code, change) => {
    const scene = await den();
    const { id } = await schedule(scene.ben, { room: scene.room });
    await change(scene);
    await scene.ben.request('scheduled:edit', { id, at: Date.now() });
    expect(await failureOf(scene.ben, id)).toBe(code);
    expect(await textsIn(scene.ann, scene.room)).toEqual([]);
  });

  test('fails if the other user blocked its author', async () => {
    const [ann, ben] = await users();
    const { id: room } = (await ben.request('direct:open', { user: ann.id })).room;
    await ben.request('room:join', { room });
    await say(ben, room, 'hello');
    const { id } = await schedule(ben, { room });
    await ann.request('user:block', { user: ben.id, blocked: true });
    await ben.request('scheduled:edit', { id, at: Date.now() });
    expect(await failureOf(ben, id)).toBe('forbidden');
  });

  test('fails if the site banned its author', async () => {
    const { ann, ben, room } = await den();
    const pass = stopClock();
    const { id } = await schedule(ben, { room, at: Date.now() + 300 });
    await site.api('PUT', `/users/${ben.id}/ban`, {});
    pass(300);
    const failed = () => site.history.read.scheduledMessage({ id });
    await expect.poll(failed).toMatchObject({ closed: { code: 'forbidden' } });
    expect(await textsIn(ann, room)).toEqual([]);
  });

  test('waits for approval like other messages', async () => {
    const { ann, ben, room } = await den();
    await schedule(ben, { room, text: 'cheap pallets', at: Date.now() });
    await expect
      .poll(async () => (await ann.request('held:list', {})).held)
      .toMatchObject([{ text: 'cheap pallets', room }]);
    expect(await listOf(ben)).toEqual([]);
  });

  test('waits for slow mode, and keeps its place before later messages', async () => {
    const { ann, ben, room } = await den();
    await ann.request('room:update', { room, slow: 1 });
    await say(ben, room, 'now');
    await schedule(ben, { room, text: 'first', at: Date.now() });
    await schedule(ben, { room, text: 'second', at: Date.now() + 1 });
    await expect.poll(() => textsIn(ann, room)).toEqual(['now', 'first', 'second']);
  });
});

describe('the limit of pending messages', () => {
  const strict = sharedSite(() =>
    startPeopleHere({ CHAT_HOLD: 'all', CHAT_ROOMS: 'lobby', CHAT_LIMIT_SEND: '0' }),
  );
  /** Ben schedules 30 messages in two rooms. All need approval. */
  async function plan(over: Over) {
    const [ann, ben] = await strict.people(2, inTest);
    const { id: room } = await strict.den(ann, [ben]);
    for (const id of ['lobby', room]) await ben.request('room:join', { room: id });
    const messages: Scheduled[] = [];
    for (let n = 0; n < 30; n++)
      messages.push(await schedule(ben, { room: n % 2 ? room : 'lobby', ...over }));
    const pending = async () => (await strict.history.read.pendingBy({ user: ben.id })).length;
    return { ann, ben, room, messages, pending };
  }

  test('applies to scheduled messages in all rooms, while their author is logged out', async () => {
    const pass = stopClock();
    const { ben, pending } = await plan({ at: Date.now() + 300 });
    ben.close();
    pass(300);
    const codes = async () => {
      const left = await strict.history.read.scheduledBy({ user: ben.id });
      return left.map(({ closed }) => closed?.code);
    };
    await expect.poll(codes).toEqual(Array(10).fill('limit_reached'));
    expect(await pending()).toBe(20);
  });

  test('applies to scheduled messages that are sent at the same time, unless their author moderates the room', async () => {
    const { ann, ben, room, messages, pending } = await plan({});
    const phones = [ben, inTest(await strict.again(ben)), inTest(await strict.again(ben))];
    const sent = await Promise.all(
      messages.map(({ id }, n) => codeOf(phones[n % 3] as Person, 'scheduled:send', { id })),
    );
    expect(sent.filter((code) => code === 'ok')).toHaveLength(20);
    expect(await pending()).toBe(20);
    await ann.request('room:role', { room, user: ben.id, role: 'moderator' });
    const { id } = await schedule(ben, { room });
    expect(await ben.request('scheduled:send', { id })).toHaveProperty('message');
  });
});

test('lists the time at which a message failed, which may be long after its own', async () => {
  const { chat, history, close } = await openChatOver(() => ({}));
  const { ask } = await askedDirectly(chat)('ann');
  const made = { kind: 'private', name: 'Den', clientId: newClientId() };
  const { room } = (await ask('room:create', made)).data as Answers['room:create'];
  const at = Date.now() + hour;
  const sent = { room: room.id, text: 'later', clientId: newClientId(), at };
  const { scheduled } = (await ask('scheduled:add', sent)).data as { scheduled: Scheduled };
  await history.write.settleScheduled({
    ...{ room: room.id, id: scheduled.id, rev: scheduled.rev },
    ...{ code: 'muted', at: at + hour },
  });
  const failed = { ...scheduled, failed: { at: at + hour, code: 'muted' } };
  expect((await ask('scheduled:list', {})).data).toEqual({ scheduled: [failed] });
  await close();
});

test('sends overdue messages in their order after a downtime', async () => {
  const folder = await emptyHistory();
  const env = { CHAT_CREATE_ROOMS: 'all', CHAT_ROOMS: 'lobby', CHAT_HISTORY: folder.url };
  const before = await startPeopleHere(env);
  const ann = await before.person();
  await ann.request('room:join', { room: 'lobby' });
  const pass = stopClock();
  const at = Date.now() + 200;
  for (const [text, delay] of [
    ['third', 2],
    ['first', 0],
    ['second', 1],
  ] as const)
    await schedule(ann, { text, at: at + delay });
  ann.close();
  await before.close();
  pass(300);
  const after = await startPeopleHere(env);
  const ben = await after.person();
  await expect.poll(() => textsIn(ben, 'lobby')).toEqual(['first', 'second', 'third']);
  await after.close();
  folder.remove();
});

test('exports scheduled messages with their files', async () => {
  const ann = inTest(await served.person());
  await ann.request('room:join', { room: 'lobby' });
  const { file } = await upload(served.chat.url, ann.cookie, 'text', { room: 'lobby', name: 'plan.txt' });
  await schedule(ann, { text: 'secret plan', files: [{ id: file.id }] });
  const files = await exportOf(served, ann.id);
  expect(files['scheduled.jsonl']).toContain('secret plan');
  expect(Object.keys(files)).toContain(`files/${file.id}/plan.txt`);
});
