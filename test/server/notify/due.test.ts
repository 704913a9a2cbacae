import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Directory } from '../../../server/chat/directory.ts';
import type { StoredNotices, Writes } from '../../../server/history/history.ts';
import { Due, type DueOptions, type NoticeOutcome } from '../../../server/notify/due.ts';
import { Notifier } from '../../../server/notify/notifier.ts';
import { watchDueUsers } from '../../helpers/due-users.ts';
import { hanging } from '../../helpers/hanging.ts';
import { ownHistory, unexpectedFailure } from '../../helpers/own-history.ts';
import { roomsOf } from '../../helpers/rooms-of.ts';

const minute = 60_000;
const hour = 60 * minute;
afterEach(() => void vi.useRealTimers());

const ann = { id: 'ann', name: 'Ann' };
let rooms = 0;

/**
 * Creates a user without quiet hours who has this mail setting, and the `Due` of a server. The clock is stopped.
 * @param events sends events to the site instead of mails
 */
async function scene(mail: string, time: string, set: Partial<StoredNotices> = {}, events = false) {
  const user = 'ben';
  vi.setSystemTime(Date.parse(time));
  const history = await ownHistory();
  for (const id of [user, ann.id]) await history.write.arrive({ user: { id, name: id }, at: Date.now() });
  await history.write.setNotices({ user, set: { mail, quiet: 'off', ...set } });
  const mails: { at: string; unread: number }[] = [];
  const outcomes: string[] = [];
  const quiet: string[] = [];
  let answer: NoticeOutcome | Promise<NoticeOutcome> = 'sent';
  let lookedThrough = () => {};
  let meanwhile = async () => {};
  const watched = watchDueUsers(history);
  /** The number of members that each write of a scan queued. */
  const queued: number[] = [];
  const write = Object.assign(Object.create(watched.history.write) as typeof history.write, {
    noteDue(input: Writes['noteDue']['in']) {
      queued.push(input.users.length);
      return history.write.noteDue(input);
    },
  });
  const options: Omit<DueOptions, 'firstLook' | 'directory'> = {
    history: { ...watched.history, write },
    defaults: { after: 15 * minute, zone: 'UTC', newMembers: true },
    mail: {
      pausedUntil: 0,
      async send(_, about) {
        await meanwhile();
        const found = await about();
        if (found === undefined) return undefined;
        mails.push({ at: new Date().toISOString().slice(0, 16), unread: found.unread.total });
        return answer;
      },
    },
    events,
    onPushes: () => lookedThrough(),
    onEvent() {},
    onMail: (outcome) => void outcomes.push(outcome),
    onQuiet: (until) => void quiet.push(new Date(until).toISOString().slice(0, 16)),
    onFailure: unexpectedFailure,
  };
  if (events) delete options.mail;
  const directory = { banOf: () => null, isVisible: () => true } as unknown as Directory;
  let due = new Due({ ...options, directory, firstLook: 0 });
  onTestFinished(() => due.stop());
  /** Processes all users who are due. */
  const look = () => watched.processDue(() => due.wake());
  return {
    history,
    mails,
    outcomes,
    quiet,
    queued,
    answerWith(outcome: NoticeOutcome | Promise<NoticeOutcome>) {
      answer = outcome;
    },
    wake: () => due.wake(),
    /** Starts another server that takes over. @returns a function that stops the former server */
    takeOver() {
      const former = due;
      due = new Due({ ...options, directory, firstLook: 0 });
      return () => former.stop();
    },
    /** Sets the clock and processes the due users. */
    async at(time: string) {
      vi.setSystemTime(Date.parse(time));
      await look();
    },
    /** Ann writes in a new room of both. @returns the ID of the room */
    async message() {
      const [room, at] = [`den${rooms++}`, Date.now()];
      const { den, say } = roomsOf(history, at);
      await den(room, ['ann', user]);
      await say(room, 'ann');
      await history.write.noteDue({ room, users: [user], due: at, pushes: [], pushDue: at });
      await look();
      return room;
    },
    deleteRoom: (room: string) => history.write.deleteRoom({ room }),
    /** Scans the members of a room for pushes to them. */
    async lookThrough() {
      const consumer = { name: 'notify', by: 'me', types: ['message'], lease: hour, most: 9 } as const;
      const taken = await history.write.consume(consumer);
      const at = Date.now();
      const rooms = [{ room: 'den', everyone: false }];
      const concerned = { users: [], due: at, rooms, roomsDue: at, pushes: [], pushDue: at };
      await history.write.consume({
        ...consumer,
        done: 'upTo' in taken ? taken.upTo : 0,
        rows: { concerned },
      });
      const done = new Promise<void>((resolve) => {
        lookedThrough = resolve;
      });
      due.wake();
      await done;
    },
    /**
     * Ann mentions the user in a public room that the user has not joined.
     * @param isDeleted Ann deletes the message while the mailer looks up the address
     */
    async mention(isDeleted = false) {
      const [room, at] = ['hall', Date.now()];
      const made = { id: room, kind: 'public', name: room, clientId: room, most: 0, at } as const;
      await history.write.createRoom({ ...made, by: ann });
      const mentions = [{ user, start: 0, length: 1 }];
      const said = { room, clientId: `c${at}`, user: ann, text: 'x', mentions, sentAt: at, asMember: true };
      const { seq } = (await history.write.send(said)).message;
      meanwhile = async () => {
        const place = { room, seq, user: ann.id };
        if (isDeleted) await history.write.delete({ ...place, moderator: false, at: Date.now() });
      };
      await history.write.noteDue({ room, users: [user], due: at, pushes: [], pushDue: at });
      await look();
      return { room, seq };
    },
    delete: ({ room, seq }: { room: string; seq: number }) =>
      history.write.delete({ room, seq, user: ann.id, moderator: false, at: Date.now() }),
    /**
     * Returns the data of the newest event as it would be sent now. `isTaken`: the site accepts the event afterwards.
     */
    async event(isTaken = false) {
      const at = Date.now();
      const claim = { failed: [], at, until: at, most: 9, mostRetries: 9 };
      const { events } = await history.write.claimEvents({ ...claim, sent: [] });
      const newest = events.toSorted((a, b) => b.at - a.at)[0] ?? expect.unreachable('no event');
      const notifier = new Notifier({ ...options, history, reachesNewMembers: true });
      notifier.open(directory);
      const says = await notifier.dueOf({ user, at: newest.at });
      await notifier.close();
      if (isTaken) await history.write.claimEvents({ ...claim, sent: [newest.id] });
      return says;
    },
    acts: () => history.write.noteActive({ user, at: Date.now() }),
  };
}

