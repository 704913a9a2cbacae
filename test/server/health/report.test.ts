import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { findLocalServer } from '../../../server/health/local-socket.ts';
import { openHistory } from '../../../server/history/open.ts';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { emptyHistory, startChatServer, usual } from '../../helpers/chat-server.ts';
import { ownPort } from '../../helpers/child.ts';
import { doctorRun } from '../../helpers/doctor-says.ts';
import { hanging } from '../../helpers/hanging.ts';
import { postgresDatabase } from '../../helpers/history-database.ts';
import { startMailServer } from '../../helpers/mail-server.ts';
import { startUnprivileged } from '../../helpers/other-account.ts';
import { unexpectedFailure } from '../../helpers/own-history.ts';
import { apiKey } from '../../helpers/people.ts';
import { startPostgres } from '../../helpers/postgres.ts';
import { roomsOf } from '../../helpers/rooms-of.ts';

const sessions = mkdtempSync(join(tmpdir(), 'report-'));
afterAll(() => rmSync(sessions, { recursive: true }));

/** Settings of a server that the doctor can find. */
async function settings() {
  const history = await emptyHistory();
  onTestFinished(() => history.remove());
  return {
    path: history.path,
    env: {
      ...usual,
      CHAT_PORT: String(await ownPort()),
      CHAT_SESSION_STORE: `file://${sessions}`,
      CHAT_HISTORY: history.url,
      CHAT_FILES: history.files,
    },
  };
}

const firstFinding = (output: string) => /^[✓!✗] .*$/m.exec(output)?.[0];

test('the doctor first shows the report of the running server', async () => {
  const { env } = await settings();
  const server = await chatServerHere(env);
  onTestFinished(async () => void (await server.stop()));
  const { code, output } = await doctorRun(env);
  expect(firstFinding(output)).toBe('✓ The chat server runs, and reports:');
  expect(output).toMatch(/^✓ The server can read logins\.$/m);
  expect(output).toMatch(/^✓ The server uses the history .*chat\.db\.$/m);
  expect(output).toMatch(/^✓ The server can store files in the folder /m);
  expect(code).toBe(0);
});

test('the doctor first says that no server runs, as a problem', async () => {
  const { env } = await settings();
  const server = await chatServerHere(env);
  await server.stop();
  const { code, output } = await doctorRun(env);
  expect(firstFinding(output)).toMatch(
    /^✗ The chat server does not run: nothing answers at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)/,
  );
  expect(code).toBe(1);
});

test('the doctor tells a server without a report from a missing server', async () => {
  const { env } = await settings();
  const other = await emptyHistory();
  const server = await chatServerHere({ ...env, CHAT_HISTORY: other.url });
  onTestFinished(async () => {
    await server.stop();
    other.remove();
  });
  const { output } = await doctorRun(env);
  expect(firstFinding(output)).toMatch(/^! A chat server answers at .*, but cannot be asked for its report/);
});

test('the doctor goes on if the server ends after its report', async () => {
  const { env, path } = await settings();
  const server = await chatServerHere(env);
  const local = await findLocalServer({ history: { kind: 'sqlite', path }, port: server.port });
  if ('code' in local) return expect.unreachable(local.code);
  expect(await local.openProbe()).toMatch(/^[\w-]{36}$/);
  await server.stop();
  expect([await local.openProbe(), await local.arrivalOf('x')]).toEqual([undefined, undefined]);
});

test('the doctor names settings that changed since the start of the server', async () => {
  const { env } = await settings();
  const server = await chatServerHere(env);
  onTestFinished(async () => void (await server.stop()));
  const { output } = await doctorRun({
    ...env,
    CHAT_ORIGINS: 'https://www.example.org',
    CHAT_NAME: 'Garden',
  });
  expect(output).toMatch(
    /^! The running server started with other values of CHAT_ORIGINS, CHAT_NAME\.\n {2}→ Restart/m,
  );
});

test('the doctor recommends single origins only, whatever a client sent as its origin', async () => {
  const { env } = await settings();
  const given = { ...env, CHAT_ORIGINS: 'https://www.example.org' };
  const server = await chatServerHere(given);
  onTestFinished(async () => void (await server.stop()));
  const refused = async (headers: Record<string, string>) => {
    const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const [response] = await once(get(url, { headers }), 'response');
    response.resume();
    expect(response.statusCode, headers.origin).toBe(403);
  };
  for (const origin of [
    'https://www.example.org/,https://evil.example',
    'https://www.example.org,https://evil.example',
    'https://*.example.org',
    'https://evil@www.example.org',
  ])
    await refused({ origin, host: 'www.example.org' });
  await refused({ origin: 'https://www.example.org,https://evil', host: 'www.example.org,https' });
  await refused({ origin: 'http://www.example.org' });
  await refused({ origin: 'https://evil.example', host: 'evil.example' });
  const { output } = await doctorRun(given);
  const advice = 'Only if pages of your site have this origin, add it, and restart the server: CHAT_ORIGINS';
  expect(output).toContain(`${advice}=https://www.example.org,http://www.example.org.`);
  expect(output).toContain(`${advice}=https://www.example.org,https://evil.example.`);
  expect(output.match(/may not connect: CHAT_ORIGINS/g)).toHaveLength(2);
});

