import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { entries } from '../../client/src/store/entries.ts';
import { Timeline } from '../../client/src/store/timeline.ts';
import type { Message, User } from '../../server/wire/events.ts';
import { size } from '../guarantees/size.ts';
import { Client, event, Log, me, others } from './room-model.ts';
import { limit, perform, settle, small, step } from './room-steps.ts';

function expectContiguous(list: readonly Message[]): void {
  expect(list.map(({ seq }) => seq)).toEqual(list.map((_, index) => (list[0]?.seq ?? 0) + index));
}

/**
 * The first page of a sync omits a message with the user's reaction. A queued event contains the message without the
 * reaction.
 */
const heldBesideAPage: Parameters<typeof perform>[2][] = [
  { do: 'other', n: 0 },
  { do: 'connect', limit: 1 },
  { do: 'other', n: 0 },
  { do: 'react', n: 63 },
  { do: 'react', n: 0 },
  { do: 'other', n: 0 },
  { do: 'change', n: 0, remove: false },
  { do: 'other', n: 0 },
  { do: 'arrive', n: 0, event: false, how: 'deliver' },
  { do: 'change', n: 837, remove: false },
  { do: 'change', n: 734, remove: false },
  { do: 'arrive', n: 46, event: true, how: 'deliver' },
  { do: 'sync', limit: 2 },
  { do: 'arrive', n: 0, event: false, how: 'deliver' },
];

