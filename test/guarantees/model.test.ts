import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import type { RoomSummary } from '../../server/wire/events.ts';
import { ChatModel, type ModelRequest } from '../helpers/chat-model.ts';
import { dice } from '../helpers/dice.ts';
import { distinct, explain, type Outcome } from '../helpers/explain.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { RandomRequests } from '../helpers/random-requests.ts';
import {
  openMariadbSite,
  openPostgresSite,
  openSqliteSite,
  RestartedServers,
  type Site,
} from '../helpers/restarted-servers.ts';
import { readModeration, readRoom, viewSummary } from '../helpers/room-views.ts';
import { size } from './size.ts';

const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 6));
const users = ['u1', 'u2', 'u3', 'u4'];
/** After this time a run stops sending requests. */
const maxMs = 480_000;
/** On average, a server stops during one of this many batches. */
const batchesPerStop = size(60, 40);
const batchesPerComparison = size(100, 50);

interface Database {
  database: string;
  openSite(): Promise<Site>;
  servers: string;
  requests: number;
  /** Servers that run in this process and are never killed. */
  inProcess: number[];
}

/** Outside soak runs few processes are killed, because starting a process takes longer than all requests. */
const databases: Database[] = [
  {
    ...{ database: 'SQLite', openSite: openSqliteSite, servers: 'one server' },
    ...{ requests: size(4000, 100), inProcess: [] },
  },
  {
    ...{ database: 'PostgreSQL', openSite: openPostgresSite, servers: 'two servers' },
    ...{ requests: size(4000, 60), inProcess: size([], [0]) },
  },
  // The history contract shows the same of MariaDB with one server and with two.
  ...size<Database[]>(
    [
      {
        ...{ database: 'MariaDB', openSite: openMariadbSite, servers: 'two servers' },
        ...{ requests: 4000, inProcess: [] },
      },
    ],
    [],
  ),
];

