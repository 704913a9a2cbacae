import { randomUUID } from 'node:crypto';
import type { History } from '../history.ts';
import { type ErasedMessages, erasureConsumer } from './erasure.ts';

/** An erasure of a user that a restored history does not know of. `at`: milliseconds of the epoch. */
export interface LostErasure {
  user: string;
  messages: ErasedMessages;
  at: number;
}

/** Longer than any erasure takes, in milliseconds. */
const lease = 24 * 60 * 60 * 1000;

/** Carries these erasures out, and those that are under way, in a history that no server uses. */
export async function eraseAgain(history: History, erasures: readonly LostErasure[]): Promise<void> {
  const by = randomUUID();
  for (const erasure of erasures) await history.write.erase(erasure);
  const consumer = { name: erasureConsumer, by, types: ['erasing'], most: 0 } as const;
  await history.write.consume({ ...consumer, lease });
  let kicked: string | undefined;
  for (;;) {
    const step = await history.write.eraseStep({
      by,
      ...(kicked === undefined ? {} : { kicked }),
      at: Date.now(),
    });
    if (step === null) break;
    kicked = step.kick ? step.user : undefined;
  }
  // The server that starts next takes it.
  await history.write.consume({ ...consumer, lease: 0 });
}

/** For a copied history: no server of before holds a consumer any more. */
export const freeConsumers = 'UPDATE chat_consumers SET held_until = 0';

/** The columns that name users. */
export const namesOfUsers = ['user_id', 'other_id', 'by_id', 'created_by', 'pair_low', 'pair_high', 'origin'];

/** More changes of a room than a history can have had since the copy was made: 2,000 a second, for three weeks. */
const mostLost = 2 ** 32;

/** More changes than a room has in a millisecond. Times it, the clock stays below 2^53 until the year 2109. */
const mostAtOnce = 2 ** 11;

/** Milliseconds: with SQLite an erasure is listed before it is committed, and may have missed the copy. */
export const erasureMargin = 60_000;

/** The number of the last entry of the log of changes. */
export const endOfLog = `coalesce((SELECT num FROM chat_position WHERE id = 'changes'), 0)`;

/**
 * Everything that waited was sent since, or is out of date. Clients begin again with each room, also where they had read more
 * than the copy has: see `isKnown` in chat/rooms.ts.
 */
export function forRestored(): string[] {
  // Each restore has a later clock, so no number of what an earlier one has lost comes again. The clock may have been set back.
  const clock = Date.now() * mostAtOnce;
  const head = `CASE WHEN head < ${clock} THEN ${clock} ELSE head + ${mostLost} END`;
  return [
    'DELETE FROM chat_webhooks',
    'DELETE FROM chat_due',
    'DELETE FROM chat_due_rooms',
    'DELETE FROM chat_pushes',
    `UPDATE chat_consumers SET position = ${endOfLog} WHERE id IN ('webhooks', 'notify')`,
    // In this order for MariaDB, which goes from one column to the next.
    `UPDATE chat_rooms SET reset_rev = ${head}, head = ${head}`,
    // The site may make rooms again that are lost, or that were deleted.
    `UPDATE chat_former_rooms SET head = ${head}`,
    `INSERT INTO chat_former_rooms (digest, head)
     SELECT '', ${clock} FROM (SELECT count(*) AS n FROM chat_former_rooms WHERE digest = '') AS known WHERE n = 0`,
  ];
}
