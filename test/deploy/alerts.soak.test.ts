import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { alertsFile } from '../helpers/alerts.ts';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatServer, historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { type CodeIgniterSite, codeIgniterSite } from '../helpers/code-igniter.ts';
import { upload } from '../helpers/files.ts';
import { startGate } from '../helpers/gate.ts';
import { hanging } from '../helpers/hanging.ts';
import { postgresDatabase } from '../helpers/history-database.ts';
import { startMailServer } from '../helpers/mail-server.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../helpers/people.ts';
import { startPostgres } from '../helpers/postgres.ts';
import { browserKeys, startPushService } from '../helpers/push-service.ts';
import { startRedis } from '../helpers/redis.ts';
import { metrics } from '../helpers/server-figures.ts';
import { smallDisk } from '../helpers/small-disk.ts';

const execute = promisify(execFile);
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
/** Ends it with the test. */
function closes<T>(one: T, close: (one: T) => unknown): T {
  closing.push(() => close(one));
  return one;
}

/** The samples of a server; null if it does not answer. */
type Scraped = Map<string, number> | null;
const scrape = (server: { url: string }): Promise<Scraped> => metrics(server.url).catch(() => null);

/** Labels that Prometheus gives. */
const own = 'job="php-session-chat", instance="chat:7070"';

/** Scrapes in 15 s each: as it was for an hour, and then as it is for twenty minutes. */
const [before, since] = [240, 80];

/**
 * The alerts that Prometheus raises when a server has answered so for an hour, and then so for twenty minutes: what was
 * counted between the two goes on.
 */
