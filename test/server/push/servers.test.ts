import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { size } from '../../guarantees/size.ts';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { type ChatServer, startChatServer } from '../../helpers/chat-server.ts';
import { type FakeClock, fakeClock } from '../../helpers/fake-clock.ts';
import { hanging } from '../../helpers/hanging.ts';
import { type HistoryDatabase, postgresDatabase } from '../../helpers/history-database.ts';
import { startMailServer, type TestMailServer } from '../../helpers/mail-server.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { say } from '../../helpers/people.ts';
import { type Postgres, startPostgres } from '../../helpers/postgres.ts';
import {
  type PushServiceOfTest,
  pushKeyOf,
  type RegisteredBrowser,
  registerBrowser,
  startPushService,
  type TakenPush,
} from '../../helpers/push-service.ts';
import { metrics } from '../../helpers/server-figures.ts';

/** Longer than a server has pushes that it has taken, in seconds. */
const claimed = 61;

let memcached: Memcached;
let postgres: Postgres;
let database: HistoryDatabase;
let service: PushServiceOfTest;
let mails: TestMailServer;
let clock: FakeClock;
const keyFile = join(tmpdir(), `push-key-${process.pid}`);
/** Its own contact is in each push that a server sends. */
const startNode = (name: string, env: NodeJS.ProcessEnv = {}) =>
  startChatServer({
    CHAT_HISTORY: database.url,
    CHAT_CLUSTER: 'postgres',
    CHAT_NODE: name,
    CHAT_DRAIN: '0s',
    CHAT_ROOMS: 'lobby',
    CHAT_CREATE_ROOMS: 'all',
    CHAT_SESSION_STORE: memcached.url,
    CHAT_PUSH_CONTACT: `mailto:${name}@example.org`,
    CHAT_PUSH_KEY_FILE: keyFile,
    CHAT_PUSH_HOSTS: service.host,
    CHAT_MAIL: mails.url,
    CHAT_MAIL_FROM: 'chat@garden.example',
    CHAT_URL: 'https://garden.example/chat',
    CHAT_USER_MAIL: 'mail',
    CHAT_NOTIFY_AFTER: '1s',
    NODE_EXTRA_CA_CERTS: service.certificate,
    ...env,
  });
let one: ChatServer;
let two: ChatServer;
/** The name under which the first server holds leases: it was alone. */
let nameOfOne: unknown;
beforeAll(async () => {
  [memcached, postgres, service, mails] = await Promise.all([
    startMemcached(),
    startPostgres(),
    startPushService(),
    startMailServer(),
  ]);
  database = await postgresDatabase(postgres);
  writeFileSync(keyFile, randomBytes(32).toString('base64'));
  clock = fakeClock();
  one = await startNode('one');
  nameOfOne = await vi.waitUntil(holder, { timeout: hanging });
  two = await startNode('two', clock.env);
});
afterAll(async () => {
  await Promise.all([one?.stop(), two?.stop()]);
  clock?.remove();
  await database?.close();
  await Promise.all([service?.close(), mails?.stop(), memcached?.stop(), postgres?.remove()]);
  rmSync(keyFile, { force: true });
});

/** The server that follows the log of changes for notices. */
async function holder(): Promise<unknown> {
  const [row] = await database.query(`SELECT holder FROM chat_consumers WHERE id = 'notify'`);
  return row?.holder?.toString();
}

async function connected(server: ChatServer, id: string): Promise<ChatClient> {
  await memcached.set(
    `sessions/${id}`,
    JSON.stringify({ user_id: id, firstname: id, mail: `${id}@site.example` }),
  );
  const client = await connectChat(server.url, `PHPSESSID=${id}`);
  onTestFinished(() => client.close());
  return client;
}

/** Somebody with a browser, who is away. */
async function away(server: ChatServer, id: string): Promise<RegisteredBrowser> {
  const client = await connected(server, id);
  await client.request('notify:set', { quiet: null });
  return registerBrowser(service, await pushKeyOf(server), client);
}

async function den(owner: ChatClient, members: string[]): Promise<string> {
  const made = { name: 'Den', kind: 'private', members, clientId: newClientId() } as const;
  const { room } = await owner.request('room:create', made);
  await owner.request('room:join', { room: room.id });
  return room.id;
}

/** The server that has sent a push. */
function senderOf({ headers }: TakenPush): string {
  const [, claims = ''] = headers.authorization?.split('.') ?? [];
  const { sub } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sub: string };
  return sub.replace(/^mailto:|@.*$/g, '');
}

