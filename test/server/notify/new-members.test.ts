import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Directory } from '../../../server/chat/directory.ts';
import { Due } from '../../../server/notify/due.ts';
import { watchDueUsers } from '../../helpers/due-users.ts';
import { ownHistory, unexpectedFailure } from '../../helpers/own-history.ts';
import { nameOf, roomsOf } from '../../helpers/rooms-of.ts';

const hour = 60 * 60_000;
afterEach(() => void vi.useRealTimers());

/** A server that mails, and the member `new` who never connected. The clock is stopped at noon. */
async function scene(newMembers = true) {
  const start = Date.parse('2030-05-06T12:00Z');
  vi.setSystemTime(start);
  const history = await ownHistory();
  for (const id of ['ann', 'ben']) await history.write.arrive({ user: nameOf(id), at: start });
  const mails: { rooms: string[]; isNew: boolean }[] = [];
  const watched = watchDueUsers(history);
  const due = new Due({
    history: watched.history,
    directory: { banOf: () => null, isVisible: () => true } as unknown as Directory,
    defaults: { after: 0, zone: 'UTC', newMembers },
    firstLook: 0,
    mail: {
      pausedUntil: 0,
      async send(_, about) {
        const found = await about();
        if (found === undefined) return undefined;
        const { rooms, isNew } = found.unread;
        mails.push({ rooms: rooms.map(({ room }) => room).sort(), isNew: isNew === true });
        return 'sent';
      },
    },
    events: false,
    onPushes() {},
    onEvent() {},
    onMail() {},
    onQuiet() {},
    onFailure: unexpectedFailure,
  });
  onTestFinished(() => due.stop());
  let texts = 0;
  return {
    mails,
    history,
    /** Sets the clock, and processes the due users. */
    async after(hours: number) {
      vi.setSystemTime(start + hours * hour);
      await watched.processDue(() => due.wake());
    },
    /** A direct message to the new member. */
    async write(by: string) {
      const at = Date.now();
      const id = `direct ${by}`;
      await history.write.openDirect({ id, by: nameOf(by), other: 'new', otherName: 'New', at });
      const { say } = roomsOf(history, at);
      await say(id, by, `text ${texts++}`);
      await history.write.noteDue({ room: id, users: ['new'], due: at, pushes: [], pushDue: at });
    },
    /** Creates a private room of Ann with the new member. */
    den: () => roomsOf(history, Date.now()).den('den', ['ann', 'new']),
    /** A message in the private room. */
    async say(by: string, mention?: string) {
      const at = Date.now();
      const mentions = mention === undefined ? [] : [{ user: mention, start: 0, length: 1 }];
      await roomsOf(history, at).say('den', by, `text ${texts++}`, { mentions });
      await history.write.noteDue({ room: 'den', users: ['new'], due: at, pushes: [], pushDue: at });
    },
  };
}

test('mails a member who never connected once a day about the direct messages of one sender', async () => {
  const { mails, write, after } = await scene();
  await write('ann');
  await after(0);
  expect(mails).toEqual([{ rooms: ['direct ann'], isNew: true }]);
  vi.setSystemTime(Date.now() + 2 * hour);
  await write('ann');
  await after(3);
  expect(mails).toHaveLength(1);
  await write('ben');
  await after(4);
  expect(mails.slice(1)).toEqual([{ rooms: ['direct ben'], isNew: true }]);
  await after(24.1);
  expect(mails.slice(2)).toEqual([{ rooms: ['direct ann'], isNew: true }]);
  // Nothing new was written since.
  await after(60);
  expect(mails).toHaveLength(3);
});

test('mails a member who never connected about mentions by name, but neither of @all nor of other messages', async () => {
  const { mails, den, say, after } = await scene();
  await den();
  await say('ann');
  await say('ann', '*');
  await after(1);
  expect(mails).toEqual([]);
  await say('ann', 'new');
  await after(2);
  expect(mails).toEqual([{ rooms: ['den'], isNew: true }]);
});

test('counts a mention and a direct message of one sender together', async () => {
  const { mails, den, say, write, after } = await scene();
  await den();
  await say('ann', 'new');
  await after(0);
  await write('ann');
  await after(5);
  expect(mails).toEqual([{ rooms: ['den'], isNew: true }]);
  await after(24.1);
  expect(mails.slice(1)).toEqual([{ rooms: ['direct ann'], isNew: true }]);
});

test.each(['message', 'room'])(
  'mails a member once a day about a sender who deletes the %s',
  async (what) => {
    const { mails, den, say, write, after, history } = await scene();
    await den();
    await say('ann', 'new');
    await after(0);
    expect(mails).toEqual([{ rooms: ['den'], isNew: true }]);
    const at = Date.now();
    if (what === 'room') await history.write.deleteRoom({ room: 'den' });
    else await history.write.delete({ room: 'den', seq: 1, user: 'ann', moderator: false, at });
    vi.setSystemTime(at + 2 * hour);
    await write('ann');
    await after(5);
    expect(mails).toHaveLength(1);
    await after(24.1);
    expect(mails.slice(1)).toEqual([{ rooms: ['direct ann'], isNew: true }]);
  },
);

test('does not mail members who never connected with CHAT_MAIL_NEW_MEMBERS=off, or who used the stop link', async () => {
  const off = await scene(false);
  await off.write('ann');
  await off.after(1);
  expect(off.mails).toEqual([]);
  const stopped = await scene();
  await stopped.write('ann');
  await stopped.history.write.setNotices({ user: 'new', set: { mail: 'off' } });
  await stopped.after(1);
  expect(stopped.mails).toEqual([]);
});
