import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'vitest';
import { recordingTables } from '../../../server/history/engine/recorded.ts';
import { recordFile } from '../../../server/history/engine/sqlite/recording.ts';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { startChatSite } from '../../helpers/chat-site.ts';
import { origin, upload } from '../../helpers/files.ts';
import { apiKey, say } from '../../helpers/people.ts';

type Recording = ReturnType<typeof recordFile>;

/** Deletion takes seconds, and reading all files takes long. */
const patiently = { timeout: 50_000, interval: 500 };

/** Starts a server with its own history. */
async function open({ onTestFinished }: TestContext, env: NodeJS.ProcessEnv = {}) {
  const history = historyFolder();
  const settings = { CHAT_HISTORY: history.url, CHAT_FILES: history.files, CHAT_API_KEY: apiKey, ...env };
  const site = await startChatSite(settings, chatServerHere);
  onTestFinished(async () => {
    await site.close();
    history.remove();
  });
  return {
    site,
    async connect(id: string, more: object = {}): Promise<ChatClient & { cookie: string }> {
      const cookie = await site.rawSession(JSON.stringify({ user_id: id, ...more }));
      const client = await connectChat(site.chat.url, cookie);
      onTestFinished(() => client.close());
      await client.request('room:join', { room: 'lobby' });
      return { ...client, cookie };
    },
    path: history.path,
    /**
     * Returns the texts that a file of the server contains. Each file is read only once, because there may be many
     * texts.
     */
    found(...texts: string[]): string[] {
      const folder = dirname(history.path);
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .map((name) => join(folder, name))
        .filter((path) => statSync(path).isFile())
        .map((path) => readFileSync(path));
      return texts.filter((text) => files.some((file) => file.includes(text)));
    },
  };
}

// Concurrent, because the tests mostly wait.
test.concurrent('removes deleted and edited texts from all files within 60 s, except in open reports', async (context) => {
  const { expect } = context;
  const { site, connect, found } = await open(context, {
    CHAT_USER_ROLES: 'roles',
    CHAT_HOLD_WORDS: 'heron',
  });
  const ann = await connect('1');
  const [deleted, edited, kept] = ['Wm4kZ-deleted-Tq8', 'Wm4kZ-edited-Tq8', 'Wm4kZ-kept-Tq8'];
  const [reported, open_] = ['Wm4kZ-reported-Tq8', 'Wm4kZ-open-Tq8'];
  for (const text of [deleted, edited, kept, reported, open_]) await say(ann, 'lobby', text);
  // The search index also contains the texts. A page may be short on a busy machine.
  await expect
    .poll(async () => (await ann.request('message:search', { query: 'Wm4kZ' })).messages)
    .toHaveLength(5);
  expect(found(deleted)).toEqual([deleted]);
  await ann.request('message:delete', { room: 'lobby', seq: 1 });
  await ann.request('message:edit', { room: 'lobby', seq: 2, text: 'something else' });
  const admin = await connect('2', { roles: 'admin' });
  for (const seq of [5, 4]) {
    await admin.request('message:report', { room: 'lobby', seq, reason: 'spam' });
    await ann.request('message:delete', { room: 'lobby', seq });
  }
  const [last] = (await admin.request('report:list', {})).reports;
  await admin.request('report:close', { id: last?.id as string, done: 'nothing' });
  // A discarded pending message must be removed as well.
  const waiting = 'Wm4kZ-waiting-Tq8';
  await ann.raw('message:send', { room: 'lobby', text: `heron ${waiting}`, clientId: newClientId() });
  expect(found(waiting)).toEqual([waiting]);
  const [own] = (await ann.request('held:list', { mine: true })).held;
  await ann.request('held:discard', { id: own?.id as string });
  await expect.poll(() => found(deleted, edited, reported, waiting), patiently).toEqual([]);
  expect(found(kept, open_)).toEqual([kept, open_]);
  expect((await ann.request('message:search', { query: 'Wm4kZ' })).messages).toHaveLength(1);
  await site.chat.stop();
  expect(found(deleted, edited, reported, waiting)).toEqual([]);
});

