import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type MoveProgress, moveBack, moveHistory } from '../backup/move.ts';
import { type HistoryPlace, readHistoryPlace } from '../history/open.ts';
import { callersFolder, howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { secretIn } from '../settings/forms.ts';
import { checkOwner, historyOf, nameOf } from './data.ts';
import { progress } from './progress.ts';

export const help = `${howToRun('move', '--to PLACE [--settings FILE] | --back [--settings FILE]')}

Copies the history to an empty database or a new file, and compares all rows. The chat server can keep running: stop it
when this says so, and its last changes follow within seconds. Run this as the account of the server. The old history
and the files stay as they are, but servers no longer start with the old history. If the move is interrupted, run it
again.

  --to PLACE       the new value of CHAT_HISTORY, or a file that contains it. In a file, other accounts cannot read its
                   password from the list of processes
  --back           lets servers start with the old history again, without what was written since the move, and with the
                   users who were erased since then
  --settings FILE  the settings of the chat server, with the old CHAT_HISTORY

Example: ${howToRun('move', '--to /etc/php-session-chat/history')}`;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      to: { type: 'string' },
      back: { type: 'boolean', default: false },
      settings: { type: 'string' },
    },
  });
  if (!values.to === !values.back)
    throw new CommandProblem(exit.usage, `either --to or --back is required\n\n${help}`);
  process.umask(0o077);
  const from = historyOf({ settings: values.settings, env });
  if (values.to === undefined) {
    checkOwner({ history: from, files: undefined }, 'move');
    await moveBack(from);
    console.log(`✓ Servers can use ${nameOf(from)} again
Erase the users again who were erased since the move: this history contains them.`);
    return 0;
  }
  const to = readPlace(values.to, callersFolder(env));
  if (nameOf(from) === nameOf(to))
    throw new CommandProblem(
      exit.configuration,
      `CHAT_HISTORY is already ${nameOf(to)}: set it to the old history, which the command moves there`,
    );
  checkOwner({ history: from, files: undefined }, 'move');
  checkOwner({ history: to, files: undefined }, 'move');
  const shown = progress();
  let interrupted: NodeJS.Signals | undefined;
  // The move then removes the copy and the triggers. A second signal ends it at once.
  const interrupt = (signal: NodeJS.Signals) => {
    interrupted = signal;
  };
  for (const signal of signals) process.once(signal, interrupt);
  await moveHistory(from, to, {
    onProgress(is) {
      if (interrupted !== undefined && !(typeof is === 'object' && 'moved' in is))
        throw new Error(`${interrupted} interrupted it`);
      if (is === 'ready' || 'moved' in is) {
        shown.end();
        console.log(is === 'ready' ? ready : whatMoved(is.moved, from, to));
      } else shown.say(textOf(is));
    },
  }).finally(() => {
    shown.end();
    for (const signal of signals) process.off(signal, interrupt);
  });
  return 0;
}

const signals = ['SIGINT', 'SIGTERM'] as const;

const ready = `All rows are copied and compared: stop all chat servers now, for example by
  systemctl stop php-session-chat
The last changes follow within seconds. Until then, new changes are copied each second.`;

const whatMoved = (rows: number, from: HistoryPlace, to: HistoryPlace) =>
  `✓ Copied and compared: ${rows} rows, from ${nameOf(from)} to ${nameOf(to)}
Set CHAT_HISTORY to the new history, or CHAT_HISTORY_FILE to a file that contains it, on all servers, and start them.
Servers no longer start with the old history. Delete it when you no longer need it.`;

function textOf(is: Exclude<MoveProgress, 'ready' | { moved: number }>): string {
  if ('copied' in is) return `rows copied: ${is.copied}`;
  return 'compared' in is ? `rows compared: ${is.compared}` : `rows changed by the server: ${is.changed}`;
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