describe('the timeline', () => {
  test('ends with the same list for any order of events, responses, pages and reconnects', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const log = new Log();
        const client = new Client(log);
        const count = { n: 0 };
        for (const step of steps) {
          perform(log, client, step, count);
          const keys = entries(client.timeline.list(), client.unsent, me).map(({ key }) => key);
          expect(new Set(keys).size).toBe(keys.length);
          // At the end of the timeline, the user's own message appears when acknowledged, even if earlier
          // ones are missing.
          if (!client.timeline.attached) expectContiguous(client.timeline.list());
        }
        // Finally the client connects, sends waiting messages and loads the whole history.
        client.connect(4);
        settle(client);
        client.resend();
        settle(client);
        client.timeline.toEnd();
        while (!client.timeline.complete) {
          client.page(5);
          settle(client);
        }
        expect(client.unsent).toEqual([]);
        expect(client.timeline.list()).toEqual(log.messages);
        expect(client.timeline.head).toBe(log.head);
      }),
      { numRuns: size(2000, 200), examples: [[heldBesideAPage]] },
    );
  });

  test('pages forwards from any window to the newest message, and is live there', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), limit, small, (steps, limit, at) => {
        const log = new Log();
        const client = new Client(log);
        const count = { n: 0 };
        for (const step of steps) perform(log, client, step, count);
        client.connect(limit);
        settle(client);
        client.window(at, limit);
        settle(client);
        for (let pages = 0; !client.timeline.attached; pages++) {
          expect(pages).toBeLessThan(200);
          client.hear(log.write(me, `page${pages}`));
          client.newer(2);
          settle(client);
        }
        client.hear(log.write(me, 'live'));
        settle(client);
        const list = client.timeline.list();
        expectContiguous(list);
        expect(list.at(-1)).toEqual(log.messages.at(-1));
      }),
      { numRuns: size(1000, 100) },
    );
  });

  test('returns to the end if all messages of an old window have expired', () => {
    const log = new Log();
    const client = new Client(log);
    for (let i = 0; i < 40; i++) log.write(me, `c${i}`);
    client.connect(5);
    settle(client);
    client.window(10, 5);
    settle(client);
    expect(client.timeline.attached).toBe(false);
    client.timeline.expire(30);
    expect(client.timeline.attached).toBe(true);
    expect(client.timeline.list().map(({ seq }) => seq)).toEqual([36, 37, 38, 39, 40]);
    expect(client.timeline.complete).toBe(false);
  });

  test('keeps at most about 2,000 messages while the user pages back and forth', () => {
    const log = new Log();
    const client = new Client(log);
    for (let i = 0; i < 6000; i++) log.write(me, `c${i}`);
    client.connect(50);
    settle(client);
    const { timeline } = client;
    while (!timeline.complete) {
      client.page(100);
      settle(client);
      expect(timeline.list().length).toBeLessThanOrEqual(2200);
    }
    expect(timeline.first).toBe(1);
    while (!timeline.attached) {
      client.newer(100);
      settle(client);
      expect(timeline.list().length).toBeLessThanOrEqual(2300);
      expectContiguous(timeline.list());
    }
    expect(timeline.list().at(-1)).toEqual(log.messages.at(-1));
  });

  test('replaces the list after the database was restored, even if an event precedes the response', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 30 }),
        fc.nat({ max: 29 }),
        limit,
        fc.boolean(),
        (n, kept, limit, early) => {
          const before = new Log();
          for (let i = 0; i < n; i++) before.write(me, `a${i}`);
          const timeline = new Timeline();
          timeline.joined(before.join(timeline.join(), 50), undefined);
          // This event is queued because of a gap, and the restored history never contained it.
          before.write(me, 'missed');
          timeline.live(before.write(me, 'lost'), me.id);
          const page = { answer: before.before(timeline.first + 1, 5), epoch: timeline.epoch };

          const after = new Log();
          for (let i = 0; i < Math.min(kept, n - 1); i++) after.write(me, `a${i}`);
          const since = timeline.join();
          const answer = after.join(since, limit);
          const next = after.write(me, 'later');
          if (early) timeline.live(next, me.id);
          timeline.joined(answer, since);
          if (!early) timeline.live(next, me.id);
          for (let i = 0; i < 40; i++) timeline.live(after.write(me, `later${i}`), me.id);
          timeline.older(page.answer, timeline.first, page.epoch);

          const list = timeline.list();
          expectContiguous(list);
          expect(list).toEqual(after.messages.slice(-list.length));
          expect(timeline.head).toBe(after.head);
          expect(timeline.syncFrom).toBeUndefined();
        },
      ),
    );
  });

  test('requires a new join after a sync with a reset', () => {
    const log = new Log();
    log.write(me, 'a');
    const timeline = new Timeline();
    timeline.joined(log.join(timeline.join(), 50), undefined);
    timeline.synced({ head: 0, messages: [], complete: true, reset: true }, 1);
    expect(timeline.head).toBeUndefined();
    expect(timeline.list()).toEqual([]);
  });

  test('loads events beyond the queue limit with the sync', () => {
    const log = new Log();
    const timeline = new Timeline();
    timeline.joined(log.join(timeline.join(), 50), undefined);
    for (let i = 0; i < 1500; i++) {
      const message = log.write(me, `c${i}`);
      if (i > 0) timeline.live(message, me.id);
    }
    for (let since = timeline.syncFrom; since !== undefined; since = timeline.syncFrom) {
      timeline.synced(log.since(since, 500), since);
    }
    expect(timeline.list()).toEqual(log.messages);
  });
});

