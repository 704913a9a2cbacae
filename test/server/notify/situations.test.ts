import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { size, soak } from '../../guarantees/size.ts';
import { type ChatServer, historyFolder, startChatServer } from '../../helpers/chat-server.ts';
import { fakeClock } from '../../helpers/fake-clock.ts';
import { hanging } from '../../helpers/hanging.ts';
import { startMailServer, type TestMailServer } from '../../helpers/mail-server.ts';
import type { Due } from '../../helpers/notify-due.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';
import {
  type PushServiceOfTest,
  pushKeyOf,
  type RegisteredBrowser,
  registerBrowser,
  startPushService,
} from '../../helpers/push-service.ts';

/** A site whose server sends mails and pushes, or one whose PHP application gets events. */
type Kind = 'mails' | 'events';
/** The same notices are due for both. */
const played = size<readonly Kind[]>(['mails', 'events'], ['mails']);

/** Ann writes to Ben, who has a connection and does nothing. His browser is registered where there are pushes. */
interface Scene {
  site: PeopleSite;
  ann: Person;
  ben: Person;
  /** A private room of both. */
  den: string;
  /** Ann's message there. */
  send(text?: string, over?: object): Promise<number>;
  /** Another browser of Ben's, with a login of its own. */
  elsewhere(): Promise<Person>;
  /** Is done again every 90 seconds. */
  goesOn(act: () => unknown): void;
}

/** A notice to Ben. */
interface Notice {
  unread: number;
  mentions?: number;
  /** It names nobody, and no room. */
  isNameless?: boolean;
  /** By when a mail or an event comes; after the ten minutes of the site without it. */
  minutes?: number;
}

const nothing: readonly Notice[] = [];
const one: readonly Notice[] = [{ unread: 1 }];
const mention: readonly Notice[] = [{ unread: 1, mentions: 1 }];
const nameless: readonly Notice[] = [{ unread: 1, isNameless: true }];

/** Where it is noon now, so that nobody has quiet hours. */
const hoursToNoon = 12 - new Date().getUTCHours();
const noon = hoursToNoon === 0 ? 'Etc/GMT' : `Etc/GMT${hoursToNoon > 0 ? '-' : '+'}${Math.abs(hoursToNoon)}`;
/** The hours around now there. */
const now = { from: '11:00', to: '15:00' };

const join = (person: Person, room: string) => person.request('room:join', { room });
const mentioning = (user: Person) => ({ mentions: [{ user: user.id, start: 0, length: 2 }] });
const named = (by: Person, user: Person) => say(by, 'lobby', '@B hello', mentioning(user));
const toAll = { mentions: [{ user: '*', start: 0, length: 4 }] };
/** A public room that Ann has joined, and Ben has not. */
async function publicRoom(ann: Person, ben: Person): Promise<string> {
  const made = { name: `Public ${ben.id}`, kind: 'public', clientId: ben.id } as const;
  const { room } = await ann.request('room:create', made);
  await join(ann, room.id);
  return room.id;
}

type Situation = [
  happens: string,
  (scene: Scene) => Promise<unknown>,
  byMailOrEvent: readonly Notice[],
  byPush: readonly Notice[],
];

