import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { moveHistory } from '../backup/move.ts';
import { placeOf } from '../history/engine/address.ts';
import { type HistoryPlace, readHistoryPlace } from '../history/open.ts';
import { callersFolder, howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { secretIn } from '../settings/forms.ts';
import { checkOwner, historyOf } from './data.ts';
import { progress } from './progress.ts';

export const help = `${howToRun('move', '--to PLACE [--settings FILE]')}

Copies the history to an empty database or a new file, and compares all rows. Stop the chat server first, and run this
as its account. The old history and the files stay as they are. If the move is interrupted, run it again.

  --to PLACE       the new value of CHAT_HISTORY, or a file that contains it. In a file, other accounts cannot read its
                   password from the list of processes
  --settings FILE  the settings of the chat server, with the old CHAT_HISTORY

Example: ${howToRun('move', '--to /etc/php-session-chat/history')}`;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { to: { type: 'string' }, settings: { type: 'string' } },
  });
  if (values.to === undefined || values.to === '')
    throw new CommandProblem(exit.usage, `--to is missing\n\n${help}`);
  process.umask(0o077);
  const from = historyOf({ settings: values.settings, env });
  const to = readPlace(values.to, callersFolder(env));
  checkOwner({ history: from, files: undefined }, 'move');
  checkOwner({ history: to, files: undefined }, 'move');
  const shown = progress();
  const rows = await moveHistory(from, to, (done) =>
    shown.say('copied' in done ? `rows copied: ${done.copied}` : `rows compared: ${done.compared}`),
  ).finally(() => shown.end());
  console.log(`✓ Copied and compared: ${rows} rows, from ${nameOf(from)} to ${nameOf(to)}
Set CHAT_HISTORY to the new history, or CHAT_HISTORY_FILE to a file that contains it, on all servers, and start them.
Delete the old history when you no longer need it. A server that still uses it would not share new messages.`);
  return 0;
}

/** @throws CommandProblem */
function readPlace(to: string, folder: string): HistoryPlace {
  const given = readHistoryPlace(to);
  if (given !== undefined)
    return given.kind === 'sqlite' ? { ...given, path: resolve(folder, given.path) } : given;
  const read = readHistoryPlace(secretIn(resolve(folder, to)) ?? '');
  if (read !== undefined) return read;
  throw new CommandProblem(
    exit.usage,
    '--to must be sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE or mysql://…, or a file that contains it',
  );
}

const nameOf = (history: HistoryPlace) => (history.kind === 'sqlite' ? history.path : placeOf(history));
