import { parseArgs } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { howToRun } from '../program/how-to-run.ts';

export const help = `${howToRun('version')}

Prints the versions of the chat server and of Node.

Example: ${howToRun('version')}`;

export async function run(args: readonly string[]): Promise<number> {
  parseArgs({ args: [...args] });
  console.log(`php-session-chat ${manifest.version} (Node ${process.versions.node})`);
  return 0;
}