test('sends daily mails at nine, also to a user who was online and left messages unread', async () => {
  const { mails, at, message, acts } = await scene('daily', '2030-05-06T12:00Z');
  await message();
  await at('2030-05-07T08:59Z');
  expect(mails).toEqual([]);
  await at('2030-05-07T09:00Z');
  expect(mails).toEqual([{ at: '2030-05-07T09:00', unread: 1 }]);
  vi.setSystemTime(Date.parse('2030-05-07T09:30Z'));
  await acts();
  vi.setSystemTime(Date.parse('2030-05-07T15:00Z'));
  await message();
  await at('2030-05-08T08:59Z');
  expect(mails).toHaveLength(1);
  await at('2030-05-08T09:00Z');
  expect(mails.slice(1)).toEqual([{ at: '2030-05-08T09:00', unread: 2 }]);
});

test('sends the daily mail later if the user is online at nine', async () => {
  const { mails, at, message, acts } = await scene('daily', '2030-06-03T12:00Z');
  await message();
  vi.setSystemTime(Date.parse('2030-06-04T08:59:50Z'));
  await acts();
  await at('2030-06-04T09:00Z');
  expect(mails).toEqual([]);
  await at('2030-06-04T09:05Z');
  expect(mails).toEqual([{ at: '2030-06-04T09:05', unread: 1 }]);
});

