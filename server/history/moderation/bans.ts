import { raw } from '../engine/dialect.ts';
import { findRows, type ReadRegistry } from '../engine/read.ts';
import { bans } from '../tables.ts';

export const banReads = {
  *bans() {
    return (yield* findRows(bans, raw(''))).map(({ user, ...ban }) => ({ user, ban }));
  },
} satisfies Partial<ReadRegistry>;