async function raised(was: Map<string, number>, is: Scraped): Promise<string[]> {
  const series = [`up{${own}}`, ...new Set([...was.keys(), ...(is ?? new Map()).keys()])].flatMap((key) => {
    const [first, last] = key.startsWith('up{') ? [1, is === null ? 0 : 1] : [was.get(key), is?.get(key)];
    if (Number.isNaN(first) || Number.isNaN(last)) return [];
    // Other programs that keep this machine busy are no failure of the server.
    if (key.startsWith('nodejs_eventloop_lag')) return [];
    const named = key.includes('{') ? key.replace('{', `{${own}, `) : `${key}{${own}}`;
    const isCounter = /^chat_\w+_(total|bucket|sum|count)(\{|$)/.test(key);
    const step = isCounter ? Math.max(0, (last ?? 0) - (first ?? 0)) : 0;
    const values = [
      first === undefined ? `_x${before}` : `${first}+0x${before}`,
      last === undefined ? `_x${since}` : `${last}+${step}x${since}`,
    ];
    return [{ series: key.startsWith('up{') ? key : named, values: values.join(' ') }];
  });
  return alertsOf(series);
}

interface Series {
  series: string;
  /** As in the tests of promtool. */
  values: string;
}

/** The alerts at the end of these series. */
async function alertsOf(series: Series[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'chat-alerts-'));
  try {
    const file = join(folder, 'test.yml');
    const asks = (expected: string[]) => ({
      rule_files: [alertsFile],
      evaluation_interval: '15s',
      tests: [
        {
          interval: '15s',
          input_series: series,
          promql_expr_test: [
            {
              expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
              eval_time: `${(before + since) / 4}m`,
              exp_samples: expected.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
            },
          ],
        },
      ],
    });
    // promtool does not print what it finds, but how that differs from what it is told.
    writeFileSync(file, stringify(asks(['none'])));
    const said = await execute('promtool', ['test', 'rules', file]).then(
      () => {
        throw new Error('promtool found an alert that does not exist');
      },
      ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr,
    );
    const [, got] = /got: ?(.*)/.exec(said) ?? [];
    if (got === undefined) throw new Error(said);
    return [...got.matchAll(/alertname="(\w+)"/g)].map(([, alert = '']) => alert);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The alerts that a server raises from now on, while `fail` makes it fail until `shows` finds that in its metrics. */
async function raisedBy(
  server: { url: string },
  fail: () => unknown,
  shows: (samples: Map<string, number>) => boolean,
): Promise<string[]> {
  const was = (await scrape(server)) as Map<string, number>;
  await fail();
  let is: Scraped = null;
  await expect
    .poll(
      async () => {
        is = await scrape(server);
        return is !== null && shows(is);
      },
      { timeout: 2 * hanging },
    )
    .toBe(true);
  return raised(was, is);
}

const missing = (part: string) => (samples: Map<string, number>) =>
  samples.get(`chat_missing{part="${part}"}`) === 1;
/** Whether a series of this name, with this text in its labels, has counted something. */
const counted = (name: string, label: string) => (samples: Map<string, number>) =>
  [...samples].some(([key, value]) => key.startsWith(`${name}{`) && key.includes(label) && value > 0);

const send = (client: ChatClient, text = 'hello') =>
  client.raw('message:send', { room: 'lobby', text, clientId: newClientId() });

test('a server of several: the session store is silent, the bus is down, the database slow or silent, the server gone', async () => {
  const memcached = closes(await startMemcached(), (one) => one.stop());
  const postgres = closes(await startPostgres(), (one) => one.remove());
  const redis = closes(await startRedis(), (one) => one.stop());
  const [toStore, toDatabase, toBus] = [
    closes(await startGate(memcached.port), (gate) => gate.close()),
    closes(await startGate(postgres.port), (gate) => gate.close()),
    closes(await startGate(redis.port), (gate) => gate.close()),
  ];
  const history = closes(await postgresDatabase(postgres), (one) => one.close());
  await memcached.set('sessions/u1', '{"user_id":1}');
  const server = closes(
    await startChatServer({
      CHAT_SESSION_STORE: memcached.url.replace(String(memcached.port), String(toStore.port)),
      CHAT_HISTORY: history.url.replace(`:${postgres.port}/`, `:${toDatabase.port}/`),
      CHAT_CLUSTER: `redis://127.0.0.1:${toBus.port}`,
      CHAT_SESSION_GRACE: '1h',
    }),
    (one) => one.stop('SIGKILL'),
  );
  const ann = closes(await connectChat(server.url, 'PHPSESSID=u1'), (one) => one.close());
  await ann.request('room:join', { room: 'lobby' });
  const talk = async () => {
    for (let n = 0; n < 30; n++) expect(await send(ann)).toMatchObject({ ok: true });
  };
  // The first ones take longer, until the database has what it needs in its memory.
  await talk();
  expect(await raisedBy(server, talk, () => true)).toEqual([]);

  expect(await raisedBy(server, () => toStore.silence.begin(), missing('session store'))).toEqual([
    'ChatSessionStoreSilent',
  ]);
  toStore.silence.end();
  await expect.poll(async () => (await fetch(`${server.url}/readyz`)).status, { timeout: hanging }).toBe(200);

  expect(await raisedBy(server, () => toBus.outage.begin(), missing('bus'))).toEqual(['ChatBusDown']);
  await toBus.outage.end();
  await expect.poll(async () => (await fetch(`${server.url}/readyz`)).status, { timeout: hanging }).toBe(200);

  const { room: den } = await ann.request('room:create', {
    name: 'Den',
    kind: 'private',
    clientId: newClientId(),
  });
  await history.query('ALTER TABLE chat_audit RENAME TO chat_away');
  const act = () => ann.request('room:update', { room: den.id, topic: 'Beans' });
  expect(await raisedBy(server, act, counted('chat_changes_failed_total', 'audit'))).toEqual([
    'ChatChangesFail',
  ]);
  await history.query('ALTER TABLE chat_away RENAME TO chat_audit');

  await memcached.set('sessions/u2', 'no session');
  const misfit = () => connectChat(server.url, 'PHPSESSID=u2').catch(() => {});
  expect(await raisedBy(server, misfit, counted('chat_refusals_total', 'session_invalid'))).toEqual([
    'ChatSessionsInvalid',
  ]);

  toDatabase.delay.begin(200);
  expect(await raisedBy(server, talk, () => true)).toEqual(['ChatHistorySlow']);
  toDatabase.delay.end();
  await talk();

  expect(await raisedBy(server, () => toDatabase.silence.begin(), missing('history'))).toEqual([
    'ChatHistoryFails',
  ]);
  const was = (await scrape(server)) as Map<string, number>;
  await server.stop('SIGKILL');
  expect(await raised(was, await scrape(server))).toEqual(['ChatDown']);
});

test('a disk is full: first for a file, then for a message', async () => {
  const memcached = closes(await startMemcached(), (one) => one.stop());
  await memcached.set('sessions/u1', '{"user_id":1}');
  const disk = closes(
    await smallDisk(8 * 1024 * 1024, {
      CHAT_SESSION_STORE: memcached.url,
      CHAT_FILES: 'dir:/mnt/files',
      CHAT_ORIGINS: 'https://www.example.org',
    }),
    (one) => one.remove(),
  );
  const server = closes(await disk.start(), (one) => one.stop('SIGKILL'));
  const ann = closes(await connectChat(server.url, 'PHPSESSID=u1'), (one) => one.close());
  await ann.request('room:join', { room: 'lobby' });
  expect(await send(ann)).toMatchObject({ ok: true });
  expect((await upload(server.url, 'PHPSESSID=u1', 'words')).status).toBe(201);
  disk.fill();
  const store = async () => void (await upload(server.url, 'PHPSESSID=u1', Buffer.alloc(100_000)));
  expect(await raisedBy(server, store, counted('chat_uploads_total', 'storage_full'))).toEqual([
    'ChatFilesFail',
  ]);
  const write = async () => {
    for (let n = 0; n < 2000 && (await send(ann, 'long '.repeat(500))).ok; n++);
  };
  expect(await raisedBy(server, write, counted('chat_requests_total', 'storage_full'))).toEqual([
    'ChatHistoryFails',
  ]);
});

test('a mail server, a push service and a site refuse what they are sent', async () => {
  const mails = closes(await startMailServer(), (one) => one.stop());
  const pushes = closes(await startPushService(), (one) => one.close());
  pushes.answer = (response) => response.writeHead(403).end();
  let status = 204;
  const receiver = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status).end());
  });
  closing.push(() => {
    receiver.closeAllConnections();
    receiver.close();
  });
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  const kept = closes(historyFolder(), (one) => one.remove());
  writeFileSync(`${kept.path}.push-key`, randomBytes(32).toString('base64'));
  writeFileSync(`${kept.path}.key`, `whsec_${randomBytes(24).toString('base64')}\n`);
  const site = closes(
    await startPeopleSite(
      {
        CHAT_HISTORY: kept.url,
        CHAT_PUSH_CONTACT: 'mailto:owner@example.org',
        CHAT_PUSH_KEY_FILE: `${kept.path}.push-key`,
        CHAT_PUSH_HOSTS: pushes.host,
        NODE_EXTRA_CA_CERTS: pushes.certificate,
        CHAT_MAIL: mails.url,
        CHAT_MAIL_FROM: 'chat@garden.example',
        CHAT_URL: 'https://garden.example/chat',
        CHAT_PAGE_URL: 'https://garden.example/talk',
        CHAT_USER_MAIL: 'account.mail',
        CHAT_NOTIFY_AFTER: '200ms',
        CHAT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
        CHAT_WEBHOOK_KEY_FILE: `${kept.path}.key`,
        CHAT_WEBHOOK_EVENTS: 'message.created',
      },
      startChatServer,
    ),
    (one: PeopleSite) => one.close(),
  );
  const [ann, ben, joe, eve] = [
    await site.person(),
    await site.person({ account: { mail: 'ben@site.example' } }),
    await site.person({ account: { mail: 'joe@site.example' } }),
    await site.person(),
  ];
  for (const one of [ben, joe, eve]) await one.request('notify:set', { quiet: null });
  /** Ann writes in a new private room. */
  const writeTo = async (...people: Person[]) => {
    const { id: den } = await site.den(ann, people);
    await ann.request('room:join', { room: den });
    await say(ann, den);
  };

  mails.refusals.set('joe@site.example', '451 4.3.0 not now');
  expect(await raisedBy(site.chat, () => writeTo(joe), counted('chat_mails_total', 'failed'))).toEqual([
    'ChatMailsWait',
  ]);
  mails.refusals.set('ben@site.example', '550 5.1.1 nobody of this name');
  expect(await raisedBy(site.chat, () => writeTo(ben), counted('chat_mails_total', 'refused'))).toEqual([
    'ChatMailsGivenUp',
  ]);

  const key = ((await (await fetch(`${site.chat.url}/push/key`)).json()) as { key: string }).key;
  const { p256dh, auth } = browserKeys();
  await eve.request('device:register', {
    endpoint: `https://${pushes.host}/1`,
    p256dh: p256dh.toString('base64url'),
    auth: auth.toString('base64url'),
    key,
    page: 'http://localhost:8080/forum/',
  });
  expect(await raisedBy(site.chat, () => writeTo(eve), counted('chat_pushes_total', 'refused'))).toEqual([
    'ChatPushesGivenUp',
  ]);

  status = 503;
  expect(await raisedBy(site.chat, () => writeTo(), counted('chat_webhooks_total', 'failed'))).toEqual([
    'ChatWebhooksWait',
  ]);
  status = 410;
  expect(await raisedBy(site.chat, () => writeTo(), counted('chat_webhooks_total', 'gone'))).toEqual([
    'ChatWebhooksGivenUp',
  ]);
});

