import { expect, test } from 'vitest';
import type { Writes } from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { ann, at, ben, callsOf, expectRefusal, type Now } from './history-tested.ts';

const hour = 3_600_000;
const due = at + hour;
let n = 0;

/** Tests scheduled messages in every history. `now`: as for `moderationContract`. */
export function laterContract(now: Now) {
  const { write, read } = callsOf(now);
  const room = 'lobby';
  const join = (...users: (typeof ann)[]) => Promise.all(users.map((user) => write.join({ room, user })));
  const input = (over: Partial<Writes['schedule']['in']> = {}): Writes['schedule']['in'] => ({
    room,
    clientId: `l${n++}`,
    user: ben,
    text: 'later',
    sentAt: at,
    due,
    most: 9,
    ...over,
  });
  const schedule = async (over: Partial<Writes['schedule']['in']> = {}) => {
    const done = await write.schedule(input(over));
    if (!('scheduled' in done)) throw new Error('the message is not scheduled');
    return done.scheduled;
  };
  const send = (
    { id, user, rev }: { id: string; user: string; rev: number },
    over: Partial<Writes['sendScheduled']['in']> = {},
  ) =>
    write.sendScheduled({
      ...{ room, id, user, rev, why: null, siteModerator: false, now: false, at: due },
      ...over,
    });
  const say = (user = ann, text = 'hello') =>
    write.send({ room, clientId: `s${n++}`, user, text, sentAt: at, asMember: true });
  const texts = async () =>
    (await read.newest({ room, upTo: 99, limit: 99 })).messages.map(({ text }) => text);
  const kinds = () => now().changes.flatMap((change) => (change.type === 'later' ? change.is : []));
  const memberOf = async (user: string) => (await read.membersOf({ room, users: [user] }))[0];

  test('sends a scheduled message once, when it is due', async () => {
    await join(ann, ben);
    const first = input();
    const scheduled = await schedule(first);
    expect(scheduled).toMatchObject({ user: ben.id, at: due, due, rev: 1, content: { text: 'later' } });
    expect(await write.schedule(first)).toEqual({ scheduled, repeated: true });
    await expectRefusal(write.schedule({ ...first, text: 'other' }), 'conflict');
    expect(await texts()).toEqual([]);
    expect(await read.scheduledBy({ user: ann.id })).toEqual([]);
    expect(await read.scheduledBy({ user: ben.id })).toEqual([scheduled]);
    expect(await read.dueScheduled({ at: due - 1, limit: 9 })).toEqual({ scheduled: [], next: due });
    expect(await send(scheduled, { at: due - 1 })).toEqual({ waits: true });
    await now().reload();
    expect(await read.dueScheduled({ at: due, limit: 9 })).toEqual({ scheduled: [scheduled] });
    const all = await Promise.allSettled([send(scheduled), send(scheduled), send(scheduled)]);
    expect(all.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
    await expectRefusal(send(scheduled), 'unknown_message');
    expect(await texts()).toEqual(['later']);
    expect(await read.scheduledBy({ user: ben.id })).toEqual([]);
    const { message } = (await write.schedule(first)) as { message: { clientId: string; sentAt: number } };
    expect(message).toMatchObject({ clientId: first.clientId, sentAt: due, user: ben });
    expect(kinds()).toEqual(['scheduled', 'sent']);
  });

  test('applies the rules of the time of sending', async () => {
    await join(ann, ben);
    const scheduled = await schedule();
    await write.restrict({ room, user: ben.id, restriction: { by: ann.id } });
    await expectRefusal(send(scheduled), 'muted');
    await write.restrict({ room, user: ben.id, restriction: null });
    await write.updateRoom({ room, write: 'moderators' });
    await expectRefusal(send(scheduled), 'forbidden');
    await write.updateRoom({ room, write: 'all' });
    await write.setBan({ user: ben.id, ban: {} });
    await expectRefusal(send(scheduled), 'forbidden');
    await write.setBan({ user: ben.id, ban: { until: due } });
    await write.removeMembers({ room, users: [ben.id], sources: 7 });
    await expectRefusal(send(scheduled), 'unknown_room');
    await join(ben);
    await write.updateRoom({ room, slow: 60 });
    await write.send({ room, clientId: 'now', user: ben, text: 'now', sentAt: due - 1000, asMember: true });
    await expectRefusal(send(scheduled), 'rate_limited');
    expect(await texts()).toEqual(['now']);
    expect(await send(scheduled, { at: due + 59_000 })).toMatchObject({ message: { text: 'later' } });
  });

  test('stores it as pending approval if it needs approval', async () => {
    await join(ann, ben);
    const scheduled = await schedule();
    expect(await send(scheduled, { why: 'words' })).toMatchObject({
      held: { clientId: scheduled.clientId, content: { text: 'later' } },
    });
    expect(await texts()).toEqual([]);
    expect(await read.scheduledBy({ user: ben.id })).toEqual([]);
  });

  test('leaves messages unread that the author has not read', async () => {
    await join(ann, ben);
    const [first, second] = [await schedule(), await schedule()];
    await send(first);
    expect((await memberOf(ben.id))?.readSeq).toBe(1);
    await say();
    await send(second);
    expect((await memberOf(ben.id))?.readSeq).toBe(1);
  });

  test('counts as read if the messages before it are deleted or expired', async () => {
    await join(ann, ben);
    const [first, second] = [await schedule(), await schedule()];
    const { message } = await say();
    await write.delete({ room, seq: message.seq, user: ann.id });
    await send(first);
    expect((await memberOf(ben.id))?.readSeq).toBe(2);
    await say();
    await write.expire({ room, firstSeq: 4 });
    await send(second);
    expect((await memberOf(ben.id))?.readSeq).toBe(4);
  });

  test('changes a message until it is sent, and sends only the version that was checked', async () => {
    await join(ann, ben);
    const scheduled = await schedule();
    const place = { room, id: scheduled.id, user: ben.id, at };
    await expectRefusal(write.reschedule({ ...place, user: ann.id, text: 'x' }), 'unknown_message');
    await expectRefusal(write.reschedule({ ...place, text: ' ' }), 'bad_request');
    const { scheduled: edited } = await write.reschedule({ ...place, rev: 1, text: 'edited', due: due + 1 });
    expect(edited).toMatchObject({ rev: 2, at: due + 1, due: due + 1, content: { text: 'edited' } });
    await expectRefusal(write.reschedule({ ...place, rev: 1, text: 'x' }), 'conflict');
    expect(await send(scheduled, { at: due + 1 })).toEqual({ waits: true });
    await write.settleScheduled({ room, id: scheduled.id, rev: 1, code: 'too_long', at });
    expect(await read.scheduledMessage({ id: scheduled.id })).toEqual(edited);
    expect(await send(edited, { at: due + 1 })).toMatchObject({ message: { text: 'edited' } });
    await expectRefusal(write.reschedule({ ...place, text: 'x' }), 'unknown_message');
  });

  test('keeps its place in a thread when its text or time changes', async () => {
    await join(ann, ben);
    const { seq } = (await say()).message;
    const { id } = await schedule({ replyTo: seq, threadOnly: true });
    await write.reschedule({ room, id, user: ben.id, text: 'edited', at });
    const { scheduled } = await write.reschedule({ room, id, user: ben.id, due: due + 1, at });
    expect(scheduled.content).toEqual({ text: 'edited', replyTo: seq, threadOnly: true });
    expect(await send(scheduled, { at: due + 1 })).toMatchObject({
      message: { text: 'edited', replyTo: seq, thread: seq, threadOnly: true },
    });
  });

  test('keeps a failed message with the reason until its author deletes it or sets a new time', async () => {
    await join(ann, ben);
    const scheduled = await schedule();
    const { id } = scheduled;
    await write.settleScheduled({ room, id, rev: 1, code: 'muted', at: due });
    const { due: _, ...rest } = scheduled;
    const failed = { ...rest, done: due, closed: { code: 'muted' } };
    expect(await read.scheduledBy({ user: ben.id })).toEqual([failed]);
    expect(await read.dueScheduled({ at: due, limit: 9 })).toEqual({ scheduled: [] });
    expect(await send(scheduled)).toEqual({ waits: true });
    expect(await read.failedScheduled({ before: due, limit: 9 })).toEqual([]);
    expect(await read.failedScheduled({ before: due + 1, limit: 9 })).toEqual([failed]);
    const { scheduled: again } = await write.reschedule({ room, id, user: ben.id, due: due + 1, at });
    expect(again).toEqual({ ...scheduled, rev: 2, at: due + 1, due: due + 1 });
    await write.unschedule({ room, id, user: ann.id, at });
    expect(await read.scheduledMessage({ id })).toEqual(again);
    await write.unschedule({ room, id, user: ben.id, at });
    expect(await read.scheduledMessage({ id })).toBeNull();
    expect(kinds()).toEqual(['scheduled', 'failed', 'edited', 'discarded']);
  });

  test('postpones a message, and orders messages by their times', async () => {
    await join(ann, ben);
    const [late, other, early] = [
      await schedule({ due: due + 1 }),
      await schedule({ due: due + 1, user: ann }),
      await schedule({ text: 'early' }),
    ];
    await write.settleScheduled({ room, id: early.id, rev: 1, due: due + 2, at });
    expect(await read.dueScheduled({ at: due, limit: 9 })).toEqual({ scheduled: [], next: due + 1 });
    // Messages after a postponed message of the same user wait for it.
    const first = await read.dueScheduled({ at: due + 1, limit: 9 });
    expect(first).toEqual({ scheduled: [other], next: due + 2 });
    const { scheduled } = await read.dueScheduled({ at: due + 2, limit: 9 });
    expect(scheduled).toEqual([{ ...early, due: due + 2 }, late, other]);
  });

  test('orphans the files of a scheduled message only when it is deleted', async () => {
    await join(ann, ben);
    const about = { name: 'a.png', type: 'image/png', size: 1 };
    const add = async (id: string) => {
      await write.addFile({ room, user: ben.id, file: { id, ...about } });
      return [{ id }];
    };
    const [sent, deleted, edited] = [
      await schedule({ files: await add('f1') }),
      await schedule({ files: await add('f2') }),
      await schedule({ files: await add('f3') }),
    ];
    await expectRefusal(write.schedule(input({ files: [{ id: 'f1' }] })), 'unknown_file');
    expect((await write.dropFiles({ before: due, most: 9 })).ids).toEqual([]);
    await expectRefusal(send(sent, { at: due - 1, now: true, user: ann.id }), 'unknown_message');
    expect(await send(sent, { at: due - 1, now: true })).toMatchObject({
      message: { files: [{ id: 'f1', ...about }] },
    });
    await write.unschedule({ room, id: deleted.id, user: ben.id, at });
    await write.reschedule({ room, id: edited.id, user: ben.id, files: await add('f4'), at });
    expect((await write.dropFiles({ before: due, most: 9 })).ids.toSorted()).toEqual(['f2', 'f3']);
    expect(await send({ ...edited, rev: 2 })).toMatchObject({ message: { files: [{ id: 'f4' }] } });
  });

  test('deletes scheduled messages with their room and their author', async () => {
    await join(ann, ben);
    const mentions = [{ user: ben.id, start: 0, length: 5 }];
    const own = await schedule({ user: ann, mentions });
    await schedule();
    await write.erase({ user: ben.id, messages: 'delete' });
    await carryOutErasures(now().history);
    expect(await read.scheduledBy({ user: ben.id })).toEqual([]);
    expect((await read.scheduledMessage({ id: own.id }))?.content).toEqual({ text: 'later' });
    await write.deleteRoom({ room });
    expect(await read.scheduledBy({ user: ann.id })).toEqual([]);
    expect(await read.dueScheduled({ at: due, limit: 9 })).toEqual({ scheduled: [] });
  });

  test('recognises a repeated request after the message was edited and sent', async () => {
    await join(ann, ben);
    const first = input();
    const { id } = await schedule(first);
    const { scheduled } = await write.reschedule({ room, id, user: ben.id, text: 'edited', at });
    expect(await write.schedule(first)).toEqual({ scheduled, repeated: true });
    await send(scheduled);
    expect(await write.schedule(first)).toMatchObject({ message: { text: 'edited' }, repeated: true });
    await expectRefusal(write.schedule({ ...first, text: 'edited' }), 'conflict');
  });

  test('ends a reminder once, unless it was moved since', async () => {
    await join(ann, ben);
    await say();
    await say();
    const remind = async (user: string, seq: number, time = due) =>
      (await write.remind({ room, user, seq, due: time, most: 2 })).reminder;
    const reminder = await remind(ben.id, 1);
    expect(await remind(ben.id, 1)).toEqual(reminder);
    await remind(ben.id, 2, due + hour);
    await expectRefusal(remind(ben.id, 3), 'limit_reached');
    // A postponed message does not delay reminders, and reminders do not delay messages.
    const waiting = await schedule({ due: due - 1 });
    await write.settleScheduled({ room, id: waiting.id, rev: waiting.rev, at, due: due + 2 * hour });
    expect(await read.dueScheduled({ at: due, limit: 9 })).toEqual({
      scheduled: [reminder],
      next: due + hour,
    });
    expect(await read.dueReminders({ user: ben.id })).toEqual([]);
    const end = (rev: number, isVisible: boolean, time = due) =>
      write.endReminder({ room, id: reminder.id, rev, isVisible, at: time });
    await end(reminder.rev, true, due - 1);
    const moved = await remind(ben.id, 1, due - 5);
    await end(reminder.rev, true);
    expect(kinds().filter((is) => is === 'due')).toEqual([]);
    await Promise.all([end(moved.rev, true), end(moved.rev, true), end(moved.rev, true)]);
    expect(kinds().filter((is) => is === 'due')).toEqual(['due']);
    await now().reload();
    expect(await read.dueReminders({ user: ben.id })).toMatchObject([{ id: reminder.id, seq: 1, done: due }]);
    expect(await read.dueReminders({ user: ann.id })).toEqual([]);
    await write.noteActive({ user: ben.id, at: due + 1 });
    expect(await read.dueReminders({ user: ben.id })).toEqual([]);
    expect(await read.failedScheduled({ before: due + 1, limit: 9 })).toMatchObject([{ id: reminder.id }]);
    const again = await remind(ben.id, 1);
    await end(again.rev, false);
    expect((await read.scheduledBy({ user: ben.id })).map(({ seq }) => seq)).toEqual([undefined, 2]);
    await write.erase({ user: ben.id, messages: 'anonymise' });
    await carryOutErasures(now().history);
    expect(await read.scheduledBy({ user: ben.id })).toEqual([]);
  });

  test('limits the scheduled messages of a user in a room', async () => {
    await join(ann, ben);
    await schedule({ most: 1 });
    await expectRefusal(write.schedule(input({ most: 1 })), 'limit_reached');
    await schedule({ user: ann, most: 1 });
  });
}
