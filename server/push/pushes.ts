import { createHmac } from 'node:crypto';
import { Rounds } from '../changes/rounds.ts';
import { memberBySession } from '../chat/access.ts';
import type { Directory } from '../chat/directory.ts';
import type { History, PushPlace, StoredDevice, StoredMessage, Writes } from '../history/history.ts';
import { MailTexts } from '../mail/texts.ts';
import { isHere, longestHere } from '../notify/acts.ts';
import { type NotifyDefaults, type NotifySettings, settingsOf } from '../notify/settings.ts';
import { quietUntil } from '../notify/times.ts';
import { type Unread, type UnreadRoom, unreadOf } from '../notify/unread.ts';
import type { Fcm } from './fcm.ts';
import { namelessNotice, noticeOf } from './notice.ts';
import type { PushOutcome, PushServices } from './push-service.ts';
import type { DeviceAddress, DeviceRegistry } from './registry.ts';
import type { VapidKeys } from './vapid-keys.ts';

/** Pushes that are taken at a time, and of these so many are looked at together. */
const atOnce = 50;
const together = 10;
/** Milliseconds after which pushes that a server has taken are due again: the server has ended meanwhile. */
const claimTime = 60_000;
/** Milliseconds between two looks for what another server has stored. */
const lookEvery = 30_000;
/** Milliseconds until a push is tried again: as the service says, but not sooner or later than that. */
const again = { shortest: 30_000, longest: 60 * 60_000 };
/** Devices that are known to wait. */
const mostBusy = 100_000;
/** Milliseconds after which a message is not news any more. */
const newsFor = 24 * 60 * 60_000;
/** Milliseconds between two sounds of one room. */
const betweenSounds = 60_000;
/** Milliseconds for which pushed messages are remembered: a room is looked through again after a minute at most. */
const pushedKept = 5 * 60_000;

type Outcome = PushOutcome['is'] | 'lost';
/** The end of a look at a push: to be looked at again at that time, or done. */
type Settled = Writes['settlePushes']['in']['pushes'][number];

interface Reason {
  settings: NotifySettings;
  unread: Unread;
  found: UnreadRoom;
  /** The newest message of the room that concerns the user. */
  stored: StoredMessage;
  /** Before it was looked at what is unread, in milliseconds since 1970. */
  at: number;
}

export interface PushesOptions {
  history: Pick<History, 'read' | 'write' | 'current'>;
  directory: Directory;
  defaults: NotifyDefaults;
  registry: Pick<DeviceRegistry, 'check' | 'addressOf' | 'forget'>;
  /** Absent where browsers are not reached. */
  browsers: { services: PushServices; keys: VapidKeys } | undefined;
  /** Absent where apps are not reached. */
  apps: Fcm | undefined;
  /** Called for each device that was sent to, and for a push that a server which ended may have sent (`lost`). */
  onPush(outcome: Outcome): void;
  /** Called when a service has not taken a push. `reason` repeats nothing of its answer. */
  onRefusal(reason: string): void;
  /** Called when the history has failed. */
  onFailure(error: Error): void;
}

/**
 * Sends pushes to the devices of users, each at most once: it is noted as being sent before, and not sent again by another
 * server. Whether anything is still unread, what it says, and who is logged in where, is asked at that time.
 */
export class Pushes {
  readonly #options: PushesOptions;
  readonly #rounds: Rounds;
  /** When a room made a sound last, by user and room. */
  readonly #sounds = new Map<string, number>();
  /** The message that was pushed last, and with how many unread mentions, by user and room; the oldest push first. */
  readonly #pushed = new Map<string, { message: string; mentions: number; at: number }>();
  /** Until when the service wants nothing for a device, by its id: no push of another room either. */
  readonly #busy = new Map<string, number>();

  constructor(options: PushesOptions) {
    this.#options = options;
    this.#rounds = new Rounds((signal) => this.#look(signal), options.onFailure);
  }

  /** There are more. */
  wake(): void {
    this.#rounds.wake();
  }

