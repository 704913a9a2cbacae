import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { lookThroughPause } from '../../../server/history/history.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';

interface Due {
  user: { id: string; name: string };
  total: number;
  lang?: string;
  rooms: { room: string; name: string; unread: number; mentions: number }[];
}

const kept = historyFolder();
const dues: Due[] = [];
/** Users whose next event the site does not take. */
const refused = new Set<string>();
const receiver = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += piece;
  const { data } = JSON.parse(body) as { data: Due };
  if (refused.delete(data.user.id)) return void response.writeHead(503).end();
  dues.push(data);
  response.writeHead(204).end();
});
/** Where it is noon now, so that nobody has quiet hours. */
const hoursToNoon = 12 - new Date().getUTCHours();
const noon = hoursToNoon === 0 ? 'Etc/GMT' : `Etc/GMT${hoursToNoon > 0 ? '-' : '+'}${Math.abs(hoursToNoon)}`;
/** The two hours around now there. */
const now = { from: '11:00', to: '14:00' };
let site: PeopleSite;
beforeAll(async () => {
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  writeFileSync(`${kept.path}.key`, `whsec_${Buffer.alloc(24, 'a').toString('base64')}\n`);
  site = await startPeopleSite({
    CHAT_HISTORY: kept.url,
    CHAT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
    CHAT_WEBHOOK_KEY_FILE: `${kept.path}.key`,
    CHAT_WEBHOOK_EVENTS: 'notify.due',
    CHAT_TIME_ZONE: noon,
    // Time for what happens in each situation after the message.
    CHAT_NOTIFY_AFTER: '6s',
  });
});
afterAll(async () => {
  await site.close();
  receiver.closeAllConnections();
  receiver.close();
  kept.remove();
});

const came = (user: Person) =>
  vi.waitFor(
    () => {
      const due = dues.find((one) => one.user.id === user.id);
      if (due === undefined) throw new Error(`no notice for ${user.id}`);
      return due;
    },
    // On a busy machine a room may have been looked through before all is said in it.
    { timeout: lookThroughPause + hanging },
  );

/** Ann writes to Ben, who has a connection and does nothing. */
interface Scene {
  ann: Person;
  ben: Person;
  /** A private room of both. */
  den: string;
  /** Ann's message there. */
  send(text?: string, over?: object): Promise<number>;
}
type Situation = [
  name: string,
  happens: (scene: Scene) => Promise<unknown>,
  unread: number,
  mentions?: number,
  isNameless?: boolean,
];

const join = (person: Person, room: string) => person.request('room:join', { room });
const mention = (user: Person, text = '@B hello') => ({
  text,
  mentions: [{ user: user.id, start: 0, length: 2 }],
});
/** A public room that Ann has joined, and Ben has not. */
async function publicRoom(ann: Person, ben: Person): Promise<string> {
  const { room } = await ann.request('room:create', {
    name: `Public ${ben.id}`,
    kind: 'public',
    clientId: ben.id,
  });
  await join(ann, room.id);
  return room.id;
}
const named = (by: Person, user: Person) => say(by, 'lobby', '@B hello', mention(user));

