import { raw, sql } from './engine/dialect.ts';
import { dueRows, dueRowsNeed } from './engine/due-rows.ts';
import { askNumber, findRows, type ReadsOf } from './engine/read.ts';
import type { Rule } from './engine/rule.ts';
import { table } from './engine/table.ts';
import { needOf, type ValueLoader, type Work } from './engine/work.ts';

// Events for the webhook of the site. A consumer of the change log creates them: see consuming.ts.

/** The types of events, most important first. */
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

/** A queued or failed event for the site. It contains IDs, but no texts and no names. */
export interface StoredEvent {
  /** Does not change between attempts. */
  id: string;
  type: EventType;
  /** When it happened, as Unix ms. */
  at: number;
  /** When the next attempt is due, as Unix ms. Absent if no attempts are left. */
  due?: number;
  /** The number of attempts, including the one in progress. */
  tries: number;
  roomId?: string;
  /** When the room was created, because a later room may have the same ID. Absent if the change does not contain it. */
  roomCreatedAt?: number;
  seq?: number;
  /** The message ID, because a later room with the same ID may have a message of the same `seq`. */
  messageId?: string;
  user?: string;
  report?: string;
  held?: string;
}

export interface WebhookWrites {
  /**
   * Deletes sent events, and sets the next attempt of failed events to `due`. Without `due`, they are not sent again
   * automatically. Then claims the next due events, which become due again at `until`, in case this server crashes.
   * `next`: when the first of the other events is due.
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
  /** Deletes events above the limit `most`, from the least important type on, and oldest first within a type. */
  dropEvents: { in: { most: number }; out: { dropped: number } };
  /** Makes all events without attempts left due now. */
  retryEvents: { in: { at: number }; out: { events: number } };
}

export interface WebhookReads {
  /** The number of queued events, and the newest events without attempts left. */
  events: { in: { limit: number }; out: { waiting: number; failed: StoredEvent[] } };
}

/** The queued and failed events for the site. */
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

/** Counts the events of each type, and the events without attempts left. */
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

/** Sets the next attempt. Does not use `put`, which would store the event again if an erasure deleted it. */
function postpone(work: Work, { id, due = null }: { id: string; due?: number | null }): void {
  work.later(() => sql`UPDATE chat_webhooks SET due = ${due} WHERE id = ${id}`);
}

/** Deletes all but the newest `most` events of the type, and events of the same time as a deleted event. */
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
