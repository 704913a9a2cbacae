import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { soak } from '../../guarantees/size.ts';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { historyFolder, nextChatServer, startChatServer } from '../../helpers/chat-server.ts';
import { origin, upload } from '../../helpers/files.ts';
import { startMemcached } from '../../helpers/memcached.ts';

/** These texts that a file in the folder holds. Each file is read once, since there may be many texts. */
function held(folder: string, texts: readonly string[]): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = names
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path));
  return texts.filter((text) => files.some((file) => file.includes(text)));
}

/** It takes seconds, and to read all files takes long. */
const patiently = { timeout: 50_000, interval: 500 };

test('a deleted and an edited text are in no file of the server, within 60 s and after a clean end, but for the copy in an open report', async () => {
  const memcached = await startMemcached();
  onTestFinished(async () => {
    await memcached.stop();
  });
  await memcached.set('sessions/u1', '{"user_id":1}');
  await memcached.set('sessions/u2', '{"user_id":2,"roles":"admin"}');
  const history = historyFolder();
  onTestFinished(() => history.remove());
  const server = await nextChatServer({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_HISTORY: history.url,
    CHAT_USER_ROLES: 'roles',
    CHAT_HOLD_WORDS: 'heron',
  });
  onTestFinished(async () => {
    await server.stop();
  });
  const ann = await connectChat(server.url, 'PHPSESSID=u1');
  await ann.request('room:join', { room: 'lobby' });
  const [deleted, edited, kept] = ['Wm4kZ-deleted-Tq8', 'Wm4kZ-edited-Tq8', 'Wm4kZ-kept-Tq8'];
  const [reported, open] = ['Wm4kZ-reported-Tq8', 'Wm4kZ-open-Tq8'];
  for (const text of [deleted, edited, kept, reported, open]) {
    await ann.request('message:send', { room: 'lobby', text, clientId: newClientId() });
  }
  // The search index holds them too. A page may be short on a busy machine.
  await expect
    .poll(async () => (await ann.request('message:search', { query: 'Wm4kZ' })).messages)
    .toHaveLength(5);
  const found = (...texts: string[]) => held(dirname(history.path), texts);
  expect(found(deleted)).toEqual([deleted]);
  await ann.request('message:delete', { room: 'lobby', seq: 1 });
  await ann.request('message:edit', { room: 'lobby', seq: 2, text: 'something else' });
  const admin = await connectChat(server.url, 'PHPSESSID=u2');
  for (const seq of [5, 4]) {
    await admin.request('message:report', { room: 'lobby', seq, reason: 'spam' });
    await ann.request('message:delete', { room: 'lobby', seq });
  }
  const [last] = (await admin.request('report:list', {})).reports;
  await admin.request('report:close', { id: last?.id as string, done: 'nothing' });
  admin.close();
  await expect.poll(() => found(deleted, edited, reported), patiently).toEqual([]);
  expect(found(kept, open)).toEqual([kept, open]);
  expect((await ann.request('message:search', { query: 'Wm4kZ' })).messages).toHaveLength(1);

  // Nor is one that has waited for a moderator in vain.
  const waiting = 'Wm4kZ-waiting-Tq8';
  const message = { room: 'lobby', text: `heron ${waiting}`, clientId: newClientId() };
  await ann.request('message:send', message);
  expect(found(waiting)).toEqual([waiting]);
  const [own] = (await ann.request('held:list', { mine: true })).held;
  await ann.request('held:discard', { id: own?.id as string });
  await expect.poll(() => found(waiting), patiently).toEqual([]);
  ann.close();
  await server.stop();
  expect(found(deleted, edited, reported)).toEqual([]);
});

