import type { Consumer } from '../changes/consumer.ts';
import type { History } from '../history/history.ts';
import type { Answers, RequestPayload } from '../wire/events.ts';
import { Acts } from './acts.ts';
import { concerns } from './concerns.ts';
import { Due, type DueOptions } from './due.ts';
import { type NotifyDefaults, settingsOf, shownSettings, storedChange } from './settings.ts';
import { quietUntil } from './times.ts';
import { unreadOf } from './unread.ts';

/** Milliseconds for which the last acts of users are kept: long enough to know of what they were notified since. */
const actsKept = 365 * 24 * 60 * 60_000;
const sweepEvery = 24 * 60 * 60_000;
/** Milliseconds after a message when its readers are looked at for the first time, if nobody waits for less. */
const longestFirstLook = 5 * 60_000;

export interface NotifierOptions extends Omit<DueOptions, 'firstLook' | 'directory'> {
  history: History;
  /** Where mails to a user go. Absent if the server sends none. */
  mailTo?: ((user: string) => Promise<string | undefined>) | undefined;
  /** A new link that switches mails to a user off; absent if the server does not know its address. */
  stopLink?: ((user: string) => Promise<string>) | undefined;
}

/** Everything about notifying people who are away. */
export class Notifier {
  /** It follows the log of changes. */
  readonly consumer: Consumer;
  readonly #history: History;
  readonly #defaults: NotifyDefaults;
  readonly #acts: Acts;
  readonly #sweeping: NodeJS.Timeout;
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
    const sweep = () => {
      history.write.forgetActive({ before: Date.now() - actsKept }).catch(onFailure);
    };
    this.#sweeping = setInterval(sweep, sweepEvery).unref();
  }

  /** Begins to notify people. */
  open(directory: DueOptions['directory']): void {
    this.#directory = directory;
    this.#due = new Due({ ...this.#options, directory, firstLook: this.#firstLook });
  }

  /** The user has done something: see `client:active`. */
  acted(user: string, { zone, lang }: RequestPayload<'client:active'> = {}): void {
    this.#acts.note(user);
    const set = { ...(zone === undefined ? {} : { zone }), ...(lang === undefined ? {} : { lang }) };
    if (Object.keys(set).length > 0) this.#said(user, set).catch(this.#options.onFailure);
  }

  /** Asks for what is stored, and remembers nothing: an erasure or another server may have changed it. */
  async #said(user: string, set: { zone?: string; lang?: string }): Promise<void> {
    const { read, write } = this.#history;
    const { notices } = await read.notices({ user });
    if (Object.entries(set).every(([name, value]) => notices[name as keyof typeof set] === value)) return;
    await write.setNotices({ user, set });
  }

  /** A user who is no member of this public room has opened it, and its last message was that one. Never rejects. */
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
      // The settings can be seen and changed while the table of the addresses cannot be read.
      onFailure(error as Error);
      return shown;
    }
  }

  async set(user: string, change: RequestPayload<'notify:set'>): Promise<Answers['notify:set']> {
    await this.#history.write.setNotices({ user, set: storedChange(change) });
    // By this choice something may be due now.
    this.#due?.wake();
    this.#options.onPushes();
    return this.get(user);
  }

  /**
   * The data of the event `notify.due`: of the rooms of which the user was notified at that time, what is still unread. In quiet
   * hours, into which a further try may fall, their end.
   */
  async dueOf({ user, at }: { user: string; at: number }): Promise<object | number | null> {
    const directory = this.#directory;
    if (directory === undefined) return null;
    const { notices, notified } = await this.#history.read.notices({ user });
    const { mail, lang, text, quiet } = settingsOf(notices, this.#defaults);
    // As it was before the event.
    const before = notified.flatMap((one) => {
      if (one.at !== at) return [one];
      return one.before === undefined ? [] : [{ room: one.room, at: one.before }];
    });
    const only = notified.filter((one) => one.at === at).map(({ room }) => room);
    const options = { notified: before, only };
    const unread = mail === 'off' ? undefined : await unreadOf(this.#history, directory, user, options);
    if (unread === undefined || unread.rooms.length === 0) return null;
    const quietEnd = quiet === null ? undefined : quietUntil(quiet, Date.now());
    if (quietEnd !== undefined) return quietEnd;
    const stop = await this.#options.stopLink?.(user);
    return {
      user: unread.user,
      total: unread.total,
      ...(lang === undefined ? {} : { lang }),
      ...(stop === undefined ? {} : { stop }),
      rooms:
        text === 'nothing'
          ? []
          : unread.rooms.map(({ room, name, unread, mentions, isUserText, withheld }) => ({
              room,
              ...(withheld === 'all' ? {} : { name }),
              unread,
              mentions,
              userText: isUserText ? ['name'] : [],
              accepted: withheld === undefined,
            })),
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    await this.#due?.stop();
  }
}
