import { raw } from '../engine/dialect.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import type { BanReads } from '../history.ts';
import { bans } from '../tables.ts';

export const banReads: ReadsOf<BanReads> = {
  *bans() {
    return (yield* findRows(bans, raw(''))).map(({ user, ...ban }) => ({ user, ban }));
  },
};