/** Stops it where it holds up no other server, so that the other one has the lease and sends. */
const standsStill = (server: ChatServer) =>
  vi.waitFor(async () => {
    server.signal('SIGSTOP');
    const open = await database.query(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()`,
    );
    if (open.length > 0) server.signal('SIGCONT');
    expect(open).toEqual([]);
  }, hanging);

/** The first server has the lease. @param by somebody who is connected to it */
async function twoStandsStill(by: ChatClient): Promise<void> {
  await by.request('room:join', { room: 'lobby' });
  await standsStill(two);
  await vi.waitFor(
    async () => {
      await say(by, 'lobby');
      expect(await holder()).toBe(nameOfOne);
    },
    { timeout: hanging, interval: 1000 },
  );
}

const noPushesLeft = () =>
  vi.waitFor(async () => {
    expect(await database.query('SELECT user_id FROM chat_pushes WHERE due IS NOT NULL')).toEqual([]);
  }, hanging);

const nothingLeft = () =>
  vi.waitFor(async () => {
    await noPushesLeft();
    expect(await database.query('SELECT room_id FROM chat_due_rooms WHERE due IS NOT NULL')).toEqual([]);
  }, hanging);

test('of two servers one sends each push and each mail', async () => {
  const ids = Array.from({ length: size(6, 3) }, (_, n) => `many${n}`);
  const browsers = await Promise.all(ids.map((id, n) => away(n % 2 === 0 ? one : two, id)));
  const writers = [await connected(one, 'ann'), await connected(two, 'bob')];
  const rooms = await Promise.all(size([...writers, ...writers], writers).map((writer) => den(writer, ids)));
  await Promise.all(rooms.map((room, n) => say(writers[n % 2] as ChatClient, room)));
  await vi.waitFor(
    () => expect(service.taken.length).toBeGreaterThanOrEqual(rooms.length * ids.length),
    hanging,
  );
  await nothingLeft();
  for (const browser of browsers) {
    const of = browser
      .pushes()
      .map(({ notification }) => (notification as { data: { room: string } }).data.room);
    expect(of.sort()).toEqual([...rooms].sort());
  }
  // A server has a user to itself while it mails, and afterwards nothing is due.
  await vi.waitFor(
    async () => expect(await database.query('SELECT user_id FROM chat_due')).toEqual([]),
    hanging,
  );
  const mailed = mails.mails.flatMap(({ to }) => to).filter((address) => address.startsWith('many'));
  expect(mailed.sort()).toEqual(ids.map((id) => `${id}@site.example`).sort());
});

test('a message that was in a push of one server is not pushed by the other one', async () => {
  const ann = await connected(one, 'ann');
  const dan = await away(two, 'dan');
  const room = await den(ann, ['dan']);
  const lookedThroughAt = async () => {
    const [row] = await database.query(`SELECT due FROM chat_due_rooms WHERE room_id = '${room}'`);
    return row?.due;
  };
  await twoStandsStill(ann);
  await say(ann, room);
  // Its members are looked through for the first message, and later for the second one.
  await vi.waitFor(async () => expect(await lookedThroughAt()).toBeNull(), hanging);
  await say(ann, room);
  await vi.waitFor(async () => expect(await lookedThroughAt()).toBeTruthy(), hanging);
  // Usually one push is of both. On a machine that has stood still, each may have its own.
  const last = { notification: { data: { room, seq: 2 } } };
  await vi.waitFor(() => expect(dan.pushes().at(-1)).toMatchObject(last), hanging);
  const pushed = dan.taken().map(senderOf);
  expect(new Set(pushed)).toEqual(new Set(['one']));
  // A push that it has taken stays its own for longer than the test waits.
  await noPushesLeft();
  two.signal('SIGCONT');
  await standsStill(one);
  await nothingLeft();
  one.signal('SIGCONT');
  expect(dan.taken()).toHaveLength(pushed.length);
});

test('the server that holds the lease is killed while it sends: the other one goes on, and sends none again', async () => {
  const ann = await connected(one, 'ann');
  const [ben, cat] = [await away(two, 'ben'), await away(two, 'cat')];
  const [toBen, toCat] = [await den(ann, ['ben']), await den(ann, ['cat'])];
  await twoStandsStill(ann);
  // Nobody answers.
  service.answer = () => {};
  await say(ann, toBen);
  await vi.waitFor(() => expect(ben.taken().map(senderOf)).toEqual(['one']), hanging);
  await say(ann, toCat);
  expect(await holder()).toBe(nameOfOne);
  await one.stop('SIGKILL');
  service.answer = (response) => response.writeHead(201).end();
  clock.jump(claimed);
  two.signal('SIGCONT');
  await vi.waitFor(() => expect(cat.taken().map(senderOf)).toEqual(['two']), hanging);
  await nothingLeft();
  expect((await metrics(two.url)).get('chat_pushes_total{outcome="lost"}')).toBe(1);
  expect([ben.taken().length, cat.taken().length]).toEqual([1, 1]);
});
