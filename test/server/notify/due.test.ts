import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Directory } from '../../../server/chat/directory.ts';
import type { History, StoredNotices, Writes } from '../../../server/history/history.ts';
import { Due, type DueOptions, type NoticeOutcome } from '../../../server/notify/due.ts';
import { Notifier } from '../../../server/notify/notifier.ts';
import { hanging } from '../../helpers/hanging.ts';
import { ownHistory, unexpectedFailure } from '../../helpers/own-history.ts';
import { roomsOf } from '../../helpers/rooms-of.ts';

const minute = 60_000;
const hour = 60 * minute;
afterEach(() => void vi.useRealTimers());

const ann = { id: 'ann', name: 'Ann' };
let rooms = 0;

/**
 * A user without quiet hours who wants mails so, and the mailer of a server. The clock stands still.
 * @param events the server sends no mails, and the site gets events
 */
async function scene(mail: string, time: string, set: Partial<StoredNotices> = {}, events = false) {
  const user = 'ben';
  vi.setSystemTime(Date.parse(time));
  const history = await ownHistory();
  for (const id of [user, ann.id]) await history.write.arrive({ user: { id, name: id }, at: Date.now() });
  await history.write.setNotices({ user, set: { mail, quiet: 'off', ...set } });
  const mails: { at: string; unread: number }[] = [];
  const outcomes: string[] = [];
  let answer: NoticeOutcome | Promise<NoticeOutcome> = 'sent';
  let lookedThrough = () => {};
  let meanwhile = async () => {};
  /** The time of the last look at which nobody was left. */
  let done = 0;
  const write = Object.assign(Object.create(history.write) as History['write'], {
    async claimDueUsers(input: Writes['claimDueUsers']['in']) {
      const claimed = await history.write.claimDueUsers(input);
      if (claimed.users.length === 0) done = input.at;
      return claimed;
    },
  });
  const options: Omit<DueOptions, 'firstLook' | 'directory'> = {
    history: { ...history, write },
    defaults: { after: 15 * minute, zone: 'UTC' },
    async mail(_, about) {
      await meanwhile();
      const found = await about();
      if (found === undefined) return undefined;
      mails.push({ at: new Date().toISOString().slice(0, 16), unread: found.unread.total });
      return answer;
    },
    events,
    onPushes: () => lookedThrough(),
    onEvent() {},
    onMail: (outcome) => void outcomes.push(outcome),
    onFailure: unexpectedFailure,
  };
  if (events) delete options.mail;
  const directory = { banOf: () => null, isVisible: () => true } as unknown as Directory;
  let due = new Due({ ...options, directory, firstLook: 0 });
  onTestFinished(() => due.stop());
  /** Looks at everybody whose time has come. */
  const look = async () => {
    done = 0;
    due.wake();
    await expect.poll(() => done, { timeout: hanging }).toBe(Date.now());
  };
  return {
    mails,
    outcomes,
    answerWith(outcome: NoticeOutcome | Promise<NoticeOutcome>) {
      answer = outcome;
    },
    wake: () => due.wake(),
    /** Another server takes over. @returns ends the one before */
    takeOver() {
      const former = due;
      due = new Due({ ...options, directory, firstLook: 0 });
      return () => former.stop();
    },
    /** It is that time by now. */
    async at(time: string) {
      vi.setSystemTime(Date.parse(time));
      await look();
    },
    /** Ann writes in a new room of both, whose id is returned. */
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
    /** Looks through the members of a room, for pushes to them. */
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
     * Ann mentions the user in a public room of which the user is no member.
     * @param isDeleted while the mailer looks for the address
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
    /** The data of the newest event, as it would be sent now. The site takes it, or not. */
    async event(isTaken = false) {
      const at = Date.now();
      const claim = { failed: [], at, until: at, most: 9 };
      const { events } = await history.write.claimEvents({ ...claim, sent: [] });
      const newest = events.toSorted((a, b) => b.at - a.at)[0] ?? expect.unreachable('no event');
      const notifier = new Notifier({ ...options, history });
      notifier.open(directory);
      const says = await notifier.dueOf({ user, at: newest.at });
      await notifier.close();
      if (isTaken) await history.write.claimEvents({ ...claim, sent: [newest.id] });
      return says;
    },
    acts: () => history.write.noteActive({ user, at: Date.now() }),
  };
}

