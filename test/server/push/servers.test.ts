import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type ChatClient, connectChat } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';
import { type HistoryDatabase, postgresDatabase } from '../../helpers/history-database.ts';
import { startMailServer, type TestMailServer } from '../../helpers/mail-server.ts';
import { noon } from '../../helpers/noon.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';
import { type Postgres, startPostgres } from '../../helpers/postgres.ts';
import {
  type PushServiceOfTest,
  pushKeyOf,
  registerBrowser,
  startPushService,
  trust,
} from '../../helpers/push-service.ts';

let postgres: Postgres;
let database: HistoryDatabase;
let service: PushServiceOfTest;
let mails: TestMailServer;
let site: PeopleSite;
let two: RunningChat;
const keyFile = join(tmpdir(), `push-key-${process.pid}`);
beforeAll(async () => {
  [postgres, service, mails] = await Promise.all([startPostgres(), startPushService(), startMailServer()]);
  trust(service);
  database = await postgresDatabase(postgres);
  writeFileSync(keyFile, randomBytes(32).toString('base64'));
  const env = {
    CHAT_HISTORY: database.url,
    CHAT_CLUSTER: 'postgres',
    CHAT_DRAIN: '0s',
    CHAT_PUSH_CONTACT: 'mailto:owner@example.org',
    CHAT_PUSH_KEY_FILE: keyFile,
    CHAT_PUSH_HOSTS: service.host,
    CHAT_MAIL: mails.url,
    CHAT_MAIL_FROM: 'chat@garden.example',
    CHAT_URL: 'https://garden.example/chat',
    CHAT_USER_MAIL: 'mail',
    CHAT_NOTIFY_AFTER: '1s',
    CHAT_TIME_ZONE: noon,
  };
  site = await startPeopleSite({ ...env, CHAT_NODE: 'one' });
  two = await chatServerHere({ ...env, CHAT_NODE: 'two', CHAT_SESSION_STORE: site.memcached.url });
});
afterAll(async () => {
  await two?.stop();
  await site?.close();
  await database?.close();
  await Promise.all([service?.close(), mails?.stop(), postgres?.remove()]);
  rmSync(keyFile, { force: true });
});

/** The same user on the second server. */
const onTwo = async (person: Person): Promise<ChatClient> => connectChat(two.url, person.cookie);

test('of two servers one sends each push and each mail', async () => {
  const away = await Promise.all(
    [0, 1, 2].map(async (n) => {
      const person = await site.person({ mail: `many${n}@site.example` });
      const client = n === 1 ? await onTwo(person) : person;
      return { person, browser: await registerBrowser(service, await pushKeyOf(site.chat), client) };
    }),
  );
  const [ann, bob] = await site.people(2);
  const rooms = [];
  for (const [owner, writer] of [[ann, ann] as const, [bob, await onTwo(bob)] as const]) {
    const { id } = await site.den(
      owner,
      away.map(({ person }) => person),
    );
    await writer.request('room:join', { room: id });
    rooms.push(id);
    await say(writer, id);
  }
  await vi.waitFor(() => expect(service.taken.length).toBeGreaterThanOrEqual(6), hanging);
  const nothingLeft = async (query: string) =>
    vi.waitFor(async () => expect(await database.query(query)).toEqual([]), hanging);
  await nothingLeft('SELECT user_id FROM chat_pushes WHERE due IS NOT NULL');
  await nothingLeft('SELECT room_id FROM chat_due_rooms WHERE due IS NOT NULL');
  for (const { browser } of away) {
    const of = browser.pushes().map(({ notification }) => notification as { data: { room: string } });
    expect(of.map(({ data }) => data.room).sort()).toEqual([...rooms].sort());
  }
  // A server has a user to itself while it mails, and afterwards nothing is due.
  await nothingLeft('SELECT user_id FROM chat_due');
  const mailed = mails.mails.flatMap(({ to }) => to);
  expect(mailed.sort()).toEqual([0, 1, 2].map((n) => `many${n}@site.example`));
});
