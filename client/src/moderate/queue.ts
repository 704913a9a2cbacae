import type { EventPayload, Held, Message, Report, User } from '../../../server/wire/events.ts';
import type { Follower } from '../chat/chat-listener.ts';
import type { RequestOf } from '../connection/connection.ts';
import { RequestError } from '../connection/connection-state.ts';
import { startOfDay } from '../strings/strings.ts';
import type { Desk } from './desk.ts';

/**
 * A message to decide on. It is either reported, with its open reports from the oldest to the newest, or pending
 * approval.
 */
export type Case =
  | { readonly kind: 'reported'; readonly key: string; readonly reports: readonly [Report, ...Report[]] }
  | { readonly kind: 'held'; readonly key: string; readonly held: Held };

export type Decision =
  | Omit<RequestOf<'report:close'>, 'id' | 'all'>
  | { readonly done: 'approved' }
  | { readonly done: 'rejected'; readonly reason?: string };

export const orders = ['reports', 'newest', 'oldest'] as const;
export type Order = (typeof orders)[number];

interface QueuePort {
  changed(): void;
  /** Another moderator decided the case. `late`: this moderator also decided it, but too late. */
  meanwhile(one: Case, by: User, done: Decision['done'], late: boolean): void;
  /** The decision failed, so the case is in the queue again. */
  refused(one: Case, decision: Decision, error: RequestError): void;
}

interface Delayed {
  readonly decision: Decision;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** A decision that the moderator can still undo. */
interface Undoable extends Delayed {
  readonly all: readonly Case[];
}

/** A decision that was interrupted by a check of the session, with its moderator and its expiry. */
interface Interrupted extends Delayed {
  readonly one: Case;
  readonly by: string | undefined;
  readonly until: number;
}

const PAGE = 100;
/** The maximum number of reports, and of pending messages, that are loaded. */
const MOST = 2000;
/** A decision can be undone for this time. */
export const UNDO_MS = 8000;
/**
 * An interrupted decision is kept for this time, because a check of the session takes seconds. A moderator who logs in
 * later may have forgotten the decision, and must not ban a user with it.
 */
const INTERRUPTED_MS = 60_000;

export const keyOf = ({ room, message }: Report): string => `${room}/${message.seq}`;
const keyOfHeld = (id: string): string => `held/${id}`;

/** The messages to decide on, and the decisions that are not confirmed yet. */
export class Queue implements Follower {
  state: 'loading' | 'here' | 'failed' | 'forbidden' = 'loading';
  order: Order = 'reports';
  readonly #desk: Desk;
  readonly #port: QueuePort;
  /** The open reports and the pending messages, by ID. */
  #reports = new Map<string, Report>();
  #held = new Map<string, Held>();
  /** Changes that arrived while the lists are being loaded. */
  #since: (() => void)[] | undefined;
  /** The number of this moderator's decisions since the midnight `since`. */
  #decidedFrom = { since: 0, count: 0 };
  #undoable: Undoable | undefined;
  readonly #interrupted = new Set<Interrupted>();
  /**
   * The highest number of reports of each case. With it, a case keeps its place while another moderator closes its
   * reports.
   */
  readonly #most = new Map<string, number>();
  /** The keys of cases whose decision was sent but is not confirmed yet. */
  readonly #sent = new Set<string>();

  constructor(desk: Desk, port: QueuePort) {
    this.#desk = desk;
    this.#port = port;
  }

