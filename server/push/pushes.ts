import { processClaims } from '../changes/claims.ts';
import { Rounds } from '../changes/rounds.ts';
import { memberBySession } from '../chat/access.ts';
import type { Directory } from '../chat/directory.ts';
import type { DuePush, History, Pushed, SettledPush, StoredMessage } from '../history/history.ts';
import { Lanes } from '../limits/lanes.ts';
import { isHere, longestHere } from '../notify/acts.ts';
import { isOfReminder, placeOfReminder } from '../notify/concerns.ts';
import { type NotifyDefaults, type NotifySettings, settingsOf } from '../notify/settings.ts';
import { quietUntil } from '../notify/times.ts';
import { type Unread, type UnreadRoom, unreadOf } from '../notify/unread.ts';
import type { PushOutcome } from './push-service.ts';
import type { DeviceRegistry } from './registry.ts';
import { PushSender, pauseOf, type SenderOptions, soonestAgain } from './sender.ts';

/** Maximum users whose pushes are checked concurrently. */
const together = 10;
/** While a push to a user hangs, further pushes to the user are postponed by this time, in milliseconds. */
const postponedFor = 5000;
/** If this server crashes, another server takes over its pushes after this time, in milliseconds. */
const claimTime = 60_000;
/** Maximum age of a pushed message, in milliseconds. */
const newsFor = 24 * 60 * 60_000;
/**
 * How long completed pushes are remembered, in milliseconds. A scan of the room may queue them again up to a minute
 * later.
 */
const pushedKept = 5 * 60_000;

interface Reason {
  settings: NotifySettings;
  unread: Unread;
  found: UnreadRoom;
  /** The newest message of the room that concerns the user. */
  stored: StoredMessage;
  /** `mentions` and `got` as in `Pushed`. `got` is empty for a new message. */
  mentions: number;
  got: readonly string[];
  /** The time just before the unread messages were fetched, as Unix ms. */
  at: number;
}

export interface PushesOptions extends SenderOptions {
  history: Pick<History, 'read' | 'write'>;
  directory: Directory;
  defaults: NotifyDefaults;
  registry: Pick<DeviceRegistry, 'check' | 'addressOf' | 'forget'>;
  /** Called with the outcome for each device, and with `lost` for each push that a crashed server was sending. */
  onPush(outcome: PushOutcome['is'] | 'lost'): void;
  /** Called when a push waits for the end of the user's quiet hours. @param until Unix ms */
  onQuiet(until: number): void;
  /** Called when the history fails. */
  onFailure(error: Error): void;
}

/**
 * Sends pushes to the devices of users. Each device gets a push at most once, because recipients are recorded before
 * sending. Devices that are not available are retried. Unread messages and logins are read just before sending.
 */
export class Pushes {
  readonly #options: PushesOptions;
  readonly #rounds: Rounds;
  readonly #sender: PushSender;
  readonly #lanes = new Lanes(together);
  /** The users whose pushes are being checked. */
  readonly #users = new Set<string>();

  constructor(options: PushesOptions) {
    this.#options = options;
    this.#sender = new PushSender(options);
    this.#rounds = new Rounds((signal) => this.#look(signal), options.onFailure);
  }

  /** Checks for due pushes now. */
  wake(): void {
    this.#rounds.wake();
  }