/** Each with the notices that come to Ben: by mail or by an event of the site, and by push. */
const situations: readonly Situation[] = [
  ['a message in a private room', ({ send }) => send(), one, one],
  [
    'two messages',
    async ({ send }) => {
      await send();
      await send();
    },
    [{ unread: 2 }],
    [{ unread: 2 }],
  ],
  [
    'a direct message',
    async ({ ann, ben }) => {
      const { room } = await ann.request('direct:open', { user: ben.id });
      await join(ann, room.id);
      await say(ann, room.id);
    },
    nameless,
    nameless,
  ],

  // Public rooms, mentions and threads
  ['a message in a public room', ({ ann }) => say(ann, 'lobby'), nothing, nothing],
  [
    'a mention in a public room',
    async ({ ann, ben }) => {
      await join(ben, 'lobby');
      await named(ann, ben);
    },
    mention,
    one,
  ],
  ['a mention in a public room that Ben has never joined', ({ ann, ben }) => named(ann, ben), mention, one],
  [
    'a mention in a public room that Ben has left',
    async ({ ann, ben }) => {
      await join(ben, 'lobby');
      await ben.request('room:remove', { room: 'lobby', user: ben.id });
      await named(ann, ben);
    },
    mention,
    one,
  ],
  [
    'a mention in a public room of which Ben wanted nothing, and which he has left',
    async ({ ann, ben }) => {
      await join(ben, 'lobby');
      await ben.request('room:notify', { room: 'lobby', notify: 'none' });
      await ben.request('room:remove', { room: 'lobby', user: ben.id });
      await named(ann, ben);
    },
    nothing,
    nothing,
  ],
  [
    'a mention in a public room that Ben joins then',
    async ({ ann, ben }) => {
      await named(ann, ben);
      await join(ben, 'lobby');
    },
    nothing,
    nothing,
  ],
  [
    'a mention in a public room that Ben opens then without joining it',
    async ({ ann, ben }) => {
      await named(ann, ben);
      await ben.request('message:history', { room: 'lobby', limit: 1 });
    },
    nothing,
    nothing,
  ],
  [
    'a mention in a public room that Ben has opened before without joining it, after another mention',
    async ({ ann, ben }) => {
      await named(ann, ben);
      await ben.request('message:history', { room: 'lobby', limit: 1 });
      await named(ann, ben);
    },
    mention,
    one,
  ],
  [
    'a mention in a public room of which Ben sees one message, that of a link',
    async ({ ann, ben }) => {
      const { seq } = await named(ann, ben);
      await ben.request('message:history', { room: 'lobby', before: seq + 1, limit: 1 });
    },
    mention,
    one,
  ],
  [
    'a mention in a public room, which an edit takes away',
    async ({ ann, ben }) => {
      const { seq, rev } = await named(ann, ben);
      await ann.request('message:edit', { room: 'lobby', seq, text: 'hello', rev });
    },
    nothing,
    nothing,
  ],
  [
    'a mention in a public room, which is deleted',
    async ({ ann, ben }) => {
      const { seq } = await named(ann, ben);
      await ann.request('message:delete', { room: 'lobby', seq });
    },
    nothing,
    nothing,
  ],
  [
    'a mention in a public room, by somebody whom Ben has blocked',
    async ({ ann, ben }) => {
      await ben.request('user:block', { user: ann.id, blocked: true });
      await named(ann, ben);
    },
    nothing,
    nothing,
  ],
  [
    'a mention in a public room from which Ben is banned then',
    async ({ ann, ben }) => {
      await named(ann, ben);
      await ann.request('room:ban', { room: 'lobby', user: ben.id });
    },
    nothing,
    nothing,
  ],
  [
    'everybody is mentioned in a public room that Ben has not joined',
    async ({ ann, ben }) => say(ann, await publicRoom(ann, ben), '@all hello', toAll),
    nothing,
    nothing,
  ],
  [
    'everybody is mentioned by a moderator, in a room of which Ben wants mentions alone',
    async ({ ann, ben, den }) => {
      await ben.request('room:notify', { room: den, notify: 'mentions' });
      await say(ann, den, '@all hello', toAll);
    },
    mention,
    one,
  ],
  [
    'an answer in a thread that Ben follows, in a public room',
    async ({ ann, ben }) => {
      await join(ben, 'lobby');
      const { seq } = await say(ann, 'lobby', 'a question');
      await ben.request('thread:follow', { room: 'lobby', thread: seq, following: true });
      await say(ann, 'lobby', 'an answer', { replyTo: seq });
    },
    mention,
    one,
  ],
  [
    'all messages of a public room are wanted',
    async ({ ann, ben }) => {
      const room = await publicRoom(ann, ben);
      await join(ben, room);
      await ben.request('room:notify', { room, notify: 'all' });
      await say(ann, room);
    },
    one,
    one,
  ],

  // Here and away
  [
    'Ben is here',
    async ({ ben, send, goesOn }) => {
      const act = () => ben.request('client:active', {});
      await act();
      await send();
      goesOn(act);
    },
    nothing,
    nothing,
  ],
  [
    'Ben is here in another tab',
    async ({ site, ben, send, goesOn }) => {
      const tab = await site.again(ben);
      const act = () => tab.request('client:active', {});
      await act();
      await send();
      goesOn(act);
    },
    nothing,
    nothing,
  ],
  [
    'Ben is here, and leaves without reading the message',
    async ({ ben, send }) => {
      await ben.request('client:active', {});
      await send();
    },
    one,
    one,
  ],
  [
    'Ben has closed the chat',
    async ({ ben, send }) => {
      ben.close();
      await send();
    },
    one,
    one,
  ],

  // Read, deleted, or not to be read any more
  [
    'read on another device',
    async ({ den, send, elsewhere }) => {
      const other = await elsewhere();
      await other.request('read:mark', { room: den, seq: await send() });
    },
    nothing,
    nothing,
  ],
  [
    'one of two messages is read',
    async ({ ben, den, send }) => {
      await ben.request('read:mark', { room: den, seq: await send() });
      await send();
    },
    one,
    one,
  ],
  [
    'the message is deleted',
    async ({ ann, den, send }) => ann.request('message:delete', { room: den, seq: await send() }),
    nothing,
    nothing,
  ],
  [
    'one of two messages is deleted',
    async ({ ann, den, send }) => {
      await send();
      await ann.request('message:delete', { room: den, seq: await send() });
    },
    one,
    one,
  ],
  [
    'nothing of the room is wanted',
    async ({ ann, ben, den }) => {
      await ben.request('room:notify', { room: den, notify: 'none' });
      await say(ann, den, '@B hello', mentioning(ben));
    },
    nothing,
    nothing,
  ],
  [
    'Ann is blocked',
    async ({ ann, ben, send }) => {
      await ben.request('user:block', { user: ann.id, blocked: true });
      await send('@B hello', mentioning(ben));
    },
    nothing,
    nothing,
  ],
  [
    'Ann is blocked after the message',
    async ({ ann, ben, send }) => {
      await send();
      await ben.request('user:block', { user: ann.id, blocked: true });
    },
    nothing,
    nothing,
  ],
  [
    'Ben may not write in the room, and reads it',
    async ({ ann, ben, den, send }) => {
      await ann.request('room:mute', { room: den, user: ben.id, seconds: 3600 });
      await send();
    },
    one,
    one,
  ],
  [
    'Ben is removed from the room',
    async ({ ann, ben, den, send }) => {
      await send();
      await ann.request('room:remove', { room: den, user: ben.id });
    },
    nothing,
    nothing,
  ],
  [
    'Ben is banned from the room',
    async ({ ann, ben, den, send }) => {
      await send();
      await ann.request('room:ban', { room: den, user: ben.id });
    },
    nothing,
    nothing,
  ],
  [
    'Ben is banned from the site',
    async ({ site, ben, send }) => {
      await send();
      expect((await site.api('PUT', `/users/${ben.id}/ban`, {})).status).toBe(200);
    },
    nothing,
    nothing,
  ],
  [
    'Ben is erased',
    async ({ site, ben, send }) => {
      await send();
      expect((await site.api('DELETE', `/users/${ben.id}`)).status).toBe(202);
    },
    nothing,
    nothing,
  ],

  // The settings of Ben
  [
    'quiet hours',
    async ({ ben, send }) => {
      await ben.request('notify:set', { quiet: now });
      await send();
    },
    nothing,
    nothing,
  ],
  [
    'quiet hours, chosen in the zone of the client, which are over',
    async ({ ben, send }) => {
      await ben.request('notify:set', { quiet: { from: '20:00', to: '21:00', zone: noon } });
      await send();
    },
    one,
    one,
  ],
  [
    'no names are wanted',
    async ({ ben, send }) => {
      await ben.request('notify:set', { text: 'nothing' });
      await send();
    },
    nameless,
    nameless,
  ],
  [
    'mails after five minutes',
    async ({ ben, send }) => {
      await ben.request('notify:set', { mail: 5 });
      await send();
    },
    [{ unread: 1, minutes: 9 }],
    one,
  ],
  [
    'mails after an hour',
    async ({ ben, send }) => {
      await ben.request('notify:set', { mail: 60 });
      await send();
    },
    nothing,
    one,
  ],
  [
    'mails once a day',
    async ({ ben, send }) => {
      await ben.request('notify:set', { mail: 'daily' });
      await send();
    },
    nothing,
    one,
  ],
  [
    'no mails are wanted',
    async ({ ben, send }) => {
      await ben.request('notify:set', { mail: 'off' });
      await send();
    },
    nothing,
    one,
  ],
  [
    'no pushes are wanted',
    async ({ ben, send }) => {
      await ben.request('notify:set', { push: false });
      await send();
    },
    one,
    nothing,
  ],

  // Devices
  [
    'two devices',
    async ({ send, elsewhere }) => {
      await elsewhere();
      await send();
    },
    one,
    [...one, ...one],
  ],
  [
    'two devices, and a logout on one of them',
    async ({ site, send, elsewhere }) => {
      const other = await elsewhere();
      await site.memcached.delete(site.key(other.cookie));
      await other.disconnected;
      await send();
    },
    one,
    one,
  ],
  [
    'a logout on the only device',
    async ({ site, ben, send }) => {
      await site.memcached.delete(site.key(ben.cookie));
      await ben.disconnected;
      await send();
    },
    one,
    nothing,
  ],
];