/** An event, of how many messages Ben is notified (0: not at all), with how many mentions, and whether without rooms. */
const situations: readonly Situation[] = [
  ['a message in a private room', ({ send }) => send(), 1],
  [
    'two messages',
    async ({ send }) => {
      await send();
      await send();
    },
    2,
  ],
  [
    'a direct message',
    async ({ ann, ben }) => {
      const { room } = await ann.request('direct:open', { user: ben.id });
      await join(ann, room.id);
      await say(ann, room.id);
    },
    1,
  ],
  ['a message in a public room', async ({ ann }) => say(ann, 'lobby'), 0],
  [
    'a mention in a public room',
    async ({ ann, ben }) => {
      await join(ben, 'lobby');
      await say(ann, 'lobby', '@B hello', mention(ben));
    },
    1,
    1,
  ],
  ['a mention in a public room that Ben has never joined', ({ ann, ben }) => named(ann, ben), 1, 1],
  [
    'a mention in a public room that Ben has left',
    async ({ ann, ben }) => {
      await join(ben, 'lobby');
      await ben.request('room:remove', { room: 'lobby', user: ben.id });
      await named(ann, ben);
    },
    1,
    1,
  ],
  [
    'a mention in a public room of which Ben wanted nothing, and which he has left',
    async ({ ann, ben }) => {
      await join(ben, 'lobby');
      await ben.request('room:notify', { room: 'lobby', notify: 'none' });
      await ben.request('room:remove', { room: 'lobby', user: ben.id });
      await named(ann, ben);
    },
    0,
  ],
  [
    'a mention in a public room that Ben joins then',
    async ({ ann, ben }) => {
      await named(ann, ben);
      await join(ben, 'lobby');
    },
    0,
  ],
  [
    'a mention in a public room that Ben opens then without joining it',
    async ({ ann, ben }) => {
      await named(ann, ben);
      await ben.request('message:history', { room: 'lobby', limit: 1 });
    },
    0,
  ],
  [
    'a mention in a public room that Ben has opened before without joining it, after another mention',
    async ({ ann, ben }) => {
      await named(ann, ben);
      await ben.request('message:history', { room: 'lobby', limit: 1 });
      await named(ann, ben);
    },
    1,
    1,
  ],
  [
    'a mention in a public room of which Ben sees one message, that of a link',
    async ({ ann, ben }) => {
      const { seq } = await named(ann, ben);
      await ben.request('message:history', { room: 'lobby', before: seq + 1, limit: 1 });
    },
    1,
    1,
  ],
  [
    'a mention in a public room, which an edit takes away',
    async ({ ann, ben }) => {
      const { seq, rev } = await named(ann, ben);
      await ann.request('message:edit', { room: 'lobby', seq, text: 'hello', rev });
    },
    0,
  ],
  [
    'a mention in a public room, which is deleted',
    async ({ ann, ben }) => {
      const { seq } = await named(ann, ben);
      await ann.request('message:delete', { room: 'lobby', seq });
    },
    0,
  ],
  [
    'a mention in a public room, by somebody whom Ben has blocked',
    async ({ ann, ben }) => {
      await ben.request('user:block', { user: ann.id, blocked: true });
      await named(ann, ben);
    },
    0,
  ],
  [
    'a mention in a public room from which Ben is banned then',
    async ({ ann, ben }) => {
      await named(ann, ben);
      await ann.request('room:ban', { room: 'lobby', user: ben.id });
    },
    0,
  ],
  [
    'everybody is mentioned in a public room that Ben has not joined',
    async ({ ann, ben }) => {
      const room = await publicRoom(ann, ben);
      await say(ann, room, '@all hello', { mentions: [{ user: '*', start: 0, length: 4 }] });
    },
    0,
  ],
  [
    'everybody is mentioned by a moderator, in a room of which Ben wants mentions alone',
    async ({ ann, ben, den }) => {
      await ben.request('room:notify', { room: den, notify: 'mentions' });
      await say(ann, den, '@all hello', { mentions: [{ user: '*', start: 0, length: 4 }] });
    },
    1,
    1,
  ],
  [
    'an answer in a thread that Ben follows, in a public room',
    async ({ ann, ben }) => {
      await join(ben, 'lobby');
      const { seq } = await say(ann, 'lobby', 'a question');
      await ben.request('thread:follow', { room: 'lobby', thread: seq, following: true });
      await say(ann, 'lobby', 'an answer', { replyTo: seq });
    },
    1,
    1,
  ],
  [
    'all messages of a public room are wanted',
    async ({ ann, ben }) => {
      const room = await publicRoom(ann, ben);
      await join(ben, room);
      await ben.request('room:notify', { room, notify: 'all' });
      await say(ann, room);
    },
    1,
  ],
  [
    'Ben is here',
    async ({ ben, send }) => {
      await ben.request('client:active', {});
      await send();
    },
    0,
  ],
  [
    'read on another device',
    async ({ ben, den, send }) => {
      const other = await site.again(ben);
      await other.request('read:mark', { room: den, seq: await send() });
      other.close();
    },
    0,
  ],
  [
    'one of two messages is read',
    async ({ ben, den, send }) => {
      await ben.request('read:mark', { room: den, seq: await send() });
      await send();
    },
    1,
  ],
  [
    'the message is deleted',
    async ({ ann, den, send }) => ann.request('message:delete', { room: den, seq: await send() }),
    0,
  ],
  [
    'nothing of the room is wanted',
    async ({ ann, ben, den }) => {
      await ben.request('room:notify', { room: den, notify: 'none' });
      await say(ann, den, '@B hello', mention(ben));
    },
    0,
  ],
  [
    'Ann is blocked',
    async ({ ann, ben, send }) => {
      await ben.request('user:block', { user: ann.id, blocked: true });
      await send('@B hello', mention(ben));
    },
    0,
  ],
  [
    'Ben is removed from the room',
    async ({ ann, ben, den, send }) => {
      await send();
      await ann.request('room:remove', { room: den, user: ben.id });
    },
    0,
  ],
  [
    'Ben is banned from the room',
    async ({ ann, ben, den, send }) => {
      await send();
      await ann.request('room:ban', { room: den, user: ben.id });
    },
    0,
  ],
  [
    'Ben is banned from the site',
    async ({ ben, send }) => {
      await send();
      expect((await site.api('PUT', `/users/${ben.id}/ban`, {})).status).toBe(200);
    },
    0,
  ],
  [
    'Ben is erased',
    async ({ ben, send }) => {
      await send();
      expect((await site.api('DELETE', `/users/${ben.id}`)).status).toBe(202);
    },
    0,
  ],
  [
    'quiet hours',
    async ({ ben, send }) => {
      await ben.request('notify:set', { quiet: now });
      await send();
    },
    0,
  ],
  [
    'quiet hours, chosen in the zone of the client, which are over',
    async ({ ben, send }) => {
      await ben.request('notify:set', { quiet: { from: '20:00', to: '21:00', zone: noon }, lang: 'pt-BR' });
      await send();
    },
    1,
  ],
  [
    'no names are wanted',
    async ({ ben, send }) => {
      await ben.request('notify:set', { text: 'nothing' });
      await send();
    },
    1,
    0,
    true,
  ],
  [
    'no mails are wanted',
    async ({ ben, send }) => {
      await ben.request('notify:set', { mail: 'off' });
      await send();
    },
    0,
  ],
  [
    'mails once a day',
    async ({ ben, send }) => {
      await ben.request('notify:set', { mail: 'daily' });
      await send();
    },
    0,
  ],
];