test('a server is killed again and again', async () => {
  const memcached = closes(await startMemcached(), (one) => one.stop());
  const starts: number[] = [];
  for (let n = 0; n < 4; n++) {
    const server = await startChatServer({ CHAT_SESSION_STORE: memcached.url });
    starts.push((await scrape(server))?.get('process_start_time_seconds') ?? Number.NaN);
    await server.stop('SIGKILL');
  }
  /** The last ones are a minute apart. */
  const values = starts.map((start, n) => `${start}+0x${n === 0 ? before + since - 13 : 3}`);
  expect(
    await alertsOf([
      { series: `up{${own}}`, values: `1+0x${before + since}` },
      { series: `process_start_time_seconds{${own}}`, values: values.join(' ') },
    ]),
  ).toEqual(['ChatRestarts']);
});

test('a server has read another configuration of the site than the other one, or cannot read it', async () => {
  const postgres = closes(await startPostgres(), (one) => one.remove());
  const history = closes(await postgresDatabase(postgres), (one) => one.close());
  const sites: CodeIgniterSite[] = [];
  const start = async (node: string, cookie: string): Promise<ChatServer> => {
    const site = closes(codeIgniterSite(cookie), (one) => one.remove());
    sites.push(site);
    const env = {
      CHAT_HISTORY: history.url,
      CHAT_CLUSTER: 'postgres',
      CHAT_NODE: node,
      CHAT_SITE: site.folder,
      CHAT_USER_ID: 'user_id',
      CHAT_USER_NAME: 'firstname',
    };
    return closes(await startChatServer(env), (one) => one.stop());
  };
  const one = await start('one', 'ci_session');
  const two = await start('two', 'other_session');
  await two.until(/this one is not ready/);
  const [was, is] = [await scrape(one), await scrape(two)];
  expect(await raised(was as Map<string, number>, is)).toEqual(['ChatSiteDiffers']);

  writeFileSync(`${sites[0]?.folder}/app/Config/Session.php`, '<?php class Session {');
  const read = () => process.kill(one.pid, 'SIGHUP');
  const isUnreadable = (samples: Map<string, number>) => samples.get('chat_site_unreadable') === 1;
  expect(await raisedBy(one, read, isUnreadable)).toEqual(['ChatSiteUnreadable']);
  sites[0]?.write('ci_session');
  read();
  await one.until(/the configuration of the site can be read/);
  expect((await scrape(one))?.get('chat_site_unreadable')).toBe(0);
});