/** Others show the same in another way. */
const alike = [
  'a mention in a public room that Ben has left',
  'a mention in a public room that Ben joins then',
  'a mention in a public room that Ben has opened before without joining it, after another mention',
  'a mention in a public room of which Ben sees one message, that of a link',
  'Ben is here in another tab',
  'Ben has closed the chat',
  'one of two messages is read',
  'one of two messages is deleted',
  'Ann is blocked',
  'Ben may not write in the room, and reads it',
  'quiet hours, chosen in the zone of the client, which are over',
  'mails after an hour',
  'two devices',
];
const told = size(
  situations,
  situations.filter(([what]) => !alike.includes(what)),
);

let mails: TestMailServer;
let pushes: PushServiceOfTest;
/** The events that came, each with its id. */
const events: { id: string; due: Due }[] = [];
let answerEvent = (response: ServerResponse): void => void response.writeHead(204).end();
const receiver = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += piece;
  const { data: due } = JSON.parse(body) as { data: Due };
  events.push({ id: `${request.headers['webhook-id']}`, due });
  answerEvent(response);
});
const folder = historyFolder();
beforeAll(async () => {
  [mails, pushes] = await Promise.all([startMailServer(), startPushService()]);
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  writeFileSync(`${folder.path}.events-key`, `whsec_${Buffer.alloc(24, 'a').toString('base64')}\n`);
  writeFileSync(`${folder.path}.push-key`, randomBytes(32).toString('base64'));
});
afterAll(async () => {
  receiver.closeAllConnections();
  receiver.close();
  await Promise.all([mails?.stop(), pushes?.close()]);
  folder.remove();
});