test.concurrent('removes data older than CHAT_RETENTION from rooms, unread counts and files', async (context) => {
  const { expect } = context;
  const { connect, found } = await open(context, { CHAT_RETENTION: '4s' });
  const [ann, bob] = [await connect('1'), await connect('2')];
  const [old, direct] = ['Wm4kZ-old-Tq8', 'Wm4kZ-direct-Tq8'];
  await say(ann, 'lobby', old);
  const { room } = await ann.request('direct:open', { user: '2' });
  await ann.request('room:join', { room: room.id });
  await say(ann, room.id, direct);
  const activities = () =>
    bob.events.filter(({ name }) => name === 'room:activity').map(({ payload }) => payload);
  await expect
    .poll(activities)
    .toContainEqual(expect.objectContaining({ room: 'lobby', head: 1, lastSeq: 1, firstSeq: 2 }));
  const lobby = (await bob.request('room:list', {})).rooms.find(({ id }) => id === 'lobby');
  expect(lobby).toMatchObject({ unread: 0, readSeq: 0, firstSeq: 2 });
  expect(lobby).not.toHaveProperty('last', expect.anything());
  expect((await bob.request('message:history', { room: 'lobby' })).messages).toEqual([]);
  const { messages } = await bob.request('message:search', { query: 'Wm4kZ' });
  expect(messages).toMatchObject([{ text: direct }]);
  await expect(say(ann, 'lobby', 'so', { replyTo: 1 })).rejects.toThrow('unknown_message');
  await expect.poll(() => found(old), patiently).toEqual([]);
  expect(found(direct)).toEqual([direct]);
});

test.concurrent('leaves no data of an erased user in any file', async (context) => {
  const { expect } = context;
  const { site, connect, found } = await open(context, { CHAT_ORIGINS: origin });
  const send = (client: ChatClient, over: object) => say(client, 'lobby', '', over);
  const bob = await connect('bob');

  const live = async (mark: string) => {
    const marked = (what: string) => `${mark}-${what}-Tq8`;
    const [id, name, text, clientId] = [marked('id'), marked('name'), marked('text'), marked('client')];
    const [content, alt, reason] = [marked('bytes'), marked('alt'), marked('why')];
    const fileName = marked('file.txt');
    const ann = await connect(id, { firstname: name });
    const uploaded = () => upload(site.chat.url, ann.cookie, content, { name: fileName });
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
    return { id, marks, text: text };
  };
  const [anonymised, other] = [await live('Wm4kZ'), await live('Hv7xP')];

  for (const [{ id }, query] of [
    [anonymised, ''],
    [other, '?messages=delete'],
  ] as const) {
    const answer = await fetch(`${site.chat.url}/api/users/${id}${query}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${apiKey}` },
    });
    expect([answer.status, await answer.json()]).toEqual([202, {}]);
  }
  const gone = [...anonymised.marks, ...other.marks, other.text];
  await expect.poll(() => found(...gone), patiently).toEqual([]);
  expect(found(anonymised.text)).toEqual([anonymised.text]);
  expect((await bob.request('message:search', { query: 'tq8' })).messages.map(({ text }) => text)).toEqual(
    Array(3).fill(anonymised.text),
  );
  const resets = bob.events.filter(({ name }) => name === 'room:reset').map(({ payload }) => payload);
  expect(resets).toEqual([{ room: 'lobby' }, { room: 'lobby' }]);
  await site.chat.stop();
  expect(found(...gone)).toEqual([]);
});

test.concurrent.for([
  ['an ended move', (recording: Recording) => recording.end()],
  // As if ten minutes had passed.
  [
    'a killed move',
    (_: Recording, path: string) => {
      const db = new DatabaseSync(path);
      db.exec(`UPDATE ${recordingTables.lease} SET until = 0`);
      db.close();
    },
  ],
] as const)('leaves no data of an erased user in the file that %s recorded', async ([, end], context) => {
  const { expect } = context;
  const { site, connect, found, path } = await open(context);
  const recording = recordFile(path);
  const [id, name] = ['Wm4kZ-recorded-Tq8', 'Kq7xBrecordedname'];
  await connect(id, { firstname: name });
  const kept = 'Kq7xB-kept-Tq8';
  const bob = await connect(kept);
  expect(found(id)).toEqual([id]);
  await end(recording, path);
  await fetch(`${site.chat.url}/api/users/${id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${apiKey}` },
  });
  await expect.poll(() => found(id, name, name.toLowerCase()), patiently).toEqual([]);
  await say(bob, 'lobby', 'still here');
  expect(found(kept)).toEqual([kept]);
});
