import { strFromU8, unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Answers, Report } from '../../../server/wire/events.ts';
import { askedDirectly } from '../../helpers/asked-directly.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { origin, upload } from '../../helpers/files.ts';
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

/** The requests of the moderators' page. */
const site = sharedSite(() =>
  startPeopleHere({
    CHAT_CREATE_ROOMS: 'all',
    CHAT_ROOMS: 'lobby',
    CHAT_ORIGINS: origin,
    CHAT_LIMIT_CHANGE: '0',
    CHAT_LIMIT_REPORT: '0',
    CHAT_MODERATE_DATA: 'on',
  }),
);

const inTest = closedAfterEach();
const user = async (session?: object): Promise<Person> => inTest(await site.person(session));
const users = <Count extends keyof Several>(count: Count) => site.people(count, inTest);
const siteModerator = () => user({ roles: 'moderator' });

/** Creates a public or private room of `owner` that all users join. */
async function open(kind: 'public' | 'private', owner: Person, ...others: Person[]): Promise<string> {
  const made = { name: newClientId(), kind, clientId: newClientId() };
  const { room } = await owner.request('room:create', made);
  if (kind === 'private' && others.length > 0)
    await owner.request('room:invite', { room: room.id, users: others.map(({ id }) => id) });
  for (const client of [owner, ...others]) await client.request('room:join', { room: room.id });
  return room.id;
}
async function direct(opener: Person, other: Person): Promise<string> {
  const { room } = await opener.request('direct:open', { user: other.id });
  await opener.request('room:join', { room: room.id });
  await say(opener, room.id);
  await other.request('room:join', { room: room.id });
  return room.id;
}
const named = ({ id }: Person) => ({ id, name: `Name of ${id}` });
/** Returns the open reports of a room. */
async function reportsIn(room: string, by: Person): Promise<Report[]> {
  return (await by.request('report:list', {})).reports.filter((report) => report.room === room);
}
const report = (by: Person, room: string, seq: number, more: object = {}) =>
  by.request('message:report', { room, seq, reason: 'spam', ...more });

describe('the context of a report', () => {
  test('contains three messages before and three after the reported message, and its open reports', async () => {
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
    const [later] = (await reportsIn(room, moderator)).filter(({ message }) => message.seq === 6);
    const other = await moderator.request('report:context', { id: later?.id as string });
    expect(other.messages.map(({ seq }) => seq)).toEqual([3, 4, 5, 7, 8, 9]);
    expect(other.reports).toEqual([later]);
  });

  test('contains no messages of a direct room, even for its members', async () => {
    const [ann, ben] = [await siteModerator(), await user()];
    const room = await direct(ben, ann);
    await say(ben, room, 'more');
    await report(ann, room, 1);
    const [listed] = await reportsIn(room, ann);
    expect(await ann.request('report:context', { id: listed?.id as string })).toEqual({
      messages: [],
      reports: [listed],
    });
  });
});

