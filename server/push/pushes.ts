import { Rounds } from '../changes/rounds.ts';
import { memberBySession } from '../chat/access.ts';
import type { Directory } from '../chat/directory.ts';
import type { DuePush, History, Pushed, SettledPush, StoredMessage } from '../history/history.ts';
import { isHere, longestHere } from '../notify/acts.ts';
import { type NotifyDefaults, type NotifySettings, settingsOf } from '../notify/settings.ts';
import { quietUntil } from '../notify/times.ts';
import { type Unread, type UnreadRoom, unreadOf } from '../notify/unread.ts';
import type { PushOutcome } from './push-service.ts';
import type { DeviceRegistry } from './registry.ts';
import { PushSender, pauseOf, type SenderOptions, soonestAgain } from './sender.ts';

/** Pushes that are taken at a time, and of these so many are looked at together. */
const atOnce = 50;
const together = 10;
/** Milliseconds after which pushes that a server has taken are due again: the server has ended meanwhile. */
const claimTime = 60_000;
/** Milliseconds between two looks for what another server has stored. */
const lookEvery = 30_000;
/** Milliseconds after which a message is not news any more. */
const newsFor = 24 * 60 * 60_000;
/** Milliseconds for which pushed messages are remembered: a room is looked through again after a minute at most. */
const pushedKept = 5 * 60_000;

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

export interface PushesOptions extends SenderOptions {
  history: Pick<History, 'read' | 'write'>;
  directory: Directory;
  defaults: NotifyDefaults;
  registry: Pick<DeviceRegistry, 'check' | 'addressOf' | 'forget'>;
  /** Called for each device that was sent to, and for a push that a server was sending when it ended (`lost`). */
  onPush(outcome: PushOutcome['is'] | 'lost'): void;
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
  readonly #sender: PushSender;

  constructor(options: PushesOptions) {
    this.#options = options;
    this.#sender = new PushSender(options);
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
      this.#sender.forget(at);
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
        const isLate = () => signal.aborted || Date.now() > at + claimTime / 2;
        const some = left.splice(0, isLate() ? left.length : together);
        // The pushes of one user in turn, since each looks through all rooms of the user.
        const byUser = Map.groupBy(some, ({ user }) => user);
        const inTurn = async (pushes: readonly DuePush[]) => {
          const settled: SettledPush[] = [];
          for (const push of pushes) {
            const { user, room, pushed } = push;
            settled.push(isLate() ? { user, room, pushed, due: at } : await this.#lookAt(push, until));
          }
          return settled;
        };
        const settled = (await Promise.all(Array.from(byUser.values(), inTurn))).flat();
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
    const reason = await this.#reasonFor(push, [room]);
    if ('settled' in reason) return reason.settled;
    const devices = await this.#devicesOf(user, reason.got);
    const waits = devices.unknown.map(() => soonestAgain);
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
      return rooms.includes(found) ? [{ ...one, rooms, busyFor: this.#sender.busyFor(device) }] : [];
    });
    const ready = open.filter(({ busyFor }) => busyFor <= 0);
    waits.push(...open.flatMap(({ busyFor }) => (busyFor > 0 ? [busyFor] : [])));
    if (ready.length === 0) return settled(pushed, waits);
    const sent = { message: stored.id, mentions };
    const withGot = (some: typeof ready) => ({
      ...sent,
      got: [...got, ...some.map(({ device }) => device.id)],
    });
    const { user: author, text, files } = directory.messageOf(stored);
    const message = { user: author, text, ...(files === undefined ? {} : { files }) };
    const noted = waits.length === 0 ? sent : withGot(ready);
    const { lost } = await history.write.notePushing({ user, room, until, pushed: noted });
    if (lost) return settled(pushed, []);
    const outcomes = await Promise.all(
      ready.map((one) => this.#sender.send(one, { found, message, settings, at })),
    );
    waits.push(...outcomes.flatMap((one) => (one.is === 'busy' ? [pauseOf(one)] : [])));
    if (waits.length === 0) return settled(sent, waits);
    const known = withGot(ready.filter((_, n) => outcomes[n]?.is !== 'busy'));
    return settled(known.got.length === 0 ? pushed : known, waits);
  }

  /**
   * The reason of a push to the user about this room, as it is now; without one, when to look again, if at all.
   * @param only if given, nothing is known of other rooms
   */
  async #reasonFor(
    { user, room, pushed }: DuePush,
    only?: readonly string[],
  ): Promise<Reason | { settled: SettledPush }> {
    const { history, directory, defaults } = this.#options;
    const settled = { user, room };
    const known = { ...settled, pushed };
    const { notices, activeAt, notified } = await history.read.notices({ user });
    const settings = settingsOf(notices, defaults);
    const at = Date.now();
    if (!settings.push) return { settled };
    // A user who is here may leave without having read it.
    if (activeAt !== undefined && isHere(activeAt, at))
      return { settled: { ...known, due: activeAt + longestHere } };
    const quiet = settings.quiet === null ? undefined : quietUntil(settings.quiet, at);
    if (quiet !== undefined) return { settled: { ...known, due: quiet } };
    const unread = await unreadOf(history, directory, user, {
      ...{ notified, messagesOf: [room] },
      ...(only === undefined ? {} : { only }),
    });
    const found = unread?.rooms.find((one) => one.room === room);
    if (unread === undefined || found === undefined) return { settled };
    // As it was read with the room: later the user may have lost that.
    const stored = found.last;
    // It was deleted at this moment, and there may be others.
    if (stored === undefined) return { settled: { ...known, due: at } };
    if (stored.sentAt < at - newsFor) return { settled };
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
    const { history, registry, onRefusal } = this.#options;
    const devices = (await history.read.devices({ user })).filter(({ id }) => !got.includes(id));
    const checked = await Promise.all(
      devices.map(async (device) => ({ device, login: await registry.check(device) })),
    );
    const ready = checked.flatMap(({ device, login }) => {
      if (login.is !== 'live' && login.is !== 'expired') return [];
      const address = registry.addressOf(device);
      if (address === undefined) onRefusal('CHAT_PUSH_KEY_FILE has no key that opens a device');
      return address === undefined ? [] : [{ device, address, login }];
    });
    return { ready, unknown: checked.filter(({ login }) => login.is === 'unknown') };
  }
}

/** The rooms of which a device may hear: the site may have taken some out of its session since. */
const roomsFor = (session: Parameters<typeof memberBySession>[2], rooms: readonly UnreadRoom[]) =>
  rooms.filter(
    ({ room: id, kind, member }) =>
      member === undefined || memberBySession({ id, kind }, member, session) !== undefined,
  );
