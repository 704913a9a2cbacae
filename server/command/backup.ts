import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeBackup } from '../backup/backup.ts';
import { callersFolder, howToRun } from '../program/how-to-run.ts';
import { dataOf } from './data.ts';
import { progress } from './progress.ts';

export const help = `${howToRun('backup', 'FILE [--without-files] [--settings FILE]')}

Writes the history and the files into one file. The chat server may be running. The backup contains all messages, and
only this account can read it. Keep it on another machine.

  FILE             the new file to write; its disk needs space for the files and the history
  --without-files  only the history
  --settings FILE  the settings of the chat server

Example: ${howToRun('backup', '/backup/chat-2026-11-23T030000Z.tar')}`;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { settings: { type: 'string' }, 'without-files': { type: 'boolean', default: false } },
  });
  process.umask(0o077);
  const { file, data } = dataOf(positionals, { ...values, help, env });
  const to = resolve(callersFolder(env), file);
  const shown = progress();
  const { size, files, missing } = await makeBackup(data, to, (done) =>
    shown.say('rows' in done ? `rows: ${done.rows}` : `files: ${done.files}`),
  ).finally(() => shown.end());
  const lost = missing === 0 ? '' : `; ${missing} files of the history are missing in the folder`;
  const filesText = data.files === undefined ? 'without files' : `${files} files${lost}`;
  console.log(`✓ Written: ${to} (${(size / 1_000_000).toFixed(1)} MB, ${filesText})`);
  return 0;
}
