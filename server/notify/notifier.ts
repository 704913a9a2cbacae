import type { Consumer } from '../changes/consumer.ts';
import type { History } from '../history/history.ts';
import type { Answers, RequestPayload } from '../wire/events.ts';
import { Acts } from './acts.ts';
import { concerns } from './concerns.ts';
import { Due, type DueOptions } from './due.ts';
import { linkTo } from './lines.ts';
import { type NotifyDefaults, settingsOf, shownSettings, storedChange } from './settings.ts';
import { quietUntil } from './times.ts';
import { unreadOf } from './unread.ts';

/**
 * Maximum delay of the first check after a message, in milliseconds. It is the shortest mail delay that users can
 * choose.
 */
const longestFirstLook = 5 * 60_000;

export interface NotifierOptions extends Omit<DueOptions, 'firstLook' | 'directory'> {
  history: History;
  /** Returns the mail address of a user. Absent if this server does not send mails. */
  mailTo?: ((user: string) => Promise<string | undefined>) | undefined;
  /** The URL of the chat page. Absent if the server does not know its public URL. */
  pageUrl?: string | undefined;
  /** Whether users who never connected get mails about direct messages. */
  reachesNewMembers: boolean;
  /** Returns a new link that turns off mails to a user. Absent if the server does not know its public URL. */
  stopLink?: ((user: string) => Promise<string>) | undefined;
}

/** Notifies offline users of unread messages, and manages their settings. */
export class Notifier {
  /** The consumer of the change log that queues notification targets. */
  readonly consumer: Consumer;
  readonly #history: History;
  readonly #defaults: NotifyDefaults;
  readonly #acts: Acts;
  readonly #firstLook: number;
  readonly #options: NotifierOptions;
  #due: Due | undefined;
  #directory: DueOptions['directory'] | undefined;

  constructor(options: NotifierOptions) {
    const { history, defaults, onFailure } = options;
    this.#options = options;
    this.#history = history;
    this.#defaults = defaults;
    this.#acts = new Acts(history, onFailure);
    this.#firstLook = Math.min(defaults.after, longestFirstLook);
    this.consumer = concerns(history, this.#firstLook, () => {
      this.#due?.wake();
      options.onPushes();
    });
  }

  get reachesNewMembers(): boolean {
    return this.#options.reachesNewMembers;
  }

  /** Starts to send notifications. */
  open(directory: DueOptions['directory']): void {
    this.#directory = directory;
    this.#due = new Due({ ...this.#options, directory, firstLook: this.#firstLook });
  }

  /** Records user activity: see `client:active`. */
  acted(user: string, { zone, lang }: RequestPayload<'client:active'> = {}): void {
    this.#acts.note(user);
    const set = { ...(zone === undefined ? {} : { zone }), ...(lang === undefined ? {} : { lang }) };
    if (Object.keys(set).length > 0) this.#said(user, set).catch(this.#options.onFailure);
  }

  /**
   * Stores the time zone and language of a client. Reads the stored ones first and does not cache them, because an
   * erasure or another server may change them.
   */
  async #said(user: string, set: { zone?: string; lang?: string }): Promise<void> {
    const { read, write } = this.#history;
    const { notices } = await read.notices({ user });
    if (Object.entries(set).every(([name, value]) => notices[name as keyof typeof set] === value)) return;
    await write.setNotices({ user, set });
  }

  /**
   * Records that a user who is not a member opened a public room whose last message is `seq`. No-op if no unread
   * message mentions the user. Never rejects.
   */
  async opened(user: string, room: string, seq: number): Promise<void> {
    const { read, write } = this.#history;
    try {
      if (await read.isNamed({ room, user })) await write.noteOpened({ room, user, seq });
    } catch (error) {
      this.#options.onFailure(error as Error);
    }
  }

  async get(user: string): Promise<Answers['notify:get']> {
    const { notices } = await this.#history.read.notices({ user });
    const { mailTo, onFailure } = this.#options;
    const shown = shownSettings(settingsOf(notices, this.#defaults));
    if (mailTo === undefined) return shown;
    try {
      return { ...shown, mailTo: (await mailTo(user)) ?? null };
    } catch (error) {
      // The settings stay available if the table of mail addresses cannot be read.
      onFailure(error as Error);
      return shown;
    }
  }

  async set(user: string, change: RequestPayload<'notify:set'>): Promise<Answers['notify:set']> {
    await this.#history.write.setNotices({ user, set: storedChange(change) });
    // The new settings may make a queued notification due.
    this.#due?.wake();
    this.#options.onPushes();
    return this.get(user);
  }

  /**
   * Returns the data of a `notify.due` event: what is still unread in its rooms, or null if nothing is. In quiet hours,
   * which a retry may fall into, returns their end as Unix ms.
   */
  async dueOf({ user, at }: { user: string; at: number }): Promise<object | number | null> {
    const directory = this.#directory;
    if (directory === undefined) return null;
    const { notices, notified } = await this.#history.read.notices({ user });
    const { mail, lang, text, quiet } = settingsOf(notices, this.#defaults);
    // Includes only the notifications before this event.
    const before = notified.flatMap((one) => {
      if (one.at !== at) return [one];
      return one.before === undefined ? [] : [{ room: one.room, at: one.before }];
    });
    const only = notified.filter((one) => one.at === at).map(({ room }) => room);
    const { newMembers } = this.#defaults;
    const options = { notified: before, only, newMembers };
    const unread = mail === 'off' ? undefined : await unreadOf(this.#history, directory, user, options);
    if (unread === undefined || unread.rooms.length === 0) return null;
    const quietEnd = quiet === null ? undefined : quietUntil(quiet, Date.now());
    if (quietEnd !== undefined) {
      this.#options.onQuiet(quietEnd);
      return quietEnd;
    }
    const { pageUrl, stopLink } = this.#options;
    const stop = await stopLink?.(user);
    return {
      user: unread.user,
      total: unread.total,
      lang,
      stop,
      link: pageUrl,
      rooms:
        text === 'nothing'
          ? []
          : unread.rooms.map(({ room, kind, name, peer, from, unread, mentions, isUserText, withheld }) => ({
              room,
              kind,
              name: withheld === 'all' ? undefined : name,
              peer,
              link: pageUrl === undefined ? undefined : linkTo(pageUrl, room, from),
              unread,
              mentions,
              userText: isUserText ? ['name'] : [],
              accepted: withheld === undefined,
            })),
    };
  }

  /**
   * Returns the number of users who may get a mail or event, and when the first of them is checked, as Unix ms: after
   * the delay that the user chose, or when the user's quiet hours end. `pausedUntil`: the mail server accepts no mails,
   * so none is sent before this time.
   */
  async waiting(): Promise<{ users: number; next?: number; pausedUntil?: number }> {
    const waiting = await this.#history.read.waitingUsers(null);
    const { pausedUntil = 0 } = this.#options.mail ?? {};
    return { ...waiting, pausedUntil: pausedUntil > Date.now() ? pausedUntil : undefined };
  }

  async close(): Promise<void> {
    await this.#due?.stop();
  }
}
