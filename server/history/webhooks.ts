import { raw, sql } from './engine/dialect.ts';
import { dueRows, dueRowsNeed } from './engine/due-rows.ts';
import { askNumber, findRows, type ReadsOf } from './engine/read.ts';
import type { Rule } from './engine/rule.ts';
import { table } from './engine/table.ts';
import { needOf, type ValueLoader, type Work } from './engine/work.ts';

// Events that the site is notified of. A consumer of the log of changes makes them: see consuming.ts.

/** The types of events that the site is notified of, the most important first. */
export const eventTypes = [
  'message.reported',
  'message.held',
  'notify.due',
  'room.created',
  'room.changed',
  'room.member_added',
  'room.member_removed',
  'message.created',
  'message.changed',
] as const;

export type EventType = (typeof eventTypes)[number];

/** An event that waits to be sent to the site: ids alone, no text and no name. */
export interface StoredEvent {
  /** The same for all tries. */
  id: string;
  type: EventType;
  /** When it happened, in milliseconds since 1970. */
  at: number;
  /** When it is to be sent, in milliseconds since 1970; absent when no more tries are left. */
  due?: number;
  /** Tries so far, that under way included. */
  tries: number;
  roomId?: string;
  /** When that room was made, as far as the change says it: a later room may have the same id. */
  roomCreatedAt?: number;
  seq?: number;
  /** The id of the message: a later room may have the same id, and a message of the same `seq`. */
  messageId?: string;
  user?: string;
  report?: string;
  held?: string;
}

export interface WebhookWrites {
  /**
   * Settles events that were sent or are to be tried again (`due`; without it, never), and gives the next ones that are
   * due: they are due again at `until`, in case this server ends. `next`: when the first of all others is due.
   */
  claimEvents: {
    in: {
      sent: readonly string[];
      failed: readonly { id: string; due?: number }[];
      at: number;
      until: number;
      most: number;
    };
    out: { events: StoredEvent[]; next?: number };
  };
  /** Deletes events beyond that number: of the least important type first, and of that the oldest. */
  dropEvents: { in: { most: number }; out: { dropped: number } };
  /** All events without tries left are due now. */
  retryEvents: { in: { at: number }; out: { events: number } };
}

export interface WebhookReads {
  /** How many events wait to be sent, and the newest ones without tries left. */
  events: { in: { limit: number }; out: { waiting: number; failed: StoredEvent[] } };
}

/** The events that wait to be sent to the site. */
export const webhooks = table<StoredEvent>(
  'chat_webhooks',
  ['id'],
  {
    id: 'id',
    type: 'type',
    at: 'at',
    due: 'due',
    tries: 'tries',
    roomId: 'room_id',
    roomCreatedAt: 'created_at',
    seq: 'seq',
    messageId: 'message_id',
    user: 'user_id',
    report: 'report_id',
    held: 'held_message',
  },
  { users: ['user'], without: () => ({ row: null }) },
);

const never = Number.POSITIVE_INFINITY;

export const claimEvents: Rule<WebhookWrites['claimEvents']> = {
  alone: true,
  needs: ({ at, most }) => [dueRowsNeed(webhooks, at, most)],
  run(work, { sent, failed, at, until, most }) {
    for (const id of sent) work.remove(webhooks, { id });
    for (const event of failed) postpone(work, event);
    const { rows: events, next } = dueRows(work, webhooks, at, most);
    const settled = new Set([...sent, ...failed.map(({ id }) => id)]);
    const claimed = events.filter(({ id }) => !settled.has(id));
    for (const event of claimed) work.put(webhooks, { ...event, due: until, tries: event.tries + 1 });
    const first = Math.min(...failed.map(({ due = never }) => due), next ?? never);
    return {
      events: claimed.map((event) => ({ ...event, tries: event.tries + 1 })),
      ...(first === never ? {} : { next: first }),
    };
  },
};

export const dropEvents: Rule<WebhookWrites['dropEvents']> = {
  needs: () => [eventCountsNeed],
  run(work, { most }) {
    const counts = eventCounts(work);
    let left = most;
    let dropped = 0;
    for (const type of eventTypes) {
      const count = counts.get(type) ?? 0;
      if (count > left) {
        keepNewestEvents(work, type, left);
        dropped += count - left;
      }
      left = Math.max(0, left - count);
    }
    return { dropped };
  },
};

export const retryEvents: Rule<WebhookWrites['retryEvents']> = {
  needs: () => [eventCountsNeed],
  run(work, { at }) {
    const events = eventCounts(work).get('failed') ?? 0;
    if (events > 0) work.later(() => sql`UPDATE chat_webhooks SET due = ${at}, tries = 0 WHERE due IS NULL`);
    return { events };
  },
};

/** How many events there are, by their types, and how many without tries left. */
const eventCountsLoader: ValueLoader<object, ReadonlyMap<EventType | 'failed', number>> = {
  name: 'counts of events',
  *find({ transaction }, work) {
    const [byType = [], failed = []] = yield* transaction.queryAll([
      raw('SELECT type, count(*) AS num FROM chat_webhooks GROUP BY type'),
      raw('SELECT count(*) AS num FROM chat_webhooks WHERE due IS NULL'),
    ]);
    const events = new Map(byType.map(({ type, num }) => [type as EventType | 'failed', num as number]));
    work.keep(eventCountsLoader, {}, events.set('failed', (failed[0]?.num as number | undefined) ?? 0));
    return [];
  },
};

const eventCountsNeed = needOf(eventCountsLoader, {});

const eventCounts = (work: Work) => work.value(eventCountsLoader, {});

/** Not by `put`: the event goes with a user who is erased meanwhile. */
function postpone(work: Work, { id, due = null }: { id: string; due?: number | null }): void {
  work.later(() => sql`UPDATE chat_webhooks SET due = ${due} WHERE id = ${id}`);
}

/** Of events of the same time more may stay, or fewer. */
function keepNewestEvents(work: Work, type: EventType, most: number): void {
  const newest = sql`SELECT at FROM chat_webhooks WHERE type = ${type} ORDER BY at DESC LIMIT 1 OFFSET ${most}`;
  work.later(
    () =>
      sql`DELETE FROM chat_webhooks WHERE type = ${type} AND at <= (SELECT at FROM (${newest}) AS newest)`,
  );
}

export const webhookReads: ReadsOf<WebhookReads> = {
  *events(_, { limit }) {
    return {
      waiting: yield* askNumber(raw('SELECT count(*) AS num FROM chat_webhooks WHERE due IS NOT NULL')),
      failed: yield* findRows(webhooks, sql`WHERE due IS NULL ORDER BY at DESC, id LIMIT ${limit}`),
    };
  },
};
