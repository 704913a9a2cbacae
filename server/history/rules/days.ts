import { sql } from '../engine/dialect.ts';
import type { Work } from '../engine/work.ts';
import { type DayWrites, dayOf } from '../history.ts';
import type { RoomRow } from '../rows.ts';
import { days } from '../tables.ts';
import type { Rule } from './rule.ts';
/**
 * The messages of the last day of a room, with one that is sent now. The day before is stored apart. If a clock was set
 * back, the message counts for the last day all the same.
 */
export function withOneMore(work: Work, { id, sent }: RoomRow, at: number): NonNullable<RoomRow['sent']> {
  const day = dayOf(at);
  if (sent === undefined) return { day, messages: 1 };
  if (sent.day >= day) return { ...sent, messages: sent.messages + 1 };
  work.put(days, { room: id, day: sent.day, messages: sent.messages });
  return { day, messages: 1 };
}

export const forgetDays: Rule<DayWrites['forgetDays']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_days WHERE day < ${dayOf(before)}`);
    return {};
  },
};
