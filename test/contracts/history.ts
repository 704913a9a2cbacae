import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type MemberCursor,
  maxPageBytes,
  type Reads,
  type RoomRecord,
  type SearchFilter,
  sources,
  stateOf,
  type UnreadMentions,
  type Writes,
} from '../../server/history/history.ts';
import { runFor } from '../../server/limits/requester.ts';
import { size } from '../guarantees/size.ts';
import { otherTexts, searchedTexts } from '../helpers/searched-texts.ts';
import { cardsContract } from './history-cards.ts';
import { contentContract } from './history-content.ts';
import { devicesContract } from './history-devices.ts';
import { erasureContract } from './history-erasure.ts';
import { heldContract } from './history-held.ts';
import { invitesContract } from './history-invites.ts';
import { laterContract } from './history-later.ts';
import { logContract } from './history-log.ts';
import { moderationContract } from './history-moderation.ts';
import { moderatorsContract } from './history-moderators.ts';
import { notifyContract } from './history-notify.ts';
import { pollsContract } from './history-polls.ts';
import { previewsContract } from './history-previews.ts';
import { callsOf, expectRefusal, pagesOf, type TestedHistory } from './history-tested.ts';
import { threadsContract } from './history-threads.ts';
import { webhooksContract } from './history-webhooks.ts';

const ann = { id: '1', name: 'Ann' };
const ben = { id: '2', name: 'Ben' };
const at = 1_700_000_000_000;
let n = 0;
type NewMessage = Writes['send']['in'];
const message = (over: Partial<NewMessage> = {}): NewMessage => ({
  room: 'lobby',
  clientId: `c${n++}`,
  user: ann,
  text: 'hello',
  sentAt: at,
  asMember: false,
  ...over,
});
const newRoom = (over: Partial<Writes['createRoom']['in']> = {}): Writes['createRoom']['in'] => ({
  id: `u-${n++}`,
  kind: 'private',
  name: 'Den',
  by: ann,
  clientId: `r${n++}`,
  most: 0,
  at,
  ...over,
});

/** Tests every history. @param open opens a history, which `empty` empties between the tests */
export function historyContract(name: string, open: () => Promise<TestedHistory>) {
  describe(`the history contract: ${name}`, () => contract(open));
}

