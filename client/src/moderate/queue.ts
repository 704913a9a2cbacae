import type { Report } from '../../../server/wire/events.ts';
import type { Follower } from '../chat/chat-listener.ts';
import type { RequestOf } from '../connection/connection.ts';
import { RequestError } from '../connection/connection-state.ts';
import type { Desk } from './desk.ts';

/** A message that is to be decided on, with its open reports, the oldest first. */
export interface Case {
  readonly key: string;
  readonly reports: readonly [Report, ...Report[]];
}

export type Decision = Omit<RequestOf<'report:close'>, 'id' | 'all'>;

/** It was decided before: by whom, and how. */
type Closed = NonNullable<Report['closed']>;

interface QueuePort {
  changed(): void;
  /** Another moderator has decided on it. `late`: so has this one, too late. */
  meanwhile(one: Case, closed: Closed, late: boolean): void;
  /** It could not be done: the case is back. */
  refused(one: Case, decision: Decision, error: RequestError): void;
}

/** A decision that can be taken back still. */
interface Undoable {
  readonly one: Case;
  readonly decision: Decision;
  readonly timer: ReturnType<typeof setTimeout>;
}

const PAGE = 100;
/** So many reports are listed at most. */
const MOST = 2000;
/** A decision can be taken back for so long. */
export const UNDO_MS = 8000;

export const keyOf = ({ room, message }: Report): string => `${room}/${message.seq}`;

/** The open reports, by messages, and the decisions on their way. */
export class Queue implements Follower {
  state: 'loading' | 'here' | 'failed' | 'forbidden' = 'loading';
  readonly #desk: Desk;
  readonly #port: QueuePort;
  /** By their ids. */
  readonly #reports = new Map<string, Report>();
  #undoable: Undoable | undefined;
  /** How many reports each had at most: one that others are about to close stays where it stands. */
  readonly #most = new Map<string, number>();
  /** Decided here, and not answered yet: by the keys of the cases. */
  readonly #sent = new Set<string>();

  constructor(desk: Desk, port: QueuePort) {
    this.#desk = desk;
    this.#port = port;
  }

  /** Those that are to be decided on: most reports first, then the one that was reported first. */
  get cases(): Case[] {
    const groups = Map.groupBy(this.#reports.values(), keyOf);
    return [...groups]
      .filter(([key]) => !this.#sent.has(key) && this.#undoable?.one.key !== key)
      .map(([key, reports]) => ({ key, reports: sorted(reports) }))
      .sort((a, b) => this.#weight(b) - this.#weight(a) || a.reports[0].at - b.reports[0].at);
  }

  /** Over a new connection, or with other rights. */
  ready(): void {
    void this.load();
  }

  async load(): Promise<void> {
    if (this.state !== 'here') this.state = 'loading';
    await this.#desk.tasks.once(
      'reports',
      async (current) => {
        const found: Report[] = [];
        let cursor: string | undefined;
        do {
          const page = await this.#desk.request('report:list', {
            limit: PAGE,
            ...(cursor === undefined ? {} : { cursor }),
          });
          if (!current()) return;
          found.push(...page.reports);
          cursor = page.next;
        } while (cursor !== undefined && found.length < MOST);
        this.#forget();
        for (const report of found) this.#reports.set(report.id, report);
        this.state = 'here';
        this.#port.changed();
      },
      ({ code }) => {
        this.#forget();
        this.state = code === 'forbidden' ? 'forbidden' : 'failed';
        this.#port.changed();
      },
    );
  }

  reported({ report }: { report: Report }): void {
    const before = this.#case(keyOf(report));
    if (report.closed === undefined) this.#reports.set(report.id, report);
    else this.#reports.delete(report.id);
    if (before !== undefined && report.closed !== undefined) this.#closed(before, report.closed);
    this.#port.changed();
  }

  /** Decides, unless it is taken back in time. One decision at a time can be: the one before is sent now. */
  decide(one: Case, decision: Decision): void {
    this.flush();
    this.#undoable = { one, decision, timer: setTimeout(() => this.flush(), UNDO_MS) };
    this.#port.changed();
  }

  /** Takes the last decision back. */
  undo(): Case | undefined {
    const { one, timer } = this.#undoable ?? {};
    clearTimeout(timer);
    this.#undoable = undefined;
    this.#port.changed();
    return one;
  }

  /** Sends what could be taken back until now. */
  flush(): void {
    const undoable = this.#undoable;
    if (undoable === undefined) return;
    const { one, decision, timer } = undoable;
    clearTimeout(timer);
    this.#undoable = undefined;
    this.send(one, decision).catch((error: unknown) => {
      if (!(error instanceof RequestError)) throw error;
      this.#port.refused(one, decision, error);
    });
  }

  /** Decides for good. */
  async send(one: Case, decision: Decision): Promise<void> {
    this.#sent.add(one.key);
    try {
      if (this.#desk.connection.state.kind !== 'ready') await this.#desk.connection.connected();
      for (const { id } of one.reports)
        await this.#desk.request('report:close', { id, ...decision, all: true });
      for (const { id } of one.reports) this.#reports.delete(id);
    } finally {
      this.#sent.delete(one.key);
      this.#port.changed();
    }
  }

  clear(): void {
    clearTimeout(this.#undoable?.timer);
    this.#undoable = undefined;
    this.#forget();
    this.#sent.clear();
    this.state = 'loading';
  }

  #forget(): void {
    this.#reports.clear();
    this.#most.clear();
  }

  #weight({ key, reports: { length } }: Case): number {
    const most = Math.max(length, this.#most.get(key) ?? 0);
    this.#most.set(key, most);
    return most;
  }

  #case(key: string): Case | undefined {
    const reports = [...this.#reports.values()].filter((report) => keyOf(report) === key);
    return reports.length === 0 ? undefined : { key, reports: sorted(reports) };
  }

  /** A decision on the message that was to be taken back is of no use any more. */
  #closed(before: Case, closed: Closed): void {
    if (closed.by.id === this.#desk.me?.id || this.#case(before.key) !== undefined) return;
    const undoable = this.#undoable?.one.key === before.key;
    if (undoable) this.undo();
    this.#port.meanwhile(before, closed, undoable || this.#sent.has(before.key));
  }
}

function sorted(reports: Report[]): [Report, ...Report[]] {
  return reports.sort((a, b) => a.at - b.at) as [Report, ...Report[]];
}
