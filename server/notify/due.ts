import { randomUUID } from 'node:crypto';
import { type ClaimOptions, maxClaimed, msUntil, processClaims, slowAfterMs } from '../changes/claims.ts';
import { Rounds } from '../changes/rounds.ts';
import type { Directory } from '../chat/directory.ts';
import { type History, lookThroughPause, type StoredEvent } from '../history/history.ts';
import { Lanes } from '../limits/lanes.ts';
import { isGuest } from '../wire/guest.ts';
import { hereFor, isHere } from './acts.ts';
import { pushAfter } from './concerns.ts';
import { mailsAtOnce } from './mail-bounds.ts';
import { type NotifyDefaults, type NotifySettings, settingsOf } from './settings.ts';
import { nextDaily, quietUntil } from './times.ts';
import { type Notified, type Unread, type UnreadRoom, unreadOf } from './unread.ts';

/**
 * If this server crashes, another server takes over its claims after this time, in milliseconds. Checks of users start
 * only in the first half of it.
 */
const claimTime = 120_000;
/**
 * Maximum users who are checked concurrently. A mail that waits for a free connection would be outdated when it is
 * sent.
 */
const together = { events: 8, mails: mailsAtOnce };
/** Members of a room in one page of a scan. */
const membersAtOnce = 500;
/**
 * The delay between two scans of a room, in milliseconds for each member, so that large rooms do not cost more than
 * small ones.
 */
const pauseOfMember = 100;
/** Minimum delay between two scans of a room, in milliseconds. */
const shortestPause = 10_000;
/** Minimum time between two mails to a user, in milliseconds. */
const betweenMails = 60 * 60_000;
/** The delay before a failed mail is retried, in milliseconds. It doubles with each failure, up to `longest`. */
const retryDelays = { first: 5 * 60_000, longest: 2 * 60 * 60_000 };
/** The random part of a delay, so that mails that failed together are not retried together. */
const jitter = 0.5;
/** While a retry hangs, other retries are postponed by this time, in milliseconds. */
const postponedFor = 60_000;
/** A user who never connected gets at most one mail about the messages of an author in this time, in milliseconds. */
const betweenMailsToNew = 24 * 60 * 60_000;
/** A mail is given up if it still fails after this time, in milliseconds. */
const longestTrying = 24 * 60 * 60_000;
/** Maximum entries of `Due.#failing`. All are dropped when it is full. */
const mostFailing = 100_000;
/** `failed`: the mail was not sent and may be retried. `lost`: it is unknown whether the mail was sent. */
export type NoticeOutcome = 'sent' | 'no_address' | 'refused' | 'failed' | 'lost';

/** Sends the mails of this server. */
export interface Mailer {
  send: SendMail;
  /** No mail is sent before this time, as Unix ms, because the mail server accepts none. */
  readonly pausedUntil: number;
}

/** The unread messages for a mail and the settings of its reader, as of now. */
export interface About {
  unread: Unread;
  settings: NotifySettings;
}

/**
 * Sends a mail. Never rejects.
 * @param about returns the current contents, or undefined if nothing is left to send. Called just before the mail is
 * written, and again before it is transmitted.
 * @returns undefined if there was nothing to send, and `pausedUntil` if this user gets no mail before this time (Unix
 * ms)
 */
export type SendMail = (
  user: string,
  about: () => Promise<About | undefined>,
) => Promise<NoticeOutcome | { pausedUntil: number } | undefined>;

export interface DueOptions {
  history: Pick<History, 'read' | 'write'>;
  directory: Directory;
  defaults: NotifyDefaults;
  /** The delay of the first check after a message, in milliseconds. */
  firstLook: number;
  /** Absent if this server does not send mails. */
  mail?: Mailer | undefined;
  /** Without `mail`: whether the site gets `notify.due` events. */
  events: boolean;
  /** Called when pushes may have been queued. */
  onPushes(): void;
  /** Called when an event for the site is stored. */
  onEvent(): void;
  onMail(outcome: NoticeOutcome | 'given up'): void;
  /** Called when a notification waits for the end of the user's quiet hours. @param until Unix ms */
  onQuiet(until: number): void;
  /** Called when the history fails. */
  onFailure(error: Error): void;
}