test('mails once a day come at nine, also to somebody who was here and has left something unread', async () => {
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

test('somebody who is here at nine gets the mail of that day when gone', async () => {
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
])('a mail (%s) that cannot be sent is tried again for a day', async (mail, said, due) => {
  const { mails, outcomes, at, message, answerWith } = await scene(mail, said);
  answerWith('failed');
  await message();
  const first = Date.parse(due);
  const tries = [0, 5 * minute, hour, 12 * hour, 23 * hour];
  for (const later of tries) await at(new Date(first + later).toISOString());
  expect(outcomes).toEqual(tries.map(() => 'failed'));
  await at(new Date(first + 25 * hour).toISOString());
  expect(outcomes.at(-1)).toBe('given up');
  answerWith('sent');
  await at(new Date(first + 26 * hour).toISOString());
  expect(mails).toHaveLength(tries.length + 1);
  // A message that comes then has its own day.
  answerWith('failed');
  await message();
  await at(new Date(first + 52 * hour).toISOString());
  expect(outcomes.at(-1)).toBe('failed');
});

test('the next mail comes an hour after the last one, also if the room of that one is deleted', async () => {
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

test('a clock that was set back neither prevents a mail nor mails an online user', async () => {
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

/** A mail that was handed to the mail server at 12:15, and has no answer before `respond`. */
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

test('a mail server that does not answer holds up no pushes', async () => {
  const { outcomes, at, lookThrough, respond } = await mailUnderWay();
  await lookThrough();
  expect(outcomes).toEqual([]);
  respond('sent');
  await at('2030-10-01T12:15Z');
  expect(outcomes).toEqual(['sent']);
});

test('a mail under way when its server ends is lost: the next server does not send it again', async () => {
  const { mails, outcomes, at, respond, takeOver } = await mailUnderWay();
  const end = takeOver();
  await at('2030-10-01T12:18Z');
  expect([mails.length, outcomes]).toEqual([1, ['lost']]);
  respond('sent');
  await end();
});

test('a stored time zone that the server does not know is that of the site', async () => {
  const { mails, at, message } = await scene('15', '2030-09-02T12:00Z', {
    quiet: '10:00-13:00',
    zone: 'PST',
  });
  await message();
  await at('2030-09-02T12:59Z');
  expect(mails).toEqual([]);
  await at('2030-09-02T13:00Z');
  expect(mails).toEqual([{ at: '2030-09-02T13:00', unread: 1 }]);
});

test('a mention that was mailed is not mailed again because a later one is deleted as its mail goes out', async () => {
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
  ['is not in', true, null],
  ['that the site has not taken is in', false, expect.objectContaining({ total: 1 })],
])(
  'a mention in an earlier event %s a further try of an event whose own mention is deleted',
  async (_, isTaken, says) => {
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
  },
);

test('a mention of @all that an edit adds concerns the members of the room', async () => {
  const history = await ownHistory();
  const [room, at] = ['den', Date.now()];
  await history.write.arrive({ user: ann, at });
  const made = { id: room, kind: 'private', name: room, clientId: room, most: 0, at } as const;
  await history.write.createRoom({ ...made, by: ann });
  const said = { room, clientId: 'c', user: ann, text: '@all', sentAt: at, asMember: true };
  const { seq } = (await history.write.send(said)).message;
  const notifier = new Notifier({
    history,
    defaults: { after: 15 * minute, zone: 'UTC' },
    events: true,
    onPushes() {},
    onEvent() {},
    onMail() {},
    onFailure: unexpectedFailure,
  });
  onTestFinished(() => notifier.close());
  const { name, types, take } = notifier.consumer;
  const next = async () => {
    const taken = await history.write.consume({ name, by: 'me', types, lease: hour, most: 9 });
    return 'entries' in taken ? taken.entries : expect.unreachable('another server has the lease');
  };
  // It begins with what is written from then on.
  expect(await next()).toEqual([]);
  const mentions = [{ user: '*', start: 0, length: 4 }];
  await history.write.edit({ room, seq, user: ann.id, text: '@all', mentions, at });
  const rows = await take(await next(), { server: 'me', signal: new AbortController().signal });
  expect(rows).toMatchObject({ concerned: { users: [], rooms: [{ room, everyone: true }] } });
});
