import { execFileSync } from 'node:child_process';
import { expect, onTestFinished } from 'vitest';
import { type DatabaseAddress, readDatabaseAddress } from '../../../server/history/engine/address.ts';
import { raw } from '../../../server/history/engine/dialect.ts';
import { postgres } from '../../../server/history/engine/postgres.ts';
import { historyDatabaseContract } from '../../contracts/history-database.ts';
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { doctorSays } from '../../helpers/doctor-says.ts';
import { postgresDatabase } from '../../helpers/history-database.ts';
import { postgresProgram, startPostgres } from '../../helpers/postgres.ts';

historyDatabaseContract('PostgreSQL', async () => {
  const server = await startPostgres();
  return {
    port: server.port,
    certificate: `${server.folder}/certificate.pem`,
    socket: `${server.folder}/.s.PGSQL.${server.port}`,
    database: () => postgresDatabase(server),
    dialect: ({ url }) => postgres(readDatabaseAddress(url) as DatabaseAddress),
    async unindexed(connection, statements) {
      await connection.query(raw('ANALYZE'));
      // PostgreSQL prefers a scan of a small table, even with an index.
      for (const way of ['seqscan', 'sort']) await connection.query(raw(`SET enable_${way} = off`));
      const isSlow = (step: string) => /Seq Scan|Sort|Rows Removed by Filter/.test(step);
      const slow: string[] = [];
      for (const { text, values } of statements) {
        const steps = await connection.query({ text: `EXPLAIN ANALYZE ${text}`, values });
        slow.push(...steps.map((step) => String(step['QUERY PLAN'])).filter(isSlow));
      }
      return slow;
    },
    trips: 3,
    copy: (from, to) => {
      const input = execFileSync(postgresProgram('pg_dump'), [from.url]);
      execFileSync(postgresProgram('psql'), ['-q', '-v', 'ON_ERROR_STOP=1', to.url], {
        input,
        stdio: 'pipe',
      });
    },
    remove: () => server.remove(),
    withoutRights: ({ url }) => `ALTER DATABASE ${url.slice(url.lastIndexOf('/') + 1)} OWNER TO postgres`,
    administer: (statement) => server.query(statement),
    defaults: {
      change: [
        ['client_encoding', "'LATIN1'"],
        ['standard_conforming_strings', 'off'],
        ['array_nulls', 'off'],
        ['statement_timeout', "'1s'"],
        ['lock_timeout', "'1s'"],
        ['idle_in_transaction_session_timeout', "'1s'"],
        ['idle_session_timeout', "'1s'"],
        ['default_transaction_isolation', "'serializable'"],
        ['synchronous_commit', 'off'],
        ['bytea_output', "'escape'"],
        ['timezone', "'Asia/Kolkata'"],
        ['row_security', 'off'],
        ['transform_null_equals', 'on'],
        ['extra_float_digits', '-15'],
      ].map(([name, value]) => `ALTER ROLE site SET ${name} = ${value}`),
      undo: ['ALTER ROLE site RESET ALL'],
    },
    signal: (name) => {
      // Processes that serve connections have their own process groups.
      const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(server.pid)], { encoding: 'utf8' });
      for (const pid of [server.pid, ...children.trim().split(/\s+/).map(Number)]) process.kill(pid, name);
    },
    // The tag of `CommandComplete`.
    saysCommitted: (reply) => reply.includes('COMMIT\0'),
    disconnect: async ({ url }) => {
      await server.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name = $2',
        [url.slice(url.lastIndexOf('/') + 1), 'php-session-chat'],
      );
    },
  };
});

againInSoak(
  'names the defaults of PostgreSQL that stop the server, and their remedy, in the doctor',
  async () => {
    const server = await startPostgres();
    onTestFinished(() => server.remove());
    const database = await postgresDatabase(server);
    onTestFinished(() => database.close());
    const says = () =>
      doctorSays({ CHAT_SESSION_STORE: 'file:///tmp', CHAT_FILES: 'off', CHAT_HISTORY: database.url });
    for (const [name, value, expected] of [
      ['search_path', 'gone', 'the search_path of the user names no schema'],
      ['session_replication_role', 'replica', 'session_replication_role must be origin: reset it'],
      [
        'default_transaction_read_only',
        'on',
        'the server is read-only, or default_transaction_read_only is on',
      ],
    ] as const) {
      await server.query(`ALTER ROLE site SET ${name} = ${value}`);
      expect(await says()).toMatch(
        new RegExp(`^✗ The history .* cannot be opened: PostgreSQL: ${expected}.*\n {2}→ `, 'm'),
      );
      await server.query(`ALTER ROLE site RESET ${name}`);
    }
    expect(await says()).toMatch(/^✓ The history .* can be used\.$/m);
  },
);