describe('closing a report', () => {
  test('with `all` closes every report of the message and sends the author the reason', async () => {
    const [ann, ben, cat, dan] = await users(4);
    const room = await open('private', ann, ben, cat, dan);
    await say(ben, room, 'rude');
    await say(ben, room, 'ruder');
    for (const by of [ann, cat, dan]) await report(by, room, 1);
    await report(cat, room, 2);
    const pushed = nextOf(ben, 'push');
    const [, , oldest] = await reportsIn(room, ann);
    const id = oldest?.id as string;
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

  test('with `all` closes more than a hundred reports of one message', async () => {
    const { chat, history, close } = await openChatOver(
      () => ({}),
      // Changes may still be announced after the test.
      () => ({ onAsideFailure() {} }),
    );
    onTestFinished(close);
    const boss = await askedDirectly(chat)('boss', ['moderator']);
    const [room, at, user] = ['lobby', Date.now(), { id: 'ben', name: 'Ben' }];
    await history.write.putRoom({ id: room, kind: 'public', name: room, at });
    await history.write.send({ room, clientId: 'c', user, text: 'rude', sentAt: at, asMember: false });
    const by = Array.from({ length: 103 }, (_, n) => `user-${n}`);
    await Promise.all(by.map((by) => history.write.report({ room, seq: 1, by, reason: 'spam', at })));
    const open = async () => (await boss.ask('report:list', {})).data as Answers['report:list'];
    const [newest] = (await open()).reports;
    expect((await history.read.room({ room }))?.reports).toBe(103);
    await boss.ask('report:close', { id: newest?.id, done: 'nothing', all: true });
    expect((await open()).reports).toEqual([]);
    expect((await history.read.room({ room }))?.reports ?? 0).toBe(0);
  });

  test('with a mute or ban requires the right to restrict the author', async () => {
    const [ann, ben, cat, dan] = await users(4);
    const room = await open('private', ann, ben, cat, dan);
    for (const client of [ben, cat])
      await ann.request('room:role', { room, user: client.id, role: 'moderator' });
    for (const client of [cat, dan, dan]) await say(client, room, 'rude');
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

const person = (asker: Person, { id }: Pick<Person, 'id'>) => asker.request('moderate:person', { user: id });
/** Returns the audit entries by these users. */
const actsOf = async (asker: Person, ...by: Person[]) => {
  const ids = by.map(({ id }) => id);
  const { acts } = await asker.request('moderate:acts', { limit: 100 });
  return acts.filter((act) => act.by !== undefined && ids.includes(act.by.id));
};
const admin = () => user({ roles: 'admin' });

test('lets the moderators of a room where only they write mark the messages of its owner', async () => {
  const [ann, ben, cat, boss] = [await user(), await user(), await user(), await admin()];
  const room = await open('public', ann, ben, cat);
  await ann.request('room:role', { room, user: ben.id, role: 'moderator' });
  await say(ann, room, 'Gate opens at nine.');
  const mark = (by: Person, important = true) => by.raw('message:mark', { room, seq: 1, important });
  expect(await mark(ben)).toMatchObject({
    error: {
      code: 'forbidden',
      message: 'all members may write in this room, so only the author can mark a message',
    },
  });
  await ann.request('room:update', { room, write: 'moderators' });
  expect(await mark(cat)).toMatchObject({ error: { code: 'forbidden' } });
  const answer = await mark(ben);
  expect(answer).toMatchObject({ ok: true, data: { message: { seq: 1, important: true } } });
  const { message } = (answer as { data: { message: object } }).data;
  expect(message).not.toHaveProperty('editedAt');
  // A repeat, for example after a lost response, changes nothing.
  expect(await mark(ben)).toEqual(answer);
  await expect.poll(() => eventsOf(cat, 'message:changed')).toEqual([message]);
  const found = async () =>
    (await cat.request('message:search', { room, has: 'important' })).messages.map(({ seq }) => seq);
  expect(await found()).toEqual([1]);
  await mark(ben, false);
  expect(await found()).toEqual([]);
  await expect.poll(async () => (await actsOf(boss, ben)).length).toBe(2);
  expect(await actsOf(boss, ben)).toMatchObject(
    ['unmarked', 'marked'].map((kind) => ({ kind, by: named(ben), user: named(ann), room, seq: 1 })),
  );
});

describe('users', () => {
  test('are listed newest first, with their open reports and restrictions', async () => {
    const [moderator, ann, ben] = [await siteModerator(), await user(), await user()];
    expect(moderator.ready.can.moderate).toEqual({ people: true, log: false, data: false });
    const room = await open('public', moderator, ann, ben);
    await say(ben, room);
    await say(ben, room);
    for (const seq of [1, 2]) await report(ann, room, seq);
    const [second] = await reportsIn(room, moderator);
    await moderator.request('report:close', { id: second?.id as string, done: 'muted' });
    await moderator.request('moderate:ban', { user: ben.id, seconds: 60 });
    await expect.poll(async () => (await person(moderator, ben)).here).toBe(false);
    const known = (client: Person, more = {}) => ({
      user: named(client),
      here: true,
      reports: 0,
      restricted: 0,
      ...more,
    });
    const first = await moderator.request('moderate:people', { limit: 2 });
    expect(first.people).toEqual([known(ben, { here: false, reports: 1, restricted: 2 }), known(ann)]);
    const next = await moderator.request('moderate:people', { limit: 2, cursor: first.next as string });
    expect(next.people[0]).toEqual(known(moderator));
    expect(await moderator.request('moderate:people', { query: ben.id })).toEqual({
      people: [first.people[0]],
      all: first.all,
    });
    expect(await moderator.request('moderate:people', { query: 'nobody is called so' })).toEqual({
      people: [],
      all: first.all,
    });
    expect(first.all).toBeGreaterThanOrEqual(3);
    await user();
    expect((await moderator.request('moderate:people', { limit: 1 })).all).toBe((first.all as number) + 1);
  });

  test('are unknown until their first connection, even if the site or a user named them', async () => {
    const moderator = await siteModerator();
    const room = await open('private', moderator);
    await moderator.request('room:invite', { room, users: ['invited-only'] });
    expect(
      await site.api('PATCH', `/rooms/${room}/members`, { add: [{ id: 'named-only', name: 'Named' }] }),
    ).toMatchObject({ status: 200 });
    await site.api('POST', '/rooms/lobby/messages', {
      user: { id: 'shop-only', name: 'The shop' },
      text: 'hello',
      clientId: newClientId(),
    });
    for (const id of ['invited-only', 'named-only', 'shop-only']) {
      expect((await moderator.request('moderate:people', { query: id })).people).toEqual([]);
      for (const event of ['moderate:person', 'moderate:ban', 'moderate:erase'])
        expect(await codeOf(await admin(), event, { user: id, name: id })).toBe('unknown_user');
    }
    const invited = await site.person({}, 'invited-only');
    inTest(invited);
    expect((await person(moderator, invited)).user).toEqual(named(invited));
  });

  test('are shown with their activity in public rooms and the moderator’s own rooms', async () => {
    const [moderator, ann, ben] = [await siteModerator(), await user(), await user()];
    const open1 = await open('public', ann, ben);
    const shared = await open('private', ann, ben, moderator);
    const hidden = await open('private', ann, ben);
    const talk = await direct(ben, ann);
    for (const room of [open1, shared, hidden]) {
      for (let n = 0; n < 2; n++) await say(ben, room);
      await report(ann, room, 1);
      await ann.request('room:mute', { room, user: ben.id, seconds: 600, reason: `in ${room}` });
    }
    await report(ann, talk, 1);
    await moderator.request('moderate:ban', { user: ben.id, reason: 'spam' });
    await expect.poll(async () => (await person(moderator, ben)).here).toBe(false);
    const mute = (room: string) => ({ room, kind: 'muted', reason: `in ${room}`, by: named(ann) });
    const found = await person(moderator, ben);
    expect(found).toMatchObject({
      user: named(ben),
      since: expect.any(Number),
      messages: 4,
      recent: 4,
      rooms: [
        { room: open1, kind: 'public', role: 'member' },
        { room: shared, kind: 'private', role: 'member' },
      ],
      restrictions: [
        { kind: 'banned', reason: 'spam', by: named(moderator) },
        { ...mute(open1), until: expect.any(Number), name: expect.any(String) },
        mute(shared),
      ],
      reports: [{ room: shared }, { room: open1 }],
      reportsBy: 0,
      removed: 0,
      may: { ban: true, export: false, erase: false },
    });
    expect(found).not.toHaveProperty('onlyIn');
    expect((await person(moderator, ann)).reportsBy).toBe(2);
    const { people } = await moderator.request('moderate:people', { query: ben.id });
    expect(people[0]).toMatchObject({ reports: 2, restricted: 3 });
  });

  test('are shown with the number of their messages that moderators deleted', async () => {
    const [moderator, ben] = [await siteModerator(), await user()];
    const room = await open('public', ben, moderator);
    for (let n = 0; n < 2; n++) await say(ben, room);
    await moderator.request('message:delete', { room, seq: 1 });
    await expect.poll(() => person(moderator, ben)).toMatchObject({ removed: 1, messages: 1, onlyIn: room });
  });

  test('are shown without their activity in rooms from which the moderator is banned', async () => {
    const [moderator, boss, ben] = [await siteModerator(), await admin(), await user()];
    const room = await open('public', boss, ben);
    await say(ben, room);
    await report(boss, room, 1);
    await boss.request('room:mute', { room, user: ben.id });
    expect(await person(moderator, ben)).toMatchObject({ messages: 1, rooms: [{ room }] });
    await boss.request('room:ban', { room, user: moderator.id });
    expect(await person(moderator, ben)).toMatchObject({
      messages: 0,
      rooms: [],
      restrictions: [],
      reports: [],
    });
  });

  test('are shown without their last visit while they are online, if they hide it, or if they are blocked', async () => {
    const [moderator, ann, ben] = [await siteModerator(), await user(), await user()];
    const lastOf = async (client: Person) => (await person(moderator, client)).lastHere;
    await ben.request('user:hide', { hidden: true });
    expect(await lastOf(ann)).toBeUndefined();
    for (const client of [ann, ben]) client.close();
    await expect.poll(() => lastOf(ann)).toEqual(expect.any(Number));
    await expect.poll(async () => (await person(moderator, ben)).here).toBe(false);
    expect(await lastOf(ben)).toBeUndefined();
    const back = inTest(await site.again(ann));
    expect(await lastOf(ann)).toBeUndefined();
    back.close();
    await expect.poll(() => lastOf(ann)).toEqual(expect.any(Number));
    await moderator.request('user:block', { user: ann.id, blocked: true });
    expect(await lastOf(ann)).toBeUndefined();
  });
});

describe('a site ban', () => {
  test('with `messages: delete` deletes new messages in public rooms and the moderator’s own rooms', async () => {
    const [moderator, boss, ann, ben] = [await siteModerator(), await admin(), await user(), await user()];
    const open1 = await open('public', ann, ben);
    const shared = await open('private', ann, ben, moderator);
    const hidden = await open('private', ann, ben);
    const talk = await direct(ben, ann);
    const rooms = [open1, shared, hidden, talk];
    for (const room of rooms) {
      await say(ben, room);
      await say(ann, room);
    }
    const { recent } = await moderator.request('moderate:person', { user: ben.id });
    expect(recent).toBe(2);
    const ban = { user: ben.id, messages: 'delete', reason: 'spam' } as const;
    expect(await moderator.request('moderate:ban', ban)).toEqual({ deleted: 2 });
    const left = async (room: string) => {
      const { messages } = await ann.request('message:history', { room });
      return messages.filter(({ user: author, text }) => author.id === ben.id && text !== '').length;
    };
    expect(await Promise.all(rooms.map(left))).toEqual([0, 0, 1, 2]);
    await expect
      .poll(async () => (await actsOf(boss, moderator)).map(({ kind }) => kind).sort())
      .toEqual(['message_deleted', 'site_banned']);
    expect(await moderator.request('moderate:ban', ban)).toEqual({ deleted: 0 });
  });

  test('closes connections and rejects new ones until it is lifted', async () => {
    const [moderator, boss, ben] = [await siteModerator(), await admin(), await user()];
    const ended = nextOf(ben, 'session:ended');
    await moderator.request('moderate:ban', { user: ben.id, seconds: 600, reason: 'spam' });
    expect(await ended).toEqual({ reason: 'kicked' });
    await expect(site.again(ben)).rejects.toMatchObject({ data: { code: 'forbidden' } });
    const { body } = await site.api('GET', `/users/${ben.id}`);
    expect(body.banned).toMatchObject({ reason: 'spam', by: moderator.id, until: expect.any(Number) });
    for (let n = 0; n < 2; n++) await moderator.request('moderate:ban', { user: ben.id, end: true });
    inTest(await site.again(ben));
    await expect.poll(async () => (await actsOf(boss, moderator)).length).toBe(2);
    expect(await actsOf(boss, moderator)).toEqual([
      { kind: 'site_unbanned', at: expect.any(Number), by: named(moderator), user: named(ben) },
      {
        kind: 'site_banned',
        at: expect.any(Number),
        by: named(moderator),
        user: named(ben),
        reason: 'spam',
        to: { until: expect.any(Number) },
      },
    ]);
  });

  test('is allowed only against users of a lower role, connected or not', async () => {
    const roles = { admin: 2, moderator: 1, none: 0 } as const;
    const all = Object.entries(roles) as [keyof typeof roles, number][];
    const withRole = (role: keyof typeof roles) => user(role === 'none' ? {} : { roles: role });
    const targets: [Person, number][] = [];
    for (const [role, rank] of all) targets.push([await withRole(role), rank], [await withRole(role), rank]);
    for (const [n, [target]] of targets.entries()) if (n % 2 === 1) target.close();
    for (const [role, rank] of all) {
      const asker = await withRole(role);
      for (const [target, other] of [...targets, [asker, rank] as const]) {
        const allowed = rank > 0 && rank > other;
        if (rank > 0)
          expect([role, other, (await person(asker, target)).may.ban]).toEqual([role, other, allowed]);
        for (const how of [{ end: true }, { seconds: 600 }]) {
          // A successful ban would disconnect the target.
          if (allowed && !('end' in how)) continue;
          const code = await codeOf(asker, 'moderate:ban', { user: target.id, ...how });
          expect([role, other, how, code]).toEqual([role, other, how, allowed ? 'ok' : 'forbidden']);
        }
      }
    }
  });
});

describe('erasing a user', () => {
  test('requires the exact name and leaves an audit entry without the user', async () => {
    const [boss, ben] = [await admin(), await user()];
    const room = await open('public', boss, ben);
    await say(ben, room, 'words');
    expect((await person(boss, ben)).may).toEqual({ ban: true, export: true, erase: true });
    for (const name of ['', ben.id, `name of ${ben.id}`, ` Name of ${ben.id}`])
      expect(await codeOf(boss, 'moderate:erase', { user: ben.id, name })).toBe('conflict');
    const ended = nextOf(ben, 'session:ended');
    const reason = 'asked by email';
    await boss.request('moderate:erase', { user: ben.id, name: `Name of ${ben.id}`, reason });
    await ended;
    const left = async () => (await boss.request('message:history', { room })).messages[0];
    await expect.poll(async () => (await left())?.user.id).toBe('0');
    expect(await left()).toMatchObject({ text: '', deletedAt: expect.any(Number) });
    await expect.poll(() => codeOf(boss, 'moderate:person', { user: ben.id })).toBe('unknown_user');
    expect(await actsOf(boss, boss)).toEqual([
      {
        kind: 'erased',
        at: expect.any(Number),
        by: named(boss),
        user: { id: '0', name: 'Deleted user' },
        reason,
      },
    ]);
  });

  test('is allowed only for admins, against users of a lower role', async () => {
    const [boss, other, moderator, ben] = [await admin(), await admin(), await siteModerator(), await user()];
    const erase = (asker: Person, target: Person) =>
      codeOf(asker, 'moderate:erase', { user: target.id, name: `Name of ${target.id}` });
    for (const target of [other, boss]) expect(await erase(boss, target)).toBe('forbidden');
    for (const asker of [moderator, ben]) expect(await erase(asker, ben)).toBe('forbidden');
    expect(await erase(boss, moderator)).toBe('ok');
  });
});

describe('exports and roles', () => {
  let served: PeopleSite;
  beforeAll(async () => {
    served = await startPeopleSite({
      CHAT_CREATE_ROOMS: 'all',
      CHAT_ORIGINS: origin,
      CHAT_MODERATE_DATA: 'on',
    });
  });
  afterAll(() => served.close());
  const user = async (session?: object): Promise<Person> => inTest(await served.person(session));
  const admin = () => user({ roles: 'admin' });
  const siteModerator = () => user({ roles: 'moderator' });
  const same = { 'sec-fetch-site': 'same-origin' };
  const get = (by: Person | null, of: string, over: RequestInit = {}) =>
    fetch(`${served.chat.url}/moderate/export?user=${encodeURIComponent(of)}`, {
      ...over,
      headers: { ...same, ...(by === null ? {} : { cookie: by.cookie }), ...over.headers },
    });
  test('sends an admin the export archive and records one audit entry', async () => {
    const [boss, ben] = [await admin(), await user()];
    const room = await open('private', ben);
    await say(ben, room, 'my words');
    // Chromium sends this for a link with `download`.
    const answer = await get(boss, ben.id, { headers: { 'sec-fetch-dest': 'empty' } });
    expect([
      answer.status,
      answer.headers.get('content-disposition'),
      answer.headers.get('cache-control'),
    ]).toEqual([200, 'attachment; filename="chat-export.zip"', 'no-store']);
    const files = unzipSync(new Uint8Array(await answer.arrayBuffer()));
    expect(strFromU8(files['messages.jsonl'] as Uint8Array)).toContain('my words');
    expect(JSON.parse(strFromU8(files['about.json'] as Uint8Array))).toMatchObject({ user: named(ben) });
    await expect
      .poll(() => actsOf(boss, boss))
      .toEqual([{ kind: 'exported', at: expect.any(Number), by: named(boss), user: named(ben) }]);
  });

  test('rejects exports by other users and from other pages, without an audit entry', async () => {
    const [boss, moderator, ben] = [await admin(), await siteModerator(), await user()];
    const codeFor = async (...of: Parameters<typeof get>) => {
      const answer = await get(...of);
      const { error } = (await answer.json()) as { error: { code: string } };
      return `${answer.status} ${error.code}`;
    };
    for (const client of [moderator, ben]) expect(await codeFor(client, ben.id)).toBe('403 forbidden');
    expect(await codeFor(null, ben.id)).toBe('401 unauthorized');
    // A user can embed the last three in content on a page of this origin.
    const foreign = [
      ...['cross-site', 'same-site', 'none', ''].map((site) => ({ 'sec-fetch-site': site })),
      ...['image', 'iframe', 'video'].map((dest) => ({ 'sec-fetch-dest': dest })),
    ];
    for (const headers of foreign)
      expect(await codeFor(boss, ben.id, { headers })).toBe('403 origin_not_allowed');
    expect(await codeFor(boss, ben.id, { method: 'POST' })).toBe('405 method_not_allowed');
    expect(await codeFor(boss, 'never-seen')).toBe('404 unknown_user');
    for (const id of ['', 'x'.repeat(65)]) expect(await codeFor(boss, id)).toBe('400 bad_request');
    const twoUsers = `${served.chat.url}/moderate/export?user=${ben.id}&user=${boss.id}`;
    expect((await fetch(twoUsers, { headers: { ...same, cookie: boss.cookie } })).status).toBe(400);
    await served.api('PUT', `/users/${boss.id}/ban`, {});
    expect(await codeFor(boss, ben.id)).toBe('403 forbidden');
    const other = await admin();
    expect(
      (await other.request('moderate:acts', {})).acts.filter(
        ({ kind, by }) => kind === 'exported' && by?.id === boss.id,
      ),
    ).toEqual([]);
  });

  test('applies a changed role to moderation requests at once', async () => {
    const client = await siteModerator();
    const changed = nextOf(client, 'session:changed');
    await served.writeSession(client, {});
    expect((await changed).can).not.toHaveProperty('moderate');
    expect(await codeOf(client, 'moderate:people', {})).toBe('forbidden');
    const again = nextOf(client, 'session:changed');
    await served.writeSession(client, { roles: 'admin' });
    expect((await again).can.moderate).toEqual({ people: true, log: true, data: true });
    expect(await codeOf(client, 'moderate:acts', {})).toBe('ok');
  });
});

describe('the audit log', () => {
  test('lists each action exactly once, with the names of user and room', async () => {
    const [boss, moderator, ben] = [await admin(), await siteModerator(), await user()];
    const room = await open('public', moderator, ben);
    for (let n = 0; n < 3; n++) await say(ben, room);
    for (const seq of [1, 2]) await report(moderator, room, seq);
    const [second, first] = await reportsIn(room, moderator);
    const close = { id: first?.id as string, done: 'deleted', reason: 'rude' } as const;
    for (let n = 0; n < 2; n++) await moderator.request('report:close', close);
    await moderator.request('report:close', { id: second?.id as string, done: 'nothing' });
    await moderator.request('message:delete', { room, seq: 3, reason: 'off topic' });
    await moderator.request('room:mute', { room, user: ben.id, seconds: 60 });
    await site.api('PUT', `/users/${ben.id}/ban`, { seconds: 1 });
    await expect.poll(async () => (await actsOf(boss, moderator)).length).toBe(5);
    const of = { at: expect.any(Number), by: named(moderator), user: named(ben), room };
    const { name } = (await boss.request('room:join', { room })).room;
    expect(await actsOf(boss, moderator)).toEqual([
      { kind: 'muted', ...of, name, to: { until: expect.any(Number) } },
      { kind: 'message_deleted', ...of, name, seq: 3, reason: 'off topic' },
      { kind: 'report_closed', ...of, name, seq: 2, to: { done: 'nothing' } },
      { kind: 'report_closed', ...of, name, seq: 1, reason: 'rude', to: { done: 'deleted' } },
      { kind: 'message_deleted', ...of, name, seq: 1, reason: 'rude' },
    ]);
    for (const [client, decided] of [[moderator, 2] as const, [boss, 0] as const])
      expect(await client.request('report:list', { since: 0 })).toMatchObject({ decided });
    expect(await moderator.request('report:list', {})).not.toHaveProperty('decided');
    const { acts } = await boss.request('moderate:acts', { limit: 1 });
    expect(acts).toEqual([
      { kind: 'site_banned', at: expect.any(Number), user: named(ben), to: { until: expect.any(Number) } },
    ]);
    await boss.request('room:delete', { room });
    await expect
      .poll(async () => (await actsOf(boss, boss))[0])
      .toEqual({ kind: 'room_deleted', at: expect.any(Number), by: named(boss), room });
    expect((await actsOf(boss, moderator))[0]).not.toHaveProperty('name');
  });

  test('does not name a private room that reuses the ID of a deleted public room', async () => {
    const [boss, moderator, ben] = [await admin(), await siteModerator(), await user()];
    const id = newClientId();
    await site.api('PUT', `/rooms/${id}`, { name: id, kind: 'public' });
    await moderator.request('room:join', { room: id });
    await moderator.request('room:mute', { room: id, user: ben.id, seconds: 60 });
    await site.api('DELETE', `/rooms/${id}`);
    await site.api('PUT', `/rooms/${id}`, { name: 'Quincunx', kind: 'private' });
    await site.api('PATCH', `/rooms/${id}/members`, { add: [ben.id] });
    await expect.poll(async () => await actsOf(boss, moderator)).toHaveLength(1);
    expect(await actsOf(boss, moderator)).toEqual([expect.not.objectContaining({ name: expect.anything() })]);
  });
});

describe('the overview', () => {
  test('counts only public rooms and the moderator’s own rooms', async () => {
    const settings = { CHAT_ROOMS: 'lobby', CHAT_CREATE_ROOMS: 'all', CHAT_ORIGINS: origin };
    const own = await startPeopleSite(settings);
    onTestFinished(() => own.close());
    const [ann, ben, moderator] = [
      await own.person(),
      await own.person(),
      await own.person({ roles: 'moderator' }),
    ];
    const before = await moderator.request('moderate:overview', {});
    expect(before).not.toHaveProperty('servers');
    expect(before.messages).toHaveLength(30);
    const days = before.messages.map(({ day }) => Date.parse(`${day}T00:00:00Z`));
    expect(days.every((day, n) => n === 0 || day - (days[n - 1] ?? 0) === 86_400_000)).toBe(true);
    const open1 = await open('public', ann, ben);
    const shared = await open('private', ann, ben, moderator);
    const hidden = await open('private', ann, ben);
    const talk = await direct(ben, ann);
    for (const room of [open1, shared, hidden, talk]) {
      await say(ben, room);
      await say(ben, room);
      await report(ann, room, 1);
    }
    for (const room of [open1, hidden]) {
      const { file } = await upload(own.chat.url, ben.cookie, 'the plan', { room });
      const files = [{ id: file.id }];
      await ben.request('message:send', { room, text: '', files, clientId: newClientId() });
    }
    const now = await moderator.request('moderate:overview', {});
    const sent = ({ messages }: typeof now) => messages.reduce((sum, { count }) => sum + count, 0);
    expect(sent(now) - sent(before)).toBe(5);
    expect(now.messages.at(-1)?.day).toMatch(/^20\d\d-\d\d-\d\d$/);
    expect(before).toMatchObject({ here: 3, week: 3, rooms: 1, private: 0, reports: 0, files: { bytes: 0 } });
    const files = { bytes: 'the plan'.length };
    expect(now).toMatchObject({ here: 3, week: 3, rooms: 3, private: 1, fresh: 3, reports: 2, files });
    const rooms = [talk, hidden, shared, 'nowhere', open1, open1];
    expect((await moderator.request('moderate:rooms', { rooms })).rooms).toEqual([
      { room: open1, messages: 3, files },
      { room: shared, messages: 2, files: { bytes: 0 } },
    ]);
    const cat = await own.person();
    expect(await moderator.request('moderate:overview', {})).toMatchObject({ here: 4, week: 4 });
    await cat.request('user:hide', { hidden: true });
    for (const client of [ben, cat]) client.close();
    // Cat hides the last visit, so only Ben's still counts.
    await expect.poll(() => moderator.request('moderate:overview', {})).toMatchObject({ here: 2, week: 3 });
    const boss = await own.person({ roles: 'admin' });
    // This site runs without CHAT_MODERATE_DATA.
    expect(boss.ready.can.moderate).toEqual({ people: true, log: true, data: false });
    const erase = { user: ben.id, name: `Name of ${ben.id}` };
    expect(await codeOf(boss, 'moderate:erase', erase)).toBe('forbidden');
    const address = `${own.chat.url}/moderate/export?user=${ben.id}`;
    const headers = { cookie: boss.cookie, 'sec-fetch-site': 'same-origin' };
    expect((await fetch(address, { headers })).status).toBe(404);
    for (const client of [ann, moderator, boss]) client.close();
  });
});
