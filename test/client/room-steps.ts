import fc from 'fast-check';
import { type Client, type Log, others } from './room-model.ts';

export const small = fc.nat({ max: 1000 });
export const limit = fc.integer({ min: 1, max: 7 });
/** Random steps of a room and its client. */
export const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('other' as const), n: small }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('change' as const), n: small, remove: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('react' as const), n: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('connect' as const), limit }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disconnect' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('page' as const), limit }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('quote' as const), n: small }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sync' as const), limit }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), n: limit }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('window' as const), n: small, limit }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('newer' as const), limit }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('toEnd' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('arrive' as const),
      n: small,
      event: fc.boolean(),
      how: fc.constantFrom('deliver' as const, 'deliver' as const, 'drop' as const, 'double' as const),
    }),
  },
);
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

export function perform(log: Log, client: Client, step: Step, count: { n: number }): void {
  switch (step.do) {
    case 'other': {
      // The same clientId from another user is another message.
      const user = others[step.n % 2];
      if (user !== undefined) client.hear(log.write(user, `c${count.n++}`));
      return;
    }
    case 'send':
      return client.send();
    case 'change':
      return client.hear(log.change(step.n, step.remove));
    case 'react':
      return client.hear(log.react(step.n));
    case 'connect':
      return client.connect(step.limit);
    case 'disconnect':
      return client.disconnect();
    case 'page':
      return client.page(step.limit);
    case 'quote':
      return client.quote(step.n);
    case 'sync':
      return client.sync(step.limit);
    case 'trim':
      return client.timeline.trim(step.n);
    case 'window':
      return client.window(step.n, step.limit);
    case 'newer':
      return client.newer(step.limit);
    case 'toEnd':
      return client.timeline.toEnd();
    case 'arrive':
      return client.arrive(step.n, step.event, step.how);
  }
}

/** Delivers everything and requests missing changes until nothing is in flight. */
export function settle(client: Client): void {
  for (let turn = 0; turn < 10_000; turn++) {
    if (client.timeline.syncFrom !== undefined) client.sync(3);
    else if (client.idle) return;
    client.arrive(0, true, 'deliver');
    client.arrive(0, false, 'deliver');
  }
  throw new Error('never at rest');
}
