import { randomUUID } from 'node:crypto';
import { type ErasedMessages, erasureConsumer } from '../records/erasure.ts';
import type { Consume } from './change-log.ts';

/** An erasure that is missing in a restored history. `at` is in Unix ms. */
export interface LostErasure {
  user: string;
  messages: ErasedMessages;
  at: number;
}

/** A history, as far as its erasures need it. */
export interface ErasingHistory {
  readonly write: {
    erase(input: LostErasure): Promise<unknown>;
    eraseStep(input: {
      by: string;
      kicked: string | undefined;
      at: number;
    }): Promise<{ user: string; kick: boolean } | null>;
    consume(input: Consume): Promise<unknown>;
  };
  close(): Promise<void>;
}

/** The duration of the lease in ms, longer than any erasure. */
const lease = 24 * 60 * 60 * 1000;

/** Runs these and all unfinished erasures in a history that no server uses. */
export async function eraseAgain(history: ErasingHistory, erasures: readonly LostErasure[]): Promise<void> {
  const by = randomUUID();
  for (const erasure of erasures) await history.write.erase(erasure);
  const consumer = { name: erasureConsumer, by, types: ['erasing'], most: 0 } as const;
  await history.write.consume({ ...consumer, lease });
  let kicked: string | undefined;
  for (;;) {
    const step = await history.write.eraseStep({
      by,
      kicked,
      at: Date.now(),
    });
    if (step === null) break;
    kicked = step.kick ? step.user : undefined;
  }
  // Release the lease for the next server.
  await history.write.consume({ ...consumer, lease: 0 });
}

/** Releases all consumers of a copied history, because the servers that held them are gone. */
export const freeConsumers = 'UPDATE chat_consumers SET held_until = 0';

/** The columns that name users. */
export const namesOfUsers = ['user_id', 'other_id', 'by_id', 'created_by', 'pair_low', 'pair_high', 'origin'];

/** The maximum number of changes in a room since the copy was made: 2,000 per second for three weeks. */
const mostLost = 2 ** 32;

/** The maximum number of changes in a room per millisecond. The clock times this is below 2^53 until the year 2109. */
const mostAtOnce = 2 ** 11;

/** A margin in ms, because SQLite lists an erasure before the commit. A copy made in between lacks the erasure. */
export const erasureMargin = 60_000;

/** An SQL expression for the number of the last change-log entry. */
const endOfLog = `coalesce((SELECT num FROM chat_position WHERE id = 'changes'), 0)`;

/** The statements that end the change log of a restored history, except for audit entries that are not stored yet. */
export const endLog: readonly string[] = [
  `DELETE FROM chat_changes WHERE num <= coalesce((SELECT position FROM chat_consumers WHERE id = 'audit'), ${endOfLog})`,
  `UPDATE chat_consumers SET position = ${endOfLog} WHERE id <> 'audit'`,
];

/**
 * Returns the statements that prepare a restored history for a server. They reset all rooms, because clients may know a
 * newer state than the copy: see `canContinueFrom` in chat/rooms.ts.
 */
export function forRestored(): string[] {
  // The new heads must be higher than all heads since the copy was made, even after several restores. They are derived
  // from the clock, or if that was set back, from the old heads.
  const clock = Date.now() * mostAtOnce;
  const head = `CASE WHEN head < ${clock} THEN ${clock} ELSE head + ${mostLost} END`;
  return [
    `UPDATE chat_consumers SET position = ${endOfLog} WHERE id IN ('webhooks', 'notify')`,
    // `reset_rev` first, because MariaDB assigns the columns in order, and both must derive from the old `head`.
    `UPDATE chat_rooms SET reset_rev = ${head}, head = ${head}`,
    // The site may recreate rooms that were deleted, or that are missing in the copy (digest '').
    `UPDATE chat_former_rooms SET head = ${head}`,
    `INSERT INTO chat_former_rooms (digest, head)
     SELECT '', ${clock} FROM (SELECT count(*) AS n FROM chat_former_rooms WHERE digest = '') AS known WHERE n = 0`,
  ];
}
