import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Finding, ok, problem } from 'php-sessions/doctor';
import { findLocalServer } from '../health/local-socket.ts';
import type { Config } from '../settings/config.ts';
import { findExposedData } from './exposed-data.ts';
import { checkServer } from './server.ts';
import { findReadOnlyFolders } from './service-folders.ts';

/**
 * Checks what can be checked before the server starts.
 * @param settingsFile the settings file, if any
 * @param logins what the logins of the site report
 */
export async function* checkBeforeStart(
  config: Config,
  settingsFile: string | undefined,
  logins: readonly Finding[],
): AsyncGenerator<Finding> {
  yield ok('The settings can be used.');
  yield* logins;
  yield* findExposedData(config, settingsFile);
  yield* findReadOnlyFolders(config, settingsFile);
  yield* checkServer(config, { page: undefined, chat: config.url, isRunning: false });
  yield await checkPort(config);
}

async function checkPort(config: Config): Promise<Finding> {
  const { host, port } = config;
  const server = createServer();
  try {
    await once(server.listen({ host, port }), 'listening');
    return ok(`The port ${port} of ${host} is free: no chat server runs there now.`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' && !('code' in (await findLocalServer(config))))
      return ok(`The running chat server has the port ${port}.`);
    return problem(
      `The server cannot listen at port ${port} of ${host} (${code}).`,
      code === 'EADDRINUSE'
        ? `Another program has the port, which "ss -ltnp" shows: end it, or set CHAT_PORT to another port, also in the web server.`
        : 'Set CHAT_HOST to an address of this machine, and CHAT_PORT to 1024 or more.',
    );
  } finally {
    server.close();
  }
}
