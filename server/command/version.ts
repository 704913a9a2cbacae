import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { parseArgs } from 'node:util';
import { howToRun } from '../session/how-to-run.ts';

export const help = `${howToRun('version')}

Prints the version of this chat server, and of the Node that runs it.

Example: ${howToRun('version')}`;

export async function run(args: readonly string[]): Promise<number> {
  parseArgs({ args: [...args] });
  const { version } = JSON.parse(readFileSync(findPackageJSON(import.meta.url) as string, 'utf8'));
  console.log(`php-session-chat ${version} (Node ${process.versions.node})`);
  return 0;
}
