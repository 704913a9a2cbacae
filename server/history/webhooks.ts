import { type Dialect, raw, type Sql, sql } from './engine/dialect.ts';
import { askNumber, findRows, type ReadsOf } from './engine/read.ts';
import type { Rule } from './engine/rule.ts';
import { subject } from './engine/subject.ts';
import { rowFrom, table } from './engine/table.ts';
import { needOf, type ValueLoader, type Work } from './engine/work.ts';

// Events for the webhook of the site. A consumer of the change log creates them: see consuming.ts.

/** The types of events, most important first. */
export const eventTypes = [
  'message.reported',
  'message.held',
  'notify.due',
  'question.opened',
  'question.closed',
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

/** An event with its place in the queue: see webhook-turns.ts. From the first attempt on, `turn` is `noTurn`. */
interface QueuedEvent extends StoredEvent {
  turn: number;
  account?: number;
}

export interface WebhookWrites {
  /**
   * Deletes sent events, and sets the next attempt of failed events to `due`. Without `due`, they are not sent again
   * automatically. Then claims the next events, which become due again at `until`, in case this server crashes: first up
   * to `mostRetries` due events that were claimed before, then new events in turn, then other due events.
   * `retries`: the IDs of the events that were claimed before. `next`: when the first of the other events is due.
   */
  claimEvents: {
    in: {
      sent: readonly string[];
      failed: readonly { id: string; due?: number }[];
      at: number;
      until: number;
      most: number;
      mostRetries: number;
    };
    out: { events: StoredEvent[]; retries: string[]; next?: number };
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
export const webhooks = table<QueuedEvent>(
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
    turn: 'turn',
    account: 'account',
  },
  { users: ['user'], without: () => ({ row: null }) },
);

const never = Number.POSITIVE_INFINITY;

/** Not NULL, because all databases can read events with an equal number in the order of an index. */
const noTurn = -1;

/** Whether no attempts are left. */
const hasFailed = sql`turn = ${noTurn} AND due IS NULL`;

const claimEvents: Rule<WebhookWrites['claimEvents']> = {
  alone: true,
  needs: ({ at, most }) => [needOf(sendableLoader, { at, most })],
  run(work, { sent, failed, at, until, most, mostRetries }) {
    for (const id of sent) work.remove(webhooks, { id });
    for (const event of failed) postpone(work, event);
    const { retries, queued, next = never } = work.value(sendableLoader, { at, most });
    const first = retries.slice(0, mostRetries);
    const settled = new Set([...sent, ...failed.map(({ id }) => id)]);
    const claimed = [...first, ...queued, ...retries.slice(first.length)]
      .slice(0, most)
      .filter(({ id }) => !settled.has(id))
      .map(({ turn: _, account: __, ...event }) => ({ ...event, tries: event.tries + 1 }));
    for (const event of claimed) work.put(webhooks, { ...event, due: until, turn: noTurn });
    const retried = new Set(retries.map(({ id }) => id));
    const soonest = Math.min(...failed.map(({ due = never }) => due), next);
    return {
      events: claimed,
      retries: claimed.flatMap(({ id }) => (retried.has(id) ? id : [])),
      next: soonest === never ? undefined : soonest,
    };
  },
};

interface Sendable {
  /** Due events that were claimed before. */
  retries: readonly QueuedEvent[];
  /** New events, in turn. */
  queued: readonly QueuedEvent[];
  next?: number;
}

/** Returns the statements that lock the next events: first due events that were claimed before, then new events. */
export function selectSendable({ lock }: Dialect, at: number, most: number): [Sql, Sql] {
  const columns = raw(Object.values(webhooks.columns).join(', '));
  const select = (which: Sql) =>
    sql`SELECT ${columns} FROM chat_webhooks WHERE ${which} LIMIT ${most} ${lock}`;
  return [
    select(sql`turn = ${noTurn} AND due <= ${at} ORDER BY due`),
    select(raw('turn >= 0 ORDER BY turn, due')),
  ];
}

const sendableLoader: ValueLoader<{ at: number; most: number }, Sendable> = {
  name: 'sendable events',
  *find({ dialect, transaction }, work, needs) {
    for (const need of needs) {
      const { at, most } = need;
      const found = most === 0 ? [] : yield* transaction.queryAll(selectSendable(dialect, at, most));
      const [retries = [], queued = []] = found.map((rows) => rows.map((row) => rowFrom(webhooks, row)));
      const isAll = retries.length + queued.length < most;
      const [later] = isAll
        ? yield* transaction.query(
            sql`SELECT min(due) AS due FROM chat_webhooks WHERE turn = ${noTurn} AND due > ${at}`,
          )
        : [{ due: at }];
      const next = (later?.due as number | null | undefined) ?? undefined;
      work.keep(sendableLoader, need, { retries, queued, next });
    }
    return [];
  },
};

const dropEvents: Rule<WebhookWrites['dropEvents']> = {
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

const retryEvents: Rule<WebhookWrites['retryEvents']> = {
  needs: () => [eventCountsNeed],
  run(work, { at }) {
    const events = eventCounts(work).get('failed') ?? 0;
    if (events > 0) work.later(() => sql`UPDATE chat_webhooks SET due = ${at}, tries = 0 WHERE ${hasFailed}`);
    return { events };
  },
};

/** Counts the events of each type, and the events without attempts left. */
const eventCountsLoader: ValueLoader<object, ReadonlyMap<EventType | 'failed', number>> = {
  name: 'counts of events',
  *find({ transaction }, work) {
    const [byType = [], failed = []] = yield* transaction.queryAll([
      raw('SELECT type, count(*) AS num FROM chat_webhooks GROUP BY type'),
      sql`SELECT count(*) AS num FROM chat_webhooks WHERE ${hasFailed}`,
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

const reads: ReadsOf<WebhookReads> = {
  *events(_, { limit }) {
    return {
      waiting: yield* askNumber(
        sql`SELECT (SELECT count(*) FROM chat_webhooks WHERE turn >= 0)
              + (SELECT count(*) FROM chat_webhooks WHERE turn = ${noTurn} AND due IS NOT NULL) AS num`,
      ),
      failed: yield* findRows(webhooks, sql`WHERE ${hasFailed} ORDER BY at DESC, id LIMIT ${limit}`),
    };
  },
};

export const webhookSubject = subject<WebhookWrites, WebhookReads>({
  tables: [webhooks],
  rules: { claimEvents, dropEvents, retryEvents },
  reads,
});