test('doctor --chat leaves nothing in the log of the server', async () => {
  const { env } = await settings();
  const server = await chatServerHere(env);
  const before = server.output().length;
  const { output } = await doctorRun({ ...env, CHAT_URL: server.url });
  expect(output).toMatch(/^✓ A WebSocket reaches/m);
  expect(output).toMatch(/^✓ Polling also reaches/m);
  await server.stop();
  expect(server.output().slice(before)).not.toMatch(/"level":[456]0/);
});

test('only the account of the server may open its socket, and a killed server does not prevent the next start', async () => {
  const { env, path } = await settings();
  const killed = await startChatServer(env);
  expect(statSync(`${path}-server`).mode & 0o777).toBe(0o600);
  await killed.stop('SIGKILL');
  expect(existsSync(`${path}-server`)).toBe(true);
  const next = await chatServerHere(env);
  expect(firstFinding((await doctorRun(env)).output)).toBe('✓ The chat server runs, and reports:');
  await next.stop();
  expect(existsSync(`${path}-server`)).toBe(false);
});

test('the doctor reports that no member of the team is known until one opens the chat', async () => {
  const { env } = await settings();
  const session = 'b'.repeat(26);
  writeFileSync(join(sessions, `sess_${session}`), 'user_id|i:8;firstname|s:3:"Ida";');
  const all = { ...env, CHAT_TEAM: '8' };
  const server = await chatServerHere(all);
  onTestFinished(async () => void (await server.stop()));
  expect((await doctorRun(all)).output).toMatch(/^! No user of the team \(CHAT_TEAM\) has opened the chat/m);
  (await connectChat(server.url, `PHPSESSID=${session}`)).close();
  await expect.poll(async () => (await doctorRun(all)).output).not.toContain('No user of the team');
});

test('the doctor reports events that the site does not accept until it accepts one', async () => {
  const { env, path } = await settings();
  let status = 500;
  const site = createServer((_, res) => res.writeHead(status).end()).listen(0, '127.0.0.1');
  await once(site, 'listening');
  const key = join(sessions, 'webhook-key');
  writeFileSync(key, `whsec_${Buffer.alloc(32, 7).toString('base64')}\n`);
  const session = 'a'.repeat(26);
  writeFileSync(join(sessions, `sess_${session}`), 'user_id|i:7;firstname|s:3:"Ann";');
  const all = {
    ...env,
    CHAT_WEBHOOK_URL: `http://127.0.0.1:${(site.address() as AddressInfo).port}/events?key=geheim`,
    CHAT_WEBHOOK_KEY_FILE: key,
    CHAT_WEBHOOK_EVENTS: 'message.created',
  };
  let server = await chatServerHere(all);
  onTestFinished(async () => {
    await server.stop();
    site.close();
  });
  let client = await connectChat(server.url, `PHPSESSID=${session}`);
  await client.request('room:join', { room: 'lobby' });
  const send = () =>
    client.request('message:send', { room: 'lobby', clientId: crypto.randomUUID(), text: 'hello' });
  const doctor = async () => (await doctorRun(all)).output;
  await send();
  await expect
    .poll(doctor)
    .toMatch(
      /^✗ The site does not accept events at http:\/\/127\.0\.0\.1:\d+\/events: .*500.* Waiting events: 1\./m,
    );
  expect(await doctor()).not.toContain('geheim');
  client.close();

  await server.stop();
  const history = new DatabaseSync(path);
  // As after the last attempt.
  history.exec('UPDATE chat_webhooks SET due = NULL');
  history.close();
  server = await chatServerHere(all);
  expect(await doctor()).toMatch(
    /^! The site did not accept events at .*, and they are not retried any more: 1\.\n {2}→ .*POST \/api\/webhooks\/retry/m,
  );

  client = await connectChat(server.url, `PHPSESSID=${session}`);
  await client.request('room:join', { room: 'lobby' });
  await send();
  await expect.poll(doctor).toContain('✗ The site does not accept events');
  status = 204;
  await send();
  await expect.poll(doctor).not.toContain('✗ The site does not accept events');
  client.close();
});

test('doctor --chat takes no other server behind the proxy for a proxy that cuts WebSockets', async () => {
  const { env } = await settings();
  const servers = [
    await chatServerHere(env),
    await chatServerHere({ CHAT_SESSION_STORE: `file://${sessions}` }),
  ];
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.stop()))));
  const { output } = await doctorRun(env, '--chat', `${servers[1]?.url}`);
  expect(output).toMatch(/^✓ A WebSocket reaches/m);
  expect(output).not.toContain('quiet');
});

