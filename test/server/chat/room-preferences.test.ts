import { describe, expect, test } from 'vitest';
import {
  closedAfterEach,
  exportOf,
  nextOf,
  type Person,
  say,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';

const site = sharedSite(() => startPeopleSite());

const inTest = closedAfterEach();
const again = async (client: Person): Promise<Person> => inTest(await site.again(client));
const hour = 3_600_000;

/** Ann and Ben are in a private room, which Ann has joined. */
async function den() {
  const [ann, ben] = await site.people(2, inTest);
  const { id: room } = await site.den(ann, [ben]);
  await ann.request('room:join', { room });
  return { ann, ben, room };
}

/** Ann and Ben have a direct room, which Ann has joined. */
async function direct() {
  const [ann, ben] = await site.people(2, inTest);
  const room = (await ann.request('direct:open', { user: ben.id })).room.id;
  await ann.request('room:join', { room });
  await say(ann, room);
  return { ann, ben, room };
}

const mentioning = ({ id }: Person) => ({ mentions: [{ user: id, start: 0, length: 2 }] });
const seenBy = async (person: Person, room: string) =>
  (await person.request('room:list', {})).rooms.find(({ id }) => id === room);

describe('a favourite', () => {
  test('is shown on all devices of its user only, until it is removed', async () => {
    const { ann, ben, room } = await den();
    const benToo = await again(ben);
    const changed = nextOf(benToo, 'room:changed');
    expect((await ben.request('room:arrange', { room, favourite: 7 })).room.favourite).toBe(7);
    expect(await changed).toMatchObject({ id: room, favourite: 7 });
    expect((await again(ben)).ready.rooms.find(({ id }) => id === room)).toMatchObject({ favourite: 7 });
    expect(await seenBy(ann, room)).not.toHaveProperty('favourite');
    expect((await ben.request('room:arrange', { room, favourite: null })).room).not.toHaveProperty(
      'favourite',
    );
  });

  test('is not archived, and an archived room is not a favourite', async () => {
    const { ben, room } = await den();
    await ben.request('room:arrange', { room, favourite: 1 });
    const { room: archived } = await ben.request('room:arrange', { room, archived: true });
    expect(archived).toMatchObject({ archived: true });
    expect(archived).not.toHaveProperty('favourite');
    const { room: favourite } = await ben.request('room:arrange', { room, favourite: 2 });
    expect(favourite).toMatchObject({ favourite: 2 });
    expect(favourite).not.toHaveProperty('archived');
  });

  test('ends when the user leaves the room', async () => {
    const { ann, ben, room } = await den();
    await ben.request('room:arrange', { room, favourite: 1 });
    await ann.request('room:remove', { room, user: ben.id });
    await ann.request('room:invite', { room, users: [ben.id] });
    expect(await seenBy(ben, room)).not.toHaveProperty('favourite');
  });
});

describe('an archived room', () => {
  test('stays archived with a message, and returns with a mention on all devices', async () => {
    const { ann, ben, room } = await den();
    await say(ann, room, '@B before', mentioning(ben));
    await ben.request('room:arrange', { room, archived: true });
    await say(ann, room);
    expect(await seenBy(ben, room)).toMatchObject({ archived: true, mentions: 1 });
    const returned = nextOf(ben, 'room:changed');
    await say(ann, room, '@B hello', mentioning(ben));
    expect(await returned).not.toHaveProperty('archived');
    expect((await again(ben)).ready.rooms.find(({ id }) => id === room)).not.toHaveProperty('archived');
  });

  test('returns with a mention of all members, and with a reply in a followed thread', async () => {
    const { ann, ben, room } = await den();
    await ben.request('room:join', { room });
    await say(ben, room, 'root');
    await ben.request('room:leave', { room });
    for (const over of [{ mentions: [{ user: '*', start: 0, length: 4 }] }, { replyTo: 1 }]) {
      await ben.request('room:arrange', { room, archived: true });
      const returned = nextOf(ben, 'room:changed');
      await say(ann, room, '@all', over);
      expect(await returned).not.toHaveProperty('archived');
    }
  });

  test('that returned stays in the list after the mention is read', async () => {
    const { ann, ben, room } = await den();
    await ben.request('room:arrange', { room, archived: true });
    const { seq } = await say(ann, room, '@B hello', mentioning(ben));
    expect((await ben.request('read:mark', { room, seq })).room).not.toHaveProperty('archived');
    expect((await again(ben)).ready.rooms.find(({ id }) => id === room)).not.toHaveProperty('archived');
  });

  test('of two users returns with the next message, but not while it is muted', async () => {
    const { ann, ben, room } = await direct();
    await ben.request('room:arrange', { room, archived: true });
    await ben.request('room:notify', { room, notify: 'all', quietForMs: hour });
    await say(ann, room);
    expect(await seenBy(ben, room)).toMatchObject({ archived: true });
    expect((await ben.request('room:notify', { room, notify: 'all' })).room).not.toHaveProperty('archived');
    await ben.request('room:arrange', { room, archived: true });
    const returned = nextOf(ben, 'room:changed');
    await say(ann, room);
    expect(await returned).not.toHaveProperty('archived');
  });
});

test('the export contains a user’s settings of a room', async () => {
  const { ben, room } = await den();
  await ben.request('room:arrange', { room, favourite: 5 });
  await ben.request('room:notify', { room, notify: 'all', quietForMs: hour });
  const { 'about.json': about = '' } = await exportOf(site, ben.id);
  expect(JSON.parse(about).rooms).toEqual([
    expect.objectContaining({ id: room, favourite: 5, quietUntil: expect.any(Number) }),
  ]);
});

describe('a timed mute', () => {
  test('lets the room count as muted, and keeps the chosen notifications', async () => {
    const { ann, ben, room } = await den();
    await say(ann, room);
    const { room: muted } = await ben.request('room:notify', { room, notify: 'mentions', quietForMs: hour });
    expect(muted).toMatchObject({ notify: 'mentions', unread: 1 });
    // What is left of the hour, in hours.
    expect(Math.ceil((muted.quietForMs ?? 0) / hour)).toBe(1);
    expect((await again(ben)).ready.totals).toEqual({ unread: 0, mentions: 0 });
    const { room: loud } = await ben.request('room:notify', { room, notify: 'mentions' });
    expect(loud).not.toHaveProperty('quietForMs');
    expect((await again(ben)).ready.totals).toEqual({ unread: 1, mentions: 0 });
  });

  test('is over at its time', async () => {
    const { ann, ben, room } = await den();
    await say(ann, room);
    await ben.request('room:notify', { room, notify: 'all', quietForMs: 1 });
    await expect.poll(async () => (await again(ben)).ready.totals.unread).toBe(1);
    expect(await seenBy(ben, room)).not.toHaveProperty('quietForMs');
  });
});
