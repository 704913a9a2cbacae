import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { callersFolder, howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { runningServer } from './running-server.ts';
import { theUser } from './user.ts';

export const help = `${howToRun('export', 'USER [--to FILE] [--settings FILE]', true)}

Writes all data of a user into a zip archive, through the running chat server and its CHAT_API_KEY_FILE: docs/api.md.

  USER             the ID of the user on the site
  --to FILE        the file to write, which only this account can read; default: standard output
  --settings FILE  the settings of the chat server

Example: ${howToRun('export', '7 --to user-7.zip', true)}`;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { to: { type: 'string' }, settings: { type: 'string' } },
  });
  const user = theUser(positionals, help);
  if (values.to === undefined && process.stdout.isTTY === true) {
    throw new CommandProblem(
      exit.usage,
      'cannot write an archive to a terminal: add --to FILE, or redirect the output (> FILE)',
    );
  }
  const archive = await runningServer(values.settings, env).exportOf(user);
  const path = values.to === undefined ? undefined : resolve(callersFolder(env), values.to);
  const to = path === undefined ? process.stdout : createWriteStream(path, { flags: 'wx', mode: 0o600 });
  try {
    await pipeline(archive, to);
  } catch (error) {
    const { syscall, code, message } = error as NodeJS.ErrnoException;
    if (syscall === 'open') {
      throw new CommandProblem(
        exit.output,
        code === 'EEXIST'
          ? `${path} already exists: choose another file`
          : `${path} cannot be written (${code})`,
      );
    }
    if (path !== undefined) await rm(path, { force: true });
    throw new CommandProblem(
      exit.output,
      `the archive was cut off (${code ?? message}), and cannot be used: run this again`,
    );
  }
  if (path !== undefined) console.log(`✓ Written: ${path}`);
  return 0;
}