describe('the user’s own reactions', () => {
  const bob = others[0] as User;
  const named = Array.from({ length: 10 }, (_, i) => `${i + 10}`);

  /** The user is the last of eleven who reacted to the oldest of 20 messages, so no event names the user. */
  function reacted(loaded: number) {
    const log = new Log();
    for (let i = 0; i < 20; i++) log.write(bob, `c${i}`);
    const like = { emoji: '👍', count: 11, users: named, mine: true as const };
    log.messages[0] = { ...(log.messages[0] as Message), reactions: [like] };
    const timeline = new Timeline();
    timeline.joined(log.join(timeline.join(), loaded), undefined);
    return { log, timeline };
  }
  const ownOf = (timeline: Timeline) =>
    timeline.get(1)?.reactions?.flatMap(({ emoji, mine }) => (mine ? emoji : []));

  test('are added from a page older than an edit or a reaction', () => {
    for (const more of [false, true]) {
      const { log, timeline } = reacted(5);
      timeline.live(event(log.change(0, false) as Message), me.id);
      const page = log.before(timeline.first, 50);
      const changes = [{ emoji: '🎉', count: 1, added: [bob.id] }];
      if (more) timeline.live({ seq: 1, rev: ++log.head, changes }, me.id);
      timeline.older(page, timeline.first, timeline.epoch);
      expect(ownOf(timeline)).toEqual(['👍']);
      expect(timeline.get(1)).toMatchObject({ text: 't1*', rev: log.head });
      expect(timeline.get(1)?.reactions).toHaveLength(more ? 2 : 1);
    }
  });

  test('are added from a response with the same rev', () => {
    const { log, timeline } = reacted(50);
    const whole = log.messages[0] as Message;
    const now = {
      ...whole,
      rev: ++log.head,
      reactions: [...(whole.reactions ?? []), { emoji: '🎉', count: 11, users: named }],
    };
    timeline.live(event(now), me.id);
    expect(ownOf(timeline)).toEqual(['👍']);
    const answer = {
      ...now,
      reactions: now.reactions.map((reaction) => ({ ...reaction, mine: true as const })),
    };
    timeline.stored(answer);
    expect(ownOf(timeline)).toEqual(['👍', '🎉']);
    // The repeated event contains less.
    timeline.live(event(now), me.id);
    expect(timeline.get(1)).toEqual(answer);
  });

  test('are derived from an event that names all users', () => {
    const { log, timeline } = reacted(50);
    const now = (users: string[]) => ({
      ...(log.messages[0] as Message),
      rev: ++log.head,
      reactions: [{ emoji: '👍', count: users.length, users }],
    });
    timeline.live(now([bob.id]), me.id);
    expect(ownOf(timeline)).toEqual([]);
    timeline.live(now([bob.id, me.id]), me.id);
    expect(ownOf(timeline)).toEqual(['👍']);
  });
});

test('keeps the newest 1,000 changes to unloaded messages until their page arrives', () => {
  for (const messages of [1, 2000]) {
    const log = new Log();
    for (let i = 0; i < 2001; i++) log.write(me, `c${i}`);
    const timeline = new Timeline();
    timeline.joined(log.join(timeline.join(), 1), undefined);
    const page = log.before(timeline.first, 2000);
    for (let i = 0; i < 5000; i++) {
      const changes = [{ emoji: '👍', count: i + 1, added: [`${i}`] }];
      timeline.live({ seq: (i % messages) + 1, rev: ++log.head, changes }, me.id);
    }
    timeline.older(page, timeline.first, timeline.epoch);
    const reactions = timeline.list().flatMap((message) => message.reactions ?? []);
    expect(reactions).toHaveLength(Math.min(messages, 1000));
    expect(Math.max(...reactions.map(({ count }) => count))).toBe(5000);
    // Each kept event added one user, and the list names at most ten.
    if (messages === 1) expect(reactions[0]?.users[0]).toBe('4000');
  }
});

describe('unsent messages', () => {
  const stored = { id: 'm', room: 'r', seq: 1, rev: 1, clientId: 'a', user: me, text: 'x', sentAt: 0 };
  const unsent = { clientId: 'a', room: 'r', text: 'x', sentAt: 0 };

  test('keep their key when the stored message replaces them', () => {
    const before = entries([], [unsent], me);
    const after = entries([stored], [unsent], me);
    expect(after.map(({ key }) => key)).toEqual(before.map(({ key }) => key));
    expect(after[0]?.message).toBe(stored);
  });

  test('leave the entries of unchanged messages as they are', () => {
    const other = { ...stored, id: 'n', seq: 2, clientId: 'b' };
    const [first, second] = entries([stored, other], [], me);
    const changed = { ...stored, rev: 3, text: 'y' };
    const deleted = new Map([['n', { ...other, text: '', deletedAt: 1 }]]);
    const after = entries([changed, other], [{ ...unsent, clientId: 'c' }], me);
    expect(after.map(({ text }) => text)).toEqual(['y', 'x', 'x']);
    expect(after[1]).toBe(second);
    expect(entries([stored, other], [], me, deleted).map(({ text }) => text)).toEqual(['x', '']);
    expect(entries([stored, other], [], me)).toEqual([first, second]);
  });
});
