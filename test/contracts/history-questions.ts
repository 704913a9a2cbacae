import { describe, expect, test } from 'vitest';
import { type Change, type RoomRecord, sources, type Writes } from '../../server/history/history.ts';
import { unreadOf } from '../../server/notify/unread.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { ann, at, ben, callsOf, expectRefusal, type Now } from './history-tested.ts';

const [ida, joe, kim] = ['ida', 'joe', 'kim'].map((id) => ({ id, name: `Name of ${id}` })) as [
  typeof ann,
  typeof ann,
  typeof ann,
];
const guest = { id: `g-${'a'.repeat(32)}`, name: 'Guest Eve' };
const team = 'team';
let n = 0;

/** Tests questions to a team in every history. Ida, Joe and Kim are the team. */
export function questionsContract(now: Now) {
  const { write, read } = callsOf(now);
  const begin = async () => {
    for (const user of [ida, joe, kim, ann, ben, guest]) await write.arrive({ user });
    for (const { id } of [ida, joe, kim]) await write.joinTeam({ user: id, team, at });
  };
  const ask = (over: Partial<Writes['askTeam']['in']> = {}) =>
    write.askTeam({
      id: `u-question-${n++}`,
      team,
      user: ann,
      name: 'Where is it?',
      text: 'Where is it? I wait.',
      clientId: `q${n++}`,
      at,
      ...over,
    });
  const say = (room: string, user: typeof ann, sentAt = at) =>
    write.send({ room, user, text: 'text', clientId: `q${n++}`, sentAt, asMember: true });
  const acting = (room: string, user = ida) => ({ room, team, user, at: at + 5 });
  const stored = async (room: string) => (await read.room({ room })) as RoomRecord;
  const questionOf = async (room: string) => (await stored(room)).question;
  const membersOf = async (room: string) =>
    (await read.members({ room, limit: 100 })).members.map(({ user }) => user.id).sort();
  /** The users who are notified of the unread messages of a question. */
  const notified = async (room: string) =>
    (await read.concernedMembers({ room, everyone: false, after: '', limit: 9 })).users;
  const told = () => now().changes.flatMap((change: Change) => (change.type === 'question' ? change.is : []));

  test('a question is a private room of its asker and the team', async () => {
    await begin();
    const about = { page: '/a', title: 'A', card: 'order:7' };
    const { room, message, repeated, isNew } = await ask({ about });
    expect({ repeated, isNew }).toEqual({ repeated: false, isNew: true });
    expect(message).toMatchObject({ seq: 1, rev: 1, text: 'Where is it? I wait.', user: ann });
    await now().reload();
    expect(await stored(room.id)).toEqual(room);
    expect(room).toMatchObject({ kind: 'private', name: 'Where is it?', members: 4, last: message });
    expect(room.question).toEqual({ team, asker: ann, openedAt: at, waitingAt: at, lastAt: at, about });
    expect(await membersOf(room.id)).toEqual(['1', 'ida', 'joe', 'kim']);
    const [asker, member] = await read.membersOf({ room: room.id, users: [ann.id, 'joe'] });
    expect([asker, member]).toMatchObject([
      { role: 'member', acted: 2, readSeq: 1 },
      { role: 'moderator', acted: 0, readSeq: 0 },
    ]);
    expect(told()).toEqual(['opened']);
  });

  test('a closed question that is asked again stays assigned', async () => {
    await begin();
    const { id } = (await ask()).room;
    await say(id, ida);
    await write.closeQuestion(acting(id));
    await ask({ name: 'Another', at: at + 9 });
    expect((await questionOf(id))?.by).toEqual(ida);
    expect(await membersOf(id)).toEqual(['1', 'ida']);
  });

  test('an asker has one question, which a repeat does not change', async () => {
    await begin();
    const first = await ask({ clientId: 'first' });
    const { room } = first;
    const [one, two] = await Promise.all([ask({ name: 'Other' }), ask({ name: 'Other' })]);
    expect([one?.room.id, two?.room.id]).toEqual([room.id, room.id]);
    expect((await stored(room.id)).name).toBe('Where is it?');
    await write.closeQuestion(acting(room.id));
    now().changes.length = 0;
    await now().reload();
    expect(await ask({ clientId: 'first' })).toMatchObject({ repeated: true, message: first.message });
    expect(told()).toEqual([]);
    await expectRefusal(ask({ clientId: 'first', text: 'other' }), 'conflict');
    const again = await ask({ name: 'Another', at: at + 9 });
    expect(again.room).toMatchObject({ name: 'Another', lastSeq: 4 });
    expect(again.room.question).toMatchObject({ openedAt: at + 9, waitingAt: at + 9, asker: ann, by: ida });
    expect(again.room.question).not.toHaveProperty('closedAt', expect.anything());
    expect(told()).toEqual(['opened']);
  });

  test('two questions of a user at once make one room', async () => {
    await begin();
    const asked = await Promise.all([ask(), ask(), ask()]);
    expect(new Set(asked.map(({ room }) => room.id)).size).toBe(1);
    expect(asked.map(({ message }) => message.seq).sort()).toEqual([1, 2, 3]);
  });

  test('the first answer assigns the question, and the silent members of the team leave', async () => {
    await begin();
    const { id } = (await ask()).room;
    await say(id, joe, at + 1);
    await now().reload();
    expect(await questionOf(id)).toEqual({
      ...{ team, asker: ann, by: joe, openedAt: at, answeredAt: at + 1, lastAt: at + 1 },
    });
    expect(await membersOf(id)).toEqual(['1', 'joe']);
    await say(id, ann, at + 2);
    await say(id, ann, at + 3);
    expect(await questionOf(id)).toMatchObject({ waitingAt: at + 2, answeredAt: at + 1, lastAt: at + 3 });
  });

  test('of several users who take a question, the first has it', async () => {
    await begin();
    const { id } = (await ask()).room;
    const results = await Promise.allSettled(
      [joe, kim, ida].map((user) => write.assignQuestion(acting(id, user))),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    const { by } = (await questionOf(id)) ?? {};
    const lost = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    for (const reason of lost)
      expect(reason).toMatchObject({ code: 'conflict', current: { question: { by } } });
    expect(await membersOf(id)).toEqual(['1', by?.id]);
    await expectRefusal(write.assignQuestion({ ...acting(id, by), to: ann.id }), 'unknown_user');
    await write.assignQuestion({ ...acting(id, ida), to: 'kim' });
    expect(await questionOf(id)).toMatchObject({ by: kim });
    expect(await membersOf(id)).toEqual(['1', 'kim']);
  });

  test.each([
    ['who is handed a question', (room: string) => write.assignQuestion({ ...acting(room, joe), to: 'kim' })],
    [
      'who takes over a question',
      (room: string) => write.assignQuestion({ ...acting(room, kim), to: 'kim' }),
    ],
    [
      'who answers a question that became unassigned',
      async (room: string) => {
        await write.leaveTeam({ user: 'joe', team, most: 100, at });
        await say(room, kim, at + 1);
      },
    ],
    [
      'who closes a question that became unassigned',
      async (room: string) => {
        await write.leaveTeam({ user: 'joe', team, most: 100, at });
        await write.closeQuestion(acting(room, kim));
      },
    ],
  ])('%s is notified of it, even if another member had it when the user opened it', async (_, comesTo) => {
    await begin();
    const { id } = (await ask()).room;
    await write.assignQuestion(acting(id, joe));
    await expectRefusal(write.assignQuestion(acting(id, kim)), 'conflict');
    await write.openQuestion(acting(id, kim));
    await say(id, ann, at + 1);
    expect(await notified(id)).toEqual(['joe']);
    await comesTo(id);
    await now().reload();
    await say(id, ann, at + 2);
    expect(await questionOf(id)).toMatchObject({ by: kim });
    expect(await notified(id)).toContain('kim');
    const directory = { banOf: () => null } as unknown as Parameters<typeof unreadOf>[1];
    const unread = await unreadOf(now().history, directory, 'kim', { notified: [] });
    expect(unread?.rooms.map(({ room }) => room)).toEqual([id]);
  });

  test('who turned off the notices of a question gets none by taking it over', async () => {
    await begin();
    const { id } = (await ask()).room;
    await write.assignQuestion(acting(id, joe));
    await write.openQuestion(acting(id, kim));
    await write.setPreferences({ room: id, user: 'kim', set: { notify: 'none' } });
    await write.assignQuestion({ ...acting(id, joe), to: 'kim' });
    await say(id, ann, at + 1);
    expect(await notified(id)).toEqual([]);
  });

  test('only the team may act, and only on questions', async () => {
    await begin();
    const { id } = (await ask()).room;
    await write.putRoom({ id: 'den', kind: 'private', name: 'Den' });
    for (const act of [
      (room: string, user: typeof ann) => write.openQuestion(acting(room, user)),
      (room: string, user: typeof ann) => write.assignQuestion(acting(room, user)),
      (room: string, user: typeof ann) => write.closeQuestion(acting(room, user)),
      (room: string, { id: user, name }: typeof ann) =>
        write.addNote({ room, team, id: `n${n++}`, user, name, clientId: 'n', text: 'note', at }),
      (room: string, { id: user }: typeof ann) => write.removeNote({ room, id: 'n', user, team }),
    ]) {
      await expectRefusal(act(id, ann), 'forbidden');
      await expectRefusal(act(id, ben), 'forbidden');
      await expectRefusal(act('den', ida), 'unknown_room');
      await expectRefusal(act('nowhere', ida), 'unknown_room');
    }
    const restriction = { by: 'ida' };
    await write.restrict({ room: id, user: 'kim', kind: 'banned', restriction });
    await expectRefusal(write.openQuestion(acting(id, kim)), 'unknown_room');
    await expectRefusal(write.assignQuestion({ ...acting(id), to: 'kim' }), 'unknown_user');
    await write.restrict({ room: id, user: ann.id, kind: 'banned', restriction });
    await expectRefusal(ask(), 'forbidden');
  });

  test('who leaves the team loses all questions', async () => {
    await begin();
    const rooms = [(await ask()).room.id, (await ask({ user: ben })).room.id];
    for (const room of rooms) await write.assignQuestion(acting(room, joe));
    await write.closeQuestion(acting(rooms[1] as string, joe));
    await write.leaveTeam({ user: 'joe', team, most: 100, at });
    await now().reload();
    for (const room of rooms) expect(await membersOf(room)).not.toContain('joe');
    expect(await questionOf(rooms[0] as string)).not.toHaveProperty('by', expect.anything());
    expect((await read.team({ team, limit: 9 })).map(({ id }) => id).sort()).toEqual(['ida', 'kim']);
    await expectRefusal(write.openQuestion(acting(rooms[0] as string, joe)), 'forbidden');
    // The asker writes again.
    await say(rooms[1] as string, ben, at + 1);
    expect(await questionOf(rooms[1] as string)).not.toHaveProperty('by', expect.anything());
    expect((await read.countQuestions({ team, user: 'ida', most: 9 })).unassigned).toBe(2);
  });

  test('who was seen in the team meanwhile is not dismissed', async () => {
    await begin();
    const { id } = (await ask()).room;
    const before = at + 10;
    await write.joinTeam({ user: 'joe', team, at: before });
    expect(await write.othersInTeam({ team, users: ['ida'], before, most: 9 })).toEqual({ users: ['kim'] });
    for (const user of ['joe', 'kim']) await write.leaveTeam({ user, team, before, most: 100, at });
    expect(await membersOf(id)).toEqual(['1', 'ida', 'joe']);
    expect(await read.teamAfter({ team, after: 'i', limit: 1 })).toEqual(['ida']);
    expect(await read.teamAfter({ team, after: 'ida', limit: 9 })).toEqual(['joe']);
  });

  test('a question that the whole team left reaches the team again', async () => {
    await begin();
    const { id } = (await ask()).room;
    await write.assignQuestion(acting(id, joe));
    await write.leaveTeam({ user: 'joe', team, most: 100, at });
    expect(await membersOf(id)).toEqual(['1', 'ida', 'kim']);
    // The question waits.
    expect(await notified(id)).toEqual(['ida', 'kim']);
  });

  test.each([
    ['leaves the team', () => write.leaveTeam({ user: 'joe', team, most: 100, at })],
    [
      'is erased',
      async () => {
        await write.erase({ user: 'joe', messages: 'anonymise' });
        await carryOutErasures(now().history, 'one', at + 1);
      },
    ],
  ])(
    'a question whose member of the team %s reaches the others, even if another one reads it',
    async (_, leaves) => {
      await begin();
      const taken = (await ask()).room.id;
      await write.assignQuestion(acting(taken, joe));
      const answered = (await ask({ user: ben })).room.id;
      await say(answered, joe, at + 1);
      for (const id of [taken, answered]) await write.openQuestion(acting(id, kim));
      await now().reload();
      await leaves();
      expect(await membersOf(taken)).toEqual(['1', 'ida', 'kim']);
      expect(await membersOf(answered)).toEqual(['2', 'ida', 'kim']);
      // Kim began with all messages read.
      expect(await notified(taken)).toEqual(['ida']);
      // It does not wait, and Ben has not read the answer.
      expect(await notified(answered)).toEqual([ben.id]);
      await now().reload();
      await say(taken, ann, at + 2);
      await say(answered, ben, at + 2);
      for (const id of [taken, answered]) expect(await notified(id)).toEqual(['ida', 'kim']);
    },
  );

  describe.each([
    [
      'left it',
      (room: string) =>
        write.removeMembers({ room, users: ['joe'], sources: sources.people, by: 'people', cause: 'left' }),
    ],
    [
      'was banned from it',
      (room: string) => write.restrict({ room, user: 'joe', kind: 'banned', restriction: { by: 'ida' } }),
    ],
  ])('a question whose member of the team %s', (_, leave) => {
    const left = async () => {
      await begin();
      const { id } = (await ask()).room;
      await say(id, joe, at + 1);
      await write.openQuestion(acting(id, kim));
      await leave(id);
      await now().reload();
      return id;
    };

    test('reaches the team with the next message of the asker', async () => {
      const id = await left();
      now().changes.length = 0;
      await say(id, ann, at + 2);
      expect(await questionOf(id)).not.toHaveProperty('by', expect.anything());
      expect(told()).toEqual(['changed']);
      expect(await membersOf(id)).toEqual(expect.arrayContaining(['1', 'ida', 'kim']));
      expect(await notified(id)).toEqual(expect.arrayContaining(['ida', 'kim']));
    });

    test('can be taken', async () => {
      const id = await left();
      await write.assignQuestion(acting(id, kim));
      expect(await questionOf(id)).toMatchObject({ by: kim });
      await say(id, ann, at + 2);
      expect(await notified(id)).toEqual(['kim']);
    });

    test('is assigned to the next who answers', async () => {
      const id = await left();
      await say(id, kim, at + 2);
      expect(await questionOf(id)).toMatchObject({ by: kim });
    });

    test('turns on the notices of the next who opens it', async () => {
      const id = await left();
      await write.openQuestion(acting(id, ida));
      await say(id, ann, at + 2);
      expect(await notified(id)).toEqual(['ida']);
    });
  });

  test('who left an unassigned question is not invited again while another member is notified', async () => {
    await begin();
    const { id } = (await ask()).room;
    const leave = (user: string) =>
      write.removeMembers({ room: id, users: [user], sources: sources.people, by: 'people', cause: 'left' });
    await leave('kim');
    await now().reload();
    await say(id, ann, at + 1);
    expect(await membersOf(id)).toEqual(['1', 'ida', 'joe']);
    await leave('joe');
    await write.setPreferences({ room: id, user: 'ida', set: { notify: 'none' } });
    await now().reload();
    await say(id, ann, at + 2);
    expect(await membersOf(id)).toEqual(['1', 'ida', 'joe', 'kim']);
    expect(await notified(id)).toEqual(['joe', 'kim']);
  });

  test('who leaves the team stays in an own question', async () => {
    await begin();
    const { id } = (await ask()).room;
    await write.joinTeam({ user: ann.id, team, at });
    await write.assignQuestion(acting(id, ann));
    await write.leaveTeam({ user: ann.id, team, most: 100, at });
    expect(await membersOf(id)).toEqual(['1', 'ida', 'joe', 'kim']);
    expect(await questionOf(id)).not.toHaveProperty('by', expect.anything());
  });

  test('who closes a question is in it, so that an erasure finds the name', async () => {
    await begin();
    const mark = 'Xw7qK';
    const lea = { id: `${mark}lea`, name: `Lea ${mark}` };
    const { id } = (await ask()).room;
    await write.arrive({ user: lea });
    await write.joinTeam({ user: lea.id, team, at });
    await write.closeQuestion(acting(id, lea));
    expect(await questionOf(id)).toMatchObject({ by: lea });
    expect(await membersOf(id)).toContain(lea.id);
    await write.erase({ user: lea.id, messages: 'delete' });
    await carryOutErasures(now().history, 'one', at + 1);
    expect(await questionOf(id)).not.toHaveProperty('by', expect.anything());
    await expect.poll(() => now().holding(mark)).toEqual([]);
  });

  test('lists questions in pages, those that wait first', async () => {
    await begin();
    const asked: string[] = [];
    for (const minute of [1, 2, 3, 4, 5])
      asked.push((await ask({ user: { id: `u${minute}`, name: 'U' }, at: at + minute })).room.id);
    const [a = '', b = '', c = '', d = '', e = ''] = asked;
    await say(a, ida, at + 10);
    await say(b, ida, at + 11);
    await write.closeQuestion({ ...acting(c), at: at + 12 });
    await write.closeQuestion({ ...acting(d), at: at + 13 });
    const listed = async (which: 'mine' | 'unassigned' | 'all' | 'closed', limit: number) => {
      const rooms: string[] = [];
      let after: Parameters<typeof read.questions>[0]['after'];
      do {
        const page: Awaited<ReturnType<typeof read.questions>> = await read.questions({
          ...{ team, which, user: 'ida', limit, after },
        });
        rooms.push(...page.rooms.map(({ id }) => id));
        after = page.next;
      } while (after !== undefined);
      return rooms;
    };
    for (const limit of [1, 2, 9]) {
      expect(await listed('all', limit)).toEqual([e, b, a]);
      expect(await listed('mine', limit)).toEqual([b, a]);
      expect(await listed('unassigned', limit)).toEqual([e]);
      expect(await listed('closed', limit)).toEqual([d, c]);
    }
    expect(await read.countQuestions({ team, user: 'ida', most: 2 })).toEqual({
      ...{ mine: 2, unassigned: 1, all: 2 },
    });
    expect((await read.answerTimes({ team, since: at, limit: 9 })).sort()).toEqual([9, 9]);
    expect(await read.questionsSince({ team, since: at + 2, most: 9 })).toEqual({ asked: 4, answered: 1 });
  });

  test('a question changes only by its asker and the team', async () => {
    await begin();
    const { id } = (await ask()).room;
    await write.send({
      room: id,
      user: ben,
      text: 'by the site',
      clientId: 's',
      sentAt: at + 1,
      asMember: false,
    });
    expect(await questionOf(id)).toEqual({
      ...{ team, asker: ann, openedAt: at, waitingAt: at, lastAt: at + 1 },
    });
    await expectRefusal(say(id, ben), 'unknown_room');
  });

  test('waits for no approval', async () => {
    await begin();
    const { id } = (await ask()).room;
    const input = { room: id, user: ann, text: 'x', clientId: 'h', sentAt: at, asMember: true };
    expect(await write.hold({ ...input, why: 'all' })).toMatchObject({ message: { seq: 2 } });
  });

  describe('notes', () => {
    const note = (room: string, over: object = {}) =>
      write.addNote({
        ...{ room, team, id: `n${n++}`, user: 'ida', name: ida.name, clientId: `n${n++}`, text: 'note', at },
        ...over,
      });

    test('are stored once, and change nothing of the room', async () => {
      await begin();
      const { id } = (await ask()).room;
      const before = await stored(id);
      const first = await note(id, { clientId: 'same', id: 'first' });
      expect(first).toEqual({
        ...{ repeated: false, note: expect.objectContaining({ id: 'first', after: 1, text: 'note' }) },
      });
      await now().reload();
      expect(await note(id, { clientId: 'same', id: 'second' })).toEqual({ ...first, repeated: true });
      await note(id, { user: 'joe', clientId: 'same', id: 'third', at: at + 1 });
      expect(await stored(id)).toEqual(before);
      expect((await read.notes({ room: id })).map((one) => one.id)).toEqual(['first', 'third']);
      expect((await read.notesBy({ user: 'ida' })).map(({ room }) => room)).toEqual([id]);
      expect((await read.newest({ room: id, upTo: 99, limit: 99 })).messages).toHaveLength(1);
      await write.removeNote({ room: id, id: 'third', user: 'ida', team });
      expect(await read.notes({ room: id })).toHaveLength(2);
      await write.removeNote({ room: id, id: 'third', user: 'joe', team });
      expect(await read.notes({ room: id })).toHaveLength(1);
    });

    test('are deleted with their author, their asker and their room', async () => {
      await begin();
      const rooms = [ann, ben, guest].map(async (user) => (await ask({ user })).room.id);
      const [one = '', two = '', three = ''] = await Promise.all(rooms);
      for (const room of [one, two, three]) await note(room, { text: 'Xw7qKnote' });
      await note(one, { user: 'joe', text: 'Xw7qKnote' });
      await write.erase({ user: 'ida' });
      await carryOutErasures(now().history, 'one', at + 1);
      expect(await read.notes({ room: one })).toHaveLength(1);
      await write.erase({ user: ann.id });
      await carryOutErasures(now().history, 'one', at + 1);
      await write.deleteRoom({ room: three });
      expect(await now().holding('Xw7qKnote')).toEqual([]);
    });
  });

  describe('the address of a guest', () => {
    const setAddress = (address: string | null, user = guest.id) =>
      write.setQuestionAddress({ user, team, address });
    const addressOf = async (user = guest.id) => (await read.mailAddress({ user })).address;

    test('belongs to the question', async () => {
      await begin();
      await expectRefusal(setAddress('a@b.example'), 'forbidden');
      expect(await addressOf()).toBeUndefined();
      const { id } = (await ask({ user: guest })).room;
      await setAddress('a@b.example');
      expect(await addressOf()).toBe('a@b.example');
      expect(await questionOf(id)).toMatchObject({ address: 'given' });
      await write.verifyQuestionAddress({ user: guest.id, team });
      await setAddress('a@b.example');
      expect(await questionOf(id)).toMatchObject({ address: 'verified' });
      await setAddress('c@b.example');
      expect(await questionOf(id)).toMatchObject({ address: 'given' });
      await setAddress(null);
      expect(await addressOf()).toBeUndefined();
      expect(await questionOf(id)).not.toHaveProperty('address', expect.anything());
    });

    test('can be deleted by who is banned from the question', async () => {
      await begin();
      const { id } = (await ask({ user: guest })).room;
      await setAddress('a@b.example');
      await write.restrict({ room: id, user: guest.id, kind: 'banned', restriction: { by: 'ida' } });
      await expectRefusal(setAddress('c@b.example'), 'forbidden');
      await setAddress(null);
      expect(await addressOf()).toBeUndefined();
    });

    test('is deleted with the room', async () => {
      await begin();
      const { id } = (await ask({ user: guest })).room;
      await setAddress('a@b.example');
      await write.deleteRoom({ room: id });
      expect(await addressOf()).toBeUndefined();
    });

    test('keeps the guest in the question if it was verified, so that later answers are mailed', async () => {
      await begin();
      const other = { id: `g-${'b'.repeat(32)}`, name: 'G' };
      for (const user of [guest, other]) {
        await ask({ user });
        await setAddress(`${user.name}@b.example`.replace(' ', ''), user.id);
      }
      await write.verifyQuestionAddress({ user: guest.id, team });
      const { members } = await read.guestMembers({ before: at + 1, after: '', limit: 9 });
      expect(members.map(({ user }) => user)).toEqual([other.id]);
    });

    test('is forgotten, unless it was verified or there are newer messages', async () => {
      await begin();
      const other = { id: `g-${'b'.repeat(32)}`, name: 'G' };
      const { id } = (await ask({ user: guest })).room;
      await ask({ user: other });
      await setAddress('a@b.example');
      await setAddress('c@b.example', other.id);
      await write.verifyQuestionAddress({ user: other.id, team });
      await write.forgetQuestionAddresses({ before: at, most: 9 });
      expect(await addressOf()).toBe('a@b.example');
      await write.forgetQuestionAddresses({ before: at + 1, most: 9 });
      expect([await addressOf(), await addressOf(other.id)]).toEqual([undefined, 'c@b.example']);
      expect(await questionOf(id)).not.toHaveProperty('address', expect.anything());
    });
  });

  test('a member of the team whose ban from a question ends can open it again, with all rights', async () => {
    await begin();
    const { id } = (await ask()).room;
    await say(id, joe);
    const restrict = (restriction: { by: string; until?: number } | null) =>
      write.restrict({ room: id, user: joe.id, kind: 'banned', restriction, at, actor: ida.id });
    await restrict({ by: ida.id });
    await restrict(null);
    expect(await membersOf(id)).not.toContain('joe');
    await write.openQuestion(acting(id, joe));
    const [member] = await read.membersOf({ room: id, users: ['joe'] });
    expect(member).toMatchObject({ role: 'moderator' });
    // Who leaves the team during the ban does not come back when it ends.
    await restrict({ by: ida.id, until: at + 60_000 });
    await write.leaveTeam({ user: 'joe', team, most: 9, at });
    await write.endRestrictions({ before: at + 60_000, most: 9 });
    expect(await membersOf(id)).not.toContain('joe');
    await expectRefusal(write.openQuestion(acting(id, joe)), 'forbidden');
  });

  test('the mails to a former address can neither be answered nor stop those to the new one', async () => {
    await begin();
    const { id } = (await ask({ user: guest })).room;
    const give = (address: string | null) => write.setQuestionAddress({ user: guest.id, team, address });
    await give('a@b.example');
    await write.addMailReply({ id: 'digest', user: guest.id, roomId: id, seq: 1, at });
    await write.addMailStop({ id: 'digest', user: guest.id, at });
    await give('a@b.example');
    expect(await read.mailReply({ id: 'digest' })).not.toBeNull();
    await give('c@d.example');
    expect(await read.mailReply({ id: 'digest' })).toBeNull();
    expect(await read.mailStop({ id: 'digest' })).toBeNull();
  });

  const claim = (user: typeof ann, of = guest) => write.claimQuestion({ guest: of.id, user, team, at });

  test('a user claims the question of a guest', async () => {
    await begin();
    const { id } = (await ask({ user: guest })).room;
    await write.setQuestionAddress({ user: guest.id, team, address: 'a@b.example' });
    await say(id, ida);
    expect((await claim(ann)).room).toMatchObject({ id, question: { asker: ann } });
    await now().reload();
    const [member, left] = await read.membersOf({ room: id, users: [ann.id, guest.id] });
    expect(member).toMatchObject({ role: 'member', readSeq: 1 });
    expect(left).toMatchObject({ sources: 0 });
    expect((await read.mailAddress({ user: guest.id })).address).toBeUndefined();
    expect(await claim(ann)).toEqual({ room: null });
    expect((await ask()).room.id).toBe(id);
  });

  test('a user who has a question claims a second one', async () => {
    await begin();
    const own = (await ask()).room.id;
    const asked = (await ask({ user: guest })).room.id;
    await write.closeQuestion(acting(asked));
    expect((await claim(ann)).room).toMatchObject({ id: asked });
    await now().reload();
    expect(await questionOf(asked)).toMatchObject({ asker: ann, isSecond: true, closedAt: at + 5 });
    expect((await ask()).room.id).toBe(own);
    // The user can still write in it.
    await say(asked, ann, at + 9);
    expect(await questionOf(asked)).toMatchObject({ openedAt: at + 9, waitingAt: at + 9, isSecond: true });
    const other = { id: `g-${'b'.repeat(32)}`, name: 'Guest Bo' };
    await write.arrive({ user: other });
    const third = (await ask({ user: other })).room.id;
    await claim(ann, other);
    await write.erase({ user: ann.id, messages: 'delete' });
    await carryOutErasures(now().history, 'one', at + 10);
    for (const id of [own, asked, third]) {
      const question = await questionOf(id);
      expect(question?.closedAt).toBeDefined();
      expect([question?.asker, question?.isSecond]).toEqual([undefined, undefined]);
    }
    await expect.poll(() => now().holding(ann.name)).toEqual([]);
  });

  test('a login does not end a ban from the own question', async () => {
    await begin();
    const { id } = (await ask()).room;
    const banned = { by: ida.id };
    await write.restrict({ room: id, user: ann.id, kind: 'banned', restriction: banned, at });
    await ask({ user: guest });
    await expectRefusal(claim(ann), 'forbidden');
  });

  test('messages that a user wrote as a guest are not unread after the login', async () => {
    await begin();
    const { id } = (await ask({ user: guest })).room;
    await say(id, ida);
    // As by mail.
    await write.send({
      ...{ room: id, user: guest, text: 'text', clientId: `q${n++}`, sentAt: at, asMember: true },
      waited: { files: [], digest: 'digest' },
    });
    await claim(ann);
    const [member] = await read.membersOf({ room: id, users: [ann.id] });
    expect(member).toMatchObject({ readSeq: 1, ownUnread: [3] });
  });

  test('knows which guests a user was, until one of them is erased', async () => {
    await begin();
    await claim(ann);
    await claim(ann);
    await claim(ben);
    await write.claimQuestion({ guest: `g-${'c'.repeat(32)}`, user: ann, team, at });
    expect(await read.claimedBy({ user: ann.id })).toEqual([guest.id]);
    await write.erase({ user: ben.id, messages: 'anonymise' });
    await carryOutErasures(now().history, 'one', at + 1);
    expect(await read.claimedBy({ user: ben.id })).toEqual([]);
    await write.erase({ user: guest.id, messages: 'anonymise' });
    await carryOutErasures(now().history, 'one', at + 2);
    expect(await read.claimedBy({ user: ann.id })).toEqual([]);
  });

  test('a user who claimed a question can answer and stop the mails that the guest got', async () => {
    await begin();
    const { id } = (await ask({ user: guest })).room;
    await write.addMailReply({ id: 'digest', user: guest.id, roomId: id, seq: 1, at });
    await write.addMailStop({ id: 'digest', user: guest.id, at });
    await write.claimQuestion({ guest: guest.id, user: ann, team, at });
    expect(await read.mailReply({ id: 'digest' })).toMatchObject({ user: ann.id, roomId: id });
    expect(await read.mailStop({ id: 'digest' })).toMatchObject({ user: ann.id });
  });

  test('a guest who was muted stays muted after the login', async () => {
    await begin();
    const { id } = (await ask({ user: guest })).room;
    const muted = { until: at + 60_000, by: ida.id };
    await write.restrict({ room: id, user: guest.id, kind: 'muted', restriction: muted, at });
    await write.claimQuestion({ guest: guest.id, user: ann, team, at });
    await expectRefusal(ask(), 'muted');
    await write.endRestrictions({ before: at + 60_000, most: 9 });
    expect((await ask()).room.id).toBe(id);
  });

  test('resets a question when the author of a note on it is erased', async () => {
    await begin();
    const { id } = (await ask()).room;
    await write.addNote({
      room: id,
      id: 'n',
      user: 'kim',
      name: kim.name,
      clientId: 'n',
      text: 'x',
      at,
      team,
    });
    await write.erase({ user: 'kim', messages: 'anonymise' });
    await carryOutErasures(now().history, 'one', at + 1);
    expect(await read.notes({ room: id })).toEqual([]);
    expect(now().changes.flatMap((change) => (change.type === 'reset' ? change.room.id : []))).toEqual([id]);
  });

  test('erases the asker and the member of the team', async () => {
    await begin();
    const mark = 'Xw7qK';
    const asker = { id: `${mark}1`, name: `Anna ${mark}` };
    const { id } = (await ask({ user: asker, name: mark, text: mark, about: { page: `/${mark}` } })).room;
    await say(id, joe);
    for (const user of [asker.id, 'joe']) {
      await write.erase({ user, messages: 'delete' });
      await carryOutErasures(now().history, 'one', at + 1);
    }
    const room = await stored(id);
    expect(room).toMatchObject({ name: 'Question' });
    expect(room.question).toEqual({
      ...{ team, openedAt: at, answeredAt: at, lastAt: at, closedAt: expect.any(Number) },
    });
    await expect.poll(() => now().holding(mark)).toEqual([]);
    await write.openQuestion(acting(id));
    await expectRefusal(say(id, ida), 'forbidden');
    const note = { id: `n${n++}`, user: 'ida', name: ida.name, clientId: 'n', text: 'note', at };
    await expectRefusal(write.addNote({ ...note, room: id, team }), 'forbidden');
  });

  test('keeps snippets by name', async () => {
    const set = (name: string, text: string) => write.setSnippet({ team, name, text, at });
    for (const name of ['b', 'a', 'c']) await set(name, `text of ${name}`);
    await set('a', 'other');
    await set('c', '');
    await set('d', '');
    expect((await read.snippets({ team })).map(({ name, text }) => [name, text])).toEqual([
      ['a', 'other'],
      ['b', 'text of b'],
    ]);
  });
}
