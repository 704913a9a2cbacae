import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import { openSnapshotOf } from '../../server/backup/backup.ts';
import type { History } from '../../server/history/history.ts';
import { type HistoryPlace, readHistoryPlace } from '../../server/history/open.ts';
import { historyFolder } from './chat-server.ts';
import { carryOutErasures } from './erasures.ts';
import { everyRead, everyWrite } from './every-call.ts';
import { mariadbDatabase, openDatabase, postgresDatabase } from './history-database.ts';
import { startMariadb } from './mariadb.ts';
import { startPostgres } from './postgres.ts';
import { otherTexts, searchedTexts } from './searched-texts.ts';

/** A place for a history. It is empty at first. */
export interface Empty {
  /** The value for CHAT_HISTORY. */
  url: string;
  query(sql: string): Promise<unknown>;
  close(): unknown;
}

/** Starts a database server of each kind. @returns functions that make a place in each kind of database */
export async function startEngines() {
  const [postgres, mariadb] = await Promise.all([startPostgres(), startMariadb()]);
  return {
    async SQLite(): Promise<Empty> {
      const { url, path, remove } = historyFolder();
      return {
        url,
        async query(sql) {
          const db = new DatabaseSync(path);
          db.exec(sql);
          db.close();
        },
        close: remove,
      };
    },
    PostgreSQL: (): Promise<Empty> => postgresDatabase(postgres),
    MariaDB: (): Promise<Empty> => mariadbDatabase(mariadb),
    stop: () => Promise.all([postgres.remove(), mariadb.remove()]),
  };
}
export type Engines = Awaited<ReturnType<typeof startEngines>>;

export const placeOf = ({ url }: { url: string }): HistoryPlace => readHistoryPlace(url) as HistoryPlace;

/** Texts with characters that have a meaning in SQL, JSON or a line of text. */
export const odd = [
  'two\nlines',
  'a\ttab and \\ and \\N',
  `'quotes" and ; and ?`,
  '🌱 ∑ ü\u2028',
  '{"rows":1}',
  ' end ',
];

/** The tables that a restore changes: it frees consumers, ends the change log and starts new revisions of rooms. */
export const changed = ['chat_rooms', 'chat_former_rooms', 'chat_consumers', 'chat_changes'];
/** Tables with rows only during an erasure, which a restore completes. */
export const passing = ['chat_erasures', 'chat_erased_rooms'];

/** Writes that would remove the last rows of a table. */
const removing =
  /^(erase|eraseStep|delete.*|forget.*|expire|dropFiles|discard.*|unschedule|removeDevice|revokeInvite|sendScheduled|settleDue|endRestrictions|removePreview|hideHere|removeMembers|approvePending|keepConsumers|endReminder|endPoll)$/;

/** Statements for columns that `everyWrite` leaves empty. */
const rareValues = [
  `UPDATE chat_rooms SET topic = 'why', slow = 5, previews = 'off', seen = 'off', tile_color = 'red', tile_emoji = '🌱',
     tile_picture = 'p', reset_rev = 1, deleted_runs = '[[1,1]]', thread_only_runs = '{"total":1,"runs":[[2,1]]}'
     WHERE id = 'imported'`,
  `UPDATE chat_members SET archived = 1, favourite = 2, quiet_until = 3 WHERE user_id = '7'`,
  `UPDATE chat_messages SET text = '', deleted_at = 1, deleted_by = 'author', thread_only = 1 WHERE client_id = 'm2'`,
  `UPDATE chat_messages SET origin_name = 'Ann' WHERE origin IS NOT NULL`,
  `UPDATE chat_reports SET note = 'why', closed = '{}'`,
  `UPDATE chat_held SET closed = '{}'`,
  `UPDATE chat_later SET closed = '{}', done = 1 WHERE client_id = 'm'`,
  'UPDATE chat_invites SET readmits = 1',
  `UPDATE chat_users SET site_role = 'moderator' WHERE id = '7'`,
  'UPDATE chat_bans SET until = 9007199254740991',
  'UPDATE chat_last_here SET hidden = 1',
  'UPDATE chat_audit SET seq = 1, shown = 1',
  `UPDATE chat_devices SET name = 'phone', since = 1`,
  `UPDATE chat_notices SET lang = 'de', push = 1, quiet = 'off', shows = 'names', stopped = 1, zone = 'Europe/Rome'`,
  `UPDATE chat_mail_addresses SET refused = 'ab'`,
  'UPDATE chat_notified SET at_before = 1',
];

/** Stores at least one row in each table. */
export async function fill(empty: Empty): Promise<void> {
  const history = await openDatabase(empty.url);
  const { write } = history;
  for (const [op, inputs] of Object.entries(everyWrite)) {
    if (removing.test(op)) continue;
    // Some writes expect rows that a skipped write would have changed.
    for (const input of inputs) await write[op as 'send'](input as never).catch(() => {});
  }
  await write.setBan({ user: '9', ban: { by: '1', reason: 'why' } });
  await write.block({ user: '1', other: '3', blocked: true, at: 0 });
  for (const [id, texts] of [
    ['texts', [...searchedTexts, ...otherTexts].map(([text]) => text)],
    ['odd', odd],
  ] as const) {
    await write.putRoom({ id, kind: 'public', name: id, at: 0 });
    for (const [n, text] of texts.entries())
      await write.send({
        ...{ room: id, clientId: `${n}`, user: { id: `ü${n}`, name: 'Ünal ' }, text },
        ...{ sentAt: 0, asMember: false },
      });
  }
  await write.erase({ user: 'gone', messages: 'delete', at: 5 });
  // The holder of the lease in `everyWrite`.
  await carryOutErasures(history, 'me');
  await history.close();
  await empty.query('INSERT INTO chat_days (room, day, sent) VALUES (1, -1, 9007199254740991)');
  await empty.query(`INSERT INTO chat_former_rooms (digest, head) VALUES ('ab', 5)`);
  for (const statement of rareValues) await empty.query(statement);
}

/** Expects that each column of these tables has a value, so that a copy of the rows proves that it is copied. */
export async function expectValues(empty: Empty, tables: readonly string[]): Promise<void> {
  const snapshot = await openSnapshotOf(placeOf(empty));
  try {
    const found: string[] = [];
    for (const table of tables.filter((name) => !passing.includes(name))) {
      const columns = snapshot.columns.get(table) ?? [];
      const used = new Set<number>();
      for await (const rows of snapshot.rows(table))
        for (const row of rows) for (const [n, value] of row.entries()) if (value !== null) used.add(n);
      found.push(...columns.filter((_, n) => !used.has(n)).map((column) => `${table}.${column}`));
    }
    // The background deletes the messages, and then the value.
    expect(found).toEqual(['chat_rooms.expiring']);
  } finally {
    snapshot.close();
  }
}

/** Returns the responses to all reads, without revisions and cursors. */
export async function readAll({ read }: History): Promise<unknown> {
  const answers: unknown[] = [];
  for (const [query, inputs] of Object.entries(everyRead))
    for (const input of inputs)
      answers.push([query, await read[query as 'room'](input as never).catch(({ code }) => code)]);
  for (const text of ['all', 'ÁLL', 'nothing'])
    answers.push(await read.search({ query: text, rooms: ['den'], everyPublic: true, limit: 9 }));
  return JSON.parse(JSON.stringify(answers), (key, part: unknown) => {
    if (/^(next|head|reset)$/.test(key)) return undefined;
    // The order of some lists is unspecified.
    return Array.isArray(part) ? part.map((one) => JSON.stringify(one)).sort() : part;
  });
}