/**
 * Checks queued users when they are due, and notifies them of unread messages. A mail is sent at most once. Without
 * `mail`, the site gets an event, which a crash cannot lose. Only one server at a time checks a user.
 */
export class Due {
  readonly #options: DueOptions;
  /** Separate from `#users`, so that a slow mail server does not delay pushes. */
  readonly #rooms: Rounds;
  readonly #users: Rounds;
  readonly #lanes: Lanes;
  /** The retry in progress. There is at most one, because retries are likely to hang and would occupy all lanes. */
  readonly #retrying = new Lanes(1);
  /** The start of the retry period of each user whose mail failed, as Unix ms, and the number of attempts. */
  readonly #failing = new Map<string, { since: number; attempts: number }>();

  constructor(options: DueOptions) {
    this.#options = options;
    this.#lanes = new Lanes(options.mail === undefined ? together.events : together.mails);
    this.#rooms = new Rounds((signal) => this.#lookThroughRooms(signal), options.onFailure);
    this.#users = new Rounds((signal) => this.#lookAtUsers(signal), options.onFailure);
  }

  /** Checks the queues now. */
  wake(): void {
    this.#rooms.wake();
    this.#users.wake();
  }

  /** Stops, and waits for the checks in progress. */
  async stop(): Promise<void> {
    await Promise.all([this.#rooms.stop(), this.#users.stop()]);
    await this.#lanes.idle();
  }

  async #lookThroughRooms(signal: AbortSignal): Promise<number> {
    for (;;) {
      const at = Date.now();
      const claim = { at, until: at + claimTime, most: maxClaimed };
      const { rooms, next } = await this.#options.history.write.claimDueRooms(claim);
      for (const room of rooms) await this.#lookThrough(room);
      if (rooms.length > 0) this.#users.wake();
      if (rooms.length === 0 || signal.aborted) return msUntil(next);
    }
  }

  #lookAtUsers(signal: AbortSignal): Promise<number> {
    const { history, mail, onMail } = this.#options;
    return processClaims(signal, {
      lanes: this.#lanes,
      claimMs: claimTime,
      pausedUntil: () => mail?.pausedUntil ?? 0,
      async claim(claim) {
        const { users, next } = await history.write.claimDueUsers(claim);
        return { rows: users, next };
      },
      // The messages count as notified.
      onLost: () => onMail('lost'),
      start: (users, claim) => this.#checkAll(users, claim),
    });
  }

