/**
 * The cost of a list of 10,000 rooms and of a room with 10,000 members, compared with 10 of each: connecting, loading
 * the lists, sending, and notifying 1,000 members who have not opened the room.
 * Run: npm run bench rooms
 */
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { openSqliteHistory } from '../server/history/sqlite/sqlite.ts';
import { type ChatClient, connectChat, newClientId } from '../test/helpers/chat-client.ts';
import { type ChatServer, historyFolder, startChatServer } from '../test/helpers/chat-server.ts';
import { startMemcached } from '../test/helpers/memcached.ts';
import { percentile } from '../test/helpers/server-figures.ts';
import { LightClient, socketIo } from './light-client.ts';

const watching = 1000;
const memcached = await startMemcached();

interface Size {
  rooms: number;
  members: number;
}

async function start({ rooms, members }: Size): Promise<{ server: ChatServer; remove(): void }> {
  const folder = historyFolder();
  await (await openSqliteHistory({ path: folder.path, onFailure: console.error })).close();
  const db = new DatabaseSync(folder.path);
  db.exec('PRAGMA synchronous = OFF; BEGIN');
  const room = db.prepare(
    'INSERT INTO chat_rooms (id, kind, name, public_key, head, last_seq, access, members, created_at) VALUES (?, ?, ?, ?, 0, 0, 0, ?, 0)',
  );
  for (let n = 0; n < rooms; n++) {
    const name = `Room number ${n} of Zoë’s`;
    room.run(`room-${n}`, 'public', name, name.toLowerCase(), 0);
  }
  const hall = Number(room.run('hall', 'private', 'Hall', 'hall', members).lastInsertRowid);
  const user = db.prepare('INSERT INTO chat_users (id, name, acted_public) VALUES (?, ?, 1)');
  const key = db.prepare('INSERT INTO chat_user_keys (find_key, user_id) VALUES (?, ?)');
  const member = db.prepare(
    `INSERT INTO chat_members (user_id, room, sources, role, read_seq, acted, since, sort) VALUES (?, ?, 2, 'member', 0, 1, 0, ?)`,
  );
  for (let n = 0; n < members; n++) {
    const [id, name] = [`m${n}`, `Member ${n}`];
    user.run(id, name);
    key.run(name.toLowerCase(), id);
    member.run(id, hall, name.toLowerCase());
  }
  db.exec('COMMIT');
  db.close();
  const server = await startChatServer({ CHAT_SESSION_STORE: memcached.url, CHAT_HISTORY: folder.url });
  return { server, remove: folder.remove };
}

/** Returns the CPU time of all threads, in seconds. */
function cpu({ pid }: ChatServer): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function times(count: number, task: (n: number) => Promise<unknown>): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    await task(n);
    all.push(performance.now() - began);
  }
  return all;
}

const sizes: Size[] = [
  { rooms: 10, members: 10 },
  { rooms: 10_000, members: 10_000 },
];
for (let n = 0; n < Math.max(watching, 10); n++) {
  await memcached.set(`sessions/m${n}`, JSON.stringify({ user_id: `m${n}`, firstname: `Member ${n}` }));
}
await memcached.set('sessions/eve', '{"user_id":"eve"}');
const rows = new Map<string, string[]>();
const note = (name: string, figure: string) => rows.set(name, [...(rows.get(name) ?? []), figure]);
const figures = (all: number[]) =>
  `${percentile(all, 0.5).toFixed(1)} / ${percentile(all, 0.99).toFixed(1)} ms`;

for (const size of sizes) {
  const began = performance.now();
  const { server, remove } = await start(size);
  note('start, until it listens', `${Math.round(performance.now() - began)} ms`);
  const connect = (user: string) => connectChat(server.url, `PHPSESSID=${user}`);
  const clients: ChatClient[] = [];
  const before = cpu(server);
  note('connecting, in no room', figures(await times(200, async () => clients.push(await connect('eve')))));
  note('CPU of connecting', `${((1000 * (cpu(server) - before)) / 200).toFixed(1)} ms`);
  const [eve] = clients as [ChatClient];
  note('rooms in `session:ready`', `${eve.ready.rooms.length}, more: ${eve.ready.more}`);
  for (const client of clients.splice(1)) client.close();
  const list = (over: object) => eve.request('room:list', { member: false, limit: 100, ...over });
  let { next } = await list({});
  let last = next;
  while (next !== undefined) {
    last = next;
    ({ next } = await list({ cursor: next }));
  }
  note('first page of the other rooms', figures(await times(100, () => list({}))));
  note('last page of the other rooms', figures(await times(100, () => list({ cursor: last }))));
  note(
    'searching rooms by a text that no name contains',
    figures(await times(100, () => list({ query: 'zzz' }))),
  );

  const one = await connect('m1');
  await one.request('room:join', { room: 'hall' });
  const members = (over: object) => one.request('room:members', { room: 'hall', ...over });
  note('first page of the members', figures(await times(100, () => members({}))));
  note('present members', figures(await times(20, () => members({ present: true }))));
  note(
    'searching a member by name',
    figures(await times(20, () => members({ query: `Member ${size.members - 1}` }))),
  );
  const say = (room: string) => one.request('message:send', { room, text: 'hello', clientId: newClientId() });
  note('sending', figures(await times(200, () => say('hall'))));

  const others: LightClient[] = [];
  for (let n = 0; n < Math.min(watching, size.members); n += 50) {
    const ids = Array.from({ length: Math.min(50, size.members - n) }, (_, k) => `m${n + k}`);
    others.push(
      ...(await Promise.all(
        ids.map((id) => LightClient.open(server.port, socketIo('"session:ready"'), `PHPSESSID=${id}`)),
      )),
    );
  }
  await pause(3000);
  const bytes = () => others.reduce((sum, client) => sum + client.bytes, 0) / others.length;
  const [idle] = [cpu(server), await pause(4000)];
  const resting = cpu(server) - idle;
  const [at, got] = [cpu(server), bytes()];
  const acks: number[] = [];
  for (const end = performance.now() + 4000; performance.now() < end; ) {
    acks.push(...(await times(1, () => say('hall'))));
    await pause(5);
  }
  await pause(1200);
  const spent = cpu(server) - at - (resting * 5.2) / 4;
  note(
    `${acks.length === 0 ? '' : 'about 100 messages a second for 4 s: '}activity events that each other user received`,
    `${((bytes() - got) / 1024).toFixed(1)} KB`,
  );
  note('acks during these messages', figures(acks));
  note('CPU per message', `${((1000 * spent) / acks.length).toFixed(2)} ms`);
  one.close();
  eve.close();
  await server.stop();
  remove();
}
await memcached.stop();
console.log('| | 10 rooms, 10 members | 10,000 rooms, 10,000 members |\n| --- | --- | --- |');
for (const [name, cells] of rows) console.log(`| ${name} | ${cells.join(' | ')} |`);
process.exit();
