import { raw, sql } from './engine/dialect.ts';
import { askNumber, findRows, type ReadsOf } from './engine/read.ts';
import type { WebhookReads } from './history.ts';
import { webhooks } from './tables.ts';

export const webhookReads: ReadsOf<WebhookReads> = {
  *events(_, { limit }) {
    return {
      waiting: yield* askNumber(raw('SELECT count(*) AS num FROM chat_webhooks WHERE due IS NOT NULL')),
      failed: yield* findRows(webhooks, sql`WHERE due IS NULL ORDER BY at DESC, id LIMIT ${limit}`),
    };
  },
};
