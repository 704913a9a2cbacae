import { afterEach, expect, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { ChatModel } from '../helpers/chat-model.ts';
import { historyFolder, type RunningChat, startChatServer } from '../helpers/chat-server.ts';
import { dice } from '../helpers/dice.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { size } from './size.ts';

const steps = size(20_000, 100);
const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 20_261_121));
const users = ['u1', 'u2', 'u3', 'u4'];

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test(`${steps} random requests with kills and restarts, seed ${seed}: rooms, members, messages and marks are those of a simple model`, async () => {
  const roll = dice(seed);
  const pick = <T>(from: readonly T[]): T => from[roll(from.length)] as T;
  const memcached = await startMemcached();
  closing.push(() => memcached.stop());
  for (const user of users) await memcached.set(`sessions/${user}`, JSON.stringify({ user_id: user }));
  const history = historyFolder();
  closing.push(() => history.remove());
  const env = { CHAT_SESSION_STORE: memcached.url, CHAT_HISTORY: history.url, CHAT_CREATE_ROOMS: 'all' };
  let server: RunningChat;
  const clients = new Map<string, ChatClient>();
  const model = new ChatModel();

  async function start(): Promise<void> {
    server = await size(startChatServer, chatServerHere)(env);
    for (const user of users) {
      const client = await connectChat(server.url, `PHPSESSID=${user}`);
      clients.set(user, client);
      for (const room of model.rooms.values()) {
        if (room.members.has(user)) await client.request('room:join', { room: room.id });
      }
    }
  }
  async function stop(how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    for (const client of clients.values()) client.close();
    await server.stop(how);
  }
  const ask = async (user: string, event: string, payload: object) => {
    const answer = await (clients.get(user) as ChatClient).raw(event, payload);
    if (!answer.ok) return { code: answer.error.code, data: undefined };
    return { code: 'ok', data: answer.data as { failed?: { code: string }[]; room?: { id: string } } };
  };
  async function compare(): Promise<void> {
    for (const user of users) {
      const { rooms } = await (clients.get(user) as ChatClient).request('room:list', {});
      const shown = rooms.map(({ id, role, members, head, lastSeq, readSeq, unread }) => [
        id,
        { role, members, head, lastSeq, readSeq, unread },
      ]);
      expect(Object.fromEntries(shown)).toEqual(model.list(user));
    }
    for (const room of model.rooms.values()) {
      const [reader] = room.members.keys();
      if (reader === undefined) continue;
      const client = clients.get(reader) as ChatClient;
      const texts: object[] = [];
      for (let after = 0; ; after = texts.length) {
        const page = await client.request('message:history', { room: room.id, after, limit: 100 });
        texts.push(
          ...page.messages.map(({ user, text, rev, deletedAt }) => ({
            user: user.id,
            text,
            deleted: deletedAt !== undefined,
            rev,
          })),
        );
        if (page.complete) break;
      }
      expect(texts).toEqual(room.messages);
    }
  }

  await start();
  closing.push(() => stop('SIGTERM'));
  for (let step = 0; step < steps; step++) {
    const user = pick(users);
    const other = pick(users);
    const room = pick([...model.rooms.keys(), 'u-none'].slice(-8));
    const seq = 1 + roll(Math.max(1, (model.rooms.get(room)?.messages.length ?? 0) + 1));
    const text = `text ${step}`;
    const told = `step ${step}: ${user} in ${room}`;
    switch (
      pick([
        'create',
        'join',
        'invite',
        'remove',
        'role',
        'send',
        'send',
        'send',
        'edit',
        'delete',
        'mark',
        'restart',
      ])
    ) {
      case 'create': {
        if (model.rooms.size > 40) break;
        const kind = pick(['public', 'private'] as const);
        const name = `room ${step}`;
        const { data } = await ask(user, 'room:create', { name, kind, clientId: newClientId() });
        const id = data?.room?.id as string;
        model.create(user, id, kind);
        await ask(user, 'room:join', { room: id });
        break;
      }
      case 'join':
        expect((await ask(user, 'room:join', { room })).code, told).toBe(model.join(user, room));
        break;
      case 'invite': {
        const { code, data } = await ask(user, 'room:invite', { room, users: [other] });
        expect(data?.failed?.length ? 'failed' : code, told).toBe(model.invite(user, room, other));
        if (model.rooms.get(room)?.members.has(other)) await ask(other, 'room:join', { room });
        break;
      }
      case 'remove':
        expect((await ask(user, 'room:remove', { room, user: other })).code, told).toBe(
          model.remove(user, room, other),
        );
        break;
      case 'role': {
        const role = pick(['owner', 'moderator', 'member'] as const);
        expect((await ask(user, 'room:role', { room, user: other, role })).code, told).toBe(
          model.role(user, room, other, role),
        );
        break;
      }
      case 'send': {
        const member = model.rooms.get(room)?.members.has(user);
        const { code } = await ask(user, 'message:send', { room, text, clientId: newClientId() });
        if (member) expect(code, told).toBe(model.send(user, room, text));
        else expect(code, told).toMatch(/^(unknown_room|not_joined)$/);
        break;
      }
      case 'edit':
        if (!model.rooms.get(room)?.members.has(user)) break;
        expect((await ask(user, 'message:edit', { room, seq, text })).code, told).toBe(
          model.edit(user, room, seq, text),
        );
        break;
      case 'delete':
        if (!model.rooms.get(room)?.members.has(user)) break;
        expect((await ask(user, 'message:delete', { room, seq })).code, told).toBe(
          model.delete(user, room, seq),
        );
        break;
      case 'mark':
        expect((await ask(user, 'read:mark', { room, seq })).code, told).toBe(model.mark(user, room, seq));
        break;
      case 'restart':
        if (roll(20) !== 0) break;
        await stop(pick(['SIGKILL', 'SIGTERM']));
        await start();
        await compare();
    }
  }
  await compare();
});