test('doctor --chat goes on if the web server refuses one WebSocket of several', async () => {
  const { env } = await settings();
  const server = await chatServerHere(env);
  let upgrades = 0;
  const web = createTcpServer((visitor) => {
    visitor.on('error', () => {});
    visitor.once('data', (head) => {
      // The second one waits for the first ping.
      if (/^upgrade: websocket/im.test(head.toString('latin1')) && ++upgrades === 2)
        return visitor.end('HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n');
      const chat = connect(server.port, '127.0.0.1');
      chat.on('error', () => visitor.destroy());
      chat.write(head);
      visitor.pipe(chat).pipe(visitor);
    });
  }).listen(0, '127.0.0.1');
  await once(web, 'listening');
  onTestFinished(async () => {
    web.close();
    await server.stop();
  });
  const address = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const { output } = await doctorRun({ ...env, CHAT_ORIGINS: address }, '--chat', address);
  expect(upgrades).toBe(2);
  expect(output).toMatch(/^✓ A WebSocket reaches/m);
  expect(output).toMatch(/^✓ The session store answers\.$/m);
});

test('the doctor finds a server whose history is in a database', async () => {
  const database = await startPostgres();
  const { url, close } = await postgresDatabase(database);
  const { env } = await settings();
  const all = { ...env, CHAT_HISTORY: url };
  onTestFinished(async () => {
    await close();
    await database.remove();
  });
  const server = await chatServerHere(all);
  const { code, output } = await doctorRun(all);
  await server.stop();
  expect(firstFinding(output)).toBe('✓ The chat server runs, and reports:');
  expect(output).toMatch(/^✓ The server uses the history postgres:\/\/127\.0\.0\.1:\d+\/chat_\d+\.$/m);
  expect(code).toBe(0);
});

// Only root can run the doctor as another account.
const asRoot = process.getuid?.() === 0 ? test : () => {};
asRoot('a doctor of another account says which account may ask', async () => {
  const { env, path } = await settings();
  const server = await chatServerHere(env);
  chmodSync(dirname(path), 0o711);
  chmodSync(sessions, 0o755);
  const doctor = startUnprivileged(['server/command/main.ts', 'doctor', '--settings='], {
    ...env,
    PATH: process.env.PATH,
    NODE_COMPILE_CACHE: undefined,
  });
  await once(doctor.process, 'close');
  await server.stop();
  expect(firstFinding(doctor.output())).toMatch(
    /^! A chat server answers at .*, but cannot be asked for its report \(EACCES\)\./,
  );
});

test('a mail that was in flight when a server crashed is no fault of the mail server', async () => {
  const { env, path } = await settings();
  const mailServer = await startMailServer();
  const history = await openHistory({ kind: 'sqlite', path }, { onFailure: unexpectedFailure });
  const at = Date.now() - hanging;
  const { den, say } = roomsOf(history, at);
  for (const id of ['1', '7']) await history.write.arrive({ user: { id, name: id }, at });
  await den('den', ['1', '7']);
  await say('den', '1');
  await history.write.noteDue({ room: 'den', users: ['7'], due: at, pushes: [], pushDue: at });
  const until = at + 1;
  await history.write.claimDueUsers({ at, until, most: 1 });
  await history.write.noteNotified({ user: '7', rooms: ['den'], until, at, sending: true });
  await history.close();
  const all = {
    ...env,
    CHAT_URL: `http://127.0.0.1:${env.CHAT_PORT}`,
    CHAT_MAIL: mailServer.url,
    CHAT_MAIL_FROM: 'chat@site.example',
    CHAT_USER_MAIL: 'mail',
  };
  const server = await chatServerHere(all);
  onTestFinished(async () => {
    await server.stop();
    await mailServer.stop();
  });
  const metrics = async () => (await fetch(`${server.url}/metrics`)).text();
  await expect.poll(metrics, { timeout: hanging }).toContain('chat_mails_total{outcome="lost"} 1');
  expect((await doctorRun(all)).output).not.toMatch(/^✗/m);
});

test('the doctor says how many users a mail may be due for, and when the first is checked', async () => {
  const { env, path } = await settings();
  writeFileSync(`${path}.key`, `whsec_${Buffer.alloc(24, 'a').toString('base64')}\n`);
  const all = {
    ...env,
    CHAT_API_KEY: apiKey,
    CHAT_WEBHOOK_URL: 'http://127.0.0.1:9/',
    CHAT_WEBHOOK_KEY_FILE: `${path}.key`,
    CHAT_WEBHOOK_EVENTS: 'notify.due',
  };
  const server = await chatServerHere(all);
  onTestFinished(async () => void (await server.stop()));
  const call = async (method: string, place: string, body: object) => {
    const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
    const answer = await fetch(`${server.url}/api/${place}`, { method, headers, body: JSON.stringify(body) });
    expect(answer.ok).toBe(true);
  };
  await call('PUT', 'users', { users: [{ id: '7', name: 'Zoe' }] });
  await call('PUT', 'rooms/team', { kind: 'private', name: 'Team' });
  await call('PATCH', 'rooms/team/members', { add: ['7'] });
  const user = { id: 'shop', name: 'Shop' };
  await call('POST', 'rooms/team/messages', { user, text: 'hello', clientId: newClientId() });
  await expect
    .poll(async () => (await doctorRun(all)).output, { timeout: hanging })
    .toMatch(
      /^✓ One user has messages that may need a mail\. The first is checked at \d{4}-\d\d-\d\d \d\d:\d\d UTC: /m,
    );
});
