import type { Consumer } from './consumer.ts';

/** Stores the audit entries of moderation. */
export const audit: Consumer = {
  name: 'audit',
  types: ['act'],
  take: (entries) => ({
    acts: entries.flatMap(({ at, changes }) =>
      changes.flatMap((change) => (change.type === 'act' ? { ...change.act, at } : [])),
    ),
  }),
};