/** Both kinds of site, with one clock, which stands still for what is counted in minutes. */
async function startSites() {
  const clock = fakeClock();
  let passed = 0;
  const common = {
    CHAT_TIME_ZONE: noon,
    CHAT_NOTIFY_AFTER: '10m',
    // Everybody stays connected, and the store notifies of a logout.
    CHAT_SESSION_CHECK: '5s',
    ...clock.env,
  };
  const kinds: Record<Kind, NodeJS.ProcessEnv> = {
    mails: {
      CHAT_MAIL: mails.url,
      CHAT_MAIL_FROM: 'Garden <chat@garden.example>',
      CHAT_URL: 'https://garden.example/chat',
      CHAT_USER_MAIL: 'mail',
      CHAT_PUSH_CONTACT: 'mailto:owner@example.org',
      CHAT_PUSH_KEY_FILE: `${folder.path}.push-key`,
      CHAT_PUSH_HOSTS: pushes.host,
      NODE_EXTRA_CA_CERTS: pushes.certificate,
    },
    events: {
      CHAT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
      CHAT_WEBHOOK_KEY_FILE: `${folder.path}.events-key`,
      CHAT_WEBHOOK_EVENTS: 'notify.due',
    },
  };
  const acts: (() => unknown)[] = [];
  const started = (kind: Kind) =>
    startSite({ ...common, ...kinds[kind] }, kind, (act) => void acts.push(act));
  const all = await Promise.all(played.map(started));
  return {
    all,
    /** Lets time pass, in steps in each of which people act who go on doing so. */
    async pass(seconds: number) {
      for (let left = seconds; left > 0; left -= 90) {
        passed += Math.min(90, left);
        clock.jump(passed);
        for (const act of acts) await act();
        for (const { tick } of all) await tick();
      }
    },
    async close() {
      for (const { close } of all) await close();
      clock.remove();
    },
  };
}

