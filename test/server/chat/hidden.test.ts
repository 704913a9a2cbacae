import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RequestName, requests } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import { databases, readsOf } from '../../helpers/hidden.ts';
import { eventsOf, type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';
import { roomRequests } from '../../helpers/room-requests.ts';

/** Cursors and times differ each time. */
const comparable = (answer: unknown): unknown =>
  JSON.parse(
    JSON.stringify(answer, (key, value) => (key === 'next' ? true : key === 'serverTime' ? 0 : value)),
  );

/** Requests that name a user or could reveal one. */
const naming = (room: string, user: string): readonly (readonly [RequestName, object])[] => [
  ['room:remove', { room, user }],
  ['room:role', { room, user, role: 'member' }],
  ['room:mute', { room, user, seconds: 1000 }],
  ['room:mute', { room, user, seconds: 0 }],
  ['room:ban', { room, user, seconds: 0 }],
  ['user:block', { user, blocked: true }],
  ['user:blocked', {}],
  ['user:block', { user, blocked: false }],
  ['user:find', { query: user }],
  ['user:find', { query: user, room }],
  ['direct:open', { user }],
  ['room:invite', { room, users: [user] }],
  ['room:members', { room, query: user }],
  ['room:members', { room, present: true }],
  ['room:role', { room, user, role: 'moderator' }],
  ['room:remove', { room, user }],
  ['message:send', { room, text: `@${user}`, mentions: [{ user, start: 0, length: 3 }] }],
];

/**
 * Tests "What is hidden" in docs/security.md. Hidden rooms, users, messages and files do not change any response, route or
 * event. A request that names a hidden one is answered as if it were missing.
 */
describe.each(Object.entries(databases))('%s', (_, start) => {
  const files = mkdtempSync(join(tmpdir(), 'chat-files-'));
  let site: PeopleSite;
  let database: Awaited<ReturnType<typeof start>>;
  /** Eve shares a room with Mia. Eve may not know Ann and Ben. */
  let [eve, mia, ann, ben]: Person[] = [];
  let own: string;
  const hidden = { den: '', direct: '', report: '', held: '', file: { id: '', name: '' } };
  beforeAll(async () => {
    database = await start();
    site = await startPeopleSite({
      ...database.env,
      CHAT_ROOMS: 'lobby,garden',
      CHAT_CREATE_ROOMS: 'all',
      CHAT_ORIGINS: origin,
      CHAT_FILES: `dir:${files}`,
      CHAT_HOLD_WORDS: 'pallets',
    });
    [eve, mia] = await site.people(2);
    own = (await site.den(eve as Person, [mia as Person])).id;
    for (const client of [eve, mia] as Person[]) await client.request('room:join', { room: own });
    for (const text of ['my code', 'other words', 'your code']) await say(mia as Person, own, text);
    await (mia as Person).request('message:react', { room: own, seq: 1, emoji: '👍', on: true });
    await (eve as Person).request('read:mark', { room: own, seq: 1 });
  }, 60_000);
  afterAll(async () => {
    await site?.close();
    await database?.close();
    rmSync(files, { recursive: true });
  });

  /** Returns the responses of all read requests, page by page, and the data of a new connection and of a badge. */
  async function everything(): Promise<unknown[]> {
    const { again } = site;
    const asker = eve as Person;
    const all: unknown[] = [];
    for (const [event, payload] of readsOf(own)) {
      for (let cursor: string | undefined, more = true; more; ) {
        const answer = await asker.raw(event, { ...payload, cursor: cursor || undefined });
        all.push([event, payload, comparable(answer)]);
        cursor = answer.ok ? (answer.data as { next?: string }).next : undefined;
        more = cursor !== undefined;
      }
    }
    const fresh = await again(asker);
    all.push(comparable(fresh.ready));
    fresh.close();
    const me = await fetch(`${site.chat.url}/me`, {
      headers: { cookie: asker.cookie, 'sec-fetch-site': 'same-origin' },
    });
    all.push(me.status, await me.json());
    return all;
  }

  /** Creates two users with rooms and content similar to Eve's. */
  async function hide(): Promise<void> {
    [ann, ben] = await site.people(2);
    const [owner, other] = [ann as Person, ben as Person];
    hidden.den = (await site.den(owner, [other])).id;
    hidden.direct = (await owner.request('direct:open', { user: other.id })).room.id;
    for (const room of [hidden.den, hidden.direct]) {
      await owner.request('room:join', { room });
      for (let n = 0; n < 4; n++) await say(owner, room, `the code is quincunx, ${n}`);
      await other.request('room:join', { room });
      await say(other, room, 'our code');
      await other.request('message:react', { room, seq: 1, emoji: '👍', on: true });
      await other.request('typing:set', { room, typing: true });
      await owner.request('message:pin', { room, seq: 1 });
    }
    await site.api('POST', `/users/${owner.id}/push`, { name: 'order', data: 'quincunx' });
    await other.request('message:report', { room: hidden.den, seq: 1, reason: 'spam' });
    hidden.report = (await owner.request('report:list', {})).reports[0]?.id as string;
    hidden.file = (await upload(site.chat.url, owner.cookie, 'code', { room: hidden.den })).file;
    await say(owner, hidden.den, 'with a file', { files: [{ id: hidden.file.id }] });
    await owner.request('message:edit', { room: hidden.den, seq: 2, text: 'another code' });
    await owner.request('message:delete', { room: hidden.den, seq: 3 });
    const waits = { room: hidden.den, text: 'pallets of code', clientId: newClientId() };
    const sent = await other.raw('message:send', waits);
    hidden.held = sent.ok ? (sent.data as { held: { id: string } }).held.id : '';
    // Presence changes are batched for the longest time, so all other events arrive earlier.
    const changes = eventsOf(other, 'presence:changed').length;
    (await site.again(owner)).close();
    owner.close();
    await expect.poll(() => eventsOf(other, 'presence:changed').length).toBeGreaterThan(changes);
  }

  test('returns every answer, page and event unchanged by hidden data', async () => {
    const before = await everything();
    const eventsBefore = (eve as Person).events.length;
    await hide();
    expect((eve as Person).events.slice(eventsBefore).map(({ name }) => name)).toEqual([]);
    expect(await everything()).toEqual(before);
    const named = [...readsOf(''), ...naming('', '')].map(([event]) => event);
    // The others name a room, a file or a report (tested below), send events to the site again, or need a ticket.
    const others = [
      'room:create',
      'report:close',
      'report:context',
      'moderate:retry',
      'session:renew',
      ...Object.keys(roomRequests),
    ];
    expect(Object.keys(requests).filter((event) => ![...named, ...others].includes(event as never))).toEqual(
      [],
    );
  }, 60_000);

  test('treats a hidden room, with its messages, as missing in every request', async () => {
    const withRoom = Object.entries(requests).filter(([, schema]) => 'room' in schema.shape);
    expect(Object.keys(roomRequests).sort()).toEqual(withRoom.map(([name]) => name).sort());
    const inside = () =>
      Promise.all(
        [hidden.den, hidden.direct].map((room) => (ben as Person).request('message:history', { room })),
      );
    const before = await inside();
    for (const room of [hidden.den, hidden.direct]) {
      for (const [event, payload] of Object.entries(roomRequests)) {
        const answer = await (eve as Person).raw(event, { room, ...payload });
        expect([event, answer]).toMatchObject([event, { ok: false, error: { code: 'unknown_room' } }]);
        expect([event, answer]).toEqual([
          event,
          await (eve as Person).raw(event, { room: 'u-none', ...payload }),
        ]);
      }
    }
    expect(await inside()).toEqual(before);
    for (const done of ['nothing', 'deleted'])
      expect(await (eve as Person).raw('report:close', { id: hidden.report, done })).toEqual(
        await (eve as Person).raw('report:close', { id: 'none', done }),
      );
    expect(await (eve as Person).raw('report:context', { id: hidden.report })).toEqual(
      await (eve as Person).raw('report:context', { id: 'none' }),
    );
    for (const event of ['held:approve', 'held:reject']) {
      expect(await (eve as Person).raw(event, { id: hidden.held })).toEqual(
        await (eve as Person).raw(event, { id: 'none' }),
      );
    }
    expect(await (eve as Person).raw('held:discard', { id: hidden.held })).toEqual({ ok: true, data: {} });
    expect((await (ben as Person).request('held:list', { mine: true })).held).toMatchObject([
      { id: hidden.held },
    ]);
    const made = async (name: string) =>
      (await (eve as Person).raw('room:create', { name, kind: 'private', clientId: newClientId() })).ok;
    expect(await made('Den')).toBe(true);
  });

  test('treats a hidden file as missing', async () => {
    const { url } = site.chat;
    const asker = eve as Person;
    const none = { id: 'a'.repeat(hidden.file.id.length), name: hidden.file.name };
    for (const over of [{}, { preview: true }, { method: 'HEAD' }, { headers: { range: 'bytes=0-1' } }]) {
      const answers = [];
      for (const file of [hidden.file, none]) {
        const answer = await download(url, asker.cookie, file, over);
        const headers = Object.fromEntries(answer.headers);
        answers.push([answer.status, { ...headers, date: '' }, await answer.text()]);
      }
      expect(answers[0]?.[0]).toBe(404);
      expect(answers[0]).toEqual(answers[1]);
    }
    const uploads = [];
    for (const room of [hidden.den, 'u-none']) {
      const { status, code } = await upload(url, asker.cookie, 'x', { room });
      uploads.push([status, code]);
    }
    expect(uploads).toEqual(Array(2).fill([404, 'unknown_room']));
    const { seq } = await say(asker, own);
    for (const [event, payload] of [
      ['message:send', { text: 'x', clientId: newClientId() }],
      ['message:edit', { seq, text: 'x' }],
    ] as const) {
      const answers = [];
      for (const { id } of [hidden.file, none])
        answers.push(await asker.raw(event, { room: own, ...payload, files: [{ id }] }));
      expect(answers[0]).toMatchObject({ ok: false, error: { code: 'unknown_file' } });
      expect(answers[0]).toEqual(answers[1]);
    }
  });

  test('treats a hidden user like one who was never seen', async () => {
    const answers: unknown[][] = [];
    for (const user of [(ben as Person).id, 'none1']) {
      const room = (await site.den(eve as Person)).id;
      await (eve as Person).request('room:join', { room });
      const eventsBefore = (eve as Person).events.length;
      const all: unknown[] = [];
      for (const [event, payload] of naming(room, user)) {
        const answer = await (eve as Person).raw(event, { ...payload, clientId: 'c' });
        all.push([event, answer]);
      }
      await expect
        .poll(() => eventsOf(eve as Person, 'members:changed').some((change) => change.room === room))
        .toBe(true);
      const events = (eve as Person).events.slice(eventsBefore).map(({ name }) => name);
      all.push([...new Set(events)].sort());
      answers.push(
        JSON.parse(
          JSON.stringify(all, (key, value) =>
            ['id', 'room', 'sentAt', 'at', 'mutedForMs'].includes(key) ? `a ${key}` : value,
          ).replaceAll(user, 'x'),
        ),
      );
    }
    expect(answers[0]).toEqual(answers[1]);
  });
});