test('data older than CHAT_RETENTION leaves the rooms, the unread counts, and all files of the server', async () => {
  const memcached = await startMemcached();
  onTestFinished(async () => {
    await memcached.stop();
  });
  for (const user of [1, 2]) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
  const history = historyFolder();
  onTestFinished(() => history.remove());
  const server = await nextChatServer({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_HISTORY: history.url,
    CHAT_RETENTION: '4s',
  });
  onTestFinished(async () => {
    await server.stop();
  });
  const ann = await connectChat(server.url, 'PHPSESSID=u1');
  await ann.request('room:join', { room: 'lobby' });
  const bob = await connectChat(server.url, 'PHPSESSID=u2');
  await bob.request('room:join', { room: 'lobby' });
  const send = (room: string, text: string) =>
    ann.request('message:send', { room, text, clientId: newClientId() });
  const [old, direct] = ['Wm4kZ-old-Tq8', 'Wm4kZ-direct-Tq8'];
  await send('lobby', old);
  const { room } = await ann.request('direct:open', { user: '2' });
  await ann.request('room:join', { room: room.id });
  await send(room.id, direct);
  const activities = () =>
    bob.events.filter(({ name }) => name === 'room:activity').map(({ payload }) => payload);
  await expect
    .poll(activities)
    .toContainEqual(expect.objectContaining({ room: 'lobby', head: 1, lastSeq: 1, firstSeq: 2 }));
  const { rooms } = await bob.request('room:list', {});
  expect(rooms.find(({ id }) => id === 'lobby')).toMatchObject({ unread: 0, readSeq: 0, firstSeq: 2 });
  expect(rooms.find(({ id }) => id === 'lobby')).not.toHaveProperty('last');
  expect((await bob.request('message:history', { room: 'lobby' })).messages).toEqual([]);
  expect((await bob.request('message:search', { query: 'Wm4kZ' })).messages).toMatchObject([
    { text: direct },
  ]);
  await expect(
    ann.request('message:send', { room: 'lobby', text: 'so', replyTo: 1, clientId: newClientId() }),
  ).rejects.toThrow('unknown_message');
  const found = (...texts: string[]) => held(dirname(history.path), texts);
  await expect.poll(() => found(old), patiently).toEqual([]);
  expect(found(direct)).toEqual([direct]);
  ann.close();
  bob.close();
});