  /** Starts the checks of claimed users. Retries come last. */
  async #checkAll(
    users: readonly { user: string }[],
    { at, until, isLate }: Parameters<ClaimOptions<unknown>['start']>[1],
  ): Promise<void> {
    const left: { user: string; due: number }[] = [];
    for (const { user } of users.filter((one) => !this.#failing.has(one.user))) {
      await this.#lanes.free();
      if (isLate()) left.push({ user, due: at });
      else void this.#lanes.start(() => this.#check(user, until));
    }
    let hangs = false;
    for (const { user } of users.filter((one) => this.#failing.has(one.user))) {
      if (!hangs) hangs = !(await this.#retrying.idle(slowAfterMs));
      if (!hangs) await this.#lanes.free();
      if (isLate()) left.push({ user, due: at });
      else if (hangs) left.push({ user, due: Date.now() + withJitter(postponedFor) });
      else {
        const checked = this.#lanes.start(() => this.#check(user, until));
        void this.#retrying.start(() => checked);
      }
    }
    if (left.length > 0) await this.#options.history.write.settleDue({ users: left, until, at });
  }

  async #lookThrough({ room, everyone }: { room: string; everyone: boolean }): Promise<void> {
    const { history, firstLook } = this.#options;
    const at = Date.now();
    const { members = 0 } = (await history.read.room({ room })) ?? {};
    const pause = Math.min(Math.max(shortestPause, members * pauseOfMember), lookThroughPause);
    for (let after: string | undefined = ''; after !== undefined; ) {
      const { users, next }: { users: string[]; next?: string } = await history.read.concernedMembers({
        room,
        everyone,
        after,
        limit: membersAtOnce,
      });
      if (users.length > 0 || next === undefined) {
        await history.write.noteDue({
          room,
          users,
          due: at + firstLook,
          pushes: await history.read.withDevices({ users }),
          pushDue: at + pushAfter,
          next: next === undefined ? at + pause : undefined,
        });
      }
      after = next;
    }
    this.#options.onPushes();
  }

  /** Checks a user and ends the claim. Never rejects. If the history fails, the claim ends at `until`. */
  async #check(user: string, until: number): Promise<void> {
    const { history, onMail, onFailure } = this.#options;
    let outcome: Parameters<typeof onMail>[0] | undefined;
    try {
      const users = await this.#lookAt(user, until, (of) => {
        outcome = of;
      });
      if (users.length > 0) await history.write.settleDue({ users, until, at: Date.now() });
    } catch (error) {
      onFailure(error as Error);
    }
    // Only now, so that the outcome is stored when it is reported.
    if (outcome !== undefined) onMail(outcome);
  }

  /** Checks a user. @returns the result for `settleDue`; empty if the claim ended already */
  async #lookAt(
    user: string,
    until: number,
    onMail: DueOptions['onMail'],
  ): Promise<{ user: string; due?: number }[]> {
    const { history, directory, defaults, mail, events, onEvent } = this.#options;
    const { notices, activeAt, notified, lastNotified } = await history.read.notices({ user });
    const settings = settingsOf(notices, defaults);
    const isWanted = settings.mail !== 'off' && (mail !== undefined || (events && !isGuest(user)));
    const { newMembers } = defaults;
    const unread = isWanted ? await unreadOf(history, directory, user, { notified, newMembers }) : undefined;
    const at = Date.now();
    const { rooms, next } =
      unread?.isNew === true
        ? roomsForNew(unread.rooms, { notified, lastNotified, at })
        : { rooms: unread?.rooms.filter((room) => isNews(room, notified, { user, activeAt })) ?? [] };
    if (rooms.length === 0) return [{ user, due: next }];
    // A guest who wrote since the last mail gets the answer without the hour between mails.
    const hasWritten = isGuest(user) && (activeAt ?? 0) > (lastNotified ?? 0);
    const { due, isQuiet } = dueAt(settings, rooms, {
      ...{ at, activeAt },
      lastNotified: hasWritten ? undefined : lastNotified,
    });
    if (due > at) {
      if (isQuiet) this.#options.onQuiet(due);
      return [{ user, due }];
    }
    const ids = rooms.map(({ room }) => room);
    if (mail === undefined) {
      const event: StoredEvent = { id: randomUUID(), type: 'notify.due', at, due: at, tries: 0, user };
      const { lost } = await history.write.noteNotified({
        user,
        rooms: ids,
        until,
        at,
        sending: false,
        event,
        next,
      });
      if (!lost) onEvent();
      return [];
    }
    // Recorded before sending, so that a crash loses the mail instead of sending it twice.
    const { lost } = await history.write.noteNotified({ user, rooms: ids, until, at, sending: true });
    if (lost) return [];
    const outcome = await mail.send(user, () => this.#about(user, ids, notified));
    const revert = async () => {
      const before = ids.map((room) => notified.find((one) => one.room === room) ?? { room });
      const last = lastNotified === undefined ? {} : { lastNotified };
      await history.write.forgetNotified({ user, rooms: before, ...last });
    };
    if (typeof outcome === 'object') {
      await revert();
      return [{ user, due: at + withJitter(outcome.pausedUntil - at) }];
    }
    const oldest = Math.min(...rooms.map(({ since }) => since));
    // The retry period starts at the first failure, or at the oldest message if that is later. A mail may be due a day
    // after its message, such as a daily mail.
    const { since: firstFailure, attempts } = this.#failing.get(user) ?? { since: at, attempts: 0 };
    const since = Math.max(firstFailure, oldest);
    const again = outcome === 'failed' && at <= since + longestTrying;
    this.#failing.delete(user);
    if (this.#failing.size >= mostFailing) this.#failing.clear();
    if (again) this.#failing.set(user, { since, attempts: attempts + 1 });
    if (outcome !== undefined) onMail(outcome === 'failed' && !again ? 'given up' : outcome);
    if (outcome === undefined || again) await revert();
    const { first, longest } = retryDelays;
    const nextDue = again ? at + withJitter(Math.min(first * 2 ** attempts, longest)) : next;
    return [{ user, due: nextDue }];
  }

  /**
   * Returns the current unread messages of these rooms; undefined if nothing is left to send.
   * @param before the earlier notifications, without this one
   */
  async #about(user: string, ids: readonly string[], before: Notified): Promise<About | undefined> {
    const { history, directory, defaults } = this.#options;
    const { notices } = await history.read.notices({ user });
    const settings = settingsOf(notices, defaults);
    if (settings.mail === 'off') return undefined;
    const { newMembers } = defaults;
    const options = { notified: before, only: ids, messagesOf: ids, forMail: true, newMembers };
    const unread = await unreadOf(history, directory, user, options);
    return unread === undefined || unread.rooms.length === 0 ? undefined : { unread, settings };
  }
}

