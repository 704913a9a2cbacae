import { expect, test } from 'vitest';
import { maxPageBytes, type Reads, sources } from '../../server/history/history.ts';
import {
  actionsOf,
  ann,
  at,
  ben,
  callsOf,
  expectRefusal,
  message,
  type Now,
  pagesOf,
} from './history-tested.ts';

/** Tests messages and pages of them in every history. `now`: the current history, with the public rooms `lobby` and `garden`. */
export function messagesContract(now: Now) {
  const { write, read } = callsOf(now);
  const { send, newest, since, create, addPeople, join, search } = actionsOf(now);

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
        expect(now().changes).toContainEqual({ type: 'message', is: 'new', message: stored });
      }),
    );
    const revs = now().changes.flatMap((change) => (change.type === 'message' ? change.message.rev : []));
    expect(revs).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  test('names the connection that caused a change', async () => {
    await now().history.write.send(message(), 'connection-1');
    expect(now().changes.every(({ asker }) => asker === 'connection-1')).toBe(true);
  });

  test('returns the current message for a repeated clientId, even after a restart', async () => {
    await join(ann);
    await send(message());
    const sent = message({ text: 'once', replyTo: 1 });
    const [first, second] = await Promise.all([send(sent), send({ ...sent, sentAt: 5 })]);
    expect(second).toEqual(first);
    await write.edit({ room: 'lobby', seq: 2, user: ann.id, text: 'twice' });
    await now().reload();
    expect(await write.send(sent)).toMatchObject({ repeated: true, message: { seq: 2, text: 'twice' } });
    expect((await newest('lobby', 10)).messages).toHaveLength(2);
  });

  test('a probe returns the result of a repeat without storing a new message', async () => {
    const sent = message();
    expect(await now().history.probe.send(sent)).toBeNull();
    const first = await write.send(sent);
    expect(await now().history.probe.send(sent)).toEqual({ ...first, repeated: true });
    await expectRefusal(now().history.probe.send({ ...sent, text: 'other' }), 'conflict');
    const unsent = message();
    const both = await Promise.all([send(unsent), now().history.probe.send(unsent)]);
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
    expect((await newest('lobby', 2)).messages).toMatchObject([{ text: '' }, { text: 'reply', replyTo: 1 }]);
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

  test('return messages by seq, up to or after a number', async () => {
    for (let i = 0; i < 10; i++) await send(message());
    const page = await newest('lobby', 8, 3);
    expect(page).toMatchObject({ complete: false, messages: [{ seq: 6 }, { seq: 7 }, { seq: 8 }] });
    expect(await newest('lobby', 3, 3)).toMatchObject({ complete: true });
    expect(await newest('lobby', 0, 3)).toEqual({ messages: [], complete: true });
    expect(await newest('lobby', -1, 3)).toEqual({ messages: [], complete: true });
    const newer = (from: number, upTo: number) => read.after({ room: 'lobby', after: from, upTo, limit: 3 });
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
    expect(now().changes.at(-1)).toMatchObject({ type: 'room', is: 'changed', room });
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
    await now().reload();
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
}