  /**
   * All cases to decide on. In the order `reports`, a pending message counts like one report, and of cases with equal
   * counts the oldest is first.
   */
  get cases(): Case[] {
    const reported = [...Map.groupBy(this.#reports.values(), keyOf)].map(([key, reports]) =>
      caseOf(key, reports),
    );
    const held = [...this.#held.values()].map(
      (one): Case => ({ kind: 'held', key: keyOfHeld(one.id), held: one }),
    );
    return [...reported, ...held]
      .filter(({ key }) => !this.#sent.has(key) && !this.#canUndo(key))
      .sort((a, b) => {
        const [age, weight] = [cameAt(a) - cameAt(b), this.#weight(b) - this.#weight(a)];
        return { reports: weight || age, newest: -age, oldest: age }[this.order];
      });
  }

  get #midnight(): number {
    return startOfDay(this.#desk.clock.now);
  }

  /** The number of decisions that this moderator made today. */
  get decidedToday(): number {
    const { since, count } = this.#decidedFrom;
    return since === this.#midnight ? count : 0;
  }

  /** A new connection is ready, or the user's rights have changed. */
  ready(): void {
    const interrupted = [...this.#interrupted];
    this.#interrupted.clear();
    for (const { one, decision, timer, by, until } of interrupted) {
      clearTimeout(timer);
      // Another user may have logged in, and timers do not run while a computer sleeps.
      if (by === this.#desk.me?.id && this.#desk.clock.now < until) this.#carryOut(one, decision);
    }
    void this.load();
  }

  async load(): Promise<void> {
    if (this.state !== 'here') this.state = 'loading';
    await this.#desk.tasks.once(
      'queue',
      async (current) => {
        const since: (() => void)[] = [];
        this.#since = since;
        const today = { since: this.#midnight, count: 0 };
        const [reports, held] = await Promise.all([
          this.#all(
            (page) => this.#desk.request('report:list', page.cursor ? page : { ...page, since: today.since }),
            ({ reports: page, decided = 0 }) => {
              today.count += decided;
              return page;
            },
          ),
          this.#all(
            (cursor) => this.#desk.request('held:list', cursor),
            ({ held: page }) => page,
          ),
        ]);
        if (!current()) return;
        this.#forget();
        this.#decidedFrom = today;
        for (const report of reports ?? []) this.#reports.set(report.id, report);
        for (const one of held ?? []) this.#put(one);
        for (const change of since) change();
        this.#since = undefined;
        this.state = reports === undefined && held === undefined ? 'forbidden' : 'here';
        this.#port.changed();
      },
      () => {
        this.#forget();
        this.state = 'failed';
        this.#port.changed();
      },
    );
  }

  reported({ report }: { report: Report }): void {
    const key = keyOf(report);
    const before = this.#reportedCase(key);
    this.#change(() => {
      if (report.closed === undefined) this.#reports.set(report.id, report);
      else this.#reports.delete(report.id);
    });
    if (before !== undefined && report.closed !== undefined && this.#reportedCase(key) === undefined)
      this.#decided(before, report.closed.by, report.closed.done);
    this.#port.changed();
  }

  held({ id, is, held, by }: EventPayload<'held:changed'>): void {
    const before = this.#held.get(id);
    this.#change(() => {
      if (is !== 'held') this.#held.delete(id);
      else if (held !== undefined) this.#put(held);
    });
    if (before !== undefined && by !== undefined && (is === 'approved' || is === 'rejected'))
      this.#decided({ kind: 'held', key: keyOfHeld(id), held: before }, by, is);
    this.#port.changed();
  }

  /** Applies a change now and after the lists are loaded, because a page in flight may be older. */
  #change(change: () => void): void {
    change();
    this.#since?.push(change);
  }

  /**
   * Decides cases after a delay in which the moderator can undo it. The previous undoable decision is sent at once.
   */
  decide(all: readonly Case[], decision: Decision): void {
    this.flush();
    this.#undoable = { all, decision, timer: setTimeout(() => this.flush(), UNDO_MS) };
    this.#port.changed();
  }