test.each([
  ['daily', '2030-07-01T09:01Z', '2030-07-02T09:00Z'],
  ['15', '2030-08-01T09:00Z', '2030-08-01T09:15Z'],
])('retries a failed mail (%s) for a day', async (mail, said, due) => {
  const { mails, outcomes, at, message, answerWith } = await scene(mail, said);
  answerWith('failed');
  await message();
  const first = Date.parse(due);
  const tries = [0, 10 * minute, hour, 12 * hour, 23 * hour];
  for (const later of tries) await at(new Date(first + later).toISOString());
  expect(outcomes).toEqual(tries.map(() => 'failed'));
  await at(new Date(first + 25 * hour).toISOString());
  expect(outcomes.at(-1)).toBe('given up');
  answerWith('sent');
  await at(new Date(first + 26 * hour).toISOString());
  expect(mails).toHaveLength(tries.length + 1);
  // A later message is retried for a whole day again.
  answerWith('failed');
  await message();
  await at(new Date(first + 52 * hour).toISOString());
  expect(outcomes.at(-1)).toBe('failed');
});

test('waits an hour after the last mail, even if its room was deleted', async () => {
  const { mails, at, message, deleteRoom } = await scene('15', '2030-09-02T12:00Z');
  const room = await message();
  await at('2030-09-02T12:15Z');
  expect(mails).toHaveLength(1);
  await deleteRoom(room);
  await message();
  await at('2030-09-02T13:14Z');
  expect(mails).toHaveLength(1);
  await at('2030-09-02T13:15Z');
  expect(mails.slice(1)).toEqual([{ at: '2030-09-02T13:15', unread: 1 }]);
});

test('mails a guest the next answer without that hour, if the guest has written since', async () => {
  const guest = { id: `g-${'0'.repeat(32)}`, name: 'Guest Eve' };
  const { history, mails, at, wake } = await scene('15', '2030-09-02T12:00Z');
  await history.write.arrive({ user: guest, at: Date.now() });
  await history.write.setNotices({ user: guest.id, set: { mail: '15', quiet: 'off' } });
  await history.write.joinTeam({ user: ann.id, team: 'team', at: Date.now() });
  const question = { id: 'u-question-1', team: 'team', name: 'Tulips?', text: 'Tulips?' };
  const { room } = await history.write.askTeam({ ...question, user: guest, clientId: 'q', at: Date.now() });
  const say = (user: typeof ann) => {
    const sentAt = Date.now();
    const message = { room: room.id, clientId: `c${sentAt}`, user, text: 'x', asMember: true };
    return history.write.send({ ...message, sentAt });
  };
  const answer = async () => {
    await say(ann);
    const now = Date.now();
    await history.write.noteDue({ room: room.id, users: [guest.id], due: now, pushes: [], pushDue: now });
    wake();
  };
  await answer();
  await at('2030-09-02T12:15Z');
  expect(mails).toHaveLength(1);
  await at('2030-09-02T12:40Z');
  await say(guest);
  await history.write.noteActive({ user: guest.id, at: Date.now() });
  await at('2030-09-02T12:41Z');
  await answer();
  await at('2030-09-02T12:56Z');
  expect(mails.slice(1)).toEqual([{ at: '2030-09-02T12:56', unread: 1 }]);
  await at('2030-09-02T13:00Z');
  await answer();
  await at('2030-09-02T13:55Z');
  expect(mails).toHaveLength(2);
  await at('2030-09-02T13:56Z');
  expect(mails.slice(2)).toEqual([{ at: '2030-09-02T13:56', unread: 2 }]);
});

test('neither skips a mail nor mails an online user after the clock was set back', async () => {
  const { mails, at, message, acts } = await scene('15', '2030-09-02T13:00Z');
  await acts();
  vi.setSystemTime(Date.parse('2030-09-02T12:00Z'));
  await message();
  vi.setSystemTime(Date.parse('2030-09-02T12:15Z'));
  await acts();
  await at('2030-09-02T12:15Z');
  expect(mails).toEqual([]);
  await at('2030-09-02T12:20Z');
  expect(mails).toEqual([{ at: '2030-09-02T12:20', unread: 1 }]);
});

