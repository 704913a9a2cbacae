import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import {
  codeOf,
  eventsOf,
  nextOf,
  type PeopleSite,
  type Person,
  say,
  startPeopleSite,
} from '../../helpers/people.ts';

/** The requests of the moderators' page, over real sockets. */
let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({
    CHAT_CREATE_ROOMS: 'all',
    CHAT_ROOMS: 'lobby',
    CHAT_LIMIT_CHANGE: '0',
    CHAT_LIMIT_REPORT: '0',
    CHAT_MODERATE_DATA: 'on',
  });
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
const siteModerator = () => user({ roles: 'moderator' });

/** A new public or private room of `owner`; all have joined it. */
async function open(kind: 'public' | 'private', owner: Person, ...others: Person[]): Promise<string> {
  const made = { name: newClientId(), kind, clientId: newClientId() };
  const { room } = await owner.request('room:create', made);
  if (kind === 'private' && others.length > 0)
    await owner.request('room:invite', { room: room.id, users: others.map(({ id }) => id) });
  for (const one of [owner, ...others]) await one.request('room:join', { room: room.id });
  return room.id;
}
async function direct(one: Person, other: Person): Promise<string> {
  const { room } = await one.request('direct:open', { user: other.id });
  await one.request('room:join', { room: room.id });
  await say(one, room.id);
  await other.request('room:join', { room: room.id });
  return room.id;
}
const named = ({ id }: Person) => ({ id, name: `Name of ${id}` });
/** All open reports of a room. */
async function reportsIn(room: string, by: Person): Promise<Report[]> {
  return (await by.request('report:list', {})).reports.filter((one) => one.room === room);
}
const report = (by: Person, room: string, seq: number, more: object = {}) =>
  by.request('message:report', { room, seq, reason: 'spam', ...more });

describe('the context of a report', () => {
  test('is three messages before and after as the asker gets them, and the open reports of that message', async () => {
    const [ann, ben, cat, moderator] = [await user(), await user(), await user(), await siteModerator()];
    const room = await open('private', ann, ben, cat);
    for (let n = 1; n <= 9; n++) await say(n === 4 ? cat : ben, room, `text ${n}`);
    await report(cat, room, 5, { text: 'look' });
    await report(ann, room, 5);
    await report(ann, room, 6);
    await ben.request('message:edit', { room, seq: 5, text: 'other words' });
    await ben.request('message:delete', { room, seq: 3 });
    await ann.request('message:react', { room, seq: 2, emoji: '👍', on: true });
    await ann.request('user:block', { user: cat.id, blocked: true });
    const [, , first] = await reportsIn(room, ann);
    const id = first?.id as string;
    const { messages, reports } = await ann.request('report:context', { id });
    expect(messages.map(({ seq, text, hidden }) => [seq, text, hidden])).toEqual([
      [2, 'text 2', undefined],
      [3, '', undefined],
      [4, 'text 4', true],
      [6, 'text 6', undefined],
      [7, 'text 7', undefined],
      [8, 'text 8', undefined],
    ]);
    expect(messages[0]?.reactions).toEqual([{ emoji: '👍', count: 1, users: [ann.id], mine: true }]);
    expect(reports.map(({ by, text, message }) => [by.id, text, message.text])).toEqual([
      [ann.id, undefined, 'text 5'],
      [cat.id, 'look', 'text 5'],
    ]);
    const [one] = (await reportsIn(room, moderator)).filter(({ message }) => message.seq === 6);
    const other = await moderator.request('report:context', { id: one?.id as string });
    expect(other.messages.map(({ seq }) => seq)).toEqual([3, 4, 5, 7, 8, 9]);
    expect(other.reports).toEqual([one]);
  });

  test('of a direct room has no messages, not even for one of the two', async () => {
    const [ann, ben] = [await siteModerator(), await user()];
    const room = await direct(ben, ann);
    await say(ben, room, 'more');
    await report(ann, room, 1);
    const [one] = await reportsIn(room, ann);
    expect(await ann.request('report:context', { id: one?.id as string })).toEqual({
      messages: [],
      reports: [one],
    });
  });

  test('is unknown to all who do not see the report, and to those who do so no more', async () => {
    const [ann, ben, eve, moderator] = [await user(), await user(), await user(), await siteModerator()];
    const room = await open('private', ann, ben);
    await open('private', eve);
    await say(ann, room);
    await report(ben, room, 1);
    const id = (await reportsIn(room, moderator))[0]?.id as string;
    for (const one of [ben, eve]) expect(await codeOf(one, 'report:context', { id })).toBe('unknown_message');
    const asked = await eve.raw('report:context', { id });
    expect(asked).toEqual(await eve.raw('report:context', { id: 'none' }));
    expect(await codeOf(ann, 'report:context', { id })).toBe('ok');
    await ann.request('room:role', { room, user: ben.id, role: 'owner' });
    await ben.request('room:role', { room, user: ann.id, role: 'member' });
    expect(await codeOf(ann, 'report:context', { id })).toBe('unknown_message');
    expect(await codeOf(ben, 'report:context', { id })).toBe('ok');
  });
});