  /** Waits for what is under way. */
  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  async #look(signal: AbortSignal): Promise<number> {
    const { write } = this.#options.history;
    for (;;) {
      const at = Date.now();
      this.#forget(at);
      const until = at + claimTime;
      const { pushes, next = Number.POSITIVE_INFINITY } = await write.claimPushes({
        at,
        until,
        most: atOnce,
      });
      const lost = pushes.filter(({ sending }) => sending);
      const left = pushes.filter(({ sending }) => !sending);
      if (lost.length > 0) await this.#lose(lost, until);
      while (left.length > 0) {
        const isLate = signal.aborted || Date.now() > at + claimTime / 2;
        const some = left.splice(0, isLate ? left.length : together);
        const settled = isLate
          ? some.map(({ user, room }) => ({ user, room, due: at }))
          : await Promise.all(some.map((push) => this.#lookAt(push, until)));
        await write.settlePushes({ pushes: settled, until, at: Date.now() });
      }
      if (pushes.length < atOnce || signal.aborted) return Math.min(lookEvery, next - Date.now());
    }
  }

  /** The server that sent these has ended: nobody knows whether they were sent, and they are not sent again. */
  async #lose(pushes: readonly PushPlace[], until: number): Promise<void> {
    const lost = pushes.map(({ user, room }) => ({ user, room }));
    await this.#options.history.write.settlePushes({ pushes: lost, until, at: Date.now() });
    for (const _ of lost) this.#options.onPush('lost');
  }

