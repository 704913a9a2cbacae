import { outdateBlocks } from './blocks.ts';
import { raw, type ServerDialect, without } from './dialect.ts';

/** The parts of a dialect that all database servers share. */
type SharedParts = 'isShared' | 'each' | 'upsert' | 'lock' | 'outdate';

export const ofServers: Pick<ServerDialect, SharedParts> & ThisType<ServerDialect> = {
  isShared: true,
  each(columns, rows) {
    return this.among(columns, rows);
  },
  upsert(table, key, columns, rows) {
    return this.update(table, key, columns, rows, without(columns, key));
  },
  lock: raw('FOR UPDATE'),
  outdate(transaction, former) {
    return outdateBlocks(this, transaction, former);
  },
};
