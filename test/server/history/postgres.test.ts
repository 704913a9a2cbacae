import { historyDatabaseContract } from '../../contracts/history-database.ts';
import { postgresDatabase } from '../../helpers/history-database.ts';
import { startPostgres } from '../../helpers/postgres.ts';

historyDatabaseContract('PostgreSQL', async () => {
  const server = await startPostgres();
  return {
    port: server.port,
    database: () => postgresDatabase(server),
    remove: () => server.remove(),
    // `CommandComplete` with its tag.
    saysCommitted: (reply) => reply.includes('COMMIT\0'),
    disconnect: async ({ url }) => {
      await server.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name = $2',
        [url.slice(url.lastIndexOf('/') + 1), 'php-session-chat'],
      );
    },
  };
});