  async #lookAt({ user, room }: PushPlace, until: number): Promise<Settled> {
    const { history, directory } = this.#options;
    const done = { user, room };
    // Before the store is asked, which costs it work.
    const reason = await this.#reasonFor(user, room);
    if ('settled' in reason) return reason.settled;
    const devices = await this.#devicesOf(user);
    if (devices.unknown && devices.ready.length === 0) return { ...done, due: Date.now() + again.shortest };
    if (devices.ready.length === 0) return done;
    // It may have taken a while to answer.
    const still = await this.#reasonFor(user, room);
    if ('settled' in still) return still.settled;
    const { settings, unread, found, stored, at } = still;
    const own = new Set((await history.read.devices({ user })).map(({ id }) => id));
    const ready = devices.ready.flatMap((one) => {
      // Its user has logged out there meanwhile, and somebody else may have logged in.
      if (!own.has(one.device.id)) return [];
      const rooms = one.login.is === 'live' ? roomsFor(one.login, unread.rooms) : unread.rooms;
      return rooms.includes(found) ? [{ ...one, rooms }] : [];
    });
    if (ready.length === 0) return done;
    const texts = new MailTexts(settings.lang, settings.zone);
    const place = placeOf(user, room);
    const silent = this.#sounds.has(place);
    if (!silent) this.#sounds.set(place, at);
    const { user: author, text, files } = directory.messageOf(stored);
    const message = { user: author, text, ...(files === undefined ? {} : { files }) };
    const { lost } = await history.write.notePushing({ ...done, until });
    if (lost) return done;
    const isUrgent = found.kind === 'direct' || found.mentions > 0;
    const outcomes = await Promise.all(
      ready.map(({ device, address, login, rooms }) => {
        const isLive = login.is === 'live';
        const total = rooms.reduce((sum, one) => sum + one.unread, 0);
        if ('token' in address) {
          // An app that opened the room would make its user a member.
          const outside = found.member === undefined ? { member: 'false' } : {};
          const data = { room, seq: String(found.last), unread: String(total), ...outside };
          return this.#send(device, () =>
            this.#toApp(address.token, { data: isLive ? data : { expired: 'true' }, isUrgent }),
          );
        }
        const { page, auth } = address;
        const notice = isLive
          ? noticeOf({
              room: found,
              message,
              shows: settings.text,
              texts,
              unread: rooms,
              at,
              total,
              page,
              silent,
            })
          : namelessNotice(texts, page);
        // By a secret that the service does not know: it would learn who shares a room, and could try which one it is.
        const secret = Buffer.from(auth, 'base64url');
        const topic = createHmac('sha256', secret).update(room).digest('base64url').slice(0, 32);
        return this.#send(device, () => this.#toBrowser(address, { notice, topic, isUrgent }));
      }),
    );
    const pauses = outcomes.flatMap((one) => (one.is === 'busy' ? [pauseOf(one)] : []));
    // If a device has got it, no other one gets it twice.
    if (pauses.length < outcomes.length) {
      this.#pushed.delete(place);
      this.#pushed.set(place, { message: stored.id, mentions: found.mentions, at });
      return done;
    }
    return { ...done, due: Date.now() + Math.max(...pauses) };
  }

  /** The reason of a push to the user about this room, as it is now; without one, when to look again, if at all. */
  async #reasonFor(user: string, room: string): Promise<Reason | { settled: Settled }> {
    const { history, directory, defaults } = this.#options;
    const settled = { user, room };
    const { notices, activeAt, notified } = await history.read.notices({ user });
    const settings = settingsOf(notices, defaults);
    const at = Date.now();
    if (!settings.push) return { settled };
    const unread = await unreadOf(history, directory, user, notified);
    const found = unread?.rooms.find((one) => one.room === room);
    if (unread === undefined || found === undefined) return { settled };
    // A user who is here may leave without having read it.
    if (activeAt !== undefined && isHere(activeAt, at))
      return { settled: { ...settled, due: activeAt + longestHere } };
    const quiet = settings.quiet === null ? undefined : quietUntil(settings.quiet, at);
    if (quiet !== undefined) return { settled: { ...settled, due: quiet } };
    const [stored] = await history.read.messages({ places: [{ room, seq: found.last }] });
    if (stored === undefined || stored.sentAt < at - newsFor) return { settled };
    // It came before an earlier push and was in it, and its room was looked through because of it only after that.
    const pushed = this.#pushed.get(placeOf(user, room));
    if (pushed?.message === stored.id && pushed.mentions >= found.mentions) return { settled };
    return { settings, unread, found, stored, at };
  }

  /** The devices that may be sent to; `unknown`: of some the store does not say whether their user is logged in. */
  async #devicesOf(user: string) {
    const { history, registry } = this.#options;
    const devices = await history.read.devices({ user });
    const checked = await Promise.all(
      devices.map(async (device) => ({ device, login: await registry.check(device) })),
    );
    const ready = checked.flatMap(({ device, login }) => {
      if (login.is !== 'live' && login.is !== 'expired') return [];
      const address = registry.addressOf(device);
      return address === undefined ? [] : [{ device, address, login }];
    });
    return { ready, unknown: checked.some(({ login }) => login.is === 'unknown') };
  }

  async #send(device: StoredDevice, send: () => Promise<PushOutcome>): Promise<PushOutcome> {
    const { registry, onPush, onRefusal } = this.#options;
    const busyFor = (this.#busy.get(device.id) ?? 0) - Date.now();
    if (busyFor > 0) return { is: 'busy', wait: busyFor, reason: 'the service has asked to wait' };
    const outcome = await send();
    if (this.#busy.size >= mostBusy) this.#busy.clear();
    if (outcome.is === 'busy') this.#busy.set(device.id, Date.now() + pauseOf(outcome));
    else this.#busy.delete(device.id);
    onPush(outcome.is);
    if (outcome.is === 'gone') await registry.forget(device);
    if ('reason' in outcome) onRefusal(outcome.reason);
    return outcome;
  }

  async #toApp(
    token: string,
    push: { data: Record<string, string>; isUrgent: boolean },
  ): Promise<PushOutcome> {
    const { apps } = this.#options;
    return apps === undefined ? { is: 'refused', reason: 'CHAT_FCM is not set' } : apps.send(token, push);
  }

  async #toBrowser(
    { endpoint, p256dh, auth, key }: Exclude<DeviceAddress, { token: string }>,
    { notice, topic, isUrgent }: { notice: object; topic: string; isUrgent: boolean },
  ): Promise<PushOutcome> {
    const { browsers } = this.#options;
    if (browsers === undefined) return { is: 'refused', reason: 'CHAT_PUSH_CONTACT is not set' };
    const vapid = await browsers.keys.of(key);
    if (vapid === undefined) return { is: 'gone' };
    return browsers.services.send(
      endpoint,
      { p256dh: Buffer.from(p256dh, 'base64url'), auth: Buffer.from(auth, 'base64url') },
      vapid,
      { text: Buffer.from(JSON.stringify(notice)), topic, urgency: isUrgent ? 'high' : 'normal' },
    );
  }

  #forget(at: number): void {
    for (const [place, made] of this.#sounds) {
      if (made > at - betweenSounds) break;
      this.#sounds.delete(place);
    }
    for (const [place, pushed] of this.#pushed) {
      if (pushed.at > at - pushedKept) break;
      this.#pushed.delete(place);
    }
  }
}

const placeOf = (user: string, room: string) => `${room} ${user}`;

/** Milliseconds until a push is tried again. */
const pauseOf = ({ wait }: { wait: number }) => Math.min(Math.max(again.shortest, wait), again.longest);

/** The rooms of which a device may hear: the site may have taken some out of its session since. */
const roomsFor = (session: Parameters<typeof memberBySession>[2], rooms: readonly UnreadRoom[]) =>
  rooms.filter(
    ({ room: id, kind, member }) =>
      member === undefined || memberBySession({ id, kind }, member, session) !== undefined,
  );
