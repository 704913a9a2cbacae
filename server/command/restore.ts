import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Data } from '../backup/backup.ts';
import { hasFiles, restoreBackup } from '../backup/restore.ts';
import { openTerminal } from '../init/terminal.ts';
import { callersFolder, howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { checkOwner, dataOf, nameOf } from './data.ts';
import { findGiven } from './given-path.ts';
import { progress } from './progress.ts';

export const help = `${howToRun('restore', 'FILE [--yes] [--without-files] [--settings FILE]')}

Replaces the history and the files with a backup. Stop the chat server first, and run this as its account. The backup is
checked before anything changes. If the restore is interrupted, run it again.

  FILE             a file from the command backup
  --yes            does not ask for confirmation, for scripts
  --without-files  restores only the history: existing files stay
  --settings FILE  the settings of the chat server

Example: ${howToRun('restore', '/backup/chat-2026-11-23T030000Z.tar')}`;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      yes: { type: 'boolean', default: false },
      settings: { type: 'string' },
      'without-files': { type: 'boolean', default: false },
    },
  });
  process.umask(0o077);
  const { file, data } = dataOf(positionals, { ...values, help, env });
  const from = resolve(callersFolder(env), file);
  if (findGiven(from) === undefined) throw new CommandProblem(exit.data, `there is no file ${from}`);
  checkOwner(data, 'restore');
  if (!values.yes) await confirm(data);
  const shown = progress();
  const made = await restoreBackup(from, data, {
    withoutFiles: values['without-files'],
    onProgress: (done) => shown.say('rows' in done ? `rows: ${done.rows}` : `files: ${done.files}`),
  }).finally(() => shown.end());
  console.log(`✓ Restored: ${nameOf(data.history)}, as it was at ${new Date(made).toISOString()}`);
  return 0;
}

/** Asks the user to confirm that existing data will be replaced. @throws CommandProblem without a confirmation */
async function confirm(data: Data): Promise<void> {
  const { history, files } = data;
  // The files may belong to another history, for example of a running server.
  const filesThere = files !== undefined && (await hasFiles(files)) ? resolve(files) : undefined;
  if (history.kind === 'sqlite' && !existsSync(history.path) && filesThere === undefined) return;
  const lost = `${nameOf(data.history)} will be replaced${
    filesThere === undefined ? '' : `, and files in ${filesThere} that are not in the backup will be deleted`
  }. This cannot be undone.`;
  if (!(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new CommandProblem(
      exit.usage,
      `there is no terminal to ask for confirmation: add --yes to restore without it. ${lost}`,
    );
  }
  const terminal = openTerminal();
  try {
    terminal.say(lost);
    if ((await terminal.ask('? Type yes to restore: ')) === 'yes') return;
  } finally {
    terminal.close();
  }
  throw new CommandProblem(exit.usage, 'nothing was restored');
}
