import { DatabaseSync } from 'node:sqlite';
import { openSqliteHistory } from '../../server/history/sqlite/sqlite.ts';
import { openTested, type TestedHistory } from './history-tested.ts';

/** SQLite's own tables, tables whose numbers only grow, and what the tables are. */
const keptTables = [
  ...['sqlite_sequence', 'next_message', 'generations'],
  ...['chat_commits', 'chat_digest_key', 'chat_migrations', 'chat_position'],
];

/** Opens the history in a file for the contract, and migrates it first. @param remove deletes the file at the end */
export function openTestedFile({ path, remove }: { path: string; remove(): void }): Promise<TestedHistory> {
  const db = new DatabaseSync(path, { timeout: 5000 });
  const tablesOf = () =>
    db
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
      .all()
      .map(({ name }) => String(name))
      .filter((name) => !keptTables.includes(name));
  return openTested({
    open: () =>
      openSqliteHistory({
        path,
        onFailure: (error) => {
          throw error;
        },
      }),
    async empty() {
      const emptying = [
        'UPDATE next_message SET num = max(num, (SELECT coalesce(max(num), 0) + 1 FROM chat_messages))',
        ...tablesOf().map((name) => `DELETE FROM ${name}`),
      ];
      db.exec(`BEGIN IMMEDIATE; ${emptying.join('; ')}; COMMIT`);
    },
    async holding(text) {
      return tablesOf().filter((name) =>
        JSON.stringify(db.prepare(`SELECT * FROM ${name}`).all()).includes(text),
      );
    },
    close() {
      db.close();
      remove();
    },
  });
}
