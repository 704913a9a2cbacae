import type { DatabaseSync } from 'node:sqlite';
import type { Erasable, ErasableList, Erasure } from '../erasure.ts';
import type { RestrictionKind } from '../history.ts';
import {
  authorIn,
  byIn,
  erasuresAtOnce,
  goneRooms,
  mentionIn,
  type Row,
  reportsLookedThrough,
  roomsLookedThrough,
} from '../rows.ts';

/** Bytes of texts of one step. */
const mostBytes = 256 * 1024;

/** Finds what the stages of an erasure have to do with: see `Work.erasable`. */
export function erasables(db: DatabaseSync): (erasure: Erasure) => ErasableList {
  const most = `LIMIT ${erasuresAtOnce}`;
  const roomOf = (table: string) => `rooms.id AS room FROM ${table} JOIN rooms ON rooms.num = ${table}.room`;
  /** Whatever is in one of two indexes: no more of either is read than is dealt with. */
  const either = (one: string, other: string) =>
    db.prepare(`SELECT * FROM (${one} ${most}) UNION SELECT * FROM (${other} ${most}) ${most}`);
  const restrictedBy = (kind: RestrictionKind) =>
    `SELECT user_id AS user, ${roomOf('members')} WHERE restricted IS NOT NULL AND restricted ->> '$.${kind}.by' = ?1`;
  const statements = {
    directs: either(
      `SELECT id AS room FROM rooms WHERE kind = 'direct' AND pair_low = ?1`,
      `SELECT id AS room FROM rooms WHERE kind = 'direct' AND pair_high = ?1`,
    ),
    members: db.prepare(`SELECT ${roomOf('members')} WHERE user_id = ? ${most}`),
    made: db.prepare(`SELECT id AS room FROM rooms WHERE created_by = ? AND client_id IS NOT NULL ${most}`),
    restricted: either(restrictedBy('muted'), restrictedBy('banned')),
    blocks: either(
      'SELECT user_id AS user, other_id AS other FROM blocked WHERE user_id = ?1',
      'SELECT user_id AS user, other_id AS other FROM blocked WHERE other_id = ?1',
    ),
    files: db.prepare(`SELECT id FROM files WHERE user_id = ? ${most}`),
    reports: db.prepare(
      `SELECT reports.num AS num, reports.id AS id, ${roomOf('reports')}
       WHERE reports.num > ?1 AND reports.num <= ?1 + ${reportsLookedThrough}
         AND (by_id = ?2 OR instr(message, ?3) > 0 OR instr(message, ?4) > 0 OR instr(closed, ?5) > 0)
       ORDER BY reports.num ${most}`,
    ),
    lastReport: db.prepare('SELECT coalesce(max(num), 0) AS num FROM reports'),
    reactions: db.prepare(
      `SELECT emoji, messages.seq AS seq, rooms.id AS room FROM reactions JOIN messages ON messages.num = message
       JOIN rooms ON rooms.num = messages.room WHERE reactions.user_id = ? ${most}`,
    ),
    mentions: db.prepare(`SELECT seq, ${roomOf('mentions')} WHERE user_id = ? ${most}`),
    messages: db.prepare(
      `SELECT seq, octet_length(text) AS size, ${roomOf('messages')} WHERE messages.room = ?1 AND user_id = ?2
         AND messages.num <= ?3 ${most}`,
    ),
    nextRoom: db.prepare(
      `SELECT num FROM rooms WHERE num > ?1 AND num <= ?1 + ${roomsLookedThrough} AND NOT (${goneRooms})
         AND EXISTS (SELECT 1 FROM messages WHERE room = rooms.num AND user_id = ?2 AND messages.num <= ?3)
       ORDER BY num LIMIT 1`,
    ),
    lastRoom: db.prepare('SELECT coalesce(max(num), 0) AS num FROM rooms'),
    resets: db.prepare(`SELECT ${roomOf('erased_rooms')} WHERE user_id = ? ${most}`),
  };

  /** Those that are dealt with are not found again, so the stage goes on from its beginning. */
  function list(rows: readonly Row[]): ErasableList {
    const found = rows as Partial<Erasable>[];
    return found.length < erasuresAtOnce ? { found } : { found, next: 0 };
  }

  /** Room by room. */
  function messages({ user, upTo, place }: Pick<Erasure, 'user' | 'upTo' | 'place'>): ErasableList {
    const found: Partial<Erasable>[] = [];
    let bytes = 0;
    for (const { size, ...row } of statements.messages.iterate(place, user, upTo)) {
      found.push(row as Partial<Erasable>);
      bytes += size as number;
      if (bytes > mostBytes) break;
    }
    if (found.length > 0) return { found, next: place };
    const room = statements.nextRoom.get(place, user, upTo)?.num as number | undefined;
    if (room !== undefined) return messages({ user, upTo, place: room });
    const next = place + roomsLookedThrough;
    return next < (statements.lastRoom.get()?.num as number) ? { found, next } : { found };
  }

  return (erasure) => {
    const { user, place, stage } = erasure;
    switch (stage) {
      case 'begin':
      case 'journal':
        return { found: [] };
      case 'person':
        return { found: [{}] };
      case 'reports': {
        const rows = statements.reports.all(place, user, authorIn(user), mentionIn(user), byIn(user));
        const found = rows as Partial<Erasable>[];
        if (rows.length === erasuresAtOnce) return { found, next: rows.at(-1)?.num as number };
        const next = place + reportsLookedThrough;
        return next < (statements.lastReport.get()?.num as number) ? { found, next } : { found };
      }
      case 'messages':
        return messages(erasure);
      default:
        return list(statements[stage].all(user));
    }
  };
}