if (soak) {
  test('a deleted text is not in the memory of the server, though its room was shown with it; nor is an erased user', async () => {
    const memcached = await startMemcached();
    onTestFinished(async () => {
      await memcached.stop();
    });
    for (const user of [1, 2]) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
    const folder = mkdtempSync(join(tmpdir(), 'chat-heap-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const server = await startChatServer({
      CHAT_SESSION_STORE: memcached.url,
      CHAT_API_KEY: 'an-api-key-for-tests',
      NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${folder}`,
    });
    onTestFinished(async () => {
      await server.stop();
    });
    const ann = await connectChat(server.url, 'PHPSESSID=u1');
    await ann.request('room:join', { room: 'lobby' });
    const [deleted, kept] = ['Wm4kZ-deleted-Tq8', 'Wm4kZ-kept-Tq8'];
    for (const text of [deleted, kept]) {
      await ann.request('message:send', { room: 'lobby', text, clientId: newClientId() });
    }
    const bob = await connectChat(server.url, 'PHPSESSID=u2');
    expect((await bob.request('room:join', { room: 'lobby' })).messages).toHaveLength(2);
    await ann.request('message:delete', { room: 'lobby', seq: 1 });
    const erased = ['Wm4kZ-id-Tq8', 'Wm4kZ-name-Tq8', 'Wm4kZ-erased-Tq8'];
    const [id = '', name, text = ''] = erased;
    await memcached.set('sessions/u3', JSON.stringify({ user_id: id, firstname: name }));
    const cat = await connectChat(server.url, 'PHPSESSID=u3');
    await cat.request('room:join', { room: 'lobby' });
    await cat.request('message:send', { room: 'lobby', text, clientId: newClientId() });
    await bob.request('message:send', {
      room: 'lobby',
      text: 'Hello',
      clientId: newClientId(),
      mentions: [{ user: id, start: 0, length: 5 }],
    });
    await bob.request('message:history', { room: 'lobby' });
    await fetch(`${server.url}/api/users/${id}?messages=delete`, {
      method: 'DELETE',
      headers: { authorization: 'Bearer an-api-key-for-tests' },
    });
    await expect.poll(() => bob.events.some((event) => event.name === 'room:reset')).toBe(true);
    await bob.request('room:join', { room: 'lobby' });
    // In the main thread's memory, texts are identified by the one that is kept.
    const inMemory = async () => {
      const before = readdirSync(folder).length;
      server.process.kill('SIGUSR2');
      let snapshot = '';
      const isWhole = () => {
        const names = readdirSync(folder).sort();
        snapshot = names.length > before ? readFileSync(join(folder, names.at(-1) as string), 'latin1') : '';
        return /\]\}\n?$/.test(snapshot.slice(-3));
      };
      await expect.poll(isWhole).toBe(true);
      return [kept, deleted, ...erased].filter((one) => snapshot.includes(one));
    };
    // A user who has left is remembered for a moment, since reloading a page brings them back.
    await expect.poll(inMemory, { interval: 1000 }).toEqual([kept]);
    ann.close();
    bob.close();
  });
}

test('an erased user is in no file of the server: neither id, name, files, nor the texts that are to be deleted', async () => {
  const memcached = await startMemcached();
  onTestFinished(async () => {
    await memcached.stop();
  });
  const history = historyFolder();
  onTestFinished(() => history.remove());
  const server = await nextChatServer({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_HISTORY: history.url,
    CHAT_FILES: history.files,
    CHAT_ORIGINS: origin,
    CHAT_API_KEY: 'an-api-key-for-tests',
  });
  onTestFinished(async () => {
    await server.stop();
  });
  const found = (...texts: string[]) => held(dirname(history.path), texts);
  const connect = async (id: string, name: string) => {
    await memcached.set(`sessions/${id}`, JSON.stringify({ user_id: id, firstname: name }));
    const client = await connectChat(server.url, `PHPSESSID=${id}`);
    await client.request('room:join', { room: 'lobby' });
    return client;
  };
  const send = async (client: ChatClient, over: object) =>
    (await client.request('message:send', { room: 'lobby', text: '', clientId: newClientId(), ...over }))
      .message;
  const bob = await connect('bob', 'Bob');

  const live = async (mark: string) => {
    const marked = (what: string) => `${mark}-${what}-Tq8`;
    const [id, name, text, clientId] = [marked('id'), marked('name'), marked('text'), marked('client')];
    const [content, alt, reason] = [marked('bytes'), marked('alt'), marked('why')];
    const fileName = marked('file.txt');
    const ann = await connect(id, name);
    const uploaded = () => upload(server.url, `PHPSESSID=${id}`, content, { name: fileName });
    const { file } = await uploaded();
    await uploaded();
    const first = await send(ann, { text, files: [{ id: file.id, alt }], clientId });
    const { seq } = await send(ann, { text: 'not for long' });
    await ann.request('message:edit', { room: 'lobby', seq, text: text });
    const hello = await send(bob, { text: 'Hello', mentions: [{ user: id, start: 0, length: 5 }] });
    await ann.request('message:react', { room: 'lobby', seq: hello.seq, emoji: '👍', on: true });
    await ann.request('message:report', { room: 'lobby', seq: hello.seq, reason: 'spam', text: reason });
    await bob.request('message:report', { room: 'lobby', seq: first.seq, reason: 'spam' });
    const { room } = await ann.request('direct:open', { user: 'bob' });
    await ann.request('room:join', { room: room.id });
    await send(ann, { room: room.id, text });
    await bob.request('room:create', { name: 'Den', kind: 'private', members: [id], clientId: mark });
    expect((await bob.request('message:search', { query: text })).messages).toHaveLength(3);
    const marks = [id, name, content, fileName, alt, reason, clientId];
    expect(found(...marks)).toEqual(marks);
    return { ann, id, marks, text: text };
  };
  const [one, other] = [await live('Wm4kZ'), await live('Hv7xP')];

  for (const [{ id }, query] of [
    [one, ''],
    [other, '?messages=delete'],
  ] as const) {
    const answer = await fetch(`${server.url}/api/users/${id}${query}`, {
      method: 'DELETE',
      headers: { authorization: 'Bearer an-api-key-for-tests' },
    });
    expect([answer.status, await answer.json()]).toEqual([202, {}]);
  }
  const gone = [...one.marks, ...other.marks, other.text];
  await expect.poll(() => found(...gone), patiently).toEqual([]);
  expect(found(one.text)).toEqual([one.text]);
  expect((await bob.request('message:search', { query: 'tq8' })).messages.map(({ text }) => text)).toEqual(
    Array(3).fill(one.text),
  );
  const resets = bob.events.filter(({ name }) => name === 'room:reset').map(({ payload }) => payload);
  expect(resets).toEqual([{ room: 'lobby' }, { room: 'lobby' }]);
  for (const client of [one.ann, other.ann, bob]) client.close();
  await server.stop();
  expect(found(...gone)).toEqual([]);
});