describe('closing a report', () => {
  test('with `all` closes those of that message with one decision, and the author gets the reason', async () => {
    const [ann, ben, cat, dan] = [await user(), await user(), await user(), await user()];
    const room = await open('private', ann, ben, cat, dan);
    await say(ben, room, 'rude');
    await say(ben, room, 'ruder');
    for (const by of [ann, cat, dan]) await report(by, room, 1);
    await report(cat, room, 2);
    const pushed = nextOf(ben, 'push');
    const [, , one] = await reportsIn(room, ann);
    const id = one?.id as string;
    await expect.poll(() => eventsOf(ann, 'report:changed').length).toBe(4);
    const decision = { id, done: 'deleted', reason: 'be kind', all: true } as const;
    const { report: closed } = await ann.request('report:close', decision);
    expect(closed).toMatchObject({
      id,
      message: { text: '', deletedBy: 'moderator' },
      closed: { by: named(ann), done: 'deleted', at: expect.any(Number) },
    });
    expect(await pushed).toEqual({ name: 'deleted', data: { room, seq: 1, reason: 'be kind' } });
    expect((await reportsIn(room, ann)).map(({ message }) => message.seq)).toEqual([2]);
    await expect.poll(() => eventsOf(ann, 'report:changed').length).toBe(7);
    expect(eventsOf(ann, 'report:changed').at(-1)).toMatchObject({ open: 1 });
  });

  test('more than a hundred of one message, all of them', async () => {
    const ann = await siteModerator();
    const room = await open('public', ann);
    const ben = await user();
    await ben.request('room:join', { room });
    await say(ben, room, 'rude');
    const crowd = await Promise.all(Array.from({ length: 103 }, () => user()));
    await Promise.all(crowd.map((one) => report(one, room, 1)));
    expect((await ann.request('room:join', { room })).room.reports).toBe(103);
    const [one] = await reportsIn(room, ann);
    await ann.request('report:close', { id: one?.id as string, done: 'nothing', all: true });
    expect(await reportsIn(room, ann)).toEqual([]);
    expect((await ann.request('room:join', { room })).room.reports).toBe(0);
  });

  test('of two moderators at once one decides, and the other one learns who and how', async () => {
    const [ann, ben, cat] = [await siteModerator(), await siteModerator(), await user()];
    const room = await open('public', ann, ben, cat);
    for (let seq = 1; seq <= 8; seq++) {
      await say(cat, room, 'rude');
      await report(ann, room, seq);
      const [one] = await reportsIn(room, ann);
      const id = one?.id as string;
      const answers = await Promise.all([
        ann.request('report:close', { id, done: 'deleted', reason: 'no' }),
        ben.request('report:close', { id, done: 'muted', seconds: 60, all: true }),
      ]);
      const [first, second] = answers.map(({ report: { closed } }) => closed);
      expect(first).toEqual(second);
      const isMuted = first?.done === 'muted';
      expect(first?.by).toEqual(named(isMuted ? ben : ann));
      const { messages } = await ann.request('message:history', { room, limit: 1 });
      expect(messages[0]?.deletedAt !== undefined).toBe(!isMuted);
      expect((await ann.request('room:restricted', { room })).users).toHaveLength(isMuted ? 1 : 0);
      await ann.request('room:mute', { room, user: cat.id, seconds: 0 });
    }
  });

  test('by a mute or a ban, with its reason; a user of the same role is refused, and nothing is closed', async () => {
    const [ann, ben, cat, dan] = [await user(), await user(), await user(), await user()];
    const room = await open('private', ann, ben, cat, dan);
    for (const one of [ben, cat]) await ann.request('room:role', { room, user: one.id, role: 'moderator' });
    for (const one of [cat, dan, dan]) await say(one, room, 'rude');
    for (const seq of [1, 2, 3]) await report(ann, room, seq);
    const [third, second, first] = (await reportsIn(room, ann)).map(({ id }) => id) as [
      string,
      string,
      string,
    ];
    expect(await codeOf(ben, 'report:close', { id: first, done: 'muted', all: true })).toBe('forbidden');
    expect(await reportsIn(room, ann)).toHaveLength(3);
    await ben.request('report:close', { id: second, done: 'muted', seconds: 60, reason: 'loud' });
    await ben.request('report:close', { id: third, done: 'banned', reason: 'louder' });
    const { users: restricted } = await ann.request('room:restricted', { room });
    expect(restricted).toMatchObject([
      { user: { id: dan.id }, kind: 'muted', until: expect.any(Number), reason: 'loud' },
      { user: { id: dan.id }, kind: 'banned', reason: 'louder', by: { id: ben.id } },
    ]);
    await expect.poll(() => eventsOf(dan, 'room:removed').at(-1)?.text).toBe('louder');
  });
});