  /** Stops, and waits for the checks in progress. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.#lanes.idle();
  }

  #look(signal: AbortSignal): Promise<number> {
    const { history, onPush } = this.#options;
    return processClaims(signal, {
      lanes: this.#lanes,
      claimMs: claimTime,
      // A push that is settled as due waits for the next poll, so that it is not claimed in a loop.
      endsBelowMax: true,
      claim: async (claim) => {
        this.#sender.forget(claim.at);
        const { pushes, next } = await history.write.claimPushes({ ...claim, before: claim.at - pushedKept });
        return { rows: pushes, next };
      },
      onLost: () => onPush('lost'),
      start: async (pushes, claim) => {
        for (const [user, own] of Map.groupBy(pushes, ({ user }) => user)) {
          await this.#lanes.free();
          void this.#lanes.start(() => this.#lookAtAll(user, own, claim));
        }
      },
    });
  }

  /**
   * Checks pushes of one user sequentially, because each check reads all rooms of the user. Never rejects. If the
   * history fails, the claims end at `until`.
   */
  async #lookAtAll(
    user: string,
    pushes: readonly DuePush[],
    { at, until, isLate }: { at: number; until: number; isLate: () => boolean },
  ): Promise<void> {
    const isHanging = this.#users.has(user);
    if (!isHanging) this.#users.add(user);
    try {
      const settled: SettledPush[] = [];
      for (const push of pushes) {
        const { user, room, pushed } = push;
        const later = { user, room, pushed, due: isHanging ? Date.now() + postponedFor : at };
        settled.push(isHanging || isLate() ? later : await this.#lookAt(push, until));
      }
      await this.#options.history.write.settlePushes({ pushes: settled, until, at: Date.now() });
    } catch (error) {
      this.#options.onFailure(error as Error);
    } finally {
      if (!isHanging) this.#users.delete(user);
    }
  }

  async #lookAt(push: DuePush, until: number): Promise<SettledPush> {
    const { history, directory } = this.#options;
    const { user, room, pushed } = push;
    /**
     * Returns the result for this push.
     * @param waits delays in milliseconds until each remaining device can be retried
     */
    const settled = (pushed: Pushed | undefined, waits: readonly number[]): SettledPush => {
      const place = { user, room, pushed };
      return waits.length === 0 ? place : { ...place, due: Date.now() + Math.min(...waits), yields: true };
    };
    // Checked first, because checking the logins puts load on the session store.
    const reason = await this.#reasonFor(push, [room]);
    if ('settled' in reason) return reason.settled;
    const devices = await this.#devicesOf(user, reason.got);
    const waits = devices.unknown.map(() => soonestAgain);
    if (devices.ready.length === 0) return settled(pushed, waits);
    // Checked again, because the session store may have been slow.
    const still = await this.#reasonFor(push);
    if ('settled' in still) return still.settled;
    const { settings, unread, found, stored, mentions, got, at } = still;
    // A newer message arrived during the check. It is for all devices.
    if (got.length < reason.got.length) return settled(pushed, [0]);
    const own = new Set((await history.read.devices({ user })).map(({ id }) => id));
    const open = devices.ready.flatMap((one) => {
      const { device, login } = one;
      // Skips devices whose user logged out during the check, because another user may have logged in there. Also skips
      // devices that have the push.
      if (!own.has(device.id) || got.includes(device.id)) return [];
      const rooms = login.is === 'live' ? roomsFor(login, unread.rooms) : unread.rooms;
      return rooms.includes(found) ? [{ ...one, rooms, busyFor: this.#sender.busyFor(one) }] : [];
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
    const message = { user: author, text, files };
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
   * Returns why to push this room to the user now. Without a reason, returns when to check again, if at all.
   * @param only reads only these rooms, so `unread` lacks all others
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
    // An online user may leave without reading the message.
    if (activeAt !== undefined && isHere(activeAt, at))
      return { settled: { ...known, due: activeAt + longestHere } };
    const quiet = settings.quiet === null ? undefined : quietUntil(settings.quiet, at);
    if (quiet !== undefined) {
      this.#options.onQuiet(quiet);
      return { settled: { ...known, due: quiet } };
    }
    if (isOfReminder(room)) return this.#reminderReason({ user, room, pushed }, settings, at);
    const unread = await unreadOf(history, directory, user, {
      ...{ notified, messagesOf: [room], withoutReminders: true },
      only,
    });
    const found = unread?.rooms.find((one) => one.room === room);
    if (unread === undefined || found === undefined) return { settled };
    // From the same read, because the user may have lost access to the room since then.
    const stored = found.last;
    // The message was deleted during the read. There may be other unread messages, so check again.
    if (stored === undefined) return { settled: { ...known, due: at } };
    if (stored.sentAt < at - newsFor) return { settled };
    const reason = { settings, unread, found, stored, at };
    if (pushed?.message !== stored.id || pushed.mentions < found.mentions)
      return { ...reason, mentions: found.mentions, got: [] };
    const { mentions, got } = pushed;
    // All devices already got this message, and a later scan of the room queued it again.
    if (got === undefined) return { settled: known };
    return { ...reason, mentions, got };
  }

  /** Like `#reasonFor`, for a reminder that is due. Its message may be old and read. */
  async #reminderReason(
    { user, room: place, pushed }: SettledPush,
    settings: NotifySettings,
    at: number,
  ): Promise<Reason | { settled: SettledPush }> {
    const { history, directory } = this.#options;
    const settled = { user, room: place };
    const due = await history.read.dueReminders({ user });
    const reminder = due.find(({ id }) => placeOfReminder(id) === place);
    // The user deleted it, or was here since it was due.
    if (reminder === undefined) return { settled };
    const { room, seq } = reminder;
    const unread = await unreadOf(history, directory, user, { notified: [] });
    // The push does not show a message that the user can no longer see.
    const among = unread?.rooms.find((one) => one.room === room && one.reminders?.includes(seq));
    const [stored] = await history.read.messages({ places: [{ room, seq }] });
    if (unread === undefined || among === undefined || stored === undefined || stored.deletedAt !== undefined)
      return { settled };
    const found = { ...among, newest: seq, reminder: true as const };
    const rooms = unread.rooms.map((one) => (one === among ? found : one));
    const got = pushed?.message === stored.id ? pushed.got : [];
    if (got === undefined) return { settled: { ...settled, pushed } };
    return { settings, unread: { ...unread, rooms }, found, stored, at, mentions: 0, got };
  }

  /**
   * Returns the devices that may get the push, except the devices in `got`. `unknown`: devices for which the session
   * store cannot tell whether the user is still logged in.
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
      if (address === undefined) onRefusal('CHAT_PUSH_KEY_FILE has no key that decrypts this device');
      return address === undefined ? [] : [{ device, address, login }];
    });
    return { ready, unknown: checked.filter(({ login }) => login.is === 'unknown') };
  }
}

/** Returns the rooms that a push to this device may mention. Its session may no longer grant some of them. */
const roomsFor = (session: Parameters<typeof memberBySession>[2], rooms: readonly UnreadRoom[]) =>
  rooms.filter(
    ({ room: id, kind, member }) =>
      member === undefined || memberBySession({ id, kind }, member, session) !== undefined,
  );
