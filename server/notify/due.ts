import { randomUUID } from 'node:crypto';
import { Rounds } from '../changes/rounds.ts';
import type { Directory } from '../chat/directory.ts';
import { type History, lookThroughPause, type StoredEvent } from '../history/history.ts';
import { hereFor, isHere } from './acts.ts';
import { pushAfter } from './concerns.ts';
import { mailsAtOnce } from './mail-bounds.ts';
import { type NotifyDefaults, type NotifySettings, settingsOf } from './settings.ts';
import { nextDaily, quietUntil } from './times.ts';
import { type Notified, type Unread, type UnreadRoom, unreadOf } from './unread.ts';

/** Users, or rooms, that one claim takes. */
const atOnce = 50;
/**
 * Milliseconds after which those that a server has taken are due again: the server has ended meanwhile. It begins to look at
 * one only in the first half of that time.
 */
const claimTime = 120_000;
/** Users who are looked at at the same time. A mail that waited for a free connection would be outdated when it goes out. */
const together = { events: 8, mails: mailsAtOnce };
/** Milliseconds between two looks for what another server has stored. */
const lookEvery = 30_000;
/** Members of a room that are looked through at once. */
const membersAtOnce = 500;
/** Milliseconds for each member until a room is looked through again, so that large rooms cost no more than small ones. */
const pauseOfMember = 100;
const shortestPause = 10_000;
/** Milliseconds between two mails to the same user. */
const betweenMails = 60 * 60_000;
/** Milliseconds until a mail that the mail server could not take is tried again, and after which it is given up. */
const tryAgainAfter = 5 * 60_000;
const longestTrying = 24 * 60 * 60_000;
/** Users whose first failed mail is remembered. */
const mostFailing = 100_000;
/** `failed`: it was not sent, and may be tried again. */
export type NoticeOutcome = 'sent' | 'no_address' | 'refused' | 'failed' | 'lost';

/** The unread messages that a mail is about, and the settings of its reader, as they are now. */
export interface About {
  unread: Unread;
  settings: NotifySettings;
}

/**
 * Sends a mail. Never rejects.
 * @param about is asked last, and again when the mail goes out, so that it says what is so then; undefined if nothing is left of it
 * @returns undefined if there was nothing to send
 */
export type SendMail = (
  user: string,
  about: () => Promise<About | undefined>,
) => Promise<NoticeOutcome | undefined>;

export interface DueOptions {
  history: Pick<History, 'read' | 'write'>;
  directory: Directory;
  defaults: NotifyDefaults;
  /** Milliseconds after a message when its readers are looked at for the first time. */
  firstLook: number;
  /** Absent if this server sends no mails. */
  mail?: SendMail | undefined;
  /** Without mails the site gets events. */
  events: boolean;
  /** Called when there may be more pushes to send. */
  onPushes(): void;
  /** Called when an event for the site is stored. */
  onEvent(): void;
  onMail(outcome: NoticeOutcome | 'given up'): void;
  /** Called when the history has failed. */
  onFailure(error: Error): void;
}

/**
 * Looks at the users whom something concerns that they may not have read, when their time has come, and notifies them: by
 * mail, at most once; or the site by an event, which is not lost. Any server may look at any user, but only one server at a time.
 */
export class Due {
  readonly #options: DueOptions;
  /** Rooms have rounds of their own: a mail server that is slow holds up no pushes. */
  readonly #rooms: Rounds;
  readonly #users: Rounds;
  /** When the first mail to a user failed, of those that are tried again. */
  readonly #failing = new Map<string, number>();

  constructor(options: DueOptions) {
    this.#options = options;
    this.#rooms = new Rounds((signal) => this.#lookThroughRooms(signal), options.onFailure);
    this.#users = new Rounds((signal) => this.#lookAtUsers(signal), options.onFailure);
  }

