import { execFileSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { type DatabaseAddress, readDatabaseAddress } from '../../../server/history/engine/address.ts';
import { mariadb } from '../../../server/history/engine/mariadb.ts';
import { historyDatabaseContract } from '../../contracts/history-database.ts';
import { doctorSays } from '../../helpers/doctor-says.ts';
import { type HistoryDatabase, mariadbDatabase } from '../../helpers/history-database.ts';
import { startMariadb } from '../../helpers/mariadb.ts';

const nameOf = ({ url }: HistoryDatabase) => url.slice(url.lastIndexOf('/') + 1);

historyDatabaseContract('MariaDB', async () => {
  const server = await startMariadb();
  return {
    port: server.port,
    certificate: `${server.folder}/certificate.pem`,
    socket: `${server.folder}/socket`,
    database: () => mariadbDatabase(server),
    dialect: ({ url }) => mariadb(readDatabaseAddress(url) as DatabaseAddress),
    async unindexed(connection, statements) {
      const isSlow = ({ table, type, r_filtered, Extra }: Record<string, unknown>) =>
        String(Extra).includes('filesort') ||
        Number(r_filtered ?? 100) < 100 ||
        // The names of temporary tables are in angle brackets.
        (['ALL', 'index'].includes(type as string) && !String(table).startsWith('<'));
      const slow: string[] = [];
      for (const { text, values } of statements) {
        const steps = await connection.query({ text: `ANALYZE ${text}`, values });
        slow.push(...steps.filter(isSlow).map((step) => JSON.stringify(step)));
      }
      return slow;
    },
    trips: 9,
    copy: (from, to) => {
      const login = ['-u', 'root', `--socket=${server.folder}/socket`];
      const input = execFileSync('mariadb-dump', [...login, '--single-transaction', nameOf(from)]);
      execFileSync('mariadb', [...login, nameOf(to)], { input });
    },
    remove: () => server.remove(),
    withoutRights: (database) => `REVOKE CREATE ON ${nameOf(database)}.* FROM site@'%'`,
    administer: (statement) => server.query(statement),
    // `init_connect` does not run for the administrator.
    defaults: {
      change: [
        `SET GLOBAL init_connect = "SET NAMES latin1, sql_mode = 'NO_BACKSLASH_ESCAPES', completion_type = 1,
           foreign_key_checks = 0, unique_checks = 0, sql_auto_is_null = 1, sql_safe_updates = 1, sql_select_limit = 1,
           sql_big_selects = 0, max_join_size = 1, group_concat_max_len = 4, max_sort_length = 8, autocommit = 0,
           wait_timeout = 1, time_zone = '+05:30'"`,
        'SET GLOBAL tx_isolation = "SERIALIZABLE"',
        // As with Galera, each table needs a primary key.
        'SET GLOBAL innodb_force_primary_key = ON',
      ],
      undo: [
        "SET GLOBAL init_connect = ''",
        'SET GLOBAL tx_isolation = "REPEATABLE-READ"',
        'SET GLOBAL innodb_force_primary_key = OFF',
      ],
    },
    signal: (name) => server.signal(name),
    // An OK packet does not name its statement.
    saysCommitted: (reply, sent) => sent.includes('COMMIT') && reply[4] === 0,
    disconnect: async (database) => {
      const open = await server.query(
        'SELECT id FROM information_schema.processlist WHERE db = ? AND user = ?',
        [nameOf(database), 'site'],
      );
      // `KILL` fails for a connection that already ended.
      for (const { id } of open) await server.query(`KILL ${id}`).catch(() => {});
    },
  };
});

test('names the variable of MariaDB that stops the server, and its remedy, in the doctor', async () => {
  const server = await startMariadb(['--log-bin=log', '--binlog-format=STATEMENT']);
  onTestFinished(() => server.remove());
  const database = await mariadbDatabase(server);
  onTestFinished(() => database.close());
  const says = () =>
    doctorSays({ CHAT_SESSION_STORE: 'file:///tmp', CHAT_FILES: 'off', CHAT_HISTORY: database.url });
  expect(await says()).toMatch(
    /^✗ The history .* cannot be opened: MariaDB: binlog_format is STATEMENT, but must be MIXED or ROW.*\n {2}→ /m,
  );
  await server.query('SET GLOBAL binlog_format = MIXED');
  await server.query('SET GLOBAL max_allowed_packet = 1048576');
  expect(await says()).toMatch(
    /^✗ .*max_allowed_packet is 1048576, but must be at least 8388608: set max_allowed_packet=16M/m,
  );
  await server.query('SET GLOBAL max_allowed_packet = 16777216');
  expect(await says()).toMatch(/^✓ The history .* can be used\.$/m);
});
