import { describe, expect, test } from 'vitest';
import { newClientId } from '../../helpers/chat-client.ts';
import {
  closedAfterEach,
  codeOf,
  eventsOf,
  exportOf,
  nextOf,
  type Person,
  say,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';
import { stopClock } from '../../helpers/stop-clock.ts';

const site = sharedSite(() => startPeopleSite({ CHAT_LIMIT_LATER: '3' }));

const inTest = closedAfterEach();
const again = async (client: Person): Promise<Person> => inTest(await site.again(client));
const hour = 3_600_000;
const ahead = () => Date.now() + hour;

/** Ann and Ben are in a private room with a message of Ann, which Ben has read. */
async function den() {
  const [ann, ben] = await site.people(2, inTest);
  const { id: room } = await site.den(ann, [ben]);
  for (const client of [ann, ben]) await client.request('room:join', { room });
  const { seq } = await say(ann, room, 'water the beans');
  await ben.request('read:mark', { room, seq });
  return { ann, ben, room, seq };
}
const listOf = async (client: Person) => (await client.request('reminder:list', {})).reminders;
const isDue = (client: Person) =>
  expect.poll(() => eventsOf(client, 'reminder:changed').filter(({ is }) => is === 'due').length).toBe(1);

describe('a reminder', () => {
  test('is visible only to its user, on all devices', async () => {
    const { ann, ben, room, seq } = await den();
    const phone = await again(ben);
    const changed = nextOf(phone, 'reminder:changed');
    const at = ahead();
    const { reminder } = await ben.request('reminder:set', { room, seq, at });
    expect(reminder).toMatchObject({ room, seq, at, message: { text: 'water the beans' } });
    expect(reminder).not.toHaveProperty('due');
    expect(await changed).toEqual({ id: reminder.id, room, seq, is: 'set' });
    expect(await listOf(phone)).toEqual([reminder]);
    expect(await listOf(ann)).toEqual([]);
    await ann.request('reminder:delete', { id: reminder.id });
    expect(await listOf(ben)).toEqual([reminder]);
    expect(eventsOf(ann, 'reminder:changed')).toEqual([]);
    expect((await ben.request('scheduled:list', {})).scheduled).toEqual([]);
    expect(await codeOf(ben, 'scheduled:send', { id: reminder.id })).toBe('unknown_message');
    await phone.request('reminder:delete', { id: reminder.id });
    expect(await listOf(ben)).toEqual([]);
  });

  test('is moved by another time, and not set twice', async () => {
    const { ben, room, seq } = await den();
    const at = ahead();
    const first = await ben.request('reminder:set', { room, seq, at });
    expect(await ben.request('reminder:set', { room, seq, at })).toEqual(first);
    const { reminder } = await ben.request('reminder:set', { room, seq, at: at + hour });
    expect(reminder).toEqual({ ...first.reminder, at: at + hour });
    expect(await listOf(ben)).toEqual([reminder]);
    expect(eventsOf(ben, 'reminder:changed').map(({ is }) => is)).toEqual(['set', 'set']);
  });

  test('is due once, on all devices, and stays listed until the user deletes it', async () => {
    const { ann, ben, room, seq } = await den();
    const phone = await again(ben);
    const { id } = (await ben.request('reminder:set', { room, seq, at: Date.now() + 200 })).reminder;
    for (const client of [ben, phone]) await isDue(client);
    expect(await listOf(await again(ben))).toMatchObject([{ id, due: true, message: { seq } }]);
    expect(eventsOf(ann, 'reminder:changed')).toEqual([]);
    // A due reminder can be moved.
    const { reminder } = await phone.request('reminder:set', { room, seq, at: ahead() });
    expect(reminder.id).toBe(id);
    expect(reminder).not.toHaveProperty('due');
  });

  test('shows nothing of a message that the user can no longer see, and ends without a notice', async () => {
    const lose: Record<string, (place: Awaited<ReturnType<typeof den>>) => Promise<unknown>> = {
      deleted: ({ ann, room, seq }) => ann.request('message:delete', { room, seq }),
      removed: ({ ann, ben, room }) => ann.request('room:remove', { room, user: ben.id }),
      banned: ({ ann, ben, room }) => ann.request('room:ban', { room, user: ben.id }),
    };
    const pass = stopClock();
    for (const [how, act] of Object.entries(lose)) {
      const place = await den();
      const { ben, room, seq } = place;
      const at = Date.now() + 300;
      const { id } = (await ben.request('reminder:set', { room, seq, at })).reminder;
      await act(place);
      expect(await listOf(ben), how).toEqual([{ id, room, seq, at }]);
      pass(300);
      await expect.poll(() => listOf(ben), { message: how }).toEqual([]);
      expect(
        eventsOf(ben, 'reminder:changed').map(({ is }) => is),
        how,
      ).toEqual(['set', 'deleted']);
    }
  });

  test('counts against the limit of scheduled messages, also in concurrent requests', async () => {
    const { ann, ben, room } = await den();
    for (let n = 0; n < 5; n++) await say(ann, room);
    const codes = await Promise.all([
      ...[1, 2, 3, 4].map((seq) => codeOf(ben, 'reminder:set', { room, seq, at: ahead() })),
      codeOf(ben, 'scheduled:add', { room, text: 'x', clientId: newClientId(), at: ahead() }),
    ]);
    expect(codes.filter((code) => code === 'limit_reached')).toHaveLength(2);
    const [set] = await listOf(ben);
    // A reminder that exists can be moved.
    const { reminder } = await ben.request('reminder:set', {
      room,
      seq: set?.seq as number,
      at: ahead() + 1,
    });
    expect(reminder.id).toBe(set?.id);
    expect(await ben.raw('reminder:set', { room, seq: 6, at: ahead() })).toMatchObject({
      error: { message: expect.stringContaining('CHAT_LIMIT_LATER') },
    });
  });

  test('is in the export of its user', async () => {
    const { ben, room, seq } = await den();
    await ben.request('reminder:set', { room, seq, at: ahead() });
    const { 'scheduled.jsonl': scheduled = '' } = await exportOf(site, ben.id);
    expect(JSON.parse(scheduled)).toMatchObject({ room, seq });
  });
});