async function startSite(env: NodeJS.ProcessEnv, kind: Kind, goesOn: Scene['goesOn']) {
  const kept = historyFolder();
  let settings: NodeJS.ProcessEnv = {};
  let server: ChatServer;
  const start = async (whole: NodeJS.ProcessEnv) => {
    // On a busy machine a store that is slow would look like one that is silent, and pushes wait half a minute for that one.
    settings = { ...whole, CHAT_SESSION_STORE: `${whole.CHAT_SESSION_STORE}&timeout=9999ms` };
    server = await startChatServer(settings);
    // The server that runs by then.
    return new Proxy(server, { get: (_, name) => Reflect.get(server, name) });
  };
  const site = await startPeopleSite({ ...env, CHAT_HISTORY: kept.url, CHAT_FILES: kept.files }, start);
  const key = kind === 'mails' ? await pushKeyOf(site.chat) : '';
  const browsers = new Map<string, RegisteredBrowser[]>();
  const withBrowser = async (person: Person) => {
    if (kind === 'events') return person;
    const registered = await registerBrowser(pushes, key, person);
    browsers.set(person.id, [...(browsers.get(person.id) ?? []), registered]);
    return person;
  };
  let rooms = 0;
  const tick = async () => {
    const room = `tick${rooms++}`;
    const message = { user: { id: 'clock', name: 'Clock' }, text: 'tick', clientId: room };
    expect((await site.api('PUT', `/rooms/${room}`, { kind: 'private', name: 'Tick' })).status).toBe(201);
    expect((await site.api('POST', `/rooms/${room}/messages`, message)).status).toBe(201);
    return room;
  };
  return {
    kind,
    site,
    browsers,
    async scene(): Promise<Scene> {
      const mail = `ben${addresses.size}@site.example`;
      const [ann, first] = [await site.person({ roles: 'moderator' }), await site.person({ mail })];
      const ben = await withBrowser(first);
      addresses.set(ben.id, mail);
      const { id: den } = await site.den(ann, [ben]);
      await join(ann, den);
      await join(ann, 'lobby');
      // He accepts the room, so that mails name it.
      await join(ben, den);
      await ben.request('room:leave', { room: den });
      const send = async (text?: string, over?: object) => (await say(ann, den, text, over)).seq;
      const elsewhere = async () => withBrowser(await site.person({ mail }, ben.id));
      return { site, ann, ben, den, send, elsewhere, goesOn };
    },
    /** A message that concerns nobody: a server looks for what is due when it hears of one. */
    tick,
    /** Waits until the members of all rooms are noted whom a message may concern. */
    async noted() {
      const last = await tick();
      const db = new DatabaseSync(kept.path, { readOnly: true });
      const rows = db.prepare('SELECT room_id, due FROM chat_due_rooms WHERE due IS NOT NULL OR room_id = ?');
      await vi.waitFor(() => expect(rows.all(last)).toEqual([{ room_id: last, due: null }]), hanging);
      db.close();
    },
    /** Waits until no push is due in the next minute: to people who are here, or have quiet hours, they are later. */
    async pushed() {
      const db = new DatabaseSync(kept.path, { readOnly: true });
      const rows = db.prepare('SELECT user_id FROM chat_pushes WHERE claimed = 1 OR due < ?');
      await vi.waitFor(() => expect(rows.all(Date.now() + 60_000)).toEqual([]), hanging);
      db.close();
    },
    /** Ends the server without notice, and starts the next one. */
    async kill() {
      await server.stop('SIGKILL');
      server = await startChatServer(settings);
    },
    async close() {
      await site.close();
      kept.remove();
    },
  };
}
/** Where mails to people go, by their ids. */
const addresses = new Map<string, string>();

