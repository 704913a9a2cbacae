import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { emptyHistory, type RunningChat, usual } from './chat-server.ts';

type Parts = typeof import('./chat-parts.ts');

let parts: Promise<Parts> | undefined;
let client: ReturnType<Parts['readClientFiles']> | undefined;

/**
 * Starts a chat server in this process: it costs a third of a process of its own, and a test of the chat's rules needs
 * none.
 */
export async function chatServerHere(env: NodeJS.ProcessEnv): Promise<RunningChat> {
  const bundles = process.env.TEST_BUNDLES;
  parts ??= import(
    bundles === undefined
      ? './chat-parts.ts'
      : pathToFileURL(join(bundles, 'test/helpers/chat-parts.mjs')).href
  );
  const { startApp, readClientFiles, createLog, readConfig } = await parts;
  client ??= readClientFiles();
  const history = env.CHAT_HISTORY === undefined ? await emptyHistory() : undefined;
  const config = readConfig({ ...usual, CHAT_HISTORY: history?.url, CHAT_FILES: history?.files, ...env });
  let output = '';
  const waiting = new Set<() => void>();
  const log = createLog(
    config.logLevel,
    config.node,
    new Writable({
      write(line, _, done) {
        output += line;
        for (const check of waiting) check();
        done();
      },
    }),
  );
  const app = await startApp(config, client, log, (error) => {
    throw error;
  });
  let stopped: Promise<number> | undefined;
  return {
    port: app.port,
    url: `http://127.0.0.1:${app.port}`,
    output: () => output,
    until: (pattern, from = 0) =>
      new Promise((resolve) => {
        const check = () => {
          const match = pattern.exec(output.slice(from));
          if (match === null) return;
          waiting.delete(check);
          resolve(match);
        };
        waiting.add(check);
        check();
      }),
    stop() {
      stopped ??= app
        .close()
        .then(() => 0)
        .finally(() => history?.remove());
      return stopped;
    },
  };
}
