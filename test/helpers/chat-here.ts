import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { emptyHistory, type RunningChat, usual } from './chat-server.ts';
import { textSink } from './text-sink.ts';

type Parts = typeof import('./chat-parts.ts');

let parts: Promise<Parts> | undefined;
let client: ReturnType<Parts['readClientFiles']> | undefined;

/**
 * Starts a chat server in the test's process, which needs less CPU than a separate process. Tests of the chat's rules
 * need no separate process.
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
  const output = textSink();
  const log = createLog(config.logLevel, config.node, output.stream);
  const app = await startApp(config, client, log, (error) => {
    throw error;
  });
  let stopped: Promise<number> | undefined;
  return {
    port: app.port,
    url: `http://127.0.0.1:${app.port}`,
    output: output.text,
    until: output.until,
    stop() {
      stopped ??= app
        .close()
        .then(() => 0)
        .finally(() => history?.remove());
      return stopped;
    },
  };
}
