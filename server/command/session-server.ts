import { parseArgs } from 'node:util';
import { howToRun } from './how-to-run.ts';
import { runSessionServer } from './run-session-server.ts';

export const help = `${howToRun('session-server', '[--settings FILE]')}

Keeps the sessions of PHP sites: docs/session-server.md.

  --settings FILE  a file of settings SESSION_SERVER_…=VALUE; those of the environment go before

Example: SESSION_SERVER_CONTAINER=file:/var/lib/php-sessions ${howToRun('session-server')}`;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: { settings: { type: 'string' } } });
  // Without a file of its own it reads none: the usual ones are those of the chat.
  await runSessionServer(values.settings === undefined ? env : await withFile(values.settings, env));
}

/** Loaded on demand: it brings all settings of the chat with it. */
async function withFile(file: string, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const { givenSettings } = await import('../settings/file.ts');
  return givenSettings(file, env).env;
}