/** Hands a mail to the mail server at 12:15, which responds only when `respond` is called. */
async function mailUnderWay() {
  const started = await scene('15', '2030-10-01T12:00Z');
  const answer = Promise.withResolvers<NoticeOutcome>();
  started.answerWith(answer.promise);
  await started.message();
  vi.setSystemTime(Date.parse('2030-10-01T12:15Z'));
  started.wake();
  await vi.waitFor(() => expect(started.mails).toHaveLength(1), hanging);
  return { ...started, respond: answer.resolve };
}

test('sends pushes while the mail server does not respond', async () => {
  const { outcomes, at, lookThrough, respond } = await mailUnderWay();
  await lookThrough();
  expect(outcomes).toEqual([]);
  respond('sent');
  await at('2030-10-01T12:15Z');
  expect(outcomes).toEqual(['sent']);
});

test('writes nothing for members who wait for their daily mail when the room has new messages', async () => {
  const { history, queued, at, lookThrough } = await scene('daily', '2030-10-01T12:00Z');
  const { den, say } = roomsOf(history);
  const members = Array.from({ length: 501 }, (_, n) => `member${n}`);
  await den('den', [ann.id, ...members]);
  const set = { mail: 'daily', quiet: 'off' };
  await Promise.all(
    members.flatMap((user) => [
      history.write.arrive({ user: { id: user, name: user }, at: Date.now() }),
      history.write.setNotices({ user, set }),
    ]),
  );
  const scan = async (time: string) => {
    vi.setSystemTime(Date.parse(time));
    await say('den', ann.id);
    await lookThrough();
    await at(time);
    return queued.splice(0);
  };
  // Ann is in the first page.
  expect(await scan('2030-10-01T12:01Z')).toEqual([499, 2]);
  // Only the end of the claim.
  expect(await scan('2030-10-01T12:03Z')).toEqual([0]);
  expect(await scan('2030-10-01T12:05Z')).toEqual([0]);
});

test('does not resend a mail that was in flight when its server ended', async () => {
  const { mails, outcomes, at, respond, takeOver } = await mailUnderWay();
  const end = takeOver();
  await at('2030-10-01T12:18Z');
  expect([mails.length, outcomes]).toEqual([1, ['lost']]);
  respond('sent');
  await end();
});

test('uses the site’s time zone if the stored one is unknown', async () => {
  const { mails, quiet, at, message } = await scene('15', '2030-09-02T12:00Z', {
    quiet: '10:00-13:00',
    zone: 'PST',
  });
  await message();
  expect(quiet).toEqual(['2030-09-02T13:00']);
  await at('2030-09-02T12:59Z');
  expect(mails).toEqual([]);
  await at('2030-09-02T13:00Z');
  expect(mails).toEqual([{ at: '2030-09-02T13:00', unread: 1 }]);
});

test('does not mail a mention again if a later mention is deleted during delivery', async () => {
  const { mails, at, message, mention, acts } = await scene('15', '2030-10-01T12:00Z');
  await mention();
  await at('2030-10-01T12:15Z');
  expect(mails).toEqual([{ at: '2030-10-01T12:15', unread: 1 }]);
  vi.setSystemTime(Date.parse('2030-10-01T13:00Z'));
  await acts();
  vi.setSystemTime(Date.parse('2030-10-01T14:00Z'));
  await mention(true);
  await at('2030-10-01T14:15Z');
  expect(mails).toHaveLength(1);
  vi.setSystemTime(Date.parse('2030-10-01T16:00Z'));
  await message();
  await at('2030-10-01T16:15Z');
  expect(mails.slice(1)).toEqual([{ at: '2030-10-01T16:15', unread: 1 }]);
});

