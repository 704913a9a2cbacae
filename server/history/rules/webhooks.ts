import { eventTypes } from '../history.ts';
import { webhooks } from '../tables.ts';
import type { Rule } from './rule.ts';

// Events that the site is notified of: see `Writes`. The log of changes makes them: see change-log.ts.

const never = Number.POSITIVE_INFINITY;

export const claimEvents: Rule<'claimEvents'> = {
  needs: ({ at, most }) => [{ what: 'due', table: webhooks, at, most }],
  run(work, { sent, failed, at, until, most }) {
    for (const id of sent) work.remove(webhooks, { id });
    for (const event of failed) work.postpone(event);
    const { rows: events, next } = work.dueRows(webhooks, at, most);
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

export const dropEvents: Rule<'dropEvents'> = {
  needs: () => [{ what: 'eventCounts' }],
  run(work, { most }) {
    const counts = work.eventCounts();
    let left = most;
    let dropped = 0;
    for (const type of eventTypes) {
      const count = counts.get(type) ?? 0;
      if (count > left) {
        work.keepNewestEvents(type, left);
        dropped += count - left;
      }
      left = Math.max(0, left - count);
    }
    return { dropped };
  },
};

export const retryEvents: Rule<'retryEvents'> = {
  needs: () => [{ what: 'eventCounts' }],
  run(work, { at }) {
    const events = work.eventCounts().get('failed') ?? 0;
    if (events > 0) work.retryEvents(at);
    return { events };
  },
};