/** Returns a delay with a random part of up to `jitter`. */
const withJitter = (ms: number) => Math.round(ms * (1 + jitter * Math.random()));

/**
 * Whether the room has a due reminder, or the user was online since the last notification of it. Guests get each answer
 * to their question, because they may have no other way to read it.
 */
function isNews(
  { room, reminders, latest }: UnreadRoom,
  notified: Notified,
  { user, activeAt = 0 }: { user: string; activeAt: number | undefined },
): boolean {
  const after = isGuest(user) ? latest : activeAt;
  return reminders !== undefined || !notified.some((one) => one.room === room && one.at >= after);
}

/**
 * Returns the rooms to notify a user of who never connected: with messages since the last notification, and not only by
 * authors about whom the user was notified in the last `betweenMailsToNew`. `next`: when to check the other
 * rooms.
 */
function roomsForNew(
  all: readonly UnreadRoom[],
  { notified, lastNotified, at }: { notified: Notified; lastNotified: number | undefined; at: number },
): { rooms: UnreadRoom[]; next?: number } {
  const after = at - betweenMailsToNew;
  const lastAt = (room: UnreadRoom) => notified.find((one) => one.room === room.room)?.at ?? 0;
  const news = all.filter((room) => room.latest > lastAt(room));
  // The messages or rooms of a recent notification may be deleted since, so that their authors are unknown.
  const lost = notified.filter(({ room }) => !all.some((one) => one.room === room)).map((one) => one.at);
  if (lastNotified !== undefined && !notified.some((one) => one.at === lastNotified)) lost.push(lastNotified);
  const lostAt = Math.max(0, ...lost);
  if (lostAt > after) return { rooms: [], next: news.length > 0 ? lostAt + betweenMailsToNew : undefined };
  const recent = all.filter((room) => lastAt(room) > after);
  const authors = new Set(recent.flatMap((room) => room.authors));
  const rooms = news.filter((room) => room.authors.some((author) => !authors.has(author)));
  if (rooms.length === news.length) return { rooms };
  // A message of another author does not change the time of a queued user, so it is found by the next check.
  return { rooms, next: Math.min(Math.min(...recent.map(lastAt)) + betweenMailsToNew, at + betweenMails) };
}

/** Returns when to notify the user, as Unix ms, and whether quiet hours end then. A past time means now. */
function dueAt(
  { mail, quiet, zone }: NotifySettings,
  rooms: readonly UnreadRoom[],
  {
    at,
    activeAt,
    lastNotified = 0,
  }: { at: number; activeAt: number | undefined; lastNotified: number | undefined },
): { due: number; isQuiet: boolean } {
  const oldest = Math.min(...rooms.map(({ since }) => since));
  // A daily mail is due at the first daily hour after the oldest message, the latest mail and the latest activity.
  const due = Math.max(
    mail === 'daily'
      ? nextDaily(zone, Math.max(oldest, lastNotified, activeAt ?? 0))
      : oldest + (mail as number) * 60_000,
    lastNotified + betweenMails,
    isHere(activeAt, at) ? at + hereFor : 0,
  );
  const moment = Math.max(due, at);
  const quietEnd = quiet === null ? undefined : quietUntil(quiet, moment);
  return { due: quietEnd ?? due, isQuiet: quietEnd !== undefined };
}