type Site = Awaited<ReturnType<typeof startSite>>;

const mailsTo = (user: string) => mails.mails.filter(({ to }) => to.includes(addresses.get(user) ?? ''));
const eventsOf = (user: string) => events.filter(({ due }) => due.user.id === user);

function noticeOf(unread: number, mentions: number, isNameless: boolean): Notice {
  return { unread, ...(mentions === 0 ? {} : { mentions }), ...(isNameless ? { isNameless } : {}) };
}

/** The mails, or the events of the site, as a person would read them. */
function byMailOrEvent({ kind }: Site, user: string): Notice[] {
  if (kind === 'events') {
    return eventsOf(user).map(({ due: { total, rooms } }) => {
      const mentions = rooms.reduce((sum, room) => sum + room.mentions, 0);
      return noticeOf(
        total,
        mentions,
        rooms.every(({ name }) => name === undefined),
      );
    });
  }
  return mailsTo(user).map(({ subject, text }) => {
    const rooms = [...text.matchAll(/^ {2}(.+): (\d+) new$/gm)];
    if (rooms.length === 0) {
      expect(subject + text).not.toMatch(/\bDen\b|Name of/);
      return noticeOf(Number.parseInt(subject, 10), 0, true);
    }
    const unread = rooms.reduce((sum, [, , n]) => sum + Number(n), 0);
    return noticeOf(unread, rooms.filter(([line]) => line.includes('(mentions you)')).length, false);
  });
}

function byPush({ browsers }: Site, user: string): Notice[] {
  const notices = (browsers.get(user) ?? []).flatMap((browser) => browser.pushes());
  return notices.map(({ notification }) => {
    const { title, app_badge } = notification as { title: string; app_badge: string };
    const isNameless = title === 'New message';
    if (isNameless) expect(JSON.stringify(notification)).not.toMatch(/\bDen\b|Name of/);
    return noticeOf(Number(app_badge), 0, isNameless);
  });
}

/** Waits for as many notices as are to come; more would come with them. */
async function arrived(what: string, found: () => readonly unknown[], expected: readonly unknown[]) {
  const timeout = 2 * hanging;
  await vi.waitFor(() => expect(found().length, what).toBeGreaterThanOrEqual(expected.length), { timeout });
}

/** Seconds. In the last step of each, the notices of five minutes and of ten become due. */
const untilFirst = 4 * 90;
const untilDue = 7 * 90;