  #canUndo(key: string): boolean {
    return this.#undoable?.all.some((one) => one.key === key) === true;
  }

  /** Undoes the last decision and returns its first case. */
  undo(): Case | undefined {
    const { all, timer } = this.#undoable ?? {};
    clearTimeout(timer);
    this.#undoable = undefined;
    this.#port.changed();
    return all?.[0];
  }

  /** Sends the decision that could still be undone. */
  flush(): void {
    const undoable = this.#undoable;
    if (undoable === undefined) return;
    const { all, decision, timer } = undoable;
    clearTimeout(timer);
    this.#undoable = undefined;
    for (const one of all) this.#carryOut(one, decision);
  }

  #carryOut(one: Case, decision: Decision): void {
    const by = this.#desk.me?.id;
    this.send(one, decision).catch((error: unknown) => {
      if (!(error instanceof RequestError)) throw error;
      // The session may be over. A retry would then be offered to the next moderator.
      if (this.#desk.me === undefined) this.#interrupt(one, decision, by);
      else if (this.#desk.me.id === by) this.#port.refused(one, decision, error);
    });
  }

  /** Sends a final decision. Returns false if another moderator decided the case before. */
  async send(one: Case, decision: Decision): Promise<boolean> {
    const by = this.#desk.me?.id;
    this.#sent.add(one.key);
    try {
      if (this.#desk.connection.state.kind !== 'ready') await this.#desk.connection.connected();
      if (this.#desk.me?.id !== by) throw new RequestError('offline');
      const closed = await this.#request(one, decision);
      const late = closed !== undefined && closed.by.id !== this.#desk.me?.id;
      if (!late) this.#decidedFrom = { since: this.#midnight, count: this.decidedToday + 1 };
      // An event may have reported this already.
      if (late && this.#reportedCase(one.key) !== undefined)
        this.#port.meanwhile(one, closed.by, closed.done, true);
      this.#change(() => {
        if (one.kind === 'held') this.#held.delete(one.held.id);
        else for (const { id } of one.reports) this.#reports.delete(id);
      });
      return !late;
    } finally {
      this.#sent.delete(one.key);
      this.#port.changed();
    }
  }

  /**
   * Removes all data, because the session may be over. A decision that was not sent waits a minute for the same
   * moderator.
   */
  clear(): void {
    this.order = 'reports';
    this.#decidedFrom = { since: 0, count: 0 };
    if (this.#undoable !== undefined) {
      const { all, decision, timer } = this.#undoable;
      clearTimeout(timer);
      for (const one of all) this.#interrupt(one, decision, this.#desk.me?.id);
      this.#undoable = undefined;
    }
    this.#forget();
    this.#sent.clear();
    this.state = 'loading';
  }

  #interrupt(one: Case, decision: Decision, by: string | undefined): void {
    const until = this.#desk.clock.now + INTERRUPTED_MS;
    const timer = setTimeout(() => this.#interrupted.delete(interrupted), INTERRUPTED_MS);
    const interrupted = { one, decision, by, until, timer };
    this.#interrupted.add(interrupted);
  }

  /** Sends a decision. Returns how the report was closed. */
  async #request(one: Case, decision: Decision): Promise<Report['closed']> {
    const desk = this.#desk;
    if (one.kind === 'held') {
      const { id, preview } = one.held;
      // The link preview may have been loaded after the decision, so the moderator has not seen it.
      const unseen = preview !== undefined && preview.title === undefined;
      if (decision.done === 'approved')
        await desk.request('held:approve', { id, preview: unseen ? false : undefined });
      else await desk.request('held:reject', { id, reason: decision.reason || undefined });
    } else if (decision.done !== 'approved' && decision.done !== 'rejected') {
      const { id } = one.reports[0];
      return (await desk.request('report:close', { id, ...decision, all: true })).report.closed;
    }
    return undefined;
  }

  /** Loads all pages of a list. Returns undefined if this user may not read it. */
  async #all<Page extends { readonly next?: string }, One>(
    ask: (payload: { limit: number; cursor?: string }) => Promise<Page>,
    listed: (page: Page) => readonly One[],
  ): Promise<One[] | undefined> {
    const found: One[] = [];
    let cursor: string | undefined;
    try {
      do {
        const page = await ask({ limit: PAGE, cursor });
        found.push(...listed(page));
        cursor = page.next;
      } while (cursor !== undefined && found.length < MOST);
    } catch (error) {
      if (error instanceof RequestError && error.code === 'forbidden') return undefined;
      throw error;
    }
    return found;
  }

  /** Adds a pending message. Moderators do not decide about their own messages. */
  #put(held: Held): void {
    if (held.user.id !== this.#desk.me?.id && held.rejected === undefined) this.#held.set(held.id, held);
  }

  #forget(): void {
    this.#reports = new Map();
    this.#held = new Map();
    this.#most.clear();
  }

  #weight(one: Case): number {
    if (one.kind === 'held') return 1;
    const most = Math.max(one.reports.length, this.#most.get(one.key) ?? 0);
    this.#most.set(one.key, most);
    return most;
  }

  #reportedCase(key: string): Case | undefined {
    const reports = [...this.#reports.values()].filter((report) => keyOf(report) === key);
    return reports.length === 0 ? undefined : caseOf(key, reports);
  }

  /** Handles the decision of another moderator. The undoable decision of this moderator is dropped. */
  #decided(before: Case, by: User, done: Decision['done']): void {
    if (by.id === this.#desk.me?.id) return;
    const undoable = this.#canUndo(before.key);
    if (undoable) this.undo();
    this.#port.meanwhile(before, by, done, undoable || this.#sent.has(before.key));
  }
}

/** The message of a case. */
export interface Subject
  extends Pick<
    Held,
    'room' | 'user' | 'text' | 'files' | 'preview' | 'card' | 'important' | 'threadOnly' | 'at' | 'seq'
  > {
  /** The message as it was reported. Undefined for a held message. */
  readonly message?: Message;
  /** The ID of a held message. */
  readonly held?: string;
}

export function subjectOf(one: Case): Subject {
  if (one.kind === 'held') return { ...one.held, held: one.held.id };
  const { message, room } = one.reports[0];
  return { ...message, room, at: message.sentAt, message };
}

const cameAt = (one: Case): number => (one.kind === 'held' ? one.held.at : one.reports[0].at);

function caseOf(key: string, reports: Report[]): Case {
  const sorted = reports.sort((a, b) => a.at - b.at) as [Report, ...Report[]];
  return { kind: 'reported', key, reports: sorted };
}