function contract(open: () => Promise<TestedHistory>) {
  let tested: TestedHistory;
  const now = () => tested;
  const { write, read } = callsOf(now);
  const send = async (one: NewMessage) => (await write.send(one)).message;
  const newest = (room: string, upTo: number, limit = 50) => read.newest({ room, upTo, limit });
  const since = (room: string, from: number, upTo: number, limit = 500) =>
    read.changes({ room, since: from, upTo, limit });
  const memberOf = async (room: string, user: string) => (await read.membersOf({ room, users: [user] }))[0];
  const create = async (over?: Partial<Writes['createRoom']['in']>) =>
    (await write.createRoom(newRoom(over))).room;
  const addPeople = (room: string, users: string[], over: Partial<Writes['addMembers']['in']> = {}) =>
    write.addMembers({
      room,
      users: users.map((id) => ({ id })),
      source: 'people',
      mayReturn: false,
      at,
      ...over,
    });
  const join = (...users: (typeof ann)[]) =>
    Promise.all(users.map((user) => write.join({ room: 'lobby', user })));
  const search = async (query: string, rooms: string[], everyPublic = false) =>
    (await read.search({ query, rooms, everyPublic, limit: 50 })).messages.map(({ text }) => text);

  beforeAll(async () => {
    tested = await open();
  });
  beforeEach(async () => {
    await tested.empty();
    const rooms = [
      { id: 'lobby', name: 'lobby' },
      { id: 'garden', name: 'Garden' },
    ];
    await write.publicRooms({ rooms, at });
    tested.changes.length = 0;
  });
  afterAll(() => tested.close());

  describe('messages', () => {
    test('returns a message as sent, with its number', async () => {
      const { asMember: _, ...sent } = message({ text: '你好 👋🏽\n\t<script>alert(1)</script>\u200f' });
      const stored = await send({ ...sent, asMember: false });
      expect(stored).toEqual({ ...sent, id: expect.stringMatching(/^.{8,}$/), seq: 1, rev: 1 });
      const reply = await send(message({ user: ben, replyTo: 1 }));
      expect(reply).toMatchObject({ seq: 2, rev: 2, replyTo: 1, user: ben });
      expect(await newest('lobby', 2)).toEqual({ messages: [stored, reply], complete: true });
    });

    test('dispatches changes once, in commit order, before the write resolves', async () => {
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const stored = await send(message());
          expect(tested.changes).toContainEqual({ type: 'message', is: 'new', message: stored });
        }),
      );
      const revs = tested.changes.flatMap((change) => (change.type === 'message' ? change.message.rev : []));
      expect(revs).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    });

    test('names the connection that caused a change', async () => {
      await tested.history.write.send(message(), 'connection-1');
      expect(tested.changes.every(({ asker }) => asker === 'connection-1')).toBe(true);
    });

    test('returns the current message for a repeated clientId, even after a restart', async () => {
      await join(ann);
      await send(message());
      const sent = message({ text: 'once', replyTo: 1 });
      const [first, second] = await Promise.all([send(sent), send({ ...sent, sentAt: 5 })]);
      expect(second).toEqual(first);
      await write.edit({ room: 'lobby', seq: 2, user: ann.id, text: 'twice' });
      await tested.reload();
      expect(await write.send(sent)).toMatchObject({ repeated: true, message: { seq: 2, text: 'twice' } });
      expect((await newest('lobby', 10)).messages).toHaveLength(2);
    });

    test('a probe returns the result of a repeat without storing a new message', async () => {
      const sent = message();
      expect(await tested.history.probe.send(sent)).toBeNull();
      const first = await write.send(sent);
      expect(await tested.history.probe.send(sent)).toEqual({ ...first, repeated: true });
      await expectRefusal(tested.history.probe.send({ ...sent, text: 'other' }), 'conflict');
      const unsent = message();
      const both = await Promise.all([send(unsent), tested.history.probe.send(unsent)]);
      expect(both).toMatchObject([{ seq: 2 }, { message: { seq: 2 } }]);
      expect(await read.room({ room: 'lobby' })).toMatchObject({ head: 2, lastSeq: 2 });
    });

    test('rejects a repeated clientId with other content as a conflict', async () => {
      await send(message());
      const sent = message({ text: 'first', replyTo: 1 });
      const stored = await send(sent);
      await expectRefusal(send({ ...sent, text: 'second' }), 'conflict');
      const { replyTo: _, ...without } = sent;
      await expectRefusal(send(without), 'conflict');
      expect((await newest('lobby', 10)).messages[1]).toEqual(stored);
    });

    test('stores another message for the same clientId of another user or room', async () => {
      const sent = message();
      const all = await Promise.all([
        send(sent),
        send({ ...sent, user: ben }),
        send({ ...sent, room: 'garden' }),
      ]);
      expect(new Set(all.map(({ id }) => id)).size).toBe(3);
    });

    test('does not use up numbers for rejected messages', async () => {
      const answers = await Promise.allSettled([
        send(message()),
        send(message({ room: 'cellar' })),
        send(message({ replyTo: 99 })),
        send(message({ asMember: true })),
        send(message()),
      ]);
      expect(answers[1]).toMatchObject({ reason: { code: 'unknown_room' } });
      expect(answers[2]).toMatchObject({ reason: { code: 'unknown_message' } });
      expect(answers[3]).toMatchObject({ reason: { code: 'unknown_room' } });
      expect(answers[4]).toMatchObject({ value: { seq: 2, rev: 2 } });
    });

    test('assigns an edited message a new rev and keeps its seq', async () => {
      await join(ann);
      await send(message({ text: 'one' }));
      await send(message({ text: 'two' }));
      const edit = { room: 'lobby', seq: 1, user: ann.id, text: 'uno', at: at + 1 };
      const edited = await write.edit(edit);
      expect(edited.message).toMatchObject({ seq: 1, rev: 3, text: 'uno', editedAt: at + 1 });
      expect(await write.edit(edit)).toEqual(edited);
      expect((await newest('lobby', 2)).messages.map(({ text }) => text)).toEqual(['uno', 'two']);
      expect((await since('lobby', 1, 3)).messages.map(({ rev }) => rev)).toEqual([2, 3]);
      expect(await read.room({ room: 'lobby' })).toMatchObject({ head: 3, lastSeq: 2 });
    });

    test('accepts only an edit based on the newest rev', async () => {
      await join(ann);
      await send(message({ text: 'one' }));
      const edit = (text: string) => write.edit({ room: 'lobby', seq: 1, user: ann.id, text, rev: 1 });
      const [first, second] = await Promise.allSettled([edit('uno'), edit('eins')]);
      expect(first).toMatchObject({ value: { message: { text: 'uno', rev: 2 } } });
      expect(second).toMatchObject({ reason: { code: 'conflict', current: { text: 'uno', rev: 2 } } });
    });

    test('empties a message deleted by its author or a moderator but keeps its place', async () => {
      await join(ann, ben);
      await send(message({ text: 'secret' }));
      await send(message({ text: 'reply', replyTo: 1 }));
      const remove = (user: string, moderator = false, over = {}) =>
        write.delete({ room: 'lobby', seq: 1, user, moderator, at, ...over });
      await expectRefusal(remove(ben.id), 'forbidden');
      // Another server may have removed the role.
      const setRole = (role: 'moderator' | 'member') => write.setRole({ room: 'lobby', user: ben.id, role });
      for (const role of ['moderator', 'member'] as const) await setRole(role);
      await expectRefusal(remove(ben.id, true), 'forbidden');
      const deleted = await remove(ben.id, true, { siteModerator: true });
      expect(deleted).toMatchObject({
        changed: true,
        message: { seq: 1, rev: 3, text: '', deletedAt: at, deletedBy: 'moderator' },
      });
      expect(await remove(ann.id)).toEqual({ ...deleted, changed: false });
      expect((await newest('lobby', 2)).messages).toMatchObject([
        { text: '' },
        { text: 'reply', replyTo: 1 },
      ]);
    });

    test('rejects edits and deletions by a former member', async () => {
      await join(ann, ben);
      await send(message({ text: 'secret' }));
      const remove = { room: 'lobby', users: [ann.id, ben.id], sources: sources.people } as const;
      await write.removeMembers({ ...remove, by: 'people', cause: 'removed', at });
      const where = { room: 'lobby', seq: 1, at };
      const refused = { code: 'unknown_room' };
      await expect(write.edit({ ...where, user: ann.id, text: 'x' })).rejects.toMatchObject(refused);
      await expect(write.delete({ ...where, user: ann.id, moderator: false })).rejects.toMatchObject(refused);
      await expect(write.delete({ ...where, user: ben.id, moderator: true })).rejects.toMatchObject(refused);
      expect((await newest('lobby', 1)).messages).toMatchObject([{ text: 'secret', rev: 1 }]);
    });

    test('returns the tombstone for a repeat of a deleted message', async () => {
      await join(ann);
      const sent = message({ text: 'secret' });
      await send(sent);
      await write.delete({ room: 'lobby', seq: 1, user: ann.id });
      expect(await write.send(sent)).toMatchObject({ repeated: true, message: { text: '' } });
      await expectRefusal(send({ ...sent, text: '' }), 'conflict');
    });
  });

  describe('reactions', () => {
    const people = Array.from({ length: 13 }, (_, i) => ({ id: `p${i}`, name: `Person ${i}` }));
    const ids = people.map(({ id }) => id);
    const react = (reactions: Writes['react']['in']['reactions'], seq = 1) =>
      write.react({ room: 'lobby', seq, reactions });
    const all = (emoji: string, users: readonly string[], on = true) =>
      users.map((user) => ({ user, emoji, on }));
    const reactors = async (emoji: string, after = 0, limit = 100) =>
      read.reactors({ room: 'lobby', seq: 1, emoji, after, limit });
    beforeEach(async () => {
      await join(...people);
      await send(message());
      await send(message({ user: people[0] as typeof ann, text: 'two' }));
      tested.changes.length = 0;
    });

    test('names the first ten users of a reaction by time', async () => {
      const { message: first, results } = await react([
        ...all('👍', ids),
        ...all('❤️', ['p3']),
        ...all('🎉', ['p3']),
        ...all('🎉', ['p3'], false),
      ]);
      expect(results).toEqual([...Array(14).fill('changed'), 'same', 'same']);
      expect(first).toMatchObject({
        rev: 3,
        reactions: [
          { emoji: '👍', count: 13, users: ids.slice(0, 10) },
          { emoji: '❤️', count: 1, users: ['p3'] },
        ],
      });
      expect(tested.changes).toEqual([
        {
          type: 'message',
          is: 'changed',
          message: first,
          reacted: [
            { emoji: '👍', count: 13, added: ids },
            { emoji: '❤️', count: 1, added: ['p3'] },
          ],
        },
      ]);
      await tested.reload();
      // Several operations share one transaction.
      await Promise.all([
        react([...all('👍', ['p2', 'p0', 'p12'], false), ...all('❤️', ['p3'], false)]),
        react([...all('👍', ['p0', 'p1'], true), ...all('👍', ['p3'], false)]),
      ]);
      const left = ['p1', ...ids.slice(4, 12), 'p0'];
      expect((await newest('lobby', 1)).messages).toMatchObject([
        { rev: 5, reactions: [{ emoji: '👍', count: 10, users: left }] },
      ]);
      expect((await since('lobby', 3, 5)).messages).toMatchObject([{ seq: 1, rev: 5 }]);
      expect(await reactors('👍', 0, 4)).toEqual({ users: left.slice(0, 4), next: expect.any(Number) });
      const { next } = (await reactors('👍', 0, 9)) ?? {};
      expect(await reactors('👍', next)).toEqual({ users: ['p0'] });
      expect(await reactors('❤️')).toEqual({ users: [] });
      const of = ['👍', '❤️'].map((emoji) => ({ room: 'lobby', seq: 1, emoji }));
      expect(await read.reactionsOf({ user: 'p1', of })).toEqual([of[0]]);
      expect(await read.reactionsOf({ user: 'p12', of })).toEqual([]);
    });

    test('rejects a thirteenth emoji and ignores a repeated reaction', async () => {
      const emojis = [...'😀😃😄😁😆😅😂🙂😉😊😇🥰'];
      const firstUsers = ['p1', 'p3', 'p4'];
      await react(emojis.map((emoji, n) => ({ user: firstUsers[n % 3] as string, emoji, on: true })));
      const { message: full, results } = await react([
        { user: 'p1', emoji: '😀', on: true },
        { user: 'p2', emoji: '😍', on: true },
        { user: 'p2', emoji: '😘', on: false },
        { user: 'nobody', emoji: '😀', on: true },
      ]);
      expect(results).toEqual(['same', 'limit_reached', 'same', 'unknown_room']);
      expect(full).toMatchObject({ rev: 3 });
      expect(tested.changes).toHaveLength(1);
      const freed = await react([
        { user: 'p2', emoji: '😀', on: true },
        { user: 'p3', emoji: '😃', on: false },
        { user: 'p2', emoji: '😍', on: true },
      ]);
      expect(freed.results).toEqual(['changed', 'changed', 'changed']);
      expect(freed.message.reactions).toHaveLength(12);
      const again = { room: 'lobby', seq: 1, reactions: [{ user: 'p2', emoji: '😍', on: true }] };
      expect(await tested.history.probe.react(again)).toEqual({ message: freed.message, results: ['same'] });
      const news = { ...again, reactions: [{ user: 'p2', emoji: '😍', on: false }] };
      expect(await tested.history.probe.react(news)).toBeNull();
      expect((await newest('lobby', 1)).messages).toEqual([freed.message]);
    });

    test('rejects a fifth emoji whose first user is the same', async () => {
      const [own, foreign] = [[...'😀😃😄😁'], '🥰'];
      const on = (user: string, emoji: string) => ({ user, emoji, on: true });
      const { results } = await react([
        ...[...own, '😍'].map((emoji) => on('p1', emoji)),
        on('p2', foreign),
        on('p1', foreign),
      ]);
      expect(results).toEqual([...own.map(() => 'changed'), 'limit_reached', 'changed', 'changed']);
      await tested.reload();
      const again = await react([on('p1', '😍'), on('p3', '😀'), { ...on('p1', '😀'), on: false }]);
      expect(again.results).toEqual(['limit_reached', 'changed', 'changed']);
      expect((await react([on('p1', '😍')])).results).toEqual(['changed']);
    });

    test('includes messages overtaken by reactions in every page of changes', async () => {
      // These changes exceed one page and are not published yet.
      for (let seq = 3; seq < 9; seq++) {
        await send(message({ text: 'long '.repeat(10_000) }));
        await react(all('👍', ['p1']), seq);
      }
      await react(all('👍', ['p1']), 1);
      await react(all('👍', ['p1']), 2);
      for (const limit of [1, 2, 6, 500]) {
        const { messages, complete } = await since('lobby', 0, 2, limit);
        const places = messages.map(({ seq, rev }) => [seq, rev]);
        expect({ limit, places, complete }).toEqual({
          limit,
          places: [
            [1, 15],
            [2, 16],
          ],
          complete: true,
        });
      }
      const { messages, complete } = await since('lobby', 0, 3, 1);
      expect([messages.map(({ seq }) => seq), complete]).toEqual([[3, 1, 2], true]);
    });

    test('keeps reactions through an edit and removes them with a deleted message', async () => {
      await react(all('👍', ['p1']), 2);
      const edit = (text: string, rev: number) =>
        write.edit({ room: 'lobby', seq: 2, user: 'p0', text, rev });
      const { message: edited } = await edit('dos', 2);
      expect(edited).toMatchObject({ rev: 4, reactions: [{ emoji: '👍', count: 1, users: ['p1'] }] });
      await react(all('👍', ['p2']), 2);
      // An unpublished reaction does not reveal the earlier text, so the message is returned.
      for (const upTo of [4, 5]) {
        const { messages, complete } = await since('lobby', 2, upTo);
        expect({ messages, complete }).toMatchObject({ complete: true, messages: [{ rev: 5, text: 'dos' }] });
      }
      await send(message());
      expect((await since('lobby', 4, 4, 1)).messages).toMatchObject([{ rev: 5 }]);
      expect((await since('lobby', 0, 4, 2)).messages.map(({ rev }) => rev)).toEqual([1, 5]);
      expect(await since('lobby', 0, 4, 1)).toMatchObject({ complete: false, messages: [{ rev: 1 }] });
      await expectRefusal(edit('deux', 3), 'conflict', { current: { rev: 5 } });
      expect((await edit('deux', 4)).message).toMatchObject({ rev: 7, reactions: [{ count: 2 }] });
      const where = { room: 'lobby', seq: 2, user: 'p0' };
      const { message: deleted } = await write.delete({ ...where, moderator: false, at });
      expect(deleted).not.toHaveProperty('reactions', expect.anything());
      expect((await newest('lobby', 2)).messages.at(-1)).toEqual(deleted);
      await expectRefusal(react(all('👍', ['p1']), 2), 'unknown_message');
      await expectRefusal(react(all('👍', ['p1']), 9), 'unknown_message');
      const gone = { room: 'lobby', seq: 2, emoji: '👍' };
      expect(await read.reactors({ ...gone, after: 0, limit: 9 })).toBeNull();
      expect(await read.reactionsOf({ user: 'p1', of: [gone] })).toEqual([]);
    });
  });

  describe('files', () => {
    const about = (id: string) => ({
      id,
      name: `${id}.png`,
      type: 'image/png',
      size: 5,
      image: { width: 4, height: 3, blur: 'LEHV6nWB2yk8pyo0adR*.7kCMdnj' },
    });
    const add = (id: string, { user = ann, room = 'lobby', added = at } = {}) =>
      write.addFile({ room, user: user.id, file: about(id), at: added });
    const file = (id: string, user = ben) => read.file({ id, user: user.id });
    const doomed = async (before = 0, most = 100) => (await write.dropFiles({ before, most })).ids;
    const edit = (seq: number, files: { id: string; alt?: string }[], text = 'hello') =>
      write.edit({ room: 'lobby', seq, user: ann.id, text, files });
    beforeEach(() => join(ann, ben));

    test('attaches files of the author and room, in order, to one message only', async () => {
      for (const id of ['f1', 'f2', 'f3']) await add(id);
      await add('f4', { user: ben });
      await add('f5', { room: 'garden' });
      expect(await file('f1')).toMatchObject({
        file: { id: 'f1', user: ann.id, state: 'loose', at, about: about('f1') },
        room: { id: 'lobby' },
        member: { acted: 1 },
      });
      for (const id of ['f4', 'f5', 'f6']) {
        const files = [{ id: 'f1' }, { id }];
        await expectRefusal(send(message({ files })), 'unknown_file');
      }
      const sent = message({ text: '', files: [{ id: 'f2', alt: 'A cat' }, { id: 'f1' }] });
      const [first, again] = await Promise.all([send(sent), send(sent)]);
      expect(again).toEqual(first);
      const files = [{ ...about('f2'), alt: 'A cat' }, about('f1')];
      expect(first).toMatchObject({ seq: 1, text: '', files });
      expect((await read.room({ room: 'lobby' }))?.last).toEqual(first);
      await tested.reload();
      expect((await newest('lobby', 1)).messages).toEqual([first]);
      expect(await file('f2')).toMatchObject({ file: { state: 'carried', seq: 1 } });
      expect(await tested.history.probe.send(sent)).toMatchObject({ repeated: true });
      for (const others of [[], [{ id: 'f1' }, { id: 'f2' }], [{ id: 'f2' }]]) {
        const wrong = { ...sent, files: others };
        await expectRefusal(write.send(wrong), 'conflict');
      }
      await expectRefusal(send(message({ files: [{ id: 'f1' }] })), 'unknown_file');
    });

    test('shares the bytes of files between a message and its forwarded copies', async () => {
      for (const id of ['f1', 'f2']) await add(id);
      await send(message({ text: 'words', files: [{ id: 'f1', alt: 'A cat' }, { id: 'f2' }] }));
      const forward = { room: 'garden', from: { room: 'lobby', seq: 1 }, user: ben, sentAt: at };
      const copyTo = (clientId: string, more = {}) =>
        write.forward({ ...forward, ...more, clientId, asMember: false });
      const [one, again] = await Promise.all([copyTo('a'), copyTo('a')]);
      expect(again).toEqual({ message: one.message, repeated: true });
      const [first, second] = one.message.files ?? [];
      expect(one.message).toMatchObject({
        room: 'garden',
        user: ben,
        text: 'words',
        files: [
          { ...about('f1'), id: expect.stringMatching(/^[0-9a-f]{32}$/), alt: 'A cat' },
          { ...about('f2'), id: expect.stringMatching(/^[0-9a-f]{32}$/) },
        ],
        forwarded: { user: ann, shown: true },
      });
      expect(await file(first?.id as string)).toMatchObject({
        file: { user: ben.id, state: 'carried', seq: one.message.seq, stored: 'f1' },
        room: { id: 'garden' },
      });
      const from = { room: 'garden', seq: one.message.seq };
      await write.join({ room: 'garden', user: ben });
      await expectRefusal(copyTo('a', { from }), 'conflict');
      await expectRefusal(
        write.edit({ room: 'garden', seq: from.seq, user: ben.id, text: 'x' }),
        'forbidden',
      );
      const third = (await copyTo('b', { from })).message;
      expect(third.forwarded).toEqual(one.message.forwarded);
      const deleteIn = (room: string, seq: number, user: string) => write.delete({ room, seq, user });
      const dropped = () => write.dropFiles({ before: 0, most: 100 });
      await deleteIn('lobby', 1, ann.id);
      expect(await dropped()).toEqual({ ids: ['f1', 'f2'], stored: [] });
      await write.forgetFiles({ ids: ['f1', 'f2'] });
      await expectRefusal(copyTo('c'), 'unknown_message');
      await tested.reload();
      await deleteIn('garden', from.seq, ben.id);
      expect(await dropped()).toEqual({ ids: [first?.id, second?.id].sort(), stored: [] });
      // The bytes are dropped with the last files, even if other rows remain.
      await deleteIn('garden', third.seq, ben.id);
      const last = await dropped();
      expect(last.ids).toHaveLength(4);
      expect(last.stored.sort()).toEqual(['f1', 'f2']);
      expect((await dropped()).stored.sort()).toEqual(['f1', 'f2']);
    });

    test('replaces the files on an edit only if it lists files', async () => {
      for (const id of ['f1', 'f2', 'f3']) await add(id);
      await send(message({ files: [{ id: 'f1' }, { id: 'f2' }] }));
      const { files: _, ...plain } = { room: 'lobby', seq: 1, user: ann.id, text: 'new', at, files: [] };
      expect((await write.edit(plain)).message.files).toEqual([about('f1'), about('f2')]);
      const same = await edit(1, [{ id: 'f1' }, { id: 'f2' }], 'new');
      expect(same.message.rev).toBe(2);
      const { message: changed } = await edit(1, [{ id: 'f3' }, { id: 'f2', alt: 'Two' }], 'new');
      expect(changed).toMatchObject({ rev: 3, files: [about('f3'), { ...about('f2'), alt: 'Two' }] });
      expect(await file('f1')).toMatchObject({ file: { state: 'loose', seq: 1 } });
      // The file stays reserved for its first message.
      await expectRefusal(send(message({ files: [{ id: 'f1' }] })), 'unknown_file');
      await expectRefusal(edit(1, [{ id: 'f9' }]), 'unknown_file');
      expect((await edit(1, [{ id: 'f1' }], '')).message).toMatchObject({ text: '', files: [about('f1')] });
      await expectRefusal(edit(1, [], ' '), 'bad_request');
      expect((await edit(1, [], 'text')).message).not.toHaveProperty('files', expect.anything());
      expect((await newest('lobby', 1)).messages[0]).not.toHaveProperty('files', expect.anything());
    });

    test('hides files of a deleted message immediately and drops them later', async () => {
      for (const id of ['f1', 'f2', 'f3']) await add(id);
      await send(message({ files: [{ id: 'f1' }, { id: 'f2' }] }));
      const { message: deleted } = await write.delete({ room: 'lobby', seq: 1, user: ann.id });
      expect(deleted).not.toHaveProperty('files', expect.anything());
      expect(await file('f1', ann)).toBeNull();
      await expectRefusal(send(message({ files: [{ id: 'f2' }] })), 'unknown_file');
      await tested.reload();
      expect(await doomed(0, 1)).toEqual(['f1']);
      expect(await doomed()).toEqual(['f1', 'f2']);
      await write.forgetFiles({ ids: ['f1', 'f2'] });
      expect(await doomed()).toEqual([]);
      expect(await file('f3')).not.toBeNull();
    });

    test('drops a file without a message after a while', async () => {
      for (const id of ['old', 'sent', 'kept']) await add(id, { added: at });
      await add('young', { added: at + 10 });
      // These calls share one transaction in this order.
      const [, ids, late] = await Promise.allSettled([
        send(message({ files: [{ id: 'sent' }] })),
        doomed(at + 5),
        send(message({ files: [{ id: 'old' }] })),
      ]);
      expect(ids).toMatchObject({ value: ['kept', 'old'] });
      expect(late).toMatchObject({ status: 'rejected', reason: { code: 'unknown_file' } });
      expect(await file('old', ann)).toBeNull();
      await edit(1, []);
      expect(await doomed(at + 5)).toEqual(['kept', 'old', 'sent']);
      expect(await file('young', ann)).not.toBeNull();
    });

    test('drops files of a deleted room', async () => {
      const { id: room } = await create();
      await add('f1', { room });
      await add('f2', { room });
      await send(message({ room, files: [{ id: 'f1' }] }));
      await write.deleteRoom({ room });
      // Messages are deleted step by step, and their files with them.
      await expect.poll(() => doomed()).toEqual(['f1', 'f2']);
      expect(await file('f1', ann)).toBeNull();
      await expectRefusal(add('f3', { room }), 'unknown_room');
    });

    const addPicture = (id: string, { user = ann, room = 'lobby' } = {}) =>
      write.addFile({ room, user: user.id, file: { ...about(id), isPicture: true } });
    const setPicture = (picture: string, room = 'lobby', actor = ann.id) =>
      write.updateRoom({ room, picture, actor });

    test('keeps the picture of a room until it is replaced, removed or deleted with the room', async () => {
      for (const id of ['p1', 'p2', 'p3', 'p4']) await addPicture(id);
      expect((await setPicture('p1')).room.settings).toEqual({ picture: 'p1' });
      expect(tested.changes.at(-1)).toMatchObject({ type: 'room', room: { settings: { picture: 'p1' } } });
      await write.updateRoom({ room: 'lobby', emoji: '🧪' });
      await tested.reload();
      expect((await read.room({ room: 'lobby' }))?.settings).toEqual({ emoji: '🧪', picture: 'p1' });
      expect(await read.picturesBy({ user: ann.id })).toEqual([{ room: 'lobby', id: 'p1', name: 'p1.png' }]);
      expect(await read.picturesBy({ user: ben.id })).toEqual([]);

      // Neither the retention of messages nor the collection of orphaned files deletes the picture.
      await send(message());
      await write.expire({ room: 'lobby', firstSeq: 2 });
      expect(await doomed(at)).toEqual([]);
      expect(await file('p1')).toMatchObject({ file: { state: 'carried' } });
      expect((await setPicture('p1')).room.settings).toMatchObject({ picture: 'p1' });

      expect((await setPicture('p2')).room.settings).toMatchObject({ picture: 'p2' });
      expect(await file('p1', ann)).toBeNull();
      expect(await doomed(0)).toEqual(['p1']);
      await expectRefusal(setPicture('p1'), 'unknown_file');
      // These calls share one transaction in this order.
      await Promise.all([setPicture('p3'), setPicture('p4')]);
      expect((await read.room({ room: 'lobby' }))?.settings).toMatchObject({ picture: 'p4' });
      expect(await doomed(0)).toEqual(['p1', 'p2', 'p3']);
      expect((await setPicture('')).room.settings).toEqual({ emoji: '🧪' });
      expect(await doomed(0)).toEqual(['p1', 'p2', 'p3', 'p4']);

      const { id: room } = await create();
      await addPicture('p5', { room });
      await setPicture('p5', room);
      await write.deleteRoom({ room });
      expect(await file('p5', ann)).toBeNull();
      expect(await read.picturesBy({ user: ann.id })).toEqual([]);
      await expect.poll(() => doomed(0)).toContain('p5');
    });

    test('accepts as a picture only a file that the user uploaded as the picture of that room', async () => {
      await add('f1');
      await addPicture('p1');
      await addPicture('p2', { user: ben });
      await addPicture('p3', { room: 'garden' });
      for (const picture of ['f1', 'p2', 'p3', 'p9'])
        await expectRefusal(
          write.updateRoom({ room: 'lobby', picture, slow: 9, actor: ann.id }),
          'unknown_file',
        );
      await expectRefusal(write.updateRoom({ room: 'lobby', picture: 'p1' }), 'unknown_file');
      expect((await read.room({ room: 'lobby' }))?.settings).toEqual({});
      await expectRefusal(send(message({ files: [{ id: 'p1' }] })), 'unknown_file');
      await setPicture('p1');
      await expectRefusal(send(message({ files: [{ id: 'p1' }] })), 'unknown_file');
      await write.erase({ user: ben.id });
      await expectRefusal(setPicture('p2', 'lobby', ben.id), 'forbidden');
    });

    test('drops files of an expired message', async () => {
      for (const id of ['f1', 'f2', 'f3']) await add(id);
      await send(message({ files: [{ id: 'f1' }] }));
      await send(message({ files: [{ id: 'f2' }] }));
      await write.expire({ room: 'lobby', firstSeq: 2 });
      expect(await file('f1', ann)).toBeNull();
      expect(await file('f2')).not.toBeNull();
      await expect.poll(() => doomed()).toEqual(['f1']);
    });
  });

  describe('mentions', () => {
    const [bob, zoë, eve] = [
      { id: 'b', name: 'Bob' },
      { id: 'z\u00eb 李', name: 'Zoë "O\'Neil", 李 👋🏽' },
      { id: 'e', name: 'Eve' },
    ];
    const named = (...users: string[]) => users.map((user, i) => ({ user, start: 2 * i, length: 1 }));
    const stored = (user: { id: string; name: string }, start = 0, shown = true) => {
      const { id, name } = user;
      return { user: id, start, length: 1, name, shown };
    };
    const text = '1 2 3 4 5';
    const unreadOf = async (user: string) => {
      const { memberships } = await read.user({ user });
      const seqsOf = (mentions: UnreadMentions) => [...mentions.values()].flat().sort((a, b) => a - b);
      return Object.fromEntries(memberships.map(({ room, mentions }) => [room.id, seqsOf(mentions)]));
    };
    const mentionChanges = () =>
      tested.changes.flatMap((change) =>
        change.type === 'mentions'
          ? [{ seq: change.message.seq, added: change.added, removed: change.removed }]
          : [],
      );
    const edit = async (seq: number, over: Partial<Writes['edit']['in']> = {}) =>
      (await write.edit({ room: 'lobby', seq, user: ann.id, text, at, ...over })).message;

    test('stores mentions with current names for users who can read the room', async () => {
      await join(ann, bob, zoë);
      const den = (await create({ by: ann })).id;
      await addPeople(den, [bob.id]);
      const everywhere = named(bob.id, zoë.id, 'nobody', '*');
      const sent = message({ text, mentions: everywhere, asMember: true });
      const first = await send(sent);
      expect(first.mentions).toEqual([
        stored(bob),
        stored(zoë, 2),
        stored({ id: 'nobody', name: 'nobody' }, 4, false),
      ]);
      expect(await send({ ...sent, sentAt: 5 })).toEqual(first);
      await expectRefusal(send({ ...sent, mentions: named(bob.id) }), 'conflict');
      await expectRefusal(send(message({ ...sent, mentions: [] })), 'conflict');
      // The right to mention @all is not part of the content.
      expect(await send({ ...sent, siteModerator: true })).toEqual(first);
      const all = await send(message({ text, mentions: everywhere, siteModerator: true }));
      expect(all.mentions?.at(-1)).toEqual({ user: '*', start: 6, length: 1, name: '*', shown: true });
      // Bob joined a public room, so all users may know his name.
      const inDen = await send(message({ room: den, text, mentions: named(zoë.id, bob.id, eve.id) }));
      expect(inDen.mentions).toEqual([stored(bob, 2)]);
      await addPeople(den, [eve.id]);
      expect(await send(message({ room: den, text, mentions: named(eve.id) }))).toMatchObject({
        mentions: [{ user: 'e', name: 'e', shown: false }],
      });
      await write.arrive({ user: { ...eve, name: 'Eva' } });
      await write.arrive({ user: { ...bob, name: 'Robert' } });
      await tested.reload();
      tested.changes.length = 0;
      const now = [stored({ ...bob, name: 'Robert' }), ...(first.mentions?.slice(1) ?? [])];
      const changed = { ...first, mentions: now };
      expect((await newest('lobby', 1)).messages).toEqual([changed]);
      expect((await since('lobby', 0, 1)).messages).toEqual([changed]);
      expect((await write.send(sent)).message).toEqual(changed);
      const found = { query: '1 2', rooms: ['lobby'], everyPublic: false, limit: 9 };
      expect((await read.search(found)).messages.at(-1)).toEqual(changed);
      const ofEve = (shown: boolean) => [{ user: 'e', start: 0, length: 1, name: 'Eva', shown }];
      expect((await newest(den, 2)).messages.at(-1)?.mentions).toEqual(ofEve(false));
      await write.join({ room: den, user: { ...eve, name: 'Eva' } });
      expect((await newest(den, 2)).messages.at(-1)?.mentions).toEqual(ofEve(true));
    });

    test('mentions the peer of a direct room before the peer is a member', async () => {
      const { room } = await write.openDirect({ id: 'd-1', by: ann, other: bob.id });
      await send(message({ room: room.id, text, mentions: named(bob.id, eve.id), asMember: true }));
      expect(tested.changes.slice(-2)).toMatchObject([
        { type: 'member' },
        { type: 'mentions', added: ['b'] },
      ]);
      expect(await unreadOf(bob.id)).toEqual({ 'd-1': [1] });
    });

    test('counts each unread mention once until it is read, edited or deleted', async () => {
      await join(ann, bob, eve);
      tested.changes.length = 0;
      const all = { text, siteModerator: true };
      await send(message({ ...all, mentions: named(bob.id, bob.id, '*') }));
      await send(message({ ...all, mentions: named(bob.id) }));
      await send(message({ ...all, mentions: named('*') }));
      await send(message());
      expect(mentionChanges()).toEqual([
        { seq: 1, added: ['b', '*'], removed: [] },
        { seq: 2, added: ['b'], removed: [] },
        { seq: 3, added: ['*'], removed: [] },
      ]);
      expect(await unreadOf(bob.id)).toEqual({ lobby: [1, 2, 3] });
      expect(await unreadOf(eve.id)).toEqual({ lobby: [1, 3] });
      // Ann sent the messages, so they are read.
      expect(await unreadOf(ann.id)).toEqual({ lobby: [] });
      await write.markRead({ room: 'lobby', user: bob.id, seq: 1 });
      expect(await unreadOf(bob.id)).toEqual({ lobby: [2, 3] });
      tested.changes.length = 0;
      expect((await edit(2, { mentions: named(eve.id) })).mentions).toMatchObject([{ user: 'e' }]);
      expect(await edit(3, { mentions: named('*') })).not.toHaveProperty('mentions', expect.anything());
      expect(mentionChanges()).toEqual([
        { seq: 2, added: ['e'], removed: ['b'] },
        { seq: 3, added: [], removed: ['*'] },
      ]);
      expect(await unreadOf(bob.id)).toEqual({ lobby: [] });
      expect(await unreadOf(eve.id)).toEqual({ lobby: [1, 2] });
      tested.changes.length = 0;
      await write.delete({ room: 'lobby', seq: 1, user: ann.id });
      expect(mentionChanges()).toEqual([{ seq: 1, added: [], removed: ['b', '*'] }]);
      expect((await newest('lobby', 1)).messages[0]).not.toHaveProperty('mentions', expect.anything());
      await tested.reload();
      expect(await unreadOf(eve.id)).toEqual({ lobby: [2] });
      // All earlier messages count as read for a new member.
      await join(zoë);
      expect(await unreadOf(zoë.id)).toEqual({ lobby: [] });
    });

    test('knows which messages are deleted, also after a restart', async () => {
      await join(ann);
      for (let n = 0; n < 5; n++) await send(message());
      const deleted = async () => (await read.room({ room: 'lobby' }))?.deleted;
      expect(await deleted()).toBeUndefined();
      for (const seq of [4, 2, 3]) await write.delete({ room: 'lobby', seq, user: ann.id });
      await write.delete({ room: 'lobby', seq: 3, user: ann.id });
      expect(await deleted()).toEqual([[2, 3]]);
      await tested.reload();
      expect(await deleted()).toEqual([[2, 3]]);
      const [membership] = (await read.user({ user: ann.id })).memberships;
      expect(membership?.room.deleted).toEqual([[2, 3]]);
    });

    test('keeps mentions on an edit without mentions only if the text is unchanged', async () => {
      await join(ann, bob);
      await send(message({ text, mentions: named(bob.id) }));
      const same = await edit(1);
      expect(same).toMatchObject({ rev: 1, mentions: [{ user: 'b' }] });
      expect(await edit(1, { mentions: named(bob.id) })).toEqual(same);
      expect(await edit(1, { mentions: [{ user: bob.id, start: 2, length: 3 }] })).toMatchObject({
        rev: 2,
        mentions: [{ user: 'b', start: 2, length: 3 }],
      });
      const reactions = [{ user: bob.id, emoji: '👍', on: true }];
      const { message: reacted } = await write.react({ room: 'lobby', seq: 1, reactions });
      expect(reacted).toMatchObject({ rev: 3, mentions: [{ user: 'b', name: 'Bob' }] });
      expect((await newest('lobby', 1)).messages).toEqual([reacted]);
      expect(await edit(1, { text: 'other' })).not.toHaveProperty('mentions', expect.anything());
      expect(await edit(1, { text: 'other', mentions: [] })).toMatchObject({ rev: 4 });
    });
  });

  describe('pages', () => {
    test('return messages by seq, up to or after a number', async () => {
      for (let i = 0; i < 10; i++) await send(message());
      const page = await newest('lobby', 8, 3);
      expect(page).toMatchObject({ complete: false, messages: [{ seq: 6 }, { seq: 7 }, { seq: 8 }] });
      expect(await newest('lobby', 3, 3)).toMatchObject({ complete: true });
      expect(await newest('lobby', 0, 3)).toEqual({ messages: [], complete: true });
      expect(await newest('lobby', -1, 3)).toEqual({ messages: [], complete: true });
      const newer = (from: number, upTo: number) =>
        read.after({ room: 'lobby', after: from, upTo, limit: 3 });
      expect(await newer(4, 10)).toMatchObject({
        complete: false,
        messages: [{ seq: 5 }, { seq: 6 }, { seq: 7 }],
      });
      expect(await newer(7, 10)).toMatchObject({ complete: true });
      expect(await newer(10, 10)).toEqual({ messages: [], complete: true });
    });

    test('return each changed message once, in its newest state, ordered by rev', async () => {
      await join(ann);
      for (let i = 0; i < 10; i++) await send(message());
      await write.edit({ room: 'lobby', seq: 6, user: ann.id, text: 'new' });
      const page = await since('lobby', 4, 11, 3);
      expect(page).toMatchObject({ complete: false, messages: [{ rev: 5 }, { rev: 7 }, { rev: 8 }] });
      expect(await since('lobby', 8, 11)).toMatchObject({
        complete: true,
        messages: [{ rev: 9 }, { rev: 10 }, { rev: 11, seq: 6, text: 'new' }],
      });
      expect(await since('lobby', 11, 11)).toEqual({ messages: [], complete: true });
    });

    test('end at a size in bytes and continue from there', async () => {
      const text = '好'.repeat(4000);
      await Promise.all(Array.from({ length: 40 }, () => send(message({ text }))));
      const byRev = await since('lobby', 0, 40);
      expect(Buffer.byteLength(JSON.stringify(byRev.messages))).toBeLessThanOrEqual(maxPageBytes);
      expect(byRev.complete).toBe(false);
      expect(byRev.messages.length).toBeGreaterThan(10);
      const bySeq = await newest('lobby', 40, 100);
      expect(bySeq.complete).toBe(false);
      expect(bySeq.messages.at(-1)).toMatchObject({ seq: 40 });
    });
  });

  test('dispatches a node message in order with the other changes of its batch', async () => {
    const nodeMessage = { from: 'one', what: { is: 'beat' } };
    await Promise.all([send(message()), write.broadcast(nodeMessage), send(message())]);
    const relevant = tested.changes.filter(({ type }) => type === 'broadcast' || type === 'message');
    expect(relevant.map(({ type }) => type)).toEqual(['message', 'broadcast', 'message']);
    expect(relevant[1]).toEqual({ type: 'broadcast', ...nodeMessage });
    await write.broadcast(nodeMessage);
    expect(tested.changes.at(-1)).toEqual({ type: 'broadcast', ...nodeMessage });
  });

  test('replaces the name of an unknown user in a node message with the ID', async () => {
    await write.join({ room: 'lobby', user: ann });
    const users = [ann.id, 'erased'].map((id) => [id, { name: 'Ann', rooms: ['lobby'] }]);
    await write.broadcast({ from: 'one', what: { is: 'here', users: [...users, ['ben', null]] } });
    const named = [users[0], ['erased', { name: 'erased', rooms: ['lobby'] }], ['ben', null]];
    expect(tested.changes.at(-1)).toEqual({
      type: 'broadcast',
      from: 'one',
      what: { is: 'here', users: named },
    });
    // A user being erased is renamed here, because the erasure may already have scanned the log.
    await write.erase({ user: ann.id });
    await write.broadcast({ from: 'one', what: { is: 'here', users: [users[0] as [string, object]] } });
    const erased = [ann.id, { name: ann.id, rooms: ['lobby'] }];
    expect(tested.changes.at(-1)).toEqual({
      type: 'broadcast',
      from: 'one',
      what: { is: 'here', users: [erased] },
    });
  });

  describe('rooms and members', () => {
    test('keeps the name and the sequence numbers of a public room that is created again after a restart', async () => {
      const last = await send(message());
      await tested.reload();
      await write.publicRooms({ rooms: [{ id: 'lobby', name: 'Other' }], at: at + 1 });
      const rooms = await read.publicRooms(null);
      const room = { kind: 'public', settings: {}, access: 0, firstSeq: 1, members: 0, createdAt: at };
      expect(rooms.sort((a, b) => a.id.localeCompare(b.id))).toEqual([
        { ...room, id: 'garden', name: 'Garden', head: 0, lastSeq: 0 },
        { ...room, id: 'lobby', name: 'lobby', head: 1, lastSeq: 1, last },
      ]);
      expect(await send(message())).toMatchObject({ seq: 2 });
    });

    test("starts a new member's read marker at the newest message and never lowers it", async () => {
      await send(message({ user: ben }));
      expect(await memberOf('lobby', ann.id)).toBeNull();
      await write.join({ room: 'lobby', user: ann });
      expect(await memberOf('lobby', ann.id)).toMatchObject({ readSeq: 1, role: 'member', sources: 4 });
      await send(message({ user: ben }));
      await write.join({ room: 'lobby', user: ann });
      expect(await memberOf('lobby', ann.id)).toMatchObject({ readSeq: 1 });
      const mark = (seq: number) => write.markRead({ room: 'lobby', user: ann.id, seq });
      expect(await mark(2)).toEqual({ readSeq: 2 });
      expect(await mark(1)).toEqual({ readSeq: 2 });
      await expectRefusal(mark(3), 'bad_request');
      const users = ['nobody', ann.id, ben.id];
      const [nobody, member, sender] = await read.membersOf({ room: 'lobby', users });
      expect([nobody, member?.readSeq, sender]).toEqual([null, 2, null]);
      await send(message({ user: ann }));
      await tested.reload();
      expect(await memberOf('lobby', ann.id)).toMatchObject({ readSeq: 3 });
      expect((await read.user({ user: ann.id })).memberships).toMatchObject([
        { room: { id: 'lobby', members: 1 }, member: { readSeq: 3 } },
      ]);
    });

    test('marks earlier messages of a batch as read for a new member', async () => {
      await Promise.all([
        send(message({ user: ben })),
        send(message({ user: ben })),
        write.join({ room: 'lobby', user: ann }),
        send(message({ user: ben })),
      ]);
      expect(await memberOf('lobby', ann.id)).toMatchObject({ readSeq: 2 });
    });

    test('creates one room for a repeated clientId, owned by its creator', async () => {
      const wanted = newRoom({ topic: 'quiet' });
      const [first, second] = await Promise.all([
        write.createRoom(wanted),
        write.createRoom({ ...wanted, id: 'u-other', name: 'Other' }),
      ]);
      expect(first).toMatchObject({ repeated: false, room: { name: 'Den', topic: 'quiet', members: 1 } });
      expect(second).toMatchObject({ repeated: true, room: { id: wanted.id, name: 'Den' } });
      expect(await memberOf(wanted.id, ann.id)).toMatchObject({ role: 'owner' });
    });

    test('rejects a public room name that differs only in case, width, blanks or invisible characters', async () => {
      await expectRefusal(create({ kind: 'public', name: 'GARDEN' }), 'conflict');
      for (const name of [
        'Garden ',
        'Gar\u200bden',
        'Gar\u00adden',
        'Garden\ufe0f',
        'Ｇarden',
        'Gar\u{e0020}den',
      ])
        await expectRefusal(create({ kind: 'public', name }), 'conflict');
      expect(await create({ kind: 'private', name: 'Garden' })).toMatchObject({ name: 'Garden' });
      const room = await create({ kind: 'public', name: 'Été' });
      await expectRefusal(write.updateRoom({ room: room.id, name: 'garden' }), 'conflict');
      expect(await write.updateRoom({ room: room.id, name: 'ÉTÉ', topic: '' })).toMatchObject({
        room: { name: 'ÉTÉ' },
      });
    });

    test('limits the number of rooms a user creates', async () => {
      await create();
      await create();
      await expectRefusal(create({ most: 2 }), 'limit_reached');
    });

    test('counts rooms that their creator lost toward ten times the normal limit', async () => {
      const how = { sources: sources.people, by: 'people', cause: 'removed', at } as const;
      const lose = (room: string) => write.removeMembers({ room, users: [ann.id], ...how });
      const isFull = () => expect(create({ most: 1 })).rejects.toMatchObject({ code: 'limit_reached' });
      const open = await create({ kind: 'public', name: 'Open', most: 1 });
      await lose(open.id);
      // She can still rejoin it until she is banned.
      await isFull();
      const restriction = { by: ben.id };
      await write.restrict({ room: open.id, user: ann.id, kind: 'banned', restriction });
      for (let lost = 1; lost < 10; lost++) {
        const room = newRoom({ most: 1 });
        await Promise.all([write.createRoom(room), lose(room.id)]);
      }
      await isFull();
      await write.deleteRoom({ room: open.id });
      await create({ most: 1 });
      await isFull();
    });

    test('frees the name of a renamed public room in the same transaction', async () => {
      const rename = (room: string, name: string) => write.updateRoom({ room, name });
      await Promise.all([
        rename('garden', 'Park'),
        rename('lobby', 'garden'),
        create({ kind: 'public', name: 'lobby' }),
      ]);
      const names = (await read.publicRooms(null)).map(({ name }) => name);
      expect(names.sort()).toEqual(['Park', 'garden', 'lobby']);
    });

    test('ends a membership only with its last source', async () => {
      const { id } = await create();
      await addPeople(id, [ben.id]);
      await addPeople(id, [ben.id], { source: 'api' });
      await write.arrive({ user: ben, rooms: [{ id, name: 'x' }] });
      const remove = (sources: number) =>
        write.removeMembers({ room: id, users: [ben.id], sources, by: 'api' });
      await remove(2 | 4);
      expect(await memberOf(id, ben.id)).toMatchObject({ sources: 1 });
      await write.arrive({ user: ben, rooms: [] });
      expect(await memberOf(id, ben.id)).toMatchObject({ sources: 0 });
      expect(await read.room({ room: id })).toMatchObject({ members: 1 });
    });

    test('lets only the site add users who left or blocked the inviter', async () => {
      const { id } = await create();
      await addPeople(id, [ben.id, '3']);
      const remove = (user: string, cause: 'left' | 'removed') =>
        write.removeMembers({ room: id, users: [user], cause });
      await remove(ben.id, 'left');
      await remove('3', 'removed');
      await write.block({ user: '4', other: ann.id });
      const invited = async (users: string[], by = ann.id) =>
        (await addPeople(id, users, { by, mayReturn: true })).results;
      await tested.reload();
      expect(await invited([ben.id, '3', '4', '5'])).toEqual(['forbidden', null, 'forbidden', null]);
      // Another user may add a user who blocked Ann, and Ann may after the block is lifted.
      expect(await invited(['4'], '3')).toEqual([null]);
      await remove('4', 'removed');
      expect(await invited(['4'])).toEqual(['forbidden']);
      await write.block({ user: '4', other: ann.id, blocked: false });
      expect(await invited(['4'])).toEqual([null]);
      expect((await addPeople(id, [ben.id], { source: 'api', mayReturn: true })).results).toEqual([null]);
      expect(await memberOf(id, ben.id)).not.toHaveProperty('left', expect.anything());
    });

    test('finds users with a block in either direction', async () => {
      await write.block({ user: ann.id, other: '3' });
      await write.block({ user: '4', other: ann.id });
      await write.block({ user: ben.id, other: '5' });
      const between = (others: string[]) => read.blockedBetween({ user: ann.id, others });
      expect((await between([ben.id, '3', '4', '5'])).sort()).toEqual(['3', '4']);
      expect(await between([ben.id])).toEqual([]);
      expect(await between([])).toEqual([]);
    });

    test('lets only the owner and moderators add a removed user again', async () => {
      const { id } = await create();
      await addPeople(id, [ben.id, '3']);
      await write.removeMembers({ room: id, users: [ben.id] });
      expect((await addPeople(id, [ben.id])).results).toEqual(['forbidden']);
      expect((await addPeople(id, [ben.id], { mayReturn: true })).results).toEqual([null]);
      expect((await addPeople(id, [ben.id, '4', '5'], { most: 4 })).results).toEqual([
        null,
        null,
        'limit_reached',
      ]);
    });

    test('transfers ownership to the longest-standing moderator, or else member', async () => {
      const { id } = await create();
      await addPeople(id, [ben.id], { at: at + 1 });
      await addPeople(id, ['3'], { at: at + 2 });
      await write.setRole({ room: id, user: '3', role: 'moderator' });
      const leave = (user: string) => write.removeMembers({ room: id, users: [user], cause: 'left' });
      await leave(ann.id);
      expect(await memberOf(id, '3')).toMatchObject({ role: 'owner' });
      await leave('3');
      expect(await memberOf(id, ben.id)).toMatchObject({ role: 'owner' });
    });

    test('makes the former owner a moderator when ownership is transferred', async () => {
      const { id } = await create();
      await addPeople(id, [ben.id]);
      await write.setRole({ room: id, user: ben.id, role: 'owner' });
      expect(await memberOf(id, ben.id)).toMatchObject({ role: 'owner' });
      expect(await memberOf(id, ann.id)).toMatchObject({ role: 'moderator' });
      await expectRefusal(write.setRole({ room: id, user: '9', role: 'member' }), 'unknown_user');
    });

    test('treats a decision for a deleted room as stale in the next room with its ID', async () => {
      const made = { id: 'team', kind: 'private', name: 'Team' } as const;
      const room = made.id;
      const now = async () => stateOf((await read.room({ room })) as RoomRecord);
      await write.putRoom({ ...made, at });
      await addPeople(room, [ben.id]);
      const decidedFor = await now();
      await write.deleteRoom({ room });
      await write.putRoom({ ...made, at: at + 1 });
      await addPeople(room, [ann.id]);
      const after = await now();
      expect(after.access).toBe(decidedFor.access);
      const user = ann.id;
      expect(await addPeople(room, ['3'], { decidedFor })).toEqual({ results: [], stale: true });
      const removal = { room, users: [user], sources: 7, by: 'people', cause: 'removed', at } as const;
      const mute = { room, user, kind: 'muted', restriction: { by: ben.id }, at } as const;
      const link = { id: 'link', room, digest: 'of link', by: user, at };
      const results = await Promise.all([
        write.removeMembers({ ...removal, decidedFor }),
        write.restrict({ ...mute, decidedFor }),
        write.setRole({ room, user, role: 'owner', decidedFor }),
        write.updateRoom({ room, name: 'Mine', decidedFor }),
        write.createInvite({ invite: link, decidedFor }),
        write.revokeInvite({ room, id: 'none', decidedFor }),
        write.pin({ room, seq: 1, user, decidedFor }),
        write.deleteRoom({ room, decidedFor }),
      ]);
      expect(results.map(({ stale }) => stale)).toEqual(results.map(() => true));
      await expectRefusal(addPeople(room, ['3'], { by: ben.id, decidedFor: after }), 'unknown_room');
      expect(await addPeople(room, ['3'], { by: user, decidedFor: after })).toEqual({
        results: [null],
        stale: false,
      });
      expect(await now()).toEqual({ ...after, access: after.access + 1 });
    });

    test('continues the change numbers when the site recreates a deleted room', async () => {
      const team = { id: 'team', name: 'Team', at } as const;
      const room = team.id;
      const numbers = async (id: string = room) => {
        const { head, reset, lastSeq } = (await read.room({ room: id })) as RoomRecord;
        return { head, reset, lastSeq };
      };
      const makings = [
        () => write.publicRooms({ rooms: [team], at }),
        () => write.arrive({ user: ben, rooms: [team] }),
        () => write.importRoom({ ...team, kind: 'private' }),
        () => write.putRoom({ ...team, kind: 'private' }),
      ];
      await write.putRoom({ ...team, kind: 'private' });
      expect(await numbers()).toEqual({ head: 0, reset: undefined, lastSeq: 0 });
      for (const make of makings) {
        await send(message({ room }));
        const { rev } = await send(message({ room }));
        await write.deleteRoom({ room });
        await make();
        expect(await numbers()).toEqual({ head: rev + 1, reset: rev + 1, lastSeq: 0 });
        expect(await send(message({ room }))).toMatchObject({ seq: 1, rev: rev + 2 });
      }
      const { head } = await numbers();
      await write.deleteRoom({ room });
      await tested.reload();
      // A room with another ID starts with the first numbers.
      for (const one of [team, { ...team, id: 'other' }]) await write.putRoom({ ...one, kind: 'private' });
      expect(await numbers()).toEqual({ head: head + 1, reset: head + 1, lastSeq: 0 });
      expect(await numbers('other')).toEqual({ head: 0, reset: undefined, lastSeq: 0 });
    });

    test('opens one direct room for two users from either side', async () => {
      const direct = (id: string, by: typeof ann, other: string) => write.openDirect({ id, by, other });
      const first = await direct('d-1', ann, ben.id);
      expect(first).toMatchObject({ repeated: false, room: { id: 'd-1', kind: 'direct', members: 1 } });
      expect(await memberOf('d-1', ben.id)).toBeNull();
      const sent = await send(message({ room: 'd-1', asMember: true }));
      expect(sent.seq).toBe(1);
      expect(await memberOf('d-1', ben.id)).toMatchObject({ readSeq: 0 });
      expect(await direct('d-2', ben, ann.id)).toMatchObject({ repeated: true, room: { id: 'd-1' } });
      expect(await read.room({ room: 'd-2' })).toBeNull();
    });

    test('lists all messages and reactions of a user by room, in pages', async () => {
      const rooms = [(await create()).id, (await create()).id, 'lobby'];
      for (const room of rooms) {
        await addPeople(room, [ann.id, ben.id]);
        for (const user of [ann, ben, ann]) await send(message({ room, user, text: `of ${user.name}` }));
        for (const emoji of ['👍', '🎉']) {
          const reactions = [ann, ben].map((user) => ({ user: user.id, emoji, on: true }));
          await write.react({ room, seq: 1, reactions });
        }
      }
      const [first = ''] = rooms;
      await write.delete({ room: first, seq: 3, user: ann.id });
      await write.deleteRoom({ room: rooms[1] as string });
      for (const limit of [1, 100]) {
        const of = { user: ann.id, from: '', limit };
        const written = await pagesOf((place) => read.written({ ...of, ...place }));
        const messages = written.flatMap((page) => page.messages);
        const places = messages.map(({ room, seq, text }) => `${room} ${seq} ${text}`);
        expect(places.sort()).toEqual([`${first} 1 of Ann`, 'lobby 1 of Ann', 'lobby 3 of Ann'].sort());
        const reacted = await pagesOf((place) => read.reactionsBy({ ...of, ...place }));
        const reactions = reacted.flatMap((page) => page.reactions);
        expect(reactions.map(({ room, seq, emoji }) => `${room} ${seq} ${emoji}`).sort()).toEqual(
          [first, 'lobby'].flatMap((room) => ['👍', '🎉'].map((emoji) => `${room} 1 ${emoji}`)).sort(),
        );
      }
      expect(await read.written({ user: 'nobody', from: '', limit: 9 })).toEqual({ messages: [] });
    });

    test('omits hidden rooms from a search without empty pages', async () => {
      const { id } = await create({ kind: 'public', name: 'Open' });
      await addPeople(id, [ann.id]);
      for (const room of ['lobby', id]) await send(message({ room, text: 'a word', asMember: false }));
      const search = (except: string[]) =>
        read.search({ query: 'word', rooms: [], everyPublic: true, except, limit: 1 });
      const found = await search([]);
      expect(found).toMatchObject({ messages: [{ room: id }], next: expect.any(String) });
      const left = await search([id]);
      expect(left).toMatchObject({ messages: [{ room: 'lobby' }] });
      expect(await search([id, 'lobby', 'none'])).toEqual({ messages: [] });
    });

    test('deletes all data of a room with it', async () => {
      const { id } = await create();
      await addPeople(id, [ben.id]);
      await send(message({ room: id, text: 'gone with it' }));
      await write.deleteRoom({ room: id });
      expect(await read.room({ room: id })).toBeNull();
      expect(await newest(id, 10)).toEqual({ messages: [], complete: true });
      expect((await read.user({ user: ben.id })).memberships).toEqual([]);
      expect(await search('gone with', [id])).toEqual([]);
      await expectRefusal(send(message({ room: id })), 'unknown_room');
    });

    test('removes expired messages with their reactions, and rejects further actions', async () => {
      const { id } = await create();
      for (const sentAt of [at, at + 1, at + 2]) {
        await send(message({ room: id, text: `old ${sentAt - at}`, sentAt, asMember: true }));
      }
      const emoji = '👍';
      await write.react({ room: id, seq: 1, reactions: [{ user: ann.id, emoji, on: true }] });
      const expired = (before: number, beforeDirect = 0) => read.expired({ before, beforeDirect, from: 0 });
      expect(await expired(at, at + 9)).toEqual({ rooms: [] });
      expect(await expired(at + 2)).toEqual({ rooms: [{ room: id, firstSeq: 3 }] });
      await write.expire({ room: id, firstSeq: 3 });
      const room = { id, head: 4, firstSeq: 3 };
      expect(tested.changes.at(-1)).toMatchObject({ type: 'room', is: 'changed', room });
      // Expired messages are hidden before they are deleted.
      expect((await newest(id, 10)).messages.map(({ seq }) => seq)).toEqual([3]);
      const page = await read.after({ room: id, after: 0, upTo: 3, limit: 10 });
      expect(page).toMatchObject({ messages: [{ seq: 3 }], complete: true });
      const acts = [
        write.edit({ room: id, seq: 2, user: ann.id, text: 'new' }),
        write.delete({ room: id, seq: 2, user: ann.id }),
        write.react({ room: id, seq: 1, reactions: [{ user: ann.id, emoji, on: false }] }),
        send(message({ room: id, replyTo: 2, asMember: true })),
      ];
      for (const act of acts) await expectRefusal(act, 'unknown_message');
      await write.expire({ room: id, firstSeq: 2 });
      expect(await read.room({ room: id })).toMatchObject({ firstSeq: 3, last: { seq: 3 } });
      expect(await search('old', [id])).toEqual(['old 2']);
      expect(await read.reactors({ room: id, seq: 1, emoji, after: 0, limit: 1 })).toBeNull();
      expect(await expired(at + 3)).toEqual({ rooms: [{ room: id, firstSeq: 4 }] });
      await write.expire({ room: id, firstSeq: 4 });
      await tested.reload();
      expect(await read.room({ room: id })).toMatchObject({ firstSeq: 4, lastSeq: 3 });
      expect((await read.room({ room: id }))?.last).toBeUndefined();
      expect(await expired(at + 3)).toEqual({ rooms: [] });
      expect(await send(message({ room: id, asMember: true }))).toMatchObject({ seq: 4, rev: 5 });
    });

    test('deletes all expired messages of a long history in steps', async () => {
      const { id } = await create();
      const texts = Array.from({ length: 620 }, (_, n) => `word${n}`);
      await Promise.all(
        texts.map((text, n) => send(message({ room: id, text, sentAt: at + n, asMember: true }))),
      );
      const sweep = async () => {
        const old = { before: at + 610, beforeDirect: 0 };
        for (let from: number | undefined = 0; from !== undefined; ) {
          const found: Reads['expired']['out'] = await read.expired({ ...old, from });
          for (const room of found.rooms) await write.expire(room);
          from = found.next;
        }
      };
      const emoji = '👍';
      await write.react({ room: id, seq: 605, reactions: [{ user: ann.id, emoji, on: true }] });
      await sweep();
      // Expired messages are hidden before they are deleted.
      const reactors = await read.reactors({ room: id, seq: 605, emoji, after: 0, limit: 1 });
      const { messages } = await read.changes({ room: id, since: 0, upTo: 621, limit: 1000 });
      const found = await search('word60', [id]);
      expect([reactors, messages.map(({ seq }) => seq), found]).toEqual([
        null,
        Array.from({ length: 10 }, (_, n) => 611 + n),
        [],
      ]);
      expect(await read.room({ room: id })).toMatchObject({ firstSeq: 611 });
      expect(await search('word619', [id])).toEqual(['word619']);
      const left = async () => (await read.reactionsBy({ user: ann.id, from: '', limit: 1 })).reactions;
      await expect.poll(left).toEqual([]);
    });

    test('deletes private rooms that were empty long enough', async () => {
      const { id } = await create();
      const [kept, joined] = [(await create()).id, (await create({ kind: 'public', name: 'Open' })).id];
      await write.putRoom({ id: 'unused', name: 'Unused' });
      await send(message({ room: id, text: 'in an empty room' }));
      const leave = (room: string, when: number) =>
        write.removeMembers({ room, users: [ann.id], cause: 'left', at: when });
      for (const room of [id, joined]) await leave(room, at + 10);
      // The only member left and came back.
      await leave(kept, at);
      await addPeople(kept, [ann.id], { source: 'api', mayReturn: true });
      const sweep = async (before: number, most = 10) =>
        (await write.deleteEmptyRooms({ before, most })).deleted;
      expect(await sweep(at)).toBe(0);
      expect(await sweep(at + 1)).toBe(1);
      await tested.reload();
      tested.changes.length = 0;
      expect(await sweep(at + 10)).toBe(0);
      expect(await sweep(at + 11, 1)).toBe(1);
      expect(tested.changes).toMatchObject([{ type: 'room', is: 'deleted', room: { id } }]);
      expect(await sweep(at + 11)).toBe(0);
      const left = ['unused', id, kept, joined].map(async (room) => (await read.room({ room }))?.id);
      expect(await Promise.all(left)).toEqual([undefined, undefined, kept, joined]);
      expect(await search('an empty', [id])).toEqual([]);
    });

    test('lists members by name in pages, and by prefixes of their names', async () => {
      const { id } = await create({ by: { id: '1', name: 'Zoë Adams' } });
      const guest = `g-${'0'.repeat(32)}`;
      for (const [user, name] of [
        ['2', 'émile'],
        ['3', 'Bob'],
        ['4', 'bob'],
        ['5', 'Amy Zed'],
        [guest, 'Guest Zed'],
      ]) {
        await write.arrive({ user: { id: user as string, name: name as string } });
      }
      await addPeople(id, ['2', '3', '4', '5', guest, 'never-here'], { source: 'api' });
      const members = async (over: object = {}) =>
        (await read.members({ room: id, limit: 10, ...over })).members.map(({ user }) => user.name);
      const all = ['Amy Zed', 'Bob', 'bob', 'émile', 'Guest Zed', 'never-here', 'Zoë Adams'];
      expect(await members()).toEqual(all);
      const { next } = await read.members({ room: id, limit: 2 });
      expect(next).toEqual({ sort: 'bob', id: '3' });
      expect(await members({ limit: 2 })).toEqual(['Amy Zed', 'Bob']);
      expect(await members({ after: next, limit: 2 })).toEqual(['bob', 'émile']);
      const find = async (query: string, limit = 10) => {
        const found: string[][] = [];
        let after: MemberCursor | undefined;
        do {
          const page = await read.findMembers({ room: id, query, limit, after });
          found.push(page.members.map(({ user }) => user.name));
          after = page.next;
        } while (after !== undefined);
        return found;
      };
      // Matches of the whole name come first. Guests are not found.
      expect(await find('Z')).toEqual([['Zoë Adams', 'Amy Zed']]);
      expect(await find('a')).toEqual([['Amy Zed', 'Zoë Adams']]);
      expect(await find('a', 1)).toEqual([['Amy Zed'], ['Zoë Adams']]);
      expect(await find('bob', 1)).toEqual([['Bob'], ['bob'], []]);
      expect(await find('E')).toEqual([['émile']]);
      expect(await find('é')).toEqual([['émile']]);
      expect(await find('NEVER')).toEqual([['never-here']]);
      expect(await find('5')).toEqual([['Amy Zed']]);
      expect(await find('\u0301')).toEqual([[]]);
    });

    test('lets accounts take turns with searches, in the order of the time that their searches took', async () => {
      const done: string[] = [];
      const search = async (account: string, n: number) => {
        const { id } = ann;
        const one = [
          () => read.findUsers({ user: id, query: 'a', onlyShared: false, limit: 9 }),
          () => read.findMembers({ room: 'lobby', query: 'a', limit: 9 }),
          () => read.search({ query: 'a', rooms: [], everyPublic: true, limit: 9 }),
        ][n % 3];
        await runFor(account, async () => one?.());
        done.push(account);
      };
      const many = (account: string, count: number) =>
        Array.from({ length: count }, (_, n) => search(account, n));
      await Promise.all(many('greedy', 20));
      done.length = 0;
      await Promise.all([...many('greedy', 30), ...many('other', 3)]);
      expect(done.lastIndexOf('other')).toBeLessThan(10);
    });

    test('lets accounts take turns with reads', async () => {
      for (let n = 0; n < 50; n++) await send(message({ text: 'x'.repeat(1000) }));
      const done: string[] = [];
      const many = (account: string, count: number) =>
        Array.from({ length: count }, () =>
          runFor(account, async () => {
            await read.newest({ room: 'lobby', upTo: 50, limit: 50 });
            done.push(account);
          }),
        );
      await Promise.all([...many('greedy', 300), ...many('other', 3)]);
      // The greedy account's reads that started before the other account asked, and one for each of the other's.
      expect(done.lastIndexOf('other')).toBeLessThan(30);
    });

    test('lists members with unknown names last, by ID, until they are active', async () => {
      const { id } = await create({ by: { id: 'owner', name: 'Olga' } });
      const arrive = (user: string, name: string) => write.arrive({ user: { id: user, name } });
      for (const [user, name] of [
        ['1', 'Zoe'],
        ['2', 'Amy'],
        ['3', 'Bob'],
        ['4', 'Cy'],
      ] as const) {
        await arrive(user, name);
      }
      await addPeople(id, ['4', '3', '2', '1']);
      const members = async (after?: MemberCursor) => {
        const page = { room: id, limit: 10, after };
        return (await read.members(page)).members.map(({ user, place }) => {
          expect(place.id).toBe(user.id);
          return place.sort.startsWith('\u{10ffff}') ? user.id : user.name;
        });
      };
      expect(await members()).toEqual(['Olga', '1', '2', '3', '4']);
      // Connecting does not reveal a user's name.
      await arrive('1', 'Ada');
      await arrive('4', 'Aaron');
      expect(await members()).toEqual(['Olga', '1', '2', '3', '4']);
      // Each step reveals a name: a join of this room, one of a public room, an addition by the site, and a
      // message.
      await write.join({ room: id, user: { id: '1', name: 'Ada' } });
      expect(await members()).toEqual(['Ada', 'Olga', '2', '3', '4']);
      await join({ id: '2', name: 'Amy' });
      expect(await members()).toEqual(['Ada', 'Amy', 'Olga', '3', '4']);
      await addPeople(id, ['3'], { source: 'api' });
      expect(await members()).toEqual(['Ada', 'Amy', 'Bob', 'Olga', '4']);
      await send(message({ room: id, user: { id: '4', name: 'Cyd' } }));
      expect(await members()).toEqual(['Ada', 'Amy', 'Bob', 'Cyd', 'Olga']);
      await tested.reload();
      expect(await members({ sort: 'b', id: '' })).toEqual(['Bob', 'Cyd', 'Olga']);
    });

    test('reveals the name of a user added by the site only in private rooms', async () => {
      const rooms = [
        { id: 'class', name: 'Class' },
        { id: 'lobby', name: 'lobby' },
      ];
      await write.arrive({ user: ben, rooms });
      await write.putRoom({ id: 'club', name: 'Club' });
      for (const room of ['club', 'garden']) await addPeople(room, ['3'], { source: 'api' });
      // User 4 is invited and then added by the site. User 5 is added during a ban.
      const { id } = await create();
      await addPeople(id, ['4']);
      expect(await memberOf(id, '4')).toMatchObject({ acted: 0 });
      await addPeople(id, ['4'], { source: 'api' });
      const ban = { room: id, user: '5', kind: 'banned', at } as const;
      await write.restrict({ ...ban, restriction: { by: ann.id } });
      await addPeople(id, ['5'], { source: 'api' });
      await write.restrict({ ...ban, restriction: null });
      const actedIn = async (room: string, user: string) => (await memberOf(room, user))?.acted;
      expect(await actedIn('class', ben.id)).toBe(1);
      expect(await actedIn('lobby', ben.id)).toBe(0);
      expect([await actedIn('club', '3'), await actedIn('garden', '3')]).toEqual([1, 0]);
      expect([await actedIn(id, '4'), await actedIn(id, '5')]).toEqual([1, 1]);
      // The name remains known after the site removes the user.
      await write.arrive({ user: ben, rooms: [] });
      expect(await memberOf('class', ben.id)).toMatchObject({ sources: 0, acted: 1 });
    });

    test('does not find a user whom only the site added to a public room', async () => {
      await write.arrive({ user: { id: '7', name: 'Quill' }, rooms: [{ id: 'lobby', name: '' }] });
      await join(ann);
      const find = (user: string) => read.findUsers({ user, query: 'quill', onlyShared: true, limit: 9 });
      expect(await find(ann.id)).toEqual([]);
      const rooms = ['lobby', 'class'].map((id) => ({ id, name: id }));
      await write.arrive({ user: { id: '7', name: 'Quill' }, rooms });
      await write.arrive({ user: ben, rooms: rooms.slice(1) });
      expect(await find(ann.id)).toEqual([]);
      expect(await find(ben.id)).toMatchObject([{ id: '7', name: 'Quill' }]);
      await join({ id: '7', name: 'Quill' });
      expect(await find(ann.id)).toMatchObject([{ id: '7', name: 'Quill' }]);
    });

    test('finds visible users despite any number of hidden ones', async () => {
      const many = Array.from({ length: 2010 }, (_, n) => ({ id: `h${n}`, name: `Quaa ${n}` }));
      await write.putRoom({ id: 'elsewhere', name: 'Elsewhere' });
      for (let n = 0; n < many.length; n += 500) {
        await addPeople('elsewhere', [], { users: many.slice(n, n + 500), source: 'api' });
      }
      await addPeople('lobby', [], { users: many.slice(0, 50), source: 'api' });
      await write.arrive({ user: ann, rooms: [{ id: 'class', name: 'class' }] });
      const arrived = [
        ['8', 'Quincy Near'],
        ['9', 'Zoë Quill'],
        ['quaint', 'Ann'],
      ] as const;
      for (const [id, name] of arrived) {
        await write.arrive({ user: { id, name }, rooms: [{ id: 'class', name: 'class' }] });
      }
      await join(ann);
      await join({ id: '6', name: 'Quentin Far' });
      await join({ id: '7', name: 'Yan Quy' });
      const found = async (query: string, over = {}) => {
        const request = { user: ann.id, query, onlyShared: true, limit: 20, ...over };
        return (await read.findUsers(request)).map(({ id }) => id);
      };
      // Sorted by full name, then by another word or the ID. Users in a shared private room come first.
      expect(await found('qu')).toEqual(['8', 'quaint', '9', '6', '7']);
      expect(await found('qu', { limit: 4 })).toEqual(['8', 'quaint', '9', '6']);
      expect(await found('ZOË')).toEqual(['9']);
      expect(await found('quaa')).toEqual([]);
      expect(await found('qu', { onlyShared: false })).toEqual(['8', 'quaint', '9', '6', '7']);
    });

    test('finds users who visited, wrote in public or were listed by the site, not users only added to a room', async () => {
      const { id } = await create();
      await addPeople(id, ['quill-1']);
      await addPeople(id, [], { users: [{ id: '5', name: 'Quill Smith' }], source: 'api' });
      const find = async () =>
        (await read.findUsers({ user: ben.id, query: 'quill', onlyShared: false, limit: 9 })).map(
          (user) => user.id,
        );
      expect(await find()).toEqual([]);
      await addPeople(id, [], { users: [{ id: '6', name: 'Quill Known' }], source: 'api' });
      await send(message({ user: { id: '3', name: 'Quill Writes' }, asMember: false }));
      await write.arrive({ user: { id: '5', name: 'Quill Smith' } });
      await send(message({ user: { id: '6', name: 'Quill Known' }, asMember: false }));
      expect((await find()).sort()).toEqual(['3', '5', '6']);
      await addPeople(id, [], { users: [{ id: '9', name: 'Quill Named' }], source: 'api' });
      for (const name of ['Quill Named', 'Quill Renamed'])
        await write.putSiteUsers({ users: [{ id: '9', name }], at });
      expect((await find()).sort()).toEqual(['3', '5', '6', '9']);
      expect(await read.siteUsers({ ids: ['3', '9'] })).toEqual(['9']);
      await addPeople(id, [], { users: [{ id: '5', name: 'Jo Smith-Quill' }], source: 'api' });
      expect((await find()).sort()).toEqual(['3', '5', '6', '9']);
      await addPeople(id, [], { users: [{ id: '5', name: 'Jo Smith' }], source: 'api' });
      expect((await find()).sort()).toEqual(['3', '6', '9']);
    });

    test('distinguishes user IDs that differ in case, a trailing space or an accent', async () => {
      const ids = ['Bob', 'bob', 'bob ', 'Bób'];
      for (const id of ids) await write.join({ room: 'lobby', user: { id, name: id } });
      expect(await read.room({ room: 'lobby' })).toMatchObject({ members: 4 });
      for (const id of ids) await send(message({ user: { id, name: id }, clientId: 'same' }));
      expect(await read.room({ room: 'lobby' })).toMatchObject({ lastSeq: 4 });
      const found = await read.findUsers({ user: 'x', query: 'bob', onlyShared: false, limit: 20 });
      // The ID as it was typed comes before the folded one.
      expect(found.map(({ id }) => id)).toEqual(['Bob', 'bob', 'bob ', 'Bób']);
    });

    test('finds users by a name that is typed differently, as typed first', async () => {
      const named = ['Ｋｅｎ’ｓ Shop', 'Łukasz', 'Lukasz', 'José'.normalize('NFD'), 'Weiß'];
      const users = named.map((name, n) => ({ id: `n${n}`, name }));
      await write.putSiteUsers({ users, at });
      const { id } = await create();
      await addPeople(id, [], { users, source: 'api' });
      const find = async (query: string, user = 'x') =>
        (await read.findUsers({ user, query, onlyShared: false, limit: 9 })).map((one) => one.id);
      const [shop = '', stroke = '', plain = '', jose = '', weiss = ''] = users.map((one) => one.id);
      expect(await find("ken's")).toEqual([shop]);
      expect(await find('lukasz')).toEqual([plain, stroke]);
      expect(await find('łukasz')).toEqual([stroke, plain]);
      expect(await find('josé')).toEqual([jose]);
      expect(await find('WEISS')).toEqual([weiss]);
      const members = await read.findMembers({ room: id, query: 'lukasz', limit: 9 });
      expect(members.members.map(({ user }) => user.id).sort()).toEqual([stroke, plain]);
      // Folding may lengthen a name beyond what databases index.
      await write.putSiteUsers({ users: [{ id: 'long', name: '\ufdfa'.repeat(64) }], at });
      expect(await find('\ufdfa'.repeat(40))).toEqual(['long']);
    });

    test('keeps the latest ban of a user until it expires or is lifted', async () => {
      const until = Date.now() + 3_600_000;
      await write.setBan({ user: ann.id, ban: { reason: 'spam' } });
      await write.setBan({ user: ann.id, ban: { until } });
      await write.setBan({ user: ben.id, ban: { until: at } });
      await tested.reopen();
      expect(await read.bans(null)).toEqual([{ user: ann.id, ban: { until } }]);
      await write.setBan({ user: ann.id, ban: null });
      expect(await read.bans(null)).toEqual([]);
    });
  });

  test('dispatches earlier changes before a read resolves', async () => {
    const lost = new Set<string>();
    tested.history.onChange((change) => {
      if (change.type === 'member' && change.now.sources === 0) lost.add(change.room.id);
    });
    await join(ann);
    let early = 0;
    for (let round = 0; round < size(20, 4); round++) {
      const { id: room } = await create();
      await addPeople(room, [ben.id]);
      const { seq } = await send(message({ room, asMember: false }));
      let isDone = false;
      const reading = async (read: () => Promise<{ messages: readonly { text: string }[] }>) => {
        while (!isDone) {
          const { messages } = await read();
          if (messages.some(({ text }) => text === 'a secret') && !lost.has(room)) early++;
        }
      };
      const readings = [
        reading(() => read.after({ room, after: 0, upTo: seq, limit: 1 })),
        reading(() => read.search({ query: 'secret', rooms: [room], everyPublic: false, limit: 1 })),
      ];
      await read.room({ room });
      await Promise.all([
        // These messages make the transaction long.
        ...Array.from({ length: 200 }, () => send(message({ text: 'x'.repeat(2000), asMember: false }))),
        write.removeMembers({ room, users: [ben.id] }),
        write.edit({ room, seq, user: ann.id, text: 'a secret' }),
      ]);
      isDone = true;
      await Promise.all(readings);
    }
    expect(early).toBe(0);
  });

  describe('moderation, threads and invites', () => {
    invitesContract(now);
    previewsContract(now);
    pollsContract(now);
    cardsContract(now);
    contentContract(now);
    threadsContract(now);
    moderationContract(now);
    heldContract(now);
    laterContract(now);
    devicesContract(now);
  });

  describe('events for the site', () => {
    webhooksContract(now);
  });

  describe('the moderators’ page', () => {
    moderatorsContract(now);
  });

  describe('notify', () => {
    notifyContract(now);
  });

  describe('erasure', () => {
    erasureContract(now);
  });

  describe('the change log', () => {
    logContract(now);
  });

  describe('search', () => {
    test('finds any part of a text in any script, ignoring case, newest first', async () => {
      for (const text of [
        'Hello World',
        '你好，世界',
        'emoji 👋🏽 here',
        '"x" AND *',
        'ΣΊΣΥΦΟΣ',
        'hello again',
      ]) {
        await send(message({ text }));
      }
      expect(await search('HELLO', ['lobby'])).toEqual(['hello again', 'Hello World']);
      expect(await search('o w', ['lobby'])).toEqual(['Hello World']);
      expect(await search('世', ['lobby'])).toEqual(['你好，世界']);
      expect(await search('世界', ['lobby'])).toEqual(['你好，世界']);
      expect(await search('👋', ['lobby'])).toEqual(['emoji 👋🏽 here']);
      expect(await search('" and *', ['lobby'])).toEqual(['"x" AND *']);
      expect(await search('σίσ', ['lobby'])).toEqual(['ΣΊΣΥΦΟΣ']);
      expect(await search('nothing of it', ['lobby'])).toEqual([]);
    });

    test('finds texts that are typed differently, and no other letters', async () => {
      for (const [text] of [...searchedTexts, ...otherTexts]) await send(message({ text }));
      const found: (readonly [query: string, texts: string[]])[] = [];
      for (const [, query] of searchedTexts) found.push([query, await search(query, ['lobby'])]);
      expect(found).toEqual(searchedTexts.map(([text, query]) => [query, [text]]));
      for (const [, query] of otherTexts) expect(await search(query, ['lobby'])).toEqual([]);
    });

    test('searches only the given rooms, and all public rooms on request', async () => {
      const { id } = await create();
      await send(message({ text: 'needle in the lobby' }));
      await send(message({ text: 'needle in the den', room: id }));
      expect(await search('needle', ['garden'])).toEqual([]);
      expect(await search('needle', [id])).toEqual(['needle in the den']);
      expect(await search('needle', [], true)).toEqual(['needle in the lobby']);
      expect(await search('needle', [id], true)).toEqual(['needle in the den', 'needle in the lobby']);
      expect(await search('needle', [])).toEqual([]);
    });

    test('filters by author, content type and time, with or without words, in pages', async () => {
      const by = (id: string) => ({ id, name: id });
      const { id } = await create();
      await send(message({ text: 'see https://example.org', user: by('7'), sentAt: at + 1000 }));
      await send(message({ text: 'a plain word', user: by('8'), sentAt: at + 2000 }));
      await send(message({ text: 'see www.example.org', user: by('8'), sentAt: at + 3000 }));
      await send(message({ text: 'https://gone.example', user: by('8'), sentAt: at + 4000 }));
      await write.delete({
        ...{ room: 'lobby', seq: 4, user: '8', moderator: false, at: at + 5000 },
        anywhere: true,
      });
      await send(message({ text: 'see https://den.example', room: id, sentAt: at + 6000 }));
      const find = async (only: SearchFilter, query?: string) => {
        const request = { only, rooms: ['lobby'], everyPublic: false, limit: 1, query: query || undefined };
        const pages = await pagesOf((place) => read.search({ ...request, ...place }));
        return pages.flatMap(({ messages }) => messages.map(({ text }) => text));
      };
      const [first, plain, second] = ['see https://example.org', 'a plain word', 'see www.example.org'];
      expect(await find({ from: '8' })).toEqual([second, plain]);
      expect(await find({ from: '8' }, 'SEE')).toEqual([second]);
      expect(await find({ has: 'links' })).toEqual([second, first]);
      expect(await find({ has: 'links', from: '7' }, 'see')).toEqual([first]);
      await send(message({ text: 'see the board', important: true, sentAt: at + 7000 }));
      await send(message({ text: 'read this', important: true, sentAt: at + 8000 }));
      expect(await find({ has: 'important' })).toEqual(['read this', 'see the board']);
      expect(await find({ has: 'important' }, 'see')).toEqual(['see the board']);
      expect(await find({ has: 'pictures' })).toEqual([]);
      expect(await find({ has: 'pictures' }, 'see')).toEqual([]);
      expect(await find({ sentFrom: at + 2000, sentBefore: at + 3000 })).toEqual([plain]);
      expect(await find({ sentBefore: at + 3000 }, 'see')).toEqual([first]);
      expect(await find({ from: 'nobody' })).toEqual([]);
    });

    test('returns pages of limited work for a filter without matches in a long room', async () => {
      const most = 6000;
      for (let n = 0; n < most; n += 500) {
        await Promise.all(Array.from({ length: 500 }, () => send(message({ text: 'w' }))));
      }
      const request = { only: { from: 'nobody' }, rooms: ['lobby'], everyPublic: false, limit: 50 };
      const pages = await pagesOf((place) => read.search({ ...request, ...place }));
      expect(pages.map(({ messages }) => messages)).toEqual([[], []]);
    });

    test('returns the same pages regardless of rooms that are not searched', async () => {
      const { id: hidden } = await create();
      const rooms = Array.from({ length: 120 }, (_, n) => `team-${n}`);
      await Promise.all(rooms.map((room) => write.putRoom({ id: room, name: room })));
      const say = (room: string, text: string) => send(message({ room, text }));
      const search = (query: string, limit: number, from?: string) =>
        read.search({ query, rooms, everyPublic: true, limit, from: from || undefined });
      for (let n = 0; n < 3; n++) await say(hidden, 'the code is 7391');
      await say('team-7', 'my code');
      await say(hidden, 'the code is 7391');
      await say('lobby', 'our code');
      for (let n = 0; n < 3; n++) await say(hidden, 'the code is 7391');
      expect(await search('code is 7', 1)).toEqual({ messages: [] });
      const newest = await search('code', 1);
      expect(newest).toMatchObject({ messages: [{ text: 'our code' }], next: expect.any(String) });
      // Comparable cursors would reveal whether messages were stored between two visible ones.
      expect((await search('code', 1)).next).not.toBe(newest.next);
      const oldest = await search('code', 1, newest.next);
      expect(oldest).toMatchObject({ messages: [{ text: 'my code' }] });
      expect(oldest.next).toBeUndefined();
      expect((await search('code', 2)).next).toBeUndefined();
    });

    test('does not announce a next page for deleted, former or expired texts', async () => {
      const { id } = await create();
      for (const text of ['too old word', 'first word', 'deleted word', 'former word', 'last word'])
        await send(message({ room: id, text, asMember: true }));
      const act = { room: id, user: ann.id, at };
      await write.delete({ ...act, seq: 3, moderator: false });
      await write.edit({ ...act, seq: 4, text: 'another text' });
      await write.expire({ room: id, firstSeq: 2 });
      const search = (from?: string) =>
        read.search({ query: 'word', rooms: [id], everyPublic: false, limit: 1, from: from || undefined });
      const newest = await search();
      expect(newest).toMatchObject({ messages: [{ seq: 5 }], next: expect.any(String) });
      const oldest = await search(newest.next);
      expect(oldest).toMatchObject({ messages: [{ seq: 2 }] });
      expect(oldest.next).toBeUndefined();
    });
  });

  test('finishes pending requests on close and rejects new ones', async () => {
    const sends = Array.from({ length: 100 }, () => send(message()));
    await tested.history.close();
    await Promise.all(sends);
    await expectRefusal(send(message()), 'storage_unavailable');
    await expectRefusal(read.bans(null), 'storage_unavailable');
  });
}
