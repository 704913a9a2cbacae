import { parseArgs } from 'node:util';
import { openTerminal } from '../init/terminal.ts';
import { howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { lineForScreen } from '../text/blank.ts';
import { runningServer } from './running-server.ts';
import { theUser } from './user.ts';

export const help = `${howToRun('erase', 'USER [--messages delete] [--yes] [--settings FILE]')}

Erases a user permanently through the running chat server and its CHAT_API_KEY_FILE: docs/api.md. First end the user's
session on the site, because a later connection with that session creates a new user.

  USER               the ID of the user on the site
  --messages delete  also deletes the messages; without it, their texts stay without an author
  --yes              does not ask for confirmation, for scripts
  --settings FILE    the settings of the chat server

Example: ${howToRun('erase', '7 --messages delete')}`;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      messages: { type: 'string', default: 'anonymise' },
      yes: { type: 'boolean', default: false },
      settings: { type: 'string' },
    },
  });
  const user = theUser(positionals, help);
  const { messages, yes } = values;
  if (messages !== 'anonymise' && messages !== 'delete') {
    throw new CommandProblem(exit.usage, `--messages must be anonymise or delete\n\n${help}`);
  }
  if (!yes && !(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new CommandProblem(
      exit.usage,
      'there is no terminal to ask for confirmation: add --yes to erase without it',
    );
  }
  const server = runningServer(values.settings, env);
  const name = await server.nameOf(user);
  if (!yes && !(await isConfirmed(user, name, messages))) {
    throw new CommandProblem(exit.usage, 'nothing was erased');
  }
  await server.erase(user, messages);
  console.log(
    `✓ ${lineForScreen(user)} is being erased. The server works in small steps, and continues after a restart.`,
  );
  return 0;
}

async function isConfirmed(user: string, name: string, messages: 'anonymise' | 'delete'): Promise<boolean> {
  const terminal = openTerminal();
  try {
    const too = messages === 'delete' ? ', with all messages' : '; the messages stay, without an author';
    terminal.say(`${name} (${user}) will be erased${too}. This cannot be undone.`);
    return (await terminal.ask('? Type the ID again to erase: ')) === user;
  } finally {
    terminal.close();
  }
}
