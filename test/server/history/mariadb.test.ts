import { historyDatabaseContract } from '../../contracts/history-database.ts';
import { mariadbDatabase } from '../../helpers/history-database.ts';
import { startMariadb } from '../../helpers/mariadb.ts';

historyDatabaseContract('MariaDB', async () => {
  const server = await startMariadb();
  return {
    port: server.port,
    certificate: `${server.folder}/certificate.pem`,
    socket: `${server.folder}/socket`,
    database: () => mariadbDatabase(server),
    remove: () => server.remove(),
    signal: (name) => server.signal(name),
    // An OK packet, which names no statement.
    saysCommitted: (reply, sent) => sent.includes('COMMIT') && reply[4] === 0,
    disconnect: async ({ url }) => {
      const open = await server.query(
        'SELECT id FROM information_schema.processlist WHERE db = ? AND user = ?',
        [url.slice(url.lastIndexOf('/') + 1), 'site'],
      );
      // One that has ended meanwhile is unknown.
      for (const { id } of open) await server.query(`KILL ${id}`).catch(() => {});
    },
  };
});
