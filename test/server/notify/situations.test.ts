import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { historyFolder } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';
import { startMailServer, type TestMailServer } from '../../helpers/mail-server.ts';
import { noon } from '../../helpers/noon.ts';
import { eventsOf, type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';
import {
  type PushServiceOfTest,
  pushKeyOf,
  type RegisteredBrowser,
  registerBrowser,
  startPushService,
  trust,
} from '../../helpers/push-service.ts';

/** Ann writes to Ben, who is connected but idle. His browser is registered for pushes. */
interface Scene {
  site: PeopleSite;
  ann: Person;
  ben: Person;
  /** A private room of Ann and Ben. */
  den: string;
  /** Sends a message of Ann to the den. @returns its number */
  send(text?: string, over?: object): Promise<number>;
  /** Connects another browser of Ben, with a separate login. */
  elsewhere(): Promise<Person>;
  /** Repeats the action every 90 seconds. */
  goesOn(act: () => unknown): void;
}

/** A notification to Ben. */
interface Notice {
  unread: number;
  mentions?: number;
  /** It contains no name of a user or room. */
  isNameless?: boolean;
  /** The minutes within which the mail arrives. Without it, ten, as set for the site. */
  minutes?: number;
}

const nothing: readonly Notice[] = [];
const one: readonly Notice[] = [{ unread: 1 }];
const mention: readonly Notice[] = [{ unread: 1, mentions: 1 }];
const nameless: readonly Notice[] = [{ unread: 1, isNameless: true }];

/** Quiet hours that include the current time in the zone `noon`. */
const now = { from: '11:00', to: '15:00' };

const join = (person: Person, room: string) => person.request('room:join', { room });
const mentioning = (user: Person) => ({ mentions: [{ user: user.id, start: 0, length: 2 }] });
const named = (by: Person, user: Person) => say(by, 'lobby', '@B hello', mentioning(user));
const toAll = { mentions: [{ user: '*', start: 0, length: 4 }] };
/** Creates a public room that Ann joins and Ben does not. */
async function publicRoom(ann: Person, ben: Person): Promise<string> {
  const made = { name: `Public ${ben.id}`, kind: 'public', clientId: ben.id } as const;
  const { room } = await ann.request('room:create', made);
  await join(ann, room.id);
  return room.id;
}

/** Sets a reminder of a message after it was read. */
async function remind(user: Person, room: string, sent: Promise<number>): Promise<void> {
  const seq = await sent;
  await user.request('read:mark', { room, seq });
  await user.request('reminder:set', { room, seq, at: 0 });
}

type Happens = (scene: Scene) => Promise<unknown>;

/** Ben’s expected notifications by mail and by push, with the situations that cause them. */
type Situations = [byMail: readonly Notice[], byPush: readonly Notice[], Record<string, Happens>];

const situations: readonly Situations[] = [
  [
    one,
    one,
    {
      'a message in a private room': ({ send }) => send(),
      'a message in a public room set to all messages': async ({ ann, ben }) => {
        const room = await publicRoom(ann, ben);
        await join(ben, room);
        await ben.request('room:notify', { room, notify: 'all' });
        await say(ann, room);
      },
      'a reminder of a message that Ben read': ({ ben, den, send }) => remind(ben, den, send()),
      'Ben is online and leaves without reading the message': async ({ ben, send }) => {
        await ben.request('client:active', {});
        await send();
      },
      'quiet hours in the client’s zone that are over': async ({ ben, send }) => {
        await ben.request('notify:set', { quiet: { from: '20:00', to: '21:00', zone: noon } });
        await send();
      },
      'a logout on one of two devices': async ({ site, send, elsewhere }) => {
        const other = await elsewhere();
        await site.memcached.delete(site.key(other.cookie));
        await other.disconnected;
        await send();
      },
    },
  ],
  [
    [{ unread: 2 }],
    [{ unread: 2 }],
    {
      'two messages': async ({ send }) => {
        await send();
        await send();
      },
    },
  ],
  [
    nameless,
    nameless,
    {
      'a direct message': async ({ ann, ben }) => {
        const { room } = await ann.request('direct:open', { user: ben.id });
        await join(ann, room.id);
        await say(ann, room.id);
      },
      'Ben wants no names': async ({ ben, send }) => {
        await ben.request('notify:set', { text: 'nothing' });
        await send();
      },
    },
  ],
  [
    nothing,
    nothing,
    {
      'a message in a public room': ({ ann }) => say(ann, 'lobby'),
      'a mention in a public room that Ben muted and left': async ({ ann, ben }) => {
        await join(ben, 'lobby');
        await ben.request('room:notify', { room: 'lobby', notify: 'none' });
        await ben.request('room:remove', { room: 'lobby', user: ben.id });
        await named(ann, ben);
      },
      'a mention in a public room that Ben then opens without joining': async ({ ann, ben }) => {
        await named(ann, ben);
        await ben.request('message:history', { room: 'lobby', limit: 1 });
      },
      'a mention in a public room that an edit removes': async ({ ann, ben }) => {
        const { seq, rev } = await named(ann, ben);
        await ann.request('message:edit', { room: 'lobby', seq, text: 'hello', rev });
      },
      'a deleted mention in a public room': async ({ ann, ben }) => {
        const { seq } = await named(ann, ben);
        await ann.request('message:delete', { room: 'lobby', seq });
      },
      'a mention in a public room by a user whom Ben blocked': async ({ ann, ben }) => {
        await ben.request('user:block', { user: ann.id, blocked: true });
        await named(ann, ben);
      },
      'a mention in a public room that then bans Ben': async ({ ann, ben }) => {
        await named(ann, ben);
        await ann.request('room:ban', { room: 'lobby', user: ben.id });
      },
      '@all in a public room that Ben has not joined': async ({ ann, ben }) =>
        say(ann, await publicRoom(ann, ben), '@all hello', toAll),
      'Ben is online': async ({ site, ben, send, goesOn }) => {
        // Reconnects each time, because Socket.IO would close an open connection when the clock jumps.
        const act = async () => {
          const tab = await site.again(ben);
          await tab.request('client:active', {});
          tab.close();
        };
        await act();
        await send();
        goesOn(act);
      },
      'a reminder of a message by a blocked author': async ({ ann, ben, den, send }) => {
        await ben.request('user:block', { user: ann.id, blocked: true });
        await remind(ben, den, send());
      },
      'Ben is online after a reminder was due': async ({ ben, den, send }) => {
        await remind(ben, den, send());
        await vi.waitFor(() => expect(eventsOf(ben, 'reminder:changed').at(-1)?.is).toBe('due'), hanging);
        await ben.request('client:active', {});
      },
      'a message read on another device': async ({ den, send, elsewhere }) => {
        const other = await elsewhere();
        await other.request('read:mark', { room: den, seq: await send() });
      },
      'a deleted message': async ({ ann, den, send }) =>
        ann.request('message:delete', { room: den, seq: await send() }),
      'a mention in a room with notifications off': async ({ ann, ben, den }) => {
        await ben.request('room:notify', { room: den, notify: 'none' });
        await say(ann, den, '@B hello', mentioning(ben));
      },
      'a message in an archived room': async ({ ben, den, send }) => {
        await ben.request('room:arrange', { room: den, archived: true });
        await send();
      },
      'a message during a timed mute': async ({ ben, den, send }) => {
        await ben.request('room:notify', { room: den, notify: 'all', quietForMs: 31_536_000_000 });
        await send();
      },
      'Ben blocks Ann after the message': async ({ ann, ben, send }) => {
        await send();
        await ben.request('user:block', { user: ann.id, blocked: true });
      },
      'Ben is removed from the room': async ({ ann, ben, den, send }) => {
        await send();
        await ann.request('room:remove', { room: den, user: ben.id });
      },
      'Ben is banned from the room': async ({ ann, ben, den, send }) => {
        await send();
        await ann.request('room:ban', { room: den, user: ben.id });
      },
      'Ben is banned from the site': async ({ site, ben, send }) => {
        await send();
        expect((await site.api('PUT', `/users/${ben.id}/ban`, {})).status).toBe(200);
      },
      'Ben is erased': async ({ site, ben, send }) => {
        await send();
        expect((await site.api('DELETE', `/users/${ben.id}`)).status).toBe(202);
      },
      'quiet hours': async ({ ben, send }) => {
        await ben.request('notify:set', { quiet: now });
        await send();
      },
    },
  ],
  [
    mention,
    one,
    {
      'a mention in a public room': async ({ ann, ben }) => {
        await join(ben, 'lobby');
        await named(ann, ben);
      },
      'a mention in a public room that Ben has never joined': ({ ann, ben }) => named(ann, ben),
      'a mention in a public room that Ben opened after an earlier mention': async ({ ann, ben }) => {
        await named(ann, ben);
        await ben.request('message:history', { room: 'lobby', limit: 1 });
        await named(ann, ben);
      },
      'a mention in a public room of which Ben sees one linked message': async ({ ann, ben }) => {
        const { seq } = await named(ann, ben);
        await ben.request('message:history', { room: 'lobby', before: seq + 1, limit: 1 });
      },
      'a moderator’s @all in a room set to mentions only': async ({ ann, ben, den }) => {
        await ben.request('room:notify', { room: den, notify: 'mentions' });
        await say(ann, den, '@all hello', toAll);
      },
      'a reply in a followed thread of a public room': async ({ ann, ben }) => {
        await join(ben, 'lobby');
        const { seq } = await say(ann, 'lobby', 'a question');
        await ben.request('thread:follow', { room: 'lobby', thread: seq, following: true });
        await say(ann, 'lobby', 'an answer', { replyTo: seq });
      },
    },
  ],
  [
    [{ unread: 1, minutes: 9 }],
    one,
    {
      'mails after five minutes': async ({ ben, send }) => {
        await ben.request('notify:set', { mail: 5 });
        await send();
      },
    },
  ],
  [
    nothing,
    one,
    {
      'mails once a day': async ({ ben, send }) => {
        await ben.request('notify:set', { mail: 'daily' });
        await send();
      },
      'Ben wants no mails': async ({ ben, send }) => {
        await ben.request('notify:set', { mail: 'off' });
        await send();
      },
    },
  ],
  [
    one,
    nothing,
    {
      'Ben wants no pushes': async ({ ben, send }) => {
        await ben.request('notify:set', { push: false });
        await send();
      },
      'a logout on the only device': async ({ site, ben, send }) => {
        await site.memcached.delete(site.key(ben.cookie));
        await ben.disconnected;
        await send();
      },
    },
  ],
];

let mails: TestMailServer;
let pushes: PushServiceOfTest;
const folder = historyFolder();
beforeAll(async () => {
  [mails, pushes] = await Promise.all([startMailServer(), startPushService()]);
  trust(pushes);
  writeFileSync(`${folder.path}.push-key`, randomBytes(32).toString('base64'));
});
afterAll(async () => {
  await Promise.all([mails?.stop(), pushes?.close()]);
  folder.remove();
});

/** Starts a site. Only `pass` moves the clock, because a busy machine takes minutes for all situations. */
async function startSite() {
  const began = Date.now();
  vi.setSystemTime(began);
  const kept = historyFolder();
  const site = await startPeopleSite({
    CHAT_HISTORY: kept.url,
    CHAT_FILES: kept.files,
    CHAT_TIME_ZONE: noon,
    CHAT_NOTIFY_AFTER: '10m',
    // The store sends notifications of logouts, so frequent checks are not needed.
    CHAT_SESSION_CHECK: '5s',
    CHAT_MAIL: mails.url,
    CHAT_MAIL_FROM: 'Garden <chat@garden.example>',
    CHAT_URL: 'https://garden.example/chat',
    CHAT_USER_MAIL: 'mail',
    CHAT_PUSH_CONTACT: 'mailto:owner@example.org',
    CHAT_PUSH_KEY_FILE: `${folder.path}.push-key`,
    CHAT_PUSH_HOSTS: pushes.host,
  });
  const key = await pushKeyOf(site.chat);
  const withBrowser = async (person: Person) => {
    browsers.set(person.id, [...(browsers.get(person.id) ?? []), await registerBrowser(pushes, key, person)]);
    return person;
  };
  const acts: (() => unknown)[] = [];
  let [passed, rooms, scenes] = [0, 0, 0];
  /** Sends a message that notifies no user. A server checks for due notifications whenever it receives one. */
  const tick = async () => {
    const room = `tick${rooms++}`;
    const message = { user: { id: 'clock', name: 'Clock' }, text: 'tick', clientId: room };
    expect((await site.api('PUT', `/rooms/${room}`, { kind: 'private', name: 'Tick' })).status).toBe(201);
    expect((await site.api('POST', `/rooms/${room}/messages`, message)).status).toBe(201);
    return room;
  };
  /** Waits until the query returns these rows. */
  const until = async (sql: string, of: string | number, rows: readonly object[]) => {
    const db = new DatabaseSync(kept.path, { readOnly: true });
    const query = db.prepare(sql);
    await vi.waitFor(() => expect(query.all(of)).toEqual(rows), hanging);
    db.close();
  };
  return {
    async scene(): Promise<Scene> {
      const mail = `ben${scenes++}@site.example`;
      const [ann, first] = [await site.person({ roles: 'moderator' }), await site.person({ mail })];
      const ben = await withBrowser(first);
      addresses.set(ben.id, mail);
      const { id: den } = await site.den(ann, [ben]);
      await join(ann, den);
      await join(ann, 'lobby');
      // Joining accepts the room, so mails include its name.
      await join(ben, den);
      await ben.request('room:leave', { room: den });
      const send = async (text?: string, over?: object) => (await say(ann, den, text, over)).seq;
      const elsewhere = async () => withBrowser(await site.person({ mail }, ben.id));
      return { site, ann, ben, den, send, elsewhere, goesOn: (act) => void acts.push(act) };
    },
    /** Waits until all rooms have been scanned for members to notify. */
    async noted() {
      const last = await tick();
      const rows = 'SELECT room_id, due FROM chat_due_rooms WHERE due IS NOT NULL OR room_id = ?';
      await until(rows, last, [{ room_id: last, due: null }]);
    },
    /** Waits until no push is due. */
    pushed: () => until('SELECT user_id FROM chat_pushes WHERE claimed = 1 OR due <= ?', Date.now(), []),
    /** Advances the clock in steps, and repeats the actions of `goesOn` in each. */
    async pass(seconds: number) {
      for (let left = seconds; left > 0; left -= 90) {
        passed += Math.min(90, left);
        vi.setSystemTime(began + passed * 1000);
        for (const act of acts) await act();
        await tick();
      }
    },
    async close() {
      await site.close();
      kept.remove();
    },
  };
}
/** Mail addresses and browsers by user ID. */
const addresses = new Map<string, string>();
const browsers = new Map<string, RegisteredBrowser[]>();

function noticeOf(unread: number, mentions: number, isNameless: boolean): Notice {
  return { unread, ...(mentions === 0 ? {} : { mentions }), isNameless: isNameless || undefined };
}

/** Returns a user’s notifications as the texts of the mails show them. */
function byMail(user: string): Notice[] {
  const to = addresses.get(user) ?? '';
  const own = mails.mails.filter((mail) => mail.to.includes(to));
  return own.map(({ subject, text }) => {
    const rooms = [...text.matchAll(/^ {2}(.+): (\d+) new$/gm)];
    if (rooms.length === 0) {
      expect(subject + text).not.toMatch(/\bDen\b|Name of/);
      return noticeOf(Number.parseInt(subject, 10), 0, true);
    }
    const unread = rooms.reduce((sum, [, , n]) => sum + Number(n), 0);
    return noticeOf(unread, rooms.filter(([line]) => line.includes('(mentions you)')).length, false);
  });
}

function byPush(user: string): Notice[] {
  const notices = (browsers.get(user) ?? []).flatMap((browser) => browser.pushes());
  return notices.map(({ notification }) => {
    const { title, app_badge } = notification as { title: string; app_badge: string };
    const isNameless = title === 'New message';
    if (isNameless) expect(JSON.stringify(notification)).not.toMatch(/\bDen\b|Name of/);
    return noticeOf(Number(app_badge), 0, isNameless);
  });
}

/** Waits for the expected number of notifications. Excess ones would arrive along with them. */
async function arrived(what: string, found: () => readonly unknown[], expected: readonly unknown[]) {
  const timeout = 2 * hanging;
  await vi.waitFor(() => expect(found().length, what).toBeGreaterThanOrEqual(expected.length), { timeout });
}

/** Seconds. Pushes become due in the first steps, notifications after five and ten minutes in the last step of the others. */
const untilPushed = 60;
const untilFirst = untilPushed + 3 * 90;
const untilDue = 7 * 90;

describe('exactly the notifications that a user wants', () => {
  const told = situations.flatMap(([mail, push, of]) =>
    Object.entries(of).map(([what, happens]) => ({ what, happens, mail, push })),
  );
  /** Results by situation. */
  const found = new Map<string, { first: Notice[]; mail: Notice[]; push: Notice[] }>();
  const early = (notices: readonly Notice[]) => notices.filter(({ minutes = 10 }) => minutes <= 9);
  afterAll(() => void vi.useRealTimers());
  beforeAll(async () => {
    const site = await startSite();
    const all = [];
    // One after the other, because the chat could not keep up with concurrent changes of the lobby’s members.
    for (const one of told) {
      const scene = await site.scene();
      await one.happens(scene);
      all.push({ ...one, user: scene.ben.id });
    }
    // Pushes are due some seconds after the room was scanned, which waits for some seconds after the last scan.
    for (let steps = 0; steps < 2; steps++) {
      await site.pass(untilPushed / 2);
      await site.noted();
      await site.pushed();
    }
    // A clock jump during a send would exceed its timeout, so each notification becomes due in the last step before a
    // wait.
    await site.pass(untilFirst - untilPushed);
    for (const { what, mail, user } of all)
      await arrived(`after five minutes: ${what}`, () => byMail(user), early(mail));
    await site.pass(9 * 60 - untilFirst);
    const firsts = all.map(({ user }) => byMail(user));
    await site.pass(untilDue - 9 * 60);
    for (const { what, mail, push, user } of all) {
      await arrived(`after ten minutes: ${what}`, () => byMail(user), mail);
      await arrived(`a push: ${what}`, () => byPush(user), push);
    }
    // A server that closes first completes what is in flight.
    await site.close();
    for (const [n, { what, user }] of all.entries())
      found.set(what, { first: firsts[n] ?? [], mail: byMail(user), push: byPush(user) });
  }, 8 * hanging);

  const comes = (notices: readonly Notice[]) => notices.map(({ minutes: _, ...notice }) => notice);
  test.each(told)('are sent for: $what', ({ what, mail, push }) => {
    expect(found.get(what)).toEqual({ first: comes(early(mail)), mail: comes(mail), push: comes(push) });
  });
});