  /** There are more. */
  wake(): void {
    this.#rooms.wake();
    this.#users.wake();
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    await Promise.all([this.#rooms.stop(), this.#users.stop()]);
  }

  async #lookThroughRooms(signal: AbortSignal): Promise<number> {
    for (;;) {
      const at = Date.now();
      const claim = { at, until: at + claimTime, most: atOnce };
      const { rooms, next } = await this.#options.history.write.claimDueRooms(claim);
      for (const room of rooms) await this.#lookThrough(room);
      if (rooms.length > 0) this.#users.wake();
      if (rooms.length === 0 || signal.aborted) return waitFor(next);
    }
  }

  async #lookAtUsers(signal: AbortSignal): Promise<number> {
    const { write } = this.#options.history;
    for (;;) {
      const at = Date.now();
      const until = at + claimTime;
      const { users: left, next } = await write.claimDueUsers({ at, until, most: atOnce });
      if (left.length === 0) return waitFor(next);
      // A server that sent has ended: nobody knows whether these were sent, and what they would have said counts as notified.
      for (const { sending } of left) if (sending) this.#options.onMail('lost');
      while (left.length > 0) {
        const isLate = signal.aborted || Date.now() > at + claimTime / 2;
        const most = this.#options.mail === undefined ? together.events : together.mails;
        const some = left.splice(0, isLate ? left.length : most);
        const users = isLate
          ? some.map(({ user }) => ({ user, due: at }))
          : (await Promise.all(some.map((one) => this.#lookAt(one, until)))).flat();
        if (users.length > 0) await write.settleDue({ users, until, at });
      }
      if (signal.aborted) return lookEvery;
    }
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
      await history.write.noteDue({
        room,
        users,
        due: at + firstLook,
        pushes: await history.read.withDevices({ users }),
        pushDue: at + pushAfter,
        ...(next === undefined ? { next: at + pause } : {}),
      });
      after = next;
    }
    this.#options.onPushes();
  }

  /** @returns how the user is settled; nothing if that is stored already */
  async #lookAt({ user }: { user: string }, until: number): Promise<{ user: string; due?: number }[]> {
    const { history, directory, defaults, mail, events, onEvent, onMail } = this.#options;
    const { notices, activeAt, notified, lastNotified } = await history.read.notices({ user });
    const settings = settingsOf(notices, defaults);
    const isWanted = settings.mail !== 'off' && (mail !== undefined || events);
    const unread = isWanted ? await unreadOf(history, directory, user, { notified }) : undefined;
    const rooms = unread?.rooms.filter(({ room }) => !isNotified(room, notified, activeAt)) ?? [];
    if (unread === undefined || rooms.length === 0) return [{ user }];
    const at = Date.now();
    const due = dueAt(settings, rooms, { at, activeAt, lastNotified });
    if (due > at) return [{ user, due }];
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
      });
      if (!lost) onEvent();
      return [];
    }
    // Before it is sent: if this server ends now, the mail is lost rather than sent twice.
    const { lost } = await history.write.noteNotified({ user, rooms: ids, until, at, sending: true });
    if (lost) return [];
    const outcome = await mail(user, () => this.#about(user, ids, notified));
    const oldest = Math.min(...rooms.map(({ since }) => since));
    // Not from the message alone: mails of a day, or after a visit, may be due a day after it.
    const since = Math.max(this.#failing.get(user) ?? at, oldest);
    const again = outcome === 'failed' && at <= since + longestTrying;
    this.#failing.delete(user);
    if (this.#failing.size >= mostFailing) this.#failing.clear();
    if (again) this.#failing.set(user, since);
    if (outcome !== undefined) onMail(outcome === 'failed' && !again ? 'given up' : outcome);
    if (outcome === undefined || again) {
      const before = ids.map((room) => notified.find((one) => one.room === room) ?? { room });
      const last = lastNotified === undefined ? {} : { lastNotified };
      await history.write.forgetNotified({ user, rooms: before, ...last });
    }
    return [{ user, ...(again ? { due: at + tryAgainAfter } : {}) }];
  }

  /** The unread messages of these rooms by now. @param before without this time */
  async #about(user: string, ids: readonly string[], before: Notified): Promise<About | undefined> {
    const { history, directory, defaults } = this.#options;
    const { notices } = await history.read.notices({ user });
    const settings = settingsOf(notices, defaults);
    if (settings.mail === 'off') return undefined;
    const options = { notified: before, only: ids, messagesOf: ids, forMail: true };
    const unread = await unreadOf(history, directory, user, options);
    return unread === undefined || unread.rooms.length === 0 ? undefined : { unread, settings };
  }
}

/** Whether the user was notified of the room, and has not been here since. */
function isNotified(room: string, notified: Notified, activeAt = 0): boolean {
  return notified.some((one) => one.room === room && one.at >= activeAt);
}

/** Milliseconds until the next one is due, or another server may have stored one. */
const waitFor = (next = Number.POSITIVE_INFINITY) => Math.min(lookEvery, next - Date.now());

/** When the user is to be notified. A time that is over means now. */
function dueAt(
  { mail, quiet, zone }: NotifySettings,
  rooms: readonly UnreadRoom[],
  {
    at,
    activeAt,
    lastNotified = 0,
  }: { at: number; activeAt: number | undefined; lastNotified: number | undefined },
): number {
  const oldest = Math.min(...rooms.map(({ since }) => since));
  // A message that was unread at an earlier visit, or mail, makes no mail of today due: that hour is over.
  const due = Math.max(
    mail === 'daily'
      ? nextDaily(zone, Math.max(oldest, lastNotified, activeAt ?? 0))
      : oldest + (mail as number) * 60_000,
    lastNotified + betweenMails,
    isHere(activeAt, at) ? at + hereFor : 0,
  );
  const moment = Math.max(due, at);
  return (quiet === null ? undefined : quietUntil(quiet, moment)) ?? due;
}
