import { Writable } from 'node:stream';
import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { changeIdentity, connectUser, disconnectUser } from '../../../server/chat/connected-users.ts';
import { deleteMessage } from '../../../server/chat/messages/messages.ts';
import type { Room } from '../../../server/chat/model.ts';
import { join } from '../../../server/chat/rooms.ts';
import { methods, type Reads, type Writes } from '../../../server/history/history.ts';
import { QuietLog } from '../../../server/log.ts';
import { asideFailures } from '../../../server/requests/aside-failures.ts';
import { RequestError } from '../../../server/wire/errors.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';

test('logs failures of background tasks with a code, without text, names or IDs', async () => {
  const lines: Record<string, unknown>[] = [];
  const sink = new Writable({
    write(line, _, done) {
      lines.push(JSON.parse(line));
      done();
    },
  });
  const log = pino({ base: null }, sink);
  let failing: {
    write?: keyof Writes;
    after?: keyof Writes;
    read?: keyof Reads;
    current?: true;
    error: Error;
  } = { error: new Error('unset') };
  const { chat, history, close } = await openChatOver(
    (stored) => ({
      write: methods(async (op, input, asker) => {
        if (op === failing.write) throw failing.error;
        const done = await stored.write[op](input, asker);
        if (op === failing.after) failing = { ...failing, current: true };
        return done;
      }),
      read: methods((query, input) =>
        query === failing.read ? Promise.reject(failing.error) : stored.read[query](input),
      ),
      current: () => (failing.current ? Promise.reject(failing.error) : stored.current()),
    }),
    () => ({ onAsideFailure: asideFailures(log, new QuietLog(log)) }),
  );
  onTestFinished(close);
  const at = Date.now();
  const identity = (id: string, over = {}) => ({ id, name: `Name of ${id}`, roles: [], rooms: [], ...over });
  const boss = await connectUser(chat, 'c1', identity('boss-7', { roles: ['admin'] }));
  await history.write.putRoom({ id: 'den', name: 'Den', kind: 'public', at });
  const room = chat.directory.room('den') as Room;
  await history.write.join({ room: 'den', user: { id: 'boss-7', name: 'Name of boss-7' }, at });
  const say = async (clientId: string) => {
    const user = { id: 'ben-7', name: 'Ben' };
    const sent = { room: 'den', clientId, user, text: 'a secret', sentAt: at, asMember: false };
    return (await history.write.send(sent)).message.seq;
  };
  const unavailable = new RequestError('storage_unavailable', 'the disk is slow');
  const fault = new TypeError('x is not a function');
  const asides: Record<string, () => Promise<unknown>> = {
    async session_rooms() {
      // The failed task is retried.
      await expect.poll(() => boss.person.memberships.has('b')).toBe(false);
      const more = await connectUser(chat, 'c2', identity('boss-7', { rooms: [{ id: 'b', name: 'B' }] }));
      failing = { ...failing, write: 'arrive' };
      disconnectUser(chat, more);
    },
    async deletion_reason() {
      const seq = await say(`m${lines.length}`);
      // The deletion itself calls `current` before the write, so fail only after it.
      failing = { ...failing, after: 'delete' };
      await deleteMessage(chat, boss, room, { room: 'den', seq, reason: 'a secret' });
    },
    async report_changed() {
      const seq = await say(`m${lines.length}`);
      failing = { ...failing, read: 'report' };
      await history.write.report({ room: 'den', seq, by: 'eve', reason: 'spam', text: 'a secret', at });
    },
  };
  for (const [aside, begin] of Object.entries(asides)) {
    for (const error of [unavailable, fault]) {
      failing = { error };
      await begin();
      const expected =
        error === unavailable
          ? { level: 40, aside, code: 'storage_unavailable', reason: 'the disk is slow' }
          : { level: 50, aside, code: 'internal', err: { message: 'x is not a function' } };
      await expect.poll(() => lines.at(-1)).toMatchObject(expected);
    }
  }
  expect(lines).toHaveLength(6);
  expect(JSON.stringify(lines)).not.toMatch(/secret|ben-7|boss-7|Name of/);
});

test('stores session changes after the history recovers from a failure', async () => {
  let failures = 0;
  let failing = false;
  let underWay = 0;
  let mostAtOnce = 0;
  const { chat, close } = await openChatOver(
    (stored) => ({
      write: methods(async (op, input, asker) => {
        if (!failing || op !== 'arrive') return stored.write[op](input, asker);
        mostAtOnce = Math.max(mostAtOnce, ++underWay);
        await new Promise(setImmediate);
        underWay--;
        failures++;
        throw new RequestError('storage_unavailable', 'the disk is slow');
      }),
    }),
    () => ({ onAsideFailure: () => {} }),
  );
  onTestFinished(close);
  const identity = (name: string, rooms: string[]) => {
    return { id: 'ann', name, roles: [], rooms: rooms.map((id) => ({ id, name: id })) };
  };
  const stays = await connectUser(chat, 'c1', identity('Ann', ['a']));
  const leaves = await connectUser(chat, 'c2', identity('Ann', ['b']));
  const { person } = stays;
  failing = true;
  const changes = [
    changeIdentity(chat, stays, identity('Annie', ['a'])),
    changeIdentity(chat, stays, identity('Anna', ['c'])),
  ];
  disconnectUser(chat, leaves);
  await expect.poll(() => failures).toBeGreaterThanOrEqual(2);
  failing = false;
  await Promise.all(changes);
  expect(mostAtOnce, 'one attempt settles all changes of a user').toBe(1);
  await expect.poll(() => [...person.memberships.keys()]).toEqual(['c']);
  expect(person.user.name).toBe('Anna');
});

test('announces no thread after the chat is closed', async () => {
  let reads = 0;
  const failures: unknown[] = [];
  const { chat, history, close } = await openChatOver(
    (stored) => ({
      read: methods((query, input) => {
        if (query === 'threads') reads++;
        return stored.read[query](input);
      }),
    }),
    () => ({ onAsideFailure: (_, error) => failures.push(error) }),
  );
  const at = Date.now();
  await history.write.putRoom({ id: 'den', name: 'Den', kind: 'public', at });
  const ann = await connectUser(chat, 'c1', { id: 'ann', name: 'Ann', roles: [], rooms: [] });
  const room = chat.directory.room('den') as Room;
  await join(chat, ann, room, { room: 'den' });
  reads = 0;
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const say = (clientId: string, over = {}) => {
    const user = { id: 'ann', name: 'Ann' };
    return history.write.send({
      ...{ room: 'den', clientId, user, text: 'x', sentAt: at, asMember: true },
      ...over,
    });
  };
  await say('first');
  await say('second', { replyTo: 1 });
  await say('third', { replyTo: 1 });
  expect(reads).toBe(1);
  await close();
  vi.advanceTimersByTime(60_000);
  await new Promise(setImmediate);
  expect(failures).toEqual([]);
  expect(reads).toBe(1);
});