describe('exactly the notices come that a person wants', () => {
  /** By kind of site and situation. */
  const found = new Map<string, { first: Notice[]; notices: Notice[]; pushes: Notice[] }>();
  beforeAll(async () => {
    const sites = await startSites();
    const scenes = await Promise.all(
      sites.all.map(async (site) => {
        const users = new Map<string, string>();
        for (const [what, happens] of told) {
          const scene = await site.scene();
          await happens(scene);
          users.set(what, scene.ben.id);
        }
        await site.noted();
        return { site, users };
      }),
    );
    const all = scenes.flatMap(({ site, users }) =>
      told.map((situation) => ({ situation, site, user: users.get(situation[0]) as string })),
    );
    const [{ site: mailing }] = scenes as [(typeof scenes)[0]];
    const pushed = all.filter(({ site }) => site === mailing);
    await mailing.pushed();
    // A jump while something is sent would end the time that it has, so each notice becomes due in the last step before a wait.
    await sites.pass(untilFirst);
    const early = ({ minutes = 10 }: Notice) => minutes <= 9;
    for (const { situation, site, user } of all) {
      const notices = situation[2].filter(early);
      await arrived(`after 6 minutes: ${situation[0]}`, () => byMailOrEvent(site, user), notices);
    }
    await sites.pass(9 * 60 - untilFirst);
    const firsts = all.map(({ site, user }) => byMailOrEvent(site, user));
    await sites.pass(untilDue - 9 * 60);
    for (const { situation, site, user } of all) {
      await arrived(`after ten minutes: ${situation[0]}`, () => byMailOrEvent(site, user), situation[2]);
    }
    for (const { situation, user } of pushed) {
      await arrived(`a push: ${situation[0]}`, () => byPush(mailing, user), situation[3]);
    }
    // A server ends when all that is under way is sent.
    await sites.close();
    for (const [n, { situation, site, user }] of all.entries()) {
      found.set(`${site.kind} ${situation[0]}`, {
        first: firsts[n] ?? [],
        notices: byMailOrEvent(site, user),
        pushes: byPush(site, user),
      });
    }
  }, 8 * hanging);

  const comes = (notices: readonly Notice[]) => notices.map(({ minutes: _, ...notice }) => notice);
  test.each([...told])('%s', (what, _, byMailOrEvent, byPush) => {
    const after9 = byMailOrEvent.filter(({ minutes = 10 }) => minutes <= 9);
    const expected = { first: comes(after9), notices: comes(byMailOrEvent) };
    expect(found.get(`mails ${what}`)).toEqual({ ...expected, pushes: comes(byPush) });
    if (soak) expect(found.get(`events ${what}`)).toEqual({ ...expected, pushes: [] });
  });
});

test('the server is killed: mails and pushes come once, and no event is lost', async () => {
  const sites = await startSites();
  const [mailing] = sites.all as [Site];
  const all: { killed: string; users: readonly string[] }[] = [];
  /** @returns Ben of each site */
  const write = async (killed: string) => {
    const scenes: Scene[] = [];
    for (const site of sites.all) scenes.push(await site.scene());
    const users = scenes.map(({ ben }) => ben.id);
    all.push({ killed, users });
    await Promise.all(scenes.map(({ send }) => send()));
    await Promise.all(sites.all.map((site) => site.noted()));
    return users;
  };
  /** Mails, pushes, and in the soak run events. */
  const counts = ([mailed = '', informed]: readonly string[]) => [
    mailsTo(mailed).length,
    byPush(mailing, mailed).length,
    ...(informed === undefined ? [] : [eventsOf(informed).length]),
  ];
  /** An event that comes again has the same id. */
  const single = size([1, 1, 1], [1, 1]);
  const eventTwice = size([1, 1, 2], [1, 1]);
  const sent = await write('after the notice was sent');
  await sites.pass(untilDue);
  await vi.waitFor(() => expect(counts(sent)).toEqual(single), hanging);

  const underWay = await write('while the notice is sent');
  // Nobody answers.
  mails.answer = () => {};
  answerEvent = () => {};
  pushes.answer = () => {};
  await sites.pass(untilDue);
  await vi.waitFor(() => expect(counts(underWay)).toEqual(single), 2 * hanging);
  const early = await write('before the notice is due');
  await Promise.all(sites.all.map(({ kill }) => kill()));
  mails.answer = (done) => done();
  answerEvent = (response) => void response.writeHead(204).end();
  pushes.answer = (response) => response.writeHead(201).end();
  await sites.pass(untilDue);
  await vi.waitFor(
    () => {
      expect(counts(early)).toEqual(single);
      expect(counts(underWay)).toEqual(eventTwice);
    },
    { timeout: 2 * hanging },
  );
  await sites.close();
  expect(all.map(({ killed, users }) => [killed, counts(users)])).toEqual([
    ['after the notice was sent', single],
    ['while the notice is sent', eventTwice],
    ['before the notice is due', single],
  ]);
  const [, informed] = underWay;
  if (informed !== undefined) expect(new Set(eventsOf(informed).map(({ id }) => id)).size).toBe(1);
});
