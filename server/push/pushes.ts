import { createHmac } from 'node:crypto';
import { Rounds } from '../changes/rounds.ts';
import { memberBySession } from '../chat/access.ts';
import type { Directory } from '../chat/directory.ts';
import type {
  DuePush,
  History,
  Pushed,
  SettledPush,
  StoredDevice,
  StoredMessage,
} from '../history/history.ts';
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

interface Reason {
  settings: NotifySettings;
  unread: Unread;
  found: UnreadRoom;
  /** The newest message of the room that concerns the user. */
  stored: StoredMessage;
  /** As in `Pushed`; nobody has got a new message. */
  mentions: number;
  got: readonly string[];
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
  /** Called for each device that was sent to, and for a push that a server was sending when it ended (`lost`). */
  onPush(outcome: Outcome): void;
  /** Called when a service has not taken a push. `reason` repeats nothing of its answer. */
  onRefusal(reason: string): void;
  /** Called when the history has failed. */
  onFailure(error: Error): void;
}

/**
 * Sends pushes to the devices of users, each at most once: the devices are noted before, and no server sends it to them
 * again. A device that cannot be reached is tried again. Whether anything is still unread, what it says, and who is logged in
 * where, is asked at that time.
 */
export class Pushes {
  readonly #options: PushesOptions;
  readonly #rounds: Rounds;
  /** When a room made a sound last, by room and device. */
  readonly #sounds = new Map<string, number>();
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
        before: at - pushedKept,
      });
      // Nobody knows whether they were sent.
      for (const { sending } of pushes) if (sending) this.#options.onPush('lost');
      const left = [...pushes];
      while (left.length > 0) {
        const isLate = signal.aborted || Date.now() > at + claimTime / 2;
        const some = left.splice(0, isLate ? left.length : together);
        const settled = isLate
          ? some.map(({ user, room, pushed }) => ({ user, room, pushed, due: at }))
          : await Promise.all(some.map((push) => this.#lookAt(push, until)));
        await write.settlePushes({ pushes: settled, until, at: Date.now() });
      }
      if (pushes.length < atOnce || signal.aborted) return Math.min(lookEvery, next - Date.now());
    }
  }

  async #lookAt(push: DuePush, until: number): Promise<SettledPush> {
    const { history, directory } = this.#options;
    const { user, room, pushed } = push;
    /** @param waits milliseconds for which each of the devices waits that are left */
    const settled = (pushed: Pushed | undefined, waits: readonly number[]): SettledPush => {
      const place = { user, room, pushed };
      return waits.length === 0 ? place : { ...place, due: Date.now() + Math.min(...waits), yields: true };
    };
    // Before the store is asked, which costs it work.
    const reason = await this.#reasonFor(push);
    if ('settled' in reason) return reason.settled;
    const devices = await this.#devicesOf(user, reason.got);
    const waits = devices.unknown.map(() => again.shortest);
    if (devices.ready.length === 0) return settled(pushed, waits);
    // It may have taken a while to answer.
    const still = await this.#reasonFor(push);
    if ('settled' in still) return still.settled;
    const { settings, unread, found, stored, mentions, got, at } = still;
    // A newer one is for all devices.
    if (got.length < reason.got.length) return settled(pushed, [0]);
    const own = new Set((await history.read.devices({ user })).map(({ id }) => id));
    const open = devices.ready.flatMap((one) => {
      const { device, login } = one;
      // Its user has logged out there meanwhile, and somebody else may have logged in.
      if (!own.has(device.id) || got.includes(device.id)) return [];
      const rooms = login.is === 'live' ? roomsFor(login, unread.rooms) : unread.rooms;
      return rooms.includes(found) ? [{ ...one, rooms, busyFor: this.#busyFor(device) }] : [];
    });
    const ready = open.filter(({ busyFor }) => busyFor <= 0);
    waits.push(...open.flatMap(({ busyFor }) => (busyFor > 0 ? [busyFor] : [])));
    if (ready.length === 0) return settled(pushed, waits);
    const sent = { message: stored.id, mentions };
    const withGot = (some: typeof ready) => ({
      ...sent,
      got: [...got, ...some.map(({ device }) => device.id)],
    });
    const texts = new MailTexts(settings.lang, settings.zone);
    const { user: author, text, files } = directory.messageOf(stored);
    const message = { user: author, text, ...(files === undefined ? {} : { files }) };
    const noted = waits.length === 0 ? sent : withGot(ready);
    const { lost } = await history.write.notePushing({ user, room, until, pushed: noted });
    if (lost) return settled(pushed, []);
    const isUrgent = found.kind === 'direct' || found.mentions > 0;
    const outcomes = await Promise.all(
      ready.map(async ({ device, address, login, rooms }) => {
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
        const place = `${room} ${device.id}`;
        const silent = this.#sounds.has(place);
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
        const outcome = await this.#send(device, () => this.#toBrowser(address, { notice, topic, isUrgent }));
        if (!silent && outcome.is === 'sent') this.#sounds.set(place, Date.now());
        return outcome;
      }),
    );
    waits.push(...outcomes.flatMap((one) => (one.is === 'busy' ? [pauseOf(one)] : [])));
    if (waits.length === 0) return settled(sent, waits);
    const known = withGot(ready.filter((_, n) => outcomes[n]?.is !== 'busy'));
    return settled(known.got.length === 0 ? pushed : known, waits);
  }

  /** The reason of a push to the user about this room, as it is now; without one, when to look again, if at all. */
  async #reasonFor({ user, room, pushed }: DuePush): Promise<Reason | { settled: SettledPush }> {
    const { history, directory, defaults } = this.#options;
    const settled = { user, room };
    const known = { ...settled, pushed };
    const { notices, activeAt, notified } = await history.read.notices({ user });
    const settings = settingsOf(notices, defaults);
    const at = Date.now();
    if (!settings.push) return { settled };
    const unread = await unreadOf(history, directory, user, notified);
    const found = unread?.rooms.find((one) => one.room === room);
    if (unread === undefined || found === undefined) return { settled };
    // A user who is here may leave without having read it.
    if (activeAt !== undefined && isHere(activeAt, at))
      return { settled: { ...known, due: activeAt + longestHere } };
    const quiet = settings.quiet === null ? undefined : quietUntil(settings.quiet, at);
    if (quiet !== undefined) return { settled: { ...known, due: quiet } };
    const [stored] = await history.read.messages({ places: [{ room, seq: found.last }] });
    if (stored === undefined || stored.sentAt < at - newsFor) return { settled };
    const reason = { settings, unread, found, stored, at };
    if (pushed?.message !== stored.id || pushed.mentions < found.mentions)
      return { ...reason, mentions: found.mentions, got: [] };
    const { mentions, got } = pushed;
    // It came before an earlier push and was in it, and its room was looked through because of it only after that.
    if (got === undefined) return { settled: known };
    return { ...reason, mentions, got };
  }

  /**
   * The devices that may be sent to, without those that have got it; `unknown`: the store does not say whether their user is
   * logged in there.
   */
  async #devicesOf(user: string, got: readonly string[]) {
    const { history, registry } = this.#options;
    const devices = (await history.read.devices({ user })).filter(({ id }) => !got.includes(id));
    const checked = await Promise.all(
      devices.map(async (device) => ({ device, login: await registry.check(device) })),
    );
    const ready = checked.flatMap(({ device, login }) => {
      if (login.is !== 'live' && login.is !== 'expired') return [];
      const address = registry.addressOf(device);
      return address === undefined ? [] : [{ device, address, login }];
    });
    return { ready, unknown: checked.filter(({ login }) => login.is === 'unknown') };
  }

  /** Milliseconds for which its service wants nothing yet. */
  #busyFor({ id }: StoredDevice): number {
    return (this.#busy.get(id) ?? 0) - Date.now();
  }

  async #send(device: StoredDevice, send: () => Promise<PushOutcome>): Promise<PushOutcome> {
    const { registry, onPush, onRefusal } = this.#options;
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
  }
}

/** Milliseconds until a push is tried again. */
const pauseOf = ({ wait }: { wait: number }) => Math.min(Math.max(again.shortest, wait), again.longest);

/** The rooms of which a device may hear: the site may have taken some out of its session since. */
const roomsFor = (session: Parameters<typeof memberBySession>[2], rooms: readonly UnreadRoom[]) =>
  rooms.filter(
    ({ room: id, kind, member }) =>
      member === undefined || memberBySession({ id, kind }, member, session) !== undefined,
  );
