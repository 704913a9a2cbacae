import { afterAll, beforeAll, expect, test } from 'vitest';
import { size } from '../../guarantees/size.ts';
import { connectChat } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type HistoryDatabase, postgresDatabase } from '../../helpers/history-database.ts';
import {
  apiKey,
  codeOf,
  eventsOf,
  nextOf,
  type PeopleSite,
  type Person,
  say,
  startPeopleSite,
} from '../../helpers/people.ts';
import { type Postgres, startPostgres } from '../../helpers/postgres.ts';

/** The moderators' page where two servers are one chat. */
let postgres: Postgres;
let database: HistoryDatabase;
let site: PeopleSite;
let two: RunningChat;
beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgresDatabase(postgres);
  const env = {
    CHAT_HISTORY: database.url,
    CHAT_CLUSTER: 'postgres',
    CHAT_ROOMS: 'lobby',
    CHAT_CREATE_ROOMS: 'all',
    CHAT_DRAIN: '0s',
  };
  site = await startPeopleSite({ ...env, CHAT_NODE: 'one' });
  two = await chatServerHere({
    ...env,
    CHAT_NODE: 'two',
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_USER_ROLES: 'roles',
    CHAT_API_KEY: apiKey,
  });
}, 60_000);
afterAll(async () => {
  await two?.stop();
  await site?.close();
  await database?.close();
  await postgres?.remove();
});

/** A new user who is connected to the second server. */
async function onTwo(session: object = {}): Promise<Person> {
  const { id, cookie, close } = await site.person(session);
  close();
  return Object.assign(await connectChat(two.url, cookie), { id, cookie });
}

test('of two moderators on two servers one decides, as one act; both learn of it', async () => {
  const [ann, ben, cat] = [
    await site.person({ roles: 'admin' }),
    await onTwo({ roles: 'moderator' }),
    await site.person(),
  ];
  for (const one of [ann, ben, cat]) await one.request('room:join', { room: 'lobby' });
  const rounds = size(6, 2);
  for (let seq = 1; seq <= rounds; seq++) {
    await say(cat, 'lobby', 'rude');
    await ann.request('message:report', { room: 'lobby', seq, reason: 'spam' });
    await ben.request('message:report', { room: 'lobby', seq, reason: 'abuse' });
    const [first] = (await ann.request('report:list', {})).reports;
    const id = first?.id as string;
    const answers = await Promise.all([
      ann.request('report:close', { id, done: 'deleted', all: true, reason: 'by ann' }),
      ben.request('report:close', { id, done: 'nothing', all: true, reason: 'by ben' }),
    ]);
    const [one, other] = answers.map(({ report }) => report.closed);
    expect(one).toEqual(other);
    expect((await ben.request('report:list', {})).reports).toEqual([]);
    const acts = async () =>
      (await ann.request('moderate:acts', { limit: 100 })).acts.filter(
        (act) => act.kind === 'report_closed' && act.seq === seq,
      );
    await expect
      .poll(acts)
      .toMatchObject([
        { by: one?.by, to: { done: one?.done }, reason: one?.by.id === ann.id ? 'by ann' : 'by ben' },
      ]);
    const { messages } = await ben.request('message:history', { room: 'lobby', limit: 1 });
    expect(messages[0]?.deletedAt !== undefined).toBe(one?.done === 'deleted');
  }
  // A server that hears late of a new report finds it closed already, and says so twice.
  const closed = (client: Person) =>
    new Set(eventsOf(client, 'report:changed').flatMap(({ report }) => (report.closed ? report.id : [])));
  for (const client of [ann, ben]) await expect.poll(() => closed(client).size).toBe(2 * rounds);
  for (const one of [ann, ben, cat]) one.close();
});

test('a moderator who loses the role on one server acts no more on the other', async () => {
  const [ann, cat, ben] = [await site.person({ roles: 'admin' }), await site.person(), await onTwo()];
  const { room } = await ann.request('room:create', {
    ...{ name: 'Den', kind: 'private', clientId: 'den' },
    members: [ben.id, cat.id],
  });
  for (const one of [ann, ben, cat]) await one.request('room:join', { room: room.id });
  const role = (of: 'moderator' | 'member') =>
    ann.request('room:role', { room: room.id, user: ben.id, role: of });
  for (let round = 0; round < size(10, 2); round++) {
    const { seq } = await say(cat, room.id, 'rude');
    await role('moderator');
    const isModerator = async () => (await ben.request('room:join', { room: room.id })).room.role;
    await expect.poll(isModerator).toBe('moderator');
    const deleting = codeOf(ben, 'message:delete', { room: room.id, seq });
    await role('member');
    const code = await deleting;
    expect(['ok', 'forbidden']).toContain(code);
    const acts = async () =>
      (await ann.request('moderate:acts', { limit: 100 })).acts
        .filter((act) => act.room === room.id && ['role_changed', 'message_deleted'].includes(act.kind))
        .map(({ kind, to }) => to?.role ?? kind);
    const lost = ['member', ...(code === 'ok' ? ['message_deleted'] : []), 'moderator'];
    await expect.poll(async () => (await acts()).slice(0, lost.length)).toEqual(lost);
  }
  for (const one of [ann, ben, cat]) one.close();
});

test('people count on whichever server they are, and a ban closes their connections there', async () => {
  const [ann, ben] = [await site.person({ roles: 'moderator' }), await onTwo()];
  const boss = await onTwo({ roles: 'admin' });
  const overview = () => ann.request('moderate:overview', {});
  const server = (name: string, here: number) => ({
    name,
    working: true,
    here,
    took: expect.any(Number),
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    since: expect.any(Number),
  });
  await expect.poll(overview).toMatchObject({ here: 3, servers: [server('one', 1), server('two', 2)] });
  await expect
    .poll(() => boss.request('moderate:overview', {}))
    .toMatchObject({ here: 3, servers: [server('one', 1), server('two', 2)] });
  const about = async () => ann.request('moderate:person', { user: ben.id });
  expect(await about()).toMatchObject({ here: true, may: { ban: true } });
  const ended = nextOf(ben, 'session:ended');
  await ann.request('moderate:ban', { user: ben.id, seconds: 600, reason: 'spam' });
  expect(await ended).toEqual({ reason: 'kicked' });
  await expect
    .poll(about)
    .toMatchObject({ here: false, restrictions: [{ kind: 'banned', by: { id: ann.id }, reason: 'spam' }] });
  for (const url of [site.chat.url, two.url])
    await expect(connectChat(url, ben.cookie)).rejects.toMatchObject({ data: { code: 'forbidden' } });
  await expect
    .poll(() => boss.request('moderate:person', { user: ben.id }))
    .toMatchObject({ restrictions: [{ kind: 'banned' }] });
  await boss.request('moderate:ban', { user: ben.id, end: true });
  await expect.poll(async () => (await about()).restrictions).toEqual([]);
  // A role that somebody has on another server counts.
  expect((await ann.request('moderate:person', { user: boss.id })).may.ban).toBe(false);
  boss.close();
  await expect.poll(overview).toMatchObject({ here: 1 });
  await two.stop();
  await expect.poll(overview).toMatchObject({ here: 1, servers: [server('one', 1)] });
  ann.close();
});
