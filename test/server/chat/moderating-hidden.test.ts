import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestName } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { databases } from '../../helpers/hidden.ts';
import { eventsOf, type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';

/** Cursors differ each time. */
const comparable = (answer: unknown): unknown =>
  JSON.parse(JSON.stringify(answer, (key, value) => (key === 'next' ? true : value)));

/** The moderators' page does not reveal direct rooms, or private rooms of which the admin is not a member. */
describe.each(Object.entries(databases))('%s', (_, start) => {
  let site: PeopleSite;
  let database: Awaited<ReturnType<typeof start>>;
  /** Eve is an admin. Ann and Ben wrote in public, and share a private room with Eve. */
  let [eve, ann, ben]: Person[] = [];
  beforeAll(async () => {
    database = await start();
    site = await startPeopleSite({
      ...database.env,
      CHAT_ROOMS: 'lobby,garden',
      CHAT_CREATE_ROOMS: 'all',
      CHAT_MODERATE_DATA: 'on',
    });
    eve = await site.person({ roles: 'admin' });
    [ann, ben] = await site.people(2);
    const people = [eve, ann, ben] as Person[];
    const own = (await site.den(eve as Person, people.slice(1))).id;
    for (const room of [own, 'lobby']) {
      for (const client of people) await client.request('room:join', { room });
      await actsIn(room, eve as Person, ann as Person, ben as Person);
    }
  }, 60_000);
  afterAll(async () => {
    await site?.close();
    await database?.close();
  });

  /** Creates messages, reports and decisions in a room. */
  async function actsIn(room: string, boss: Person, author: Person, other: Person): Promise<void> {
    for (const by of [author, other, other]) await say(by, room, 'words');
    for (const [by, seq] of [
      [author, 2],
      [boss, 2],
      [author, 3],
    ] as const)
      await by.request('message:report', { room, seq, reason: 'spam' });
    await boss.request('room:mute', { room, user: other.id, seconds: 1000, reason: 'why' });
    await boss.request('message:delete', { room, seq: 1, reason: 'why' });
  }

  /** Waits until the audit log contains all earlier actions. */
  async function recorded(): Promise<void> {
    const room = newClientId();
    await site.api('PUT', `/rooms/${room}`, { name: room, kind: 'private' });
    await site.api('DELETE', `/rooms/${room}`);
    const listed = async () => JSON.stringify((await site.api('GET', '/audit')).body);
    await expect.poll(listed).toContain(room);
  }

  async function everything(): Promise<unknown[]> {
    const asker = eve as Person;
    const ids = [eve, ann, ben].map((client) => (client as Person).id);
    const reads: readonly (readonly [RequestName, object])[] = [
      ['moderate:people', { limit: 1 }],
      ['moderate:people', { query: 'name', limit: 2 }],
      ...['hidden', 'hidden-named', 'nobody'].flatMap((user): [RequestName, object][] => [
        ['moderate:people', { query: user }],
        ['moderate:person', { user }],
        ['moderate:ban', { user }],
        ['moderate:erase', { user, name: user }],
      ]),
      ...ids.map((user) => ['moderate:person', { user }] as const),
      ['moderate:acts', { limit: 1 }],
      ['moderate:acts', { limit: 100 }],
      ['moderate:overview', {}],
      ['moderate:rooms', { rooms: ['lobby', 'nowhere'] }],
    ];
    const all: unknown[] = [];
    for (const [event, payload] of reads) {
      for (let cursor: string | undefined, more = true; more; ) {
        const answer = await asker.raw(event, { ...payload, cursor: cursor || undefined });
        all.push([event, payload, comparable(answer)]);
        cursor = answer.ok ? (answer.data as { next?: string }).next : undefined;
        more = cursor !== undefined;
      }
    }
    for (const user of ['hidden', 'hidden-named']) {
      const headers = { cookie: asker.cookie, 'sec-fetch-site': 'same-origin' };
      const answer = await fetch(`${site.chat.url}/moderate/export?user=${user}`, { headers });
      all.push([user, answer.status, await answer.json()]);
    }
    return all;
  }

  test('answers the same with and without hidden rooms, also after their deletion', async () => {
    const [owner, other] = [ann as Person, ben as Person];
    await recorded();
    const before = await everything();
    const reportsBefore = eventsOf(eve as Person, 'report:changed').length;
    const den = (await site.den(owner, [other], { members: [other.id, 'hidden'] })).id;
    for (const by of [owner, other]) await by.request('room:join', { room: den });
    await site.api('PATCH', `/rooms/${den}/members`, { add: [{ id: 'hidden-named', name: 'Hidden' }] });
    await actsIn(den, owner, owner, other);
    await owner.request('room:ban', { room: den, user: 'hidden', reason: 'why' });
    await owner.request('room:update', { room: den, topic: 'secret' });
    const direct = (await owner.request('direct:open', { user: other.id })).room.id;
    await owner.request('room:join', { room: direct });
    await say(owner, direct);
    await other.request('room:join', { room: direct });
    await say(other, direct);
    await owner.request('message:report', { room: direct, seq: 2, reason: 'abuse' });
    await recorded();
    expect(await everything()).toEqual(before);
    const counted = await (eve as Person).request('moderate:rooms', { rooms: [den, 'lobby', direct] });
    expect(counted.rooms.map(({ room }) => room)).toEqual(['lobby']);
    // Only reports reach the site's moderators. Their context contains messages, except in a direct room.
    expect(eventsOf(eve as Person, 'report:changed').length).toBeGreaterThan(reportsBefore);
    const { reports, decided } = await (eve as Person).request('report:list', { since: 0 });
    const ofDirect = reports.find(({ room }) => room === direct);
    expect(await (eve as Person).request('report:context', { id: ofDirect?.id as string })).toMatchObject({
      messages: [],
    });
    await (eve as Person).request('report:close', {
      id: ofDirect?.id as string,
      done: 'deleted',
      reason: 'rude',
    });
    await recorded();
    expect(await everything()).toEqual(before);
    expect((await (eve as Person).request('report:list', { since: 0 })).decided).toBe(decided);
    await owner.request('room:delete', { room: den });
    await recorded();
    expect(await everything()).toEqual(before);
  }, 60_000);
});
