/**
 * The cost of notifying 100,000 offline users with unread messages through the site's webhook, compared with a server
 * without notifications: CPU of all threads and memory, in 1,000 private rooms of 100 members.
 * Run: npm run bench away
 */
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { openSqliteHistory } from '../server/history/sqlite/sqlite.ts';
import { connectChat, newClientId } from '../test/helpers/chat-client.ts';
import { historyFolder, startChatServer } from '../test/helpers/chat-server.ts';
import { startMemcached } from '../test/helpers/memcached.ts';
import { cpuSeconds } from './load.ts';

const rooms = 1000;
const members = 100;
/** A time zone where it is noon now, outside the quiet hours. */
const east = 12 - new Date().getUTCHours();
const noon = `Etc/GMT${east < 0 ? '+' : '-'}${Math.abs(east)}`;
/** The duration in ms of the measurement while all users are offline. */
const idle = 30_000;

let events = 0;
const site = createServer((request, response) => {
  request.resume().on('end', () => {
    events++;
    response.writeHead(204).end();
  });
});
await once(site.listen(0, '127.0.0.1'), 'listening');
const folder = mkdtempSync(join(tmpdir(), 'bench-away-'));
const keyFile = join(folder, 'key');
writeFileSync(keyFile, `whsec_${Buffer.alloc(32, 'k').toString('base64')}\n`);

const history = historyFolder();
await (await openSqliteHistory({ path: history.path, onFailure: console.error })).close();
const db = new DatabaseSync(history.path);
db.exec('PRAGMA synchronous = OFF; BEGIN');
const user = db.prepare('INSERT INTO chat_users (id, name, acted_public) VALUES (?, ?, 0)');
const arrival = db.prepare('INSERT INTO chat_arrivals (user_id, at) VALUES (?, 0)');
const room = db.prepare(
  `INSERT INTO chat_rooms (id, kind, name, public_key, head, last_seq, access, members, created_at)
     VALUES (?, 'private', ?, ?, 0, 0, 0, ?, 0)`,
);
const member = db.prepare(
  `INSERT INTO chat_members (user_id, room, sources, role, read_seq, acted, since, sort)
     VALUES (?, ?, 2, 'member', 0, 1, 0, ?)`,
);
user.run('ann', 'Ann');
for (let n = 0; n < rooms; n++) {
  const num = Number(room.run(`r${n}`, `Room ${n}`, `r${n}`, members + 1).lastInsertRowid);
  member.run('ann', num, 'ann');
  for (let k = 0; k < members; k++) {
    const id = `u${n * members + k}`;
    user.run(id, id);
    arrival.run(id);
    member.run(id, num, id);
  }
}
db.exec('COMMIT');
db.close();
const copy = historyFolder();
copyFileSync(history.path, copy.path);

const memcached = await startMemcached();
await memcached.set('sessions/ann', JSON.stringify({ user_id: 'ann', firstname: 'Ann' }));
const base = { CHAT_SESSION_STORE: memcached.url, CHAT_LOG_LEVEL: 'warn' };
const servers = [
  { name: 'without', server: await startChatServer({ ...base, CHAT_HISTORY: copy.url }) },
  {
    name: 'with',
    server: await startChatServer({
      ...base,
      CHAT_HISTORY: history.url,
      CHAT_WEBHOOK_URL: `http://127.0.0.1:${(site.address() as AddressInfo).port}/events`,
      CHAT_WEBHOOK_KEY_FILE: keyFile,
      CHAT_WEBHOOK_EVENTS: 'notify.due',
      CHAT_NOTIFY_AFTER: '2m',
      CHAT_TIME_ZONE: noon,
    }),
  },
];
const megabytes = (pid: number) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
const counted = new DatabaseSync(history.path, { readOnly: true, timeout: 10_000 });
const due = () => Number(counted.prepare('SELECT count(*) AS num FROM chat_due').get()?.num);
const seconds = (since: number) => ((performance.now() - since) / 1000).toFixed(0);

try {
  for (const { name, server } of servers) {
    const [before, began] = [cpuSeconds(server.pid), performance.now()];
    const ann = await connectChat(server.url, 'PHPSESSID=ann');
    for (let n = 0; n < rooms; n++) {
      await ann.request('room:join', { room: `r${n}` });
      await ann.request('message:send', { room: `r${n}`, text: 'Hello all.', clientId: newClientId() });
    }
    if (name === 'with') while (due() < rooms * members) await pause(500);
    console.log(
      `${name}: ${rooms} messages in ${seconds(began)} s, ${(cpuSeconds(server.pid) - before).toFixed(1)} s of CPU`,
    );
    ann.close();
  }
  await pause(5000);
  const before = servers.map(({ server }) => cpuSeconds(server.pid));
  await pause(idle);
  for (const [n, { name, server }] of servers.entries()) {
    const cpu = (1000 * (cpuSeconds(server.pid) - (before[n] ?? 0))) / (idle / 1000);
    console.log(
      `${name}: while they are away ${cpu.toFixed(1)} ms of CPU a second, ${megabytes(server.pid).toFixed(0)} MB`,
    );
  }
  const notifying = servers[1]?.server.pid ?? 0;
  while (events === 0) await pause(200);
  const [start, began] = [cpuSeconds(notifying), performance.now()];
  let most = 0;
  while (events < rooms * members) {
    most = Math.max(most, megabytes(notifying));
    await pause(200);
  }
  console.log(
    `with: ${events} notices in ${seconds(began)} s, ${(cpuSeconds(notifying) - start).toFixed(1)} s of CPU, at most ${most.toFixed(0)} MB`,
  );
} finally {
  counted.close();
  for (const { server } of servers) await server.stop();
  site.closeAllConnections();
  site.close();
  rmSync(folder, { recursive: true });
  history.remove();
  copy.remove();
  await memcached.stop();
}
