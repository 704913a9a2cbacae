import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sessionStoreContract } from '../../contracts/session-store.ts';
import { startGate } from '../../helpers/gate.ts';
import { phpInSessionServer } from '../../helpers/php-in-session-server.ts';
import { sessionClient } from '../../helpers/session-client.ts';
import { startSessionServer } from '../../helpers/session-server.ts';

sessionStoreContract(
  'PHP’s sessions in a session server',
  ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack', 'json'],
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'session-server-'));
    const file = join(folder, 'sessions.db');
    const server = await startSessionServer({ SESSION_SERVER_CONTAINER: `sqlite:${file}` });
    const gate = await startGate(server.port);
    const database = new DatabaseSync(file, { timeout: 1000 });
    const live = (id: string, lifetime: number, expires: number | null) =>
      database
        .prepare('UPDATE sessions SET lifetime = ?, expires = ? WHERE id = ?')
        .run(lifetime, expires, id);
    const asking = await sessionClient({ port: server.port });
    // `ttl` of a session that is not open: this daemon may know it, or not yet.
    const untold = (await asking.ask('ttl none')) !== 'err No such session.';
    asking.socket.end();
    return {
      ...gate,
      untold,
      url: (format) => `session-server://127.0.0.1:${gate.port}?format=${format}`,
      request: (format, code, id) => phpInSessionServer(server.port, format, code, id),
      async traces(id) {
        const row = database.prepare('SELECT * FROM sessions WHERE id = ?').get(id) ?? {};
        const { expires, ...held } = row;
        return { held, expires: Number(expires) / 1000 };
      },
      live: (id, seconds) => live(id, 1440, Date.now() + seconds * 1000),
      liveForEver: (id) => live(id, 0, null),
      async close() {
        database.close();
        await gate.close();
        await server.stop();
        rmSync(folder, { recursive: true });
      },
    };
  },
);