test.each([
  ['omits a mention that the site has accepted', true, null],
  ['includes a mention that the site has not accepted', false, expect.objectContaining({ total: 1 })],
])('%s when it retries an event whose own mention was deleted', async (_, isTaken, says) => {
  const { at, mention, acts, event, delete: remove } = await scene('15', '2030-10-01T12:00Z', {}, true);
  await mention();
  await at('2030-10-01T12:15Z');
  expect(await event(isTaken)).toMatchObject({ total: 1 });
  vi.setSystemTime(Date.parse('2030-10-01T13:00Z'));
  await acts();
  vi.setSystemTime(Date.parse('2030-10-01T14:00Z'));
  const later = await mention();
  await at('2030-10-01T14:15Z');
  expect(await event()).toMatchObject({ total: 2 });
  await remove(later);
  expect(await event()).toEqual(says);
});

test('notifies the members of the room if an edit adds @all, and no follower of a deleted reply', async () => {
  const history = await ownHistory();
  const [room, at] = ['den', Date.now()];
  await history.write.arrive({ user: ann, at });
  const made = { id: room, kind: 'private', name: room, clientId: room, most: 0, at } as const;
  await history.write.createRoom({ ...made, by: ann });
  const said = { room, clientId: 'c', user: ann, text: '@all', sentAt: at, asMember: true };
  const { seq } = (await history.write.send(said)).message;
  const notifier = new Notifier({
    history,
    defaults: { after: 15 * minute, zone: 'UTC', newMembers: true },
    events: true,
    reachesNewMembers: true,
    onPushes() {},
    onEvent() {},
    onMail() {},
    onQuiet() {},
    onFailure: unexpectedFailure,
  });
  onTestFinished(() => notifier.close());
  const { name, types, take } = notifier.consumer;
  const next = async () => {
    const taken = await history.write.consume({ name, by: 'me', types, lease: hour, most: 9 });
    return 'entries' in taken ? taken.entries : expect.unreachable('another server has the lease');
  };
  // The consumer starts with changes that are written after this call.
  expect(await next()).toEqual([]);
  const mentions = [{ user: '*', start: 0, length: 4 }];
  await history.write.edit({ room, seq, user: ann.id, text: '@all', mentions, at });
  const rows = await take(await next(), { server: 'me', signal: new AbortController().signal });
  expect(rows).toMatchObject({ concerned: { users: [], rooms: [{ room, everyone: true }] } });
  await history.write.arrive({ user: { id: 'ben', name: 'Ben' }, at });
  await history.write.addMembers({ room, users: [{ id: 'ben' }], source: 'people', mayReturn: false, at });
  await history.write.follow({ room, thread: seq, user: 'ben', following: true });
  const reply = { ...said, clientId: 'reply', text: 'x', replyTo: seq, threadOnly: true as const };
  const { message } = await history.write.send(reply);
  const concernedBy = async () => {
    const newest = (await next()).slice(-1);
    const { concerned } = await take(newest, { server: 'me', signal: new AbortController().signal });
    return concerned?.users;
  };
  expect(await concernedBy()).toEqual(['ben']);
  await history.write.delete({ room, seq: message.seq, user: ann.id, moderator: false, at });
  expect(await concernedBy()).toEqual([]);
});

test('reports how many users wait for a mail, until when, and that mails are paused', async () => {
  const { history, message } = await scene('15', '2030-10-01T12:00Z');
  await message();
  const next = Date.parse('2030-10-01T12:15Z');
  const pausedUntil = Date.now() + minute;
  const notifier = new Notifier({
    history,
    defaults: { after: 15 * minute, zone: 'UTC', newMembers: true },
    mail: { pausedUntil, send: async () => ({ pausedUntil }) },
    events: false,
    reachesNewMembers: true,
    onPushes() {},
    onEvent() {},
    onMail() {},
    onQuiet() {},
    onFailure: unexpectedFailure,
  });
  onTestFinished(() => notifier.close());
  expect(await notifier.waiting()).toEqual({ users: 1, next, pausedUntil });
  vi.setSystemTime(pausedUntil);
  expect(await notifier.waiting()).toEqual({ users: 1, next });
});