describe('Ben is notified once of what concerns him, and of nothing else', () => {
  const notified = new Map<string, Due[]>();
  beforeAll(async () => {
    const people: Person[] = [];
    for (const [name, happens] of situations) {
      const [ann, ben] = [await site.person({ roles: 'moderator' }), await site.person()];
      const { id: den } = await site.den(ann, [ben]);
      await join(ann, den);
      await join(ann, 'lobby');
      const send = async (text?: string, over?: object) => (await say(ann, den, text, over)).seq;
      await happens({ ann, ben, den, send });
      people.push(ann, ben);
      notified.set(name, []);
      const own = notified.get(name) as Due[];
      watch.push(() => own.splice(0, own.length, ...dues.filter(({ user }) => user.id === ben.id)));
    }
    // Users are looked at in the order of their times: when this one is notified, all others were looked at.
    const [ann, last] = [await site.person(), await site.person()];
    const { id: den } = await site.den(ann, [last]);
    await join(ann, den);
    await say(ann, den);
    await came(last);
    // Events have no order among themselves: one whose try failed comes later.
    await vi.waitFor(
      () => {
        for (const look of watch) look();
        const late = situations.filter(([name, , unread]) => unread > 0 && notified.get(name)?.length === 0);
        if (late.length > 0) throw new Error(`no notice: ${late.map(([name]) => name).join(', ')}`);
      },
      { timeout: hanging, interval: 100 },
    );
    for (const one of [...people, ann, last]) one.close();
  }, 4 * hanging);
  const watch: (() => void)[] = [];

  test.each([...situations])('%s', (name, _, unread, mentions = 0, isNameless = false) => {
    const found = notified.get(name) ?? [];
    expect(found.map(({ total }) => total)).toEqual(unread === 0 ? [] : [unread]);
    const rooms = found.flatMap((one) => one.rooms);
    expect(rooms.map((room) => [room.unread, room.mentions])).toEqual(
      unread === 0 || isNameless ? [] : [[unread, mentions]],
    );
  });
});

test('an event that the site has not taken waits for the end of quiet hours, too', async () => {
  const [ann, ben, cat] = [await site.person(), await site.person(), await site.person()];
  const writeTo = async (user: Person) => {
    const { id: den } = await site.den(ann, [user]);
    await join(ann, den);
    await say(ann, den);
  };
  refused.add(ben.id);
  await writeTo(ben);
  await vi.waitFor(() => expect(refused.has(ben.id)).toBe(false), { timeout: lookThroughPause + hanging });
  await ben.request('notify:set', { quiet: now });
  // Ben's event would be tried again before this one is due.
  await writeTo(cat);
  await came(cat);
  expect(dues.filter(({ user }) => user.id === ben.id)).toEqual([]);
  await expect
    .poll(async () => (await site.api('GET', '/webhooks')).body)
    .toEqual({ waiting: 1, failed: [] });
  for (const one of [ann, ben, cat]) one.close();
});

test('the settings of a user are those of the site until the user chooses others, and everything is exported', async () => {
  const ben = await site.person();
  expect(ben.ready.can.mail).toBe(true);
  const quiet = { from: '22:00', to: '07:00', zone: noon };
  const first = { mail: 0.1, push: true, quiet, text: 'text' };
  expect(await ben.request('notify:get', {})).toEqual(first);
  expect(await ben.request('notify:set', { mail: 60, text: 'name' })).toEqual({
    ...first,
    mail: 60,
    text: 'name',
  });
  await ben.request('client:active', { zone: 'Europe/Paris', lang: 'fr' });
  await expect.poll(() => ben.request('notify:get', {})).toMatchObject({ quiet: { zone: 'Europe/Paris' } });
  expect(await ben.request('notify:set', { quiet: null })).toMatchObject({ mail: 60, quiet: null });
  ben.close();
});
