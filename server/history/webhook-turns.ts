import { inList, raw, sql } from './engine/dialect.ts';
import { type Need, needOf, type ValueLoader, type Work } from './engine/work.ts';
import { type EventType, type StoredEvent, webhooks } from './webhooks.ts';

// Queued events are sent in turn by account, so that no account delays the events of others by more than its share.
// `turn` is twice the number of a round, plus 1 unless the event is urgent. An account has one event of each type in a
// round, and starts in the round of the first queued event.

/** A new event. `by`: the user in whose turn it is sent, if it is neither `user` nor the author of the message. */
export type NewEvent = StoredEvent & { by?: string };

/** These come first in a round. An account can cause only a few of them in an hour. */
const urgent: ReadonlySet<EventType> = new Set(['message.reported', 'notify.due']);

interface Turns {
  /** The round of the first queued event. */
  round: number;
  /** By event ID. */
  accounts: ReadonlyMap<string, number>;
  /** The round of the last queued event of each account. */
  lastRounds: ReadonlyMap<number, number>;
  /** The queued `message.changed` events, by message ID. */
  changed: ReadonlyMap<string, { id: string; turn: number }>;
}

const roundOf = (turn: unknown) => Math.floor((turn as number) / 2);

const loader: ValueLoader<{ events: readonly NewEvent[] }, Turns> = {
  name: 'turns of events',
  keyOf: ({ events }) => events.map(({ id }) => id).join(' '),
  *find({ dialect, transaction }, work, needs) {
    for (const need of needs) {
      const { events } = need;
      const places = Map.groupBy(
        events.filter(({ seq }) => seq !== undefined),
        ({ roomId = '' }) => roomId,
      );
      const found = yield* transaction.queryAll(
        [...places].map(([room, some]) => {
          const seqs = some.map(({ seq = 0 }) => seq);
          return sql`SELECT id, user_id FROM chat_messages
              WHERE room = (SELECT num FROM chat_rooms WHERE id = ${room}) AND ${inList(dialect, 'seq', seqs)}`;
        }),
      );
      const authors = new Map(found.flat().map(({ id, user_id }) => [id as string, user_id as string]));
      const accounts = new Map(
        events.map(({ id, type, by, user, messageId = '', roomId = '' }) => {
          const account = by ?? user ?? authors.get(messageId) ?? roomId;
          // A number, because an erasure would have to delete an ID.
          return [id, Number.parseInt(work.digest(`${type} ${account}`).slice(0, 12), 16)];
        }),
      );
      const messages = events.flatMap(({ type, messageId }) =>
        type === 'message.changed' && messageId !== undefined ? [[messageId]] : [],
      );
      const unique = [...new Set(accounts.values())];
      const [[first] = [], ...lasts] = yield* transaction.queryAll([
        raw('SELECT turn FROM chat_webhooks WHERE turn >= 0 ORDER BY turn LIMIT 1'),
        ...unique.map(
          (account) =>
            sql`SELECT turn FROM chat_webhooks WHERE account = ${account} ORDER BY turn DESC LIMIT 1`,
        ),
      ]);
      const changed =
        messages.length === 0
          ? []
          : yield* transaction.query(
              sql`SELECT id, message_id, turn FROM chat_webhooks
                  WHERE turn >= 0 AND type = 'message.changed' AND ${dialect.each(['message_id'], messages)}`,
            );
      work.keep(loader, need, {
        round: first === undefined ? 0 : roundOf(first.turn),
        accounts,
        lastRounds: new Map(
          unique.flatMap((account, n) => (lasts[n] ?? []).map(({ turn }) => [account, roundOf(turn)])),
        ),
        changed: new Map(
          changed.map(({ id, message_id, turn }) => [
            message_id as string,
            { id: id as string, turn: turn as number },
          ]),
        ),
      });
    }
    return [];
  },
};

export const turnsNeed = (events: readonly NewEvent[]): Need[] =>
  events.length === 0 ? [] : [needOf(loader, { events })];

/**
 * Queues new events. A `message.changed` event is dropped if one of the same message is queued, which is then sent in
 * the earlier turn of both. If another server is claiming the queued event, it will read the message after the change.
 * @param events the events of `turnsNeed`
 */
export function queueEvents(
  work: Work,
  events: readonly NewEvent[],
  isWanted: (event: NewEvent) => boolean = () => true,
): void {
  if (events.length === 0) return;
  const turns = work.value(loader, { events });
  const lastRounds = new Map(turns.lastRounds);
  const changed = new Map(turns.changed);
  for (const { by: _, ...event } of events.filter(isWanted)) {
    const account = turns.accounts.get(event.id) as number;
    const round = Math.max(turns.round, (lastRounds.get(account) ?? -1) + 1);
    const turn = 2 * round + (urgent.has(event.type) ? 0 : 1);
    const { type, messageId } = event;
    const isChange = type === 'message.changed' && messageId !== undefined;
    const queued = isChange ? changed.get(messageId) : undefined;
    if (queued === undefined) work.put(webhooks, { ...event, turn, account });
    else if (queued.turn <= turn) continue;
    else {
      const earlier = sql`SET turn = ${turn}, account = ${account} WHERE id = ${queued.id} AND turn > ${turn}`;
      work.later(() => sql`UPDATE chat_webhooks ${earlier}`);
    }
    lastRounds.set(account, round);
    if (isChange) changed.set(messageId, { id: queued?.id ?? event.id, turn });
  }
}
