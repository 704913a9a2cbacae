import { expect, test } from 'vitest';
import { deletedUser, type StoredReport, type Writes } from '../../server/history/history.ts';
import { carryOutErasures, erasureSteps, holdErasures } from '../helpers/erasures.ts';
import { at, ben, callsOf, type Now } from './history-tested.ts';

/** A text that occurs nowhere else. */
const mark = 'Xw7qK';
const ann = { id: `${mark}"%_!7`, name: `Anna ${mark}` };
const cat = { id: '3', name: 'Cat' };
let n = 0;

/**
 * Tests the erasure of a user in every history. `now`: the current history, with the public room `lobby`;
 * `holding` returns the tables that contain a text.
 */
export function erasureContract(now: Now) {
  const { write, read } = callsOf(now);
  const send = async (user: typeof ann, over: Partial<Writes['send']['in']> = {}) =>
    (
      await write.send({
        room: 'lobby',
        clientId: `e${n++}`,
        user,
        text: 'hello',
        sentAt: at,
        asMember: false,
        ...over,
      })
    ).message;
  const react = (room: string, seq: number, emoji: string, users: string[]) =>
    write.react({ room, seq, reactions: users.map((user) => ({ user, emoji, on: true })) });
  const file = async (room: string, user: string) => {
    const id = `file-${n++}`;
    await write.addFile({ room, user, file: { id, name: `${mark}.txt`, type: 'text/plain', size: 1 } });
    return id;
  };
  const newest = async (room: string) => (await read.newest({ room, upTo: 1000, limit: 100 })).messages;
  const runBatch = () => carryOutErasures(now().history, 'one', at + 1);
  const erase = async (messages: 'anonymise' | 'delete') => {
    await write.erase({ user: ann.id, messages });
    return runBatch();
  };
  const resets = () => now().changes.flatMap((change) => (change.type === 'reset' ? [change.room] : []));

  /** Creates all kinds of data that can contain a user. */
  async function live() {
    for (const user of [ann, ben, cat]) {
      await write.arrive({ user });
      await write.join({ room: 'lobby', user });
    }
    const made = async (by: typeof ann, id: string) =>
      (await write.createRoom({ id: `u-${id}`, name: id, by, clientId: `r${n++}` })).room.id;
    const den = await made(ann, `den${n++}`);
    const alone = await made(ann, `alone${n++}`);
    const ben2 = { id: ben.id };
    await write.addMembers({ room: den, users: [ben2, { id: cat.id }] });
    const open = async (by: typeof ann, other: string) =>
      (await write.openDirect({ id: `d-${n++}`, by, other })).room.id;
    const direct = await open(ben, ann.id);
    await send(ben, { room: direct, text: 'of ben', asMember: true });
    await send(ann, { room: direct, text: `direct ${mark}`, asMember: true });
    const unseen = await open(ann, cat.id);
    const carried = await file('lobby', ann.id);
    const bare = await file('lobby', ann.id);
    await file('lobby', ann.id);
    await send(ann, {
      text: 'text and more',
      files: [{ id: carried, alt: `alt ${mark}` }],
      mentions: [{ user: ben.id, start: 0, length: 1 }],
      asMember: true,
    });
    await send(ben, {
      text: 'of ben',
      mentions: [
        { user: ann.id, start: 0, length: 1 },
        { user: cat.id, start: 1, length: 1 },
      ],
    });
    await send(ann, { text: '', files: [{ id: bare }], asMember: true });
    await send(ann, { text: 'gone before', asMember: true });
    await write.delete({ room: 'lobby', seq: 4, user: ann.id });
    await send(ben, { text: 'answer', replyTo: 1 });
    const many = Array.from({ length: 11 }, (_, i) => ({ id: `m${i}`, name: `m${i}` }));
    for (const user of many) await write.join({ room: 'lobby', user });
    await react('lobby', 2, '👍', [ann.id, ...many.map(({ id }) => id)]);
    await react('lobby', 5, '🎉', [ann.id]);
    await react('lobby', 1, '👍', [ben.id]);
    await write.report({ room: 'lobby', seq: 1, by: ben.id });
    await write.report({ room: 'lobby', seq: 2, by: cat.id });
    await write.report({ room: 'lobby', seq: 2, by: ann.id, reason: 'other', text: mark });
    await write.report({ room: 'lobby', seq: 5, by: cat.id, reason: 'abuse' });
    const { reports } = await read.reports({ rooms: null, limit: 50 });
    const closed = reports[0] as StoredReport;
    await write.closeReport({ room: 'lobby', seq: closed.seq, id: closed.id, by: ann.id });
    for (const [user, by] of [
      [cat.id, ann.id],
      [ann.id, ben.id],
    ] as const) {
      const restriction = { by, reason: 'because' };
      await write.restrict({ room: 'lobby', user, restriction });
      await write.restrict({ room: 'lobby', user, kind: 'banned', restriction });
    }
    await write.block({ user: ann.id, other: ben.id });
    await write.block({ user: cat.id, other: ann.id });
    await write.setBan({ user: ann.id, ban: { reason: mark } });
    await write.noteHere({ user: ann.id, at });
    await write.noteMailAddress({ user: ann.id, address: mark, refused: mark });
    await write.addMailStop({ id: mark, user: ann.id, at });
    await write.addMailReply({ id: mark, user: ann.id, roomId: 'lobby', at });
    await write.noteMailRejection({ id: mark, user: ann.id, at });
    await write.registerDevice({ id: 'phone', user: ann.id, kind: 'app', name: mark, sealed: mark, at });
    const invite = { id: `i${n++}`, room: den, digest: `digest ${n}`, by: ann.id, at };
    await write.createInvite({ invite });
    return { den, alone, direct, unseen, carried, bare, closed: closed.id };
  }

  /** Reads all data of these rooms. */
  async function everything(rooms: readonly string[]) {
    const all: unknown[] = [
      await read.bans(null),
      await read.restrictions(null),
      await read.reports({ rooms: null, limit: 50 }),
      await read.publicRooms(null),
      await read.written({ user: ann.id, from: '', limit: 50 }),
      await read.reactionsBy({ user: ann.id, from: '', limit: 50 }),
      (await read.user({ user: ann.id })).memberships,
      await read.invitesBy({ user: ann.id }),
      (await read.lastHere({ user: ann.id, asker: cat.id })).at ?? '',
      await read.devices({ user: ann.id }),
      (await read.mailAddress({ user: ann.id })).address ?? '',
      (await read.mailStop({ id: mark })) ?? '',
      (await read.mailReply({ id: mark })) ?? '',
      await read.user({ user: ben.id }),
      await read.user({ user: cat.id }),
      await read.search({ query: 'hello', rooms, everyPublic: true, limit: 50 }),
    ];
    for (const room of rooms) {
      all.push(await newest(room), await read.members({ room, limit: 100 }));
      all.push(await read.room({ room }));
    }
    for (const seq of [1, 2, 5]) {
      for (const emoji of ['👍', '🎉']) {
        all.push(await read.reactors({ room: 'lobby', seq, emoji, after: 0, limit: 50 }));
      }
    }
    return JSON.stringify(all).replaceAll(JSON.stringify(ann.id).slice(1, -1), ann.id);
  }

  test('removes pictures of rooms that the user uploaded, and only these', async () => {
    for (const [room, user] of [
      ['lobby', ann.id],
      ['yard', ben.id],
    ] as const) {
      if (room === 'yard') await write.putRoom({ id: room, kind: 'public', name: room });
      const picture = `picture-${room}`;
      const image = { width: 4, height: 3, blur: 'LEHV6nWB2yk8pyo0adR*.7kCMdnj' };
      const about = { name: 'picture.webp', type: 'image/webp', size: 1, image, isPicture: true } as const;
      await write.addFile({ room, user, file: { id: picture, ...about } });
      await write.updateRoom({ room, emoji: '🧪', picture, actor: user });
    }
    now().changes.length = 0;
    await erase('anonymise');
    expect((await read.room({ room: 'lobby' }))?.settings).toEqual({ emoji: '🧪' });
    expect((await read.room({ room: 'yard' }))?.settings).toEqual({ emoji: '🧪', picture: 'picture-yard' });
    expect(now().changes).toContainEqual(
      expect.objectContaining({ type: 'room', room: expect.objectContaining({ settings: { emoji: '🧪' } }) }),
    );
    expect(await read.file({ id: 'picture-lobby', user: ben.id })).toBeNull();
    expect((await write.dropFiles({ before: 0, most: 100 })).stored).toEqual(['picture-lobby']);
  });

  test('removes the user from all data and keeps the messages without an author', async () => {
    const { den, alone, direct, unseen, carried, bare, closed } = await live();
    const rooms = ['lobby', den, alone, direct];
    expect(await everything(rooms)).toContain(mark);
    const before = await read.room({ room: 'lobby' });
    now().changes.length = 0;
    expect(await erase('anonymise')).toBe(2);

    // The messages of the direct room stay, because Ben wrote some of them.
    expect((await newest(direct)).map(({ text, user }) => [text, user.id])).toEqual([
      ['of ben', ben.id],
      [`direct ${mark}`, deletedUser.id],
    ]);
    expect((await everything(['lobby', den, alone])).replaceAll(`direct ${mark}`, '')).not.toContain(mark);
    const messages = await newest('lobby');
    expect(messages.map(({ user, text }) => [user.name, text])).toEqual([
      [deletedUser.name, 'text and more'],
      ['Ben', 'of ben'],
      [deletedUser.name, ''],
      [deletedUser.name, ''],
      ['Ben', 'answer'],
    ]);
    const [one, two, three, four, five] = messages;
    expect(one).toMatchObject({ user: deletedUser, mentions: [{ user: ben.id }], clientId: 'erased-1' });
    expect(one).not.toHaveProperty('files', expect.anything());
    expect(one).not.toHaveProperty('deletedAt', expect.anything());
    expect(one?.reactions).toEqual([{ emoji: '👍', count: 1, users: [ben.id] }]);
    // Other users are named instead of the erased user.
    const others = Array.from({ length: 10 }, (_, i) => `m${i}`);
    expect(two).toMatchObject({
      mentions: [{ user: cat.id }],
      reactions: [{ emoji: '👍', count: 11, users: others }],
    });
    expect(three).toMatchObject({ deletedAt: expect.any(Number) });
    expect(three).not.toHaveProperty('deletedBy', expect.anything());
    expect(four).toMatchObject({ deletedBy: 'author', deletedAt: at });
    expect(five).toMatchObject({ replyTo: 1 });
    expect(five).not.toHaveProperty('reactions', expect.anything());
    for (const id of [carried, bare]) expect(await read.file({ id, user: ben.id })).toBeNull();
    expect((await write.dropFiles({ before: 0, most: 100 })).ids).toHaveLength(3);

    const { reports } = await read.reports({ rooms: null, limit: 50 });
    expect(reports.map(({ seq, by, message }) => [seq, by, message?.user.id])).toEqual([
      [2, cat.id, ben.id],
      [1, ben.id, deletedUser.id],
    ]);
    expect(reports[1]?.message).toMatchObject({ text: 'text and more' });
    expect(reports[1]?.message).not.toHaveProperty('files', expect.anything());
    expect(await read.report({ id: closed })).toMatchObject({ closed: { by: deletedUser.id } });
    const lobby = await read.room({ room: 'lobby' });
    expect(lobby).toMatchObject({
      head: (before?.head ?? 0) + 1,
      reset: (before?.head ?? 0) + 1,
      reports: 2,
    });

    // Ben owns the room now, the empty room has no owner, one user is left in the direct room, and the unused
    // one is deleted.
    const owner = (await read.members({ room: den, limit: 9 })).members;
    expect(owner.map(({ user, member }) => [user.id, member.role])).toEqual([
      [ben.id, 'owner'],
      [cat.id, 'member'],
    ]);
    expect(await read.room({ room: alone })).toMatchObject({ members: 0 });
    expect(await read.room({ room: direct })).not.toHaveProperty('pair', expect.anything());
    expect(await read.room({ room: unseen })).toBeNull();
    const refused = expect.objectContaining({ code: 'forbidden' });
    await expect(send(ben, { room: direct, asMember: true })).rejects.toEqual(refused);
    await expect(write.openDirect({ id: 'd-none', by: ben, other: deletedUser.id })).rejects.toEqual(refused);
    // Each room is announced once, after all its changes.
    expect(
      resets()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(['lobby', direct].sort());
    expect(resets().find(({ id }) => id === 'lobby')).toMatchObject({ head: lobby?.head, last: { seq: 5 } });
    await expect.poll(() => now().holding(mark)).toEqual(['chat_messages']);
    expect(await now().holding(ann.name)).toEqual([]);

    // A second erasure is a no-op, and a user who arrives with this ID is new.
    now().changes.length = 0;
    expect(await erase('anonymise')).toBe(2);
    expect(resets()).toEqual([]);
    await write.arrive({ user: ann });
    await write.join({ room: 'lobby', user: ann });
    const anew = await write.openDirect({ id: `d-${n++}`, by: ben, other: ann.id });
    expect(anew.repeated).toBe(false);
    expect(await read.user({ user: ann.id })).toMatchObject({
      user: ann,
      memberships: [{ room: { id: 'lobby' }, member: { readSeq: 5 } }],
      blocked: [],
    });
    await now().reload();
    expect(await newest('lobby')).toEqual(messages);
  });

  test('removes an erased author and the files from copies forwarded by others', async () => {
    for (const user of [ann, ben, cat]) await write.arrive({ user });
    await write.join({ room: 'lobby', user: cat });
    const copied = async (seq: number) => {
      const from = { room: 'lobby', seq };
      const forward = { room: 'lobby', from, clientId: `f${n++}`, user: ben, sentAt: at, asMember: false };
      return (await write.forward(forward)).message;
    };
    const picture = await file('lobby', ann.id);
    await send(ann, { text: 'words', files: [{ id: picture }] });
    await send(ann, { text: '', files: [{ id: await file('lobby', ann.id) }] });
    const [words, bare] = [await copied(1), await copied(2)];
    const again = await copied(words.seq);
    for (const { seq } of [words, bare]) await write.report({ room: 'lobby', seq, by: cat.id });
    expect(again).toMatchObject({ user: ben, forwarded: { user: ann, shown: true } });
    expect(again.files).toHaveLength(1);
    await erase('anonymise');
    const copies = (await newest('lobby')).slice(2);
    expect(copies.map(({ seq, text, user, forwarded, deletedAt }) => [seq, text, user, forwarded, deletedAt]))
      // The copy without text is deleted.
      .toEqual([
        [words.seq, 'words', ben, { user: deletedUser, shown: true }, undefined],
        [bare.seq, '', ben, undefined, expect.any(Number)],
        [again.seq, 'words', ben, { user: deletedUser, shown: true }, undefined],
      ]);
    for (const { files } of copies) expect(files).toBeUndefined();
    const reported = async () => (await read.reports({ rooms: null, limit: 50 })).reports;
    const [report, ...others] = await reported();
    expect(report?.message).toMatchObject({ text: 'words', forwarded: { user: deletedUser, shown: true } });
    expect(report?.message).not.toHaveProperty('files', expect.anything());
    expect(others).toEqual([]);
    expect((await write.dropFiles({ before: 0, most: 100 })).stored).toHaveLength(2);
    expect(await now().holding(ann.name)).toEqual([]);

    await write.arrive({ user: ann });
    const later = await copied((await send(ann, { text: 'later' })).seq);
    await write.report({ room: 'lobby', seq: later.seq, by: cat.id });
    await erase('delete');
    expect(await reported()).toEqual([report]);
    expect(await read.room({ room: 'lobby' })).toMatchObject({ reports: 1 });
    expect((await newest('lobby')).at(-1)).toMatchObject({ seq: later.seq, text: '', deletedAt: at + 1 });
  });

  test('deletes the messages of the user in place on request', async () => {
    const { den, alone, direct } = await live();
    await send(cat, { room: den, text: 'a' });
    await send(ann, { room: den, text: `b ${mark}`, mentions: [{ user: '*', start: 0, length: 1 }] });
    now().changes.length = 0;
    await erase('delete');
    expect(await everything(['lobby', den, alone, direct])).not.toContain(mark);
    expect((await newest('lobby')).map(({ user, text }) => `${user.id} ${text}`)).toEqual([
      `${deletedUser.id} `,
      `${ben.id} of ben`,
      `${deletedUser.id} `,
      `${deletedUser.id} `,
      `${ben.id} answer`,
    ]);
    const [one] = await newest('lobby');
    expect(one).toEqual({
      id: expect.any(String),
      room: 'lobby',
      seq: 1,
      rev: expect.any(Number),
      clientId: 'erased-1',
      user: deletedUser,
      text: '',
      sentAt: at,
      deletedAt: expect.any(Number),
    });
    expect(await read.room({ room: den })).toMatchObject({
      last: { seq: 2, user: deletedUser },
      deleted: expect.arrayContaining([[expect.any(Number), expect.any(Number)]]),
    });
    expect((await read.room({ room: 'lobby' }))?.deleted?.[0]?.[0]).toBe(1);
    // A deleted message does not leave unread mentions.
    const gone = now().changes.filter((change) => change.type === 'mentions');
    expect(gone.map(({ removed }) => removed)).toContainEqual([ben.id]);
    expect((await read.reports({ rooms: null, limit: 9 })).reports.map(({ seq }) => seq)).toEqual([2]);
    const found = { query: mark, rooms: [den, direct], everyPublic: true, limit: 9 };
    await expect.poll(async () => (await read.search(found)).messages).toEqual([]);
    await write.dropFiles({ before: 0, most: 100 });
    await expect.poll(() => now().holding(mark)).toEqual([]);
  });

  test('deletes a direct room when its second user is erased', async () => {
    for (const user of [ann, ben]) await write.arrive({ user });
    const { room } = await write.openDirect({ id: `d-${n++}`, by: ann, other: ben.id });
    for (const user of [ann, ben]) await send(user, { room: room.id, text: mark, asMember: true });
    for (const { id } of [ben, ann]) {
      expect(await read.room({ room: room.id })).not.toBeNull();
      await write.erase({ user: id });
      await runBatch();
    }
    expect(await read.room({ room: room.id })).toBeNull();
    expect(now().changes).toContainEqual(
      expect.objectContaining({
        type: 'room',
        is: 'deleted',
        room: expect.objectContaining({ id: room.id }),
      }),
    );
  });

  test('erases a user who connected or was named before the last connections closed', async () => {
    for (const user of [ann, ben]) await write.arrive({ user });
    await write.erase({ user: ann.id, messages: 'delete' });
    const unerased = () => Promise.all([ann, ben].map(({ id }) => read.unerased({ user: id })));
    expect(await unerased()).toMatchObject([null, ben]);
    const next = erasureSteps(now().history, 'one', at + 1);
    const kicked = async () => {
      for (;;) if ((await next())?.kick) return;
    };
    await kicked();
    await kicked();
    // These rows are in tables that earlier stages already scanned.
    await write.arrive({ user: ann, rooms: [{ id: `own${n++}`, name: 'own' }] });
    await write.join({ room: 'lobby', user: ann });
    const by = { by: ann, clientId: `r${n++}`, most: 0, at } as const;
    const den = (await write.createRoom({ id: `u-${n++}`, kind: 'private', name: 'den', ...by })).room.id;
    const direct = (await write.openDirect({ id: `d-${n++}`, by: ann, other: ben.id })).room.id;
    await write.addMembers({ room: den, users: [{ id: ben.id }] });
    await write.block({ user: ben.id, other: ann.id });
    const restriction = { by: ann.id, reason: 'because' };
    await write.restrict({ room: den, user: ben.id, restriction });
    await expect(file('lobby', ann.id)).rejects.toEqual(expect.objectContaining({ code: 'forbidden' }));
    await send(ann, { room: 'lobby', text: mark });
    expect(await unerased()).toMatchObject([null, ben]);
    await runBatch();
    expect(await unerased()).toMatchObject([null, ben]);
    expect(await everything(['lobby', den])).not.toContain(mark);
    expect(await read.room({ room: direct })).toBeNull();
    expect((await read.room({ room: den }))?.members).toBe(1);
    expect((await read.user({ user: ben.id })).blocked).toEqual([]);
    await write.dropFiles({ before: 0, most: 100 });
    await expect.poll(() => now().holding(mark)).toEqual([]);
    expect(await now().holding(mark.toLowerCase())).toEqual([]);
  });

  test('removes an erased moderator from any number of restrictions', async () => {
    const restrict = async (room: string, user: string, by: string) => {
      for (const kind of ['muted', 'banned'] as const) {
        await write.restrict({ room, user, kind, restriction: { by, reason: `because "by":"${by}"` } });
      }
    };
    const users = Array.from({ length: 150 }, (_, i) => `r${i}`);
    await Promise.all(users.map((user) => restrict('lobby', user, ann.id)));
    await restrict('garden', ben.id, ann.id);
    await restrict('garden', cat.id, ben.id);
    await write.restrict({ room: 'lobby', user: 'r0', restriction: { by: ben.id } });
    await erase('anonymise');
    const left = await read.restrictions(null);
    const by = left.map(({ room, user, restricted: { muted, banned } }) => [
      room,
      user,
      muted?.by,
      banned?.by,
    ]);
    const nobody = deletedUser.id;
    expect(by.sort()).toEqual(
      [
        ...users.map((user) => ['lobby', user, user === 'r0' ? ben.id : nobody, nobody]),
        ['garden', ben.id, nobody, nobody],
        ['garden', cat.id, ben.id, ben.id],
      ].sort(),
    );
  });

  test('does not name the erased user in reports and audit entries during the erasure', async () => {
    const audit = { name: 'audit', by: 'one', types: ['act'] } as const;
    await write.consume({ ...audit, lease: 1, most: 0 });
    for (const messages of ['anonymise', 'delete'] as const) {
      await write.arrive({ user: ann });
      const { seq } = await send(ann, { text: mark });
      const deleted: number[] = [];
      for (let i = 0; i < 10; i++) deleted.push((await send(ann)).seq);
      await write.erase({ user: ann.id, messages });
      const next = erasureSteps(now().history, 'one', at + 1);
      for (let closed = 0; closed < 2; ) if ((await next())?.kick) closed++;
      await next();
      const anew = await send(ann, { text: 'anew' });
      const report = (of: number) => write.report({ room: 'lobby', seq: of, by: `r${n++}` });
      await report(anew.seq);
      const author = async () => (await newest('lobby')).find((one) => one.seq === seq)?.user.id;
      while ((await author()) === ann.id) {
        await report(seq);
        const act = { user: cat.id, moderator: true, anywhere: true, at } as const;
        await write.delete({ room: 'lobby', seq: deleted.pop() as number, ...act });
        await next();
      }
      await runBatch();
      const acts = JSON.stringify(await write.consume({ ...audit, lease: 0, most: 100 }));
      expect(acts).toContain('message_deleted');
      expect(acts).not.toContain(mark);
      const { reports } = await read.reports({ rooms: null, limit: 50 });
      const of = (one: number) => reports.filter((found) => found.seq === one);
      expect(of(anew.seq)).toMatchObject([{ author: ann.id, message: { text: 'anew', user: ann } }]);
      if (messages === 'delete') expect(of(seq)).toEqual([]);
      else expect(of(seq).length).toBeGreaterThan(1);
      for (const { author, message } of of(seq))
        expect([author, message?.user]).toEqual([deletedUser.id, deletedUser]);
    }
  });

  test('deletes a preview picture fetched after the files were erased', async () => {
    await write.arrive({ user: ann });
    const url = 'https://garden.example/';
    const { seq } = await send(ann, { text: url, preview: url });
    await write.erase({ user: ann.id });
    const next = erasureSteps(now().history, 'one', at + 1);
    for (let closed = 0; closed < 2; ) if ((await next())?.kick) closed++;
    await next();
    const id = await file('lobby', ann.id);
    const page = { title: 'Garden', image: { id, width: 4, height: 3 } };
    expect(await write.preview({ room: 'lobby', seq, url, page, at })).toEqual({ changed: true });
    await runBatch();
    expect((await newest('lobby')).at(-1)).toMatchObject({ seq, user: deletedUser });
    expect((await write.dropFiles({ before: 0, most: 10 })).ids).toContain(id);
  });

  test('runs an erasure on one server at a time, and spares later data of a user with the ID', async () => {
    await write.join({ room: 'lobby', user: ann });
    const sent: string[] = [];
    for (let i = 0; i < 250; i++) sent.push((await send(ann, { text: `text ${i}` })).id);
    await write.erase({ user: ann.id, messages: 'delete' });
    // A second request with another option does not change the first.
    await write.erase({ user: ann.id });
    const step = erasureSteps(now().history, 'one', at + 1);
    const changed = async () =>
      (await newest('lobby')).filter(({ deletedAt }) => deletedAt !== undefined).length;
    for (let steps = 0; (await changed()) === 0; steps++) {
      expect(steps).toBeLessThan(30);
      await step();
    }
    expect(resets()).toEqual([]);
    expect(await erasureSteps(now().history, 'two', at + 2)()).toBeNull();
    // The new user stays, and so does a message from a server whose clock is slow.
    const { seq } = await send(ann, { text: 'new', sentAt: at - 5000 });
    const uploaded = await file('lobby', ann.id);
    expect(await read.unerased({ user: ann.id })).toMatchObject(ann);
    await now().reload();
    const later = at + 60_000;
    await holdErasures(now().history, 'one', 0);
    expect(await erasureSteps(now().history, 'two', later)()).toEqual({ user: ann.id, kick: false });
    expect(await erasureSteps(now().history, 'one', later)()).toBeNull();
    await carryOutErasures(now().history, 'two', later);
    const rest = (await read.after({ room: 'lobby', after: 0, upTo: 1000, limit: 300 })).messages;
    expect(rest.filter(({ text }) => text !== '')).toMatchObject([{ seq, text: 'new', user: ann }]);
    expect(rest).toHaveLength(251);
    expect(sent).toEqual(rest.slice(0, 250).map(({ id }) => id));
    expect(await read.file({ id: uploaded, user: ann.id })).toMatchObject({ file: { user: ann.id } });
    expect(await read.room({ room: 'lobby' })).toMatchObject({ reset: 252, head: 252 });
  });
}