test.for(databases)(
  `$database, $servers: rooms, members, messages and read markers match a simple model after $requests random requests, seed ${seed}`,
  { timeout: size(1_200_000, 120_000) },
  async ({ database, openSite, requests: requestCount, inProcess }) => {
    const roll = dice(seed);
    const pick = <T>(from: readonly T[]): T | undefined => from[roll(from.length)];
    const memcached = await startMemcached();
    onTestFinished(async () => void (await memcached.stop()));
    for (const user of users) await memcached.set(`sessions/${user}`, JSON.stringify({ user_id: user }));
    const site = await openSite();
    const env = { CHAT_SESSION_STORE: memcached.url, CHAT_CREATE_ROOMS: 'all', CHAT_DRAIN: '0s' };
    const servers = new RestartedServers(site, env, inProcess);
    const random = new RandomRequests(roll, users);
    /** The states that explain all responses. `findState` reduces them to the states that equal what servers show. */
    let states = [new ChatModel()];
    const count = { requests: 0, concurrent: 0, kills: 0, stops: 0, unanswered: 0 };
    let batch = 0;
    const describeRun = () => `${database}, FUZZ_SEED=${seed}, batch ${batch}`;

    /** @param stopped a server that stops while the requests run */
    async function runBatch(requests: readonly ModelRequest[], stopped?: number): Promise<void> {
      const senders = requests.map(({ user }) => user);
      await servers.catchUp(senders);
      for (const request of requests) await joinRoom(request);
      count.requests += requests.length;
      if (requests.length > 1) count.concurrent += requests.length;
      servers.markOutdated(senders);
      const running = requests.map((request) => {
        const isJoined = servers.connection(request.user).joined.has(request.payload.room);
        return servers.run({ ...request, isJoined });
      });
      const sessionsEnd = stopped === undefined ? undefined : await stopServer(stopped, requests);
      const outcomes = (await Promise.all(running)).filter(
        ({ response }) => response?.code !== 'server_draining',
      );
      const unanswered = outcomes.filter(({ response }) => response === undefined);
      count.unanswered += unanswered.length;
      if (stopped !== undefined) {
        await servers.restart(stopped);
        for (const outcome of unanswered) await findCreatedIds(outcome, sessionsEnd);
      }
      try {
        states = explain(states, outcomes);
      } catch (error) {
        throw new Error(`${describeRun()}: ${(error as Error).message}`);
      }
      const sends = unanswered.flatMap(({ request }) => (request.event === 'message:send' ? [request] : []));
      // If only one message is uncertain, the response to its repeat decides between the states.
      if (sends.length === 1 && unanswered.length === 1 && roll(2) === 0) await runBatch(sends);
      if (unanswered.length > 0) await sessionsEnd?.();
      if (states.length > 1) await findState(requests);
      for (const request of sends) await runBatch([request]);
      for (const user of users) {
        const { joined } = servers.connection(user);
        for (const room of joined) if (!states[0]?.isMember(user, room)) joined.delete(room);
      }
    }

    /** Joins the room before a member sends a message, as clients do. */
    async function joinRoom({ user, event, payload: { room } }: ModelRequest): Promise<void> {
      const { joined } = servers.connection(user);
      if (!event.startsWith('message:') || joined.has(room) || !states[0]?.isMember(user, room)) return;
      expect(await servers.request(user, 'room:join', { room }), describeRun()).toMatchObject({ ok: true });
      joined.add(room);
    }

    /** Returns a wait for the end of the server's database sessions. */
    async function stopServer(server: number, requests: readonly ModelRequest[]) {
      const isReaction = requests.some(({ event }) => event === 'message:react');
      await pause(roll(isReaction ? 300 : 6));
      const signal = roll(4) > 0 ? 'SIGKILL' : 'SIGTERM';
      count[signal === 'SIGKILL' ? 'kills' : 'stops']++;
      await servers.stop(server, signal);
      return site.findSessions(server);
    }

    /** Finds the room or invite link that an unanswered request created. */
    async function findCreatedIds(outcome: Outcome, sessionsEnd?: () => Promise<void>): Promise<void> {
      const { user, event, payload } = outcome.request;
      if (event === 'room:create') Object.assign(outcome, await servers.run(outcome.request));
      if (event !== 'invite:create') return;
      await sessionsEnd?.();
      await servers.catchUp([user]);
      const response = await servers.request(user, 'invite:list', { room: payload.room });
      const { invites = [] } = (response.ok ? response.data : {}) as { invites?: { id: string }[] };
      const earlierInvites = states[0]?.rooms.get(payload.room)?.invites;
      outcome.created = { id: invites.find(({ id }) => !earlierInvites?.has(id))?.id };
    }

    /** Reads the changed rooms from the servers, and keeps the states that equal them. */
    async function findState(requests: readonly ModelRequest[]): Promise<void> {
      const [state] = states as [ChatModel];
      const rooms = requests.map(
        (request) => state.roomOf(request) ?? [...state.rooms.keys()][0] ?? 'u-none',
      );
      for (const id of new Set(rooms)) {
        const threads = requests.flatMap(({ payload: { thread, replyTo = thread } }) =>
          replyTo === undefined ? [] : [state.rooms.get(id)?.messages[replyTo - 1]?.thread ?? replyTo],
        );
        await compareRoom(id, threads, await readLists());
      }
      states = distinct(states);
    }

    type Lists = Map<string, { rooms: Map<string, RoomSummary>; blocked: string[] }>;
    async function readLists(): Promise<Lists> {
      await servers.catchUp(users);
      const lists = users.map(async (user) => {
        const { client } = servers.connection(user);
        const { rooms } = await client.request('room:list', {});
        const blocked = (await client.request('user:blocked', {})).users.map(({ id }) => id).sort();
        return [user, { rooms: new Map(rooms.map((room) => [room.id, room])), blocked }] as const;
      });
      return new Map(await Promise.all(lists));
    }

    /** Keeps the states in which the room equals what the servers show. */
    async function compareRoom(id: string, threads: readonly number[], lists: Lists): Promise<void> {
      const summaryOf = (user: string) => lists.get(user)?.rooms.get(id);
      const reader = users.find((user) => summaryOf(user) !== undefined);
      const moderator = users.find((user) => summaryOf(user)?.may.includes('moderate'));
      const shown = {
        summaries: Object.fromEntries(users.map((user) => [user, viewSummary(summaryOf(user))])),
        blocked: Object.fromEntries(users.map((user) => [user, lists.get(user)?.blocked])),
        ...(reader && (await readRoom(servers.connection(reader).client, id))),
        ...(moderator && (await readModeration(servers.connection(moderator).client, id))),
        followers: await Promise.all(threads.map((thread) => readFollowers(id, thread))),
      };
      const views = states.map((state) => state.view(id, users, { reader, moderator, threads }));
      const matching = states.filter((_, n) => isDeepStrictEqual(shown, views[n]));
      if (matching.length === 0) expect(shown, `${describeRun()}, room ${id}`).toStrictEqual(views[0]);
      states = matching;
    }

    async function readFollowers(room: string, thread: number): Promise<string[]> {
      const followers = users.map(async (user) => {
        const response = await servers.request(user, 'thread:get', { room, thread, limit: 1 });
        return response.ok && (response.data as { following: boolean }).following ? [user] : [];
      });
      return (await Promise.all(followers)).flat();
    }

    async function compareAll(): Promise<void> {
      const lists = await readLists();
      const [state] = states as [ChatModel];
      for (const [user, { rooms }] of lists) {
        const own = [...state.rooms.keys()].filter((id) => state.isMember(user, id));
        expect([...rooms.keys()].sort(), `${describeRun()}, rooms of ${user}`).toEqual(own.sort());
      }
      for (const { id, messages } of state.rooms.values()) {
        const thread = pick(messages.flatMap((message) => message.thread ?? []));
        await compareRoom(id, thread === undefined ? [] : [thread], lists);
      }
      states = distinct(states);
    }

    await servers.start(users);
    const startedAt = performance.now();
    while (count.requests < requestCount && performance.now() - startedAt < maxMs) {
      batch++;
      const stopped = roll(batchesPerStop) === 0 ? pick(servers.findKillable()) : undefined;
      const moved = roll(20) === 0 ? pick(users) : undefined;
      if (moved !== undefined) await servers.connect(moved, roll(site.servers.length));
      // More concurrent requests while a server stops, so that at least one is likely to be running.
      await runBatch(random.next(states[0] as ChatModel, stopped === undefined ? undefined : 4), stopped);
      if (stopped !== undefined || batch % batchesPerComparison === 0) await compareAll();
    }
    await servers.waitForStarts();
    await compareAll();
    for (const state of states.slice(1))
      expect(state, `${describeRun()}: two states are left`).toEqual(states[0]);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(`${database}, seed ${seed}, ${seconds} s: ${JSON.stringify(count)}`);
  },
);
